//! Optimising behind the calls: a queue, a thread that asks a process, and what it swaps in.

use super::process::{CompilerProcess, Ender, Failure};
use super::{CompileStep, CompilerCommand};
use crate::digest::Digest;
use crate::prepare::Prepared;
use crate::threads;
use crate::wasm::code_cache::CodeCache;
use crate::wasm::runtime::{Code, Compiled, Runtime};
use crossbeam_channel::{Receiver, Sender};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::thread::JoinHandle;

/// How modules were compiled in two steps, since the engine was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CompilerStatistics {
    /// Modules that the quick step compiled, for calls to run at once.
    pub quick: u64,
    /// Modules that the optimised step compiled.
    pub optimised: u64,
    /// Modules that it did not: they stay as the quick step made them until the engine is made anew. The process crashed, went beyond
    /// its limits, or could not be started.
    pub failed: u64,
    /// Modules that wait for the optimised step.
    pub waiting: u64,
}

impl CompilerStatistics {
    /// Where the optimised step's result is counted.
    fn of(&mut self, succeeded: bool) -> &mut u64 {
        if succeeded { &mut self.optimised } else { &mut self.failed }
    }
}

/// A module to be optimised.
pub(super) struct Job {
    pub(super) code: Arc<Code>,
    pub(super) code_hash: Digest,
    pub(super) prepared: Prepared,
}

/// The queue and its thread.
pub(super) struct Behind {
    command: CompilerCommand,
    cache: Arc<CodeCache>,
    counts: Arc<Counts>,
    ender: Ender,
    /// Absent only while this is dropped.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Counts {
    counted: Mutex<CompilerStatistics>,
    none_waits: Condvar,
}

impl Counts {
    fn note(&self, note: impl FnOnce(&mut CompilerStatistics)) {
        let mut counted = self.counted.lock();
        note(&mut counted);
        if counted.waiting == 0 {
            self.none_waits.notify_all();
        }
    }
}

impl Behind {
    pub(super) fn start(command: CompilerCommand, cache: Arc<CodeCache>) -> Self {
        let (jobs, queue) = crossbeam_channel::unbounded();
        let counts = Arc::<Counts>::default();
        let process = CompilerProcess::new(command);
        let ender = process.ender();
        let thread = {
            let (cache, counts) = (Arc::clone(&cache), Arc::clone(&counts));
            threads::optimiser(move || run(&queue, process, &cache, &counts))
        };
        Self { command, cache, counts, ender, jobs: Some(jobs), thread: Some(thread) }
    }

    pub(super) fn push(&self, job: Job) {
        self.counts.note(|counted| counted.waiting += 1);
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        debug_assert!(sent, "the thread outlives the queue");
    }

    /// Optimises while the caller waits, in a process of its own: who waits shall not wait for the queue.
    pub(super) fn optimise_now(&self, code_hash: Digest, prepared: &Prepared) -> Result<Compiled, String> {
        let compiled = optimise(&mut CompilerProcess::new(self.command), &self.cache, code_hash, prepared);
        self.counts.note(|counted| *counted.of(compiled.is_ok()) += 1);
        compiled
    }

    pub(super) fn count_quick(&self) {
        self.counts.note(|counted| counted.quick += 1);
    }

    pub(super) fn statistics(&self) -> CompilerStatistics {
        *self.counts.counted.lock()
    }

    pub(super) fn wait_idle(&self) {
        let mut counted = self.counts.counted.lock();
        self.counts.none_waits.wait_while(&mut counted, |counted| counted.waiting > 0);
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.jobs = None;
        self.ender.close();
        // A panic of it is nothing that an engine which ends could mend.
        self.thread.take().map(JoinHandle::join);
    }
}

fn run(queue: &Receiver<Job>, mut process: CompilerProcess, cache: &CodeCache, counts: &Counts) {
    for Job { code, code_hash, prepared } in queue {
        let compiled = optimise(&mut process, cache, code_hash, &prepared);
        let succeeded = compiled.is_ok();
        code.settle(compiled.ok());
        counts.note(|counted| {
            *counted.of(succeeded) += 1;
            counted.waiting -= 1;
        });
        if queue.is_empty() {
            process.end();
        }
    }
}

fn optimise(
    process: &mut CompilerProcess,
    cache: &CodeCache,
    code_hash: Digest,
    prepared: &Prepared,
) -> Result<Compiled, String> {
    let module =
        process.compile(CompileStep::Optimised, code_hash, &prepared.wasm).map_err(|failure| match failure {
            Failure::NoProcess(text) => format!("there was no process to compile in: {text}"),
            Failure::Compiler(text) => text,
        })?;
    cache.keep(code_hash, prepared, &module);
    Runtime::shared().link(&module)
}
