//! Options that say how batches are executed. None of them shows in a result.

use clap::{Args, ValueEnum};
use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::log::{LogError, LogReader};
use phalanx_engine::{Executed, LoggedOptions, MachineCode, Mode, Options, log};
use serde::Serialize;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism;

/// More workers than any machine that this is for has cores. Each is a thread with a stack and instances of its own.
const WORKERS_MAX: i64 = 1_024;

/// Threads that a verb executes calls on.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Workers {
    /// Threads that may execute calls; results never depend on it [default: the cores of this machine]
    #[arg(long = "workers", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=WORKERS_MAX))]
    asked: Option<u32>,
}

impl Workers {
    /// A number of them, as a flag or a file may have it.
    pub(crate) fn parse(text: &str) -> Result<Workers, String> {
        let asked = text.parse().ok().filter(|asked| (1..=WORKERS_MAX as u32).contains(asked));
        asked.map(|asked| Workers { asked: Some(asked) }).ok_or_else(|| format!("{text} is not in 1..={WORKERS_MAX}"))
    }

    /// How many.
    pub(crate) fn count(self) -> usize {
        let cores = || available_parallelism().map_or(1, usize::from).min(WORKERS_MAX as usize);
        self.asked.map_or_else(cores, |asked| asked as usize)
    }

    /// Options of an engine that chooses the mode itself.
    pub(crate) fn options(self) -> Options {
        Options { workers: self.count(), ..Options::default() }
    }
}

/// Tells a chain that was given no id of its own from others.
pub(crate) const CHAIN_ID: [u8; 32] = [0; 32];

/// The chain of a data directory; [`CHAIN_ID`] if there is no log yet.
pub(crate) fn chain_of(data_directory: &Path) -> Result<[u8; 32], LogError> {
    let genesis = LogReader::new(Arc::new(RealFileSystem), data_directory).genesis()?;
    Ok(genesis.map_or(CHAIN_ID, |genesis| genesis.chain_id))
}

/// Options of a data directory whose log strangers' calls go into.
pub(crate) fn logged_options(engine: Options) -> LoggedOptions {
    // A number that nobody knows who makes calls: no batch can hold what looks like a record of this log.
    let random = || RandomState::new().hash_one(0).to_le_bytes();
    let mut salt = [0; 16];
    salt[..8].copy_from_slice(&random());
    salt[8..].copy_from_slice(&random());
    LoggedOptions {
        engine,
        log: log::Options { salt, ..log::Options::default() },
        chain_id: CHAIN_ID,
        receipts: true,
        machine_code: MachineCode::OnDisk,
    }
}

/// The mode as it is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ModeAsked {
    /// The engine chooses for each batch
    Auto,
    /// One call after the other, on one core
    Serial,
    /// One call after the other, the hashing and encoding on other cores
    Pipe,
    /// In parallel, checked, and repaired where calls conflict
    Optimistic,
    /// In parallel, calls that touch the same keys one after another
    Hinted,
}

impl ModeAsked {
    /// The engine's name for it.
    pub(crate) fn of_engine(self) -> Mode {
        match self {
            ModeAsked::Auto => Mode::Auto,
            ModeAsked::Serial => Mode::Serial,
            ModeAsked::Pipe => Mode::Pipe,
            ModeAsked::Optimistic => Mode::Optimistic,
            ModeAsked::Hinted => Mode::Hinted,
        }
    }

    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ModeAsked::Auto => "auto",
            ModeAsked::Serial => "serial",
            ModeAsked::Pipe => "pipe",
            ModeAsked::Optimistic => "optimistic",
            ModeAsked::Hinted => "hinted",
        }
    }
}

/// The modes that batches ran in.
#[derive(Default)]
pub(crate) struct ModesRun {
    /// Batches by (mode, reason).
    batches: BTreeMap<(&'static str, &'static str), u64>,
}

/// The mode that most batches ran in, why they did, and how many ran in each.
#[derive(Serialize)]
pub(crate) struct ModeChosen {
    pub(crate) mode: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) batches: BTreeMap<&'static str, u64>,
}

impl ModesRun {
    /// Counts a batch.
    pub(crate) fn add(&mut self, executed: &Executed) {
        let mode = executed.mode();
        *self.batches.entry((mode.name(), mode.reason)).or_default() += 1;
    }

    /// What was counted; `None` if no batch was.
    pub(crate) fn chosen(&self) -> Option<ModeChosen> {
        let mut batches = BTreeMap::new();
        for ((mode, _), count) in &self.batches {
            *batches.entry(*mode).or_default() += count;
        }
        let ((mode, reason), _) = self.batches.iter().max_by_key(|(_, count)| **count)?;
        Some(ModeChosen { mode, reason, batches })
    }
}
