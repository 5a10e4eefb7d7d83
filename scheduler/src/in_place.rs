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

/// How the writes of an entry's key are taken back. The running call has one for each of its entries.
pub(crate) struct Undo {
    pub(crate) owner: u8,
    /// The innermost savepoint when the key was written first, or noted last.
    pub(crate) since: u32,
    /// The key's version in its owner's branch. It names the slot, which may move when the table grows.
    pub(crate) version: u32,
    /// The version's last write before this one.
    pub(crate) last: RecordId,
    /// The value before this write. If it is long its bytes are kept until the call ends.
    pub(crate) value: Raw,
}

/// What a call had written before a savepoint, of a key that it writes again behind it.
pub(crate) struct Rewrite {
    /// Place of the key's undo.
    at: usize,
    /// The undo's `since` before.
    since: u32,
    /// The values of slot and entry. If they are long, the slot's bytes are kept until the savepoint is closed.
    slot: Raw,
    entry: Raw,
}

/// Where a call writes.
struct Place {
    owner: usize,
    /// The key's slot.
    index: u32,
    /// Its entry in the run.
    entry: usize,
    /// Whether the value there is the call's own, and needed by nobody when it is replaced.
    is_spent: bool,
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
        if place.is_spent {
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

    /// Makes the entry of a key that the call is about to write, unless it has one. `found`: the key's slot.
    #[inline]
    fn place_of(&mut self, key: &StateKey<'_>, found: Option<u32>) -> Result<Place, TooManyWrites> {
        let Base::InPlace(open) = &mut self.base else { unreachable!("the call owns the batch") };
        let State { hasher, partitions, writes_max, .. } = &mut *open.state;
        let owner = owner(key.hash);
        let partition = &mut partitions[owner];
        let touched = found.and_then(|index| partition.touched(index));
        if let (Some(index), Some(version)) = (found, touched) {
            // Of a write of another call there is no undo with the key's version, whatever its id.
            let (_, at) = partition.versions[version].last.entry();
            if let Some(undo) = self.undo.get_mut(at)
                && (undo.owner, undo.version) == (owner as u8, version as u32)
            {
                let entry = self.run_open + at;
                let is_spent = undo.since >= self.savepoint;
                if !is_spent {
                    let since = core::mem::replace(&mut undo.since, self.savepoint);
                    let (slot, before) = (partition.raw(index), self.run.side.entries[entry].raw());
                    self.rewrites.push(Rewrite { at, since, slot, entry: before });
                }
                return Ok(Place { owner, index, entry, is_spent });
            }
        }
        if self.undo.len() == *writes_max {
            return Err(TooManyWrites);
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
        partition.versions[version].last = RecordId::of_entry(self.call, self.undo.len());
        self.undo.push(Undo { owner: owner as u8, since: self.savepoint, version: version as u32, last, value });
        Ok(Place { owner, index, entry, is_spent: false })
    }

    /// Ends a call that owned the batch: what it wrote stays, or is taken back.
    #[inline]
    pub(crate) fn end_in_place(&mut self, keep: bool) {
        if !keep {
            self.take_back(0, 0);
            return self.drop_side();
        }
        for at in 0..self.undo.len() {
            let Undo { owner, version, last, value, .. } = self.undo[at];
            if value.0 == ValueTag::LONG {
                self.open_mut().state.partitions[usize::from(owner)].release(version as usize, value);
            }
            if self.run.has_accesses {
                self.log_write(at);
            }
            if last != RecordId::NONE {
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
        let mut record = Record::new(0, version.slot, 0);
        (record.check, record.effect) = (Check::None, Effect::Value);
        version.last = self.run.log(&record, self.call, self.run_open + at);
    }

    /// Takes back the writes of all but the first `undos` and `rewrites`, the last ones first.
    #[cold]
    pub(crate) fn take_back(&mut self, undos: usize, rewrites: usize) {
        while self.rewrites.len() > rewrites {
            let Some(Rewrite { at, since, slot, entry }) = self.rewrites.pop() else { return };
            let Undo { owner, version, .. } = self.undo[at];
            let Base::InPlace(open) = &mut self.base else { unreachable!("the call owns the batch") };
            let partition = &mut open.state.partitions[usize::from(owner)];
            let last = partition.versions[version as usize].last;
            partition.take_back(version as usize, last, slot);
            self.undo[at].since = since;
            self.run.side.entries[self.run_open + at].set_raw(entry);
            self.put_in_order(at, owner, version);
        }
        while self.undo.len() > undos {
            let at = self.undo.len() - 1;
            let Some(Undo { owner, version, last, value, .. }) = self.undo.pop() else { return };
            let Base::InPlace(open) = &mut self.base else { unreachable!("the call owns the batch") };
            open.state.partitions[usize::from(owner)].take_back(version as usize, last, value);
            self.put_in_order(at, owner, version);
        }
        self.run.side.entries.truncate(self.run_open + undos);
    }

    /// Brings the order of an ordered slot in step with a value that was put back.
    fn put_in_order(&mut self, at: usize, owner: u8, version: u32) {
        if self.run.side.entries[self.run_open + at].is_ordered() {
            let partition = &mut self.open_mut().state.partitions[usize::from(owner)];
            let slot = partition.versions[version as usize].slot;
            partition.order_slot(slot);
        }
    }

    /// Drops the rewrites behind the first `kept` that the savepoint `outer` has no use for, as it has one of the key already,
    /// or the key was first written behind it.
    #[cold]
    pub(crate) fn forget_rewrites(&mut self, kept: usize, outer: u32) {
        let mut to = kept;
        for at in kept..self.rewrites.len() {
            let Rewrite { at: undo, since, slot, .. } = self.rewrites[at];
            if since < outer {
                self.rewrites.swap(to, at);
                to += 1;
            } else if slot.0 == ValueTag::LONG {
                // It was the call's own, so no version holds it.
                let owner = usize::from(self.undo[undo].owner);
                self.open_mut().state.partitions[owner].free(slot, &[]);
            }
        }
        self.rewrites.truncate(to);
    }
}
