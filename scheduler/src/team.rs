//! The workers: threads of one pool that do short pieces of work together, many times a batch.
//!
//! A batch has a handful of phases, each of which every worker should share, and which are over in some hundred
//! microseconds. Starting them as tasks of a pool would cost a good part of that. So all threads of the pool but one *serve*: they
//! wait for the next *turn* ([`crate::turns`]), spinning for a while before they sleep. The thread that is left runs batches
//! ([`Team::run`]), always the same one, so that its instances and its part of the caches stay warm; it is worker 0.

use crate::turns::{Turns, Work};
use parking_lot::Mutex;
use rayon::ThreadPool;
use std::sync::Arc;

/// Workers that share turns. Its threads end when it is dropped.
pub struct Team {
    turns: Arc<Turns>,
    pool: ThreadPool,
    size: usize,
}

impl Team {
    /// Makes a team of all threads of a pool, which must have nothing else to do.
    pub fn new(pool: ThreadPool) -> Self {
        let turns = Arc::new(Turns::new());
        let size = pool.current_num_threads();
        for worker in 1..size {
            let turns = Arc::clone(&turns);
            // Each of these holds its thread until the end, so they are all on different ones.
            pool.spawn(move || turns.serve(worker));
        }
        Self { turns, pool, size }
    }

    /// Workers, worker 0 included.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Runs something on worker 0.
    ///
    /// # Panics
    /// If it panics, or another worker does while it runs. Such a team is of no more use.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    /// See [`Turns::turn`].
    pub(crate) fn turn(&self, work: &Work<'_>) {
        if self.size == 1 {
            return work(0);
        }
        self.turns.turn(work);
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.turns.stop();
    }
}

/// Items that workers take one after another.
pub(crate) struct Queue<I>(Mutex<I>);

impl<I: Iterator> Queue<I> {
    pub(crate) fn new(items: I) -> Self {
        Self(Mutex::new(items))
    }

    pub(crate) fn take(&self) -> Option<I::Item> {
        self.0.lock().next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicBool, Ordering};
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::time::Duration;

    fn team() -> Team {
        Team::new(rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("threads"))
    }

    /// A turn in which worker 0 waits until one of the others is in it.
    fn turn_with_another(team: &Team, others: impl Fn() + Sync, first: impl Fn() + Sync) {
        let joined = AtomicBool::new(false);
        team.run(|| {
            team.turn(&|worker| {
                if worker != 0 {
                    joined.store(true, Ordering::Release);
                    return others();
                }
                while !joined.load(Ordering::Acquire) {
                    std::thread::yield_now();
                }
                first();
            });
        });
    }

    #[test]
    fn a_panic_of_any_worker_reaches_whoever_runs_the_batch() {
        let fails = |team: &Team, others: fn(), first: fn()| {
            catch_unwind(AssertUnwindSafe(|| turn_with_another(team, others, first))).is_err()
        };
        let (ends, panics): (fn(), fn()) = (|| (), || resume_unwind(Box::new("on purpose")));
        let team = team();
        assert!(!fails(&team, ends, ends));
        assert!(fails(&team, ends, panics));
        assert!(!fails(&team, ends, ends), "the others are still there");
        assert!(fails(&team, panics, ends));
        assert!(fails(&team, ends, ends), "the team does not go on without a worker's state");
    }

    #[test]
    fn worker_0_waits_for_the_others_also_when_it_unwinds() {
        let (team, done) = (team(), AtomicBool::new(false));
        let others = || {
            std::thread::sleep(Duration::from_millis(50));
            done.store(true, Ordering::Relaxed);
        };
        let turn = || turn_with_another(&team, others, || resume_unwind(Box::new("on purpose")));
        assert!(catch_unwind(AssertUnwindSafe(turn)).is_err());
        assert!(done.load(Ordering::Relaxed), "they may be using what worker 0 borrows");
    }
}
