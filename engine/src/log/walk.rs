//! Reading the log record by record, up to its end or to the first byte that isn't what a writer leaves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::chain::Chain;
use super::error::{LogError, failed};
use super::header::{BLOCK_BYTES, Defect, HEADER_BYTES, RecordHeader, record_bytes};
use super::places::Place;
use super::record::{Position, Record};
use super::segment::{READ_BYTES, Segment, first_input};
use crate::fs::File;

/// A record and where it lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Located {
    /// The segment's file.
    pub file: Arc<Path>,
    /// Where the record's header begins in it.
    pub offset: u64,
    /// The same place in the whole log.
    pub position: Position,
    /// Everything before this position was synced when the record was written.
    pub mark: Position,
    /// The record.
    pub record: Record,
}

/// The first place that isn't what a writer leaves.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    /// Index in the list of segments; of the one whose header or absence is the defect, if that is it.
    pub(crate) segment: usize,
    pub(crate) offset: u64,
    pub(crate) position: Position,
    /// See [`Damage::height`](super::Damage::height).
    pub(crate) height: u64,
    pub(crate) what: String,
}

pub(crate) enum Step {
    Record(Located),
    /// Nothing was written from here on.
    End,
    Broken(Broken),
}

/// The last record's header, which a cut behind it has to amend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastHeader {
    pub(crate) segment: usize,
    pub(crate) offset: u64,
    pub(crate) header: RecordHeader,
}

pub(crate) struct Walk {
    pub(crate) segments: Vec<Segment>,
    pub(crate) chain: Chain,
    pub(crate) last: Option<LastHeader>,
    /// The highest mark seen, in segment headers too.
    pub(crate) mark: Position,
    index: usize,
    base: Position,
    tag: [u8; 8],
    offset: u64,
    window: Window,
    /// Records before this position are all there; nothing at or after it is looked at.
    limit: Option<Position>,
}

/// What a place in a segment holds.
enum Found {
    Record(Box<(RecordHeader, Record)>),
    Blank,
    Broken(Option<u64>, String),
}

impl Walk {
    /// Begins at the first record of the segment with this index. A segment without a usable header is the caller's to
    /// report: the answer is then the list of segments.
    pub(crate) fn begin(segments: Vec<Segment>, index: usize) -> Result<Walk, Vec<Segment>> {
        let Some(Ok(header)) = segments.get(index).map(|segment| segment.header.clone()) else { return Err(segments) };
        Ok(Walk {
            tag: header.tag(),
            base: header.base,
            mark: header.mark,
            chain: header.chain,
            segments,
            last: None,
            index,
            offset: BLOCK_BYTES,
            window: Window::default(),
            limit: None,
        })
    }

    /// Goes to a place behind, if its segment is one of those that are known.
    pub(crate) fn skip_to(&mut self, place: Place) {
        // A segment that begins at the place does not hold it: its first record comes behind its header.
        let may_hold = |segment: &Segment| match &segment.header {
            Ok(header) => header.base.0 + BLOCK_BYTES <= place.position.0,
            Err(_) => true,
        };
        let Some(index) = self.segments.iter().rposition(may_hold) else { return };
        let Ok(header) = self.segments[index].header.clone() else { return };
        if place.position <= self.position() {
            return;
        }
        self.index = index;
        self.base = header.base;
        self.tag = header.tag();
        self.offset = place.position.0 - header.base.0;
        (self.chain, self.mark, self.last) = (place.chain, place.mark, None);
        self.window = Window::default();
    }

    /// Where the walk stands.
    pub(crate) fn position(&self) -> Position {
        Position(self.base.0 + self.offset)
    }

    /// Goes on with a newer list of the same log's segments.
    pub(crate) fn set_segments(&mut self, segments: Vec<Segment>) -> Result<(), LogError> {
        let number = self.here().number;
        let gone = || LogError::BelowRetention { height: self.chain.last_input + 1, earliest: first_input(&segments) };
        let index = segments.iter().position(|segment| segment.number == number).ok_or_else(gone)?;
        if let Some(last) = &mut self.last {
            last.segment = index;
        }
        self.index = index;
        self.segments = segments;
        Ok(())
    }

