//! Access records: what a call saw of a key and what it made of it.
//!
//! A record says two things of one (call, key): what must still be true of the value before the call ([`Check`]), and what the
//! call does to it ([`Effect`]). A call has at most one record a key.
//!
//! A record has parts. While its call runs: an [`Entry`], a cache line with the key and the call's value, which is written once
//! where it stays, in the log of the run; and a small [`Record`] of what is only needed until the call ends. Where calls
//! run in parallel, ending the call makes an [`Access`] of both, another line in the bucket of the key's owner, who alone
//! changes it. A key's accesses in a round form a chain, linked by call index.

use crate::delta::{Answer, Delta, Operator};
use crate::executor::RUN_CALLS;
use crate::hash::owner;
use crate::key::{ADDRESS_KEY_BYTES, CallIndex, ContractIndex, INLINE_KEY_BYTES, StateKey};
use crate::state::WRITES_MAX;
use crate::value::{INLINE_VALUE_BYTES, Raw, ValueTag};

/// Slot number of a key that the table does not hold.
pub(crate) const NO_SLOT: u32 = u32::MAX;

/// Predicates on one key that a call may leave before its accesses count as an exact read: replaying a long list at each
/// validation would cost more than the conflicts that it avoids.
pub(crate) const PREDICATES_MAX: usize = 8;

/// Runs of a batch: ids have 8 bits for them.
pub(crate) const RUNS_MAX: u32 = 256;

/// Bits of an id for an entry's number among those of its call.
const ENTRY_BITS: u32 = 16;

const _: () = assert!((RUN_CALLS as usize) << ENTRY_BITS <= RecordId::PLACES && WRITES_MAX < 1 << ENTRY_BITS);

/// Where a record is: a run of the batch, and a place in the run's bucket of the key's owner. In a run without accesses the place
/// is an entry's: the call's number in the run, and the entry's among those of the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RecordId(u32);

impl RecordId {
    pub(crate) const NONE: RecordId = RecordId(u32::MAX);
    /// Records that a bucket may hold for its run to be checked: one that is longer is not worth the memory. What is
    /// executed again comes on top, so ids have more bits than this.
    pub(crate) const BUCKET_MAX: usize = 1 << 20;
    /// Places that ids can name.
    pub(crate) const PLACES: usize = 1 << 24;

    #[inline]
    pub(crate) fn new(run: usize, place: usize) -> Self {
        debug_assert!(run < RUNS_MAX as usize && place < Self::PLACES);
        Self((run as u32) << 24 | place as u32)
    }

    /// The id of entry `number` of a call, in a run without accesses.
    #[inline]
    pub(crate) fn of_entry(call: CallIndex, number: usize) -> Self {
        let (run, place) = (call.0 / RUN_CALLS, call.0 % RUN_CALLS);
        Self::new(run as usize, (place as usize) << ENTRY_BITS | number)
    }

    /// The call's number in its run, and the entry's among those of the call.
    #[inline]
    pub(crate) fn entry(self) -> (usize, usize) {
        (self.place() >> ENTRY_BITS, self.place() & ((1 << ENTRY_BITS) - 1))
    }

    #[inline]
    pub(crate) fn run(self) -> usize {
        (self.0 >> 24) as usize
    }

    #[inline]
    pub(crate) fn place(self) -> usize {
        (self.0 & 0xff_ffff) as usize
    }
}

/// What must hold of the value before the call, for the call's execution to stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Check {
    /// Nothing: the call did not look.
    None,
    /// It is the value of `seen`. Of a long value: nobody has written it.
    Exact,
    /// It is there, or it is not.
    Presence(bool),
    /// A delta whose magnitude is in `seen` and whose exponent in `side` has the same answer.
    One(Operator, Answer),
    /// All of a list of predicates in the run have the same answers.
    Many,
    /// A scan finds the same entries. The record has no key of its own and no effect.
    Scan,
}

