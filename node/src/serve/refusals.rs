//! What requests were refused for, reported once in a while: a client that asks a hundred thousand times costs one line.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

/// How often refusals are reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// Refusals since the last report, by reason. A reason is one of the few words in `refusal.rs`.
static REFUSED: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());

/// Counts a refusal.
pub(super) fn count(reason: &'static str) {
    *REFUSED.lock().entry(reason).or_default() += 1;
}

/// Reports until the future is dropped.
pub(super) async fn report_now_and_then() -> Infallible {
    let mut interval = tokio::time::interval(REPORT_INTERVAL);
    loop {
        interval.tick().await;
        report();
    }
}

/// Reports what was refused since the last time.
pub(super) fn report() {
    // Not in the loop's head, which would hold the lock, and requests, while events are written.
    let refused = std::mem::take(&mut *REFUSED.lock());
    for (reason, requests) in refused {
        match reason {
            // Too much is asked of the node, or somebody may not what he tries.
            "QUEUE_FULL" | "LIMIT_EXCEEDED" | "SLOW_READER" | "UNAUTHENTICATED" | "ROLE" | "SENDER" | "SESSION"
            | "UNSIGNED" | "BAD_SIGNATURE" | "UNREADABLE" => {
                tracing::warn!(reason, requests, interval_seconds = REPORT_INTERVAL.as_secs(), "requests refused");
            }
            _ => tracing::debug!(reason, requests, interval_seconds = REPORT_INTERVAL.as_secs(), "requests refused"),
        }
    }
}
