//! The protocol of turns under loom, which runs it in every interleaving of its threads that matters, up to a bound on how
//! often one is interrupted. `cargo test -p phalanx-scheduler --test it turns` runs it alone.
//!
//! The code is the crate's own file; only what it is made of (`sync`) is loom's, and nobody spins more than once. Modelled are
//! worker 0, which opens, closes and waits for turns and stops the team, and others that wait, sleep, join and count themselves
//! out. Not modelled: the threads' pool, and panics, which loom's threads share.
//!
//! What worker 0 writes before a turn and after it, and the others read in between, lies in a cell that loom watches: a worker
//! with the job of a turn that is over, or a worker's part that worker 0 does not see, is a race on it. A worker that sleeps
//! on when the team is stopped is a deadlock. Both end the test.

mod sync {
    pub(crate) use loom::hint::spin_loop;
    pub(crate) use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
    pub(crate) use loom::sync::{Condvar, Mutex};
    pub(crate) use loom::thread::yield_now;

    use loom::sync::MutexGuard;

    pub(crate) const SPINS: u32 = 1;

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().expect("nobody panics with the lock")
    }

    pub(crate) fn wait_on<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        condvar.wait(guard).expect("nobody panics with the lock")
    }
}

#[path = "../../src/turns.rs"]
mod protocol;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use protocol::Turns;

/// Runs `first` as worker 0 beside `others` other workers, in every interleaving.
fn model(others: usize, interruptions: usize, first: impl Fn(&Turns) + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(interruptions);
    builder.check(move || {
        let turns = Arc::new(Turns::new());
        let threads: Vec<_> = (1..=others)
            .map(|worker| {
                let turns = Arc::clone(&turns);
                loom::thread::spawn(move || turns.serve(worker))
            })
            .collect();
        first(&turns);
        turns.stop();
        threads.into_iter().for_each(|thread| thread.join().expect("a worker ends"));
    });
}

/// A value that worker 0 changes between turns.
struct Between(UnsafeCell<usize>);

// SAFETY: whether it is used by several threads at a time is what loom finds out.
unsafe impl Sync for Between {}

impl Between {
    fn get(&self) -> usize {
        // SAFETY: as above.
        self.0.with(|value| unsafe { *value })
    }

    fn set(&self, to: usize) {
        // SAFETY: as above.
        self.0.with_mut(|value| unsafe { *value = to });
    }
}

fn two_turns(turns: &Turns) {
    let between = Between(UnsafeCell::new(0));
    for number in 1..=2 {
        between.set(number);
        let parts = AtomicUsize::new(0);
        turns.turn(&|_| {
            assert_eq!(between.get(), number, "the job is that of the open turn");
            parts.fetch_add(1, Ordering::Relaxed);
        });
        assert!(parts.load(Ordering::Relaxed) >= 1, "worker 0 did its part");
    }
    between.set(0);
}

#[test]
fn nobody_works_outside_of_a_turn_and_everybody_ends() {
    model(1, 3, two_turns);
    model(2, 2, two_turns);
}

#[test]
fn workers_parts_are_seen_when_a_turn_is_over() {
    model(1, 3, |turns| {
        let part = Between(UnsafeCell::new(0));
        turns.turn(&|worker| {
            if worker == 1 {
                part.set(part.get() + 1);
            }
        });
        // At most two: a worker may join a turn that it has not seen the number of once more.
        assert!(part.get() <= 2);
    });
}
