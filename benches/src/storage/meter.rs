//! Counts what a log writes and how long its syncs take, on the way to any file system.

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use phalanx_engine::fs::{Access, File, FileSystem};
use std::any::Any;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// A file system that is watched.
pub(crate) struct Meter {
    inner: Box<dyn FileSystem>,
    written: Arc<Mutex<Written>>,
}

/// What was written and synced since [`Meter::take`] was last asked.
pub(crate) struct Written {
    /// Bytes, without those that only write zeros ahead.
    pub(crate) bytes: u64,
    /// Microseconds of each sync.
    pub(crate) sync_us: Histogram<u64>,
}

impl Default for Written {
    fn default() -> Self {
        Self { bytes: 0, sync_us: microseconds() }
    }
}

/// An empty histogram of microseconds up to an hour, three digits exact.
pub(crate) fn microseconds() -> Histogram<u64> {
    Histogram::new_with_max(3_600_000_000, 3).expect("the bounds are sound")
}

struct MeteredFile {
    inner: Box<dyn File>,
    written: Arc<Mutex<Written>>,
}

impl Meter {
    pub(crate) fn new(inner: Box<dyn FileSystem>) -> Self {
        Self { inner, written: Arc::default() }
    }

    /// What was counted so far; counting begins anew.
    pub(crate) fn take(&self) -> Written {
        std::mem::take(&mut *self.written.lock())
    }
}

impl FileSystem for Meter {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        let inner = self.inner.open(path, access)?;
        Ok(Box::new(MeteredFile { inner, written: Arc::clone(&self.written) }))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.inner.create_directory(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.inner.list(directory)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.remove(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.inner.sync_directory(directory)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        self.inner.lock(path)
    }
}

impl File for MeteredFile {
    fn length(&self) -> io::Result<u64> {
        self.inner.length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
        self.inner.write_at(offset, parts)?;
        // Records have a header, so the search ends in the first part unless all is zeros.
        if parts.iter().any(|part| part.iter().any(|byte| *byte != 0)) {
            self.written.lock().bytes += parts.iter().map(|part| part.len() as u64).sum::<u64>();
        }
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.inner.set_length(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        let start = Instant::now();
        self.inner.sync_data()?;
        self.written.lock().sync_us.saturating_record(start.elapsed().as_micros() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Meter;
    use crate::storage::Discard;
    use phalanx_engine::fs::{Access, FileSystem};
    use std::path::Path;

    #[test]
    fn records_and_syncs_are_counted_and_zeros_are_not() {
        let meter = Meter::new(Box::new(Discard::default()));
        let file = meter.open(Path::new("a"), Access::CreateNew).unwrap();
        file.write_at(0, &[&[0; 100]]).unwrap();
        file.write_at(0, &[&[0; 3], &[1; 4]]).unwrap();
        file.sync_data().unwrap();
        let written = meter.take();
        assert_eq!((written.bytes, written.sync_us.len()), (7, 1));
        let written = meter.take();
        assert_eq!((written.bytes, written.sync_us.len()), (0, 0));
    }
}
