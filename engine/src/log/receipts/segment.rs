//! One receipt segment: a file with consecutive heights, and the offsets of their records.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ReceiptsAndWrites;
use super::format::{HEADER_BYTES, RecordHeader, encode_segment, is_segment};
use crate::fs::{Access, File, FileSystem, Forgetting};
use crate::log::error::{Damage, LogError, failed};

const EXTENSION: &str = ".receipts";
const CHUNK_BYTES: u64 = 256 << 10;

/// Which payloads opening checks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scan {
    /// Those that no record says were synced.
    Unsynced,
    /// All.
    All,
}

pub(super) struct ReceiptSegment {
    path: PathBuf,
    file: Arc<dyn File>,
    first_height: u64,
    /// Offset of each height's record.
    offsets: Vec<u64>,
    /// Where the next record goes.
    end: u64,
    /// Everything before it is synced.
    mark: u64,
    damage: Option<Damage>,
    forgetting: Forgetting,
}

/// First heights of the segments in a directory, in order.
pub(super) fn list(fs: &dyn FileSystem, directory: &Path) -> Result<Vec<u64>, LogError> {
    let names = match fs.list(directory) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(failed("list", directory)(source)),
    };
    let height_of = |name: &String| {
        let height = name.strip_suffix(EXTENSION)?.parse().ok()?;
        (segment_name(height) == *name).then_some(height)
    };
    let mut heights: Vec<u64> = names.iter().filter_map(height_of).collect();
    heights.sort_unstable();
    Ok(heights)
}

