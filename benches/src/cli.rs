//! The arguments of `phalanx bench`, and the run from arguments to report.

use crate::conflicts::ConflictReport;
use crate::ledger::{Execution, Placement};
use crate::measure::{self, Measured, Scheduling};
use crate::model::{self, Model};
use crate::progress::Progress;
use crate::report::{self, Equivalence, Machine, ModeChosen, Percentiles, Phases, Report, hex};
use crate::workload::{self, Particulars, Recorded, Shape, Workload};
use crate::{BenchError, check, not_serial};

pub use crate::check::CheckBy;
use clap::{Args, ValueEnum};
use hdrhistogram::Histogram;
use phalanx_engine::limits::BATCH_CALLS_MAX;
use phalanx_engine::{Digest, EquivalenceCheck, Stage};
use std::collections::BTreeMap;
use std::path::PathBuf;

const ACCOUNTS: u64 = 1_000_000;
const CALLS: u64 = 1_000_000;
const BATCH_SIZE: usize = 16_384;
const SEED: u64 = 1;

/// Measures what a workload costs on this machine. Without any of these arguments it executes 1,000,000 token transfers
/// between 1,000,000 accounts, checks every result by executing the same batches again, and measures the baselines too.
#[derive(Args, Clone, Debug, Default)]
pub struct BenchArguments {
    /// What to execute: token, token-lowbal, token-rmw, read-mostly, counter-rmw, counter-add, pools, many-contracts, flood,
    /// long-call, switch, evidence, exchange, smallbank, kv-a, kv-b, kv-c, kv-d, kv-e, kv-f, collectible, licence, identity,
    /// land, trade-finance, auction, trace, casework, advisory, asset-backed, donothing, cpuheavy or ioheavy [default: token]
    #[arg(value_name = "WORKLOAD")]
    pub workload: Option<String>,
    /// Measures the batches of a recorded log instead of a workload: DIR is a data directory of `phalanx serve`, `run` or `bench`, which
    /// may be in use and is only read. The heights before --from-height are executed before the clock starts. Digests are compared
    /// with those that the log has; exit code 5 if they differ
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = [
            "workload", "accounts", "calls", "batch_size", "skew", "seed", "baselines", "write_every", "pools",
            "contracts", "codes", "long_every", "switch_every", "side_by_side",
        ]
    )]
    pub recorded: Option<PathBuf>,
    /// The first height of the recorded log that is measured [default: the first behind the leading ones that deploy something, which
    /// is those with a call to the system contract]
    #[arg(long, value_name = "N", requires = "recorded")]
    pub from_height: Option<u64>,
    /// Accounts, funded before the clock starts [default: 1000000]
    #[arg(long, value_name = "N")]
    pub accounts: Option<u64>,
    /// Measured calls [default: 1000000]
    #[arg(long, value_name = "N")]
    pub calls: Option<u64>,
    /// Calls a batch, 1 to 65536 [default: 16384]
    #[arg(long, value_name = "N")]
    pub batch_size: Option<usize>,
    /// Threads that may execute calls; the serial mode uses one [default: the cores of this machine]
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Exponent of the Zipf distribution of accounts, or of pools, from 0 (uniform) on, above 1 too [default: 0]
    #[arg(long, value_name = "THETA")]
    pub skew: Option<f64>,
    /// Seed of addresses and draws [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How calls are executed. Results never depend on it [default: auto]
    #[arg(long)]
    pub mode: Option<Mode>,
    /// Whether each batch is synced to the log before it counts as done [default: none]
    #[arg(long)]
    pub durability: Option<Durability>,
    /// Folder of the log, empty or new. With --durability fsync and without this: a fresh one under the current folder,
    /// removed at the end
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Executes the same batches again and compares every receipt, write set, digest and the state; exit code 5 if they differ.
    /// `serial` compares with the serial loop, `oracle` with a plain executor of its own; a run that was serial itself is
    /// always compared with the oracle
    #[arg(long, value_name = "BY", num_args = 0..=1, require_equals = true, default_missing_value = "serial")]
    pub check: Option<CheckBy>,
    /// Measures native tables and bare wasmtime on up to 200,000 of the same calls; they know the workload token alone
    #[arg(long)]
    pub baselines: bool,
    /// Executes this share of the batches once more, in percent, while the run goes on: the engine's live check, on a thread of its
    /// own. A difference ends the run with exit code 5 and leaves what shows it once more in a folder under --data-dir or the
    /// current one. The clock covers what it holds up
    #[arg(long, value_name = "PERCENT")]
    pub equivalence: Option<u8>,
    /// Predicts what 1 to 128 workers reach: executes the calls with one worker in parallel mode, simulates their stages on more, and
    /// executes them once more with two to see how far the prediction is off. It sets --workers and --mode itself, and the
    /// report is that of the first run
    #[arg(long, conflicts_with_all = ["workers", "mode", "data_dir", "durability", "equivalence", "explain"])]
    pub model: bool,
    /// Says below the figures how each is made, and what calls conflicted on. Gathering that is under the clock too
    #[arg(long)]
    pub explain: bool,
    /// What single workloads ask besides.
    #[command(flatten)]
    pub particulars: Particulars,
}

