//! Repair: dirty calls of a round are executed again, in order, each in the middle of its chains.
//!
//! When the loop comes to a dirty call, every call before it is final, so what it sees now is what it would have seen in
//! order, and it will not be executed once more. Its new records take the places of its old ones. Where a value changes by
//! that, the change is followed up the key's chain: deltas behind it are added up again, and calls whose checks fail now become dirty.
//! They all lie behind the call, where the loop is still to come: one pass is enough.
//!
//! Following a change costs as many steps as the chain has records until something absorbs it. A batch in which this costs
//! more than it can save is not worth repairing: then the rest of the round is executed in order from the call on.

use crate::executor::RUN_CALLS;
use crate::fold::{apply, meet};
use crate::key::CallIndex;
use crate::open::OpenBatch;
use crate::planted::{Bug, planted};
use crate::record::{Access, Check, Effect, Entry, Record, RecordId, long_value};
use crate::run::RunLog;
use crate::value::{Raw, ValueTag};

/// Calls of a round, as bits.
pub(crate) struct Dirty {
    first: u32,
    bits: Vec<u64>,
    pub(crate) count: usize,
}

impl Dirty {
    pub(crate) fn new(first: u32, calls: u32) -> Self {
        Self { first, bits: vec![0; calls.div_ceil(64) as usize], count: 0 }
    }

    pub(crate) fn insert(&mut self, call: u32) {
        let at = call - self.first;
        let word = &mut self.bits[at as usize / 64];
        self.count += usize::from(*word >> (at % 64) & 1 == 0);
        *word |= 1 << (at % 64);
    }

    /// Whether a call of the round is dirty.
    pub(crate) fn contains(&self, call: CallIndex) -> bool {
        let at = call.0 - self.first;
        self.bits[at as usize / 64] >> (at % 64) & 1 != 0
    }

    /// The first dirty call from `from` on.
    pub(crate) fn next(&self, from: u32) -> Option<CallIndex> {
        let mut at = from - self.first;
        while let Some(word) = self.bits.get(at as usize / 64) {
            let rest = word >> (at % 64);
            if rest != 0 {
                return Some(CallIndex(self.first + at + rest.trailing_zeros()));
            }
            at = (at / 64 + 1) * 64;
        }
        None
    }
}

/// A version whose chain was changed: owner and number.
pub(crate) type Changed = (usize, usize);

impl OpenBatch {
    /// Puts the records of a call's second execution in the place of its first one's. They refer to `scratch`. Answers how
    /// many writes only the second made, and only the first.
    pub(crate) fn replace(
        &mut self,
        call: CallIndex,
        records: Vec<(Record, Entry)>,
        scratch: &RunLog,
        dirty: &mut Dirty,
        changed: &mut Vec<Changed>,
    ) -> (u64, u64) {
        let (mut new, mut dropped) = (0, 0);
        let run = (call.0 / RUN_CALLS) as usize;
        let old = self.runs[run].entries(call).to_vec();
        // Those of the old entries that the call does not have any more have accesses that do nothing, and are forgotten.
        let mut kept = vec![false; old.len()];
        let mut entries = Vec::with_capacity(records.len());
        for (record, mut entry) in records {
            self.move_in(run, &record, &mut entry, scratch);
            let owner = usize::from(entry.owner);
            entry.access = match old.iter().position(|old| self.is_same(run, old, &entry)) {
                Some(at) => {
                    kept[at] = true;
                    old[at].access
                }
                None => self.link(run, &record, &entry, call),
            };
            let id = RecordId::new(run, entry.access as usize);
            let wrote = self.access(owner, id).writes();
            new += u64::from(!wrote && record.writes());
            dropped += u64::from(wrote && !record.writes());
            entries.push(entry);
            self.rewrite(owner, id, Some((&record, &entry)), dirty, changed);
        }
        for (entry, _) in old.iter().zip(&kept).filter(|(_, kept)| !**kept) {
            let (owner, id) = (usize::from(entry.owner), RecordId::new(run, entry.access as usize));
            dropped += u64::from(self.access(owner, id).writes());
            self.rewrite(owner, id, None, dirty, changed);
        }
        self.runs[run].set_entries(call, &entries);
        (new, dropped)
    }

    /// Whether two entries of a run have one key.
    fn is_same(&self, run: usize, old: &Entry, new: &Entry) -> bool {
        let bytes = &self.runs[run].side.bytes;
        (old.owner, old.contract) == (new.owner, new.contract) && old.key_bytes(bytes) == new.key_bytes(bytes)
    }

    /// Copies what a record refers to into its run.
    fn move_in(&mut self, run: usize, record: &Record, entry: &mut Entry, scratch: &RunLog) {
        let side = &mut self.runs[run].side;
        entry.move_key(&scratch.side.bytes, &mut side.bytes);
        if entry.tag == ValueTag::LONG && record.effect == Effect::Value {
            entry.set_value(Some(long_value(&entry.value.clone(), &scratch.side.bytes)), &mut side.bytes);
        }
    }

