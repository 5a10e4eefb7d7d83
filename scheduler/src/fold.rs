//! Chaining and validation: an owner goes through its records of a round in the order of the calls.
//!
//! For each record it looks whether the check holds of the key's present value, lets the effect change that value in place,
//! and links the record behind the key's last one. A record whose check fails makes its call *dirty*. If no call is
//! dirty, every call saw what it would have seen in order: by induction over the calls, all of whose checks hold of the
//! values that the calls before them left, and whose results depend on nothing else that others could have changed.
//!
//! A dirty call's effects are applied like any other's: they are the best guess of what the call will do again.

use crate::delta::Answer;
use crate::hash::KeyHasher;
use crate::partition::Partition;
use crate::planted::{Bug, planted};
use crate::record::{Access, Check, Effect, Predicate, RecordId, long_value};
use crate::run::Side;
use crate::state::KeyRange;
use crate::value::{Raw, ValueTag, integer_of};
use crate::view::push_entry;
use core::ops::Range;

/// How many records ahead of the one that is chained its slot is asked for.
const SLOTS_PREFETCH: usize = 28;

/// One owner's part of a batch in hand.
pub(crate) struct OwnerPart<'a> {
    pub(crate) partition: &'a mut Partition,
    /// The owner's bucket of each run of the batch so far.
    pub(crate) buckets: Vec<&'a mut Vec<Access>>,
    /// Calls whose checks failed, in the order in which they were found.
    pub(crate) dirty: Vec<u32>,
    pub(crate) counts: FoldCounts,
}

/// What happened while an owner folded.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct FoldCounts {
    /// Exact reads of a key that an earlier call of the round wrote, and left with the value that was read.
    pub(crate) rescued: u64,
    /// Answers to deltas that became others.
    pub(crate) changed_predicates: u64,
    /// Scans that would find other entries.
    pub(crate) phantoms: u64,
}

/// The record whose slot is asked for next, some records ahead of the one that is chained.
struct Ahead {
    run: usize,
    place: usize,
}

impl Ahead {
    #[inline]
    fn ask(&mut self, part: &OwnerPart<'_>, round: &Round<'_>) {
        while self.run < round.runs.end {
            if let Some(access) = part.buckets[self.run].get(self.place) {
                self.place += 1;
                part.partition.prefetch_slot(access.slot());
                return;
            }
            (self.run, self.place) = (self.run + 1, 0);
        }
    }
}

/// What all owners share while they fold.
pub(crate) struct Round<'a> {
    pub(crate) hasher: &'a KeyHasher,
    pub(crate) sides: &'a [&'a Side],
    /// Number of the round, and its runs.
    pub(crate) number: u32,
    pub(crate) runs: Range<usize>,
}

impl OwnerPart<'_> {
    /// Chains, checks and applies the owner's records of a round. `moves`: how often its slots had moved when the round began.
    pub(crate) fn fold(&mut self, round: &Round<'_>, moves: u32) {
        let mut ahead = Ahead { run: round.runs.start, place: 0 };
        for _ in 0..SLOTS_PREFETCH {
            ahead.ask(self, round);
        }
        for run in round.runs.clone() {
            for place in 0..self.buckets[run].len() {
                ahead.ask(self, round);
                let place = if planted(Bug::LateDelta) { self.late(run, place) } else { place };
                self.step(round, moves, RecordId::new(run, place));
            }
        }
    }

    /// [`Bug::LateDelta`]: two records change places where the first of them is a delta.
    fn late(&self, run: usize, place: usize) -> usize {
        let pair = self.buckets[run].get(place & !1..=place | 1);
        if pair.is_some_and(|pair| pair[0].effect == Effect::Deltas) { place ^ 1 } else { place }
    }

    #[inline]
    fn step(&mut self, round: &Round<'_>, moves: u32, id: RecordId) {
        let side = round.sides[id.run()];
        let access = &mut self.buckets[id.run()][id.place()];
        if access.check == Check::Scan {
            if !scan_holds(self.partition, access, side, round.hasher) {
                self.dirty.push(access.call.0);
                self.counts.phantoms += 1;
            }
            return;
        }
        let partition = &mut *self.partition;
        let mut index = access.slot();
        if !partition.is_still(index, moves) {
            let key = round.hasher.key_of(&side.entries[access.entry as usize], &side.bytes);
            index = partition.find_or_insert(&key, round.hasher);
        }
        let number = partition.version_in_round(index, round.number);
        let now = partition.raw(index);
        let version = &mut partition.versions[number];
        let written = version.last != RecordId::NONE && round.runs.contains(&version.last.run());
        let tail = core::mem::replace(&mut version.tail, id);
        let last = if access.writes() { core::mem::replace(&mut version.last, id) } else { RecordId::NONE };
        access.prev = tail;
        access.set_version(number);
        if !meet(access, now, written, side) {
            self.dirty.push(access.call.0);
            self.counts.changed_predicates += u64::from(access.check != Check::Exact);
        } else if written {
            self.counts.rescued += u64::from(access.check == Check::Exact);
        }
        if access.writes() {
            apply(partition, (index, number), access, side);
        }
        if tail != RecordId::NONE {
            self.buckets[tail.run()][tail.place()].next = id;
        }
        if last != RecordId::NONE && !planted(Bug::ForgottenMark) {
            self.buckets[last.run()][last.place()].set_superseded(true);
        }
    }
}

