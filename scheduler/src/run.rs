//! The records of a run: of the calls that are hashed together.

use crate::executor::RUN_CALLS;
use crate::hash::OWNERS;
use crate::key::{CallIndex, ContractIndex};
use crate::prefetch::{prefetch, prefetch_for_write};
use crate::record::{Access, Entry, Predicate, Record, RecordId, Scan};
use crate::state::WRITES_MAX;
use core::ops::Range;

/// A write in the order of the digest: a key's last one in the batch.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// The contract whose key it is.
    pub contract: ContractIndex,
    /// The key's bytes.
    pub key: &'a [u8],
    /// The value, or `None` for a removed key.
    pub value: Option<&'a [u8]>,
}

/// How many calls ahead of the one whose writes are listed accesses are asked for.
const ACCESSES_PREFETCH_CALLS: u32 = 8;

/// Entries that a run may hold to be checked. Those of calls that are executed again in order come on top, and their places have 32 bits.
const ENTRIES_MAX: usize = 1 << 22;
/// Bytes of long keys and values, and of what scans found, that it may hold. What calls may write that are executed again in
/// order comes on top, and places in it have 32 bits.
pub(crate) const BYTES_MAX: usize = 1 << 27;

const _: () = assert!(ENTRIES_MAX + RUN_CALLS as usize * WRITES_MAX < u32::MAX as usize);

/// What the records of a run are made of, but for what their owners change.
#[derive(Default)]
pub(crate) struct Side {
    /// Each call's entries, one call behind the other.
    pub(crate) entries: Vec<Entry>,
    /// Long keys and values, and what scans found.
    pub(crate) bytes: Vec<u8>,
    pub(crate) predicates: Vec<Predicate>,
    pub(crate) scans: Vec<Scan>,
}

/// The records of a run of calls.
#[derive(Default)]
pub struct RunLog {
    /// The run's number in its batch.
    pub(crate) number: usize,
    pub(crate) first: u32,
    pub(crate) side: Side,
    /// By owner, so that each reads its own in order and no two write to one line. Empty in a run that executes in order.
    pub(crate) buckets: [Vec<Access>; OWNERS],
    /// Whether there are accesses.
    pub(crate) has_accesses: bool,
    /// Each call's part of the entries.
    ranges: Vec<(u32, u32)>,
    /// Start of the running call's entries.
    open: u32,
    /// Whether a bucket passed [`RecordId::BUCKET_MAX`], or the run another bound, so that the run cannot be validated.
    pub(crate) overflowed: bool,
}

impl RunLog {
    /// Empties the log for another run.
    pub(crate) fn begin(&mut self, number: usize, first: u32, has_accesses: bool) {
        self.number = number;
        self.first = first;
        self.has_accesses = has_accesses;
        self.buckets.iter_mut().for_each(Vec::clear);
        let Side { entries, bytes, predicates, scans } = &mut self.side;
        entries.clear();
        bytes.clear();
        predicates.clear();
        scans.clear();
        self.ranges.clear();
        self.open = 0;
        self.overflowed = false;
    }

    /// Place of the running call's first entry.
    #[inline]
    pub(crate) fn open(&self) -> usize {
        self.open as usize
    }

    /// Makes a record of the running call, whose entry is at `at`, the key's owner's.
    #[inline]
    pub(crate) fn log(&mut self, record: &Record, call: CallIndex, at: usize) -> RecordId {
        let entry = &self.side.entries[at];
        let (owner, access) = (usize::from(entry.owner), record.access(call, entry, at));
        let place = self.push_access(owner, access);
        self.side.entries[at].access = place as u32;
        // In a run that overflowed, which is not checked, it may pass even what an id holds; then nobody uses the id.
        RecordId::new(self.number, place & (RecordId::PLACES - 1))
    }

    #[inline]
    pub(crate) fn push_access(&mut self, owner: usize, access: Access) -> usize {
        let bucket = &mut self.buckets[owner];
        let place = bucket.len();
        bucket.push(access);
        // The buckets are more streams than the processor follows by itself.
        prefetch_for_write(bucket.as_ptr().wrapping_add(place + 1));
        self.overflowed |= place >= RecordId::BUCKET_MAX;
        place
    }

