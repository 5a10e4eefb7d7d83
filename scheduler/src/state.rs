//! The state, partitioned by owner, and the one open branch over it: the batch that executes.
//!
//! Execution writes values in place and keeps, for every key that the batch touched, a [`Version`] with the value
//! before. Committing forgets the versions; discarding puts the old values back. Readers of the committed state look
//! through the versions, so that nothing of an open branch is visible. In place, because the line of a key's slot is
//! then in the cache; a separate overlay would touch it a second time at commit.

use crate::delta::{Answer, Delta};
use crate::hash::{HashSeed, KeyHasher, OWNERS, owner};
use crate::journal::{Journal, NO_SLOT};
use crate::key::{CallIndex, ContractIndex, INLINE_KEY_BYTES, StateKey};
use crate::partition::Partition;
use crate::prefetch::prefetch;
use crate::slot::{placed, value_bytes, value_place};
use crate::value::{INLINE_VALUE_BYTES, ValueTag};
use core::ops::{Bound, ControlFlow};

/// How many writes ahead of the one that is listed its version is asked for.
const WRITES_PREFETCH: usize = 24;

const OWNER_SHIFT: u32 = 32 - OWNERS.trailing_zeros();

fn slot_number(owner: usize, index: u32) -> u32 {
    (owner as u32) << OWNER_SHIFT | index
}

fn parts(slot: u32) -> (usize, u32) {
    ((slot >> OWNER_SHIFT) as usize, slot & ((1 << OWNER_SHIFT) - 1))
}

/// What the open branch knows of a key that it wrote.
#[derive(Clone)]
pub(crate) struct Version {
    pub(crate) slot: u32,
    /// The last call that wrote the key.
    pub(crate) last: CallIndex,
    pub(crate) contract: ContractIndex,
    key_length_less_one: u8,
    ordered: bool,
    old_tag: ValueTag,
    new_tag: ValueTag,
    /// Value before the branch; a long one's place is in `Branch::old_values`.
    old: [u8; INLINE_VALUE_BYTES],
    /// Value now, a copy of the slot's, so that the digest need not touch the slot again.
    new: [u8; INLINE_VALUE_BYTES],
    /// The key, or where it is in `Branch::long_keys`.
    key: [u8; INLINE_KEY_BYTES],
}

/// A key's last write in the branch, for write sets.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// The contract whose key it is.
    pub contract: ContractIndex,
    /// The key's bytes.
    pub key: &'a [u8],
    /// The value, or `None` for a removed key.
    pub value: Option<&'a [u8]>,
}

#[derive(Default)]
struct Branch {
    /// The branch's number; see `Slot::epoch`.
    epoch: u32,
    versions: Vec<Version>,
    long_keys: Vec<Box<[u8]>>,
    old_values: Vec<Box<[u8]>>,
    /// Whether a key may have to leave the table at commit.
    removes: bool,
    /// Versions written, call after call.
    writes: Vec<u32>,
    /// End of each call's part of `writes`.
    ends: Vec<u32>,
}

/// A key's hash, for [`State::prefetch`].
#[derive(Clone, Copy, Debug)]
pub struct PrefetchHash(u64);

/// A call wrote more keys than it may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooManyWrites;

/// The state with its open branch and the journal of the running call.
pub struct State {
    hasher: KeyHasher,
    partitions: Vec<Partition>,
    branch: Branch,
    journal: Journal,
    writes_max: usize,
}

impl State {
    /// An empty state. `writes_max`: distinct keys that one call may write.
    pub fn new(seed: HashSeed, writes_max: usize) -> Self {
        Self {
            hasher: KeyHasher::new(seed),
            partitions: (0..OWNERS).map(|_| Partition::new()).collect(),
            branch: Branch { epoch: 1, ..Branch::default() },
            journal: Journal::default(),
            writes_max,
        }
    }

    // ---- the running call ----

