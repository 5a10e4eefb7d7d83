//! One owner's part of the state: an open-addressing table of cache-line slots on huge pages.
//!
//! Linear probing with the search's start given by a multiplication, so a capacity need not be a power of two: it grows
//! by 1.4, which keeps an entry between 91 and 128 bytes of table and a search within two neighbouring lines
//! mostly. Partitions grow one at a time, so the transient second table is a sixteenth of the whole.

use crate::hash::{KeyHasher, home};
use crate::key::{ContractIndex, StateKey};
use crate::prefetch::prefetch;
use crate::slot::{Slot, value_bytes};
use crate::value::Heap;
use memmap2::MmapMut;
use std::collections::{BTreeMap, BTreeSet};

const FIRST_CAPACITY: u32 = 1 << 10;
const HUGE_PAGE: usize = 2 << 20;

pub(crate) struct Partition {
    memory: MmapMut,
    /// Bytes to skip so that the slots start on a huge page.
    skip: usize,
    capacity: u32,
    entries: u32,
    pub(crate) keys: Heap,
    pub(crate) values: Heap,
    /// Keys that are present, of the ordered slots that this owner has.
    ordered: BTreeMap<(ContractIndex, u8), BTreeSet<Box<[u8]>>>,
}

fn map(capacity: u32) -> (MmapMut, usize) {
    let bytes = capacity as usize * size_of::<Slot>();
    let padding = if bytes >= HUGE_PAGE { HUGE_PAGE } else { 0 };
    // The kernel refuses only when address space or the overcommit limit is exhausted; there is nothing to go on with.
    let memory = MmapMut::map_anon(bytes + padding).expect("the kernel maps memory for the state table");
    if padding == 0 {
        return (memory, 0);
    }
    // Advice: where huge pages are off, the table works on small ones.
    let _ = memory.advise(memmap2::Advice::HugePage);
    let skip = memory.as_ptr().align_offset(HUGE_PAGE);
    (memory, skip)
}

impl Partition {
    pub(crate) fn new() -> Self {
        let (memory, skip) = map(FIRST_CAPACITY);
        Self {
            memory,
            skip,
            capacity: FIRST_CAPACITY,
            entries: 0,
            keys: Heap::default(),
            values: Heap::default(),
            ordered: BTreeMap::new(),
        }
    }

    #[inline]
    pub(crate) fn slots(&self) -> &[Slot] {
        // SAFETY: the mapping is at least skip + capacity × 64 bytes, aligned to 64 (page or huge page) and zeroed when
        // made; every bit pattern is a valid Slot (plain integers); `&self` keeps `slots_mut` away.
        unsafe { core::slice::from_raw_parts(self.memory.as_ptr().add(self.skip).cast(), self.capacity as usize) }
    }

    #[inline]
    pub(crate) fn slots_mut(&mut self) -> &mut [Slot] {
        // SAFETY: as in `slots`; `&mut self` makes the access exclusive.
        unsafe {
            core::slice::from_raw_parts_mut(self.memory.as_mut_ptr().add(self.skip).cast(), self.capacity as usize)
        }
    }

    /// Asks the processor for the lines where a search of the key starts.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u64) {
        let first = &raw const self.slots()[home(hash, self.capacity) as usize];
        prefetch(first);
        prefetch(first.wrapping_add(1));
        // At seven tenths full, one search in eight goes as far as this.
        prefetch(first.wrapping_add(2));
    }

    #[inline]
    fn next(&self, index: u32) -> u32 {
        if index + 1 == self.capacity { 0 } else { index + 1 }
    }

    /// The key's slot, or where it would be put.
    #[inline]
    pub(crate) fn search(&self, key: &StateKey<'_>) -> Result<u32, u32> {
        let slots = self.slots();
        let mut index = home(key.hash, self.capacity);
        loop {
            let slot = &slots[index as usize];
            if slot.is_empty() {
                return Err(index);
            }
            if slot.holds(key, &self.keys) {
                return Ok(index);
            }
            index = self.next(index);
        }
    }

    /// Puts an absent key, growing the table before it is seven tenths full. Returns its slot, and whether others moved.
    pub(crate) fn insert(&mut self, key: &StateKey<'_>, hasher: &KeyHasher) -> (u32, bool) {
        let grows = u64::from(self.entries + 1) * 10 > u64::from(self.capacity) * 7;
        if grows {
            self.grow(hasher);
        }
        let index = self.search(key).expect_err("an inserted key is not in the table");
        let slot = Slot::for_key(key, &mut self.keys);
        self.slots_mut()[index as usize] = slot;
        self.entries += 1;
        (index, grows)
    }

    fn hash_of(&self, slot: &Slot, hasher: &KeyHasher) -> u64 {
        let key = slot.key(&self.keys);
        // The owner's bits are not used inside a partition, so it does not matter here whether the slot is ordered.
        hasher.key(slot.contract(), key, false).hash
    }

    fn grow(&mut self, hasher: &KeyHasher) {
        let capacity = u32::try_from(u64::from(self.capacity) * 7 / 5).expect("an owner holds fewer than 2^32 slots");
        assert!(capacity < 1 << 28, "an owner's part of the table is full: 2^28 slots");
        let (memory, skip) = map(capacity);
        let old = core::mem::replace(&mut self.memory, memory);
        let (old_skip, old_capacity) = (core::mem::replace(&mut self.skip, skip), self.capacity);
        self.capacity = capacity;
        // SAFETY: as in `slots`, for the mapping that was replaced and is dropped at the end of this function.
        let slots: &[Slot] =
            unsafe { core::slice::from_raw_parts(old.as_ptr().add(old_skip).cast(), old_capacity as usize) };
        for slot in slots.iter().filter(|slot| !slot.is_empty()) {
            let mut index = home(self.hash_of(slot, hasher), capacity);
            while !self.slots()[index as usize].is_empty() {
                index = self.next(index);
            }
            self.slots_mut()[index as usize] = *slot;
        }
    }

    /// Takes a key out and closes the gap, so that no tombstones build up.
    pub(crate) fn remove(&mut self, index: u32, hasher: &KeyHasher) {
        let slot = self.slots()[index as usize];
        slot.drop_key(&mut self.keys);
        let mut gap = index;
        let mut at = index;
        loop {
            at = self.next(at);
            let slot = self.slots()[at as usize];
            if slot.is_empty() {
                break;
            }
            let home = home(self.hash_of(&slot, hasher), self.capacity);
            // The entry may move into the gap unless its home lies (cyclically) behind the gap and up to the entry.
            let stays = if gap <= at { gap < home && home <= at } else { gap < home || home <= at };
            if !stays {
                self.slots_mut()[gap as usize] = slot;
                gap = at;
            }
        }
        self.slots_mut()[gap as usize] = Slot::EMPTY;
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

    #[inline]
    pub(crate) fn value(&self, index: u32) -> Option<&[u8]> {
        let slot = &self.slots()[index as usize];
        let (tag, raw) = slot.raw_value_ref();
        value_bytes(tag, raw, &self.values)
    }

    pub(crate) fn entries(&self) -> u32 {
        self.entries
    }
}
