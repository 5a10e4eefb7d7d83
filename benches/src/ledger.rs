//! The engine under measurement, with its log.

use crate::BenchError;
use crate::clock;
use crate::storage::{Discard, Meter};
use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::log::{self, Durability};
use phalanx_engine::{EquivalenceCheck, HashSeed, LoggedEngine, LoggedOptions, MachineCode, Mode, Options};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// Where the log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Encoded and digested, then dropped.
    Dropped,
    /// Written to a folder and not synced.
    Unsynced(PathBuf),
    /// Written and synced, to a folder or else to a fresh one that is removed at the end.
    Synced(Option<PathBuf>),
}

/// Who executes calls, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Execution {
    pub(crate) workers: usize,
    pub(crate) mode: Mode,
    /// Whether conflicts are gathered.
    pub(crate) explain: bool,
    /// The share of batches that the engine's live check executes once more.
    pub(crate) equivalence: Option<EquivalenceCheck>,
}

/// A logged engine on its own folder.
pub(crate) struct Ledger {
    pub(crate) engine: LoggedEngine,
    pub(crate) meter: Arc<Meter>,
    /// The folder, unless the log is dropped.
    pub(crate) directory: Option<PathBuf>,
    /// Removes the folder when it is dropped, after the engine: fields are dropped in this order.
    _temporary: Option<TempDir>,
}

impl Ledger {
    /// Begins an empty ledger.
    ///
    /// # Errors
    /// [`BenchError::Usage`] if the folder holds something already.
    pub(crate) fn begin(placement: &Placement, execution: Execution) -> Result<Self, BenchError> {
        let (directory, temporary) = match placement {
            Placement::Dropped => (None, None),
            Placement::Unsynced(directory) | Placement::Synced(Some(directory)) => (Some(empty(directory)?), None),
            Placement::Synced(None) => {
                let temporary =
                    tempfile::Builder::new().prefix("phalanx-bench-").tempdir_in(".").map_err(|source| {
                        BenchError::Io { what: "create a folder under", path: PathBuf::from("."), source }
                    })?;
                (Some(temporary.path().to_owned()), Some(temporary))
            }
        };
        let meter = Arc::new(match directory {
            None => Meter::new(Box::new(Discard::default())),
            Some(_) => Meter::new(Box::new(RealFileSystem)),
        });
        let options = options(matches!(placement, Placement::Synced(_)), execution);
        let path = directory.as_deref().unwrap_or(Path::new("dropped"));
        let (engine, _) = LoggedEngine::open(meter.clone(), path, options)?;
        engine.log().wait_written_ahead()?;
        Ok(Self { engine, meter, directory, _temporary: temporary })
    }
}

/// The tables' key is fixed, so that a run can be repeated exactly; a check uses tables of its own. Receipts are not kept
/// beside the log: they can be made again from it. Nor is machine code, whose bytes are none of the log's.
fn options(synced: bool, Execution { workers, mode, explain, equivalence }: Execution) -> LoggedOptions {
    let log = match synced {
        true => log::Options::default(),
        false => log::Options { durability: Durability::None, written_ahead_bytes: 0, ..log::Options::default() },
    };
    LoggedOptions {
        engine: Options {
            hash_seed: HashSeed::Fixed(1),
            clock: Some(clock::nanoseconds),
            workers,
            mode,
            explain,
            equivalence,
            ..Options::default()
        },
        log,
        chain_id: *blake3::hash(b"phalanx bench").as_bytes(),
        receipts: false,
        machine_code: MachineCode::InMemory,
    }
}

fn empty(directory: &Path) -> Result<PathBuf, BenchError> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(directory.to_owned()),
        entries => entries,
    };
    let count =
        entries.map_err(|source| BenchError::Io { what: "read folder", path: directory.to_owned(), source })?.count();
    if count > 0 {
        let directory = directory.display();
        return Err(BenchError::Usage(format!("--data-dir {directory} is not empty; a benchmark begins a ledger")));
    }
    Ok(directory.to_owned())
}
