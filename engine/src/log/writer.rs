//! Writing segments: the log thread's single-threaded half. Only this file writes records.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::chain::Chain;
use super::error::{LogError, failed};
use super::group::{BatchBytes, Group};
use super::header::{BLOCK_BYTES, SegmentHeader, record_bytes};
use super::places::Place;
use super::record::{INPUT_PREFIX_BYTES, Kind, Position, SEAL_BYTES, Seal};
use super::segment::segment_path;
use super::{Durability, Options};
use crate::fs::{Access, CACHED_BYTES, File, FileSystem, Forgetting};

/// Bytes of zeros written ahead and synced at once: what a batch that arrives meanwhile waits for at most.
const AHEAD_SLICE_BYTES: usize = 1 << 20;

/// What those zeros begin at in memory: a write from there needs no copy.
const PAGE_BYTES: usize = 4 << 10;

/// A record to be written.
pub(crate) enum Append {
    Input { epoch: u64, height: u64, batch: BatchBytes },
    Seal(Seal),
    Protocol { height: u64, version: u32 },
}

impl Append {
    fn payload_bytes(&self) -> u64 {
        (match self {
            Append::Input { batch, .. } => INPUT_PREFIX_BYTES + batch.as_ref().as_ref().len(),
            Append::Seal(_) => SEAL_BYTES,
            Append::Protocol { .. } => Kind::Protocol.fixed_bytes(),
        }) as u64
    }
}

/// Appends groups to the last segment, and begins the next when it is full.
pub(crate) struct Writer {
    fs: Arc<dyn FileSystem>,
    directory: PathBuf,
    options: Options,
    chain: Chain,
    segment: OpenSegment,
    /// Where the next group begins: a multiple of the block size.
    end: Position,
    /// Everything before it is synced.
    mark: Position,
    scratch: Vec<u8>,
    /// The last Input, until its hash is needed.
    unhashed: Option<(u64, u64, BatchBytes)>,
    /// Whether zeros are being written ahead.
    filling: bool,
    /// Those that are, once there were any, and a page.
    zeros: Vec<u8>,
    /// Full segments that nobody synced, of a log that isn't durable.
    unsynced: Vec<OpenSegment>,
    /// The segment before, of a log that is, as long as it stays cached.
    before: Option<OpenSegment>,
    forgetting: Forgetting,
}

/// The segment being written.
pub(crate) struct OpenSegment {
    pub(crate) number: u64,
    pub(crate) path: Arc<Path>,
    pub(crate) file: Box<dyn File>,
    pub(crate) base: Position,
    pub(crate) tag: [u8; 8],
    /// File offset up to which zeros were written ahead.
    pub(crate) ahead: u64,
}

impl OpenSegment {
    /// Creates a segment's file. With a durable log its header and name are synced before a record comes after them.
    fn create(
        fs: &dyn FileSystem,
        directory: &Path,
        header: &SegmentHeader,
        durability: Durability,
    ) -> Result<OpenSegment, LogError> {
        let path: Arc<Path> = segment_path(directory, header.number).into();
        let file = fs.open(&path, Access::CreateNew).map_err(failed("create", &path))?;
        file.write_at(0, &[&header.encode()]).map_err(failed("write", &path))?;
        if durability == Durability::Sync {
            file.sync_data().map_err(failed("sync", &path))?;
            fs.sync_directory(directory).map_err(failed("sync", directory))?;
        }
        Ok(OpenSegment { number: header.number, path, file, base: header.base, tag: header.tag(), ahead: BLOCK_BYTES })
    }
}

impl Writer {
    /// Begins a log: its first segment and the Genesis record, synced if the log is.
    pub(crate) fn create(
        fs: Arc<dyn FileSystem>,
        directory: PathBuf,
        chain: Chain,
        options: Options,
    ) -> Result<Writer, LogError> {
        let start = Position(0);
        let header = SegmentHeader { number: 0, base: start, mark: start, salt: options.salt, chain: chain.clone() };
        let segment = OpenSegment::create(fs.as_ref(), &directory, &header, options.durability)?;
        let end = Position(BLOCK_BYTES);
        let mark = if options.durability == Durability::Sync { end } else { start };
        let mut writer = Writer {
            fs,
            directory,
            options,
            chain,
            segment,
            end,
            mark,
            scratch: Vec::new(),
            unhashed: None,
            filling: false,
            zeros: Vec::new(),
            unsynced: Vec::new(),
            before: None,
            forgetting: Forgetting::default(),
        };
        writer.write_genesis()?;
        Ok(writer)
    }

