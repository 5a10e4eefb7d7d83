//! One owner's part of the state: an open-addressing table of cache-line slots on huge pages, and the owner's part of the
//! open branch.
//!
//! Linear probing with the search's start given by a multiplication, so a capacity need not be a power of two: it grows
//! by 1.4, which keeps an entry between 81 and 114 bytes of table. A search goes by the slots' tags, so that it looks at one
//! slot mostly. Partitions grow one at a time, so the transient second table is a sixteenth of the whole.

use crate::claims::Claimants;
use crate::hash::{KeyHasher, home};
use crate::key::{ContractIndex, StateKey};
use crate::pages::{Pages, Plain};
use crate::prefetch::{prefetch, prefetch_for_write};
use crate::record::{NO_SLOT, RecordId};
use crate::slot::{Slot, placed, value_bytes, value_place};
use crate::tags::{Look, Tag, Tags};
use crate::value::{Heap, INLINE_VALUE_BYTES, Raw, ValueTag};
use std::collections::{BTreeMap, BTreeSet};

const FIRST_CAPACITY: u32 = 1 << 10;

// SAFETY: plain integers, aligned to a cache line.
unsafe impl Plain for Slot {}

/// What the open branch knows of a key that one of its calls touched. One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Version {
    /// Value before the batch.
    old: [u8; INLINE_VALUE_BYTES],
    /// Value before the round.
    base: [u8; INLINE_VALUE_BYTES],
    /// The key's slot.
    pub(crate) slot: u32,
    /// The round whose chain `tail` ends; rounds are numbered within the batch, from 1.
    pub(crate) round: u32,
    /// Last record of the key in the round.
    pub(crate) tail: RecordId,
    /// Last record of the batch that wrote the key.
    pub(crate) last: RecordId,
    /// `last` as it was before the round.
    pub(crate) base_last: RecordId,
    /// The claims on the key in round `round`, if its calls have claims.
    pub(crate) claimants: Claimants,
    old_tag: ValueTag,
    base_tag: ValueTag,
}

const _: () = assert!(size_of::<Version>() == 64);

impl Version {
    const NEW: Version = Version {
        old: [0; INLINE_VALUE_BYTES],
        base: [0; INLINE_VALUE_BYTES],
        slot: 0,
        round: 0,
        tail: RecordId::NONE,
        last: RecordId::NONE,
        base_last: RecordId::NONE,
        claimants: Claimants::NONE,
        old_tag: ValueTag::ABSENT,
        base_tag: ValueTag::ABSENT,
    };

    #[inline]
    fn old(&self) -> Raw {
        (self.old_tag, self.old)
    }

    #[inline]
    pub(crate) fn base(&self) -> Raw {
        (self.base_tag, self.base)
    }
}

pub(crate) struct Partition {
    slots: Pages<Slot>,
    tags: Tags,
    entries: u32,
    pub(crate) keys: Heap,
    pub(crate) values: Heap,
    /// Keys that are present, of the ordered slots that this owner has.
    ordered: BTreeMap<(ContractIndex, u8), BTreeSet<Box<[u8]>>>,
    /// Number of the open branch; a slot that has it has a version.
    pub(crate) epoch: u32,
    pub(crate) versions: Vec<Version>,
    /// How often slots have moved.
    pub(crate) moves: u32,
    /// Whether the table may hold keys without a value, which leave it when the branch is closed.
    pub(crate) holds_absent: bool,
    /// Whether a version may hold a long value that no slot has any more.
    holds_long: bool,
}

impl Partition {
    pub(crate) fn new() -> Self {
        Self {
            slots: Pages::new(FIRST_CAPACITY as usize),
            tags: Tags::new(FIRST_CAPACITY),
            entries: 0,
            keys: Heap::default(),
            values: Heap::default(),
            ordered: BTreeMap::new(),
            epoch: 1,
            versions: Vec::new(),
            moves: 0,
            holds_absent: false,
            holds_long: false,
        }
    }