    /// Appends an access that says nothing to its owner's bucket, and puts it into its key's chain. Answers its place.
    fn link(&mut self, run: usize, record: &Record, entry: &Entry, call: CallIndex) -> u32 {
        let Self { state, runs, round, steps } = self;
        let owner = usize::from(entry.owner);
        let partition = &mut state.partitions[owner];
        let key = state.hasher.key_of(entry, &runs[run].side.bytes);
        let index = partition.find_or_insert(&key, &state.hasher);
        let version = partition.version_in_round(index, *round);
        let id = RecordId::new(run, runs[run].buckets[owner].len());
        let (mut behind, mut before) = (RecordId::NONE, partition.versions[version].tail);
        while before != RecordId::NONE && runs[before.run()].buckets[owner][before.place()].call > call {
            behind = before;
            before = runs[before.run()].buckets[owner][before.place()].prev;
            steps.set(steps.get() + 1);
        }
        let mut blank = record.access(call, entry, 0);
        (blank.check, blank.effect) = (Check::None, Effect::None);
        (blank.prev, blank.next) = (before, behind);
        match behind {
            RecordId::NONE => partition.versions[version].tail = id,
            behind => runs[behind.run()].buckets[owner][behind.place()].prev = id,
        }
        // The way up is gone from the call's own records on only, so the one before needs not know of this one.
        blank.set_version(version);
        runs[run].push_access(owner, blank) as u32
    }

    /// Makes a record do what `by` does, or nothing, and follows what changes by that.
    fn rewrite(
        &mut self,
        owner: usize,
        id: RecordId,
        by: Option<(&Record, &Entry)>,
        dirty: &mut Dirty,
        changed: &mut Vec<Changed>,
    ) {
        let access = self.access_mut(owner, id);
        let before = access.writes().then_some((access.tag, access.value));
        // The calls before are final, and so is this one: what it saw will not be checked again.
        access.check = Check::None;
        match by {
            Some((record, entry)) => {
                (access.effect, access.tag, access.value) = (record.effect, entry.tag, entry.value);
            }
            None => access.effect = Effect::None,
        }
        let after = access.writes().then_some((access.tag, access.value));
        let same = before == after || planted(Bug::UnfollowedChange) && before.is_some() == after.is_some();
        // A long value is compared by the place of its bytes, which those of a second execution do not share.
        if same {
            return;
        }
        self.follow(owner, id, dirty, changed);
    }

    /// Goes up a chain from behind a record whose value has changed.
    fn follow(&mut self, owner: usize, from: RecordId, dirty: &mut Dirty, changed: &mut Vec<Changed>) {
        let Self { state, runs, steps, .. } = self;
        let partition = &mut state.partitions[owner];
        let number = runs[from.run()].buckets[owner][from.place()].version();
        changed.push((owner, number));
        // The value behind the record: its own, or that of the nearest writer before it.
        let mut writer = from;
        while writer != RecordId::NONE && !runs[writer.run()].buckets[owner][writer.place()].writes() {
            writer = runs[writer.run()].buckets[owner][writer.place()].prev;
            steps.set(steps.get() + 1);
        }
        let mut written = writer != RecordId::NONE;
        let mut now = match writer {
            RecordId::NONE => partition.versions[number].base(),
            writer => value_of(&runs[writer.run()].buckets[owner][writer.place()]),
        };
        let mut next = runs[from.run()].buckets[owner][from.place()].next;
        while next != RecordId::NONE {
            steps.set(steps.get() + 1);
            let RunLog { buckets, side, .. } = &mut runs[next.run()];
            let record = &mut buckets[owner][next.place()];
            let (before, behind) = (record.value, record.next);
            if !meet(record, now, written, side) {
                dirty.insert(record.call.0);
            }
            match record.effect {
                Effect::None => {}
                // A value does not depend on the one before it.
                Effect::Value => return,
                Effect::Deltas if record.value == before => return,
                Effect::Deltas => (now, written) = (value_of(record), true),
            }
            next = behind;
        }
    }

    /// Brings slots and marks in step with chains that were changed.
    pub(crate) fn settle(&mut self, mut changed: Vec<Changed>) {
        changed.sort_unstable();
        changed.dedup();
        for (owner, number) in changed {
            self.settle_one(owner, number);
        }
    }

    pub(crate) fn settle_one(&mut self, owner: usize, number: usize) {
        let Self { state, runs, .. } = self;
        let partition = &mut state.partitions[owner];
        let version = partition.versions[number];
        let (mut id, mut last) = (version.tail, RecordId::NONE);
        while id != RecordId::NONE {
            let record = &mut runs[id.run()].buckets[owner][id.place()];
            if record.writes() {
                record.set_superseded(last != RecordId::NONE);
                if last == RecordId::NONE {
                    last = id;
                }
            }
            id = record.prev;
        }
        if version.base_last != RecordId::NONE {
            let access = &mut runs[version.base_last.run()].buckets[owner][version.base_last.place()];
            access.set_superseded(last != RecordId::NONE);
        }
        if last == RecordId::NONE {
            partition.versions[number].last = version.base_last;
            partition.set_back(version.slot, number, version.base());
            partition.order_slot(version.slot);
        } else {
            partition.versions[number].last = last;
            let RunLog { buckets, side, .. } = &runs[last.run()];
            apply(partition, (version.slot, number), &buckets[owner][last.place()], side);
        }
    }

    /// Takes back what the calls from `call` on did in the open round.
    pub(crate) fn roll_back(&mut self, call: CallIndex) {
        for owner in 0..self.state.partitions.len() {
            for number in 0..self.state.partitions[owner].versions.len() {
                let version = self.state.partitions[owner].versions[number];
                if version.round != self.round {
                    continue;
                }
                let mut tail = version.tail;
                while tail != RecordId::NONE && self.access(owner, tail).call >= call {
                    tail = self.access(owner, tail).prev;
                }
                self.state.partitions[owner].versions[number].tail = tail;
                self.settle_one(owner, number);
            }
        }
        self.runs.retain(|run| run.first < call.0);
        if let Some(run) = self.runs.last_mut() {
            run.forget_from(call);
        }
    }
}

/// The value that a record leaves, to be compared with. Of a long one, which lies in a run and not in the partition's heap, only
/// its being long is looked at.
pub(crate) fn value_of(record: &Access) -> Raw {
    (record.tag, record.value)
}
