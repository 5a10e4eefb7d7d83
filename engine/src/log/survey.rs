//! Looking a log over, also one that another process is writing: how far it is there whole.
//!
//! Segments only grow, at their end, and no block is written twice; so what was read whole once stays as it was.

use std::path::Path;
use std::sync::Arc;

use super::chain::Chain;
use super::error::{LogError, failed};
use super::header::BLOCK_BYTES;
use super::record::{Genesis, Hash, Position, Record};
use super::segment::{self, Segment};
use super::tail::{self, Cut};
use super::walk::{Step, Walk};
use super::{layout, open};
use crate::fs::{Access, FileSystem};

/// How often a log is read that looks damaged: a group that is being written can look so, once. Damage stays.
const READINGS_MAX: u32 = 5;

/// A log as far as it is there whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Surveyed {
    /// What the log is of.
    pub genesis: Genesis,
    /// First height whose Input is there; `last_input + 1` if none is.
    pub first_input: u64,
    /// Height of the last Input; 0 without one.
    pub last_input: u64,
    /// Height of the last Seal, and its digest; 0 and zeros without one. Heights above it are sealed when the log is opened.
    pub last_seal: (u64, Hash),
    /// The segments up to the last whole group, in order.
    pub segments: Vec<SurveyedSegment>,
    /// What lies behind it: of a log that nobody writes, a tail that opening would cut.
    pub tail: Option<Cut>,
    /// Whether the last record is that of a clean close.
    pub closed: bool,
}

/// One segment of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SurveyedSegment {
    /// Name of its file in the log's directory.
    pub name: String,
    /// Its used bytes: a multiple of 4,096.
    pub bytes: u64,
}

/// Reads the log of a data directory and checks every byte up to the end of its last whole group. It may be in use, by
/// another process too. Changes nothing. `None` if there is no log, or nothing in it yet.
///
/// # Errors
///
/// [`LogError::Damaged`] with the first damage, [`LogError::Incompatible`], [`LogError::Io`].
pub fn survey(fs: &Arc<dyn FileSystem>, data_directory: &Path) -> Result<Option<Surveyed>, LogError> {
    let whole = Whole::read(fs.as_ref(), &data_directory.join(layout::LOG))?;
    Ok(whole.map(|whole| whole.surveyed()))
}

/// A log up to the end of its last whole group, open for reading.
pub(super) struct Whole {
    /// Up to the one that holds the end.
    segments: Vec<Segment>,
    chain: Chain,
    first_input: u64,
    tail: Option<Cut>,
    closed: bool,
    /// All before it was synced, as records say.
    mark: Position,
    end: Position,
}

impl Whole {
    pub(super) fn read(fs: &dyn FileSystem, directory: &Path) -> Result<Option<Whole>, LogError> {
        let mut readings = 1;
        loop {
            match Whole::read_once(fs, directory) {
                Err(LogError::Damaged(_)) if readings < READINGS_MAX => readings += 1,
                read => return read,
            }
        }
    }

    fn read_once(fs: &dyn FileSystem, directory: &Path) -> Result<Option<Whole>, LogError> {
        let segments = segment::list(fs, directory, Access::Read)?;
        segments.iter().try_for_each(Segment::check_format)?;
        let mut walk = match Walk::begin(segments, 0) {
            Ok(walk) => walk,
            Err(segments) => {
                // None, or a first one that is being begun.
                let broken = segments.first().map(open::first_header_broken).transpose()?;
                broken.map(|broken| tail::judge(&segments, &broken)).transpose()?;
                return Ok(None);
            }
        };
        let first_input = walk.chain.last_input + 1;
        let (mut whole, mut tail, mut closed) = (None, None, false);
        loop {
            match walk.next()? {
                Step::Record(located) => {
                    closed = located.record == Record::Close;
                    if let Some(last) = walk.last.filter(|last| last.header.ends_group) {
                        whole = Some((walk.chain.clone(), last.segment, walk.position()));
                    }
                }
                Step::End => break,
                Step::Broken(broken) => {
                    tail = Some(tail::judge(&walk.segments, &broken)?);
                    closed = false;
                    break;
                }
            }
        }
        let Some((chain, last, end)) = whole else { return Ok(None) };
        let mark = walk.mark;
        let mut segments = walk.segments;
        segments.truncate(last + 1);
        let end = Position(end.0.next_multiple_of(BLOCK_BYTES));
        Ok(Some(Whole { segments, chain, first_input, tail, closed, mark, end }))
    }

    /// Makes durable what no record says is. Anybody may who may read the files.
    pub(super) fn sync(&self, fs: &dyn FileSystem, directory: &Path) -> Result<(), LogError> {
        if self.mark >= self.end {
            return Ok(());
        }
        for (index, segment) in self.segments.iter().enumerate() {
            let end = self.base(index + 1).unwrap_or(self.end);
            if end > self.mark {
                segment.file.sync_data().map_err(failed("sync", &segment.path))?;
            }
        }
        // Its name too, which a log that was just begun may not have for good.
        let data_directory = directory.parent().unwrap_or(directory);
        fs.sync_directory(data_directory).map_err(failed("sync", data_directory))?;
        fs.sync_directory(directory).map_err(failed("sync", directory))
    }

    /// Position of the first byte of the segment with this index, if it is there.
    fn base(&self, index: usize) -> Option<Position> {
        self.segments.get(index).and_then(|segment| segment.header.as_ref().ok()).map(|header| header.base)
    }

    /// The segments with the bytes that are used of each.
    pub(super) fn lengths(&self) -> impl Iterator<Item = (&Segment, u64)> {
        self.segments.iter().enumerate().map(|(index, segment)| {
            let base = self.base(index).expect("a walk went through its header");
            let end = self.base(index + 1).unwrap_or(self.end);
            (segment, end.0 - base.0)
        })
    }

    pub(super) fn surveyed(&self) -> Surveyed {
        let Chain { genesis, last_input, last_seal, last_digest, .. } = self.chain;
        let name = |segment: &Segment| segment.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Surveyed {
            genesis,
            first_input: self.first_input,
            last_input,
            last_seal: (last_seal, last_digest),
            segments: self.lengths().map(|(segment, bytes)| SurveyedSegment { name: name(segment), bytes }).collect(),
            tail: self.tail.clone(),
            closed: self.closed,
        }
    }
}