    /// The key's value as the call sees it.
    #[inline]
    pub fn get(&self, contract: ContractIndex, key: &[u8], ordered: bool) -> Option<&[u8]> {
        let key = self.hasher.key(contract, key, ordered);
        if let Some(at) = self.journal.find(&key) {
            return self.journal.value(at);
        }
        let partition = &self.partitions[owner(key.hash)];
        partition.search(&key).ok().and_then(|index| partition.value(index))
    }

    /// Sets a key, or removes it with `None`.
    pub fn set(
        &mut self,
        contract: ContractIndex,
        key: &[u8],
        ordered: bool,
        value: Option<&[u8]>,
    ) -> Result<(), TooManyWrites> {
        let key = self.hasher.key(contract, key, ordered);
        let at = match self.journal.find(&key) {
            Some(at) => at,
            None => self.enter(&key, self.slot_of(&key))?,
        };
        self.journal.write(at, value);
        Ok(())
    }

    /// Applies a bounded delta to a 16-byte integer, an absent key counting as 0.
    #[inline]
    pub fn add(
        &mut self,
        contract: ContractIndex,
        key: &[u8],
        ordered: bool,
        delta: Delta,
    ) -> Result<Answer, TooManyWrites> {
        let key = self.hasher.key(contract, key, ordered);
        let own = self.journal.find(&key);
        let (before, slot) = match own {
            Some(at) => (integer(self.journal.value(at)), NO_SLOT),
            None => {
                let owner = owner(key.hash);
                let partition = &self.partitions[owner];
                match partition.search(&key) {
                    Ok(index) => (integer(partition.value(index)), slot_number(owner, index)),
                    Err(_) => (Some(0), NO_SLOT),
                }
            }
        };
        let Some(before) = before else { return Ok(Answer::WrongLength) };
        let Some(after) = delta.applied_to(before) else { return Ok(Answer::Refused) };
        let at = match own {
            Some(at) => at,
            None => self.enter(&key, slot)?,
        };
        self.journal.write_integer(at, after);
        Ok(Answer::Applied)
    }

    fn slot_of(&self, key: &StateKey<'_>) -> u32 {
        let owner = owner(key.hash);
        self.partitions[owner].search(key).map_or(NO_SLOT, |index| slot_number(owner, index))
    }

    #[inline]
    fn enter(&mut self, key: &StateKey<'_>, slot: u32) -> Result<usize, TooManyWrites> {
        if self.journal.entries.len() == self.writes_max {
            return Err(TooManyWrites);
        }
        Ok(self.journal.push(key, slot))
    }

    /// Shows the present entries of a range of an ordered slot, as the call sees them, until `visit` says to stop.
    pub fn scan(
        &self,
        contract: ContractIndex,
        range: KeyRange<'_>,
        descending: bool,
        mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) {
        let stored = self.partitions[self.hasher.owner_of_slot(contract, range.slot)].keys_of(contract, range.slot);
        let mut stored = stored.into_iter().flat_map(|keys| keys.range::<[u8], _>(range.bounds())).map(|key| &**key);
        let mut own: Vec<&[u8]> = (0..self.journal.entries.len())
            .filter(|&at| self.journal.entries[at].contract == contract)
            .map(|at| self.journal.key_bytes(at))
            .filter(|key| range.contains(key))
            .collect();
        own.sort_unstable();
        let mut own = own.into_iter();
        let mut step = |stored: &mut dyn Iterator<Item = &'_ [u8]>, own: &mut dyn Iterator<Item = &'_ [u8]>| {
            let (mut theirs, mut ours) = (stored.next(), own.next());
            loop {
                // The nearer of the two; a key that both have is taken once.
                let key = match (theirs, ours) {
                    (None, None) => return,
                    (Some(key), None) | (None, Some(key)) => key,
                    (Some(a), Some(b)) => {
                        if descending {
                            a.max(b)
                        } else {
                            a.min(b)
                        }
                    }
                };
                if theirs == Some(key) {
                    theirs = stored.next();
                }
                if ours == Some(key) {
                    ours = own.next();
                }
                if let Some(value) = self.get(contract, key, true)
                    && visit(key, value).is_break()
                {
                    return;
                }
            }
        };
        if descending { step(&mut stored.rev(), &mut own.rev()) } else { step(&mut stored, &mut own) }
    }