    /// Path of the segment with this index in the list.
    pub(crate) fn path(&self, segment: usize) -> PathBuf {
        self.segments.get(segment).map_or_else(PathBuf::new, |segment| segment.path.to_path_buf())
    }

    /// Lets the walk go up to `limit`. The bytes before it must be written whole.
    pub(crate) fn set_limit(&mut self, limit: Position) {
        if self.limit != Some(limit) {
            self.limit = Some(limit);
            // The window may hold what was at these offsets before they were written.
            self.window = Window::default();
        }
    }

    pub(crate) fn next(&mut self) -> Result<Step, LogError> {
        loop {
            if self.limit.is_some_and(|limit| self.position() >= limit) {
                return Ok(Step::End);
            }
            if self.group_ended() {
                if !self.offset.is_multiple_of(BLOCK_BYTES) {
                    let boundary = self.offset.next_multiple_of(BLOCK_BYTES);
                    if let Some(offset) = self.here().first_nonzero(self.offset, boundary)? {
                        return Ok(self.broken_at(offset, None, "padding is not zero".to_owned()));
                    }
                    self.offset = boundary;
                    continue;
                }
                if self.successor_begins_here() {
                    if let Some(broken) = self.enter_successor()? {
                        return Ok(broken);
                    }
                    continue;
                }
            }
            return match self.read_record()? {
                Found::Record(found) => Ok(self.take(*found)),
                Found::Blank if self.group_ended() => self.end(),
                Found::Blank => Ok(self.broken_at(self.offset, None, "zeros where a group goes on".to_owned())),
                Found::Broken(height, what) => Ok(self.broken_at(self.offset, height, what)),
            };
        }
    }

    fn here(&self) -> &Segment {
        &self.segments[self.index]
    }

    fn group_ended(&self) -> bool {
        match self.last {
            Some(last) if last.segment == self.index => last.header.ends_group,
            _ => true,
        }
    }

    fn successor_begins_here(&self) -> bool {
        let successor = self.segments.get(self.index + 1).and_then(|segment| segment.header.as_ref().ok());
        successor.is_some_and(|header| header.base == self.position() && header.number == self.here().number + 1)
    }

    /// Goes to the next segment's first record. Written-ahead space that a crash kept from being trimmed is fine.
    fn enter_successor(&mut self) -> Result<Option<Step>, LogError> {
        if self.here().first_nonzero(self.offset, self.here().length)?.is_some() {
            return Ok(Some(self.broken_at(self.offset, None, "bytes after the segment's end".to_owned())));
        }
        let Ok(header) = self.segments[self.index + 1].header.clone() else { return Ok(None) };
        if header.chain != self.chain {
            return Ok(Some(self.broken_successor("the segment header does not continue the chain")));
        }
        self.index += 1;
        self.base = header.base;
        self.mark = self.mark.max(header.mark);
        self.tag = header.tag();
        self.offset = BLOCK_BYTES;
        self.window = Window::default();
        Ok(None)
    }

    fn take(&mut self, (header, record): (RecordHeader, Record)) -> Step {
        if let Err(why) = self.chain.accept(&record) {
            return self.broken_at(self.offset, Some(header.height), format!("the record does not follow: {why}"));
        }
        let (offset, position) = (self.offset, self.position());
        self.mark = self.mark.max(header.mark);
        self.last = Some(LastHeader { segment: self.index, offset, header });
        self.offset += record_bytes(header.length.into());
        Step::Record(Located { file: self.here().path.clone(), offset, position, mark: header.mark, record })
    }

    /// Nothing is written at this block: the end of the log, if nothing follows either.
    fn end(&mut self) -> Result<Step, LogError> {
        if self.here().first_nonzero(self.offset, self.here().length)?.is_some() {
            return Ok(self.broken_at(
                self.offset,
                None,
                "zeros where a record should begin, and bytes after them".to_owned(),
            ));
        }
        let Some(successor) = self.segments.get(self.index + 1) else { return Ok(Step::End) };
        Ok(match &successor.header {
            _ if successor.number != self.here().number + 1 => {
                self.broken_successor("a segment before this one is missing")
            }
            Err(_) => self.broken_successor("the segment header is broken"),
            Ok(_) => {
                let what = "the segment ends before the next one begins".to_owned();
                self.broken_at(self.offset, None, what)
            }
        })
    }

