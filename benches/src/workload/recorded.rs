//! `recorded`: the batches of a replay log, as a node or a run left them.
//!
//! Heights that come before the measured ones are executed first, so that these find the state that they found before.
//! Batches are read as they are needed. The log may be in use: what was found to be whole at first stays as it is, and what is
//! written behind that is not looked at.

use super::{Invariant, Workload};
use crate::BenchError;
use crate::baselines::Baselines;
use crate::figures::count;
use crate::progress::Progress;
use crate::report::hex;
use parking_lot::Mutex;
use phalanx_engine::fs::{FileSystem, RealFileSystem};
use phalanx_engine::log::{self, Damage, LogError, LogReader, Record, Records, Surveyed, layout};
use phalanx_engine::{
    Batch, BatchBytes, BatchError, DIGEST_FORMAT, Digest, Engine, LoggedError, PROTOCOL_VERSION, SYSTEM_CONTRACT,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A log that is executed again.
pub(crate) struct Recorded {
    /// As the user named it.
    directory: PathBuf,
    reader: LogReader,
    /// The first measured height.
    from_height: u64,
    contents: Contents,
    /// Whether something lies behind the last height that is not whole.
    has_tail: bool,
    cursor: Mutex<Option<Cursor>>,
}

/// What one pass over a log finds.
#[derive(Default)]
struct Contents {
    last_height: u64,
    /// Calls of the heights that are measured.
    calls: u64,
    /// Heights before the first without a deploy.
    leading_deploys: u64,
    /// Digests of the heights from 1 on, as far as they are sealed.
    seals: Vec<Digest>,
}

/// Where a log is read.
struct Cursor {
    records: Records,
    /// The height that comes next.
    next: u64,
}

impl Recorded {
    /// The log of a data directory, measured from a height on, or else from behind the leading heights that deploy something.
    /// Reads it through and changes nothing.
    ///
    /// # Errors
    /// [`BenchError::Usage`] if there is no log, or nothing in it to measure; [`BenchError::Recorded`] if it is damaged or this version
    /// cannot execute it.
    pub(crate) fn open(
        directory: &Path,
        from_height: Option<u64>,
        progress: &dyn Progress,
    ) -> Result<Self, BenchError> {
        if from_height == Some(0) {
            return Err(BenchError::Usage("--from-height must be at least 1".to_owned()));
        }
        let fs: Arc<dyn FileSystem> = Arc::new(RealFileSystem);
        let surveyed = survey(&fs, directory)?;
        let reader = LogReader::new(fs, directory);
        let contents =
            Contents::read(&reader, &surveyed, from_height, progress).map_err(|source| failed(directory, source))?;
        let from_height = contents.measured_from(from_height).map_err(|why| refused(directory, &why))?;
        let (directory, has_tail) = (directory.to_owned(), surveyed.tail.is_some());
        Ok(Self { directory, reader, from_height, contents, has_tail, cursor: Mutex::default() })
    }

    /// A batch, read where the last reading ended if it comes behind that.
    fn read(&self, height: u64) -> Result<BatchBytes, LogError> {
        let mut place = self.cursor.lock();
        let mut cursor = match place.take() {
            Some(cursor) if cursor.next <= height => cursor,
            _ => Cursor { records: self.reader.records(height)?, next: height },
        };
        let batch = cursor.read(height)?.ok_or_else(|| self.gone(height))?;
        *place = Some(cursor);
        Ok(batch)
    }

    /// A height that was there when the log was read through.
    fn gone(&self, height: u64) -> LogError {
        let file = self.directory.join(layout::LOG);
        LogError::Damaged(Damage { file, offset: 0, height, what: "this height was there a moment ago".to_owned() })
    }
}

fn failed(directory: &Path, source: LoggedError) -> BenchError {
    BenchError::Recorded { directory: directory.to_owned(), source }
}

fn refused(directory: &Path, why: &str) -> BenchError {
    BenchError::Usage(format!("--recorded {}: {why}", directory.display()))
}

/// Looks over a log that this version can execute from its first height on.
fn survey(fs: &Arc<dyn FileSystem>, directory: &Path) -> Result<Surveyed, BenchError> {
    let Some(surveyed) = log::survey(fs, directory).map_err(|error| failed(directory, error.into()))? else {
        return Err(refused(directory, "there is no log; name a data directory of `phalanx serve`, `run` or `bench`"));
    };
    let genesis = surveyed.genesis;
    if (genesis.protocol_version, genesis.digest_format) != (PROTOCOL_VERSION, DIGEST_FORMAT) {
        return Err(failed(directory, LoggedError::Unknown { height: 1, version: genesis.protocol_version }));
    }
    match (surveyed.first_input, surveyed.last_input) {
        (_, 0) => Err(refused(directory, "the log has no batches yet")),
        (1, _) => Ok(surveyed),
        (first, _) => Err(refused(directory, &format!("heights below {first} are no longer kept, and all are needed"))),
    }
}

impl Contents {
    fn read(
        reader: &LogReader,
        surveyed: &Surveyed,
        from_height: Option<u64>,
        progress: &dyn Progress,
    ) -> Result<Self, LoggedError> {
        let mut contents = Self::default();
        progress.begin("reading the log", surveyed.last_input);
        for located in reader.records(1)? {
            match located?.record {
                Record::Input(input) => {
                    let height = input.height;
                    let refused = |error: BatchError| LoggedError::Replay { height, source: error.into() };
                    contents.add(height, &Batch::decode(input.batch).map_err(refused)?, from_height);
                    progress.advance(1);
                }
                Record::Seal(seal) => contents.seals.push(seal.digest),
                Record::Protocol { height, version } => return Err(LoggedError::Unknown { height, version }),
                Record::Genesis(_) | Record::Close => {}
            }
            // Nothing behind that was there whole when the log was surveyed.
            if (contents.last_height, contents.seals.len() as u64) == (surveyed.last_input, surveyed.last_seal.0) {
                break;
            }
        }
        progress.end();
        Ok(contents)
    }

    fn add(&mut self, height: u64, batch: &Batch, from_height: Option<u64>) {
        let deploys = |index| *batch.target_of(&batch.call(index)).0 == SYSTEM_CONTRACT;
        if self.leading_deploys + 1 == height && (0..batch.len()).any(deploys) {
            self.leading_deploys = height;
        }
        if height >= from_height.unwrap_or(self.leading_deploys + 1) {
            self.calls += batch.len() as u64;
        }
        self.last_height = height;
    }

    /// The first measured height, if there is something from there on; else why not.
    fn measured_from(&self, asked: Option<u64>) -> Result<u64, String> {
        let last = self.last_height;
        match asked.unwrap_or(self.leading_deploys + 1) {
            from if from <= last && self.calls == 0 => {
                Err(format!("there are no calls in the heights from {from} to {last}"))
            }
            from if from <= last => Ok(from),
            _ if asked.is_none() => {
                Err("each height of the log deploys something; --from-height 1 measures that".to_owned())
            }
            from => Err(format!("--from-height is {from}, and the log ends at height {last}")),
        }
    }
}

impl Cursor {
    /// The batch of a height that was not passed yet, if the log holds it.
    fn read(&mut self, height: u64) -> Result<Option<BatchBytes>, LogError> {
        for located in &mut self.records {
            let Record::Input(input) = located?.record else { continue };
            self.next = input.height + 1;
            if input.height == height {
                return Ok(Some(input.batch.into()));
            }
        }
        Ok(None)
    }
}

impl Workload for Recorded {
    fn name(&self) -> &'static str {
        "recorded"
    }

    fn describe(&self) -> String {
        let (from, last) = (self.from_height, self.contents.last_height);
        let (calls, heights) = (count(self.contents.calls), count(self.measured_batches()));
        let before = match self.set_up_batches() {
            0 => String::new(),
            1 => ", behind 1 that sets up".to_owned(),
            before => format!(", behind {} that set up", count(before)),
        };
        let tail = if self.has_tail { "; a tail that was not synced is left out" } else { "" };
        let directory = self.directory.display();
        format!("{calls} calls of the log in {directory}, in {heights} heights from {from} to {last}{before}{tail}")
    }

    fn is_recorded(&self) -> bool {
        true
    }

    fn set_up_batches(&self) -> u64 {
        self.from_height - 1
    }

    fn measured_batches(&self) -> u64 {
        self.contents.last_height - self.set_up_batches()
    }

    fn batch(&self, height: u64) -> Result<BatchBytes, BenchError> {
        self.read(height).map_err(|error| failed(&self.directory, error.into()))
    }

    /// What has no seal yet, as the last heights of a log that is in use, has nothing to be compared with.
    fn invariant(&self, _engine: &Engine, digests: &[Digest]) -> Invariant {
        let seals = &self.contents.seals;
        let compared = digests.len().min(seals.len());
        let different = (0..compared).find(|at| digests[*at] != seals[*at]);
        let detail = match different {
            None => format!(
                "{} of {} heights compared, each has the digest that the log is sealed with",
                count(compared as u64),
                count(digests.len() as u64)
            ),
            Some(at) => {
                let (height, now, sealed) = (at + 1, hex(&digests[at]), hex(&seals[at]));
                format!("height {height}: digest {now}, the log is sealed with {sealed}")
            }
        };
        Invariant { name: "seal chain", holds: different.is_none(), detail }
    }

    fn baselines(&self, _progress: &dyn Progress) -> Result<Option<Baselines>, BenchError> {
        Ok(None)
    }
}
