//! The wall clock, which only batches see.

use std::time::{SystemTime, UNIX_EPOCH};

/// Time of a batch in milliseconds since 1970: the wall clock's, but never before `previous`, the time of the batch before.
/// Clocks are set back; batches are not.
pub(crate) fn batch_time_ms(previous: u64) -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(previous).max(previous)
}

#[cfg(test)]
mod tests {
    use super::batch_time_ms;

    #[test]
    fn time_goes_on_but_never_back() {
        let now = batch_time_ms(0);
        assert!(now > 1_700_000_000_000);
        assert_eq!(batch_time_ms(now + 1_000_000), now + 1_000_000);
    }
}
