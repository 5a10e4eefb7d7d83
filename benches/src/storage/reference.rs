//! What the disk does without Phalanx: the same bytes, appended to a plain file in the same folder and synced.

use crate::BenchError;
use phalanx_engine::BatchBytes;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::Stopwatch;

/// Batches a sync: as many as the log lets gather at most, which favours the reference.
const BATCHES_A_SYNC: usize = 8;
/// After as many bytes the file is begun anew, as segments of the log are.
const FILE_BYTES: u64 = 256 << 20;

/// A plain file that is appended to and synced while the measured clock stands still.
pub(crate) struct Reference {
    path: PathBuf,
    file: File,
    length: u64,
    bytes: u64,
    watch: Stopwatch,
}

impl Reference {
    /// Begins the file in a folder.
    pub(crate) fn new(directory: &Path) -> Result<Self, BenchError> {
        let path = directory.join("reference");
        let file = create(&path).map_err(|source| failed("create", &path, source))?;
        Ok(Self { path, file, length: 0, bytes: 0, watch: Stopwatch::default() })
    }

    /// Appends the batches, with a sync after every few.
    pub(crate) fn append(&mut self, batches: &[BatchBytes]) -> Result<(), BenchError> {
        for group in batches.chunks(BATCHES_A_SYNC) {
            self.append_group(group).map_err(|source| failed("append to", &self.path, source))?;
        }
        Ok(())
    }

    fn append_group(&mut self, group: &[BatchBytes]) -> io::Result<()> {
        if self.length > FILE_BYTES {
            std::fs::remove_file(&self.path)?;
            self.file = create(&self.path)?;
            self.length = 0;
        }
        self.watch.start();
        for batch in group {
            self.file.write_all(batch.as_slice())?;
        }
        self.file.sync_data()?;
        self.watch.stop();
        let bytes: u64 = group.iter().map(|batch| batch.as_slice().len() as u64).sum();
        self.length += bytes;
        self.bytes += bytes;
        Ok(())
    }

    /// Bytes a second so far.
    pub(crate) fn bytes_per_second(&self) -> f64 {
        self.bytes as f64 / self.watch.total().max(Duration::from_nanos(1)).as_secs_f64()
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // A file that is left behind is an annoyance, not a wrong figure.
        _ = std::fs::remove_file(&self.path);
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

fn failed(what: &'static str, path: &Path, source: io::Error) -> BenchError {
    BenchError::Io { what, path: path.to_owned(), source }
}
