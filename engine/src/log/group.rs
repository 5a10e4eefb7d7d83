//! A group: the records that one sync makes durable, encoded for one write.

use std::ops::Range;
use std::sync::Arc;

use super::header::{BLOCK_BYTES, HEADER_BYTES, RecordHeader};
use super::record::{Kind, Position};

/// The bytes of a batch, shared with whoever executes it: an `Arc<Vec<u8>>`, or anything that derefs to bytes.
pub type BatchBytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Batches below this size are copied next to their headers, so that a group of many small ones is one buffer.
const COPIED_BYTES_MAX: usize = 16 << 10;

enum Piece {
    /// Bytes of the scratch buffer.
    Scratch(Range<usize>),
    Batch(BatchBytes),
}

/// Records being gathered.
pub(crate) struct Group {
    tag: [u8; 8],
    mark: Position,
    start: Position,
    end: Position,
    scratch: Vec<u8>,
    pieces: Vec<Piece>,
    /// The last record's header and where it stands in `scratch`.
    last: Option<(RecordHeader, usize)>,
}

impl Group {
    /// An empty group at `start`, a multiple of the block size, in the segment with this tag.
    pub(crate) fn new(tag: [u8; 8], mark: Position, start: Position, mut scratch: Vec<u8>) -> Group {
        scratch.clear();
        Group { tag, mark, start, end: start, scratch, pieces: Vec::new(), last: None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// End of the last record.
    pub(crate) fn end(&self) -> Position {
        self.end
    }

    pub(crate) fn push(&mut self, kind: Kind, height: u64, fixed: &[u8], batch: Option<BatchBytes>) {
        let bytes = batch.as_deref().map_or(&[][..], AsRef::as_ref);
        let length = fixed.len() + bytes.len();
        let mut crc = crc32fast::Hasher::new();
        crc.update(fixed);
        crc.update(bytes);
        let header = RecordHeader {
            position: self.end,
            mark: self.mark,
            height,
            // Limits keep payloads below 4 GiB; see `Kind::batch_bytes_max`.
            length: length as u32,
            kind,
            ends_group: false,
            payload_crc: crc.finalize(),
        };
        self.last = Some((header, self.scratch.len()));
        self.copy(&header.encode(self.tag));
        self.copy(fixed);
        match &batch {
            Some(shared) if bytes.len() > COPIED_BYTES_MAX => self.pieces.push(Piece::Batch(shared.clone())),
            _ => self.copy(bytes),
        }
        self.copy(&[0; HEADER_BYTES][..length.next_multiple_of(HEADER_BYTES) - length]);
        self.end.0 += (HEADER_BYTES + length.next_multiple_of(HEADER_BYTES)) as u64;
    }

    fn copy(&mut self, bytes: &[u8]) {
        let start = self.scratch.len();
        self.scratch.extend_from_slice(bytes);
        match self.pieces.last_mut() {
            Some(Piece::Scratch(range)) => range.end = self.scratch.len(),
            Some(Piece::Batch(_)) | None => self.pieces.push(Piece::Scratch(start..self.scratch.len())),
        }
    }

    /// Ends the group: flags its last record and pads it to the block. Answers its end.
    pub(crate) fn finish(&mut self) -> Position {
        if let Some((header, at)) = &mut self.last {
            header.ends_group = true;
            let encoded = header.encode(self.tag);
            self.scratch[*at..*at + HEADER_BYTES].copy_from_slice(&encoded);
        }
        let padding = (self.end.0.next_multiple_of(BLOCK_BYTES) - self.end.0) as usize;
        self.copy(&[0; BLOCK_BYTES as usize][..padding]);
        self.end.0 += padding as u64;
        self.end
    }

    /// Where the group begins.
    pub(crate) fn start(&self) -> Position {
        self.start
    }

    /// The group's bytes, in order.
    pub(crate) fn parts(&self) -> Vec<&[u8]> {
        let mut parts = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            parts.push(match piece {
                Piece::Scratch(range) => &self.scratch[range.clone()],
                Piece::Batch(batch) => batch.as_ref().as_ref(),
            });
        }
        parts
    }

    /// Gives the buffer back for the next group.
    pub(crate) fn into_scratch(self) -> Vec<u8> {
        self.scratch
    }
}