/// Whether a record's check holds of the value before it. Deltas that hold are added up to the record's value. `written`:
/// whether a call of the round has written the key before.
#[inline]
pub(crate) fn meet(record: &mut Access, now: Raw, written: bool, side: &Side) -> bool {
    let (holds, sum) = match record.check {
        Check::None => return true,
        // Values are compared, not versions; but of a long value only whether it was written.
        Check::Exact => return !written || (now.0 != ValueTag::LONG && now == (record.seen_tag, record.seen)),
        Check::Presence(present) => return (now.0 != ValueTag::ABSENT) == present,
        Check::One(operator, answer) => {
            let (found, sum) = answer_to(integer_of(now), |value| record.apply_one(operator, value));
            (found == answer, sum)
        }
        Check::Many => replay(&side.predicates, record.side, integer_of(now)),
        Check::Scan => unreachable!("scans have no key"),
    };
    if holds && record.effect == Effect::Deltas {
        (record.tag, record.value) = (ValueTag::inline(16), sum.to_le_bytes());
    }
    holds
}

/// The answer that a delta gets on a value (`None`: not an integer), and what the value is then.
#[inline]
fn answer_to(value: Option<u128>, apply: impl FnOnce(u128) -> Option<u128>) -> (Answer, u128) {
    match value.map(|value| (value, apply(value))) {
        None => (Answer::WrongLength, 0),
        Some((value, None)) => (Answer::Refused, value),
        Some((_, Some(after))) => (Answer::Applied, after),
    }
}

/// Whether all predicates of a list have their answers, and what the value is behind them.
fn replay(predicates: &[Predicate], first: u32, value: Option<u128>) -> (bool, u128) {
    let (mut value, mut next) = (value, first);
    while let Some(predicate) = predicates.get(next as usize) {
        let (answer, after) = answer_to(value, |value| predicate.delta.applied_to(value));
        if answer != predicate.answer {
            return (false, 0);
        }
        value = value.map(|_| after);
        next = predicate.next;
    }
    (true, value.unwrap_or(0))
}

/// Gives a slot, with its version, the value that a record leaves.
#[inline]
pub(crate) fn apply(partition: &mut Partition, (index, version): (u32, usize), access: &Access, side: &Side) {
    let long = (access.tag == ValueTag::LONG).then(|| long_value(&access.value, &side.bytes));
    partition.set(index, version, (access.tag, access.value), long);
    if access.ordered {
        let entry = &side.entries[access.entry as usize];
        partition.order(entry.contract, entry.key_bytes(&side.bytes), access.tag != ValueTag::ABSENT);
    }
}

/// Whether a scan finds now what it found.
#[cold]
fn scan_holds(partition: &Partition, access: &Access, side: &Side, hasher: &KeyHasher) -> bool {
    let (scan, contract) = (&side.scans[access.side as usize], side.entries[access.entry as usize].contract);
    let part = |(start, length): (u32, u32)| &side.bytes[start as usize..][..length as usize];
    let range = KeyRange { slot: scan.slot, start: part(scan.start), end: scan.end.map(part) };
    let keys = partition.keys_of(contract, scan.slot);
    let keys = keys.into_iter().flat_map(|keys| keys.range::<[u8], _>(range.bounds())).map(|key| &**key);
    let mut keys: Vec<&[u8]> = if scan.descending {
        keys.rev().take(scan.entries as usize + 1).collect()
    } else {
        keys.take(scan.entries as usize + 1).collect()
    };
    if keys.len() < scan.entries as usize || (scan.exhausted && keys.len() > scan.entries as usize) {
        return false;
    }
    keys.truncate(scan.entries as usize);
    let mut found = Vec::with_capacity(scan.found.1 as usize);
    for key in keys {
        let key = hasher.key(contract, key, true);
        let value = partition.search(&key).ok().and_then(|index| partition.value(index));
        push_entry(&mut found, key.bytes, value);
    }
    found == part(scan.found)
}