    /// Writes the log's first record.
    pub(crate) fn write_genesis(&mut self) -> Result<(), LogError> {
        let mut group = self.new_group();
        group.push(Kind::Genesis, 0, &self.chain.genesis.encode(), None);
        self.write_group(group)
    }

    /// The state that the next record must fit.
    pub(crate) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Goes on at `end`, a multiple of the block size.
    pub(crate) fn resume(
        fs: Arc<dyn FileSystem>,
        directory: PathBuf,
        chain: Chain,
        options: Options,
        segment: OpenSegment,
        (mark, end): (Position, Position),
    ) -> Writer {
        Writer {
            fs,
            directory,
            options,
            chain,
            segment,
            end,
            mark,
            scratch: Vec::new(),
            unhashed: None,
            filling: false,
            zeros: Vec::new(),
            unsynced: Vec::new(),
            before: None,
            forgetting: Forgetting::default(),
        }
    }

    /// Position after the last group written.
    pub(crate) fn end(&self) -> Position {
        self.end
    }

    /// Writes records as one group, or as more where a segment ends between, and syncs each if the log is durable.
    pub(crate) fn write(&mut self, records: Vec<Append>) -> Result<(), LogError> {
        let mut group = self.new_group();
        for record in records {
            if self.would_overflow(&group, record_bytes(record.payload_bytes())) {
                if !group.is_empty() {
                    self.write_group(group)?;
                }
                self.roll()?;
                group = self.new_group();
            }
            self.push(&mut group, record);
        }
        if group.is_empty() { Ok(()) } else { self.write_group(group) }
    }

    /// Takes the last Input into the chain. Only the record after it needs its hash, so that nobody has to wait for it:
    /// the thread does this after it told that the group is durable.
    pub(crate) fn hash_last(&mut self) {
        if let Some((epoch, height, batch)) = self.unhashed.take() {
            self.chain.append_input(epoch, height, batch.as_ref().as_ref());
        }
    }

    /// Where the next group begins, once all is hashed.
    pub(crate) fn place(&self) -> Place {
        debug_assert!(self.unhashed.is_none(), "the chain lacks the last input");
        Place { position: self.end, chain: self.chain.clone(), mark: self.mark }
    }

    /// Marks the end as clean and trims what was written ahead.
    pub(crate) fn close(mut self) -> Result<(), LogError> {
        self.sync_all()?;
        let mut group = self.new_group();
        group.push(Kind::Close, 0, &[], None);
        self.write_group(group)?;
        self.trim()?;
        self.segment.file.sync_data().map_err(failed("sync", &self.segment.path))
    }

