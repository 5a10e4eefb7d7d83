//! The tail rule: what to do at the first broken record.
//!
//! Un-synced writes reach a disk out of order, so after a crash valid records may lie behind a broken one; nothing
//! that was acknowledged is among them, and all from the broken one on is cut. Damage to synced bytes looks alike but
//! for one thing: a record written later carries a mark beyond the broken place. Then nothing is cut and opening is
//! refused.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::error::{Damage, LogError, failed};
use super::header::{BLOCK_BYTES, HEADER_BYTES, RecordHeader, SegmentDefect};
use super::record::{Kind, Position};
use super::segment::{READ_BYTES, Segment};
use super::walk::Broken;
use crate::fs::{Access, FileSystem};

/// A tail that was never synced whole. Opening sets it aside; reading and verifying only report it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut {
    /// Where the tail begins, and what is broken there.
    pub at: Damage,
    /// The same place in the whole log.
    pub position: Position,
    /// Heights whose Input is in the tail, as far as their headers can still be read, in order.
    pub inputs: Vec<u64>,
    /// Heights whose Seal is in the tail, likewise.
    pub seals: Vec<u64>,
    /// Files that now hold the tail; empty where nothing was changed.
    pub set_aside: Vec<PathBuf>,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tail that was not synced: {}; inputs {:?}, seals {:?}", self.at, self.inputs, self.seals)?;
        match self.set_aside.is_empty() {
            true => Ok(()),
            false => write!(f, "; set aside in {:?}", self.set_aside),
        }
    }
}

/// Applies the tail rule: the cut, or the refusal. Changes nothing.
pub(crate) fn judge(segments: &[Segment], broken: &Broken) -> Result<Cut, LogError> {
    let later = Later::scan(segments, broken)?;
    let path = segments.get(broken.segment).map_or_else(PathBuf::new, |segment| segment.path.to_path_buf());
    let mut at = Damage { file: path, offset: broken.offset, height: broken.height, what: broken.what.clone() };
    let mark = later.mark;
    if mark > broken.position {
        at.what = format!("{}; a later record says that all before position {mark} was synced", at.what);
        return Err(LogError::Damaged(at));
    }
    let inputs = later.inputs.into_iter().collect();
    let seals = later.seals.into_iter().collect();
    Ok(Cut { at, position: broken.position, inputs, seals, set_aside: Vec::new() })
}

/// What the valid headers at and after the broken place say.
#[derive(Default)]
struct Later {
    mark: Position,
    inputs: BTreeSet<u64>,
    seals: BTreeSet<u64>,
}

impl Later {
    fn scan(segments: &[Segment], broken: &Broken) -> Result<Later, LogError> {
        let mut later = Later::default();
        for (index, segment) in segments.iter().enumerate().skip(broken.segment) {
            let from = if index == broken.segment { broken.offset } else { 0 };
            match &segment.header {
                Ok(header) => {
                    if from == 0 {
                        later.mark = later.mark.max(header.mark);
                    }
                    later.scan_segment(segment, header.base, Some(header.tag()), from)?;
                }
                // Without a header tag and place aren't known; its records still are where the segment before ended.
                Err(SegmentDefect::Broken | SegmentDefect::Version(_)) => {
                    later.scan_segment(segment, broken.position, None, from)?;
                }
            }
        }
        Ok(later)
    }

    fn scan_segment(
        &mut self,
        segment: &Segment,
        base: Position,
        tag: Option<[u8; 8]>,
        from: u64,
    ) -> Result<(), LogError> {
        let mut offset = from.next_multiple_of(HEADER_BYTES as u64).max(BLOCK_BYTES);
        let mut chunk = vec![0; READ_BYTES];
        while offset < segment.length {
            let read = segment.file.read_at(&mut chunk, offset).map_err(failed("read", &segment.path))?;
            for (index, bytes) in chunk[..read].as_chunks::<HEADER_BYTES>().0.iter().enumerate() {
                let position = Position(base.0 + offset + (index * HEADER_BYTES) as u64);
                let tag = tag.unwrap_or(super::header::array_at(bytes, 0));
                if let Ok(header) = RecordHeader::decode(bytes, tag, position) {
                    self.note(&header);
                }
            }
            if read < chunk.len() {
                break;
            }
            offset += read as u64;
        }
        Ok(())
    }

