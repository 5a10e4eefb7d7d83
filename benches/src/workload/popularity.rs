//! Which of many alike is drawn.

use crate::BenchError;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, Zipf};

/// A distribution over the indices below a number: uniform, or Zipf's, by which index 0 is drawn most often.
#[derive(Clone, Debug)]
pub struct Popularity {
    count: u64,
    /// `None` is uniform.
    zipf: Option<Zipf<f64>>,
}

impl Popularity {
    /// Indices below `count`, which is at least 1, drawn by Zipf with exponent `skew`, or uniformly if that is 0. Any finite skew
    /// from 0 on works, above 1 too.
    ///
    /// # Errors
    /// [`BenchError::Usage`] for a skew that is negative or not a number.
    pub fn new(count: u64, skew: f64) -> Result<Self, BenchError> {
        if !(skew.is_finite() && skew >= 0.0) {
            return Err(BenchError::Usage(format!("--skew must be a number from 0 on, not {skew}")));
        }
        let zipf = match skew {
            0.0 => None,
            _ => Some(Zipf::new(count as f64, skew).map_err(|error| BenchError::Usage(format!("--skew: {error}")))?),
        };
        Ok(Self { count, zipf })
    }

    /// How many indices there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Draws an index.
    pub fn draw(&self, random: &mut impl Rng) -> u64 {
        match &self.zipf {
            None => random.random_range(0..self.count),
            Some(zipf) => (zipf.sample(random) as u64).clamp(1, self.count) - 1,
        }
    }

    /// Draws two different indices; the same one twice where there is no other.
    pub fn draw_pair(&self, random: &mut impl Rng) -> (u64, u64) {
        let first = self.draw(random);
        // With a very high skew nearly every draw is the same index: go on to its neighbour instead of drawing for ever.
        let second = (0..8).map(|_| self.draw(random)).find(|second| *second != first);
        (first, second.unwrap_or((first + 1) % self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::Popularity;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn shares(count: u64, skew: f64) -> Vec<f64> {
        let popularity = Popularity::new(count, skew).unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut drawn = vec![0.0; count as usize];
        for _ in 0..100_000 {
            drawn[popularity.draw(&mut random) as usize] += 1e-5;
        }
        drawn
    }

    #[test]
    fn without_skew_all_are_drawn_alike() {
        let shares = shares(10, 0.0);
        assert!(shares.iter().all(|share| (0.09..0.11).contains(share)), "{shares:?}");
    }

    #[test]
    fn shares_follow_zipf_below_and_above_one() {
        for skew in [0.5, 0.99, 1.0, 1.2, 3.0] {
            let shares = shares(10, skew);
            let whole: f64 = (1..=10).map(|rank| f64::from(rank).powf(-skew)).sum();
            for (at, share) in shares.iter().enumerate() {
                let expected = f64::from(at as u32 + 1).powf(-skew) / whole;
                assert!((share - expected).abs() < 0.01, "skew {skew}, rank {at}: {share}, not {expected}");
            }
        }
    }

    #[test]
    fn pairs_differ_at_any_skew() {
        for skew in [0.0, 1.2, 50.0] {
            let popularity = Popularity::new(3, skew).unwrap();
            let mut random = ChaCha8Rng::seed_from_u64(7);
            assert!((0..1_000).map(|_| popularity.draw_pair(&mut random)).all(|(a, b)| a != b && a < 3 && b < 3));
        }
        let alone = Popularity::new(1, 0.0).unwrap();
        assert_eq!(alone.draw_pair(&mut ChaCha8Rng::seed_from_u64(7)), (0, 0));
    }
}
