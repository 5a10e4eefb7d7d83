//! Why a benchmark gave no report.

use phalanx_engine::log::LogError;
use phalanx_engine::{BatchError, EngineError, LoggedError, NotSerial};
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

/// A benchmark that was not run to its end. A run whose check failed is no error: it has a report that says so.
#[derive(Debug, Error)]
pub enum BenchError {
    /// The arguments ask for something that does not exist or makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The engine refused a batch of the workload, or stopped.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The logged engine refused a batch, or its log failed.
    #[error(transparent)]
    Logged(#[from] LoggedError),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The live check found a batch that is not what it is serially.
    #[error("{found}; {what_to_do}")]
    NotSerial {
        /// What it found.
        found: Arc<NotSerial>,
        /// Where the calls are that show it once more, and how; or why they are not there.
        what_to_do: String,
    },
    /// A recorded log is damaged, or holds what this version cannot execute.
    #[error("--recorded {}: {source}", directory.display())]
    Recorded {
        /// The data directory.
        directory: PathBuf,
        /// What is wrong with its log.
        source: LoggedError,
    },
    /// The workload made a batch that passes a limit.
    #[error("the workload made a batch that cannot be built: {0}")]
    Batch(#[from] BatchError),
    /// A call that deploys or funds did not succeed, so that nothing measured after it would mean anything.
    #[error("set-up failed: call {call} of height {height} ended as {outcome}")]
    SetUp {
        /// Height of the batch.
        height: u64,
        /// Index of the call in it.
        call: usize,
        /// Name of its outcome.
        outcome: &'static str,
    },
    /// A baseline could not be built, or computed something else than the workload.
    #[error("baseline {name}: {reason}")]
    Baseline {
        /// Which one.
        name: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// The operating system refused something.
    #[error("{what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

impl BenchError {
    /// The exit code of the command: 2 for usage, 4 for a recorded log that is damaged or that this version cannot execute, 5 for a
    /// difference that the live check found, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            BenchError::Usage(_) => 2,
            BenchError::NotSerial { .. } => 5,
            BenchError::Recorded { source, .. } if is_damaged_or_unknown(source) => 4,
            _ => 1,
        }
    }
}

fn is_damaged_or_unknown(error: &LoggedError) -> bool {
    match error {
        LoggedError::Log(error) => matches!(error, LogError::Damaged(_) | LogError::Incompatible { .. }),
        LoggedError::Unknown { .. } => true,
        LoggedError::Replay { source, .. } => matches!(source, EngineError::Batch(_)),
        LoggedError::Engine(_) | LoggedError::Diverged { .. } => false,
    }
}
