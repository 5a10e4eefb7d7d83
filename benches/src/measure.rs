//! The measured run: set up, then batch after batch under the clock.

use crate::BenchError;
use crate::clock::{self, Stopwatch};
use crate::memory::{self, Resident};
use crate::progress::Progress;
use crate::workload::Workload;
use phalanx_engine::{BatchBytes, Digest, Engine, Executed, HashSeed, Options, Outcome, Roots, StageNanoseconds};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a height came to. The digest commits to every receipt and write, so that two runs can be compared by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) roots: Roots,
    pub(crate) digest: Digest,
}

/// What came out of a run.
pub(crate) struct Measured {
    /// Time under the clock.
    pub(crate) elapsed: Duration,
    /// The part of it that the engine's stages took.
    pub(crate) stages: StageNanoseconds,
    /// Processor time under the clock, over all threads.
    pub(crate) processor_nanoseconds: Option<u64>,
    pub(crate) tally: Tally,
    /// By height, from 1 on.
    pub(crate) sealed: Vec<Sealed>,
    /// When the clock stopped.
    pub(crate) resident: Resident,
    pub(crate) engine: Engine,
}

/// What receipts say, counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) outcomes: BTreeMap<&'static str, u64>,
    pub(crate) receipt_bytes: u64,
    pub(crate) input_bytes: u64,
    pub(crate) gas_used: u64,
}

impl Tally {
    fn add(&mut self, executed: &Executed) {
        let mut counts = [0; Outcome::ALL.len()];
        self.receipt_bytes += executed.receipts().bytes().len() as u64;
        for receipt in executed.receipts() {
            counts[usize::from(receipt.outcome().code())] += 1;
            self.gas_used += receipt.gas_used();
        }
        for (outcome, count) in Outcome::ALL.into_iter().zip(counts) {
            if count > 0 {
                *self.outcomes.entry(outcome.name()).or_default() += count;
            }
        }
    }
}

/// Sets up and measures a workload.
pub(crate) fn measure(workload: &dyn Workload, progress: &dyn Progress) -> Result<Measured, BenchError> {
    let engine = engine();
    let mut sealed = Vec::new();
    set_up(workload, &engine, &mut sealed, progress)?;
    let mut run = Run { watch: Stopwatch::default(), processor: 0, stages: StageNanoseconds::default() };
    let mut tally = Tally::default();
    let first = workload.set_up_batches() + 1;
    progress.begin("executing calls", workload.measured_batches());
    for height in first..first + workload.measured_batches() {
        let batch = workload.batch(height)?;
        tally.input_bytes += batch.as_slice().len() as u64;
        let executed = run.execute(&engine, batch)?;
        tally.add(&executed);
        sealed.push(Sealed { roots: *executed.roots(), digest: executed.digest() });
        progress.advance(1);
    }
    let resident = memory::resident();
    progress.end();
    Ok(Measured {
        elapsed: run.watch.total(),
        stages: run.stages,
        processor_nanoseconds: clock::processor_nanoseconds().map(|_| run.processor),
        tally,
        sealed,
        resident,
        engine,
    })
}

/// An engine that is measured. Its hash tables have a fixed key, so that a run can be repeated exactly; a check uses another.
pub(crate) fn engine() -> Engine {
    Engine::new(Options { hash_seed: HashSeed::Fixed(1), clock: Some(clock::nanoseconds), ..Options::default() })
}

/// Deploys and funds, by calls like any other, before the clock starts.
fn set_up(
    workload: &dyn Workload,
    engine: &Engine,
    sealed: &mut Vec<Sealed>,
    progress: &dyn Progress,
) -> Result<(), BenchError> {
    progress.begin("funding accounts", workload.set_up_batches());
    for height in 1..=workload.set_up_batches() {
        let executed = engine.commit(engine.execute_batch(workload.batch(height)?)?)?;
        if let Some((call, receipt)) = executed.receipts().enumerate().find(|(_, it)| it.outcome() != Outcome::Ok) {
            return Err(BenchError::SetUp { height, call, outcome: receipt.outcome().name() });
        }
        sealed.push(Sealed { roots: *executed.roots(), digest: executed.digest() });
        progress.advance(1);
    }
    progress.end();
    Ok(())
}

/// What happens under the clock.
struct Run {
    watch: Stopwatch,
    processor: u64,
    stages: StageNanoseconds,
}

impl Run {
    fn execute(&mut self, engine: &Engine, batch: BatchBytes) -> Result<Executed, BenchError> {
        let processor = clock::processor_nanoseconds().unwrap_or(0);
        self.watch.start();
        let executed = engine.execute_batch(batch).and_then(|executed| engine.commit(executed));
        self.watch.stop();
        self.processor += clock::processor_nanoseconds().unwrap_or(0).saturating_sub(processor);
        let executed = executed?;
        self.stages.add(executed.stages());
        Ok(executed)
    }
}
