//! The state, partitioned by owner, and the one open branch over it: the batch that executes.
//!
//! Execution writes values in place and keeps, for every key that the batch touched, a version with the value
//! before. Committing forgets the versions; discarding puts the old values back. Readers of the committed state look
//! through the versions, so that nothing of an open branch is visible. In place, because the line of a key's slot is
//! then in the cache; a separate overlay would touch it a second time at commit.

use crate::claims::RunClaims;
use crate::executor::RUN_CALLS;
use crate::hash::{HashSeed, KeyHasher, OWNERS, owner};
use crate::hinted::Lists;
use crate::key::{ContractIndex, StateKey};
use crate::partition::Partition;
use crate::record::{NO_SLOT, RUNS_MAX, RecordId};
use crate::run::{RunLog, Write};
use core::ops::Bound;

/// A key's hash, by which its lines are asked for early.
#[derive(Clone, Copy, Debug)]
pub struct PrefetchHash(u64);

impl KeyHasher {
    /// The hash of a key that some call will probably touch.
    #[inline]
    pub fn prefetch_hash(&self, contract: ContractIndex, key: &[u8]) -> PrefetchHash {
        PrefetchHash(self.key(contract, key, false).hash)
    }
}

/// The state with its open branch.
pub struct State {
    pub(crate) hasher: KeyHasher,
    pub(crate) partitions: Vec<Partition>,
    /// Most distinct keys that one call may write.
    pub(crate) writes_max: usize,
    /// Logs of runs that are done, to be filled again: fresh pages from the kernel cost more than filling them.
    pub(crate) spare: Vec<RunLog>,
    /// Claims of runs that are done, likewise.
    pub(crate) spare_claims: Vec<RunClaims>,
    /// Logs of workers' calls of a round, and lists of what they did.
    pub(crate) spare_wide: Vec<RunLog>,
    pub(crate) spare_lists: Vec<Lists>,
}

/// The greatest limit of writes. What a run writes when its calls are executed in order, behind what they left in a bucket
/// before, stays within what ids of records can name.
pub const WRITES_MAX: usize = 1 << 15;

const _: () = assert!(RecordId::BUCKET_MAX + RUN_CALLS as usize * WRITES_MAX < RecordId::PLACES);

/// Bytes of long keys and values that a log may hold and be kept for reuse.
const SPARE_BYTES: usize = 1 << 20;
/// Records that it may have room for: a batch of calls that read all that their gas allows would leave gigabytes.
const SPARE_RECORDS: usize = 1 << 14;

impl State {
    /// An empty state. `writes_max`: distinct keys that one call may write.
    ///
    /// # Panics
    /// If that is more than [`WRITES_MAX`].
    pub fn new(seed: HashSeed, writes_max: usize) -> Self {
        assert!(writes_max <= WRITES_MAX, "a limit of {writes_max} writes is above {WRITES_MAX}");
        Self {
            hasher: KeyHasher::new(seed),
            partitions: (0..OWNERS).map(|_| Partition::new()).collect(),
            writes_max,
            spare: Vec::new(),
            spare_claims: Vec::new(),
            spare_wide: Vec::new(),
            spare_lists: Vec::new(),
        }
    }

    /// Where the key is: its owner, and its slot if the table holds it.
    #[inline]
    pub(crate) fn find(&self, key: &StateKey<'_>) -> (usize, Option<u32>) {
        let owner = owner(key.hash);
        (owner, self.partitions[owner].search(key).ok())
    }

    /// The same, with [`NO_SLOT`] for none, as records have it.
    #[inline]
    pub(crate) fn locate(&self, key: &StateKey<'_>) -> (usize, u32) {
        let (owner, found) = self.find(key);
        (owner, found.unwrap_or(NO_SLOT))
    }

    /// Asks the processor for the lines of keys that later calls will probably want.
    #[inline]
    pub(crate) fn prefetch(&self, hashes: &[PrefetchHash]) {
        for &PrefetchHash(hash) in hashes {
            self.partitions[owner(hash)].prefetch(hash);
        }
    }

    /// Asks for the tags by which their lines will be found.
    #[inline]
    pub(crate) fn prefetch_tags(&self, hashes: &[PrefetchHash]) {
        for &PrefetchHash(hash) in hashes {
            self.partitions[owner(hash)].prefetch_tags(hash);
        }
    }

    /// Keeps the log of a run that is done for another batch.
    pub fn recycle(&mut self, log: RunLog) {
        let small = log.side.bytes.capacity() <= SPARE_BYTES && log.side.entries.capacity() <= SPARE_RECORDS;
        if self.spare.len() < RUNS_MAX as usize && small {
            self.spare.push(log);
        }
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
        for partition in &mut self.partitions {
            let next = partition.epoch.wrapping_add(1).max(1);
            partition.close(undo, next, &self.hasher);
        }
    }

    // ---- the committed state ----

    /// The key's committed value, whatever the open branch wrote.
    pub fn committed(&self, contract: ContractIndex, key: &[u8], ordered: bool) -> Option<&[u8]> {
        let key = self.hasher.key(contract, key, ordered);
        let partition = &self.partitions[owner(key.hash)];
        partition.committed(partition.search(&key).ok()?)
    }

    /// All committed entries, in no order that means anything.
    pub fn entries(&self) -> impl Iterator<Item = Write<'_>> {
        self.partitions.iter().flat_map(|partition| {
            let slots = partition.slots().iter().enumerate().filter(|(_, slot)| !slot.is_empty());
            slots.filter_map(move |(index, slot)| {
                let value = partition.committed(index as u32)?;
                Some(Write { contract: slot.contract(), key: slot.key(&partition.keys), value: Some(value) })
            })
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

/// The integer that a value is; `None` if it is not 16 bytes long. An absent key counts as 0.
#[inline]
pub(crate) fn integer(value: Option<&[u8]>) -> Option<u128> {
    match value {
        None => Some(0),
        Some(bytes) => bytes.try_into().ok().map(u128::from_le_bytes),
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
    pub(crate) fn bounds(&self) -> (Bound<&'a [u8]>, Bound<&'a [u8]>) {
        (Bound::Included(self.start), self.end.map_or(Bound::Unbounded, Bound::Excluded))
    }

    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        key[0] == self.slot && key >= self.start && self.end.is_none_or(|end| key < end)
    }
}