    fn note(&mut self, header: &RecordHeader) {
        self.mark = self.mark.max(header.mark);
        match header.kind {
            Kind::Input => _ = self.inputs.insert(header.height),
            Kind::Seal => _ = self.seals.insert(header.height),
            Kind::Genesis | Kind::Protocol | Kind::Close => {}
        }
    }
}

/// Carries out a cut: copies the tail into files named `*.cut`, then takes it out of the log. A crash at any moment
/// leaves a log that opening cuts again at the same place.
pub(crate) fn set_aside(
    fs: &dyn FileSystem,
    directory: &Path,
    segments: &mut Vec<Segment>,
    broken: &Broken,
    cut: &mut Cut,
) -> Result<(), LogError> {
    let whole = if broken.offset == 0 { broken.segment } else { broken.segment + 1 };
    for segment in segments.drain(whole.min(segments.len())..).rev() {
        let name = free_name(fs, directory, &format!("{:010}", segment.number))?;
        fs.rename(&segment.path, &name).map_err(failed("rename", &segment.path))?;
        cut.set_aside.push(name);
    }
    fs.sync_directory(directory).map_err(failed("sync", directory))?;
    if broken.offset == 0 {
        return Ok(());
    }
    let segment = &mut segments[broken.segment];
    let name = free_name(fs, directory, &format!("{:010}-{}", segment.number, broken.offset))?;
    copy_tail(fs, segment, broken.offset, &name)?;
    fs.sync_directory(directory).map_err(failed("sync", directory))?;
    cut.set_aside.push(name);
    segment.file.set_length(broken.offset).map_err(failed("cut", &segment.path))?;
    segment.length = broken.offset;
    Ok(())
}

/// A name of which there is no file yet: an earlier cut at the same place is kept.
fn free_name(fs: &dyn FileSystem, directory: &Path, stem: &str) -> Result<PathBuf, LogError> {
    let taken = fs.list(directory).map_err(failed("list", directory))?;
    let names = std::iter::once(format!("{stem}.cut")).chain((1u64..).map(|n| format!("{stem}.{n}.cut")));
    let free = names.into_iter().find(|name| !taken.contains(name));
    Ok(directory.join(free.unwrap_or_else(|| format!("{stem}.cut"))))
}

/// Copies what follows `from`, without the zeros that were written ahead.
fn copy_tail(fs: &dyn FileSystem, segment: &Segment, from: u64, name: &Path) -> Result<(), LogError> {
    let copy = fs.open(name, Access::CreateNew).map_err(failed("create", name))?;
    let mut chunk = vec![0; READ_BYTES];
    let mut offset = from;
    loop {
        let read = segment.file.read_at(&mut chunk, offset).map_err(failed("read", &segment.path))?;
        if chunk[..read].iter().any(|byte| *byte != 0) {
            copy.write_at(offset - from, &[&chunk[..read]]).map_err(failed("write", name))?;
        }
        if read < chunk.len() {
            break;
        }
        offset += read as u64;
    }
    copy.sync_data().map_err(failed("sync", name))
}

/// Makes everything before `end` durable, by writing again what lies above the mark and syncing it. A sync alone isn't
/// enough: after one that failed, reads may show bytes that the disk never took and that no later sync will write.
pub(crate) fn settle(segments: &[Segment], mark: Position, end: Position) -> Result<(), LogError> {
    for (index, segment) in segments.iter().enumerate() {
        let Ok(header) = &segment.header else { continue };
        let next = segments.get(index + 1).and_then(|next| next.header.as_ref().ok()).map_or(end, |next| next.base);
        if next <= mark {
            continue;
        }
        let (mut offset, stop) = (mark.0.saturating_sub(header.base.0), next.0 - header.base.0);
        if segment.length < stop {
            segment.file.set_length(stop).map_err(failed("extend", &segment.path))?;
        }
        let mut chunk = vec![0; READ_BYTES * 4];
        while offset < stop {
            let wanted = chunk.len().min((stop - offset) as usize);
            let read = segment.file.read_at(&mut chunk[..wanted], offset).map_err(failed("read", &segment.path))?;
            if read == 0 {
                return Err(failed("read", &segment.path)(io::ErrorKind::UnexpectedEof.into()));
            }
            segment.file.write_at(offset, &[&chunk[..read]]).map_err(failed("write", &segment.path))?;
            offset += read as u64;
        }
        segment.file.sync_data().map_err(failed("sync", &segment.path))?;
    }
    Ok(())
}
