//! Asking again.

use std::time::Duration;

use crate::ClientError;

/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The pause after the first attempt.
const PAUSE_FIRST: Duration = Duration::from_millis(50);

/// Counts attempts, and pauses between them.
pub(crate) struct Attempts {
    left: u32,
    pause: Duration,
}

impl Attempts {
    pub(crate) fn new(attempts: u32) -> Attempts {
        Attempts { left: attempts.max(1) - 1, pause: PAUSE_FIRST }
    }

    /// Pauses after a failure that may pass; gives others, and the last one, back.
    pub(crate) async fn after(&mut self, error: ClientError) -> Result<(), ClientError> {
        if !error.is_transient() || self.left == 0 {
            return Err(error);
        }
        self.left -= 1;
        // Clients that failed together do not come back together.
        let jitter = self.pause.mul_f64(f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX));
        tokio::time::sleep(error.retry_after().unwrap_or_default().min(PAUSE_MAX) + self.pause / 2 + jitter / 2).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Ok(())
    }
}
