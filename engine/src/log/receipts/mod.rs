//! Receipt segments: per height the encoded receipts and the encoded write set, derived from the log.
//!
//! They answer look-ups, exports and feeds. They are off the acknowledgement path: an append is a write without a
//! sync, and a lost or damaged segment is rebuilt by executing the log again. So opening never refuses: a tail that a
//! crash tore is dropped, and damage is an error of the heights it covers, until they are rebuilt
//! ([`ReceiptSegments::truncate_from`], then append again).

mod format;
mod keeper;
mod segment;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

pub(crate) use self::keeper::ReceiptKeeper;
use self::segment::{ReceiptSegment, Scan, bytes_of};
use super::error::{Damage, LogError, failed};
use super::layout;
use crate::fs::{CACHED_BYTES, FileSystem};

/// Bytes that [`ReceiptSegments::settle`] leaves unsynced.
const SETTLE_BYTES: u64 = 8 << 20;

/// Receipts and write set of a height, encoded.
pub type ReceiptsAndWrites = (Vec<u8>, Vec<u8>);

/// The receipt segments of a data directory, open for reading and appending.
pub struct ReceiptSegments {
    fs: Arc<dyn FileSystem>,
    directory: PathBuf,
    segment_bytes: u64,
    /// In order of heights, which don't overlap. Not held while records are written or read: a disk may keep either waiting.
    segments: Mutex<Vec<ReceiptSegment>>,
    /// Held by whoever changes them, before the lock above.
    changing: Mutex<()>,
}

/// What opening the receipt segments found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReceiptsOpened {
    /// First and last height that can be read, damage and gaps between them apart.
    pub heights: Option<RangeInclusive<u64>>,
    /// Heights from here on, up to the segment's end, are damaged: for each segment the first damage.
    pub damage: Vec<Damage>,
}

impl ReceiptSegments {
    /// Opens the receipt segments of a data directory, which may be absent. Headers are read, and payloads that were
    /// not known to be synced are checked. `segment_bytes` bounds a segment; one record may exceed it.
    ///
    /// # Errors
    ///
    /// [`LogError::Io`].
    pub fn open(
        fs: Arc<dyn FileSystem>,
        data_directory: &Path,
        segment_bytes: u64,
    ) -> Result<(ReceiptSegments, ReceiptsOpened), LogError> {
        let directory = data_directory.join(layout::RECEIPTS);
        fs.create_directory(&directory).map_err(failed("create", &directory))?;
        let mut segments = Vec::new();
        for first_height in segment::list(fs.as_ref(), &directory)? {
            segments.push(ReceiptSegment::open(fs.as_ref(), &directory, first_height, Scan::Unsynced)?);
        }
        if let Some(last) = segments.last_mut() {
            last.drop_torn_tail()?;
        }
        let damage = segments.iter().filter_map(|segment| segment.damage().cloned()).collect();
        let opened = ReceiptsOpened { heights: heights(&segments), damage };
        Ok((Self::of(fs, directory, segment_bytes, segments), opened))
    }

    /// Opens the receipt segments for reading alone, and checks every byte. Changes nothing.
    ///
    /// # Errors
    ///
    /// As [`verify`].
    pub fn read(fs: Arc<dyn FileSystem>, data_directory: &Path, closed: bool) -> Result<ReceiptSegments, LogError> {
        let directory = data_directory.join(layout::RECEIPTS);
        let segments = checked(fs.as_ref(), &directory, closed)?;
        Ok(Self::of(fs, directory, 0, segments))
    }

    fn of(fs: Arc<dyn FileSystem>, directory: PathBuf, segment_bytes: u64, segments: Vec<ReceiptSegment>) -> Self {
        Self { fs, directory, segment_bytes, segments: Mutex::new(segments), changing: Mutex::default() }
    }

    /// Heights that can be read, damage and gaps between them apart.
    pub fn heights(&self) -> Option<RangeInclusive<u64>> {
        heights(&self.segments.lock())
    }

    /// Appends a height, which must lie above the last one. A height left out is a gap, not an error: a node that
    /// starts at a checkpoint has none before it.
    ///
    /// # Errors
    ///
    /// [`LogError::OutOfOrder`] changes nothing. After [`LogError::Io`] the height isn't there; it may be appended again.
    pub fn append(&self, height: u64, receipts: &[u8], writes: &[u8]) -> Result<(), LogError> {
        self.append_pieces(height, &[receipts], &[writes])
    }

    /// The same, of receipts and writes in pieces.
    pub(crate) fn append_pieces(
        &self,
        height: u64,
        receipts: &[impl AsRef<[u8]>],
        writes: &[impl AsRef<[u8]>],
    ) -> Result<(), LogError> {
        let _changing = self.changing.lock();
        let mut segments = self.segments.lock();
        let next = segments.last().map_or(0, ReceiptSegment::next_height);
        if height < next {
            return Err(LogError::OutOfOrder { what: "height of receipts", expected: next, actual: height });
        }
        let fits = segments.last().is_some_and(|last| {
            last.damage().is_none()
                && height == next
                && last.has_room(bytes_of(receipts) + bytes_of(writes), self.segment_bytes)
        });
        if !fits {
            if let Some(last) = segments.last_mut() {
                self.sync_segment(last)?;
            }
            let replaced = segments.iter().position(|segment| segment.first_height() == height);
            if let Some(index) = replaced {
                // Only a segment without a readable record has the name that the new one needs.
                segments.remove(index).remove(self.fs.as_ref())?;
            }
            segments.push(ReceiptSegment::create(self.fs.as_ref(), &self.directory, height)?);
        }
        let Some(mut tail) = segments.last().map(ReceiptSegment::tail) else { return Ok(()) };
        drop(segments);
        tail.append(height, receipts, writes)?;
        if let Some(last) = self.segments.lock().last_mut() {
            last.take_in(tail);
        }
        Ok(())
    }

