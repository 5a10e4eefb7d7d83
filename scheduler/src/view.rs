//! What a running call sees of the state, and the records that it leaves.
//!
//! A call reads through its own records down to a base. The base is one of four:
//!
//! - *in place*: the view owns the batch. The base is the state as the calls before have left it; the call writes into it as
//!   it runs, and what it reads is nobody's business. See [`crate::in_place`].
//! - *claimed*: the call holds the keys that it declared, and writes those in place beside other calls. See
//!   [`crate::claimed`].
//! - *snapshot*: workers share the state as it was before the round. Nothing is written; everything that the call saw or
//!   did is recorded, for the keys' owners to chain and check.
//! - *chains*: the view owns the batch, and the call is executed again in the middle of its round. It sees what the
//!   calls before it left, by the chains.

use crate::claimed::Claimed;
use crate::claims::Table;
use crate::delta::{Answer, Delta};
use crate::in_place::{Rewrite, Undo};
use crate::key::{CallIndex, ContractIndex, StateKey};
use crate::open::OpenBatch;
use crate::planted::{Bug, planted};
use crate::prefetch::prefetch_for_write;
use crate::record::{Check, Effect, Entry, NO_SLOT, PREDICATES_MAX, Predicate, Record};
use crate::run::{RunLog, Side};
use crate::state::{State, integer};
use crate::value::{ValueTag, integer_of};
use hashbrown::HashTable;
use std::sync::Arc;

mod savepoint;
mod scan;
mod touched;

use savepoint::Note;
pub use savepoint::Savepoint;
pub(crate) use scan::push_entry;
use touched::Touched;
pub use touched::TouchedKey;

/// Most calls touch two or three keys: their records are compared one after another; past this an index takes over, so that
/// a call with a thousand writes does not make each access a thousand comparisons.
const LINEAR_RECORDS: usize = 16;

/// A call wrote more keys than it may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooManyWrites;

pub(crate) enum Base {
    InPlace(Box<OpenBatch>),
    Claimed(Arc<Table>),
    Snapshot(Arc<State>),
    Chains(Box<OpenBatch>),
    /// Between rounds.
    Nothing,
}

/// A running call's view of the state.
pub struct View {
    pub(crate) base: Base,
    /// The run that the call belongs to.
    pub(crate) run: RunLog,
    pub(crate) call: CallIndex,
    /// The call's records, unless it writes in place.
    records: Vec<Record>,
    /// How its writes are taken back, if it does.
    pub(crate) undo: Vec<Undo>,
    /// What it had written before a savepoint of keys that it wrote again behind it.
    pub(crate) rewrites: Vec<Rewrite>,
    /// Number of the innermost savepoint, counted in each call from 1; 0 without one.
    pub(crate) savepoint: u32,
    savepoints: u32,
    index: HashTable<u32>,
    /// Place of the call's first entry in the run: that of its record or undo `n` is `n` places behind.
    pub(crate) run_open: usize,
    /// Its records that write, in the order in which they came to.
    pub(crate) writers: Vec<u32>,
    /// What the run's side held when the call began.
    mark: (usize, usize, usize),
    /// What its records were before a savepoint; see `savepoint.rs`.
    notes: Vec<Note>,
    pub(crate) claimed: Claimed,
    /// Whether the keys that calls touch are listed.
    listing: bool,
    pub(crate) touched: Touched,
}

impl View {
    pub(crate) fn new(base: Base) -> Self {
        Self {
            base,
            run: RunLog::default(),
            call: CallIndex(0),
            records: Vec::with_capacity(LINEAR_RECORDS),
            undo: Vec::new(),
            rewrites: Vec::new(),
            savepoint: 0,
            savepoints: 0,
            index: HashTable::new(),
            run_open: 0,
            writers: Vec::new(),
            mark: (0, 0, 0),
            notes: Vec::new(),
            claimed: Claimed::default(),
            listing: false,
            touched: Touched::default(),
        }
    }