    fn read_record(&mut self) -> Result<Found, LogError> {
        let Walk { segments, index, offset, window, .. } = self;
        let segment = &segments[*index];
        let read_failed = || failed("read", &segment.path);
        let mut bytes = [0; HEADER_BYTES];
        let read = window.read(segment.file.as_ref(), *offset, &mut bytes).map_err(read_failed())?;
        if read < HEADER_BYTES {
            return Ok(match bytes == [0; HEADER_BYTES] {
                true => Found::Blank,
                false => Found::Broken(None, "the file ends inside a record header".to_owned()),
            });
        }
        let header = match RecordHeader::decode(&bytes, self.tag, Position(self.base.0 + *offset)) {
            Ok(header) => header,
            Err(Defect::Blank) => return Ok(Found::Blank),
            Err(Defect::Broken(what)) => return Ok(Found::Broken(None, what.to_owned())),
        };
        let broken = |what: String| Ok(Found::Broken(Some(header.height), what));
        let fixed_bytes = header.kind.fixed_bytes();
        let length = header.length as usize;
        if length < fixed_bytes || length - fixed_bytes > header.kind.batch_bytes_max() {
            return broken(format!("a record of kind {:?} with {length} bytes", header.kind));
        }
        if *offset + record_bytes(length as u64) > segment.length && self.limit.is_none() {
            return broken(format!("the file ends inside a record of {length} bytes"));
        }
        let start = *offset + HEADER_BYTES as u64;
        let mut fixed = [0; 96];
        let fixed = &mut fixed[..fixed_bytes];
        let mut batch = vec![0; length - fixed_bytes];
        let mut padding = [0; HEADER_BYTES];
        let padding = &mut padding[..length.next_multiple_of(HEADER_BYTES) - length];
        let file = segment.file.as_ref();
        let mut read = window.read(file, start, fixed).map_err(read_failed())?;
        read += window.read(file, start + fixed_bytes as u64, &mut batch).map_err(read_failed())?;
        read += window.read(file, start + length as u64, padding).map_err(read_failed())?;
        if read < length.next_multiple_of(HEADER_BYTES) {
            return broken(format!("the file ends inside a record of {length} bytes"));
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(fixed);
        crc.update(&batch);
        if crc.finalize() != header.payload_crc {
            return broken("the payload's checksum does not match".to_owned());
        }
        if padding.iter().any(|byte| *byte != 0) {
            return broken("padding is not zero".to_owned());
        }
        match Record::decode(header.kind, header.height, fixed, batch) {
            Some(record) if record.height() == header.height => Ok(Found::Record(Box::new((header, record)))),
            _ => broken(format!("not a record of kind {:?}", header.kind)),
        }
    }

    fn broken_at(&self, offset: u64, height: Option<u64>, what: String) -> Step {
        let height = height.filter(|height| *height > 0).unwrap_or(self.chain.last_input);
        let position = Position(self.base.0 + offset);
        Step::Broken(Broken { segment: self.index, offset, position, height, what })
    }

    fn broken_successor(&self, what: &str) -> Step {
        let height = self.chain.last_input;
        let position = self.position();
        Step::Broken(Broken { segment: self.index + 1, offset: 0, position, height, what: what.to_owned() })
    }
}

/// A piece of the file, so that small records don't cost a read each.
#[derive(Default)]
struct Window {
    offset: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// Like [`File::read_at`].
    fn read(&mut self, file: &dyn File, offset: u64, out: &mut [u8]) -> std::io::Result<usize> {
        let inside = |window: &Window| {
            let start = usize::try_from(offset.checked_sub(window.offset)?).ok()?;
            window.bytes.get(start..start + out.len()).map(|_| start)
        };
        let start = match inside(self) {
            Some(start) => start,
            None if out.len() >= READ_BYTES / 2 => return file.read_at(out, offset),
            None => {
                self.bytes.resize(READ_BYTES, 0);
                let read = file.read_at(&mut self.bytes, offset)?;
                self.bytes.truncate(read);
                self.offset = offset;
                0
            }
        };
        let count = out.len().min(self.bytes.len() - start);
        out[..count].copy_from_slice(&self.bytes[start..start + count]);
        Ok(count)
    }
}
