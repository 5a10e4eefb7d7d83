//! What can go wrong with the log. All of it is ours (the disk, a bug, a wrong directory), never a contract's.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of the log, or of a derived segment, that aren't what was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Byte offset in the file of the first broken record, header or padding.
    pub offset: u64,
    /// Height of the broken record where its header can still be read; otherwise that of the last Input before it (0:
    /// none), so that the damage lies at or after this height.
    pub height: u64,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: offset {}, height {}: {}", self.file.display(), self.offset, self.height, self.what)
    }
}

/// An error of the log or of the receipt segments.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file system refused. From a running log: nothing goes on after it.
    #[error("{action} {}: {source}", file.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        file: PathBuf,
        /// The file system's answer.
        source: io::Error,
    },
    /// Bytes that were synced are broken: nothing was changed.
    #[error("damaged: {0}")]
    Damaged(Damage),
    /// Intact bytes of another chain, protocol or format: nothing was changed.
    #[error("{}: {what} is {found}, expected {expected}", file.display())]
    Incompatible {
        /// The file.
        file: PathBuf,
        /// What differs.
        what: &'static str,
        /// What was asked for.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// Another holder, of this process or another, has the log open.
    #[error("{} is held by another process", directory.display())]
    Held {
        /// The directory.
        directory: PathBuf,
    },
    /// A record doesn't follow the one before; it was refused and nothing was changed.
    #[error("{what} is {actual}, expected {expected}")]
    OutOfOrder {
        /// Which number.
        what: &'static str,
        /// The number that would have followed.
        expected: u64,
        /// The number given.
        actual: u64,
    },
    /// Something is larger than a limit; it was refused and nothing was changed.
    #[error("{what}: {actual} bytes, {limit} is {max}")]
    TooLarge {
        /// What was given.
        what: &'static str,
        /// The limit's name.
        limit: &'static str,
        /// The limit, in bytes.
        max: u64,
        /// The size given, in bytes.
        actual: u64,
    },
    /// Reading was asked for a height that is no longer, or never was, kept.
    #[error("height {height} is not kept; the earliest is {earliest}")]
    BelowRetention {
        /// The height asked for.
        height: u64,
        /// The earliest height kept.
        earliest: u64,
    },
    /// The log thread panicked, by a bug of ours: nothing goes on after it.
    #[error("the log thread panicked")]
    Panicked,
    /// The log stopped at an earlier error and takes nothing more; open it again.
    #[error("the log stopped: {0}")]
    Stopped(Arc<LogError>),
}

/// Names the operation and the file of a file system error.
pub(crate) fn failed<'a>(action: &'static str, file: &'a Path) -> impl FnOnce(io::Error) -> LogError + 'a {
    move |source| LogError::Io { action, file: file.to_owned(), source }
}
