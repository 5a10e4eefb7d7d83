//! The workers: threads of one pool that do short pieces of work together, many times a batch.
//!
//! A batch has a handful of phases, each of which every worker should share, and which are over in some hundred
//! microseconds. Starting them as tasks of a pool would cost a good part of that. So all threads of the pool but one *serve*: they
//! wait for the next *turn*, spinning for a while before they sleep. The thread that is left runs batches
//! ([`Team::run`]), always the same one, so that its instances and its part of the caches stay warm; it is worker 0.
//!
//! A turn is open from when worker 0 starts it until it has done its own part. Who wakes up in that time joins; who comes later
//! waits for the next one, and nobody waits for them: pieces of work are taken from a queue, so it does not matter how many
//! workers come. Worker 0 then waits for those who joined.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use parking_lot::{Condvar, Mutex};
use rayon::ThreadPool;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// How often a worker looks for the next turn before it sleeps: some tens of microseconds, longer than worker 0 is
/// usually alone between two phases of a batch.
const SPINS: u32 = 20_000;

type Work<'a> = dyn Fn(usize) + Sync + 'a;

/// A turn's work, for as long as the turn lasts.
#[derive(Clone, Copy)]
struct Job(*const Work<'static>);

// SAFETY: the work is Sync, so any thread may call it; when it may be called is said at `Shared::join`.
unsafe impl Send for Job {}

#[derive(Default)]
struct Turn {
    /// Absent when no turn is open.
    job: Option<Job>,
    sleepers: usize,
    stopped: bool,
}

#[derive(Default)]
struct Shared {
    turn: Mutex<Turn>,
    wake: Condvar,
    /// Number of the last turn that was opened.
    number: AtomicU64,
    /// Workers that joined the turn and have not finished their part.
    busy: AtomicUsize,
    panicked: AtomicUsize,
}

/// Workers that share turns. Its threads end when it is dropped.
pub struct Team {
    shared: Arc<Shared>,
    pool: ThreadPool,
    size: usize,
}

impl Team {
    /// Makes a team of all threads of a pool, which must have nothing else to do.
    pub fn new(pool: ThreadPool) -> Self {
        let shared = Arc::new(Shared::default());
        let size = pool.current_num_threads();
        for worker in 1..size {
            let shared = Arc::clone(&shared);
            // Each of these holds its thread until the end, so they are all on different ones.
            pool.spawn(move || shared.serve(worker));
        }
        Self { shared, pool, size }
    }

    /// Workers, worker 0 included.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Runs something on worker 0.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    /// Calls `work` with the number of each worker that is there in time, on its thread; with 0 on this one. Returns when all
    /// of them have returned.
    pub(crate) fn turn(&self, work: &Work<'_>) {
        if self.size == 1 {
            return work(0);
        }
        let job: *const Work<'_> = work;
        // SAFETY: only the lifetime changes, of a pointer that is used while `work` is borrowed; see `Shared::join`.
        let job = Job(unsafe { core::mem::transmute::<*const Work<'_>, *const Work<'static>>(job) });
        self.shared.open(job);
        // Closes the turn and waits also if worker 0 unwinds: the others may be using what it borrows.
        let closing = Closing(&self.shared);
        work(0);
        drop(closing);
        assert!(self.shared.panicked.load(Ordering::Relaxed) == 0, "a worker has panicked");
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.turn.lock().stopped = true;
        self.shared.number.fetch_add(1, Ordering::Release);
        self.shared.wake.notify_all();
    }
}

struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Shared {
    fn open(&self, job: Job) {
        let mut turn = self.turn.lock();
        turn.job = Some(job);
        // Release: who sees the number sees the turn; they take the lock to be sure of it.
        self.number.fetch_add(1, Ordering::Release);
        if turn.sleepers > 0 {
            self.wake.notify_all();
        }
    }

    /// Closes the turn and waits for those who joined it.
    fn close(&self) {
        self.turn.lock().job = None;
        let mut spins = 0;
        // Acquire: what the others did in the turn is seen behind it; pairs with the release in `serve`.
        while self.busy.load(Ordering::Acquire) > 0 {
            spins += 1;
            if spins > SPINS { std::thread::yield_now() } else { spin_loop() }
        }
    }

    /// The open turn's job, if there is one. Who gets it is counted before the lock is released, and `close` takes the lock to
    /// end the turn before it waits for the count: so the job's borrows last until the last of them has counted itself out,
    /// and nobody gets a job whose turn is over.
    fn join(&self) -> Option<Job> {
        let turn = self.turn.lock();
        let job = turn.job?;
        self.busy.fetch_add(1, Ordering::Relaxed);
        Some(job)
    }

    fn serve(&self, worker: usize) {
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

    /// Waits for a turn behind the one with number `seen`; `None` when there will be none.
    fn wait(&self, seen: u64) -> Option<u64> {
        for _ in 0..SPINS {
            if self.number.load(Ordering::Acquire) != seen {
                break;
            }
            spin_loop();
        }
        let mut turn = self.turn.lock();
        // The number changes under the lock or, at the end, after `stopped` was set under it: no turn is slept through.
        while self.number.load(Ordering::Acquire) == seen && !turn.stopped {
            turn.sleepers += 1;
            self.wake.wait(&mut turn);
            turn.sleepers -= 1;
        }
        (!turn.stopped).then(|| self.number.load(Ordering::Acquire))
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
