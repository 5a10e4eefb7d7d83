//! Encoded headers of records and segments. FORMAT.md draws them.
//!
//! A record is aligned to 64 bytes, so that its header never straddles a sector, and a group (what one sync makes
//! durable) begins at a block of 4,096 bytes, so that no synced block is ever written again.

use super::chain::Chain;
use super::record::{Genesis, Kind, Position};

/// Alignment of groups and of the space written ahead; the segment header fills one block.
pub(crate) const BLOCK_BYTES: u64 = 4096;
/// Alignment of records, and the size of their header.
pub(crate) const HEADER_BYTES: usize = 64;

const SEGMENT_MAGIC: [u8; 8] = *b"PHXLOG\r\n";
/// Version of everything in this file.
pub(crate) const FORMAT_VERSION: u32 = 1;
const TAG_DOMAIN: &str = "phalanx 1 log segment tag";

/// What is wrong with bytes that should be a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Defect {
    /// All bytes are zero: nothing was written here.
    Blank,
    /// Anything else.
    Broken(&'static str),
}

/// Header of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RecordHeader {
    /// The record's own position.
    pub(crate) position: Position,
    /// Everything before this position was synced when the record was written.
    pub(crate) mark: Position,
    /// Height, 0 where the kind has none.
    pub(crate) height: u64,
    /// Payload bytes, padding apart.
    pub(crate) length: u32,
    pub(crate) kind: Kind,
    /// Whether the group ends with this record: then zeros follow up to the next block.
    pub(crate) ends_group: bool,
    pub(crate) payload_crc: u32,
}

impl RecordHeader {
    pub(crate) fn encode(&self, tag: [u8; 8]) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&tag);
        bytes[8..16].copy_from_slice(&self.position.0.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.mark.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.height.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.length.to_le_bytes());
        bytes[36] = self.kind as u8;
        bytes[37] = u8::from(self.ends_group);
        bytes[56..60].copy_from_slice(&self.payload_crc.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Decodes the header of a record at `position` in the segment with this tag.
    pub(crate) fn decode(bytes: &[u8; HEADER_BYTES], tag: [u8; 8], position: Position) -> Result<RecordHeader, Defect> {
        if *bytes == [0; HEADER_BYTES] {
            return Err(Defect::Blank);
        }
        if bytes[..8] != tag {
            return Err(Defect::Broken("no record of this segment begins here"));
        }
        if crc32fast::hash(&bytes[..60]) != u32_at(bytes, 60) {
            return Err(Defect::Broken("the record header's checksum does not match"));
        }
        if u64_at(bytes, 8) != position.0 {
            return Err(Defect::Broken("the record belongs to another position"));
        }
        let (Some(kind), 0 | 1, true) = (Kind::from_byte(bytes[36]), bytes[37], bytes[38..56] == [0; 18]) else {
            return Err(Defect::Broken("the record header has an unknown kind, flag or field"));
        };
        Ok(RecordHeader {
            position,
            mark: Position(u64_at(bytes, 16)),
            height: u64_at(bytes, 24),
            length: u32_at(bytes, 32),
            kind,
            ends_group: bytes[37] == 1,
            payload_crc: u32_at(bytes, 56),
        })
    }
}

/// Header of a segment: where it lies in the log, and the chain's state at its beginning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SegmentHeader {
    pub(crate) number: u64,
    /// Position of the file's first byte.
    pub(crate) base: Position,
    /// Everything before this position was synced when the segment was begun.
    pub(crate) mark: Position,
    /// Makes the tag unpredictable to those who choose batch bytes.
    pub(crate) salt: [u8; 16],
    pub(crate) chain: Chain,
}

/// A segment header that can't be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum SegmentDefect {
    /// Torn or damaged.
    Broken,
    /// Intact, of this format version that we don't know.
    Version(u32),
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BLOCK_BYTES as usize);
        bytes.extend(SEGMENT_MAGIC);
        bytes.extend(FORMAT_VERSION.to_le_bytes());
        bytes.extend((BLOCK_BYTES as u32).to_le_bytes());
        bytes.extend(self.number.to_le_bytes());
        bytes.extend(self.base.0.to_le_bytes());
        bytes.extend(self.mark.0.to_le_bytes());
        bytes.extend(self.salt);
        bytes.extend(self.chain.genesis.encode());
        bytes.extend(self.chain.last_input.to_le_bytes());
        bytes.extend(self.chain.last_input_hash);
        bytes.extend(self.chain.last_seal.to_le_bytes());
        bytes.extend(self.chain.last_digest);
        bytes.extend(self.chain.protocol_version.to_le_bytes());
        bytes.resize(BLOCK_BYTES as usize - 4, 0);
        let crc = crc32fast::hash(&bytes);
        bytes.extend(crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<SegmentHeader, SegmentDefect> {
        let intact = bytes.len() == BLOCK_BYTES as usize
            && bytes[..8] == SEGMENT_MAGIC
            && crc32fast::hash(&bytes[..bytes.len() - 4]) == u32_at(bytes, bytes.len() - 4);
        if !intact {
            return Err(SegmentDefect::Broken);
        }
        if u32_at(bytes, 8) != FORMAT_VERSION {
            return Err(SegmentDefect::Version(u32_at(bytes, 8)));
        }
        let genesis = Genesis {
            chain_id: array_at(bytes, 56),
            protocol_version: u32_at(bytes, 88),
            digest_format: u32_at(bytes, 92),
        };
        Ok(SegmentHeader {
            number: u64_at(bytes, 16),
            base: Position(u64_at(bytes, 24)),
            mark: Position(u64_at(bytes, 32)),
            salt: array_at(bytes, 40),
            chain: Chain {
                genesis,
                last_input: u64_at(bytes, 96),
                last_input_hash: array_at(bytes, 104),
                last_seal: u64_at(bytes, 136),
                last_digest: array_at(bytes, 144),
                protocol_version: u32_at(bytes, 176),
            },
        })
    }

    /// What each record header of the segment begins with. A stranger's bytes inside a batch can look like a record
    /// only to one who knows it.
    pub(crate) fn tag(&self) -> [u8; 8] {
        let hash = blake3::Hasher::new_derive_key(TAG_DOMAIN).update(&self.encode()).finalize();
        array_at(hash.as_bytes(), 0)
    }
}

/// Bytes that a record with this payload takes in the log.
pub(crate) fn record_bytes(payload: u64) -> u64 {
    HEADER_BYTES as u64 + payload.next_multiple_of(HEADER_BYTES as u64)
}

pub(crate) fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[offset..offset + N]);
    array
}

pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, offset))
}

pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, offset))
}
