//! Bugs that a test plants, to see that the model finds them.
//!
//! The switch exists in this crate's own unit tests, where `cfg(test)` holds, and in the package `planted`, which is these sources
//! once more with `cfg(planted)`; everywhere else [`planted`] is a constant, and nothing is left of it. A feature would do the
//! same, but any crate of a workspace can switch a feature on for all.

/// A bug where there should be none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    /// A call that is executed again reads what the round left where it should read what was before the round.
    WrongBase,
    /// What a call only reads is not checked.
    DroppedReader,
    /// A delta is applied after the record that follows it.
    LateDelta,
    /// The first call that has to be executed again in order is not.
    FrontierOffByOne,
    /// What follows from another value of a call that is executed again is not followed.
    UnfollowedChange,
    /// A write is not marked when another one of the key follows.
    ForgottenMark,
    /// What a call left is not replaced when it is executed again.
    DroppedSplice,
    /// What calls behind one that strayed left stays.
    KeptStray,
}

#[cfg(any(test, planted))]
impl Bug {
    /// All of them.
    pub const ALL: [Bug; 8] = [
        Bug::WrongBase,
        Bug::DroppedReader,
        Bug::LateDelta,
        Bug::FrontierOffByOne,
        Bug::UnfollowedChange,
        Bug::ForgottenMark,
        Bug::DroppedSplice,
        Bug::KeptStray,
    ];
}

/// Whether the bug is planted.
#[cfg(not(any(test, planted)))]
#[inline(always)]
pub(crate) const fn planted(_: Bug) -> bool {
    false
}

#[cfg(any(test, planted))]
pub use switch::plant;
#[cfg(any(test, planted))]
pub(crate) use switch::planted;

#[cfg(any(test, planted))]
mod switch {
    use super::Bug;
    use core::sync::atomic::{AtomicU8, Ordering};

    const NONE: u8 = u8::MAX;
    static PLANTED: AtomicU8 = AtomicU8::new(NONE);

    pub(crate) fn planted(bug: Bug) -> bool {
        PLANTED.load(Ordering::Relaxed) == bug as u8
    }

    /// Plants a bug, or none. Only one test of the process may do so, and no other may execute batches.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.store(bug.map_or(NONE, |bug| bug as u8), Ordering::Relaxed);
    }
}