impl ReceiptSegment {
    pub(super) fn create(fs: &dyn FileSystem, directory: &Path, first_height: u64) -> Result<ReceiptSegment, LogError> {
        let path = path(directory, first_height);
        let file = match fs.open(&path, Access::CreateNew) {
            // What an append left that failed before its first record; nothing was ever read from it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs.remove(&path).and_then(|()| fs.open(&path, Access::CreateNew))
            }
            answer => answer,
        };
        let file: Arc<dyn File> = file.map_err(failed("create", &path))?.into();
        file.write_at(0, &[&encode_segment(first_height)]).map_err(failed("write", &path))?;
        Ok(Self::empty(path, file, first_height))
    }

    fn empty(path: PathBuf, file: Arc<dyn File>, first_height: u64) -> ReceiptSegment {
        ReceiptSegment {
            path,
            file,
            first_height,
            offsets: Vec::new(),
            end: HEADER_BYTES as u64,
            mark: 0,
            damage: None,
            forgetting: Forgetting::default(),
        }
    }

    /// Opens and scans a segment; damage is kept, not returned.
    pub(super) fn open(
        fs: &dyn FileSystem,
        directory: &Path,
        first_height: u64,
        scan: Scan,
    ) -> Result<ReceiptSegment, LogError> {
        let path = path(directory, first_height);
        let access = if scan == Scan::All { Access::Read } else { Access::ReadWrite };
        let file: Arc<dyn File> = fs.open(&path, access).map_err(failed("open", &path))?.into();
        let mut segment = Self::empty(path, file, first_height);
        segment.scan(scan)?;
        Ok(segment)
    }

    fn scan(&mut self, scan: Scan) -> Result<(), LogError> {
        let length = self.file.length().map_err(failed("read the length of", &self.path))?;
        let header_broken = !is_segment(&self.header_bytes(0)?, self.first_height);
        while self.end < length && self.damage.is_none() {
            match self.record_header(self.next_height(), self.end, length)? {
                Ok((header, next)) => {
                    self.mark = self.mark.max(header.mark);
                    self.offsets.push(self.end);
                    self.end = next;
                }
                Err(what) => {
                    self.damaged_from(self.offsets.len(), what);
                    self.mark = self.mark.max(self.later_mark(self.end, length)?);
                }
            }
        }
        for index in 0..self.offsets.len() {
            let is_checked = scan == Scan::All || self.offsets[index] >= self.mark;
            if is_checked && let Err(what) = self.check(index, length)? {
                self.damaged_from(index, what);
                break;
            }
        }
        if header_broken {
            self.damaged_from(0, "the segment header is broken");
            if let Some(damage) = &mut self.damage {
                damage.offset = 0;
            }
        }
        Ok(())
    }

    /// Forgets the records from this index on.
    fn damaged_from(&mut self, index: usize, what: &str) {
        let offset = self.offsets.get(index).copied().unwrap_or(self.end);
        self.offsets.truncate(index);
        self.end = offset;
        self.damage =
            Some(Damage { file: self.path.clone(), offset, height: self.next_height(), what: what.to_owned() });
    }

    fn header_bytes(&self, offset: u64) -> Result<[u8; HEADER_BYTES], LogError> {
        let mut bytes = [0; HEADER_BYTES];
        self.file.read_at(&mut bytes, offset).map_err(failed("read", &self.path))?;
        Ok(bytes)
    }

    /// The header of a height's record at `offset`, and where the next record begins; or what is wrong with it.
    fn record_header(
        &self,
        height: u64,
        offset: u64,
        length: u64,
    ) -> Result<Result<(RecordHeader, u64), &'static str>, LogError> {
        let decoded = RecordHeader::decode(&self.header_bytes(offset)?, height, offset);
        Ok(decoded.and_then(|header| {
            let next = header.record_bytes().and_then(|bytes| offset.checked_add(bytes)).filter(|next| *next <= length);
            next.map(|next| (header, next)).ok_or("the file ends inside the record")
        }))
    }

    /// Checks a record's payload and padding without keeping it.
    fn check(&self, index: usize, length: u64) -> Result<Result<(), &'static str>, LogError> {
        let offset = self.offsets[index];
        let (header, next) = match self.record_header(self.first_height + index as u64, offset, length)? {
            Ok(found) => found,
            Err(what) => return Ok(Err(what)),
        };
        let mut crc = crc32fast::Hasher::new();
        let mut at = offset + HEADER_BYTES as u64;
        let payload_end = at + header.receipts_bytes + header.writes_bytes;
        let mut chunk = vec![0; CHUNK_BYTES.min(next - at) as usize];
        while at < payload_end {
            let wanted = (CHUNK_BYTES.min(payload_end - at)) as usize;
            let read = self.file.read_at(&mut chunk[..wanted], at).map_err(failed("read", &self.path))?;
            if read == 0 {
                return Ok(Err("the file ends inside the record"));
            }
            crc.update(&chunk[..read]);
            at += read as u64;
        }
        if crc.finalize() != header.payload_crc {
            return Ok(Err("the payload's checksum does not match"));
        }
        self.check_padding(payload_end, next)
    }

    fn check_padding(&self, from: u64, to: u64) -> Result<Result<(), &'static str>, LogError> {
        let mut padding = [0; HEADER_BYTES];
        let padding = &mut padding[..(to - from) as usize];
        self.file.read_at(padding, from).map_err(failed("read", &self.path))?;
        Ok(if padding.iter().all(|byte| *byte == 0) { Ok(()) } else { Err("padding is not zero") })
    }

    /// The highest mark in a valid record header behind a broken one.
    fn later_mark(&self, from: u64, length: u64) -> Result<u64, LogError> {
        let mut mark = 0;
        let mut offset = from;
        let mut chunk = vec![0; CHUNK_BYTES as usize];
        while offset < length {
            let read = self.file.read_at(&mut chunk, offset).map_err(failed("read", &self.path))?;
            for (index, bytes) in chunk[..read].as_chunks::<HEADER_BYTES>().0.iter().enumerate() {
                let height = crate::log::header::u64_at(bytes, 8);
                if let Ok(header) = RecordHeader::decode(bytes, height, offset + (index * HEADER_BYTES) as u64) {
                    mark = mark.max(header.mark);
                }
            }
            if read < chunk.len() {
                break;
            }
            offset += read as u64;
        }
        Ok(mark)
    }

    pub(super) fn first_height(&self) -> u64 {
        self.first_height
    }

    /// The height after the last record that can be read.
    pub(super) fn next_height(&self) -> u64 {
        self.first_height + self.offsets.len() as u64
    }

    pub(super) fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// Whether no record says that the damaged bytes were ever synced.
    pub(super) fn damage_is_torn_tail(&self) -> bool {
        self.damage.as_ref().is_some_and(|damage| damage.offset >= self.mark)
    }

    /// Reads as if what is damaged were not there.
    pub(super) fn forget_damage(&mut self) {
        self.damage = None;
    }

    /// Cuts what a crash tore.
    pub(super) fn drop_torn_tail(&mut self) -> Result<(), LogError> {
        if self.damage_is_torn_tail() { self.truncate_from(self.next_height()) } else { Ok(()) }
    }

    /// Removes a height of this segment, and all above it.
    pub(super) fn truncate_from(&mut self, height: u64) -> Result<(), LogError> {
        let index = (height - self.first_height) as usize;
        if let Some(offset) = self.offsets.get(index) {
            self.end = *offset;
        } else if self.damage.is_none() || height > self.next_height() {
            return Ok(());
        }
        let headers = encode_segment(self.first_height);
        self.file.write_at(0, &[&headers]).map_err(failed("write", &self.path))?;
        self.file.set_length(self.end).map_err(failed("cut", &self.path))?;
        self.offsets.truncate(index);
        self.mark = self.mark.min(self.end);
        self.damage = None;
        Ok(())
    }

    /// The segment's end alone, to append to while others read the rest; [`ReceiptSegment::take_in`] puts it behind that.
    pub(super) fn tail(&self) -> ReceiptSegment {
        let tail = Self::empty(self.path.clone(), Arc::clone(&self.file), self.next_height());
        ReceiptSegment { end: self.end, mark: self.mark, ..tail }
    }

    /// Takes in what was appended to the tail.
    pub(super) fn take_in(&mut self, tail: ReceiptSegment) {
        self.offsets.extend(tail.offsets);
        self.end = tail.end;
    }

    /// The record of a height alone, at or above the first, below the next segment's first; `None` if it is not here.
    pub(super) fn record(&self, height: u64) -> Result<Option<ReceiptSegment>, LogError> {
        let Some(offset) = self.offsets.get((height - self.first_height) as usize) else {
            return self.damage.as_ref().map_or(Ok(None), |damage| Err(LogError::Damaged(damage.clone())));
        };
        let record = Self::empty(self.path.clone(), Arc::clone(&self.file), height);
        Ok(Some(ReceiptSegment { offsets: vec![*offset], end: self.end, ..record }))
    }

    pub(super) fn has_room(&self, payload_bytes: usize, segment_bytes: u64) -> bool {
        self.offsets.is_empty() || self.end + (HEADER_BYTES + payload_bytes) as u64 <= segment_bytes
    }

    pub(super) fn append(
        &mut self,
        height: u64,
        receipts: &[impl AsRef<[u8]>],
        writes: &[impl AsRef<[u8]>],
    ) -> Result<(), LogError> {
        let receipt_parts = receipts.iter().map(AsRef::as_ref);
        let payload = receipt_parts.chain(writes.iter().map(AsRef::as_ref));
        let mut crc = crc32fast::Hasher::new();
        payload.clone().for_each(|part| crc.update(part));
        let (receipts_bytes, writes_bytes) = (bytes_of(receipts), bytes_of(writes));
        let payload_bytes = receipts_bytes + writes_bytes;
        let header = RecordHeader {
            height,
            offset: self.end,
            mark: self.mark,
            receipts_bytes: receipts_bytes as u64,
            writes_bytes: writes_bytes as u64,
            payload_crc: crc.finalize(),
        }
        .encode();
        let padding = payload_bytes.next_multiple_of(HEADER_BYTES) - payload_bytes;
        let parts: Vec<&[u8]> =
            [&header[..]].into_iter().chain(payload).chain([&[0; HEADER_BYTES][..padding]]).collect();
        self.file.write_at(self.end, &parts).map_err(failed("write", &self.path))?;
        self.offsets.push(self.end);
        self.end += (HEADER_BYTES + payload_bytes + padding) as u64;
        Ok(())
    }

    pub(super) fn sync(&mut self) -> Result<(), LogError> {
        self.file.sync_data().map_err(failed("sync", &self.path))?;
        self.synced(self.end);
        Ok(())
    }

    /// The file and its end, if more than `bytes` of it are not synced.
    pub(super) fn unsynced(&self, bytes: u64) -> Option<(Arc<dyn File>, u64)> {
        (self.end - self.mark > bytes).then(|| (Arc::clone(&self.file), self.end))
    }

    /// After a sync of everything before `end`.
    pub(super) fn synced(&mut self, end: u64) {
        self.mark = end;
        self.forgetting.synced(&*self.file, end);
    }

    /// The next segment is under way.
    pub(super) fn forget_cached(&mut self) {
        self.forgetting.all(&*self.file, self.mark);
    }

    /// Reads the first record; there is one.
    pub(super) fn read_first(&self) -> Result<ReceiptsAndWrites, LogError> {
        let (height, offset) = (self.first_height, &self.offsets[0]);
        let damaged = |what: &str| {
            LogError::Damaged(Damage { file: self.path.clone(), offset: *offset, height, what: what.to_owned() })
        };
        let (header, next) = self.record_header(height, *offset, self.end)?.map_err(damaged)?;
        let start = *offset + HEADER_BYTES as u64;
        let mut receipts = vec![0; header.receipts_bytes as usize];
        let mut writes = vec![0; header.writes_bytes as usize];
        let read_failed = || failed("read", &self.path);
        let mut read = self.file.read_at(&mut receipts, start).map_err(read_failed())?;
        read += self.file.read_at(&mut writes, start + header.receipts_bytes).map_err(read_failed())?;
        let mut crc = crc32fast::Hasher::new();
        crc.update(&receipts);
        crc.update(&writes);
        if read < receipts.len() + writes.len() || crc.finalize() != header.payload_crc {
            return Err(damaged("the payload's checksum does not match"));
        }
        self.check_padding(start + read as u64, next)?.map_err(damaged)?;
        Ok((receipts, writes))
    }

    pub(super) fn remove(self, fs: &dyn FileSystem) -> Result<(), LogError> {
        fs.remove(&self.path).map_err(failed("remove", &self.path))
    }
}

/// Bytes of all pieces.
pub(super) fn bytes_of(pieces: &[impl AsRef<[u8]>]) -> usize {
    pieces.iter().map(|piece| piece.as_ref().len()).sum()
}

fn path(directory: &Path, first_height: u64) -> PathBuf {
    directory.join(segment_name(first_height))
}

fn segment_name(first_height: u64) -> String {
    format!("{first_height:020}{EXTENSION}")
}
