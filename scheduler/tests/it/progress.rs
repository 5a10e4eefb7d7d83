//! How workers wait for one another's calls, under loom, which runs it in every interleaving of its threads that matters, up to
//! a bound on how often one is interrupted. `cargo test -p phalanx-scheduler --test it progress` runs it alone.
//!
//! The code is the crate's own file; only its atomics are loom's. A key is a cell that loom watches: a call that has it while
//! another one does is a race on it, and one that waits for ever a deadlock. Both end the test.

mod sync {
    pub(crate) use loom::hint::spin_loop;
    pub(crate) use loom::sync::atomic::{AtomicU32, Ordering};
    pub(crate) use loom::thread::yield_now;
}

/// The crate's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wait {
    Nothing,
    Call(u32),
    Frontier,
}

#[path = "../../src/claims/progress.rs"]
mod protocol;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use protocol::Progress;

/// What a call does with the key, and what it waits for.
#[derive(Clone, Copy)]
struct Call {
    wait: Wait,
    writes: bool,
    strays: bool,
}

const WRITES: Call = Call { wait: Wait::Nothing, writes: true, strays: false };
const READS: Call = Call { wait: Wait::Nothing, writes: false, strays: false };

/// A key, whose value is how many calls have written it.
struct Key(UnsafeCell<u32>);

// SAFETY: whether it is used by several threads at a time is what loom finds out.
unsafe impl Sync for Key {}

/// Executes calls from `first` on with some workers, which may come at any time, in every interleaving. `seen`: how many writes
/// each call must see, unless it is behind one that strays.
fn model<const N: usize>(workers: usize, first: u32, calls: [Call; N], seen: [u32; N]) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(if workers == 2 { 3 } else { 2 });
    builder.check(move || {
        let progress = Arc::new(Progress::new(first..first + N as u32, workers));
        let key = Arc::new(Key(UnsafeCell::new(0)));
        let others: Vec<_> = (1..workers)
            .map(|worker| {
                let (progress, key) = (Arc::clone(&progress), Arc::clone(&key));
                loom::thread::spawn(move || work(&progress, &key, worker, first, &calls, &seen))
            })
            .collect();
        work(&progress, &key, 0, first, &calls, &seen);
        others.into_iter().for_each(|other| other.join().expect("a worker ends"));
        let strayed = calls.iter().position(|call| call.strays);
        let done = strayed.unwrap_or(N);
        assert_eq!(progress.strayed(), strayed.map_or(u32::MAX, |at| first + at as u32));
        let writes = calls[..done].iter().filter(|call| call.writes).count() as u32;
        // SAFETY: all workers have ended. Calls behind one that strays may have been executed.
        assert!(key.0.with(|value| unsafe { *value }) >= writes);
    });
}

fn work(progress: &Progress, key: &Key, worker: usize, first: u32, calls: &[Call], seen: &[u32]) {
    let mut next = progress.begin(worker);
    while let Some(call) = next {
        next = progress.take(worker);
        let at = (call - first) as usize;
        let Call { wait, writes, strays } = calls[at];
        if progress.strayed() < call || !progress.wait(call, wait) {
            break;
        }
        if strays {
            progress.stray(call);
            break;
        }
        // SAFETY: that nobody else has the key now is what loom finds out.
        let now = key.0.with(|value| unsafe { *value });
        assert!(now == seen[at] || progress.strayed() < call, "call {call} sees {now} writes");
        if writes {
            // SAFETY: as above.
            key.0.with_mut(|value| unsafe { *value += 1 });
        }
        progress.go_on(worker, next);
    }
    progress.go_on(worker, None);
}

const fn after(call: u32, what: Call) -> Call {
    Call { wait: Wait::Call(call), ..what }
}

#[test]
fn calls_of_one_key_execute_one_after_another() {
    model(2, 8, [WRITES, after(8, WRITES), after(9, WRITES)], [0, 1, 2]);
}

#[test]
fn a_call_that_writes_waits_for_all_that_read() {
    let last = Call { wait: Wait::Frontier, ..WRITES };
    model(2, 0, [WRITES, after(0, READS), after(0, READS), last], [0, 1, 1, 1]);
    model(3, 0, [READS, READS, Call { wait: Wait::Frontier, ..WRITES }], [0, 0, 0]);
}

#[test]
fn nobody_waits_for_what_is_behind_a_call_that_strays() {
    let strays = Call { strays: true, ..WRITES };
    model(2, 0, [WRITES, strays, after(0, WRITES), Call { wait: Wait::Frontier, ..READS }], [0, 0, 1, 2]);
    // The worker that strays leaves call 2 alone: call 3 must not take it for done while call 0 has the key.
    model(3, 0, [WRITES, strays, after(0, WRITES), after(2, WRITES)], [0, 0, 1, 2]);
}
