//! Exactly once: what was executed is known again, by the sender's id of a call or by a submission's place in a session.
//!
//! Ids and sessions travel in the batches. So these tables are a function of the log: they are made again, in the pass that
//! rebuilds the state, when a data directory is opened. Only the thread that cuts batches touches them, so that looking up
//! and ordering are one step.

mod ids;
mod sessions;

use phalanx_engine::Batch;
use std::ops::Range;

use super::submission::{Known, Position};
use super::wire::Fingerprint;
pub(crate) use ids::Ids;
pub(crate) use sessions::Sessions;

/// Heights for which the ids of calls are remembered.
pub(crate) const ID_WINDOW_HEIGHTS: u64 = 65_536;
/// Ids that are remembered; when there are more, the earliest heights' are forgotten. About 100 bytes each.
pub(crate) const IDS_MAX: usize = 4 << 20;
/// Sessions that are remembered. Each costs up to 4 KiB.
pub(crate) const SESSIONS_MAX: usize = 16_384;
/// Heights after which a session that was not used may be forgotten, if another one needs its place.
pub(crate) const SESSION_IDLE_HEIGHTS: u64 = 1_000_000;
/// Answers that are remembered for each session.
pub(crate) const SESSION_ANSWERS_MAX: usize = 128;

/// What is known of a submission that came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    /// It was not executed.
    Never,
    /// It was executed, and stands there.
    At(Position),
    /// Another one was executed under its id or sequence, and stands there.
    Other(Position),
    /// Its sequence does not come next; this one does.
    Gap(u64),
    /// It was executed, but where is no longer known; from this sequence on it is.
    Forgotten(u64),
    /// There is no place for another session.
    NoPlace,
}

/// Everything that was executed, as far as it is remembered.
pub(crate) struct Once {
    pub(crate) ids: Ids,
    pub(crate) sessions: Sessions,
}

impl Default for Once {
    fn default() -> Once {
        Once {
            ids: Ids::new(ID_WINDOW_HEIGHTS, IDS_MAX),
            sessions: Sessions::new(SESSIONS_MAX, SESSION_IDLE_HEIGHTS, SESSION_ANSWERS_MAX),
        }
    }
}

impl Once {
    /// Looks a submission up, before it goes into the batch of a height.
    pub(crate) fn look_up(&self, known: &Known, height: u64) -> Seen {
        match known {
            Known::Unknown => Seen::Never,
            Known::Id { sender, id, fingerprint } => self.ids.look_up(sender, id, *fingerprint),
            Known::Session { position, fingerprint } => self.sessions.look_up(position, *fingerprint, height),
        }
    }

    /// Notes that a submission, which was never seen, stands in a batch. From then on the batch must be executed.
    pub(crate) fn note(&mut self, known: &Known, position: Position) {
        match known {
            Known::Unknown => {}
            Known::Id { sender, id, fingerprint } => self.ids.note(sender, id, *fingerprint, position),
            Known::Session { position: place, fingerprint } => self.sessions.note(place, *fingerprint, position),
        }
    }

    /// Takes a batch of the log in.
    pub(crate) fn observe(&mut self, batch: &Batch) {
        let mut index = 0;
        while index < batch.len() {
            let begin = index;
            let first = batch.call(begin);
            index += 1;
            if first.submission().is_none() && first.id().is_none() {
                continue;
            }
            while index < batch.len() && batch.call(index).continues_submission() {
                index += 1;
            }
            let mut fingerprint = Fingerprint::default();
            for call in (begin..index).map(|index| batch.call(index)) {
                let (contract, method) = batch.target_of(&call);
                fingerprint.add(contract, method, call.sender(), call.arguments(), call.gas_limit());
            }
            let calls = (index - begin) as u32;
            let height = batch.height();
            let position = Position { height, index: begin as u32, calls };
            let fingerprint = fingerprint.finish();
            let known = match (first.submission(), first.id()) {
                (Some(position), _) => Known::Session { position, fingerprint },
                (None, Some(id)) => Known::Id { sender: *first.sender(), id: *id, fingerprint },
                (None, None) => continue,
            };
            self.note(&known, position);
            if first.submission().is_some() {
                self.observe_signed(batch, begin..index);
            }
        }
    }

    /// The signed calls of a submission have ids of their own.
    fn observe_signed(&mut self, batch: &Batch, submission: Range<usize>) {
        for index in submission {
            let call = batch.call(index);
            let (Some(id), Some(_)) = (call.id(), call.signature()) else { continue };
            let (contract, method) = batch.target_of(&call);
            let mut fingerprint = Fingerprint::default();
            fingerprint.add(contract, method, call.sender(), call.arguments(), call.gas_limit());
            let position = Position { height: batch.height(), index: index as u32, calls: 1 };
            self.ids.note(call.sender(), id, fingerprint.finish(), position);
        }
    }
}

#[cfg(test)]
mod tests;
