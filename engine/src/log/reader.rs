//! Reading records, of a log at rest or of one that is being written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{Damage, LogError};
use super::queue::Queue;
use super::record::{Genesis, Record};
use super::segment::{self, Segment};
use super::tail::{self, Cut};
use super::walk::{Located, Step, Walk};
use super::{layout, open};
use crate::fs::{Access, FileSystem};

/// Reads the log of a data directory that nobody writes. It changes nothing.
pub struct LogReader {
    fs: Arc<dyn FileSystem>,
    directory: PathBuf,
}

impl LogReader {
    /// A reader of the log in this data directory; nothing is read yet.
    pub fn new(fs: Arc<dyn FileSystem>, data_directory: &Path) -> LogReader {
        LogReader { fs, directory: data_directory.join(layout::LOG) }
    }

    /// The genesis that the first kept segment names; `None` if there is no log.
    ///
    /// # Errors
    ///
    /// As [`records`](Self::records).
    pub fn genesis(&self) -> Result<Option<Genesis>, LogError> {
        let segments = segment::list(self.fs.as_ref(), &self.directory, Access::Read)?;
        Ok(segments.first().and_then(|segment| segment.header.as_ref().ok()).map(|header| header.chain.genesis))
    }

    /// All records of heights at or above `from_height`, in log order, and those that have no height. With 0, all that
    /// is kept. What lies before is skipped by whole segments, or read and checked but not returned.
    ///
    /// The iterator ends at the end of the log, also where a tail begins that opening would cut ([`Records::tail`]). Damage
    /// is an error, after which it ends.
    ///
    /// # Errors
    ///
    /// [`LogError::BelowRetention`], [`LogError::Damaged`], [`LogError::Incompatible`], [`LogError::Io`].
    pub fn records(&self, from_height: u64) -> Result<Records, LogError> {
        Records::begin(self.fs.clone(), self.directory.clone(), from_height, None)
    }
}

/// Records of a log, in order, each checked before it is returned.
pub struct Records {
    fs: Arc<dyn FileSystem>,
    directory: PathBuf,
    from_height: u64,
    walk: Option<Walk>,
    /// The log that is being written, if it is followed.
    live: Option<Arc<Queue>>,
    tail: Option<Cut>,
    ended: bool,
}

impl Records {
    pub(crate) fn follow(
        fs: Arc<dyn FileSystem>,
        directory: PathBuf,
        from_height: u64,
        queue: Arc<Queue>,
    ) -> Result<Records, LogError> {
        Records::begin(fs, directory, from_height, Some(queue))
    }

    fn begin(
        fs: Arc<dyn FileSystem>,
        directory: PathBuf,
        from_height: u64,
        live: Option<Arc<Queue>>,
    ) -> Result<Records, LogError> {
        // The end and the place are read before the list: what is durable then lies in files that are listed, or a later look finds.
        let limit = live.as_ref().map(|queue| queue.durable_end());
        let place = live.as_ref().and_then(|queue| queue.places().before(from_height));
        let segments = segment::list(fs.as_ref(), &directory, Access::Read)?;
        segments.iter().try_for_each(Segment::check_format)?;
        if let Some(header) = segments.iter().find_map(|segment| segment.header.as_ref().ok()) {
            segments.iter().try_for_each(|segment| segment.check_compatible(&header.chain.genesis))?;
        }
        let mut records = Records { fs, directory, from_height, walk: None, live, tail: None, ended: false };
        let Some(first) = segments.first() else { return Ok(records) };
        let earliest = segment::first_input(&segments);
        if first.header.is_ok() && from_height > 0 && earliest > from_height {
            return Err(LogError::BelowRetention { height: from_height, earliest });
        }
        let begins = |index: &usize| segment::first_input(&segments[*index..]) <= from_height;
        let begin = (0..segments.len()).rev().find(begins).unwrap_or(0);
        match Walk::begin(segments, begin) {
            Ok(mut walk) => {
                if let Some(limit) = limit {
                    walk.set_limit(limit);
                }
                if let Some(place) = place {
                    walk.skip_to(place);
                }
                records.walk = Some(walk);
            }
            Err(segments) => {
                let broken = open::first_header_broken(&segments[begin])?;
                records.tail = Some(tail::judge(&segments, &broken)?);
                records.ended = true;
            }
        }
        Ok(records)
    }

    /// The tail that opening would cut, once the iterator has ended there.
    pub fn tail(&self) -> Option<&Cut> {
        self.tail.as_ref()
    }

    fn step(&mut self) -> Result<Option<Located>, LogError> {
        let Some(walk) = &mut self.walk else { return Ok(None) };
        loop {
            if let Some(queue) = &self.live {
                walk.set_limit(queue.durable_end());
            }
            match walk.next()? {
                Step::Record(located) if is_wanted(&located.record, self.from_height) => return Ok(Some(located)),
                Step::Record(_) => {}
                Step::End if self.live.as_ref().is_some_and(|queue| walk.position() < queue.durable_end()) => {
                    // The writer went on to a segment that this walk doesn't know yet.
                    walk.set_segments(segment::list(self.fs.as_ref(), &self.directory, Access::Read)?)?;
                }
                Step::End => return Ok(None),
                Step::Broken(broken) if self.live.is_some() => {
                    let file = walk.path(broken.segment);
                    let (offset, height, what) = (broken.offset, broken.height, broken.what);
                    return Err(LogError::Damaged(Damage { file, offset, height, what }));
                }
                Step::Broken(broken) => {
                    self.tail = Some(tail::judge(&walk.segments, &broken)?);
                    self.walk = None;
                    return Ok(None);
                }
            }
        }
    }
}

fn is_wanted(record: &Record, from_height: u64) -> bool {
    match record {
        Record::Genesis(_) | Record::Close => true,
        Record::Input(_) | Record::Seal(_) | Record::Protocol { .. } => record.height() >= from_height,
    }
}

impl Iterator for Records {
    type Item = Result<Located, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let answer = self.step();
        self.ended = answer.is_err() || self.tail.is_some();
        answer.transpose()
    }
}
