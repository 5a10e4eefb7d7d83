//! Syncs that take long, reported once in a while.

use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// A sync that takes longer is slow: disks that are fit for a log take milliseconds.
const SLOW: Duration = Duration::from_secs(1);
/// How often slow syncs are reported at most.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// What has not been reported.
#[derive(Default)]
struct Slow {
    reported: Option<Instant>,
    batches: u64,
    longest: Duration,
}

static SLOW_SYNCS: Mutex<Option<Slow>> = Mutex::new(None);

/// Notes how long an executed batch waited for its sync. One thread does, which waits for all syncs.
pub(super) fn note(height: u64, waited: Duration) {
    if waited < SLOW {
        return;
    }
    let mut syncs = SLOW_SYNCS.lock();
    let slow = syncs.get_or_insert_default();
    slow.batches += 1;
    slow.longest = slow.longest.max(waited);
    if slow.reported.is_some_and(|reported| reported.elapsed() < REPORT_INTERVAL) {
        return;
    }
    let (batches, longest_ms) = (slow.batches, slow.longest.as_millis() as u64);
    tracing::warn!(height, batches, longest_ms, "syncs of the log are slow");
    *slow = Slow { reported: Some(Instant::now()), ..Slow::default() };
}
