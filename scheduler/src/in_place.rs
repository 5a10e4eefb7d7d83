//! Calls that own the batch write in place as they run.
//!
//! Nobody else looks at the state while such a call runs, and what it reads is nobody's business. So it writes straight into the
//! table, where its own later reads find what it wrote without looking for it, and notes beside each entry how to take the
//! write back. A call that is kept has nothing left to do but to mark writes of earlier calls that it replaced.

use crate::delta::{Answer, Delta};
use crate::hash::owner;
use crate::key::StateKey;
use crate::open::OpenBatch;
use crate::record::{Check, Effect, Entry, Record, RecordId};
use crate::run::Side;
use crate::state::State;
use crate::value::{Raw, ValueTag, integer_of};
use crate::view::{Base, TooManyWrites, View};

/// How the write of an entry is taken back. The running call has one for each of its entries.
pub(crate) struct Undo {
    owner: u8,
    /// The key's version in its owner's branch. It names the slot, which may move when the table grows.
    version: u32,
    /// The version's last write before this one.
    last: RecordId,
    /// The value before this write. If it is long its bytes are kept until the call ends.
    value: Raw,
}

/// Where a call writes.
struct Place {
    owner: usize,
    /// The key's slot.
    index: u32,
    /// Its entry in the run.
    entry: usize,
    /// Whether the call had written the key before.
    again: bool,
}

impl View {
    #[inline]
    pub(crate) fn open_mut(&mut self) -> &mut OpenBatch {
        match &mut self.base {
            Base::InPlace(open) => open,
            _ => unreachable!("the call owns the batch"),
        }
    }

    /// [`View::set`] of a call that owns the batch.
    #[inline]
    pub(crate) fn set_in_place(&mut self, key: &StateKey<'_>, value: Option<&[u8]>) -> Result<(), TooManyWrites> {
        let (_, found) = self.state().find(key);
        let place = self.place_of(key, found)?;
        let Side { entries, bytes, .. } = &mut self.run.side;
        entries[place.entry].set_value(value, bytes);
        let now = entries[place.entry].raw();
        let partition = &mut self.open_mut().state.partitions[place.owner];
        if place.again {
            // The value was this call's own, so no version needs it.
            partition.free_value(place.index);
        }
        partition.put(place.index, now, value.filter(|_| now.0 == ValueTag::LONG));
        if key.ordered {
            partition.order(key.contract, key.bytes, value.is_some());
        }
        Ok(())
    }

    /// [`View::set_once`] of a call that owns the batch.
    pub(crate) fn set_once_in_place(&mut self, key: &StateKey<'_>, value: &[u8]) -> Result<bool, TooManyWrites> {
        let (owner, found) = self.state().find(key);
        if found.is_some_and(|index| self.state().partitions[owner].value(index).is_some()) {
            return Ok(false);
        }
        self.set_in_place(key, Some(value)).map(|()| true)
    }

    /// [`View::add`] of a call that owns the batch.
    #[inline]
    pub(crate) fn add_in_place(&mut self, key: &StateKey<'_>, delta: Delta) -> Result<Answer, TooManyWrites> {
        let (owner, found) = self.state().find(key);
        let before = found.map_or(Some(0), |index| integer_of(self.state().partitions[owner].raw(index)));
        let Some(before) = before else { return Ok(Answer::WrongLength) };
        let Some(after) = delta.applied_to(before) else { return Ok(Answer::Refused) };
        let place = self.place_of(key, found)?;
        self.run.side.entries[place.entry].set_integer(after);
        let partition = &mut self.open_mut().state.partitions[place.owner];
        partition.set_integer(place.index, after);
        if key.ordered {
            partition.order(key.contract, key.bytes, true);
        }
        Ok(Answer::Applied)
    }