    #[inline]
    pub(crate) fn state(&self) -> &State {
        match &self.base {
            Base::InPlace(open) | Base::Chains(open) => &open.state,
            Base::Snapshot(state) => state,
            Base::Claimed(_) | Base::Nothing => unreachable!("the call sees a whole state"),
        }
    }

    /// Whether the call owns the batch and writes in place.
    #[inline]
    fn in_place(&self) -> bool {
        matches!(self.base, Base::InPlace(_))
    }

    /// Whether what the call reads is recorded.
    #[inline]
    fn is_recorded(&self) -> bool {
        matches!(self.base, Base::Snapshot(_) | Base::Chains(_))
    }

    /// Begins a call.
    #[inline]
    pub(crate) fn begin_call(&mut self, call: CallIndex) {
        debug_assert!(self.records.is_empty() && self.undo.is_empty());
        self.call = call;
        self.run_open = self.run.open();
        let Side { entries, bytes, predicates, scans } = &self.run.side;
        // Entries of coming calls go there.
        prefetch_for_write(entries.as_ptr().wrapping_add(self.run_open + 8));
        prefetch_for_write(entries.as_ptr().wrapping_add(self.run_open + 9));
        self.mark = (bytes.len(), predicates.len(), scans.len());
    }

    // ---- what the call asks ----

    /// The key's value as the call sees it.
    #[inline]
    pub fn get(&mut self, contract: ContractIndex, key: &[u8], ordered: bool) -> Option<&[u8]> {
        if self.listing {
            self.touched.note(contract, key, ordered, false);
        }
        if self.holds_keys() {
            return self.get_held(contract, key);
        }
        let key = self.state().hasher.key(contract, key, ordered);
        if self.in_place() {
            let (owner, found) = self.state().find(&key);
            return found.and_then(|index| self.state().partitions[owner].value(index));
        }
        let slot = match self.find(&key) {
            Some(at) => {
                self.touch(at);
                self.read_exactly(at);
                if self.records[at].writes() {
                    return self.entry(at).value(&self.run.side.bytes);
                }
                self.locate_again(at)
            }
            None => {
                let (owner, index) = self.state().locate(&key);
                let at = self.push(&key, index);
                self.read_exactly(at);
                (owner, index)
            }
        };
        self.before(slot)
    }

    /// Sets a key, or removes it with `None`.
    ///
    /// # Errors
    /// If the call would write more keys than it may.
    pub fn set(
        &mut self,
        contract: ContractIndex,
        key: &[u8],
        ordered: bool,
        value: Option<&[u8]>,
    ) -> Result<(), TooManyWrites> {
        if self.listing {
            self.touched.note(contract, key, ordered, true);
        }
        if self.holds_keys() {
            return self.set_held(contract, key, value);
        }
        let key = self.state().hasher.key(contract, key, ordered);
        if self.in_place() {
            return self.set_in_place(&key, value);
        }
        let at = match self.find(&key) {
            Some(at) => self.touch(at),
            None => {
                self.may_write_one_more()?;
                let (_, index) = self.state().locate(&key);
                self.push(&key, index)
            }
        };
        self.count_write(at)?;
        self.records[at].effect = Effect::Value;
        let Side { entries, bytes, .. } = &mut self.run.side;
        entries[self.run_open + at].set_value(value, bytes);
        Ok(())
    }

