//! The keyed hash of state keys and the choice of owner.
//!
//! Keys come from strangers: with a known hash they could aim every key at one owner or one run of slots. So the hash is
//! keyed with a seed of the process. This is the only randomness that executing meets, and nothing that is visible
//! depends on it; tests compare everything under two seeds.

use crate::key::{ADDRESS_KEY_BYTES, ContractIndex, StateKey};
use crate::record::Entry;
use core::hash::{BuildHasher, Hasher};
use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;

/// Owners of the key space, a power of two. More than workers, so that they balance; few enough that each
/// owner's part of the table fills whole huge pages.
pub const OWNERS: usize = 16;
pub(crate) const OWNER_BITS: u32 = OWNERS.trailing_zeros();

/// Where the hash tables' key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashSeed {
    /// A fresh one for every table: the default.
    Random,
    /// For tests that compare results under several seeds, and for measurements that must repeat exactly.
    Fixed(u64),
}

/// Hashes state keys.
#[derive(Clone)]
pub struct KeyHasher(SeedableRandomState);

impl KeyHasher {
    /// A hasher with the given seed.
    pub fn new(seed: HashSeed) -> Self {
        let seed = match seed {
            HashSeed::Fixed(seed) => seed,
            HashSeed::Random => foldhash::fast::RandomState::default().build_hasher().finish(),
        };
        // The shared seed is as secret as the other one: both derive from the process's.
        Self(SeedableRandomState::with_seed(
            seed,
            Box::leak(Box::new(SharedSeed::from_u64(seed.rotate_left(32) ^ 0x9e37))),
        ))
    }

    #[inline]
    fn hash(&self, contract: ContractIndex, bytes: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        if let Ok(key) = <&[u8; ADDRESS_KEY_BYTES]>::try_from(bytes) {
            // The address is read in the words in which it was written, or the loads would wait for the stores.
            hasher.write_u64(u64::from(contract.0) << 16 | u64::from(key[0]));
            for word in key[1..].as_chunks::<8>().0 {
                hasher.write_u64(u64::from_le_bytes(*word));
            }
        } else {
            hasher.write_u64(u64::from(contract.0) << 16 | (bytes.len() as u64) << 32);
            hasher.write(bytes);
        }
        hasher.finish()
    }

    /// Hashes a key (1 to 256 bytes). Keys of an ordered slot all have the owner of (contract, slot), so that one owner
    /// can scan them.
    #[inline]
    pub fn key<'a>(&self, contract: ContractIndex, bytes: &'a [u8], ordered: bool) -> StateKey<'a> {
        debug_assert!(!bytes.is_empty() && bytes.len() <= 256);
        let mut hash = self.hash(contract, bytes);
        if ordered {
            let owner = self.owner_of_slot(contract, bytes[0]) as u64;
            hash = hash << OWNER_BITS >> OWNER_BITS | owner << (64 - OWNER_BITS);
        }
        StateKey { hash, contract, bytes, ordered }
    }

    /// The key of an entry, whose long keys lie in `bytes`.
    pub(crate) fn key_of<'a>(&self, entry: &'a Entry, bytes: &'a [u8]) -> StateKey<'a> {
        self.key(entry.contract, entry.key_bytes(bytes), entry.is_ordered())
    }

    /// The owner of all keys of an ordered slot.
    pub fn owner_of_slot(&self, contract: ContractIndex, slot: u8) -> usize {
        owner(self.hash(contract, &[slot]))
    }
}

/// The owner of a key.
#[inline]
pub fn owner(hash: u64) -> usize {
    (hash >> (64 - OWNER_BITS)) as usize
}

/// Where in `capacity` slots a key's search starts: a multiplication in place of a division, and order-preserving, so
/// that a growing table is filled from front to back.
#[inline]
pub fn home(hash: u64, capacity: u32) -> u32 {
    ((((hash << OWNER_BITS) >> 32) * u64::from(capacity)) >> 32) as u32
}
