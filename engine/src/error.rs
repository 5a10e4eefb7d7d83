//! The two kinds of failure, sorted. A contract's is an [`crate::Outcome`] in its receipt. Everything here is ours or the
//! caller's: what failed has changed nothing, and after an [`EngineError::Stopped`] or [`EngineError::NotSerial`], which speaks
//! of a batch that was committed before, nothing goes on.

use crate::equivalence::NotSerial;
use std::sync::Arc;
use thiserror::Error;

/// A batch that is refused whole. It changed nothing.
#[derive(Debug, Error, PartialEq, Eq, Clone)]
pub enum BatchError {
    /// The framing cannot be decoded.
    #[error("malformed batch: {what} at byte {offset}")]
    Malformed {
        /// Where in the batch.
        offset: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// A limit of the batch is passed.
    #[error("{name}: {actual} is above the limit of {limit}")]
    LimitExceeded {
        /// The limit's name.
        name: &'static str,
        /// The value that was met.
        actual: u64,
        /// The greatest that is allowed.
        limit: u64,
    },
    /// The batch is not for the next height.
    #[error("the batch is for height {actual}, the next height is {expected}")]
    WrongHeight {
        /// Height in the batch.
        actual: u64,
        /// Height that comes next.
        expected: u64,
    },
    /// The batch's time lies before that of its predecessor.
    #[error("the batch's time {actual} ms lies before its predecessor's, {previous} ms")]
    TimeRunsBack {
        /// Time in the batch.
        actual: u64,
        /// Time of the batch before.
        previous: u64,
    },
}

/// A failure of the engine or of how it is used.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The batch is refused.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// `commit` got something that is not the outcome of the last `execute_batch`.
    #[error("commit of height {0}, which is not what was executed last")]
    Stale(u64),
    /// The runtime failed in a way that no contract may cause; the state is unknown and the engine refuses to go on.
    #[error("the engine has stopped: {0}")]
    Stopped(String),
    /// The live check ([`crate::Options::equivalence`]) found a committed batch that is not what it is serially. The engine
    /// refuses to go on.
    #[error("the engine has stopped, since a batch is not what it is serially: {0}")]
    NotSerial(Arc<NotSerial>),
}