    /// What [`State::prefetch`] takes of a key.
    #[inline]
    pub fn prefetch_hash(&self, contract: ContractIndex, key: &[u8]) -> PrefetchHash {
        PrefetchHash(self.hasher.key(contract, key, false).hash)
    }

    /// Asks the processor for the lines of keys that later calls will probably want.
    pub fn prefetch(&self, hashes: &[PrefetchHash]) {
        for &PrefetchHash(hash) in hashes {
            self.partitions[owner(hash)].prefetch(hash);
        }
    }

    /// Keys that the running call has written.
    pub fn written_keys(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.journal.entries.len()).map(|at| self.journal.key_bytes(at))
    }

    // ---- the branch ----

    /// Ends the running call: its writes enter the branch, or are dropped.
    #[inline]
    pub fn end_call(&mut self, call: CallIndex, keep: bool) {
        if keep {
            self.apply(call);
        }
        self.journal.clear();
        self.branch.ends.push(self.branch.writes.len() as u32);
    }

    fn apply(&mut self, call: CallIndex) {
        // New keys first: making room may move slots, which the journal's other entries then look up again.
        for at in 0..self.journal.entries.len() {
            if self.journal.entries[at].slot == NO_SLOT {
                self.insert(at);
            }
        }
        for at in 0..self.journal.entries.len() {
            let version = self.version(at);
            self.write(version, at, call);
            self.branch.writes.push(version);
        }
    }

    #[cold]
    fn insert(&mut self, at: usize) {
        let key = self.journal.key(at);
        let owner = owner(key.hash);
        let (index, moved) = self.partitions[owner].insert(&key, &self.hasher);
        self.journal.entries[at].slot = slot_number(owner, index);
        if moved {
            self.follow_moved_slots(owner);
        }
    }

    /// After a partition grew: versions and journal entries name slots by number.
    fn follow_moved_slots(&mut self, grown: usize) {
        for (index, slot) in self.partitions[grown].slots().iter().enumerate() {
            if slot.epoch == self.branch.epoch && !slot.is_empty() {
                self.branch.versions[slot.version as usize].slot = slot_number(grown, index as u32);
            }
        }
        for at in 0..self.journal.entries.len() {
            let entry = &self.journal.entries[at];
            if entry.slot != NO_SLOT && owner(entry.hash) == grown {
                let slot = self.slot_of(&self.journal.key(at));
                self.journal.entries[at].slot = slot;
            }
        }
    }

    /// The version of a journalled key, made at its first write in the branch.
    #[inline]
    fn version(&mut self, at: usize) -> u32 {
        let entry = &self.journal.entries[at];
        let (owner, index) = parts(entry.slot);
        let partition = &mut self.partitions[owner];
        let slot = &mut partition.slots_mut()[index as usize];
        if slot.epoch == self.branch.epoch {
            return slot.version;
        }
        let number = self.branch.versions.len() as u32;
        slot.epoch = self.branch.epoch;
        slot.version = number;
        let (old_tag, mut old) = slot.raw_value();
        if old_tag == ValueTag::LONG {
            // The box moves aside unread; `write` must not free it, so the slot forgets it.
            slot.set_raw_value(ValueTag::ABSENT, [0; INLINE_VALUE_BYTES]);
            self.branch.old_values.push(partition.values.take(value_place(&old)));
            old = placed(self.branch.old_values.len() as u32 - 1);
        }
        let mut key = entry.head;
        if entry.key_length_less_one as usize + 1 > INLINE_KEY_BYTES {
            key[..4].copy_from_slice(&(self.branch.long_keys.len() as u32).to_le_bytes());
            self.branch.long_keys.push(self.journal.key_bytes(at).into());
        }
        self.branch.versions.push(Version {
            slot: entry.slot,
            last: CallIndex(0),
            contract: entry.contract,
            key_length_less_one: entry.key_length_less_one,
            ordered: entry.ordered,
            old_tag,
            new_tag: ValueTag::ABSENT,
            old,
            new: [0; INLINE_VALUE_BYTES],
            key,
        });
        number
    }

    #[inline]
    fn write(&mut self, version: u32, at: usize, call: CallIndex) {
        let entry = &self.journal.entries[at];
        let (owner, index) = parts(entry.slot);
        let partition = &mut self.partitions[owner];
        let (tag, mut value) = (entry.tag, entry.value);
        let (before, raw) = partition.slots()[index as usize].raw_value();
        if before == ValueTag::LONG {
            partition.values.take(value_place(&raw));
        }
        if tag == ValueTag::LONG {
            let bytes = self.journal.value(at).expect("a long value is present");
            value = placed(partition.values.put(bytes.into()));
        }
        partition.slots_mut()[index as usize].set_raw_value(tag, value);
        let version = &mut self.branch.versions[version as usize];
        version.last = call;
        version.new_tag = tag;
        version.new = value;
        self.branch.removes |= tag == ValueTag::ABSENT;
        if entry.ordered {
            partition.order(entry.contract, self.journal.key_bytes(at), tag != ValueTag::ABSENT);
        }
    }

    /// The writes of the branch that are still its last ones: for call `call`, in order of the call's journal.
    #[inline]
    pub fn last_writes(&self, call: CallIndex) -> impl Iterator<Item = Write<'_>> {
        let ends = &self.branch.ends;
        let first = if call.0 == 0 { 0 } else { ends[call.0 as usize - 1] };
        let writes = &self.branch.writes[first as usize..ends[call.0 as usize] as usize];
        // The versions were written a batch ago and have left the near caches.
        if let Some(&ahead) = self.branch.writes.get(first as usize + WRITES_PREFETCH) {
            let version = &raw const self.branch.versions[ahead as usize];
            prefetch(version);
            prefetch(version.cast::<u8>().wrapping_add(64));
        }
        writes
            .iter()
            .map(|&number| &self.branch.versions[number as usize])
            .filter(move |version| version.last == call)
            .map(|version| self.write_of(version))
    }

    #[inline]
    fn write_of<'a>(&'a self, version: &'a Version) -> Write<'a> {
        let (owner, _) = parts(version.slot);
        let partition = &self.partitions[owner];
        let key = self.branch.key(version);
        let value = value_bytes(version.new_tag, &version.new, &partition.values);
        Write { contract: version.contract, key, value }
    }

    /// Calls that ended since the branch was opened.
    pub fn calls(&self) -> usize {
        self.branch.ends.len()
    }

    /// Makes the branch the state. The next branch is open.
    pub fn commit(&mut self) {
        self.close(false);
    }

    /// Puts back the state before the branch. The next branch is open.
    pub fn discard(&mut self) {
        self.close(true);
    }

    fn close(&mut self, undo: bool) {
        self.journal.clear();
        let versions = core::mem::take(&mut self.branch.versions);
        if undo {
            for version in &versions {
                self.restore(version);
            }
        }
        // Keys that are absent now leave the table; removal moves slots, so each is found by its key.
        if undo || self.branch.removes {
            for version in &versions {
                if (if undo { version.old_tag } else { version.new_tag }) == ValueTag::ABSENT {
                    self.evict(version);
                }
            }
        }
        let epoch = self.branch.epoch.wrapping_add(1);
        self.branch.versions = versions;
        self.branch.clear();
        if epoch == 0 {
            // Once in four billion branches: numbers start again, so none may be left in a slot.
            for partition in &mut self.partitions {
                partition.slots_mut().iter_mut().for_each(|slot| slot.epoch = 0);
            }
        }
        self.branch.epoch = epoch.max(1);
    }

    fn restore(&mut self, version: &Version) {
        let (owner, index) = parts(version.slot);
        let partition = &mut self.partitions[owner];
        let slot = &partition.slots()[index as usize];
        let (now, raw) = slot.raw_value();
        if version.ordered {
            let (contract, key) = (slot.contract(), Box::<[u8]>::from(slot.key(&partition.keys)));
            partition.order(contract, &key, version.old_tag != ValueTag::ABSENT);
        }
        if now == ValueTag::LONG {
            partition.values.take(value_place(&raw));
        }
        let mut old = version.old;
        if version.old_tag == ValueTag::LONG {
            let bytes = core::mem::take(&mut self.branch.old_values[value_place(&old) as usize]);
            old = placed(partition.values.put(bytes));
        }
        partition.slots_mut()[index as usize].set_raw_value(version.old_tag, old);
    }

    #[cold]
    fn evict(&mut self, version: &Version) {
        let key = self.branch.key(version);
        let key = self.hasher.key(version.contract, key, version.ordered);
        let partition = &mut self.partitions[owner(key.hash)];
        let index = partition.search(&key).expect("a version's key is in the table until it is evicted");
        partition.remove(index, &self.hasher);
    }

    // ---- the committed state ----

    /// The key's committed value, whatever the open branch wrote.
    pub fn committed(&self, contract: ContractIndex, key: &[u8], ordered: bool) -> Option<&[u8]> {
        let key = self.hasher.key(contract, key, ordered);
        let partition = &self.partitions[owner(key.hash)];
        let index = partition.search(&key).ok()?;
        self.committed_at(owner(key.hash), index)
    }

    fn committed_at(&self, owner: usize, index: u32) -> Option<&[u8]> {
        let partition = &self.partitions[owner];
        let slot = &partition.slots()[index as usize];
        if slot.epoch == self.branch.epoch {
            let version = &self.branch.versions[slot.version as usize];
            return match version.old_tag {
                ValueTag::LONG => Some(&self.branch.old_values[value_place(&version.old) as usize]),
                tag => value_bytes(tag, &version.old, &partition.values),
            };
        }
        partition.value(index)
    }

    /// All committed entries, in no order that means anything.
    pub fn entries(&self) -> impl Iterator<Item = Write<'_>> {
        self.partitions.iter().enumerate().flat_map(move |(owner, partition)| {
            partition.slots().iter().enumerate().filter(|(_, slot)| !slot.is_empty()).filter_map(
                move |(index, slot)| {
                    let value = self.committed_at(owner, index as u32)?;
                    Some(Write { contract: slot.contract(), key: slot.key(&partition.keys), value: Some(value) })
                },
            )
        })
    }

    /// Keys in the table, those of the open branch included.
    pub fn len(&self) -> usize {
        self.partitions.iter().map(|partition| partition.entries() as usize).sum()
    }

    /// Whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[inline]
