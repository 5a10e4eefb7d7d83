//! The handle of an open log.

use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use super::chain::Chain;
use super::error::{LogError, failed};
use super::group::BatchBytes;
use super::open::{self, Opened};
use super::queue::{End, Queue};
use super::reader::Records;
use super::record::{Genesis, Seal};
use super::segment;
use super::writer::Append;
use super::{Options, layout, thread};
use crate::fs::{Access, FileSystem};
use crate::limits::BATCH_BYTES_MAX;

const LOCK_FILE: &str = "LOCK";

/// An open log. Dropping it writes what was handed over; [`close`](Log::close) also marks the end as clean.
pub struct Log {
    fs: Arc<dyn FileSystem>,
    directory: PathBuf,
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
    _lock: Box<dyn Any + Send + Sync>,
}

impl Log {
    /// Opens the log of a data directory, or begins it, and starts the log thread. Every record is read and checked.
    ///
    /// # Errors
    ///
    /// [`LogError::Damaged`] and [`LogError::Incompatible`] (nothing was changed), [`LogError::Held`],
    /// [`LogError::Io`].
    pub fn open(
        fs: Arc<dyn FileSystem>,
        data_directory: &Path,
        genesis: Genesis,
        options: Options,
    ) -> Result<(Log, Opened), LogError> {
        let directory = data_directory.join(layout::LOG);
        fs.create_directory(&directory).map_err(failed("create", &directory))?;
        let lock = fs.lock(&directory.join(LOCK_FILE)).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => LogError::Held { directory: directory.clone() },
            _ => failed("lock", &directory)(error),
        })?;
        let (writer, opened) = open::writer(&fs, data_directory, &directory, genesis, options)?;
        let queue = Arc::new(Queue::new(writer.chain().clone(), options.unsynced_batches_max.max(1), writer.end()));
        let thread = thread::spawn(queue.clone(), writer).map_err(failed("start the log thread of", &directory))?;
        Ok((Log { fs, directory, queue, thread: Some(thread), _lock: lock }, opened))
    }

    /// Hands over the batch of a height, which must be the last one's plus 1. Returns at once, or waits while
    /// [`Options::unsynced_batches_max`] batches are un-synced.
    ///
    /// # Errors
    ///
    /// [`LogError::OutOfOrder`] and [`LogError::TooLarge`] change nothing. [`LogError::Stopped`] after a failure.
    pub fn append_input(&self, height: u64, epoch: u64, batch: BatchBytes) -> Result<(), LogError> {
        let actual = batch.as_ref().as_ref().len() as u64;
        let max = BATCH_BYTES_MAX as u64;
        if actual > max {
            return Err(LogError::TooLarge { what: "batch", limit: "BATCH_BYTES_MAX", max, actual });
        }
        self.queue.push_input(height, Append::Input { epoch, height, batch })
    }

    /// Hands over the result of a height whose Input was handed over. It becomes durable with a later group.
    ///
    /// # Errors
    ///
    /// [`LogError::OutOfOrder`] changes nothing. [`LogError::Stopped`] after a failure.
    pub fn append_seal(&self, seal: Seal) -> Result<(), LogError> {
        let admit = |chain: &mut Chain| {
            chain.follows_seal(seal.height)?;
            chain.append_seal(&seal);
            Ok(())
        };
        self.queue.push(admit, Append::Seal(seal))
    }

    /// Hands over a change of rules from `height` on, which must lie above the last Input.
    ///
    /// # Errors
    ///
    /// [`LogError::OutOfOrder`] changes nothing. [`LogError::Stopped`] after a failure.
    pub fn append_protocol(&self, height: u64, version: u32) -> Result<(), LogError> {
        let admit = |chain: &mut Chain| {
            chain.follows_protocol(height, version)?;
            chain.protocol_version = version;
            Ok(())
        };
        self.queue.push(admit, Append::Protocol { height, version })
    }

    /// Waits until the Input of `height` is as durable as [`Options::durability`] makes it.
    ///
    /// # Errors
    ///
    /// [`LogError::Stopped`] if the log failed before. [`LogError::OutOfOrder`] if the height was never handed over.
    pub fn wait_durable(&self, height: u64) -> Result<(), LogError> {
        self.queue.wait_durable(height)
    }

    /// Height of the last Input that is durable in that sense; 0 without one.
    pub fn durable_height(&self) -> u64 {
        self.queue.durable_height()
    }

    /// Waits until the space that [`Options::written_ahead_bytes`] asks for is there, for those who measure.
    ///
    /// # Errors
    ///
    /// [`LogError::Stopped`] if the log failed.
    pub fn wait_written_ahead(&self) -> Result<(), LogError> {
        self.queue.wait_written_ahead()
    }

    /// Reads records from a height on, up to what is durable. When the iterator ended it can be asked again later: it
    /// goes on with what became durable since. Of other records than inputs and seals, those before the first input may be
    /// missing: it begins as near to that as it can.
    ///
    /// # Errors
    ///
    /// Those of [`LogReader::records`](super::LogReader::records).
    pub fn records(&self, from_height: u64) -> Result<Records, LogError> {
        Records::follow(self.fs.clone(), self.directory.clone(), from_height, self.queue.clone())
    }

    /// Removes the segments that hold nothing at or above `height`; never the last. Answers the first height whose Input
    /// is still kept.
    ///
    /// # Errors
    ///
    /// [`LogError::Io`]; a log with fewer old segments is as valid.
    pub fn drop_below(&self, height: u64) -> Result<u64, LogError> {
        let segments = segment::list(self.fs.as_ref(), &self.directory, Access::Read)?;
        let begins = |index: &usize| segment::first_input(&segments[*index..]) <= height;
        let keep = (0..segments.len()).rev().find(begins).unwrap_or(0);
        for segment in &segments[..keep] {
            self.fs.remove(&segment.path).map_err(failed("remove", &segment.path))?;
            // One after the other: a crash may leave fewer segments, never a gap.
            self.fs.sync_directory(&self.directory).map_err(failed("sync", &self.directory))?;
        }
        Ok(segment::first_input(&segments[keep..]))
    }

    /// Writes what was handed over, marks the end as clean, and gives the log back to others.
    ///
    /// # Errors
    ///
    /// [`LogError::Stopped`] if the log failed, now or before.
    pub fn close(mut self) -> Result<(), LogError> {
        self.end(End::Close);
        self.queue.failure()
    }

    fn end(&mut self, end: End) {
        if let Some(thread) = self.thread.take() {
            self.queue.end(end);
            // A panic of the thread is in the queue as its failure.
            _ = thread.join();
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.end(End::Stop);
    }
}
