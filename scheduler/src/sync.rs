//! What [`crate::turns`] is made of. Its model puts loom's types in their place.

pub(crate) use core::hint::spin_loop;
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub(crate) use parking_lot::{Condvar, Mutex};
pub(crate) use std::thread::yield_now;

use parking_lot::MutexGuard;

/// How often a worker looks for the next turn before it sleeps: some tens of microseconds, longer than worker 0 is
/// usually alone between two phases of a batch.
pub(crate) const SPINS: u32 = 20_000;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}

/// Sleeps until somebody wakes the sleepers; the lock is free meanwhile.
pub(crate) fn wait_on<'a, T>(condvar: &Condvar, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condvar.wait(&mut guard);
    guard
}
