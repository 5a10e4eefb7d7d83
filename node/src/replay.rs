//! Executing a log again, to read what it means: nothing on disk changes, and every digest is compared with its seal.

use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::log::{Cut, Located, LogError, LogReader, Record, Seal, layout};
use phalanx_engine::{Batch, CodeCache, Engine, EngineError, Executed, LoggedError};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use crate::execution::Workers;
use crate::exit::{Exit, Failure};
use crate::hex::hex;
use crate::output::Output;
use crate::progress::Progress;

const REPORT_MISMATCH: &str =
    "keep the data directory and the binary, and report both: equal inputs must give equal digests";

const OTHER_VERSION: &str = "the log holds a batch that this version refuses: use the version that wrote it";

const REPORT_FAULT: &str = "this is a fault of the engine, not of a contract: report it with the log";

/// Executes the whole log of a data directory, each batch in the mode that the engine chooses. `visit` sees each height
/// after its execution and before its commit. Answers the engine after the last height.
///
/// # Errors
/// Exit code 1 where there is no log, 4 for damaged or incompatible bytes, 5 for a digest that is not its seal's, and
/// whatever `visit` answers.
pub(crate) fn replay(
    data_directory: &Path,
    workers: Workers,
    output: &Output,
    visit: &mut dyn FnMut(&Batch, &Executed) -> Result<(), Failure>,
) -> Result<Engine, Failure> {
    let reader = LogReader::new(Arc::new(RealFileSystem), data_directory);
    if reader.genesis().map_err(|error| log_failure(&error))?.is_none() {
        return Err(no_log(data_directory));
    }
    let code_cache = CodeCache::read(Arc::new(RealFileSystem), &data_directory.join(layout::CODE));
    let engine = Engine::with_code_cache(workers.options(), code_cache);
    let progress = Progress::of_heights();
    let mut records = reader.records(0).map_err(|error| log_failure(&error))?;
    let mut unsealed = VecDeque::new();
    for located in &mut records {
        let located = located.map_err(|error| log_failure(&error))?;
        match &located.record {
            Record::Input(input) => {
                let refused = |error: EngineError| engine_failure(&error, &located);
                let batch = Batch::decode(&input.batch[..]).map_err(|error| refused(error.into()))?;
                let executed = engine.execute_batch(batch.bytes().clone()).map_err(refused)?;
                visit(&batch, &executed)?;
                unsealed.push_back((executed.height(), executed.digest()));
                engine.commit(executed).map_err(refused)?;
                progress.at(input.height);
            }
            Record::Seal(seal) => check_seal(seal, unsealed.pop_front(), &located)?,
            Record::Genesis(_) | Record::Protocol { .. } | Record::Close => {}
        }
    }
    if let Some(tail) = records.tail() {
        warn_of_tail(tail, output);
    }
    Ok(engine)
}

fn check_seal(seal: &Seal, executed: Option<(u64, [u8; 32])>, located: &Located) -> Result<(), Failure> {
    if executed == Some((seal.height, seal.digest)) {
        return Ok(());
    }
    let found = executed.map_or_else(|| "nothing".to_owned(), |(_, digest)| hex(&digest));
    Err(Failure::new(
        Exit::Mismatch,
        format_args!(
            "{}: offset {}, height {}: executing again gives {found}, the log's seal says {}",
            located.file.display(),
            located.offset,
            seal.height,
            hex(&seal.digest)
        ),
        REPORT_MISMATCH,
    ))
}

/// Tells of a tail that opening would cut.
pub(crate) fn warn_of_tail(tail: &Cut, output: &Output) {
    output.warn(&format!("{tail}; the next `phalanx run` on this directory cuts it"));
}

/// The failure of a directory without a log.
pub(crate) fn no_log(data_directory: &Path) -> Failure {
    Failure::failed(
        format_args!("{}: there is no log", data_directory.display()),
        "name a directory that `phalanx run --data-dir` made",
    )
}

/// Sorts an error of the log into an exit code.
pub(crate) fn log_failure(error: &LogError) -> Failure {
    match error {
        LogError::Damaged(_) => Failure::new(
            Exit::Damaged,
            error,
            "restore the file from a copy; nothing was changed, and everything below the height is intact",
        ),
        LogError::Incompatible { .. } => {
            Failure::new(Exit::Damaged, error, "use the version of phalanx that wrote this directory")
        }
        LogError::Held { .. } => Failure::failed(error, "wait for the other process, or end it"),
        LogError::BelowRetention { earliest, .. } => Failure::failed(error, format_args!("begin at height {earliest}")),
        LogError::Stopped(stopped) => log_failure(stopped),
        _ => Failure::failed(error, "check the disk: its space, its permissions, and the kernel's messages"),
    }
}

/// The failure of a logged batch that does not execute.
fn engine_failure(error: &EngineError, located: &Located) -> Failure {
    let place =
        format!("{}: offset {}, height {}: {error}", located.file.display(), located.offset, located.record.height());
    match error {
        EngineError::Batch(_) => Failure::new(Exit::Damaged, place, OTHER_VERSION),
        _ => Failure::failed(place, REPORT_FAULT),
    }
}

/// Sorts a failure of a logged engine into an exit code.
pub(crate) fn logged_failure(error: &LoggedError) -> Failure {
    match error {
        LoggedError::Log(error) => log_failure(error),
        LoggedError::Diverged { .. } => Failure::new(Exit::Mismatch, error, REPORT_MISMATCH),
        LoggedError::Unknown { .. } => Failure::new(Exit::Damaged, error, OTHER_VERSION),
        LoggedError::Engine(EngineError::NotSerial(_))
        | LoggedError::Replay { source: EngineError::NotSerial(_), .. } => {
            Failure::new(Exit::Mismatch, error, REPORT_MISMATCH)
        }
        LoggedError::Replay { source: EngineError::Batch(_), .. } => Failure::new(Exit::Damaged, error, OTHER_VERSION),
        LoggedError::Replay { .. } | LoggedError::Engine(_) => Failure::failed(error, REPORT_FAULT),
    }
}
