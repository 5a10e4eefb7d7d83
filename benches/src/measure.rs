//! The measured run: set up, then batches under the clock.

use crate::BenchError;
use crate::clock::{self, Stopwatch};
use crate::ledger::{Execution, Ledger, Placement};
use crate::memory::{self, Resident};
use crate::model::Profile;
use crate::progress::Progress;
use crate::storage::{Reference, Written, microseconds};
use crate::tally::Tally;
use crate::workload::Workload;
use hdrhistogram::Histogram;
use phalanx_engine::{
    BatchBytes, Conflicts, Digest, Executed, LoggedEngine, LoggedError, Outcome, Roots, StageNanoseconds,
};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Batches that are generated at once, executed under the clock, and waited for. The clock covers that wait, so with syncs a
/// slab must be long against one of them; without, it is short, so that batches are as warm as when they had just arrived.
const SLAB_BATCHES: usize = 8;
const SLAB_BATCHES_SYNCED: usize = 64;

/// What a height came to. The digest commits to every receipt and write, so that two runs can be compared by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) roots: Roots,
    pub(crate) digest: Digest,
}

impl Sealed {
    pub(crate) fn of(executed: &Executed) -> Self {
        Self { roots: *executed.roots(), digest: executed.digest() }
    }
}

/// What came out of a run.
pub(crate) struct Measured {
    /// Time under the clock.
    pub(crate) elapsed: Duration,
    /// Time that the engine's stages took, summed over workers.
    pub(crate) stages: StageNanoseconds,
    pub(crate) scheduling: Scheduling,
    /// What each batch cost.
    pub(crate) profiles: Vec<Profile>,
    /// Processor time that the log's thread used under the clock.
    pub(crate) log_nanoseconds: u64,
    pub(crate) tally: Tally,
    /// By height, from 1 on.
    pub(crate) sealed: Vec<Sealed>,
    /// What the log wrote for the measured batches.
    pub(crate) written: Written,
    /// From handing a batch over until it was durable, in microseconds.
    pub(crate) durable_us: Histogram<u64>,
    /// Bytes a second of a plain file, where batches were synced.
    pub(crate) reference: Option<f64>,
    /// When the clock stopped.
    pub(crate) resident: Resident,
    pub(crate) ledger: Ledger,
}

/// How batches were executed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scheduling {
    /// Batches by (mode, reason).
    pub(crate) modes: BTreeMap<(&'static str, &'static str), u64>,
    /// Calls whose parallel execution was found not to stand.
    pub(crate) dirty_calls: u64,
    /// Executions beyond one a call.
    pub(crate) reexecutions: u64,
    /// What they conflicted on, if that was asked for.
    pub(crate) conflicts: Option<Conflicts>,
}

impl Scheduling {
    fn take(&mut self, other: Scheduling) {
        for (mode, batches) in other.modes {
            *self.modes.entry(mode).or_default() += batches;
        }
        self.dirty_calls += other.dirty_calls;
        self.reexecutions += other.reexecutions;
    }

    /// Whether no batch was executed in another mode than the serial one.
    pub(crate) fn is_serial(&self) -> bool {
        self.modes.keys().all(|(mode, _)| *mode == "serial")
    }

    fn add(&mut self, executed: &Executed) {
        let mode = executed.mode();
        *self.modes.entry((mode.name(), mode.reason)).or_default() += 1;
        let statistics = executed.statistics();
        self.dirty_calls += statistics.dirty_calls + statistics.reopened_calls;
        self.reexecutions += statistics.repaired_calls + statistics.suffix_calls;
        if let Some(conflicts) = executed.conflicts() {
            self.conflicts.get_or_insert_default().add(conflicts);
        }
    }
}

/// Sets up and measures a workload.
pub(crate) fn measure(
    workload: &dyn Workload,
    placement: &Placement,
    execution: Execution,
    progress: &dyn Progress,
) -> Result<Measured, BenchError> {
    let ledger = Ledger::begin(placement, execution)?;
    let synced = matches!(placement, Placement::Synced(_));
    let mut sealed = Vec::new();
    set_up(workload, &ledger.engine, &mut sealed, progress)?;
    let mut reference = match &ledger.directory {
        Some(directory) if synced => Some(Reference::new(directory)?),
        _ => None,
    };
    ledger.meter.take();
    let mut run = Run::new(&ledger.engine, synced);
    progress.begin("executing calls", workload.measured_batches());
    let heights: Vec<u64> = (workload.set_up_batches() + 1..).take(workload.measured_batches() as usize).collect();
    for slab in heights.chunks(if synced { SLAB_BATCHES_SYNCED } else { SLAB_BATCHES }) {
        let batches = slab.iter().map(|height| workload.batch(*height)).collect::<Result<Vec<_>, _>>()?;
        run.slab(&batches, &mut sealed)?;
        if let Some(reference) = &mut reference {
            reference.append(&batches)?;
        }
        progress.advance(batches.len() as u64);
    }
    let resident = memory::resident();
    progress.end();
    ledger.engine.engine().wait_checked()?;
    let Run { watch, looked, log_nanoseconds, durable_us, .. } = run;
    let Looked { stages, scheduling, tally, profiles, .. } = looked;
    Ok(Measured {
        elapsed: watch.total(),
        stages,
        scheduling,
        profiles,
        log_nanoseconds,
        tally,
        sealed,
        written: ledger.meter.take(),
        durable_us,
        reference: reference.map(|reference| reference.bytes_per_second()),
        resident,
        ledger,
    })
}

