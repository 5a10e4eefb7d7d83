//! The serial loop: the definition that every other mode must equal, and the fastest one on a single core.

use crate::executor::{Executor, RUN_CALLS, Verdict};
use crate::key::CallIndex;
use crate::state::State;

/// Calls whose state is asked for together. A prefetch whose page is not in the TLB holds up what follows it until the page
/// table is walked; many in a row wait for their walks at the same time.
const PREFETCH_GROUP: u32 = 2;
/// How many calls ahead of the group its state is asked for.
const PREFETCH_CALLS: u32 = 6;

/// Executes calls 0 to `calls` − 1 in order. The branch of `state` then holds their writes.
pub fn execute_serial(executor: &mut impl Executor, mut state: Box<State>, calls: u32) -> Box<State> {
    let mut hashes = Vec::new();
    let mut predicted = 0;
    for call in 0..calls {
        if call + PREFETCH_CALLS >= predicted && predicted < calls {
            let next = (predicted + PREFETCH_GROUP).min(calls);
            hashes.clear();
            executor.predict(predicted..next, &state, &mut hashes);
            state.prefetch(&hashes);
            predicted = next;
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
