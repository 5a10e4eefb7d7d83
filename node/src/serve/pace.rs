//! How long what is in the queue will take, by how long the last batches took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bytes that a batch counts for at least. What a call takes whatever its bytes are says nothing of many.
const MEASURED_BYTES_MIN: usize = 64 << 10;

/// A moving average of the time that a batch's bytes take. It guards no other memory: relaxed is enough.
#[derive(Default)]
pub(crate) struct Pace {
    nanoseconds_a_kib: AtomicU64,
}

impl Pace {
    /// Notes what a batch of so many bytes took.
    pub(crate) fn note(&self, bytes: usize, took: Duration) {
        let now = took.as_nanos() as u64 * 1_024 / bytes.max(MEASURED_BYTES_MIN) as u64;
        let before = self.nanoseconds_a_kib.load(Ordering::Relaxed);
        // Only the cutter writes. An eighth of the newest, the first one too: a single long call does not turn everybody away.
        self.nanoseconds_a_kib.store(before - before / 8 + now / 8, Ordering::Relaxed);
    }

    /// What so many queued bytes will take.
    pub(crate) fn estimate(&self, bytes: u64) -> Duration {
        Duration::from_nanos(self.nanoseconds_a_kib.load(Ordering::Relaxed).saturating_mul(bytes / 1_024))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_follows_what_batches_took() {
        let pace = Pace::default();
        assert_eq!(pace.estimate(1 << 20), Duration::ZERO);
        pace.note(1 << 20, Duration::from_millis(80));
        let first = pace.estimate(2 << 20);
        assert!((19..=20).contains(&first.as_millis()), "{first:?}");
        for _ in 0..100 {
            pace.note(1 << 20, Duration::from_millis(10));
        }
        let settled = pace.estimate(2 << 20);
        assert!((19..=20).contains(&settled.as_millis()), "{settled:?}");
        for _ in 0..100 {
            pace.note(1 << 20, Duration::from_millis(1));
        }
        assert!((1..=3).contains(&pace.estimate(2 << 20).as_millis()));
    }

    #[test]
    fn one_slow_call_turns_nobody_away() {
        let pace = Pace::default();
        // As a deploy's compiling: the next batch of 1 MiB does not wait for as long sixteen times over.
        pace.note(100, Duration::from_secs(1));
        assert!(pace.estimate(1 << 20) <= Duration::from_secs(2));
    }
}