    /// Sets a key that is absent, and leaves one that is present. The call depends on which of the two it was, not on the
    /// value.
    ///
    /// # Errors
    /// If the call would write more keys than it may.
    pub fn set_once(
        &mut self,
        contract: ContractIndex,
        key: &[u8],
        ordered: bool,
        value: &[u8],
    ) -> Result<bool, TooManyWrites> {
        if self.listing {
            self.touched.note(contract, key, ordered, true);
        }
        if self.holds_keys() {
            return self.set_once_held(contract, key, value);
        }
        let key = self.state().hasher.key(contract, key, ordered);
        if self.in_place() {
            return self.set_once_in_place(&key, value);
        }
        let own = self.find(&key);
        let (present, slot) = match own {
            Some(at) if self.records[at].writes() => (self.entry(at).value(&self.run.side.bytes).is_some(), NO_SLOT),
            Some(at) => (self.before(self.locate_again(at)).is_some(), NO_SLOT),
            None => {
                let slot = self.state().locate(&key);
                (self.before(slot).is_some(), slot.1)
            }
        };
        let at = match own {
            Some(at) => self.touch(at),
            None => self.push(&key, slot),
        };
        // What the call has written itself is there whatever was before it.
        if !self.records[at].writes() {
            self.saw_presence(at, present);
        }
        if present {
            return Ok(false);
        }
        self.count_write(at)?;
        self.records[at].effect = Effect::Value;
        let Side { entries, bytes, .. } = &mut self.run.side;
        entries[self.run_open + at].set_value(Some(value), bytes);
        Ok(true)
    }

    /// Applies a bounded delta to a 16-byte integer, an absent key counting as 0.
    ///
    /// # Errors
    /// If the call would write more keys than it may.
    #[inline]
    pub fn add(
        &mut self,
        contract: ContractIndex,
        key: &[u8],
        ordered: bool,
        delta: Delta,
    ) -> Result<Answer, TooManyWrites> {
        if self.listing {
            self.touched.note(contract, key, ordered, true);
        }
        if self.holds_keys() {
            return self.add_held(contract, key, delta);
        }
        let state = self.state();
        let key = state.hasher.key(contract, key, ordered);
        if self.in_place() {
            return self.add_in_place(&key, delta);
        }
        let own = self.find(&key);
        let (before, slot) = match own {
            Some(at) if self.records[at].writes() => (integer(self.entry(at).value(&self.run.side.bytes)), NO_SLOT),
            Some(at) => (self.integer_before(self.locate_again(at)), NO_SLOT),
            None => {
                let slot = self.state().locate(&key);
                (self.integer_before(slot), slot.1)
            }
        };
        let after = before.map(|before| delta.applied_to(before));
        let answer = match after {
            None => Answer::WrongLength,
            Some(None) => Answer::Refused,
            Some(Some(_)) => Answer::Applied,
        };
        let at = match own {
            Some(at) => self.touch(at),
            None => self.push(&key, slot),
        };
        if answer == Answer::Applied
            && let Err(error) = self.count_write(at)
        {
            // The call depends on the answer all the same; but a predicate would count for later ones, as if it were applied.
            self.read_exactly(at);
            return Err(error);
        }
        self.answered(at, delta, answer);
        if let Some(Some(after)) = after {
            let record = &mut self.records[at];
            // What the call knows exactly, by having read or written it, does not depend on anybody's deltas any more.
            let known = record.effect == Effect::Value || record.check == Check::Exact;
            record.effect = if known { Effect::Value } else { Effect::Deltas };
            self.run.side.entries[self.run_open + at].set_integer(after);
        }
        Ok(answer)
    }

    /// How many keys the running call has written.
    #[inline]
    pub fn written(&self) -> usize {
        if self.is_recorded() { self.writers.len() } else { self.undo.len() }
    }

    // ---- its own records ----

    #[inline]
    fn entry(&self, at: usize) -> &Entry {
        &self.run.side.entries[self.run_open + at]
    }

    fn written_entries(&self) -> impl Iterator<Item = &Entry> {
        (0..self.written()).map(|n| self.entry(if self.is_recorded() { self.writers[n] as usize } else { n }))
    }

    #[inline]
    fn find(&self, key: &StateKey<'_>) -> Option<usize> {
        let holds = |at: usize| {
            // A scan's entry names its start, which may be somebody's key.
            self.records[at].check != Check::Scan && self.entry(at).holds(key, &self.run.side.bytes)
        };
        if self.records.len() > LINEAR_RECORDS {
            return self.index.find(key.hash, |&at| holds(at as usize)).map(|&at| at as usize);
        }
        let mut records = self.records.iter().enumerate();
        records.find(|(at, record)| record.hash == key.hash && holds(*at)).map(|(at, _)| at)
    }

