//! One entry of the table: a cache line that holds the key, the value and where its version in the batch is.
//!
//! ```text
//!  0          4         8       12      13     14                                     48              64
//!  +----------+---------+-------+-------+------+--------------------------------------+---------------+
//!  | contract | version | epoch | key   |value | key, zero padded                     | value         |
//!  |   u32    |   u32   |  u32  | len -1| tag  | (long: hash u64, heap place u32)     | (long: place) |
//!  +----------+---------+-------+-------+------+--------------------------------------+---------------+
//! ```

use crate::key::{ADDRESS_KEY_BYTES, ContractIndex, INLINE_KEY_BYTES, StateKey, same_address_key};
use crate::value::{Heap, INLINE_VALUE_BYTES, ValueTag};

#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Slot {
    /// 0: the slot is empty, which is what fresh pages of the kernel say.
    contract: u32,
    /// Place of the key's version in the open branch, if `epoch` is that branch's.
    pub(crate) version: u32,
    /// Number of the last branch that wrote the key.
    pub(crate) epoch: u32,
    key_length_less_one: u8,
    tag: u8,
    key: [u8; INLINE_KEY_BYTES],
    value: [u8; INLINE_VALUE_BYTES],
}

const _: () = assert!(size_of::<Slot>() == 64);

impl Slot {
    pub(crate) const EMPTY: Slot = Slot {
        contract: 0,
        version: 0,
        epoch: 0,
        key_length_less_one: 0,
        tag: 0,
        key: [0; INLINE_KEY_BYTES],
        value: [0; 16],
    };

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.contract == 0
    }

    pub(crate) fn for_key(key: &StateKey<'_>, keys: &mut Heap) -> Slot {
        let mut slot = Slot {
            contract: key.contract.0,
            key_length_less_one: key.length_less_one(),
            tag: ValueTag::ABSENT.0,
            key: key.head(),
            ..Slot::EMPTY
        };
        if !key.is_inline() {
            slot.key = [0; INLINE_KEY_BYTES];
            slot.key[..8].copy_from_slice(&key.place_hash().to_le_bytes());
            slot.key[8..12].copy_from_slice(&keys.put(key.bytes.into()).to_le_bytes());
        }
        slot
    }

    /// Whether this slot holds the key.
    #[inline]
    pub(crate) fn holds(&self, key: &StateKey<'_>, keys: &Heap) -> bool {
        if self.contract != key.contract.0 || self.key_length_less_one != key.length_less_one() {
            return false;
        }
        if let Ok(bytes) = <&[u8; ADDRESS_KEY_BYTES]>::try_from(key.bytes) {
            let own = self.key.first_chunk().expect("a slot's key is longer");
            return same_address_key(own, bytes);
        }
        if key.is_inline() {
            return self.key[..key.bytes.len()] == *key.bytes;
        }
        self.key[..8] == key.place_hash().to_le_bytes() && keys.get(self.key_place()) == key.bytes
    }

    pub(crate) fn contract(&self) -> ContractIndex {
        ContractIndex(self.contract)
    }

    #[inline]
    pub(crate) fn key_length(&self) -> usize {
        self.key_length_less_one as usize + 1
    }

    #[inline]
    pub(crate) fn key<'a>(&'a self, keys: &'a Heap) -> &'a [u8] {
        if self.key_length() <= INLINE_KEY_BYTES { &self.key[..self.key_length()] } else { keys.get(self.key_place()) }
    }

    fn key_place(&self) -> u32 {
        u32::from_le_bytes([self.key[8], self.key[9], self.key[10], self.key[11]])
    }

    /// The heap place of a long key.
    #[cfg(test)]
    pub(crate) fn long_key_place(&self) -> Option<u32> {
        (self.key_length() > INLINE_KEY_BYTES).then(|| self.key_place())
    }

    /// Frees what the key holds on the heap.
    pub(crate) fn drop_key(&self, keys: &mut Heap) {
        if self.key_length() > INLINE_KEY_BYTES {
            keys.take(self.key_place());
        }
    }

    #[inline]
    pub(crate) fn raw_value(&self) -> (ValueTag, [u8; INLINE_VALUE_BYTES]) {
        (ValueTag(self.tag), self.value)
    }

    #[inline]
    pub(crate) fn raw_value_ref(&self) -> (ValueTag, &[u8; INLINE_VALUE_BYTES]) {
        (ValueTag(self.tag), &self.value)
    }

    #[inline]
    pub(crate) fn set_raw_value(&mut self, tag: ValueTag, value: [u8; INLINE_VALUE_BYTES]) {
        self.tag = tag.0;
        self.value = value;
    }
}

/// The heap place that a long value's 16 bytes name.
#[inline]
pub(crate) fn value_place(raw: &[u8; INLINE_VALUE_BYTES]) -> u32 {
    u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]])
}

/// The 16 bytes that name a heap place.
pub(crate) fn placed(place: u32) -> [u8; INLINE_VALUE_BYTES] {
    let mut raw = [0; INLINE_VALUE_BYTES];
    raw[..4].copy_from_slice(&place.to_le_bytes());
    raw
}

/// The bytes of a value; `None` if it is absent.
#[inline]
pub(crate) fn value_bytes<'a>(tag: ValueTag, raw: &'a [u8; INLINE_VALUE_BYTES], heap: &'a Heap) -> Option<&'a [u8]> {
    match tag.inline_length() {
        Some(length) => Some(&raw[..length]),
        None if tag == ValueTag::ABSENT => None,
        None => Some(heap.get(value_place(raw))),
    }
}
