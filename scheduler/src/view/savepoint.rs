//! Taking back what a part of a call did, as a nested call that failed is taken back.
//!
//! Savepoints are numbered. What lies behind one is dropped when it is rolled back to. What was there before, and is touched behind it,
//! is noted as it was: once for each savepoint, which is why undos and records know since which one they are as they are. A note that the
//! savepoint around has no use for goes when the inner one is kept.
//!
//! A call that writes in place notes what it had written of a key ([`crate::in_place`]). Where calls are recorded, what was *seen*
//! behind a savepoint stays, as it stays of a call that fails: checks are never taken back, they only get stricter. Of a delta
//! that was applied and is taken back, the answer would have to be checked with it and later ones without it; such a record
//! is made an exact read, which is true whatever came of the delta.

use super::View;
use crate::delta::Answer;
use crate::record::{Check, Effect, Predicate, Record};
use crate::value::Raw;

/// A moment of a running call: see [`View::savepoint`].
#[derive(Debug)]
#[must_use = "a savepoint is kept or rolled back to"]
pub struct Savepoint {
    /// Records, or undos, that were there.
    records: usize,
    /// Notes, or rewrites, that were there.
    notes: usize,
    /// Records that were writing.
    writers: usize,
    /// Number of the savepoint around this one; 0 without one.
    around: u32,
}

/// An old record as it was before it was touched.
pub(super) struct Note {
    at: usize,
    record: Record,
    /// Predicates that it had.
    predicates: usize,
    value: Raw,
}

impl View {
    /// From here on, what the running call writes can be taken back. Savepoints are closed, by [`View::keep`] or
    /// [`View::roll_back`], in the reverse order of their making, before the call ends.
    pub fn savepoint(&mut self) -> Savepoint {
        self.savepoints += 1;
        let around = core::mem::replace(&mut self.savepoint, self.savepoints);
        // A call that holds keys cannot take back a part of what it did.
        self.claimed.strayed |= self.holds_keys();
        self.touched.whole &= !self.listing;
        let (records, notes) = match self.in_place() {
            true => (self.undo.len(), self.rewrites.len()),
            false => (self.records.len(), self.notes.len()),
        };
        Savepoint { records, notes, writers: self.writers.len(), around }
    }

    /// Closes a savepoint: what was written since is a part of what the call, or the savepoint around this one, does.
    pub fn keep(&mut self, savepoint: Savepoint) {
        self.savepoint = savepoint.around;
        if self.holds_keys() {
            return;
        }
        if self.in_place() {
            return self.forget_rewrites(savepoint.notes, savepoint.around);
        }
        let mut kept = savepoint.notes;
        for at in savepoint.notes..self.notes.len() {
            if self.notes[at].record.since < savepoint.around {
                self.notes.swap(kept, at);
                kept += 1;
            }
        }
        self.notes.truncate(kept);
    }

    /// Closes a savepoint and takes back what was written since. What was read since is depended on as before.
    pub fn roll_back(&mut self, savepoint: Savepoint) {
        self.savepoint = savepoint.around;
        if self.holds_keys() {
            return;
        }
        if self.in_place() {
            return self.take_back(savepoint.records, savepoint.notes);
        }
        self.writers.truncate(savepoint.writers);
        while self.notes.len() > savepoint.notes {
            if let Some(note) = self.notes.pop() {
                self.put_back(note);
            }
        }
        (savepoint.records..self.records.len()).for_each(|at| self.drop_effect(at));
    }

    /// Notes an old record, which is about to be looked at or changed.
    #[cold]
    pub(super) fn note(&mut self, at: usize) {
        let record = self.records[at];
        let predicates = match record.check {
            Check::One(..) => 1,
            _ => self.predicates(&record).count(),
        };
        let entry = self.entry(at);
        let value = (entry.tag, entry.value);
        self.notes.push(Note { at, record, predicates, value });
        self.records[at].since = self.savepoint;
    }

    fn put_back(&mut self, note: Note) {
        let Note { at, record: before, predicates, value } = note;
        let entry = &mut self.run.side.entries[self.run_open + at];
        (entry.tag, entry.value) = value;
        let added = self.has_applied(&self.records[at], predicates);
        let record = &mut self.records[at];
        // Deltas of a value that has been read since: the value is known, and so is what they made of it.
        let known = record.check == Check::Exact && before.effect == Effect::Deltas;
        record.effect = if known { Effect::Value } else { before.effect };
        record.since = before.since;
        if added {
            self.read_exactly(at);
        }
    }

    fn drop_effect(&mut self, at: usize) {
        self.records[at].effect = Effect::None;
        if self.has_applied(&self.records[at], 0) {
            self.read_exactly(at);
        }
    }

    /// Whether the record has an applied delta behind its first `from` predicates.
    fn has_applied(&self, record: &Record, from: usize) -> bool {
        match record.check {
            Check::One(_, answer) => from == 0 && answer == Answer::Applied,
            _ => self.predicates(record).skip(from).any(|predicate| predicate.answer == Answer::Applied),
        }
    }

    /// The record's list of predicates; a single one has none.
    fn predicates(&self, record: &Record) -> impl Iterator<Item = &Predicate> {
        let first = if record.check == Check::Many { record.side } else { u32::MAX };
        let list = &self.run.side.predicates;
        core::iter::successors(list.get(first as usize), |predicate| list.get(predicate.next as usize))
    }
}