    /// Writes and syncs one slice of zeros ahead of the end, so that later groups overwrite allocated blocks.
    pub(crate) fn write_ahead(&mut self) -> Result<(), LogError> {
        let Some(slice) = self.ahead_slice() else { return Ok(()) };
        let OpenSegment { file, path, ahead, .. } = &mut self.segment;
        self.zeros.resize(AHEAD_SLICE_BYTES + PAGE_BYTES, 0);
        let zeros = &self.zeros[self.zeros.as_ptr().align_offset(PAGE_BYTES)..][..(slice.end - slice.start) as usize];
        match file.write_at(slice.start, &[zeros]) {
            Ok(()) => {}
            // Zeros hold nothing: without room for them the log goes on until there is none for a record.
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                self.options.written_ahead_bytes = 0;
                return Ok(());
            }
            Err(error) => return Err(failed("write ahead", path)(error)),
        }
        file.sync_data().map_err(failed("sync", path))?;
        *ahead = slice.end;
        Ok(())
    }

    /// Whether zeros should be written ahead when there is nothing else to do: up to the whole of what the options say,
    /// then not until half of it is used, so that a batch rarely meets a slice being written.
    pub(crate) fn wants_ahead(&mut self) -> bool {
        self.filling |= self.ahead() < self.options.written_ahead_bytes / 2;
        self.filling &= self.ahead_slice().is_some();
        self.filling
    }

    fn ahead_slice(&self) -> Option<Range<u64>> {
        if self.options.durability == Durability::None {
            return None;
        }
        let offset = self.end.0 - self.segment.base.0;
        let target = (offset + self.options.written_ahead_bytes).min(self.options.segment_bytes);
        let start = self.segment.ahead.max(offset);
        (start < target).then(|| start..target.min(start + AHEAD_SLICE_BYTES as u64))
    }

    /// Bytes written ahead of the end.
    pub(crate) fn ahead(&self) -> u64 {
        self.segment.ahead.saturating_sub(self.end.0 - self.segment.base.0)
    }

    fn new_group(&mut self) -> Group {
        Group::new(self.segment.tag, self.mark, self.end, std::mem::take(&mut self.scratch))
    }

    fn would_overflow(&self, group: &Group, record_bytes: u64) -> bool {
        let used = group.end().0 - self.segment.base.0;
        // A segment takes at least one record, however large.
        used > BLOCK_BYTES && (used + record_bytes).next_multiple_of(BLOCK_BYTES) > self.options.segment_bytes
    }

    fn push(&mut self, group: &mut Group, record: Append) {
        match record {
            Append::Input { epoch, height, batch } => {
                self.hash_last();
                let previous = self.chain.last_input_hash;
                let mut fixed = [0; INPUT_PREFIX_BYTES];
                fixed[..8].copy_from_slice(&epoch.to_le_bytes());
                fixed[8..].copy_from_slice(&previous);
                group.push(Kind::Input, height, &fixed, Some(batch.clone()));
                self.unhashed = Some((epoch, height, batch));
            }
            Append::Seal(seal) => {
                self.chain.append_seal(&seal);
                group.push(Kind::Seal, seal.height, &seal.encode(), None);
            }
            Append::Protocol { height, version } => {
                self.chain.protocol_version = version;
                group.push(Kind::Protocol, height, &version.to_le_bytes(), None);
            }
        }
    }

    fn write_group(&mut self, mut group: Group) -> Result<(), LogError> {
        let end = group.finish();
        let OpenSegment { file, path, base, .. } = &self.segment;
        file.write_at(group.start().0 - base.0, &group.parts()).map_err(failed("write", path))?;
        if self.options.durability == Durability::Sync {
            file.sync_data().map_err(failed("sync", path))?;
            self.mark = end;
            self.forget_cached();
        }
        self.end = end;
        self.scratch = group.into_scratch();
        Ok(())
    }

    /// After a sync: what lies well behind the mark need not stay in memory.
    fn forget_cached(&mut self) {
        let synced = self.mark.0 - self.segment.base.0;
        self.forgetting.synced(&*self.segment.file, synced);
        if synced > CACHED_BYTES
            && let Some(before) = self.before.take()
        {
            before.file.forget_cached(0..self.segment.base.0 - before.base.0);
        }
    }

    /// Ends this segment and begins the next. All of this one is synced, if the log is, since each group was.
    fn roll(&mut self) -> Result<(), LogError> {
        self.hash_last();
        self.trim()?;
        let header = SegmentHeader {
            number: self.segment.number + 1,
            base: self.end,
            mark: self.mark,
            salt: self.options.salt,
            chain: self.chain.clone(),
        };
        let next = OpenSegment::create(self.fs.as_ref(), &self.directory, &header, self.options.durability)?;
        let full = std::mem::replace(&mut self.segment, next);
        self.forgetting = Forgetting::default();
        match self.options.durability {
            Durability::None => self.unsynced.push(full),
            Durability::Sync => self.before = Some(full),
        }
        self.end.0 += BLOCK_BYTES;
        if self.options.durability == Durability::Sync {
            self.mark = self.end;
        }
        Ok(())
    }

    /// Makes a log durable that wasn't kept so, for the mark of its Close record.
    fn sync_all(&mut self) -> Result<(), LogError> {
        if self.mark == self.end {
            return Ok(());
        }
        for segment in self.unsynced.iter().chain([&self.segment]) {
            segment.file.sync_data().map_err(failed("sync", &segment.path))?;
        }
        self.fs.sync_directory(&self.directory).map_err(failed("sync", &self.directory))?;
        self.mark = self.end;
        Ok(())
    }

    fn trim(&self) -> Result<(), LogError> {
        if self.ahead() == 0 {
            return Ok(());
        }
        let OpenSegment { file, path, base, .. } = &self.segment;
        file.set_length(self.end.0 - base.0).map_err(failed("trim", path))
    }
}