    /// Makes the entry of a key that the call is about to write, unless it has one since the last savepoint. `found`: the
    /// key's slot.
    #[inline]
    fn place_of(&mut self, key: &StateKey<'_>, found: Option<u32>) -> Result<Place, TooManyWrites> {
        let Base::InPlace(open) = &mut self.base else { unreachable!("the call owns the batch") };
        let State { hasher, partitions, writes_max, .. } = &mut *open.state;
        let owner = owner(key.hash);
        let partition = &mut partitions[owner];
        let touched = found.and_then(|index| partition.touched(index));
        let mut own = None;
        if let (Some(index), Some(version)) = (found, touched) {
            let last = partition.versions[version].last;
            own = own_undo(&self.undo, self.run_open, last, owner, version as u32);
            if own.is_some_and(|own| own >= self.floor) {
                return Ok(Place { owner, index, entry: last.place(), again: true });
            }
        }
        if own.is_none() {
            if self.written == *writes_max {
                return Err(TooManyWrites);
            }
            self.written += 1;
        }
        let index = found.unwrap_or_else(|| partition.find_or_insert(key, hasher));
        let Side { entries, bytes, .. } = &mut self.run.side;
        let entry = entries.len();
        Entry::push(entries, key, bytes);
        entries[entry].set_writes();
        let value = partition.raw(index);
        // A fresh version's line is still being written: reading it would wait for that.
        let (version, last) = match touched {
            Some(version) => (version, partition.versions[version].last),
            None => (partition.new_version(index), RecordId::NONE),
        };
        partition.versions[version].last = RecordId::new(self.run.number, entry);
        self.undo.push(Undo { owner: owner as u8, version: version as u32, last, value });
        Ok(Place { owner, index, entry, again: false })
    }

    /// Ends a call that owned the batch: what it wrote stays, or is taken back.
    #[inline]
    pub(crate) fn end_in_place(&mut self, keep: bool) {
        if !keep {
            self.take_back_to(0);
            return self.drop_side();
        }
        for at in 0..self.undo.len() {
            let Undo { owner, version, last, value } = self.undo[at];
            if value.0 == ValueTag::LONG {
                self.open_mut().state.partitions[usize::from(owner)].release(version as usize, value);
            }
            if self.run.has_accesses {
                self.log_write(at);
            }
            if let Some(own) = own_undo(&self.undo[..at], self.run_open, last, usize::from(owner), version) {
                self.supersede_own(own);
            } else if last != RecordId::NONE {
                let Base::InPlace(open) = &mut self.base else { unreachable!("the call owns the batch") };
                let run = if last.run() == self.run.number { &mut self.run } else { &mut open.runs[last.run()] };
                run.supersede(usize::from(owner), last);
            }
        }
        self.undo.clear();
    }

    /// Where calls of other rounds execute in parallel, their owners chain accesses; so this write needs one too.
    fn log_write(&mut self, at: usize) {
        let Undo { owner, version, .. } = self.undo[at];
        let Base::InPlace(open) = &mut self.base else { unreachable!("the call owns the batch") };
        let version = &mut open.state.partitions[usize::from(owner)].versions[version as usize];
        let mut record = Record::new(0, version.slot);
        (record.check, record.effect) = (Check::None, Effect::Value);
        version.last = self.run.log(&record, self.call, self.run_open + at);
    }

    /// A write before a savepoint that was written over behind it.
    #[cold]
    fn supersede_own(&mut self, at: usize) {
        let Side { entries, .. } = &mut self.run.side;
        let entry = &mut entries[self.run_open + at];
        let (owner, access) = (usize::from(entry.owner), entry.access as usize);
        entry.supersede();
        if self.run.has_accesses {
            self.run.buckets[owner][access].set_superseded(true);
        }
    }

    /// Takes back the writes of all but the first `kept` undos, the last one first.
    pub(crate) fn take_back_to(&mut self, kept: usize) {
        while self.undo.len() > kept {
            let Some(Undo { owner, version, last, value }) = self.undo.pop() else { return };
            let Base::InPlace(open) = &mut self.base else { unreachable!("the call owns the batch") };
            let partition = &mut open.state.partitions[usize::from(owner)];
            partition.take_back(version as usize, last, value);
            if self.run.side.entries[self.run_open + self.undo.len()].is_ordered() {
                let slot = partition.versions[version as usize].slot;
                partition.order_slot(slot);
            }
        }
        self.run.side.entries.truncate(self.run_open + kept);
    }
}

/// The call's undo of a key's last write, if that write is the call's. Of a write of another call there is no undo with the
/// key's version, whatever its id.
#[inline]
fn own_undo(undo: &[Undo], run_open: usize, last: RecordId, owner: usize, version: u32) -> Option<usize> {
    let at = last.place().wrapping_sub(run_open);
    undo.get(at).is_some_and(|undo| (undo.owner, undo.version) == (owner as u8, version)).then_some(at)
}
