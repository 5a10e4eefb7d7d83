//! The protocol of turns: worker 0 opens one, the others join it while it is open, and worker 0 waits for those who did.
//!
//! A turn is open from when worker 0 starts it until it has done its own part. Who wakes up in that time joins; who comes later
//! waits for the next one, and nobody waits for them: pieces of work are taken from a queue, so it does not matter how many
//! workers come.
//!
//! The threads, locks and atomics are those of `sync` beside this file. `tests/it/turns.rs` compiles the file with those of
//! loom, which runs it in every interleaving.

use super::sync::{AtomicU64, AtomicUsize, Condvar, Mutex, Ordering, SPINS, lock, spin_loop, wait_on, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(crate) type Work<'a> = dyn Fn(usize) + Sync + 'a;

/// A turn's work, for as long as the turn lasts.
#[derive(Clone, Copy)]
struct Job(*const Work<'static>);

// SAFETY: the work is Sync, so any thread may call it; when it may be called is said at `Turns::join`.
unsafe impl Send for Job {}

struct Turn {
    /// Absent when no turn is open.
    job: Option<Job>,
    sleepers: usize,
    stopped: bool,
}

/// What the workers share.
pub(crate) struct Turns {
    turn: Mutex<Turn>,
    wake: Condvar,
    /// Number of the last turn that was opened.
    number: AtomicU64,
    /// Workers that joined the turn and have not finished their part.
    busy: AtomicUsize,
    panicked: AtomicUsize,
}

struct Closing<'a>(&'a Turns);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self {
            turn: Mutex::new(Turn { job: None, sleepers: 0, stopped: false }),
            wake: Condvar::new(),
            number: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
            panicked: AtomicUsize::new(0),
        }
    }

    // ---- worker 0 ----

    /// Calls `work` with the number of each worker that is there in time, on its thread; with 0 on this one. Returns when all
    /// of them have returned.
    ///
    /// # Panics
    /// If a worker has panicked, in this turn or an earlier one.
    pub(crate) fn turn(&self, work: &Work<'_>) {
        let job: *const Work<'_> = work;
        // SAFETY: only the lifetime changes, of a pointer that is used while `work` is borrowed; see `Turns::join`.
        let job = Job(unsafe { core::mem::transmute::<*const Work<'_>, *const Work<'static>>(job) });
        self.open(job);
        // Closes the turn and waits also if worker 0 unwinds: the others may be using what it borrows.
        let closing = Closing(self);
        work(0);
        drop(closing);
        assert!(self.panicked.load(Ordering::Relaxed) == 0, "a worker has panicked");
    }

    fn open(&self, job: Job) {
        let mut turn = lock(&self.turn);
        turn.job = Some(job);
        // Release: who sees the number sees the turn; they take the lock to be sure of it.
        self.number.fetch_add(1, Ordering::Release);
        if turn.sleepers > 0 {
            self.wake.notify_all();
        }
    }

    /// Closes the turn and waits for those who joined it.
    fn close(&self) {
        lock(&self.turn).job = None;
        let mut spins = 0;
        // Acquire: what the others did in the turn is seen behind it; pairs with the release in `serve`.
        while self.busy.load(Ordering::Acquire) > 0 {
            spins += 1;
            if spins > SPINS { yield_now() } else { spin_loop() }
        }
    }

    /// There will be no more turns.
    pub(crate) fn stop(&self) {
        lock(&self.turn).stopped = true;
        self.number.fetch_add(1, Ordering::Release);
        self.wake.notify_all();
    }

    // ---- the others ----

    /// Takes part in turns until there are no more.
    pub(crate) fn serve(&self, worker: usize) {
        let mut seen = 0;
        while let Some(number) = self.wait(seen) {
            seen = number;
            if let Some(job) = self.join() {
                // SAFETY: the turn is open or waits for us; see `join`.
                let work = unsafe { &*job.0 };
                if catch_unwind(AssertUnwindSafe(|| work(worker))).is_err() {
                    self.panicked.fetch_add(1, Ordering::Relaxed);
                }
                // Release: pairs with the acquire in `close`.
                self.busy.fetch_sub(1, Ordering::Release);
            }
        }
    }

    /// The open turn's job, if there is one. Who gets it is counted before the lock is released, and `close` takes the lock to
    /// end the turn before it waits for the count: so the job's borrows last until the last of them has counted itself out,
    /// and nobody gets a job whose turn is over.
    ///
    /// The turn may be a later one than the one that was waited for. Then its number is not yet seen, and the worker may join
    /// it a second time, which finds the queue empty.
    fn join(&self) -> Option<Job> {
        let turn = lock(&self.turn);
        let job = turn.job?;
        self.busy.fetch_add(1, Ordering::Relaxed);
        Some(job)
    }

    /// Waits for a turn behind the one with number `seen`; `None` when there will be none.
    fn wait(&self, seen: u64) -> Option<u64> {
        for _ in 0..SPINS {
            if self.number.load(Ordering::Acquire) != seen {
                break;
            }
            spin_loop();
        }
        let mut turn = lock(&self.turn);
        // The number changes under the lock or, at the end, after `stopped` was set under it: no turn is slept through.
        while self.number.load(Ordering::Acquire) == seen && !turn.stopped {
            turn.sleepers += 1;
            turn = wait_on(&self.wake, turn);
            turn.sleepers -= 1;
        }
        (!turn.stopped).then(|| self.number.load(Ordering::Acquire))
    }
}