/// What the call does to the value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Effect {
    /// Nothing.
    None,
    /// Replaces it by `value`, or removes it.
    Value,
    /// Changes it by the applied deltas of the check; `value` is what came out last.
    Deltas,
}

/// A record of the running call, beside its entry.
#[derive(Clone, Copy)]
pub(crate) struct Record {
    pub(crate) hash: u64,
    /// The table's slot when the call looked, or [`NO_SLOT`]. Tables that grow move their slots.
    pub(crate) slot: u32,
    /// [`Check::One`]: the exponent of the delta. [`Check::Many`]: the first predicate; [`Check::Scan`]: the scan; places in
    /// the run.
    pub(crate) side: u32,
    /// The innermost savepoint when the record was made, or noted last.
    pub(crate) since: u32,
    pub(crate) check: Check,
    pub(crate) effect: Effect,
    pub(crate) seen_tag: ValueTag,
    pub(crate) seen: [u8; INLINE_VALUE_BYTES],
}

const ORDERED: u8 = 1;
const SUPERSEDED: u8 = 2;
const WRITES: u8 = 4;

/// A key that a call touched, and the value that it left there.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Entry {
    pub(crate) contract: ContractIndex,
    /// Place of the [`Access`], in a run that has them.
    pub(crate) access: u32,
    key_length_less_one: u8,
    pub(crate) owner: u8,
    flags: u8,
    pub(crate) tag: ValueTag,
    /// In place, or (start, length) in the run's bytes.
    pub(crate) value: [u8; INLINE_VALUE_BYTES],
    /// The key padded with zeros; of a long key, its start in the run's bytes.
    head: [u8; INLINE_KEY_BYTES],
}

const _: () = assert!(size_of::<Entry>() == 64);

/// What a key's owner needs to chain and check a record.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Access {
    /// The slot that the call saw, or [`NO_SLOT`]; the version, when the owner has chained it.
    place: u32,
    pub(crate) call: CallIndex,
    /// The key's neighbouring records in the batch's open round, by call index.
    pub(crate) prev: RecordId,
    pub(crate) next: RecordId,
    /// See [`Record`].
    pub(crate) side: u32,
    /// Place of the [`Entry`] in the run.
    pub(crate) entry: u32,
    pub(crate) check: Check,
    pub(crate) effect: Effect,
    pub(crate) seen_tag: ValueTag,
    pub(crate) tag: ValueTag,
    /// Copied from the entry, whose line is not touched for it.
    pub(crate) ordered: bool,
    superseded: bool,
    pub(crate) seen: [u8; INLINE_VALUE_BYTES],
    /// The value behind the call, as far as the chain knows.
    pub(crate) value: [u8; INLINE_VALUE_BYTES],
}

const _: () = assert!(size_of::<Access>() == 64);

impl Record {
    /// A record that says nothing yet.
    #[inline]
    pub(crate) fn new(hash: u64, slot: u32, since: u32) -> Self {
        Self {
            hash,
            slot,
            side: u32::MAX,
            since,
            check: Check::None,
            effect: Effect::None,
            seen_tag: ValueTag::ABSENT,
            seen: [0; INLINE_VALUE_BYTES],
        }
    }

    #[inline]
    pub(crate) fn writes(&self) -> bool {
        self.effect != Effect::None
    }

    /// The delta of [`Check::One`].
    #[inline]
    pub(crate) fn one(&self, operator: Operator) -> Delta {
        Delta::with_exponent(operator, u128::from_le_bytes(self.seen), self.side)
    }

    /// What the key's owner gets of the record, whose entry is at `at`.
    #[inline]
    pub(crate) fn access(&self, call: CallIndex, entry: &Entry, at: usize) -> Access {
        Access {
            place: self.slot,
            call,
            prev: RecordId::NONE,
            next: RecordId::NONE,
            side: self.side,
            entry: at as u32,
            check: self.check,
            effect: self.effect,
            seen_tag: self.seen_tag,
            tag: entry.tag,
            ordered: entry.is_ordered(),
            superseded: false,
            seen: self.seen,
            value: entry.value,
        }
    }
}

