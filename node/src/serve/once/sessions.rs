//! Sessions: for each one high-water mark, and a bounded window of answers.

use phalanx_engine::Submission;
use std::collections::{HashMap, VecDeque};

use super::Seen;
use crate::serve::submission::Position;

/// The sessions that are remembered.
pub(crate) struct Sessions {
    sessions: HashMap<[u8; 16], Session>,
    sessions_max: usize,
    idle_heights: u64,
    answers_max: usize,
}

/// One session.
#[derive(Default)]
pub(crate) struct Session {
    /// The highest sequence that was executed.
    high: u64,
    /// What the last ones left, up to `high`.
    answers: VecDeque<(u64, Position)>,
    /// The last height that it was used in.
    height: u64,
}

impl Session {
    /// The sequence that comes next.
    pub(crate) fn next(&self) -> u64 {
        self.high + 1
    }

    /// The lowest sequence whose answer is known; that which comes next if there is none.
    pub(crate) fn earliest_answer(&self) -> u64 {
        self.next() - self.answers.len() as u64
    }
}

impl Sessions {
    pub(super) fn new(sessions_max: usize, idle_heights: u64, answers_max: usize) -> Sessions {
        Sessions { sessions: HashMap::new(), sessions_max, idle_heights, answers_max }
    }

    /// The session of this name.
    pub(crate) fn get(&self, session: &[u8; 16]) -> Option<&Session> {
        self.sessions.get(session)
    }

    pub(super) fn look_up(&self, place: &Submission, fingerprint: u64, height: u64) -> Seen {
        let next = self.sessions.get(&place.session).map_or(1, Session::next);
        if place.sequence > next || place.sequence == 0 {
            return Seen::Gap(next);
        }
        let Some(session) = self.sessions.get(&place.session) else {
            let has_place = self.sessions.len() < self.sessions_max || self.oldest_idle(height).is_some();
            return if has_place { Seen::Never } else { Seen::NoPlace };
        };
        let earliest = session.earliest_answer();
        match place.sequence.checked_sub(earliest) {
            _ if place.sequence == next => Seen::Never,
            None => Seen::Forgotten(earliest),
            Some(back) => match session.answers[back as usize] {
                (seen, position) if seen == fingerprint => Seen::At(position),
                (_, position) => Seen::Other(position),
            },
        }
    }

    pub(super) fn note(&mut self, place: &Submission, fingerprint: u64, position: Position) {
        if !self.sessions.contains_key(&place.session)
            && self.sessions.len() >= self.sessions_max
            && let Some(oldest) = self.oldest_idle(position.height)
        {
            self.sessions.remove(&oldest);
        }
        let session = self.sessions.entry(place.session).or_default();
        session.high = place.sequence;
        session.height = position.height;
        if session.answers.len() == self.answers_max {
            session.answers.pop_front();
        }
        session.answers.push_back((fingerprint, position));
    }

    /// The session that was not used for longest, if that is long enough. Walks over all: only a new session that finds no
    /// place asks.
    fn oldest_idle(&self, height: u64) -> Option<[u8; 16]> {
        let (name, session) = self.sessions.iter().min_by_key(|(name, session)| (session.height, **name))?;
        (session.height + self.idle_heights < height).then_some(*name)
    }
}
