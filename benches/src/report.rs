//! What a run is reported as: schema `phalanx.bench/1`.

use crate::baselines::Baselines;
use crate::check::CheckBy;
use crate::conflicts::ConflictReport;
use crate::model::Model;
use crate::workload::Invariant;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// The name and version of the schema. Fields may be added under it; none changes or goes.
pub const SCHEMA: &str = "phalanx.bench/1";

/// A finished run. It exists also when a check failed: see [`Report::exit_code`].
///
/// Rates are calls a second under the clock. Bytes a call are averages over the measured calls. What describes a generated workload
/// is null for one that was recorded.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Name of the workload.
    pub workload: &'static str,
    /// Which contract does what, in one sentence.
    pub description: String,
    /// Seed of addresses and draws; above 2^53 a string.
    #[serde(serialize_with = "exact")]
    pub seed: Option<u64>,
    /// Accounts that call.
    pub accounts: Option<u64>,
    /// Measured calls.
    pub calls: u64,
    /// Calls a batch.
    pub batch_size: Option<usize>,
    /// Workers that were asked for.
    pub workers: usize,
    /// The mode that was asked for.
    pub mode: &'static str,
    /// The mode that ran.
    pub mode_chosen: ModeChosen,
    /// Zipf exponent.
    pub skew: Option<f64>,
    /// `none` or `fsync`.
    pub durability: &'static str,
    /// Time under the clock.
    pub elapsed_seconds: f64,
    /// Calls by elapsed time.
    pub calls_per_second: f64,
    /// Calls by the name of their outcome; they sum to `calls`.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Calls that were executed more than once. Not failures.
    pub reexecutions: u64,
    /// Share of calls whose first execution read what an earlier call of the batch wrote.
    pub dirty_ratio: f64,
    /// Root of the whole state, computed after the clock stopped.
    pub state_digest: String,
    /// Digest of the last height.
    pub log_digest: String,
    /// What the live check executed once more while the run went on, without a difference; null without `--equivalence`.
    pub equivalence: Option<Equivalence>,
    /// What executed the batches again: `serial` or `oracle`; null without `--check`.
    #[serde(serialize_with = "by_name")]
    pub check: Option<CheckBy>,
    /// Whether it came to the same receipts, write sets, digests and state; null without `--check`.
    pub serial_match: Option<bool>,
    /// The first difference, if there is one: of a recorded log also to its seals, without `--check` too.
    pub mismatch: Option<String>,
    /// What calls conflicted on: a list of at most 20 places, those with the most dirty calls first; null without
    /// `--explain`.
    pub conflicts: Option<ConflictReport>,
    /// What more cores would reach; null without `--model`.
    pub model: Option<Model>,
    /// What must hold in the state at the end. Of a recorded log: that each height has the digest that it is sealed with.
    pub invariant: Invariant,
    /// Time by stage, summed over workers; `log` is what the log's thread used beside them.
    pub phase_seconds: Phases,
    /// The same, a call, in nanoseconds.
    pub core_ns_per_call: Phases,
    /// Calls a second without Phalanx, on the first 200,000 calls at most; null if nobody asked, and for workloads other
    /// than `token`, which no baseline knows.
    pub baselines: Option<Baselines>,
    /// Gas a call, averaged.
    pub gas_per_call: f64,
    /// Encoded batches a call, as they arrive.
    pub input_bytes_per_call: f64,
    /// Log records a call, framing included.
    pub log_bytes_per_call: f64,
    /// Encoded receipts a call.
    pub receipt_bytes_per_call: f64,
    /// Duration of one sync of the log; null where nothing was synced.
    pub sync_ms: Option<Percentiles>,
    /// Appending the same bytes to a plain file in the same folder and syncing it, between the measured batches; null
    /// where nothing was synced.
    pub sync_reference_bytes_per_second: Option<f64>,
    /// From handing a batch over until it was executed and synced.
    pub batch_to_durable_ms: Option<Percentiles>,
    /// Most resident memory until the clock stopped, set-up included.
    pub peak_rss_bytes: u64,
    /// Resident memory when the clock stopped.
    pub rss_bytes: u64,
    /// Where it ran.
    pub machine: Machine,
    /// Whether `--explain` was given; it changes what [`Report::print_human`] prints.
    #[serde(skip)]
    pub explain: bool,
    /// Whether baselines were asked for; [`Report::print_human`] then says why there are none.
    #[serde(skip)]
    pub baselines_asked: bool,
}

/// What the live check came to. Set-up batches are among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Equivalence {
    /// The share that was asked for.
    pub percent: u8,
    /// Batches that were executed once more, and came to the same.
    pub checked_batches: u64,
    /// Their calls.
    pub checked_calls: u64,
}

/// The mode that ran, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModeChosen {
    /// The one that most batches ran in.
    pub mode: &'static str,
    /// Why they did.
    pub reason: &'static str,
    /// Measured batches by mode.
    pub batches: BTreeMap<&'static str, u64>,
}

/// One figure a stage. A stage that a mode does not have is 0; the reset of an instance is inside `execute`, and records are
/// validated in the pass that chains them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the stages are those of the engine")]
pub struct Phases {
    pub decode: f64,
    pub execute: f64,
    pub reset: f64,
    pub chain: f64,
    pub validate: f64,
    pub repair: f64,
    pub commit: f64,
    pub receipts: f64,
    pub digest: f64,
    pub log: f64,
}

impl Phases {
    /// The names and figures, in order.
    pub fn rows(&self) -> [(&'static str, f64); 10] {
        [
            ("decode", self.decode),
            ("execute", self.execute),
            ("reset", self.reset),
            ("chain", self.chain),
            ("validate", self.validate),
            ("repair", self.repair),
            ("commit", self.commit),
            ("receipts", self.receipts),
            ("digest", self.digest),
            ("log", self.log),
        ]
    }

    /// All stages.
    pub fn sum(&self) -> f64 {
        self.rows().iter().map(|(_, figure)| figure).sum()
    }
}

/// Two percentiles, in the unit that the field's name says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half of the samples are at or below it.
    pub p50: f64,
    /// All but one in a hundred are.
    pub p99: f64,
}

/// Where a run took place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Name of the processor, as the kernel gives it.
    pub processor: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// Name and version of the kernel.
    pub kernel: String,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let processor = processors.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
        Self {
            processor: processor.unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

impl Report {
    /// The exit code of the command: 5 if a check found a difference, or a recorded log has other seals, 1 if the state broke the
    /// workload's invariant, else 0.
    pub fn exit_code(&self) -> u8 {
        match (&self.mismatch, self.invariant.holds) {
            (Some(_), _) => 5,
            (None, false) => 1,
            (None, true) => 0,
        }
    }

    /// Prints the run for people.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn print_human(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        crate::human::print(self, out)
    }
}

/// Bytes as 0x-hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use core::fmt::Write;
    bytes.iter().fold("0x".to_owned(), |mut text, byte| {
        // Writing into a string cannot fail.
        _ = write!(text, "{byte:02x}");
        text
    })
}

fn by_name<S: Serializer>(by: &Option<CheckBy>, serializer: S) -> Result<S::Ok, S::Error> {
    by.map(CheckBy::name).serialize(serializer)
}

/// An integer as JSON readers keep it exactly: above 2^53 as a string.
fn exact<S: Serializer>(number: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) if *number > 1 << 53 => serializer.collect_str(number),
        number => number.serialize(serializer),
    }
}
