//! Copying a log, also one that another process is writing.
//!
//! A copy ends with the last group that is there whole. That group may not be durable yet at its source, and a copy must
//! not hold a height that its source may lose: so the source's files are synced before they are copied.

use std::path::Path;
use std::sync::Arc;

use super::error::{LogError, failed};
use super::layout;
use super::segment::{READ_BYTES, Segment};
use super::survey::{Surveyed, Whole};
use crate::fs::{Access, FileSystem};

/// Bytes that [`copy`] hands over at once, but for the last ones of a segment.
pub const COPY_BYTES: usize = READ_BYTES;

/// Copies the log of a data directory into another one, whose log must not be there yet. The source may be in use, by
/// another process too; the copy holds every height that was durable before this began. `observe` sees what is copied: the
/// segment's name, the offset, and [`COPY_BYTES`] bytes or the segment's last ones, in order. The copy is durable when
/// this returns, and what is answered is what is in it. `None` if there is no log, or nothing in it yet.
///
/// # Errors
///
/// [`LogError::Damaged`] and [`LogError::Incompatible`] of the source, which is not changed; [`LogError::Io`]. What was copied
/// until then stays.
pub fn copy(
    fs: &Arc<dyn FileSystem>,
    data_directory: &Path,
    to: &Path,
    observe: &mut dyn FnMut(&str, u64, &[u8]),
) -> Result<Option<Surveyed>, LogError> {
    let directory = data_directory.join(layout::LOG);
    let Some(whole) = Whole::read(fs.as_ref(), &directory)? else { return Ok(None) };
    whole.sync(fs.as_ref(), &directory)?;
    let surveyed = Surveyed { tail: None, ..whole.surveyed() };
    let to = to.join(layout::LOG);
    fs.create_directory(&to).map_err(failed("create", &to))?;
    for ((segment, bytes), copied) in whole.lengths().zip(&surveyed.segments) {
        let path = to.join(&copied.name);
        copy_segment(fs.as_ref(), segment, bytes, &path, &mut |offset, read| observe(&copied.name, offset, read))?;
    }
    fs.sync_directory(&to).map_err(failed("sync", &to))?;
    Ok(Some(surveyed))
}

fn copy_segment(
    fs: &dyn FileSystem,
    segment: &Segment,
    bytes: u64,
    path: &Path,
    observe: &mut dyn FnMut(u64, &[u8]),
) -> Result<(), LogError> {
    let copy = fs.open(path, Access::CreateNew).map_err(failed("create", path))?;
    let mut piece = vec![0; COPY_BYTES];
    let mut offset = 0;
    while offset < bytes {
        let wanted = (bytes - offset).min(COPY_BYTES as u64) as usize;
        let read = segment.file.read_at(&mut piece[..wanted], offset).map_err(failed("read", &segment.path))?;
        // After a crash the file may end in the padding of its last group, which is zeros.
        piece[read..wanted].fill(0);
        copy.write_at(offset, &[&piece[..wanted]]).map_err(failed("write", path))?;
        observe(offset, &piece[..wanted]);
        offset += wanted as u64;
    }
    copy.sync_data().map_err(failed("sync", path))
}
