//! Encoded headers of receipt segments; FORMAT.md draws them.

use crate::log::header::{array_at, u32_at, u64_at};

/// Size of a segment's header and of a record's, and the alignment of records.
pub(super) const HEADER_BYTES: usize = 64;
const SEGMENT_MAGIC: [u8; 8] = *b"PHXRCP\r\n";
const RECORD_MAGIC: [u8; 8] = *b"receipts";
const FORMAT_VERSION: u32 = 1;

/// A segment's header: magic, version, first height, checksum.
pub(super) fn encode_segment(first_height: u64) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&SEGMENT_MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes[16..24].copy_from_slice(&first_height.to_le_bytes());
    seal(bytes)
}

/// Whether this is the header of a segment that begins with this height.
pub(super) fn is_segment(bytes: &[u8; HEADER_BYTES], first_height: u64) -> bool {
    *bytes == encode_segment(first_height)
}

/// A record's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RecordHeader {
    pub(super) height: u64,
    pub(super) offset: u64,
    /// Everything before this offset of the file was synced when the record was written.
    pub(super) mark: u64,
    pub(super) receipts_bytes: u64,
    pub(super) writes_bytes: u64,
    pub(super) payload_crc: u32,
}

impl RecordHeader {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&RECORD_MAGIC);
        bytes[8..16].copy_from_slice(&self.height.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.offset.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.mark.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.receipts_bytes.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.writes_bytes.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.payload_crc.to_le_bytes());
        seal(bytes)
    }

    /// The header of the record of `height` at `offset`.
    pub(super) fn decode(bytes: &[u8; HEADER_BYTES], height: u64, offset: u64) -> Result<RecordHeader, &'static str> {
        if crc32fast::hash(&bytes[..60]) != u32_at(bytes, 60) {
            return Err("the record header's checksum does not match");
        }
        let header = RecordHeader {
            height: u64_at(bytes, 8),
            offset: u64_at(bytes, 16),
            mark: u64_at(bytes, 24),
            receipts_bytes: u64_at(bytes, 32),
            writes_bytes: u64_at(bytes, 40),
            payload_crc: u32_at(bytes, 56),
        };
        let plain = array_at::<8>(bytes, 0) == RECORD_MAGIC && bytes[48..56] == [0; 8];
        match plain && header.height == height && header.offset == offset {
            true => Ok(header),
            false => Err("not the record of this height and offset"),
        }
    }

    /// Bytes from the record's header to the next one's; `None` past what a file can hold.
    pub(super) fn record_bytes(&self) -> Option<u64> {
        let payload = self.receipts_bytes.checked_add(self.writes_bytes)?;
        payload.checked_next_multiple_of(HEADER_BYTES as u64)?.checked_add(HEADER_BYTES as u64)
    }
}

fn seal(mut bytes: [u8; HEADER_BYTES]) -> [u8; HEADER_BYTES] {
    let crc = crc32fast::hash(&bytes[..60]);
    bytes[60..].copy_from_slice(&crc.to_le_bytes());
    bytes
}