    #[inline]
    fn push(&mut self, key: &StateKey<'_>, slot: u32) -> usize {
        let at = self.records.len();
        self.records.push(Record::new(key.hash, slot, self.savepoint));
        let Side { entries, bytes, .. } = &mut self.run.side;
        Entry::push(entries, key, bytes);
        if at >= LINEAR_RECORDS {
            self.extend_index(at);
        }
        at
    }

    #[cold]
    fn extend_index(&mut self, at: usize) {
        let from = if at == LINEAR_RECORDS { 0 } else { at };
        for place in from..=at {
            let hash = self.records[place].hash;
            self.index.insert_unique(hash, place as u32, |&at| self.records[at as usize].hash);
        }
    }

    /// A record that was found is about to be looked at or changed.
    #[inline]
    fn touch(&mut self, at: usize) -> usize {
        if self.records[at].since < self.savepoint {
            self.note(at);
        }
        at
    }

    #[inline]
    fn may_write_one_more(&self) -> Result<(), TooManyWrites> {
        if self.writers.len() == self.state().writes_max { Err(TooManyWrites) } else { Ok(()) }
    }

    /// Counts the record's key as written, which it is about to be.
    #[inline]
    fn count_write(&mut self, at: usize) -> Result<(), TooManyWrites> {
        if !self.records[at].writes() {
            self.may_write_one_more()?;
            self.writers.push(at as u32);
        }
        Ok(())
    }

    /// From here on the call depends on the very value before it, unless it has replaced that.
    #[inline]
    fn read_exactly(&mut self, at: usize) {
        let record = &self.records[at];
        if record.effect == Effect::Value || record.check == Check::Exact {
            return;
        }
        let seen = match self.before(self.locate_again(at)) {
            None => (ValueTag::ABSENT, [0; 16]),
            Some(short) if short.len() <= 16 => {
                let mut raw = [0; 16];
                raw[..short.len()].copy_from_slice(short);
                (ValueTag::inline(short.len()), raw)
            }
            Some(_) => (ValueTag::LONG, [0; 16]),
        };
        let record = &mut self.records[at];
        (record.seen_tag, record.seen) = seen;
        record.check = Check::Exact;
        if record.effect == Effect::Deltas {
            record.effect = Effect::Value;
        }
    }

    /// From here on the call depends on whether there was a value before it.
    fn saw_presence(&mut self, at: usize, present: bool) {
        let record = &mut self.records[at];
        match record.check {
            Check::None => record.check = Check::Presence(present),
            Check::Presence(_) | Check::Exact => {}
            // A record has one check; this one says both.
            Check::One(..) | Check::Many => self.read_exactly(at),
            Check::Scan => unreachable!("a scan's record has no key"),
        }
    }

    /// Notes an answer that the call got, where it depends on calls before.
    #[inline]
    fn answered(&mut self, at: usize, delta: Delta, answer: Answer) {
        let record = &mut self.records[at];
        if record.effect == Effect::Value || record.check == Check::Exact {
            return;
        }
        if let Check::Presence(_) = record.check {
            return self.read_exactly(at);
        }
        if record.check == Check::None {
            if let Some(exponent) = delta.exponent() {
                record.check = Check::One(delta.operator, answer);
                (record.seen, record.side) = (delta.magnitude.to_le_bytes(), exponent);
            } else {
                let predicates = &mut self.run.side.predicates;
                (record.check, record.side) = (Check::Many, predicates.len() as u32);
                predicates.push(Predicate { delta, answer, next: u32::MAX });
            }
            return;
        }
        self.answered_many(at, delta, answer);
    }

