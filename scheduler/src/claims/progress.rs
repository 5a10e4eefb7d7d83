//! How far the workers are in a round whose calls have claims.
//!
//! Workers take calls one after another: calls that depend on one another are often neighbours, and a worker that took several
//! at once would have the others wait for its last one. A worker takes the next call before it executes the one that it has, to ask
//! for the next one's keys meanwhile. Each says how far it is in a line of its own, which the others only
//! read when one of their calls has to wait; a call that nobody waits for costs an addition and two stores.
//!
//! Nobody waits in a circle: a call waits only for calls before it, and a worker executes what it takes in order, so the first call
//! that is not done can always go on. A worker that comes late, or not at all, holds nobody up, as it has no call.
//!
//! `tests/it/progress.rs` compiles the file with loom's atomics, which runs it in every interleaving.

use super::Wait;
use super::sync::{AtomicU32, Ordering, spin_loop, yield_now};
use core::ops::Range;

/// How often a worker looks whether a call is done before it lets other threads run.
const SPINS: u32 = 200;

/// A worker's line: the call that it executes, or at first one not behind it. `u32::MAX` while it has none.
#[repr(align(128))]
struct Lane(AtomicU32);

/// What the workers share.
pub(crate) struct Progress {
    calls: Range<u32>,
    /// Calls that were taken.
    taken: AtomicU32,
    /// By call: the worker that took it, counted from 1.
    takers: Vec<AtomicU32>,
    lanes: Vec<Lane>,
    /// The first call that strayed. Calls behind it need not be executed.
    strayed: AtomicU32,
}

impl Progress {
    pub(crate) fn new(calls: Range<u32>, workers: usize) -> Self {
        Self {
            taken: AtomicU32::new(0),
            takers: calls.clone().map(|_| AtomicU32::new(0)).collect(),
            lanes: (0..workers).map(|_| Lane(AtomicU32::new(u32::MAX))).collect(),
            strayed: AtomicU32::new(u32::MAX),
            calls,
        }
    }

    /// Begins: the worker takes its first call.
    pub(crate) fn begin(&self, worker: usize) -> Option<u32> {
        // Said before a call is taken, so that who has a later one cannot think that there is nobody before it.
        let taken = self.taken.load(Ordering::Relaxed).min(self.takers.len() as u32);
        self.lanes[worker].0.store(self.calls.start + taken, Ordering::Relaxed);
        let first = self.take(worker);
        self.go_on(worker, first);
        first
    }

    /// Takes a call, to be executed behind those that the worker has taken.
    #[inline]
    pub(crate) fn take(&self, worker: usize) -> Option<u32> {
        let number = self.taken.fetch_add(1, Ordering::AcqRel);
        let taker = self.takers.get(number as usize)?;
        taker.store(worker as u32 + 1, Ordering::Release);
        Some(self.calls.start + number)
    }

    /// The worker is done with all that it took before `next`, the one that it executes from now on.
    #[inline]
    pub(crate) fn go_on(&self, worker: usize, next: Option<u32>) {
        self.lanes[worker].0.store(next.unwrap_or(u32::MAX), Ordering::Release);
    }

    /// A call strayed: it and what is behind it is not to be executed.
    pub(crate) fn stray(&self, call: u32) {
        self.strayed.fetch_min(call, Ordering::AcqRel);
    }

    /// The first call that strayed, or `u32::MAX`.
    #[inline]
    pub(crate) fn strayed(&self) -> u32 {
        self.strayed.load(Ordering::Acquire)
    }

    /// Waits until the call may have a key. `false`: it need not be executed.
    #[inline]
    pub(crate) fn wait(&self, call: u32, wait: Wait) -> bool {
        let ready = match wait {
            Wait::Nothing => return true,
            Wait::Call(before) => self.is_done(before) || self.wait_until(call, || self.is_done(before)),
            Wait::Frontier => self.is_frontier(call) || self.wait_until(call, || self.is_frontier(call)),
        };
        // Who leaves because a call strayed has calls that look as if they were done, but are not, and still wait for others.
        ready && self.strayed() > call
    }

    /// Whether a call before the caller's is done.
    #[inline]
    fn is_done(&self, call: u32) -> bool {
        match self.takers[(call - self.calls.start) as usize].load(Ordering::Acquire) {
            0 => false,
            taker => self.lanes[taker as usize - 1].0.load(Ordering::Acquire) > call,
        }
    }

    /// Whether all calls before the caller's are done.
    fn is_frontier(&self, call: u32) -> bool {
        self.lanes.iter().all(|lane| lane.0.load(Ordering::Acquire) >= call)
    }

    #[cold]
    fn wait_until(&self, call: u32, is_so: impl Fn() -> bool) -> bool {
        let mut spins = 0;
        while !is_so() {
            if self.strayed() < call {
                return false;
            }
            spins += 1;
            if spins % SPINS == 0 { yield_now() } else { spin_loop() }
        }
        true
    }
}