    #[inline]
    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    #[inline]
    pub(crate) fn slots_mut(&mut self) -> &mut [Slot] {
        &mut self.slots
    }

    // ---- keys ----

    /// Asks the processor for the lines that a write of the key needs.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u64) {
        self.prefetch_search(hash);
        // A first write makes a version. Each owner's versions are a stream of their own, too many for the processor to follow.
        prefetch_for_write(self.versions.as_ptr().wrapping_add(self.versions.len()));
    }

    /// Asks the processor for the slot where a search of the key will look first.
    #[inline]
    pub(crate) fn prefetch_search(&self, hash: u64) {
        prefetch(self.slots.as_ptr().wrapping_add(self.first_look(hash) as usize));
    }

    /// Asks for the tags where a search of the key starts.
    #[inline]
    pub(crate) fn prefetch_tags(&self, hash: u64) {
        self.tags.prefetch(home(hash, self.tags.capacity()));
    }

    #[inline(always)]
    fn first_look(&self, hash: u64) -> u32 {
        self.tags.first(home(hash, self.tags.capacity()), Tag::of(hash))
    }

    /// Asks the processor for a slot's line, to be written.
    #[inline]
    pub(crate) fn prefetch_slot(&self, index: u32) {
        if let Some(slot) = self.slots().get(index as usize) {
            prefetch_for_write(slot);
        }
    }

    #[inline]
    fn next(&self, index: u32) -> u32 {
        if index + 1 == self.tags.capacity() { 0 } else { index + 1 }
    }

    /// The key's slot, or where it would be put.
    #[inline]
    pub(crate) fn search(&self, key: &StateKey<'_>) -> Result<u32, u32> {
        let index = self.first_look(key.hash);
        if self.slots[index as usize].holds(key, &self.keys) {
            return Ok(index);
        }
        self.search_whole(key)
    }

    /// The same, where the first look does not tell.
    #[cold]
    fn search_whole(&self, key: &StateKey<'_>) -> Result<u32, u32> {
        let mut looks = self.tags.looks(home(key.hash, self.tags.capacity()), Tag::of(key.hash));
        loop {
            match looks.next() {
                Look::Slot(index) if self.slots[index as usize].holds(key, &self.keys) => return Ok(index),
                Look::Slot(_) => {}
                Look::Free(index) => return Err(index),
            }
        }
    }

    /// Whether a slot is still the one that it was when slots had moved `moves` times.
    #[inline]
    pub(crate) fn is_still(&self, index: u32, moves: u32) -> bool {
        index != NO_SLOT && moves == self.moves
    }

    /// The key's slot; an absent key is put in, without a value, growing the table before it is four fifths full.
    #[cold]
    pub(crate) fn find_or_insert(&mut self, key: &StateKey<'_>, hasher: &KeyHasher) -> u32 {
        let mut index = match self.search(key) {
            Ok(index) => return index,
            Err(index) => index,
        };
        if u64::from(self.entries + 1) * 5 > u64::from(self.tags.capacity()) * 4 {
            self.grow(hasher);
            index = self.search(key).expect_err("an inserted key is not in the table");
        }
        let slot = Slot::for_key(key, &mut self.keys);
        self.slots[index as usize] = slot;
        self.tags.set(index, Some(Tag::of(key.hash)));
        self.entries += 1;
        self.holds_absent = true;
        index
    }

    fn hash_of(&self, slot: &Slot, hasher: &KeyHasher) -> u64 {
        let key = slot.key(&self.keys);
        // The owner's bits are not used inside a partition, so it does not matter here whether the slot is ordered.
        hasher.key(slot.contract(), key, false).hash
    }

    fn grow(&mut self, hasher: &KeyHasher) {
        let capacity = u64::from(self.tags.capacity()) * 7 / 5;
        assert!(capacity < 1 << 28, "an owner's part of the table is full: 2^28 slots");
        let old = core::mem::replace(&mut self.slots, Pages::new(capacity as usize));
        self.tags = Tags::new(capacity as u32);
        self.moves = self.moves.wrapping_add(1);
        for slot in old.iter().filter(|slot| !slot.is_empty()) {
            let hash = self.hash_of(slot, hasher);
            let mut index = home(hash, self.tags.capacity());
            while !self.tags.is_empty(index) {
                index = self.next(index);
            }
            self.slots[index as usize] = *slot;
            self.tags.set(index, Some(Tag::of(hash)));
            self.follow(slot, index);
        }
    }

    /// After a slot moved: its version names it by number.
    #[inline]
    fn follow(&mut self, slot: &Slot, index: u32) {
        // There are no versions while a branch is closed.
        if slot.epoch == self.epoch
            && let Some(version) = self.versions.get_mut(slot.version as usize)
        {
            version.slot = index;
        }
    }

    /// Takes a key out and closes the gap, so that no tombstones build up.
    fn remove(&mut self, index: u32, hasher: &KeyHasher) {
        self.slots[index as usize].drop_key(&mut self.keys);
        self.moves = self.moves.wrapping_add(1);
        let mut gap = index;
        let mut at = index;
        loop {
            at = self.next(at);
            let slot = self.slots[at as usize];
            if slot.is_empty() {
                break;
            }
            let home = home(self.hash_of(&slot, hasher), self.tags.capacity());
            // The entry may move into the gap unless its home lies (cyclically) behind the gap and up to the entry.
            let stays = if gap <= at { gap < home && home <= at } else { gap < home || home <= at };
            if !stays {
                self.slots[gap as usize] = slot;
                self.tags.set(gap, self.tags.get(at));
                self.follow(&slot, gap);
                gap = at;
            }
        }
        self.slots[gap as usize] = Slot::EMPTY;
        self.tags.set(gap, None);
        self.entries -= 1;
    }

    /// Keeps the order of an ordered slot in step with its values.
    pub(crate) fn order(&mut self, contract: ContractIndex, key: &[u8], present: bool) {
        let keys = self.ordered.entry((contract, key[0])).or_default();
        if present {
            keys.insert(key.into());
        } else {
            keys.remove(key);
        }
    }

    /// The present keys of an ordered slot.
    pub(crate) fn keys_of(&self, contract: ContractIndex, slot: u8) -> Option<&BTreeSet<Box<[u8]>>> {
        self.ordered.get(&(contract, slot))
    }

    // ---- values ----

    #[inline]
    pub(crate) fn raw(&self, index: u32) -> Raw {
        self.slots[index as usize].raw_value()
    }

    #[inline]
    pub(crate) fn value(&self, index: u32) -> Option<&[u8]> {
        let (tag, raw) = self.slots[index as usize].raw_value_ref();
        value_bytes(tag, raw, &self.values)
    }

    /// The bytes of the value before the round.
    #[inline]
    pub(crate) fn base_of<'a>(&'a self, version: &'a Version) -> Option<&'a [u8]> {
        value_bytes(version.base_tag, &version.base, &self.values)
    }

    /// The version of a slot's key, made at its first touch in the branch.
    #[inline]
    pub(crate) fn version(&mut self, index: u32) -> usize {
        self.touched(index).unwrap_or_else(|| self.new_version(index))
    }

    /// The version of a slot's key that the branch had not touched.
    #[inline]
    pub(crate) fn new_version(&mut self, index: u32) -> usize {
        let (epoch, number) = (self.epoch, self.versions.len());
        let slot = &mut self.slots[index as usize];
        (slot.epoch, slot.version) = (epoch, number as u32);
        let (tag, old) = slot.raw_value();
        // Filled in where it stays: a line that is made elsewhere of small parts and moved as a whole makes the processor
        // wait until the parts have been stored.
        self.versions.push(Version::NEW);
        let version = &mut self.versions[number];
        (version.old_tag, version.old) = (tag, old);
        (version.base_tag, version.base) = (tag, old);
        version.slot = index;
        number
    }

    /// The version of a slot's key, if the branch has touched the key.
    #[inline]
    pub(crate) fn touched(&self, index: u32) -> Option<usize> {
        let slot = &self.slots[index as usize];
        (slot.epoch == self.epoch).then_some(slot.version as usize)
    }

    /// The version of a slot's key, with the chain of a round begun if this is the key's first record in it.
    #[inline]
    pub(crate) fn version_in_round(&mut self, index: u32, round: u32) -> usize {
        let number = self.version(index);
        if self.versions[number].round != round {
            let now = self.raw(index);
            let version = &mut self.versions[number];
            let (base, old) = (version.base(), version.old());
            (version.base_tag, version.base) = now;
            version.round = round;
            version.tail = RecordId::NONE;
            version.base_last = version.last;
            self.free(base, &[old, now]);
        }
        number
    }

    /// Gives a slot another value; a long one's bytes are `long`. The value that it had is freed unless its version needs it.
    #[inline]
    pub(crate) fn set(&mut self, index: u32, version: usize, value: Raw, long: Option<&[u8]>) {
        let before = self.raw(index);
        if before.0 == ValueTag::LONG {
            self.release(version, before);
        }
        self.put(index, value, long);
    }

    /// The same, where whoever asks knows what becomes of the value that the slot had.
    #[inline]
    pub(crate) fn put(&mut self, index: u32, (tag, mut raw): Raw, long: Option<&[u8]>) {
        if let Some(bytes) = long {
            raw = placed(self.values.put(bytes.into()));
        }
        self.holds_absent |= tag == ValueTag::ABSENT;
        self.slots[index as usize].set_raw_value(tag, raw);
    }

    /// The same, of an integer in the place of another.
    #[inline]
    pub(crate) fn set_integer(&mut self, index: u32, value: u128) {
        self.slots[index as usize].set_raw_value(ValueTag::inline(16), value.to_le_bytes());
    }

    /// Frees what the value of a slot holds on the heap.
    #[inline]
    pub(crate) fn free_value(&mut self, index: u32) {
        self.free(self.raw(index), &[]);
    }

    /// Frees a long value that no slot has any more, unless the version holds it. Out of line: most values are short, and writing
    /// one should be few instructions.
    #[cold]
    pub(crate) fn release(&mut self, version: usize, value: Raw) {
        let (old, base) = (self.versions[version].old(), self.versions[version].base());
        self.holds_long = true;
        self.free(value, &[old, base]);
    }

    /// Puts back the value and the last write that a key had, and frees the value that it has.
    pub(crate) fn take_back(&mut self, version: usize, last: RecordId, (tag, raw): Raw) {
        let index = self.versions[version].slot;
        self.free_value(index);
        self.holds_absent |= tag == ValueTag::ABSENT;
        self.slots[index as usize].set_raw_value(tag, raw);
        self.versions[version].last = last;
    }

    /// Gives a slot a value that its version holds.
    pub(crate) fn set_back(&mut self, index: u32, version: usize, value: Raw) {
        let before = self.raw(index);
        if before != value {
            let (old, base) = (self.versions[version].old(), self.versions[version].base());
            self.free(before, &[old, base]);
        }
        self.holds_absent |= value.0 == ValueTag::ABSENT;
        self.slots[index as usize].set_raw_value(value.0, value.1);
    }

    /// Frees a long value, unless it is one of those to be kept.
    #[inline]
    pub(crate) fn free(&mut self, value: Raw, kept: &[Raw]) {
        if value.0 == ValueTag::LONG && !kept.contains(&value) {
            self.values.take(value_place(&value.1));
        }
    }

    // ---- the branch ----

    /// Makes the branch's values the state, or puts back those before it; opens the branch `next`.
    pub(crate) fn close(&mut self, undo: bool, next: u32, hasher: &KeyHasher) {
        let versions = core::mem::take(&mut self.versions);
        if undo {
            versions.iter().for_each(|version| self.restore(version));
        } else if self.holds_long {
            versions.iter().for_each(|version| self.forget(version));
        }
        if self.holds_absent {
            self.evict_absent(&versions, hasher);
        }
        self.versions = versions;
        self.versions.clear();
        (self.holds_absent, self.holds_long) = (false, false);
        if next < self.epoch {
            // Once in four billion branches: numbers start again, so none may be left in a slot.
            self.slots.iter_mut().for_each(|slot| slot.epoch = 0);
        }
        self.epoch = next;
    }

    /// Frees the long values that a version holds and the state does not need.
    fn forget(&mut self, version: &Version) {
        let now = self.raw(version.slot);
        self.free(version.base(), &[now, version.old()]);
        self.free(version.old(), &[now]);
    }

    fn restore(&mut self, version: &Version) {
        let now = self.raw(version.slot);
        self.free(now, &[version.old(), version.base()]);
        self.free(version.base(), &[version.old()]);
        self.slots[version.slot as usize].set_raw_value(version.old_tag, version.old);
        self.order_slot(version.slot);
    }

    /// Brings the order in step with the value that a slot was given, if its key has an order.
    pub(crate) fn order_slot(&mut self, index: u32) {
        let slot = self.slots[index as usize];
        // A key that was written and belongs to an ordered slot has brought that slot here.
        if self.ordered.contains_key(&(slot.contract(), slot.key(&self.keys)[0])) {
            let key = Box::<[u8]>::from(slot.key(&self.keys));
            self.order(slot.contract(), &key, slot.raw_value().0 != ValueTag::ABSENT);
        }
    }

    /// Keys without a value leave the table. Removal moves slots, so they are looked for by their keys.
    #[cold]
    fn evict_absent(&mut self, versions: &[Version], hasher: &KeyHasher) {
        let absent = versions.iter().map(|version| &self.slots[version.slot as usize]);
        let absent = absent.filter(|slot| slot.raw_value_ref().0 == ValueTag::ABSENT);
        let keys: Vec<(ContractIndex, Box<[u8]>)> =
            absent.map(|slot| (slot.contract(), slot.key(&self.keys).into())).collect();
        for (contract, bytes) in keys {
            // Inside a partition it does not matter whether a key's slot is ordered.
            let key = hasher.key(contract, &bytes, false);
            let index = self.search(&key).expect("a version's key is in the table until it is evicted");
            self.remove(index, hasher);
        }
    }

    /// A slot's committed value, whatever the open branch made of it.
    pub(crate) fn committed(&self, index: u32) -> Option<&[u8]> {
        let slot = &self.slots[index as usize];
        if slot.epoch == self.epoch {
            let version = &self.versions[slot.version as usize];
            return value_bytes(version.old_tag, &version.old, &self.values);
        }
        self.value(index)
    }

    pub(crate) fn entries(&self) -> u32 {
        self.entries
    }

    /// What holds of a partition whose branch has been closed.
    #[cfg(test)]
    pub(crate) fn assert_sound(&self, hasher: &KeyHasher) {
        self.tags.assert_sound();
        let slots = || self.slots.iter().filter(|slot| !slot.is_empty());
        assert_eq!((slots().count(), self.versions.len()), (self.entries as usize, 0));
        let mut ordered = 0;
        for (index, slot) in self.slots.iter().enumerate().filter(|(_, slot)| !slot.is_empty()) {
            let bytes = slot.key(&self.keys);
            assert!(slot.raw_value().0 != ValueTag::ABSENT && slot.epoch != self.epoch);
            assert_eq!(self.search(&hasher.key(slot.contract(), bytes, false)), Ok(index as u32), "a key is found");
            if let Some(keys) = self.keys_of(slot.contract(), bytes[0]) {
                assert!(keys.contains(bytes), "a present key has its place in the order");
                ordered += 1;
            }
        }
        assert_eq!(self.ordered.values().map(BTreeSet::len).sum::<usize>(), ordered, "only present keys are ordered");
        let long = slots().filter(|slot| slot.raw_value().0 == ValueTag::LONG);
        self.values.assert_used(long.map(|slot| value_place(&slot.raw_value().1)).collect());
        self.keys.assert_used(slots().filter_map(Slot::long_key_place).collect());
    }
}