impl Entry {
    /// Appends the entry of a key without a value. A long key's bytes are appended to `bytes`.
    #[inline(always)]
    pub(crate) fn push(entries: &mut Vec<Entry>, key: &StateKey<'_>, bytes: &mut Vec<u8>) {
        entries.push(Self {
            contract: key.contract,
            access: 0,
            key_length_less_one: key.length_less_one(),
            owner: owner(key.hash) as u8,
            flags: if key.ordered { ORDERED } else { 0 },
            tag: ValueTag::ABSENT,
            value: [0; INLINE_VALUE_BYTES],
            head: [0; INLINE_KEY_BYTES],
        });
        // The key is copied to where it stays: a line that is made of small parts and then moved as a whole makes the
        // processor wait until the parts have been stored.
        let Some(entry) = entries.last_mut() else { return };
        if let Ok(address) = <&[u8; ADDRESS_KEY_BYTES]>::try_from(key.bytes) {
            entry.head[..ADDRESS_KEY_BYTES].copy_from_slice(address);
        } else if key.is_inline() {
            entry.head[..key.bytes.len()].copy_from_slice(key.bytes);
        } else {
            entry.head[..4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
            bytes.extend_from_slice(key.bytes);
        }
    }

    #[inline]
    pub(crate) fn key_bytes<'a>(&'a self, bytes: &'a [u8]) -> &'a [u8] {
        let length = self.key_length_less_one as usize + 1;
        if length <= INLINE_KEY_BYTES {
            &self.head[..length]
        } else {
            let start = u32::from_le_bytes([self.head[0], self.head[1], self.head[2], self.head[3]]);
            &bytes[start as usize..][..length]
        }
    }

    /// Whether this is the key's entry.
    #[inline]
    pub(crate) fn holds(&self, key: &StateKey<'_>, bytes: &[u8]) -> bool {
        self.contract == key.contract && self.key_bytes(bytes) == key.bytes
    }

    /// Copies a long key from one run's bytes to another's.
    pub(crate) fn move_key(&mut self, from: &[u8], to: &mut Vec<u8>) {
        if self.key_length_less_one as usize >= INLINE_KEY_BYTES {
            let start = to.len() as u32;
            to.extend_from_slice(self.key_bytes(from));
            self.head[..4].copy_from_slice(&start.to_le_bytes());
        }
    }

    /// Sets the value, or with `None` its absence. A long value's bytes are appended to `bytes`.
    #[inline]
    pub(crate) fn set_value(&mut self, value: Option<&[u8]>, bytes: &mut Vec<u8>) {
        match value {
            // Zeros, as a slot without a value has them: values are compared with all their bytes.
            None => (self.tag, self.value) = (ValueTag::ABSENT, [0; INLINE_VALUE_BYTES]),
            Some(short) if short.len() <= INLINE_VALUE_BYTES => {
                self.tag = ValueTag::inline(short.len());
                self.value = [0; INLINE_VALUE_BYTES];
                self.value[..short.len()].copy_from_slice(short);
            }
            Some(long) => {
                self.tag = ValueTag::LONG;
                // Both fit: gas bounds what a run can write far below 4 GiB.
                self.value[..4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
                self.value[4..8].copy_from_slice(&(long.len() as u32).to_le_bytes());
                bytes.extend_from_slice(long);
            }
        }
    }

    #[inline]
    pub(crate) fn set_integer(&mut self, value: u128) {
        self.tag = ValueTag::inline(16);
        self.value = value.to_le_bytes();
    }

    /// The value that the call left when it ran; `None` if the key was absent then.
    #[inline]
    pub(crate) fn value<'a>(&'a self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        run_value(self.tag, &self.value, bytes)
    }

    /// The value as an access has it: of a long one, its place in the run's bytes.
    #[inline]
    pub(crate) fn raw(&self) -> Raw {
        (self.tag, self.value)
    }

    pub(crate) fn set_raw(&mut self, (tag, value): Raw) {
        (self.tag, self.value) = (tag, value);
    }

    #[inline]
    pub(crate) fn is_ordered(&self) -> bool {
        self.flags & ORDERED != 0
    }

    /// In a run that executes in order: whether this is a write, and no later call of the batch changed the key again.
    #[inline]
    pub(crate) fn is_last_write(&self) -> bool {
        self.flags & (WRITES | SUPERSEDED) == WRITES
    }

    #[inline]
    pub(crate) fn set_writes(&mut self) {
        self.flags |= WRITES;
    }

    #[inline]
    pub(crate) fn supersede(&mut self) {
        self.flags |= SUPERSEDED;
    }
}

/// A value as runs keep it: long ones are (start, length) in the run's bytes.
#[inline]
fn run_value<'a>(tag: ValueTag, value: &'a [u8; INLINE_VALUE_BYTES], bytes: &'a [u8]) -> Option<&'a [u8]> {
    match tag.inline_length() {
        Some(length) => Some(&value[..length]),
        None if tag == ValueTag::ABSENT => None,
        None => Some(long_value(value, bytes)),
    }
}

/// The bytes of a long value.
pub(crate) fn long_value<'a>(value: &[u8; INLINE_VALUE_BYTES], bytes: &'a [u8]) -> &'a [u8] {
    let word = |i: usize| u32::from_le_bytes([0, 1, 2, 3].map(|b| value[4 * i + b])) as usize;
    &bytes[word(0)..][..word(1)]
}