/// How calls are executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// The engine chooses.
    Auto,
    /// One after the other, on one core
    Serial,
    /// One after the other, the hashing and encoding on other cores
    Pipe,
    /// In parallel, checked, and repaired where calls conflict
    Optimistic,
    /// In parallel, calls that touch the same keys one after another
    Hinted,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Mode::Auto => "auto",
            Mode::Serial => "serial",
            Mode::Pipe => "pipe",
            Mode::Optimistic => "optimistic",
            Mode::Hinted => "hinted",
        }
    }

    /// The engine's name for it.
    fn of_engine(self) -> phalanx_engine::Mode {
        match self {
            Mode::Auto => phalanx_engine::Mode::Auto,
            Mode::Serial => phalanx_engine::Mode::Serial,
            Mode::Pipe => phalanx_engine::Mode::Pipe,
            Mode::Optimistic => phalanx_engine::Mode::Optimistic,
            Mode::Hinted => phalanx_engine::Mode::Hinted,
        }
    }
}

/// Whether batches are synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    /// Nothing is synced.
    None,
    /// A batch counts as done when it is executed and synced.
    Fsync,
}

impl Durability {
    fn name(self) -> &'static str {
        match self {
            Durability::None => "none",
            Durability::Fsync => "fsync",
        }
    }
}

/// The arguments with their defaults, found to make sense.
struct Plan {
    /// Of a workload that is generated; nothing reads it for one that was recorded.
    shape: Shape,
    workers: usize,
    mode: Mode,
    execution: Execution,
    durability: Durability,
    placement: Placement,
    check: Option<CheckBy>,
    baselines: bool,
}

impl Plan {
    /// Who checks the run. The serial loop says nothing new of a run that was serial itself.
    fn checked_by(&self, scheduling: &Scheduling) -> Option<CheckBy> {
        self.check.map(|by| if scheduling.is_serial() { CheckBy::Oracle } else { by })
    }
}

impl BenchArguments {
    fn plan(&self) -> Result<Plan, BenchError> {
        let batch_size = self.batch_size.unwrap_or(BATCH_SIZE);
        if !(1..=BATCH_CALLS_MAX).contains(&batch_size) {
            return Err(BenchError::Usage(format!(
                "--batch-size must be from 1 to {BATCH_CALLS_MAX}, not {batch_size}"
            )));
        }
        let calls = self.calls.unwrap_or(CALLS);
        if calls == 0 {
            return Err(BenchError::Usage("--calls must be at least 1".into()));
        }
        let workers = self.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        if workers == 0 {
            return Err(BenchError::Usage("--workers must be at least 1".into()));
        }
        let equivalence = match self.equivalence {
            None => None,
            Some(percent) => Some(
                EquivalenceCheck::of_percent(percent)
                    .ok_or_else(|| BenchError::Usage(format!("--equivalence must be from 1 to 100, not {percent}")))?,
            ),
        };
        let (workers, mode) = match (self.model, self.mode) {
            (true, _) => (1, Mode::Optimistic),
            (false, mode) => (workers, mode.unwrap_or(Mode::Auto)),
        };
        let durability = self.durability.unwrap_or(Durability::None);
        let bare = self.is_bare();
        Ok(Plan {
            shape: Shape {
                accounts: self.accounts.unwrap_or(ACCOUNTS),
                calls,
                batch_size,
                skew: self.skew.unwrap_or(0.0),
                seed: self.seed.unwrap_or(SEED),
            },
            workers,
            mode,
            execution: Execution { workers, mode: mode.of_engine(), explain: self.explain, equivalence },
            durability,
            placement: match (durability, &self.data_dir) {
                (Durability::Fsync, directory) => Placement::Synced(directory.clone()),
                (Durability::None, Some(directory)) => Placement::Unsynced(directory.clone()),
                (Durability::None, None) => Placement::Dropped,
            },
            check: self.check.or(bare.then_some(CheckBy::Serial)),
            baselines: bare || self.baselines,
        })
    }

