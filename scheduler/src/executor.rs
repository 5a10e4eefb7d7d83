//! The one seam that turns back: what the scheduler asks of the engine.

use crate::key::CallIndex;
use crate::state::{PrefetchHash, State};
use core::ops::Range;

/// Whether a call's writes are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The call succeeded.
    Keep,
    /// It failed, in whatever way: nothing of it reaches the state.
    Drop,
}

/// Runs calls. The engine implements it with Wasm, the scheduler's tests with toy programs.
pub trait Executor {
    /// Runs one call. What it reads and writes goes through `state`, which is handed over and back: a Wasm store owns
    /// its data, so a borrowed state could not be seen from host functions without unsafe code.
    fn execute(&mut self, call: CallIndex, state: Box<State>) -> (Box<State>, Verdict);

    /// Pushes the hashes ([`State::prefetch_hash`]) of keys that these calls will probably touch. Only ever a guess.
    fn predict(&mut self, calls: Range<u32>, state: &State, hashes: &mut Vec<PrefetchHash>);

    /// The calls before `next` have ended, in one run since the last time; see [`RUN_CALLS`].
    fn end_run(&mut self, next: CallIndex);
}

/// Calls a run: what is hashed together while it is still in the cache.
pub const RUN_CALLS: u32 = 256;
