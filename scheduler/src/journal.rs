//! Access records of the running call: what it wrote, found again by key, and dropped whole when it fails.
//!
//! A call sees its own writes, so every access looks here before it looks at the table. Most calls write two or three
//! keys: their hashes are compared one after another; past [`LINEAR_ENTRIES`] an index takes over, so that a call
//! with a thousand writes does not make each access a thousand comparisons.

use crate::key::{ContractIndex, INLINE_KEY_BYTES, StateKey};
use crate::value::{INLINE_VALUE_BYTES, ValueTag};
use hashbrown::HashTable;

const LINEAR_ENTRIES: usize = 16;

/// Slot number of a key that the table does not hold.
pub(crate) const NO_SLOT: u32 = u32::MAX;

/// A key that the call has written.
pub(crate) struct Entry {
    pub(crate) hash: u64,
    pub(crate) contract: ContractIndex,
    /// Start of the key's bytes in `bytes`, if it is long.
    long_key: u32,
    pub(crate) key_length_less_one: u8,
    pub(crate) ordered: bool,
    pub(crate) head: [u8; INLINE_KEY_BYTES],
    /// The table's slot, or [`NO_SLOT`].
    pub(crate) slot: u32,
    pub(crate) tag: ValueTag,
    /// In place, or (start, length) in `bytes`.
    pub(crate) value: [u8; INLINE_VALUE_BYTES],
}

#[derive(Default)]
pub(crate) struct Journal {
    pub(crate) entries: Vec<Entry>,
    /// Long keys and values.
    bytes: Vec<u8>,
    index: HashTable<u32>,
}

impl Journal {
    pub(crate) fn clear(&mut self) {
        if self.entries.len() > LINEAR_ENTRIES {
            self.index.clear();
        }
        self.entries.clear();
        self.bytes.clear();
    }

    /// Place of the key's entry.
    #[inline]
    pub(crate) fn find(&self, key: &StateKey<'_>) -> Option<usize> {
        if self.entries.len() > LINEAR_ENTRIES {
            return self.index.find(key.hash, |&at| self.holds(at as usize, key)).map(|&at| at as usize);
        }
        (0..self.entries.len()).find(|&at| self.entries[at].hash == key.hash && self.holds(at, key))
    }

    fn holds(&self, at: usize, key: &StateKey<'_>) -> bool {
        let entry = &self.entries[at];
        entry.hash == key.hash && entry.contract == key.contract && self.key_bytes(at) == key.bytes
    }

    /// Adds an absent key's entry, without a value yet.
    #[inline]
    pub(crate) fn push(&mut self, key: &StateKey<'_>, slot: u32) -> usize {
        let at = self.entries.len();
        let long_key = self.bytes.len() as u32;
        if !key.is_inline() {
            self.bytes.extend_from_slice(key.bytes);
        }
        self.entries.push(Entry {
            hash: key.hash,
            contract: key.contract,
            long_key,
            key_length_less_one: key.length_less_one(),
            ordered: key.ordered,
            head: key.head(),
            slot,
            tag: ValueTag::ABSENT,
            value: [0; INLINE_VALUE_BYTES],
        });
        if at >= LINEAR_ENTRIES {
            self.extend_index(at);
        }
        at
    }

    /// The entry's key, to be looked for.
    pub(crate) fn key(&self, at: usize) -> StateKey<'_> {
        let entry = &self.entries[at];
        StateKey { hash: entry.hash, contract: entry.contract, bytes: self.key_bytes(at), ordered: entry.ordered }
    }

    #[cold]
    fn extend_index(&mut self, at: usize) {
        let from = if at == LINEAR_ENTRIES { 0 } else { at };
        for place in from..=at {
            let hash = self.entries[place].hash;
            self.index.insert_unique(hash, place as u32, |&at| self.entries[at as usize].hash);
        }
    }

    #[inline]
    pub(crate) fn key_bytes(&self, at: usize) -> &[u8] {
        let entry = &self.entries[at];
        let length = entry.key_length_less_one as usize + 1;
        if length <= INLINE_KEY_BYTES {
            &entry.head[..length]
        } else {
            &self.bytes[entry.long_key as usize..][..length]
        }
    }

    #[inline]
    pub(crate) fn value(&self, at: usize) -> Option<&[u8]> {
        let entry = &self.entries[at];
        match entry.tag.inline_length() {
            Some(length) => Some(&entry.value[..length]),
            None if entry.tag == ValueTag::ABSENT => None,
            None => {
                let word = |i: usize| u32::from_le_bytes([0, 1, 2, 3].map(|b| entry.value[4 * i + b])) as usize;
                Some(&self.bytes[word(0)..][..word(1)])
            }
        }
    }

    /// Sets or, with `None`, removes.
    #[inline]
    pub(crate) fn write(&mut self, at: usize, value: Option<&[u8]>) {
        let start = self.bytes.len();
        let entry = &mut self.entries[at];
        match value {
            None => entry.tag = ValueTag::ABSENT,
            Some(bytes) if bytes.len() <= INLINE_VALUE_BYTES => {
                entry.tag = ValueTag::inline(bytes.len());
                entry.value = [0; INLINE_VALUE_BYTES];
                entry.value[..bytes.len()].copy_from_slice(bytes);
            }
            Some(bytes) => {
                entry.tag = ValueTag::LONG;
                // Both fit: gas bounds what a call can write far below 4 GiB.
                entry.value[..4].copy_from_slice(&(start as u32).to_le_bytes());
                entry.value[4..8].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
                self.bytes.extend_from_slice(bytes);
            }
        }
    }

    /// Writes a 16-byte integer.
    #[inline]
    pub(crate) fn write_integer(&mut self, at: usize, value: u128) {
        let entry = &mut self.entries[at];
        entry.tag = ValueTag::inline(16);
        entry.value = value.to_le_bytes();
    }
}