impl Access {
    /// The slot that the call saw; only before the owner has chained the record.
    #[inline]
    pub(crate) fn slot(&self) -> u32 {
        self.place
    }

    /// The key's version in its owner's branch; only when the owner has chained the record.
    #[inline]
    pub(crate) fn version(&self) -> usize {
        self.place as usize
    }

    #[inline]
    pub(crate) fn set_version(&mut self, version: usize) {
        self.place = version as u32;
    }

    #[inline]
    pub(crate) fn writes(&self) -> bool {
        self.effect != Effect::None
    }

    /// Whether this is a write, and no later call of the batch changed the key again.
    #[inline]
    pub(crate) fn is_last_write(&self) -> bool {
        self.writes() && !self.superseded
    }

    #[inline]
    pub(crate) fn set_superseded(&mut self, superseded: bool) {
        self.superseded = superseded;
    }

    #[inline]
    pub(crate) fn value<'a>(&'a self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        run_value(self.tag, &self.value, bytes)
    }

    /// The delta of [`Check::One`].
    pub(crate) fn one(&self, operator: Operator) -> Delta {
        Delta::with_exponent(operator, u128::from_le_bytes(self.seen), self.side)
    }

    /// What that makes of a value, if it is not refused.
    #[inline]
    pub(crate) fn apply_one(&self, operator: Operator, value: u128) -> Option<u128> {
        Delta::apply(operator, u128::from_le_bytes(self.seen), self.side, value)
    }
}

/// One answer that a call got to an `add` or `sub`, in a list of them for one key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Predicate {
    pub(crate) delta: Delta,
    pub(crate) answer: Answer,
    /// The next one in the run, or `u32::MAX`.
    pub(crate) next: u32,
}

/// A scan of an ordered slot, and the stored entries that it came by, the one that it looked at last included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan {
    pub(crate) slot: u8,
    pub(crate) descending: bool,
    /// Whether it saw the end of its range.
    pub(crate) exhausted: bool,
    pub(crate) entries: u32,
    /// Places in the run's bytes: start, end (unless the range is open), entries.
    pub(crate) start: (u32, u32),
    pub(crate) end: Option<(u32, u32)>,
    pub(crate) found: (u32, u32),
}
