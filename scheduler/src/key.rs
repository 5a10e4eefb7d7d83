//! State keys as the scheduler sees them: (contract, key bytes) with their hash.

use crate::hash::OWNER_BITS;

/// Number of a contract in this process. Never visible outside: everything that leaves names contracts by id.
///
/// 0 stands for "no contract" and marks an empty slot of the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ContractIndex(pub u32);

/// Index of a call in its batch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CallIndex(pub u32);

/// Longest key that is kept inside a slot; a longer one lies on the heap beside the table.
pub(crate) const INLINE_KEY_BYTES: usize = 34;

/// A slot byte and an address. Nearly every key is this long, and a copy or comparison of known length is two vector
/// operations where one of unknown length is a function call.
pub(crate) const ADDRESS_KEY_BYTES: usize = 33;

/// A key that is looked for, where its bytes are.
#[derive(Clone, Copy, Debug)]
pub struct StateKey<'a> {
    /// Keyed hash; its top bits choose the owner, the rest the place.
    pub(crate) hash: u64,
    /// The contract whose key it is.
    pub(crate) contract: ContractIndex,
    /// 1 to 256 bytes, the first of which is the storage slot.
    pub(crate) bytes: &'a [u8],
    /// Whether the slot is ordered, so that owner and index follow (contract, slot).
    pub(crate) ordered: bool,
}

/// Whether two keys are the same. By words: of this length a comparison by the library is a call that costs more than it does.
#[inline]
pub(crate) fn same_address_key(a: &[u8; ADDRESS_KEY_BYTES], b: &[u8; ADDRESS_KEY_BYTES]) -> bool {
    let differ = |at: usize| {
        let word = |key: &[u8; ADDRESS_KEY_BYTES]| u64::from_le_bytes(key[at..at + 8].try_into().expect("8 bytes"));
        word(a) ^ word(b)
    };
    // The last word overlaps the one before: 33 bytes are four words and a byte.
    differ(0) | differ(8) | differ(16) | differ(24) | differ(25) == 0
}

impl StateKey<'_> {
    /// The hash without the bits that choose the owner: the same for a key whether its slot is ordered or not.
    #[inline]
    pub(crate) fn place_hash(&self) -> u64 {
        self.hash << OWNER_BITS
    }

    #[inline]
    pub(crate) fn length_less_one(&self) -> u8 {
        (self.bytes.len() - 1) as u8
    }

    #[inline]
    pub(crate) fn is_inline(&self) -> bool {
        self.bytes.len() <= INLINE_KEY_BYTES
    }

    /// The bytes padded with zeros, or their first ones.
    #[inline]
    pub(crate) fn head(&self) -> [u8; INLINE_KEY_BYTES] {
        let mut head = [0; INLINE_KEY_BYTES];
        if let Ok(bytes) = <&[u8; ADDRESS_KEY_BYTES]>::try_from(self.bytes) {
            head[..ADDRESS_KEY_BYTES].copy_from_slice(bytes);
        } else {
            let n = self.bytes.len().min(INLINE_KEY_BYTES);
            head[..n].copy_from_slice(&self.bytes[..n]);
        }
        head
    }
}
