//! State keys as the scheduler sees them: (contract, key bytes), packed so that most fit a table slot.

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

/// A key with its hash, packed the way slots hold it. Short keys are padded with zeros, so that one comparison of
/// fixed size serves all of them; long ones keep their bytes outside.
#[derive(Clone, Copy, Debug)]
pub struct PackedKey {
    /// Keyed hash; its top bits choose the owner, the rest the place.
    pub hash: u64,
    /// The contract whose key it is.
    pub contract: ContractIndex,
    /// Length of the key in bytes: 1 to 256, less one, so that it fits a byte.
    pub length_less_one: u8,
    /// Whether the key lies in an ordered slot, where owner and index follow (contract, slot).
    pub ordered: bool,
    /// The key's bytes if they fit, else its first [`INLINE_KEY_BYTES`].
    pub head: [u8; INLINE_KEY_BYTES],
}

impl PackedKey {
    /// Packs `bytes` (1 to 256 of them), without a hash yet.
    #[inline]
    pub(crate) fn new(contract: ContractIndex, bytes: &[u8], ordered: bool) -> Self {
        debug_assert!(!bytes.is_empty() && bytes.len() <= 256);
        let mut head = [0; INLINE_KEY_BYTES];
        if bytes.len() == 33 {
            // A slot byte and an address: nearly every key, and a copy of known size is two vector moves.
            head[..33].copy_from_slice(&bytes[..33]);
        } else {
            let n = bytes.len().min(INLINE_KEY_BYTES);
            head[..n].copy_from_slice(&bytes[..n]);
        }
        Self { hash: 0, contract, length_less_one: (bytes.len() - 1) as u8, ordered, head }
    }

    /// Length in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.length_less_one as usize + 1
    }

    /// Keys are never empty.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Whether all bytes are in `head`.
    #[inline]
    pub fn is_inline(&self) -> bool {
        self.len() <= INLINE_KEY_BYTES
    }

    /// The first byte, which names the contract's storage slot.
    #[inline]
    pub fn slot(&self) -> u8 {
        self.head[0]
    }
}
