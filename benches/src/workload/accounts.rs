//! Accounts of a workload: their addresses, and how they are drawn.

use super::Popularity;
use crate::BenchError;
use phalanx_engine::Address;
use rand::Rng;

/// More than any machine has memory for; up to here, no number that a workload computes from them overflows.
const ACCOUNTS_MAX: u64 = 1_000_000_000_000;

/// A number of accounts with a distribution over them.
#[derive(Clone, Debug)]
pub struct Accounts {
    seed: u64,
    popularity: Popularity,
}

impl Accounts {
    /// `count` accounts, drawn by Zipf with exponent `skew`, or uniformly if that is 0. Any finite skew from 0 on works,
    /// above 1 too.
    ///
    /// # Errors
    /// [`BenchError::Usage`] without accounts or with more than 10^12, or with a skew that is negative or not a number.
    pub fn new(seed: u64, count: u64, skew: f64) -> Result<Self, BenchError> {
        if count == 0 {
            return Err(BenchError::Usage("--accounts must be at least 1".into()));
        }
        if count > ACCOUNTS_MAX {
            return Err(BenchError::Usage(format!("--accounts must be at most {ACCOUNTS_MAX}, not {count}")));
        }
        Ok(Self { seed, popularity: Popularity::new(count, skew)? })
    }

    /// The seed of their addresses.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.popularity.count()
    }

    /// Address of the account of an index below [`Accounts::count`]. Addresses are hashes, as those of public keys are, so that the
    /// account drawn most and its runner-up are no neighbours.
    pub fn address(&self, index: u64) -> Address {
        let mut name = [0; 16];
        name[..8].copy_from_slice(&self.seed.to_le_bytes());
        name[8..].copy_from_slice(&index.to_le_bytes());
        *blake3::hash(&name).as_bytes()
    }

    /// Draws an account. Index 0 is drawn most often.
    pub fn draw(&self, random: &mut impl Rng) -> u64 {
        self.popularity.draw(random)
    }

    /// Draws two different accounts; the same one twice where there is no other.
    pub fn draw_pair(&self, random: &mut impl Rng) -> (u64, u64) {
        self.popularity.draw_pair(random)
    }
}

#[cfg(test)]
mod tests {
    use super::Accounts;

    #[test]
    fn addresses_depend_on_seed_and_index() {
        let (one, other) = (Accounts::new(1, 10, 0.0).unwrap(), Accounts::new(2, 10, 0.0).unwrap());
        assert_eq!(one.address(3), Accounts::new(1, 20, 1.2).unwrap().address(3));
        assert!(one.address(3) != one.address(4) && one.address(3) != other.address(3));
    }

    #[test]
    fn what_is_no_distribution_is_a_usage_error() {
        for (count, skew) in [(0, 0.0), (u64::MAX, 0.0), (1, -0.1), (1, f64::NAN), (1, f64::INFINITY)] {
            assert_eq!(Accounts::new(1, count, skew).err().map(|error| error.exit_code()), Some(2));
        }
    }
}