    /// What is executed.
    fn workload(&self, plan: &Plan, progress: &dyn Progress) -> Result<Box<dyn Workload>, BenchError> {
        match &self.recorded {
            Some(directory) => Ok(Box::new(Recorded::open(directory, self.from_height, progress)?)),
            None => {
                let name = self.workload.as_deref().unwrap_or(workload::NAMES[0]);
                workload::by_name(name, plan.shape, &self.particulars)
            }
        }
    }

    /// Whether nothing was asked for: then everything is shown.
    fn is_bare(&self) -> bool {
        let BenchArguments {
            workload,
            recorded,
            from_height,
            accounts,
            calls,
            batch_size,
            workers,
            skew,
            seed,
            mode,
            durability,
            data_dir,
            check,
            baselines,
            equivalence,
            model,
            explain: _,
            particulars,
        } = self;
        workload.is_none()
            && recorded.is_none()
            && from_height.is_none()
            && accounts.is_none()
            && calls.is_none()
            && batch_size.is_none()
            && workers.is_none()
            && skew.is_none()
            && seed.is_none()
            && mode.is_none()
            && durability.is_none()
            && data_dir.is_none()
            && check.is_none()
            && !baselines
            && equivalence.is_none()
            && !model
            && *particulars == Particulars::default()
    }
}

/// Runs a benchmark.
///
/// # Errors
/// [`BenchError`]; its [`BenchError::exit_code`] is the command's. A difference that a check finds is no error but a report with
/// [`Report::exit_code`] 5.
pub fn run(arguments: &BenchArguments, progress: &dyn Progress) -> Result<Report, BenchError> {
    let plan = arguments.plan()?;
    let workload = arguments.workload(&plan, progress)?;
    let measured = measure::measure(&*workload, &plan.placement, plan.execution, progress)
        .map_err(|error| not_serial::hand_over(error, arguments.data_dir.as_deref()))?;
    let mut report = report(&plan, &*workload, &measured);
    report.explain = arguments.explain;
    let Measured { ledger, sealed, scheduling, profiles, .. } = measured;
    let state_digest = ledger.engine.engine().state_digest();
    // The run's tables are of no use any more: a check needs as much memory again.
    ledger.engine.close()?;
    report.state_digest = hex(&state_digest);
    if let Some(by) = plan.checked_by(&scheduling) {
        let execution = plan.execution;
        let run = check::Run { workload: &*workload, execution, sealed: &sealed, state_digest: &state_digest };
        let mismatch = run.check(by, progress)?;
        report.check = Some(by);
        report.serial_match = Some(mismatch.is_none());
        report.mismatch = mismatch.map(|mismatch| mismatch.text).or(report.mismatch);
    }
    if arguments.model {
        let mut measured = vec![(1, report.calls_per_second)];
        // On one core two workers would say nothing.
        if std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= model::CHECKED_WORKERS) {
            let execution = Execution { workers: model::CHECKED_WORKERS, ..plan.execution };
            let again = measure::measure(&*workload, &plan.placement, execution, progress)?;
            measured.push((model::CHECKED_WORKERS, report.calls as f64 / again.elapsed.as_secs_f64()));
        }
        report.model = Some(Model::new(&profiles, report.core_ns_per_call.log, &measured));
    }
    if plan.baselines {
        report.baselines = workload.baselines(progress)?;
        report.baselines_asked = true;
    }
    Ok(report)
}

