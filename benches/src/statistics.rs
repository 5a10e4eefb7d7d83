//! Repeated measurements.

/// Measurements of one thing.
#[derive(Clone, Debug, Default)]
pub struct Sample(Vec<f64>);

impl Sample {
    /// No measurement yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more.
    pub fn add(&mut self, measurement: f64) {
        let at = self.0.partition_point(|other| *other < measurement);
        self.0.insert(at, measurement);
    }

    /// The one in the middle, or the mean of the two there; not a number without measurements.
    pub fn median(&self) -> f64 {
        match (self.0.len() / 2, self.0.len() % 2) {
            (0, 0) => f64::NAN,
            (half, 0) => (self.0[half - 1] + self.0[half]) / 2.0,
            (half, _) => self.0[half],
        }
    }

    /// The lowest and the highest; not numbers without measurements.
    pub fn range(&self) -> (f64, f64) {
        (self.0.first().copied().unwrap_or(f64::NAN), self.0.last().copied().unwrap_or(f64::NAN))
    }
}

#[cfg(test)]
mod tests {
    use super::Sample;

    #[test]
    fn medians_of_odd_and_even_numbers() {
        let mut sample = Sample::new();
        assert!(sample.median().is_nan());
        for measurement in [5.0, 1.0, 3.0] {
            sample.add(measurement);
        }
        assert_eq!((sample.median(), sample.range()), (3.0, (1.0, 5.0)));
        sample.add(100.0);
        assert_eq!((sample.median(), sample.range()), (4.0, (1.0, 100.0)));
    }
}