fn integer(value: Option<&[u8]>) -> Option<u128> {
    match value {
        None => Some(0),
        Some(bytes) => bytes.try_into().ok().map(u128::from_le_bytes),
    }
}

impl Branch {
    #[inline]
    fn key<'a>(&'a self, version: &'a Version) -> &'a [u8] {
        let length = version.key_length_less_one as usize + 1;
        if length <= INLINE_KEY_BYTES {
            &version.key[..length]
        } else {
            let place = u32::from_le_bytes([version.key[0], version.key[1], version.key[2], version.key[3]]);
            &self.long_keys[place as usize]
        }
    }

    fn clear(&mut self) {
        self.versions.clear();
        self.long_keys.clear();
        self.old_values.clear();
        self.writes.clear();
        self.ends.clear();
        self.removes = false;
    }
}

/// A range of keys inside one ordered slot: `start` ≤ key < `end`.
#[derive(Clone, Copy, Debug)]
pub struct KeyRange<'a> {
    /// The slot, which is the first byte of `start` and of every key of the range.
    pub slot: u8,
    /// Least key that belongs.
    pub start: &'a [u8],
    /// Least key above the range, not below `start`; `None` is the end of the slot.
    pub end: Option<&'a [u8]>,
}

impl<'a> KeyRange<'a> {
    fn bounds(&self) -> (Bound<&'a [u8]>, Bound<&'a [u8]>) {
        (Bound::Included(self.start), self.end.map_or(Bound::Unbounded, Bound::Excluded))
    }

    fn contains(&self, key: &[u8]) -> bool {
        key[0] == self.slot && key >= self.start && self.end.is_none_or(|end| key < end)
    }
}
