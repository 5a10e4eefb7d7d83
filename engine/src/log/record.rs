//! What the log holds: the records, and how the inputs chain.

use std::fmt;

use crate::limits::BATCH_BYTES_MAX;

/// A blake3 hash.
pub type Hash = [u8; 32];

const INPUT_DOMAIN: &str = "phalanx 1 log input";
const GENESIS_DOMAIN: &str = "phalanx 1 log genesis";

/// A place in the log: bytes from its very beginning, counted through all segments. Positions only grow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a log is of. Opening a log with another genesis is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Genesis {
    /// Tells one chain from another.
    pub chain_id: [u8; 32],
    /// Rules of execution at height 1.
    pub protocol_version: u32,
    /// How digests are made.
    pub digest_format: u32,
}

impl Genesis {
    /// What the Input of height 1 has as its previous input hash.
    pub fn hash(&self) -> Hash {
        blake3::Hasher::new_derive_key(GENESIS_DOMAIN).update(&self.encode()).finalize().into()
    }

    pub(crate) fn encode(&self) -> [u8; GENESIS_BYTES] {
        let mut bytes = [0; GENESIS_BYTES];
        bytes[..32].copy_from_slice(&self.chain_id);
        bytes[32..36].copy_from_slice(&self.protocol_version.to_le_bytes());
        bytes[36..].copy_from_slice(&self.digest_format.to_le_bytes());
        bytes
    }
}

/// Encoded bytes of a [`Genesis`].
pub(crate) const GENESIS_BYTES: usize = 40;
/// Encoded bytes of a [`Seal`], its height apart.
pub(crate) const SEAL_BYTES: usize = 96;
/// Encoded bytes of a Protocol record, its height apart.
pub(crate) const PROTOCOL_BYTES: usize = 4;
/// Bytes before the batch in the payload of an Input: epoch, previous input hash.
pub(crate) const INPUT_PREFIX_BYTES: usize = 40;

/// A batch as it was ordered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Input {
    /// Number of the ordering that produced it; the log only carries it.
    pub epoch: u64,
    /// The batch's height. The first is 1, each next one more.
    pub height: u64,
    /// [`input_hash`] of the height before; at height 1 the genesis' hash.
    pub previous: Hash,
    /// The encoded batch; the log doesn't look into it.
    pub batch: Vec<u8>,
}

impl Input {
    /// This input's hash, which the next one carries.
    pub fn hash(&self) -> Hash {
        input_hash(&self.previous, self.epoch, self.height, &self.batch)
    }
}

/// The hash that chains inputs: over the previous hash, epoch, height (u64 little-endian) and the batch's bytes.
pub fn input_hash(previous: &Hash, epoch: u64, height: u64, batch: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key(INPUT_DOMAIN);
    hasher.update(previous).update(&epoch.to_le_bytes()).update(&height.to_le_bytes()).update(batch);
    hasher.finalize().into()
}

/// What executing the input of a height gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seal {
    /// The height.
    pub height: u64,
    /// Root over the receipts.
    pub receipts_root: Hash,
    /// Root over the write set.
    pub writes_root: Hash,
    /// The height's digest. It covers the digest before, so the seals are a chain of their own.
    pub digest: Hash,
}

impl Seal {
    pub(crate) fn encode(&self) -> [u8; SEAL_BYTES] {
        let mut bytes = [0; SEAL_BYTES];
        bytes[..32].copy_from_slice(&self.receipts_root);
        bytes[32..64].copy_from_slice(&self.writes_root);
        bytes[64..].copy_from_slice(&self.digest);
        bytes
    }
}

/// One record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Record {
    /// The log's first record.
    Genesis(Genesis),
    /// A batch.
    Input(Input),
    /// The result of a batch.
    Seal(Seal),
    /// From `height` on the rules are those of `version`.
    Protocol {
        /// The first height under the new rules.
        height: u64,
        /// The new protocol version.
        version: u32,
    },
    /// The log was closed cleanly here.
    Close,
}

/// The kind of a record, as its header says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    Genesis = 1,
    Input = 2,
    Seal = 3,
    Protocol = 4,
    Close = 5,
}

impl Kind {
    pub(crate) fn from_byte(byte: u8) -> Option<Kind> {
        [Kind::Genesis, Kind::Input, Kind::Seal, Kind::Protocol, Kind::Close]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }

    /// Payload bytes of a record of this kind, of an Input those before its batch.
    pub(crate) fn fixed_bytes(self) -> usize {
        match self {
            Kind::Genesis => GENESIS_BYTES,
            Kind::Input => INPUT_PREFIX_BYTES,
            Kind::Seal => SEAL_BYTES,
            Kind::Protocol => PROTOCOL_BYTES,
            Kind::Close => 0,
        }
    }

    /// Bytes that may follow the fixed part.
    pub(crate) fn batch_bytes_max(self) -> usize {
        if self == Kind::Input { BATCH_BYTES_MAX } else { 0 }
    }
}

impl Record {
    /// The record of a kind from the fixed part of its payload ([`Kind::fixed_bytes`]) and the rest, which is an Input's
    /// batch and empty for the others; `None` if these aren't the parts of such a record.
    pub(crate) fn decode(kind: Kind, height: u64, fixed: &[u8], batch: Vec<u8>) -> Option<Record> {
        Some(match kind {
            Kind::Genesis => Record::Genesis(Genesis {
                chain_id: *fixed.first_chunk()?,
                protocol_version: u32::from_le_bytes(*fixed.get(32..)?.first_chunk()?),
                digest_format: u32::from_le_bytes(*fixed.get(36..)?.first_chunk()?),
            }),
            Kind::Input => Record::Input(Input {
                epoch: u64::from_le_bytes(*fixed.first_chunk()?),
                height,
                previous: *fixed.get(8..)?.first_chunk()?,
                batch,
            }),
            Kind::Seal => Record::Seal(Seal {
                height,
                receipts_root: *fixed.first_chunk()?,
                writes_root: *fixed.get(32..)?.first_chunk()?,
                digest: *fixed.get(64..)?.first_chunk()?,
            }),
            Kind::Protocol => Record::Protocol { height, version: u32::from_le_bytes(*fixed.first_chunk()?) },
            Kind::Close => Record::Close,
        })
    }

    /// The height in the record's header: 0 where the kind has none.
    pub fn height(&self) -> u64 {
        match self {
            Record::Genesis(_) | Record::Close => 0,
            Record::Input(Input { height, .. })
            | Record::Seal(Seal { height, .. })
            | Record::Protocol { height, .. } => *height,
        }
    }
}
