//! Opening: reading the log through, the tail rule, and the writer that goes on behind it.

use std::path::Path;
use std::sync::Arc;

use super::chain::Chain;
use super::error::{Damage, LogError, failed};
use super::header::BLOCK_BYTES;
use super::record::{Genesis, Hash, Position, Record, Seal};
use super::segment::{self, Segment};
use super::tail::{self, Cut};
use super::walk::{Broken, LastHeader, Step, Walk};
use super::writer::{OpenSegment, Writer};
use super::{Durability, Options};
use crate::fs::{Access, FileSystem};

/// In which state opening found the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// There was none; it was begun.
    Created,
    /// It was closed cleanly.
    Clean,
    /// It ends in whole records, without a clean close.
    Unclean,
    /// It ended in records that were not whole. They were never synced, and were set aside.
    Cut(Cut),
}

/// What opening found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// In which state the log was.
    pub origin: Origin,
    /// First height whose Input is kept; `last_input + 1` if none is.
    pub first_input: u64,
    /// Height of the last Input; 0 without one. All up to it are durable now.
    pub last_input: u64,
    /// Its hash; the genesis' without one.
    pub last_input_hash: Hash,
    /// The last Seal, if one is kept. Heights above it up to `last_input` were ordered, but their result isn't logged.
    pub last_seal: Option<Seal>,
    /// The newest protocol version announced.
    pub protocol_version: u32,
}

/// Reads the log and makes the writer that appends to it.
pub(crate) fn writer(
    fs: &Arc<dyn FileSystem>,
    data_directory: &Path,
    directory: &Path,
    genesis: Genesis,
    options: Options,
) -> Result<(Writer, Opened), LogError> {
    let segments = segment::list(fs.as_ref(), directory, Access::ReadWrite)?;
    for segment in &segments {
        segment.check_compatible(&genesis)?;
    }
    let mut found = Found::read(segments, genesis)?;
    let mut origin = match (found.segments.is_empty(), found.closed) {
        (true, _) => Origin::Created,
        (false, true) => Origin::Clean,
        (false, false) => Origin::Unclean,
    };
    if let Some(broken) = found.broken.take() {
        let mut cut = tail::judge(&found.segments, &broken)?;
        found.cut(fs.as_ref(), directory, &broken, &mut cut)?;
        origin = Origin::Cut(cut);
    }
    let opened = found.opened(origin);
    if options.durability == Durability::Sync {
        found.settle(fs.as_ref(), data_directory, directory)?;
    }
    Ok((found.into_writer(fs.clone(), directory, options)?, opened))
}

/// The log as it was read.
struct Found {
    segments: Vec<Segment>,
    chain: Chain,
    first_input: u64,
    last_seal: Option<Seal>,
    last: Option<LastHeader>,
    mark: Position,
    /// Where the next group begins.
    end: Position,
    /// Whether the last record is a Close.
    closed: bool,
    broken: Option<Broken>,
}

impl Found {
    fn read(segments: Vec<Segment>, genesis: Genesis) -> Result<Found, LogError> {
        let chain = Chain::new(genesis);
        let mut found = Found {
            segments: Vec::new(),
            first_input: chain.last_input + 1,
            chain,
            last_seal: None,
            last: None,
            mark: Position(0),
            end: Position(0),
            closed: false,
            broken: None,
        };
        let mut walk = match Walk::begin(segments, 0) {
            Ok(walk) => walk,
            Err(segments) => {
                found.broken = segments.first().map(first_header_broken).transpose()?;
                found.segments = segments;
                return Ok(found);
            }
        };
        found.first_input = walk.chain.last_input + 1;
        loop {
            match walk.next()? {
                Step::Record(located) => {
                    found.closed = located.record == Record::Close;
                    if let Record::Seal(seal) = located.record {
                        found.last_seal = Some(seal);
                    }
                }
                Step::End => break,
                Step::Broken(broken) => {
                    found.closed = false;
                    found.broken = Some(broken);
                    break;
                }
            }
        }
        let end = found.broken.as_ref().map_or(walk.position(), |broken| broken.position);
        found.end = Position(end.0.next_multiple_of(BLOCK_BYTES));
        found.mark = walk.mark;
        found.last = walk.last;
        found.chain = walk.chain;
        found.segments = walk.segments;
        Ok(found)
    }

    /// Takes the tail out of the log.
    fn cut(&mut self, fs: &dyn FileSystem, directory: &Path, broken: &Broken, cut: &mut Cut) -> Result<(), LogError> {
        tail::set_aside(fs, directory, &mut self.segments, broken, cut)?;
        let Some(last) = self.last.filter(|last| !last.header.ends_group) else { return Ok(()) };
        let Some(segment) = self.segments.get(last.segment) else { return Ok(()) };
        let Ok(header) = &segment.header else { return Ok(()) };
        // The group now ends with this record. Its header lies within one sector, so that it is never torn.
        let mut ending = last.header;
        ending.ends_group = true;
        let write = segment.file.write_at(last.offset, &[&ending.encode(header.tag())]);
        write.map_err(failed("write", &segment.path))
    }

    fn opened(&self, origin: Origin) -> Opened {
        Opened {
            origin,
            first_input: self.first_input,
            last_input: self.chain.last_input,
            last_input_hash: self.chain.last_input_hash,
            last_seal: self.last_seal,
            protocol_version: self.chain.protocol_version,
        }
    }

    /// Makes what was read durable.
    fn settle(&mut self, fs: &dyn FileSystem, data_directory: &Path, directory: &Path) -> Result<(), LogError> {
        // Names first: a segment that vanished would leave the ones after it without their beginning.
        fs.sync_directory(data_directory).map_err(failed("sync", data_directory))?;
        fs.sync_directory(directory).map_err(failed("sync", directory))?;
        tail::settle(&self.segments, self.mark, self.end)?;
        self.mark = self.end;
        Ok(())
    }

    fn into_writer(mut self, fs: Arc<dyn FileSystem>, directory: &Path, options: Options) -> Result<Writer, LogError> {
        let Some(Segment { number, path, file, length, header: Ok(header) }) = self.segments.pop() else {
            return Writer::create(fs, directory.to_owned(), self.chain, options);
        };
        let ahead = length.max(self.end.0 - header.base.0);
        let segment = OpenSegment { number, path, file, base: header.base, tag: header.tag(), ahead };
        let ends = (self.mark, self.end);
        let mut writer = Writer::resume(fs, directory.to_owned(), self.chain, options, segment, ends);
        if self.last.is_none() && number == 0 {
            // A crash came between the first segment's header and its first record.
            writer.write_genesis()?;
        }
        Ok(writer)
    }
}

/// The first kept segment can't be read. Of segment 0 that may be a crash while the log was begun.
pub(crate) fn first_header_broken(segment: &Segment) -> Result<Broken, LogError> {
    let what = "the segment header is broken".to_owned();
    if segment.number > 0 {
        let file = segment.path.to_path_buf();
        return Err(LogError::Damaged(Damage { file, offset: 0, height: 0, what }));
    }
    Ok(Broken { segment: 0, offset: 0, position: Position(0), height: 0, what })
}
