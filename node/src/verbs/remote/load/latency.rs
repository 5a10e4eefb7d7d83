//! Latencies, in histograms that can be added up over processes.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The highest latency that is told apart: an hour. What took longer is counted there.
const MICROSECONDS_MAX: u64 = 3_600_000_000;
/// Decimal digits that a recorded latency keeps.
const DIGITS: u8 = 3;

/// A histogram of microseconds.
#[derive(Clone, Debug)]
pub(super) struct Latencies(Histogram<u64>);

/// What a histogram says, in milliseconds.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Percentiles {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    #[serde(rename = "p99.9")]
    pub(super) p99_9: f64,
    pub(super) max: f64,
}

impl Latencies {
    pub(super) fn new() -> Latencies {
        Latencies(Histogram::new_with_bounds(1, MICROSECONDS_MAX, DIGITS).expect("the bounds are in order"))
    }

    pub(super) fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    pub(super) fn clear(&mut self) {
        self.0.reset();
    }

    /// `None` if nothing was recorded.
    pub(super) fn percentiles(&self) -> Option<Percentiles> {
        let at = |quantile| self.0.value_at_quantile(quantile) as f64 / 1e3;
        let max = self.0.max() as f64 / 1e3;
        (!self.0.is_empty()).then(|| Percentiles { p50: at(0.5), p90: at(0.9), p99: at(0.99), p99_9: at(0.999), max })
    }

    /// Takes another one in.
    pub(super) fn add(&mut self, other: &Latencies) -> Result<(), String> {
        self.0.add(&other.0).map_err(|error| error.to_string())
    }

    /// HdrHistogram's V2 serialisation, in base64.
    pub(super) fn encode(&self) -> String {
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&self.0, &mut bytes).expect("its length fits the format, and memory takes it");
        BASE64_STANDARD.encode(bytes)
    }

    /// Reads what [`Latencies::encode`] made.
    pub(super) fn decode(text: &str) -> Result<Latencies, String> {
        let bytes = BASE64_STANDARD.decode(text).map_err(|error| error.to_string())?;
        let read: Histogram<u64> =
            Deserializer::new().deserialize(&mut &bytes[..]).map_err(|error| error.to_string())?;
        let (low, high, digits) = (read.low(), read.high(), read.sigfig());
        match (low, high, digits) == (1, MICROSECONDS_MAX, DIGITS) {
            true => Ok(Latencies(read)),
            false => {
                Err(format!("it has {digits} digits from {low} to {high}, not {DIGITS} from 1 to {MICROSECONDS_MAX}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_add_up_over_their_text() {
        let (mut one, mut other) = (Latencies::new(), Latencies::new());
        assert_eq!(one.percentiles(), None);
        (1..=900).for_each(|_| one.record(Duration::from_millis(2)));
        (1..=100).for_each(|_| other.record(Duration::from_millis(50)));
        other.record(Duration::from_secs(10_000));
        let mut all = Latencies::decode(&one.encode()).expect("it was encoded");
        all.add(&Latencies::decode(&other.encode()).expect("it was encoded")).expect("they are alike");
        let all = all.percentiles().expect("there are some");
        let close = |found: f64, expected: f64| (found - expected).abs() <= expected / 1e3;
        assert!(close(all.p50, 2.0) && close(all.p90, 50.0) && close(all.p99, 50.0), "{all:?}");
        assert!(close(all.max, 3.6e6), "{all:?}");
    }

    #[test]
    fn what_is_no_such_histogram_is_refused() {
        let mut other = Histogram::<u64>::new_with_bounds(1, 1_000, 2).expect("the bounds are in order");
        other.saturating_record(5);
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&other, &mut bytes).expect("it fits");
        let cases = [
            ("?".to_owned(), "symbol"),
            (BASE64_STANDARD.encode(&bytes[..10]), ""),
            (BASE64_STANDARD.encode(bytes), "it has 2 digits from 1 to 1000"),
        ];
        for (text, expected) in cases {
            let error = Latencies::decode(&text).expect_err("it is none");
            assert!(error.contains(expected), "{error}");
        }
    }
}
