//! The files of the log, and their names.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{LogError, failed};
use super::header::{BLOCK_BYTES, FORMAT_VERSION, SegmentDefect, SegmentHeader};
use super::record::Genesis;
use crate::fs::{Access, File, FileSystem};

const EXTENSION: &str = ".log";
/// Bytes read at once where the log is walked.
pub(crate) const READ_BYTES: usize = 64 << 10;

/// One segment's file, open.
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) path: Arc<Path>,
    pub(crate) file: Box<dyn File>,
    /// Length when it was opened; written-ahead zeros included.
    pub(crate) length: u64,
    pub(crate) header: Result<SegmentHeader, SegmentDefect>,
}

pub(crate) fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(segment_name(number))
}

fn segment_name(number: u64) -> String {
    format!("{number:010}{EXTENSION}")
}

/// Opens the segments of a log directory in order of their numbers. Files of other names are left alone.
pub(crate) fn list(fs: &dyn FileSystem, directory: &Path, access: Access) -> Result<Vec<Segment>, LogError> {
    let names = match fs.list(directory) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(failed("list", directory)(source)),
    };
    let number_of = |name: &String| {
        let number = name.strip_suffix(EXTENSION)?.parse().ok()?;
        (segment_name(number) == *name).then_some(number)
    };
    let mut numbers: Vec<u64> = names.iter().filter_map(number_of).collect();
    numbers.sort_unstable();
    numbers.into_iter().map(|number| Segment::open(fs, directory, number, access)).collect()
}

impl Segment {
    fn open(fs: &dyn FileSystem, directory: &Path, number: u64, access: Access) -> Result<Segment, LogError> {
        let path: Arc<Path> = segment_path(directory, number).into();
        let file = fs.open(&path, access).map_err(failed("open", &path))?;
        let length = file.length().map_err(failed("read the length of", &path))?;
        let mut block = vec![0; BLOCK_BYTES as usize];
        let read = file.read_at(&mut block, 0).map_err(failed("read", &path))?;
        let header = SegmentHeader::decode(&block[..read]).and_then(|header| match header.number == number {
            true => Ok(header),
            false => Err(SegmentDefect::Broken),
        });
        Ok(Segment { number, path, file, length, header })
    }

    /// Refuses an intact segment of another format.
    pub(crate) fn check_format(&self) -> Result<(), LogError> {
        match &self.header {
            Ok(_) | Err(SegmentDefect::Broken) => Ok(()),
            Err(SegmentDefect::Version(found)) => {
                self.differs("log format version", FORMAT_VERSION.to_string(), found.to_string())
            }
        }
    }

    /// Refuses an intact segment of another format or another genesis.
    pub(crate) fn check_compatible(&self, genesis: &Genesis) -> Result<(), LogError> {
        self.check_format()?;
        let Ok(header) = &self.header else { return Ok(()) };
        let found = &header.chain.genesis;
        if found.chain_id != genesis.chain_id {
            return self.differs("chain id", hex(&genesis.chain_id), hex(&found.chain_id));
        }
        if found.protocol_version != genesis.protocol_version {
            let (expected, found) = (genesis.protocol_version, found.protocol_version);
            return self.differs("protocol version at genesis", expected.to_string(), found.to_string());
        }
        if found.digest_format != genesis.digest_format {
            let (expected, found) = (genesis.digest_format, found.digest_format);
            return self.differs("digest format", expected.to_string(), found.to_string());
        }
        Ok(())
    }

    fn differs(&self, what: &'static str, expected: String, found: String) -> Result<(), LogError> {
        Err(LogError::Incompatible { file: self.path.to_path_buf(), what, expected, found })
    }

    /// Offset of the first byte in `from..to` (or up to the file's end) that isn't zero.
    pub(crate) fn first_nonzero(&self, from: u64, to: u64) -> Result<Option<u64>, LogError> {
        let mut chunk = vec![0; READ_BYTES.min(to.saturating_sub(from) as usize)];
        let mut offset = from;
        while offset < to {
            let wanted = chunk.len().min((to - offset) as usize);
            let read = self.file.read_at(&mut chunk[..wanted], offset).map_err(failed("read", &self.path))?;
            if let Some(index) = chunk[..read].iter().position(|byte| *byte != 0) {
                return Ok(Some(offset + index as u64));
            }
            if read < wanted {
                break;
            }
            offset += read as u64;
        }
        Ok(None)
    }
}

/// First height whose Input is in one of these segments; the greatest number if their headers don't say.
pub(crate) fn first_input(segments: &[Segment]) -> u64 {
    let header = segments.first().and_then(|segment| segment.header.as_ref().ok());
    header.map_or(u64::MAX, |header| header.chain.last_input + 1)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
