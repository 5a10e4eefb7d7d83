//! The only file that makes worker threads.
//!
//! Calls run on threads of the engine's own: a contract may use [`NATIVE_STACK_BYTES`] of native stack before its stack budget
//! is exhausted, and an embedder's thread may have less than that.

use crate::prepare::NATIVE_STACK_BYTES;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::thread::JoinHandle;

/// What host functions and the engine itself need above a contract's frames.
const HOST_STACK_BYTES: usize = 2 << 20;

/// A pool of worker threads.
pub(crate) fn pool(workers: usize) -> ThreadPool {
    ThreadPoolBuilder::new()
        .num_threads(workers)
        .stack_size(NATIVE_STACK_BYTES + HOST_STACK_BYTES)
        .thread_name(|worker| format!("phalanx-{worker}"))
        .build()
        .expect("the system starts a thread")
}

/// The thread that finishes batches.
pub(crate) fn finisher(work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::Builder::new().name("phalanx-finish".into()).spawn(work).expect("the system starts a thread")
}

/// The thread that checks committed batches.
pub(crate) fn checker(work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::Builder::new().name("phalanx-check".into()).spawn(work).expect("the system starts a thread")
}

/// The thread that waits for processes which optimise machine code.
pub(crate) fn optimiser(work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::Builder::new().name("phalanx-optimise".into()).spawn(work).expect("the system starts a thread")
}

/// The thread that keeps receipts.
pub(crate) fn receipts(work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::Builder::new().name("phalanx-receipt".into()).spawn(work).expect("the system starts a thread")
}
