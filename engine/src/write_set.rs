//! The bytes of a batch's write set: each key's last value or tombstone, ordered by (index of the last call that wrote
//! it, contract id, key).
//!
//! ```text
//! item   call u32 | flags u8 | 0 u8 | key length u16 | value length u32 | contract id [32]? | key | value
//! flags  1: removed, no value   2: the contract is not the one that was called, its id follows
//!        4: the value is the blake3 hash of a module, which is in the batch
//! ```
//!
//! In a run of the digest an item over 1 KiB has flag 8, its twelve bytes of header, and its hash.

use crate::batch::Address;
use crate::digest::ITEM_BYTES_MAX;
use crate::receipt::in_one_piece;
use std::borrow::Cow;

pub(crate) const REMOVED: u8 = 1;
pub(crate) const OTHER_CONTRACT: u8 = 2;
pub(crate) const MODULE: u8 = 4;
const HASHED: u8 = 8;
const ITEM_HEADER_BYTES: usize = 12;

/// One item to be written.
pub(crate) struct Item<'a> {
    pub(crate) call: u32,
    /// The contract's id, if it is not the called one.
    pub(crate) contract: Option<&'a Address>,
    pub(crate) key: &'a [u8],
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) module: bool,
}

/// Appends an item. Returns whether it is over the digest's item limit.
#[inline]
pub(crate) fn push(buffer: &mut Vec<u8>, item: &Item<'_>) -> bool {
    let start = buffer.len();
    let value = item.value.unwrap_or_default();
    let hash;
    let (value, mut flags) = if item.module {
        hash = blake3::hash(value);
        (&hash.as_bytes()[..], MODULE)
    } else {
        (value, 0)
    };
    flags |= if item.value.is_none() { REMOVED } else { 0 };
    flags |= if item.contract.is_some() { OTHER_CONTRACT } else { 0 };
    let mut header = [0; ITEM_HEADER_BYTES];
    header[..4].copy_from_slice(&item.call.to_le_bytes());
    header[4] = flags;
    header[6..8].copy_from_slice(&(item.key.len() as u16).to_le_bytes());
    header[8..].copy_from_slice(&(value.len() as u32).to_le_bytes());
    if let (None, Ok(key), Ok(value)) = (item.contract, <&[u8; 33]>::try_from(item.key), <&[u8; 16]>::try_from(value)) {
        // An integer under a slot byte and an address, as nearly every write is: one copy of known length.
        let mut whole = [0; ITEM_HEADER_BYTES + 33 + 16];
        whole[..12].copy_from_slice(&header);
        whole[12..45].copy_from_slice(key);
        whole[45..].copy_from_slice(value);
        buffer.extend_from_slice(&whole);
        return false;
    }
    buffer.extend_from_slice(&header);
    if let Some(contract) = item.contract {
        buffer.extend_from_slice(contract);
    }
    buffer.extend_from_slice(item.key);
    buffer.extend_from_slice(value);
    buffer.len() - start > ITEM_BYTES_MAX
}

/// A run for the digest: its items over the limit replaced by their hashes.
pub(crate) fn shorten(run: &[u8], scratch: &mut Vec<u8>) {
    scratch.clear();
    for item in WriteSet::new(run) {
        if item.record.len() > ITEM_BYTES_MAX {
            let mut header: [u8; ITEM_HEADER_BYTES] = *item.record.first_chunk().expect("an item has a header");
            header[4] |= HASHED;
            scratch.extend_from_slice(&header);
            scratch.extend_from_slice(blake3::hash(item.record).as_bytes());
        } else {
            scratch.extend_from_slice(item.record);
        }
    }
}

/// The writes of a batch.
#[derive(Clone, Copy, Debug)]
pub struct WriteSet<'a> {
    bytes: &'a [u8],
    /// The pieces behind, which begin with a whole item each.
    rest: &'a [Vec<u8>],
}

/// A key's last write in a batch.
#[derive(Clone, Copy, Debug)]
pub struct WriteItem<'a> {
    record: &'a [u8],
}

impl<'a> WriteSet<'a> {
    /// Reads an encoded write set, as the engine made it.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, rest: &[] }
    }

    pub(crate) fn of_pieces(rest: &'a [Vec<u8>]) -> Self {
        Self { bytes: &[], rest }
    }

    /// The encoded write set, in one piece.
    pub fn bytes(&self) -> Cow<'a, [u8]> {
        in_one_piece(self.bytes, self.rest)
    }
}

impl<'a> Iterator for WriteSet<'a> {
    type Item = WriteItem<'a>;

    fn next(&mut self) -> Option<WriteItem<'a>> {
        while self.bytes.is_empty() {
            (self.bytes, self.rest) = self.rest.split_first()?;
        }
        let header = self.bytes.first_chunk::<ITEM_HEADER_BYTES>()?;
        let id = if header[4] & OTHER_CONTRACT != 0 { 32 } else { 0 };
        let key = usize::from(u16::from_le_bytes([header[6], header[7]]));
        let value = u32::from_le_bytes([8, 9, 10, 11].map(|at| header[at])) as usize;
        let (record, rest) = self.bytes.split_at_checked(ITEM_HEADER_BYTES + id + key + value)?;
        self.bytes = rest;
        Some(WriteItem { record })
    }
}

impl<'a> WriteItem<'a> {
    /// The encoded item.
    pub fn record(&self) -> &'a [u8] {
        self.record
    }

    /// Index of the last call that wrote the key.
    pub fn call(&self) -> u32 {
        u32::from_le_bytes([0, 1, 2, 3].map(|at| self.record[at]))
    }

    fn flags(&self) -> u8 {
        self.record[4]
    }

    fn key_start(&self) -> usize {
        ITEM_HEADER_BYTES + if self.flags() & OTHER_CONTRACT != 0 { 32 } else { 0 }
    }

    fn key_end(&self) -> usize {
        self.key_start() + usize::from(u16::from_le_bytes([self.record[6], self.record[7]]))
    }

    /// The contract whose key it is, if it is not the one that the call names.
    pub fn contract(&self) -> Option<&'a Address> {
        (self.flags() & OTHER_CONTRACT != 0).then(|| self.record[12..44].try_into().expect("32 bytes"))
    }

    /// The key.
    pub fn key(&self) -> &'a [u8] {
        &self.record[self.key_start()..self.key_end()]
    }

    /// The value; `None` where the key was removed. A module stands as its hash, see [`WriteItem::is_module_hash`].
    pub fn value(&self) -> Option<&'a [u8]> {
        (self.flags() & REMOVED == 0).then(|| &self.record[self.key_end()..])
    }

    /// Whether the value is the hash of a module.
    pub fn is_module_hash(&self) -> bool {
        self.flags() & MODULE != 0
    }
}