    /// The same, where there is an answer already.
    #[cold]
    fn answered_many(&mut self, at: usize, delta: Delta, answer: Answer) {
        let predicates = &mut self.run.side.predicates;
        let record = &mut self.records[at];
        if let Check::One(operator, answer) = record.check {
            let delta = record.one(operator);
            record.side = predicates.len() as u32;
            predicates.push(Predicate { delta, answer, next: u32::MAX });
        }
        record.check = Check::Many;
        let (mut last, mut count) = (record.side as usize, 1);
        while predicates[last].next != u32::MAX {
            (last, count) = (predicates[last].next as usize, count + 1);
        }
        if count == PREDICATES_MAX {
            return self.read_exactly(at);
        }
        predicates[last].next = predicates.len() as u32;
        predicates.push(Predicate { delta, answer, next: u32::MAX });
    }

    // ---- the base ----

    /// Where a record's key is.
    #[inline]
    fn locate_again(&self, at: usize) -> (usize, u32) {
        (usize::from(self.entry(at).owner), self.records[at].slot)
    }

    /// The value before the call.
    #[inline]
    fn before(&self, (owner, index): (usize, u32)) -> Option<&[u8]> {
        if index == NO_SLOT {
            return None;
        }
        match &self.base {
            Base::Chains(open) => open.value_before(owner, index, self.call),
            _ => self.state().partitions[owner].value(index),
        }
    }

    /// The integer that the value before the call is; see [`integer`].
    #[inline]
    fn integer_before(&self, (owner, index): (usize, u32)) -> Option<u128> {
        if let Base::Chains(_) = self.base {
            return integer(self.before((owner, index)));
        }
        if index == NO_SLOT {
            return Some(0);
        }
        integer_of(self.state().partitions[owner].raw(index))
    }

    // ---- the end of the call ----

    /// Ends the running call: its writes enter the branch, or are dropped. What it read stays in the log, if reads are
    /// recorded at all.
    #[inline]
    pub(crate) fn end_call(&mut self, keep: bool) {
        debug_assert!(
            self.savepoint == 0 && self.notes.is_empty() && self.rewrites.is_empty(),
            "savepoints are closed"
        );
        match self.base {
            Base::InPlace(_) => self.end_in_place(keep),
            Base::Claimed(_) => self.end_held(keep),
            _ => self.log_records(keep),
        }
        self.run.end_call();
        self.clear();
    }

    #[inline]
    fn clear(&mut self) {
        if self.records.len() > LINEAR_RECORDS {
            self.index.clear();
        }
        self.records.clear();
        self.writers.clear();
        self.savepoints = 0;
    }

    /// Drops what the call has left in the run.
    pub(crate) fn drop_side(&mut self) {
        let Side { entries, bytes, predicates, scans } = &mut self.run.side;
        entries.truncate(self.run_open);
        bytes.truncate(self.mark.0);
        predicates.truncate(self.mark.1);
        scans.truncate(self.mark.2);
    }

    #[inline]
    fn log_records(&mut self, keep: bool) {
        if self.run.side.scans.len() > self.mark.2 {
            self.log_scans();
        }
        for (record, at) in self.records.iter_mut().zip(self.run_open..) {
            if !keep {
                record.effect = Effect::None;
            }
            if planted(Bug::DroppedReader) && !record.writes() && record.check != Check::Scan {
                record.check = Check::None;
            }
            if record.check != Check::Scan {
                self.run.log(record, self.call, at);
            }
        }
    }

    /// Takes the records of a call that was executed again, with their entries, without logging them.
    pub(crate) fn take_records(&mut self, keep: bool) -> Vec<(Record, Entry)> {
        let entries = self.run.side.entries.drain(self.run_open..);
        let mut records: Vec<_> = self.records.drain(..).zip(entries).collect();
        if !keep {
            records.iter_mut().for_each(|(record, _)| record.effect = Effect::None);
        }
        self.index.clear();
        self.writers.clear();
        records
    }
}
