//! Bugs of the engine's own that a test plants, to see that the equivalence tests and the live check find them.
//!
//! As in the scheduler, the switch exists in the package `planted` alone, which is these sources once more with `cfg(planted)`;
//! everywhere else [`planted`] is a constant, and nothing is left of it.

/// A bug where there should be none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    /// A call that emits events uses one gas less.
    GasOffByOne,
    /// The first two events of a call come in the other order.
    EventOrder,
    /// One of the scheduler's.
    #[cfg(planted)]
    Scheduler(phalanx_scheduler::Bug),
}

/// Whether the bug is planted.
#[cfg(not(planted))]
#[inline(always)]
pub(crate) const fn planted(_: Bug) -> bool {
    false
}

/// Changes the order of the first two of a call's encoded events.
pub(crate) fn swap_events(bytes: &mut [u8], events: u8) {
    let length =
        |at: usize| 4 + usize::from(bytes[at]) + usize::from(u16::from_le_bytes([bytes[at + 2], bytes[at + 3]]));
    if events >= 2 {
        let first = length(0);
        let both = first + length(first);
        bytes[..both].rotate_left(first);
    }
}

#[cfg(planted)]
pub use switch::plant;
#[cfg(planted)]
pub(crate) use switch::planted;

#[cfg(planted)]
mod switch {
    use super::Bug;
    use core::sync::atomic::{AtomicU8, Ordering};

    const NONE: u8 = 0;
    static PLANTED: AtomicU8 = AtomicU8::new(NONE);

    fn number(bug: Bug) -> u8 {
        match bug {
            Bug::GasOffByOne => 1,
            Bug::EventOrder => 2,
            // Asked of the scheduler's own switch.
            Bug::Scheduler(_) => u8::MAX,
        }
    }

    pub(crate) fn planted(bug: Bug) -> bool {
        PLANTED.load(Ordering::Relaxed) == number(bug)
    }

    /// Plants a bug, or none. Only one test of the process may do so, and no other may execute batches.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.store(bug.map_or(NONE, number), Ordering::Relaxed);
        phalanx_scheduler::plant(match bug {
            Some(Bug::Scheduler(bug)) => Some(bug),
            _ => None,
        });
    }
}