fn report(plan: &Plan, workload: &dyn Workload, measured: &Measured) -> Report {
    let elapsed_seconds = measured.elapsed.as_secs_f64();
    let tally = &measured.tally;
    let calls = tally.calls() as f64;
    let synced = plan.durability == Durability::Fsync;
    let shape = (!workload.is_recorded()).then_some(plan.shape);
    let digests: Vec<Digest> = measured.sealed.iter().map(|sealed| sealed.digest).collect();
    let invariant = workload.invariant(measured.ledger.engine.engine(), &digests);
    // Equal inputs must give equal digests, whoever executed them.
    let mismatch = (workload.is_recorded() && !invariant.holds).then(|| invariant.detail.clone());
    Report {
        schema: report::SCHEMA,
        workload: workload.name(),
        description: workload.describe(),
        seed: shape.map(|shape| shape.seed),
        accounts: shape.map(|shape| shape.accounts),
        calls: tally.calls(),
        batch_size: shape.map(|shape| shape.batch_size),
        workers: plan.workers,
        mode: plan.mode.name(),
        mode_chosen: mode_chosen(&measured.scheduling),
        skew: shape.map(|shape| shape.skew),
        durability: plan.durability.name(),
        elapsed_seconds,
        calls_per_second: calls / elapsed_seconds,
        outcomes: tally.outcomes.clone(),
        reexecutions: measured.scheduling.reexecutions,
        dirty_ratio: measured.scheduling.dirty_calls as f64 / calls,
        state_digest: String::new(),
        log_digest: measured.sealed.last().map_or_else(String::new, |sealed| hex(&sealed.digest)),
        equivalence: equivalence(plan, measured),
        check: None,
        serial_match: None,
        mismatch,
        conflicts: conflicts(measured),
        model: None,
        invariant,
        phase_seconds: phases(measured, 1e-9),
        core_ns_per_call: phases(measured, 1.0 / calls),
        baselines: None,
        gas_per_call: tally.gas_used as f64 / calls,
        input_bytes_per_call: tally.input_bytes as f64 / calls,
        log_bytes_per_call: measured.written.bytes as f64 / calls,
        receipt_bytes_per_call: tally.receipt_bytes as f64 / calls,
        sync_ms: synced.then(|| milliseconds(&measured.written.sync_us)),
        sync_reference_bytes_per_second: measured.reference,
        batch_to_durable_ms: synced.then(|| milliseconds(&measured.durable_us)),
        peak_rss_bytes: measured.resident.peak,
        rss_bytes: measured.resident.now,
        machine: Machine::here(),
        explain: false,
        baselines_asked: false,
    }
}

fn equivalence(plan: &Plan, measured: &Measured) -> Option<Equivalence> {
    let statistics = measured.ledger.engine.engine().equivalence()?;
    Some(Equivalence {
        percent: plan.execution.equivalence?.percent(),
        checked_batches: statistics.checked_batches,
        checked_calls: statistics.checked_calls,
    })
}

fn conflicts(measured: &Measured) -> Option<ConflictReport> {
    let engine = measured.ledger.engine.engine();
    let conflicts = measured.scheduling.conflicts.as_ref();
    conflicts.map(|conflicts| ConflictReport::new(conflicts, &|contract| engine.module(contract)))
}

/// The mode of most batches.
fn mode_chosen(scheduling: &Scheduling) -> ModeChosen {
    let most = scheduling.modes.iter().max_by_key(|(_, batches)| **batches);
    let (mode, reason) = most.map_or(("serial", "nothing was executed"), |(chosen, _)| *chosen);
    let batches = scheduling.modes.iter().map(|((mode, _), batches)| (*mode, *batches));
    let mut by_mode = BTreeMap::new();
    batches.for_each(|(mode, batches)| *by_mode.entry(mode).or_default() += batches);
    ModeChosen { mode, reason, batches: by_mode }
}

/// The time of the engine's stages, summed over workers, and of the log's thread, times `scale`.
fn phases(measured: &Measured, scale: f64) -> Phases {
    let of = |stage: Stage| measured.stages.of(stage) as f64 * scale;
    Phases {
        decode: of(Stage::Decode),
        execute: of(Stage::Execute),
        chain: of(Stage::Chain),
        repair: of(Stage::Repair),
        commit: of(Stage::Commit),
        receipts: of(Stage::Receipts),
        digest: of(Stage::Digest),
        log: measured.log_nanoseconds as f64 * scale,
        ..Phases::default()
    }
}

fn milliseconds(microseconds: &Histogram<u64>) -> Percentiles {
    let at = |quantile| microseconds.value_at_quantile(quantile) as f64 / 1e3;
    Percentiles { p50: at(0.5), p99: at(0.99) }
}
