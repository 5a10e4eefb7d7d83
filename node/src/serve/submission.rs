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
    /// A place in the order.
    Ordered,
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
    /// `None` when it was told its place, and waits for nothing more.
    pub(crate) to: Option<oneshot::Sender<Reply>>,
    pub(crate) room: OwnedSemaphorePermit,
    pub(crate) admitted: Instant,
}

impl Answer {
    /// Answers. Whoever has gone away wants no answer.
    pub(crate) fn send(self, reply: Reply) {
        // First the room: whoever has an answer finds room for what comes next.
        drop(self.room);
        if let Some(to) = self.to {
            _ = to.send(reply);
        }
    }

    /// Tells its place to who waits for no more. The room stays taken until the calls are executed.
    pub(crate) fn notify(&mut self, position: Position) {
        if let Some(to) = self.to.take() {
            _ = to.send(Ok(Done::Ordered { position, repeated: false }));
        }
    }
}

/// What comes back for a submission.
pub(crate) type Reply = Result<Done, Refusal>;

/// How far a submission has come.
pub(crate) enum Done {
    /// It has its place, and may lose it in a crash.
    Ordered { position: Position, repeated: bool },
    /// It was executed.
    Now(Answered),
    /// It had been executed before: its receipts are in the receipt segments.
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

/// What a client is answered.
pub(crate) enum Reached {
    /// A notice of its calls' place.
    Ordered(v1::OrderedNotice),
    /// What its calls left.
    Executed(Answered),
}

impl Reached {
    /// The height of its calls.
    pub(crate) fn height(&self) -> u64 {
        match self {
            Reached::Ordered(notice) => notice.first.map_or(0, |first| first.height),
            Reached::Executed(answered) => answered.position.height,
        }
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