    /// Receipts and write set of a height; `None` if the height isn't here.
    ///
    /// # Errors
    ///
    /// [`LogError::Damaged`], [`LogError::Io`].
    pub fn receipts(&self, height: u64) -> Result<Option<ReceiptsAndWrites>, LogError> {
        let record = {
            let segments = self.segments.lock();
            let after = segments.partition_point(|segment| segment.first_height() <= height);
            after.checked_sub(1).map_or(Ok(None), |index| segments[index].record(height))?
        };
        record.map(|record| record.read_first()).transpose()
    }

    /// Syncs what was appended when it has become much: a segment's worth at its end would keep the disk busy for longer than
    /// the log can wait. To be called by whoever appends; others can read meanwhile.
    pub(crate) fn settle(&self) -> Result<(), LogError> {
        let last = |segments: &[ReceiptSegment]| segments.last().and_then(|last| last.unsynced(SETTLE_BYTES));
        let Some((file, end)) = last(&self.segments.lock()) else { return Ok(()) };
        file.sync_data().map_err(failed("sync", &self.directory))?;
        let mut segments = self.segments.lock();
        if let [.., before, _] = &mut segments[..]
            && end > CACHED_BYTES
        {
            before.forget_cached();
        }
        if let Some(last) = segments.last_mut() {
            last.synced(end);
        }
        Ok(())
    }

    /// Makes what was appended durable. Nothing depends on it but how much a crash makes to rebuild.
    ///
    /// # Errors
    ///
    /// [`LogError::Io`].
    pub fn sync(&self) -> Result<(), LogError> {
        match self.segments.lock().last_mut() {
            Some(last) => self.sync_segment(last),
            None => Ok(()),
        }
    }

    fn sync_segment(&self, segment: &mut ReceiptSegment) -> Result<(), LogError> {
        self.fs.sync_directory(&self.directory).map_err(failed("sync", &self.directory))?;
        segment.sync()
    }

    /// Removes `height` and all above, damaged ones too, so that they can be appended again. With 0, everything.
    ///
    /// # Errors
    ///
    /// [`LogError::Io`]; calling it again goes on.
    pub fn truncate_from(&self, height: u64) -> Result<(), LogError> {
        let _changing = self.changing.lock();
        let mut segments = self.segments.lock();
        while segments.last().is_some_and(|last| last.first_height() >= height) {
            if let Some(last) = segments.pop() {
                last.remove(self.fs.as_ref())?;
            }
        }
        match segments.last_mut() {
            Some(last) => last.truncate_from(height),
            None => Ok(()),
        }
    }

    /// Removes whole segments that hold only heights below `height`. Answers the earliest height kept.
    ///
    /// # Errors
    ///
    /// [`LogError::Io`]; fewer segments are as valid.
    pub fn drop_below(&self, height: u64) -> Result<Option<u64>, LogError> {
        let _changing = self.changing.lock();
        let mut segments = self.segments.lock();
        while segments.get(1).is_some_and(|second| second.first_height() <= height) {
            segments.remove(0).remove(self.fs.as_ref())?;
        }
        Ok(segments.first().map(ReceiptSegment::first_height))
    }
}

/// Checks every byte of the receipt segments of a data directory; changes nothing. Answers the heights that are there
/// (gaps apart). A tail that was never synced is no damage: opening drops it.
///
/// # Errors
///
/// [`LogError::Damaged`] with the first damage, [`LogError::Io`].
pub fn verify(fs: &dyn FileSystem, data_directory: &Path) -> Result<Option<RangeInclusive<u64>>, LogError> {
    Ok(heights(&checked(fs, &data_directory.join(layout::RECEIPTS), false)?))
}

/// Opens every segment for reading only and checks all of it.
fn checked(fs: &dyn FileSystem, directory: &Path, closed: bool) -> Result<Vec<ReceiptSegment>, LogError> {
    let mut segments = Vec::new();
    for first_height in segment::list(fs, directory)? {
        segments.push(ReceiptSegment::open(fs, directory, first_height, Scan::All)?);
    }
    let last = segments.len().saturating_sub(1);
    for (index, segment) in segments.iter_mut().enumerate() {
        let torn = index == last && !closed && segment.damage_is_torn_tail();
        match segment.damage() {
            Some(_) if torn => segment.forget_damage(),
            Some(damage) => {
                return Err(LogError::Damaged(damage.clone()));
            }
            None => {}
        }
    }
    Ok(segments)
}

fn heights(segments: &[ReceiptSegment]) -> Option<RangeInclusive<u64>> {
    let mut with_records = segments.iter().filter(|segment| segment.next_height() > segment.first_height());
    let first = with_records.next()?;
    let last = with_records.next_back().unwrap_or(first);
    Some(first.first_height()..=last.next_height() - 1)
}
