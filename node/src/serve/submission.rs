//! What is on its way from a client to a batch and back.

use phalanx_engine::{Identity, Submission as SessionPosition};
use phalanx_proto::v1;
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::refusal::Refusal;
use super::wire::Calls;

/// What an answer waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Level {
    /// Execution.
    Executed,
    /// Execution, and the sync of the batch.
    Durable,
}

/// What a submission is known by when it comes again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Known {
    /// By nothing.
    Unknown,
    /// By its sender's id. The submission is one call.
    Id { sender: [u8; 32], id: [u8; 16], fingerprint: u64 },
    /// By its place in a session.
    Session { position: SessionPosition, fingerprint: u64 },
}

impl Known {
    /// What stands in the batch for it.
    pub(crate) fn identity(&self) -> Identity<'_> {
        match self {
            Known::Unknown => Identity::Anonymous,
            Known::Id { id, .. } => Identity::Id(id),
            Known::Session { position, .. } => Identity::Begins(*position),
        }
    }
}

/// Calls that stay together, and who waits for them.
pub(crate) struct Submission {
    pub(crate) calls: Calls,
    pub(crate) known: Known,
    pub(crate) level: Level,
    /// Past it the submission is refused, unless it has been ordered.
    pub(crate) deadline: Option<Instant>,
    pub(crate) answer: Answer,
}

/// Who waits for an answer, and the room in the queue that it takes up until then.
pub(crate) struct Answer {
    pub(crate) to: oneshot::Sender<Reply>,
    pub(crate) room: OwnedSemaphorePermit,
    pub(crate) admitted: Instant,
}

impl Answer {
    /// Answers. Whoever has gone away wants no answer.
    pub(crate) fn send(self, reply: Reply) {
        // First the room: whoever has an answer finds room for what comes next.
        drop(self.room);
        _ = self.to.send(reply);
    }
}

/// What comes back for a submission.
pub(crate) type Reply = Result<Done, Refusal>;

/// A submission that was executed.
pub(crate) enum Done {
    /// Now.
    Now(Answered),
    /// Before: its receipts are in the receipt segments.
    Before(Position),
}

/// Where a submission's calls stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Position {
    pub(crate) height: u64,
    /// Index of the first call.
    pub(crate) index: u32,
    pub(crate) calls: u32,
}

impl Position {
    /// The first call's place.
    pub(crate) fn first(&self) -> v1::CallPosition {
        v1::CallPosition { height: self.height, index: self.index }
    }
}

/// What a submission left behind.
pub(crate) struct Answered {
    pub(crate) position: Position,
    /// Its receipts, as the engine encodes them.
    pub(crate) encoded: Vec<u8>,
    /// Texts by the call's place in the submission.
    pub(crate) explanations: Vec<(u32, String)>,
    /// Whether it had been executed before.
    pub(crate) repeated: bool,
}
