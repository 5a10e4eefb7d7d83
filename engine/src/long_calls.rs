//! Which methods have long calls, learned from what their calls used.
//!
//! A guess, that never shows in a result: a round's long calls are begun first, so that the other workers have the rest of the round to
//! execute meanwhile.

use core::sync::atomic::{AtomicU64, Ordering};

/// Gas from which on a call is long: it takes as long as a run of ordinary calls.
const LONG_GAS: u64 = 500_000;

/// The most gas that a long call of a method has used so far; 0 if none was long.
#[derive(Default)]
pub(crate) struct LongCalls(AtomicU64);

impl LongCalls {
    /// Learns from a call. Of one that is not long it takes a comparison.
    #[inline]
    pub(crate) fn note(&self, gas_used: u64) {
        if gas_used >= LONG_GAS {
            // Nothing else depends on it: relaxed is enough.
            self.0.fetch_max(gas_used, Ordering::Relaxed);
        }
    }

    /// Gas that a call may use, by those before it; 0 if none was long.
    pub(crate) fn gas(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_call_is_remembered_if_it_is_long() {
        let calls = LongCalls::default();
        calls.note(LONG_GAS - 1);
        assert_eq!(calls.gas(), 0);
        [LONG_GAS, 3 * LONG_GAS, 2 * LONG_GAS, 100].into_iter().for_each(|gas| calls.note(gas));
        assert_eq!(calls.gas(), 3 * LONG_GAS);
    }
}