    /// Ends the running call, whose records were pushed since the last one ended.
    #[inline]
    pub(crate) fn end_call(&mut self) {
        if self.has_accesses {
            self.overflowed |= self.side.entries.len() > ENTRIES_MAX || self.side.bytes.len() > BYTES_MAX;
        }
        let end = self.side.entries.len() as u32;
        self.ranges.push((self.open, end));
        self.open = end;
    }

    /// Marks a write of the key as not its last one.
    #[inline]
    pub(crate) fn supersede(&mut self, owner: usize, id: RecordId) {
        if self.has_accesses {
            self.buckets[owner][id.place()].set_superseded(true);
        } else {
            let (call, number) = id.entry();
            self.side.entries[self.ranges[call].0 as usize + number].supersede();
        }
    }

    /// Takes the entries of the next call, whose long keys lie in `bytes`.
    pub(crate) fn take_entries(&mut self, entries: &[Entry], bytes: &[u8]) {
        let start = self.side.entries.len();
        self.side.entries.extend_from_slice(entries);
        self.side.entries[start..].iter_mut().for_each(|entry| entry.move_key(bytes, &mut self.side.bytes));
        self.end_call();
    }

    /// The calls from `call` on have not been executed after all. What they left in the buckets is found by nobody.
    pub(crate) fn forget_from(&mut self, call: CallIndex) {
        self.ranges.truncate(call.0.saturating_sub(self.first) as usize);
        self.open = self.side.entries.len() as u32;
    }

    /// A call's entries.
    pub(crate) fn entries(&self, call: CallIndex) -> &[Entry] {
        self.entries_of((call.0 - self.first) as usize)
    }

    /// The entries of the log's call `number`.
    pub(crate) fn entries_of(&self, number: usize) -> &[Entry] {
        let (start, end) = self.ranges[number];
        &self.side.entries[start as usize..end as usize]
    }

    /// Gives a call other entries than it had; their accesses are there already.
    pub(crate) fn set_entries(&mut self, call: CallIndex, entries: &[Entry]) {
        let start = self.side.entries.len();
        for (entry, at) in entries.iter().zip(start as u32..) {
            self.buckets[usize::from(entry.owner)][entry.access as usize].entry = at;
        }
        self.side.entries.extend_from_slice(entries);
        self.open = self.side.entries.len() as u32;
        self.ranges[(call.0 - self.first) as usize] = (start as u32, self.open);
    }

    /// Asks for the accesses of a later call's entries, which some other worker may have written last.
    #[inline]
    fn prefetch_accesses(&self, call: CallIndex) {
        let later = CallIndex(call.0 + ACCESSES_PREFETCH_CALLS);
        if self.call_range().contains(&later.0) {
            for entry in self.entries(later) {
                prefetch(self.buckets[usize::from(entry.owner)].as_ptr().wrapping_add(entry.access as usize));
            }
        }
    }

    /// Indices of the run's calls.
    pub fn call_range(&self) -> Range<u32> {
        self.first..self.first + self.ranges.len() as u32
    }

    /// Visits the writes of a call of this run that are their keys' last ones in the batch, in the order of its records. An iterator
    /// would cost each call the passing of its items: it is not always made part of the loop.
    #[inline]
    pub fn last_writes<'a>(&'a self, call: CallIndex, mut visit: impl FnMut(Write<'a>)) {
        if self.has_accesses {
            self.prefetch_accesses(call);
        }
        self.entries(call).iter().for_each(|entry| {
            if let Some(write) = self.last_write(entry) {
                visit(write);
            }
        });
    }

    /// The write of an entry, if it is its key's last one in the batch.
    #[inline(always)]
    fn last_write<'a>(&'a self, entry: &'a Entry) -> Option<Write<'a>> {
        let bytes = &self.side.bytes;
        let (contract, key) = (entry.contract, entry.key_bytes(bytes));
        if !self.has_accesses {
            return entry.is_last_write().then(|| Write { contract, key, value: entry.value(bytes) });
        }
        let access = &self.buckets[usize::from(entry.owner)][entry.access as usize];
        access.is_last_write().then(|| Write { contract, key, value: access.value(bytes) })
    }
}
