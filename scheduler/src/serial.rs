//! The serial loop: the definition that every other mode must equal, and the fastest one on a single core.

use crate::executor::{Executor, RUN_CALLS, Verdict};
use crate::key::CallIndex;
use crate::state::State;

/// How many calls ahead state is asked for. Two lines a call at a hundred nanoseconds each have arrived by then;
/// between 2 and 10 makes no measurable difference.
const PREFETCH_CALLS: u32 = 6;

/// Executes calls 0 to `calls` − 1 in order. The branch of `state` then holds their writes.
pub fn execute_serial(executor: &mut impl Executor, mut state: Box<State>, calls: u32) -> Box<State> {
    for call in 0..calls.min(PREFETCH_CALLS) {
        executor.prefetch(CallIndex(call), &state);
    }
    for call in 0..calls {
        if call + PREFETCH_CALLS < calls {
            executor.prefetch(CallIndex(call + PREFETCH_CALLS), &state);
        }
        let (returned, verdict) = executor.execute(CallIndex(call), state);
        state = returned;
        state.end_call(CallIndex(call), verdict == Verdict::Keep);
        if (call + 1) % RUN_CALLS == 0 || call + 1 == calls {
            executor.end_run(CallIndex(call + 1));
        }
    }
    state
}