/// Deploys and funds, or brings the state to where a recording is measured from, by logged calls like any other, before the clock
/// starts.
fn set_up(
    workload: &dyn Workload,
    engine: &LoggedEngine,
    sealed: &mut Vec<Sealed>,
    progress: &dyn Progress,
) -> Result<(), BenchError> {
    let stage = if workload.is_recorded() { "executing what comes before" } else { "funding accounts" };
    progress.begin(stage, workload.set_up_batches());
    for height in 1..=workload.set_up_batches() {
        let executed = engine.execute(workload.batch(height)?)?;
        if !workload.is_recorded() {
            all_succeeded(height, &executed)?;
        }
        sealed.push(Sealed::of(&executed));
        progress.advance(1);
    }
    engine.wait_durable(workload.set_up_batches())?;
    progress.end();
    Ok(())
}

/// Nothing that is measured after a call that failed would mean what the workload says.
fn all_succeeded(height: u64, executed: &Executed) -> Result<(), BenchError> {
    match executed.receipts().enumerate().find(|(_, receipt)| receipt.outcome() != Outcome::Ok) {
        None => Ok(()),
        Some((call, receipt)) => Err(BenchError::SetUp { height, call, outcome: receipt.outcome().name() }),
    }
}

/// What happens under the clock.
struct Run<'a> {
    engine: &'a LoggedEngine,
    synced: bool,
    watch: Stopwatch,
    looked: Looked,
    log_nanoseconds: u64,
    durable_us: Histogram<u64>,
}

impl<'a> Run<'a> {
    fn new(engine: &'a LoggedEngine, synced: bool) -> Self {
        Self {
            engine,
            synced,
            watch: Stopwatch::default(),
            looked: Looked::default(),
            log_nanoseconds: 0,
            durable_us: microseconds(),
        }
    }

    /// Executes batches and waits until the last is as durable as asked for.
    fn slab(&mut self, batches: &[BatchBytes], sealed: &mut Vec<Sealed>) -> Result<(), BenchError> {
        let engine = self.engine;
        let (handed_over, waits) = channel();
        let log_before = log_thread_nanoseconds();
        self.watch.start();
        let (durable_us, looked) = std::thread::scope(|scope| {
            let waiter = scope.spawn(|| wait_durable(engine, waits));
            let executed = self.execute(batches, &handed_over);
            drop(handed_over);
            let waited = waiter.join().expect("waiting does not panic");
            executed.and(waited)
        })?;
        self.watch.stop();
        self.log_nanoseconds += log_thread_nanoseconds().saturating_sub(log_before);
        self.durable_us.add(durable_us).expect("both have the same bounds");
        self.looked.take(looked);
        let mut heights = core::mem::take(&mut self.looked.sealed);
        heights.sort_unstable_by_key(|(height, _)| *height);
        sealed.extend(heights.into_iter().map(|(_, sealed)| sealed));
        Ok(())
    }

    fn execute(&mut self, batches: &[BatchBytes], handed_over: &Sender<HandedOver>) -> Result<(), LoggedError> {
        for batch in batches {
            let start = Instant::now();
            let executed = self.engine.execute(batch.clone())?;
            let height = executed.height();
            // The end of a batch in this mode comes while the next one executes. So the clock runs on, and the thread that
            // waits looks at it: nothing that belongs to the batch is done while the clock stands still.
            let ends_later = executed.mode().name() == "pipe";
            let (mine, theirs) = if ends_later { (None, Some(executed)) } else { (Some(executed), None) };
            // The receiver lives until this sender is gone, unless the log failed; then the next batch fails too.
            _ = handed_over.send(HandedOver { height, start, executed: theirs.map(|it| (batch.clone(), it)) });
            let Some(executed) = mine else { continue };
            // With syncs under way the clock runs on, so that the disk gets no time for free.
            if !self.synced {
                self.watch.stop();
            }
            self.looked.at(batch, &executed);
            drop(executed);
            if !self.synced {
                self.watch.start();
            }
        }
        Ok(())
    }
}

/// A batch that was executed.
struct HandedOver {
    height: u64,
    start: Instant,
    /// With its result, if nobody has looked at that yet.
    executed: Option<(BatchBytes, Executed)>,
}

/// What batches came to.
#[derive(Default)]
struct Looked {
    stages: StageNanoseconds,
    scheduling: Scheduling,
    tally: Tally,
    profiles: Vec<Profile>,
    sealed: Vec<(u64, Sealed)>,
}

impl Looked {
    fn at(&mut self, batch: &BatchBytes, executed: &Executed) {
        self.sealed.push((executed.height(), Sealed::of(executed)));
        self.stages.add(&executed.stages());
        self.scheduling.add(executed);
        let calls = self.tally.add(batch, executed);
        self.profiles.push(Profile::new(calls as usize, executed.statistics(), &executed.stages()));
    }

    fn take(&mut self, other: Looked) {
        self.stages.add(&other.stages);
        self.scheduling.take(other.scheduling);
        self.tally.take(other.tally);
        self.profiles.extend(other.profiles);
        self.sealed.extend(other.sealed);
    }
}

/// Notes how long each batch took until it was durable, and what those came to whose end came later.
fn wait_durable(
    engine: &LoggedEngine,
    handed_over: Receiver<HandedOver>,
) -> Result<(Histogram<u64>, Looked), LoggedError> {
    let mut durable_us = microseconds();
    let mut looked = Looked::default();
    for HandedOver { height, start, executed } in handed_over {
        engine.wait_durable(height)?;
        durable_us.saturating_record(start.elapsed().as_micros() as u64);
        if let Some((batch, executed)) = executed {
            looked.at(&batch, &executed);
        }
    }
    Ok((durable_us, looked))
}

fn log_thread_nanoseconds() -> u64 {
    clock::thread_nanoseconds("phalanx-log").unwrap_or(0)
}
