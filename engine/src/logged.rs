//! An engine with its replay log in a data directory: what a node runs.
//!
//! The input of a batch is handed to the log before it executes, so that its sync runs beside its execution; its seal
//! rides in the next group. Opening replays: every batch is executed again and its digest compared with its seal.

use crate::access_lists::AccessLists;
use crate::batch::{Batch, BatchBytes};
use crate::digest::{Digest, PROTOCOL_VERSION, Roots};
use crate::engine::{Beside, Engine, Executed, Options};
use crate::error::EngineError;
use crate::finish::Pending;
use crate::fs::FileSystem;
use crate::log::receipts::{ReceiptKeeper, ReceiptSegments, ReceiptsAndWrites};
use crate::log::{self, Cut, Genesis, Log, LogError, LogReader, Opened, Record, Seal, layout};
use crate::stage::StageClock;
use crate::trial::Trial;
use crate::wasm::CodeCache;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use thiserror::Error;

/// Bytes after which a receipt segment ends.
const SEGMENT_BYTES: u64 = 256 << 20;

/// Version of the digest's format, as the genesis record names it.
pub const DIGEST_FORMAT: u32 = 1;

/// How a logged engine is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoggedOptions {
    /// The engine's.
    pub engine: Options,
    /// The log's.
    pub log: log::Options,
    /// Tells one chain from another; opening a log of another chain is refused.
    pub chain_id: [u8; 32],
    /// Whether receipts and write sets are kept in receipt segments. They can be rebuilt from the log at any time; who only
    /// needs them as batches execute saves their bytes.
    pub receipts: bool,
    /// Whether machine code is kept in the data directory.
    pub machine_code: MachineCode,
}

/// Whether a logged engine keeps the machine code of its modules in its data directory, under `code/`. Results never
/// depend on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MachineCode {
    /// It does, in a [`CodeCache`]: the next opening does not compile what this one did. It costs at most
    /// [`CODE_CACHE_BYTES_MAX`](crate::limits::CODE_CACHE_BYTES_MAX) of disk.
    #[default]
    OnDisk,
    /// It compiles every module once an opening.
    InMemory,
}

/// A failure of a logged engine.
#[derive(Debug, Error)]
pub enum LoggedError {
    /// The batch is refused, or the engine has stopped.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The log refused or failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Intact bytes execute to something other than what was logged.
    #[error("height {height} executes to another {what}: logged {}, now {}", hex(logged), hex(now))]
    Diverged {
        /// The first such height.
        height: u64,
        /// What differs.
        what: &'static str,
        /// As the log has it.
        logged: Digest,
        /// As it is now.
        now: Digest,
    },
    /// The log changes to rules that this engine does not know.
    #[error("from height {height} on the log has rules of version {version}, this engine knows {PROTOCOL_VERSION}")]
    Unknown {
        /// The first such height.
        height: u64,
        /// The rules' version.
        version: u32,
    },
    /// A batch that is in the log is refused now.
    #[error("the logged batch of height {height} is refused: {source}")]
    Replay {
        /// The height.
        height: u64,
        /// Why.
        source: EngineError,
    },
}

fn hex(digest: &Digest) -> String {
    digest.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// An engine whose batches are logged.
pub struct LoggedEngine {
    engine: Engine,
    /// Before the log, whose end frees the directory for others.
    receipts: Option<ReceiptKeeper>,
    log: Log,
    /// Held while a height is logged and executed: heights must not overtake each other.
    turn: Mutex<Turn>,
}

/// What is known when it is a height's turn.
#[derive(Default)]
struct Turn {
    /// What failed; then nothing goes on.
    failed: Option<String>,
    /// Heights that were executed, in order, whose seals are not in the log yet: their digests may still be on their way.
    unsealed: VecDeque<(u64, Arc<Pending>)>,
}

impl LoggedEngine {
    /// Opens a data directory, or begins it, and replays its log.
    ///
    /// # Errors
    /// [`LoggedError::Log`] if the log is damaged, of another chain, or held by another process;
    /// [`LoggedError::Diverged`] if a height executes to another digest than it did.
    pub fn open(
        fs: Arc<dyn FileSystem>,
        directory: &Path,
        options: LoggedOptions,
    ) -> Result<(LoggedEngine, Opened), LoggedError> {
        Self::open_observed(fs, directory, options, &mut |_, _| {})
    }

    /// The same; `observe` sees every batch that the log still holds, with what it executed to, in order. What an embedder
    /// derives from batches it so rebuilds in the pass that rebuilds the state.
    ///
    /// # Errors
    /// Those of [`LoggedEngine::open`].
    pub fn open_observed(
        fs: Arc<dyn FileSystem>,
        directory: &Path,
        options: LoggedOptions,
        observe: &mut dyn FnMut(&Batch, &Executed),
    ) -> Result<(LoggedEngine, Opened), LoggedError> {
        let genesis =
            Genesis { chain_id: options.chain_id, protocol_version: PROTOCOL_VERSION, digest_format: DIGEST_FORMAT };
        let (log, opened) = Log::open(Arc::clone(&fs), directory, genesis, options.log)?;
        let receipts =
            options.receipts.then(|| ReceiptSegments::open(Arc::clone(&fs), directory, SEGMENT_BYTES)).transpose()?;
        let receipts = match receipts {
            None => None,
            Some((segments, found)) => {
                // Derived, so what is broken or ahead of the log is dropped and made again.
                let intact_to = found.damage.iter().map(|damage| damage.height).min();
                segments.truncate_from(intact_to.unwrap_or(u64::MAX).min(opened.last_input + 1))?;
                Some(ReceiptKeeper::start(segments))
            }
        };
        let code_cache = match options.machine_code {
            MachineCode::OnDisk => CodeCache::open(Arc::clone(&fs), &directory.join(layout::CODE)),
            MachineCode::InMemory => CodeCache::none(),
        };
        let engine = Engine::with_code_cache(options.engine, code_cache);
        let logged = LoggedEngine { engine, log, receipts, turn: Mutex::default() };
        logged.replay(&fs, directory, observe)?;
        Ok((logged, opened))
    }

    fn replay(
        &self,
        fs: &Arc<dyn FileSystem>,
        directory: &Path,
        observe: &mut dyn FnMut(&Batch, &Executed),
    ) -> Result<(), LoggedError> {
        let mut unsealed = VecDeque::new();
        for located in LogReader::new(Arc::clone(fs), directory).records(0)? {
            match located?.record {
                Record::Input(input) => {
                    let height = input.height;
                    let refused = |source| LoggedError::Replay { height, source };
                    let (batch, clock) = self.engine.decode(input.batch).map_err(refused)?;
                    let executed = self.engine.execute(&batch, clock).and_then(|executed| self.engine.commit(executed));
                    let executed = executed.map_err(refused)?;
                    observe(&batch, &executed);
                    self.keep_receipts(&executed)?;
                    unsealed.push_back(seal_of(&executed));
                }
                record => check_record(&record, &mut unsealed)?,
            }
        }
        if let Some(keeper) = &self.receipts {
            keeper.segments(u64::MAX)?;
        }
        // A crash may leave inputs without their seals; what they execute to is sealed now.
        unsealed.into_iter().try_for_each(|seal| Ok(self.log.append_seal(seal)?))
    }

    /// Logs, executes and commits a batch for the next height. It is executed when this returns, and durable when
    /// [`LoggedEngine::wait_durable`] says so.
    ///
    /// # Errors
    /// [`LoggedError::Engine`] with a refused batch changes nothing and logs nothing. After any other failure nothing goes on.
    pub fn execute(&self, bytes: impl Into<BatchBytes>) -> Result<Executed, LoggedError> {
        self.execute_next(bytes.into(), Beside::default())
    }

    /// The same, with what is known of the keys that its calls will touch, as [`Engine::execute_declared`] takes it. Access lists are not
    /// part of the batch, so they are not logged.
    ///
    /// # Errors
    /// Those of [`LoggedEngine::execute`].
    pub fn execute_declared(&self, bytes: impl Into<BatchBytes>, lists: &AccessLists) -> Result<Executed, LoggedError> {
        self.execute_next(bytes.into(), Beside { lists: Some(lists), ..Beside::default() })
    }

    /// The same; before it `tries` is lent the state before the batch, as by [`Engine::try_calls`], when the batch has been handed to
    /// the log. So calls that wait to be tried cost no waking of a worker beside the batch's, and its sync runs meanwhile. Of a refused
    /// batch nothing is lent.
    ///
    /// # Errors
    /// Those of [`LoggedEngine::execute`].
    pub fn execute_behind(
        &self,
        bytes: impl Into<BatchBytes>,
        mut tries: impl FnMut(&mut Trial<'_>) + Send,
    ) -> Result<Executed, LoggedError> {
        self.execute_next(bytes.into(), Beside { tries: Some(&mut tries), ..Beside::default() })
    }

    fn execute_next(&self, bytes: BatchBytes, beside: Beside<'_, '_>) -> Result<Executed, LoggedError> {
        let mut turn = self.turn.lock();
        // What the engine itself says comes first: it says it with its type.
        self.engine.may_go_on()?;
        if let Some(why) = &turn.failed {
            return Err(EngineError::Stopped(why.clone()).into());
        }
        self.receipts.as_ref().map_or(Ok(()), ReceiptKeeper::may_go_on)?;
        let (batch, clock) = self.engine.decode(bytes)?;
        let done = self.log_and_execute(&batch, clock, beside, &mut turn.unsealed);
        // The input is in the log: whatever failed after that, going on would log the next one behind a gap.
        if let Err(error) = &done
            && !matches!(error, LoggedError::Log(LogError::Stopped(_)))
        {
            turn.failed = Some(error.to_string());
        }
        done
    }

    fn log_and_execute(
        &self,
        batch: &Batch,
        clock: StageClock,
        beside: Beside<'_, '_>,
        unsealed: &mut VecDeque<(u64, Arc<Pending>)>,
    ) -> Result<Executed, LoggedError> {
        self.log.append_input(batch.height(), 0, batch.bytes().shared())?;
        let executed = self.engine.execute_beside(batch, clock, beside)?;
        // Before anybody sees the height: whose receipts are asked for then is waited for.
        self.keep_receipts(&executed)?;
        let executed = self.engine.commit(executed)?;
        unsealed.push_back((executed.height(), Arc::clone(executed.pending())));
        self.append_seals(unsealed, |pending| pending.is_done())?;
        Ok(executed)
    }

    /// Appends the seals of heights in order, as long as `may` says so of the next one's end; waits for it then. A seal may
    /// come later than its height is durable: what has no seal is executed and sealed when the log is opened.
    fn append_seals(
        &self,
        unsealed: &mut VecDeque<(u64, Arc<Pending>)>,
        may: impl Fn(&Pending) -> bool,
    ) -> Result<(), LogError> {
        while let Some((height, pending)) = unsealed.front()
            && may(pending)
        {
            let finished = pending.wait();
            self.log.append_seal(seal(*height, &finished.roots, finished.digest))?;
            unsealed.pop_front();
        }
        Ok(())
    }

    fn keep_receipts(&self, executed: &Executed) -> Result<(), LogError> {
        let Some(keeper) = &self.receipts else { return Ok(()) };
        keeper.keep(executed.height(), Arc::clone(executed.pending()))
    }

    /// Waits until a height is as durable as the log's options make it.
    ///
    /// # Errors
    /// [`LogError::Stopped`] if a write or sync failed.
    pub fn wait_durable(&self, height: u64) -> Result<(), LogError> {
        self.log.wait_durable(height)
    }

    /// Last height that is durable in that sense.
    pub fn durable_height(&self) -> u64 {
        self.log.durable_height()
    }

    /// Encoded receipts and write set of a height, as [`Receipts::new`](crate::Receipts::new) and
    /// [`WriteSet::new`](crate::WriteSet::new) read them; `None` if they are not kept. Those of a height that has just been
    /// executed are waited for.
    ///
    /// # Errors
    /// [`LogError::Damaged`], [`LogError::Io`]; [`LogError::Stopped`] if they could not be kept.
    pub fn receipts(&self, height: u64) -> Result<Option<ReceiptsAndWrites>, LogError> {
        self.receipts.as_ref().map_or(Ok(None), |keeper| keeper.segments(height)?.receipts(height))
    }

    /// First and last height whose receipts are kept, damage and gaps between them apart. The last heights that were
    /// executed may be missing, as receipts are kept behind execution.
    pub fn receipt_heights(&self) -> Option<RangeInclusive<u64>> {
        self.receipts.as_ref()?.heights()
    }

    /// The engine, for reading.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Syncs what is left and closes the log cleanly.
    ///
    /// # Errors
    /// [`LogError`] if that, or an earlier write, failed.
    pub fn close(mut self) -> Result<(), LogError> {
        if let Some(keeper) = self.receipts.take() {
            keeper.close()?;
        }
        self.append_seals(&mut self.turn.lock().unsealed, |_| true)?;
        self.log.close()
    }
}

fn replay_input(engine: &Engine, height: u64, batch: impl Into<BatchBytes>) -> Result<Executed, LoggedError> {
    engine
        .execute_batch(batch)
        .and_then(|executed| engine.commit(executed))
        .map_err(|source| LoggedError::Replay { height, source })
}

fn seal_of(executed: &Executed) -> Seal {
    seal(executed.height(), executed.roots(), executed.digest())
}

fn seal(height: u64, roots: &Roots, digest: Digest) -> Seal {
    Seal { height, receipts_root: roots.receipts, writes_root: roots.writes, digest }
}

/// What a record other than an Input says of the heights executed so far.
fn check_record(record: &Record, unsealed: &mut VecDeque<Seal>) -> Result<(), LoggedError> {
    match record {
        Record::Seal(seal) => unsealed.pop_front().map_or(Ok(()), |now| compare(&now, seal)),
        Record::Protocol { height, version } => Err(LoggedError::Unknown { height: *height, version: *version }),
        Record::Input(_) | Record::Genesis(_) | Record::Close => Ok(()),
    }
}

fn compare(now: &Seal, seal: &Seal) -> Result<(), LoggedError> {
    let pairs = [
        ("receipts root", seal.receipts_root, now.receipts_root),
        ("writes root", seal.writes_root, now.writes_root),
        ("digest", seal.digest, now.digest),
    ];
    match pairs.into_iter().find(|(_, logged, now)| logged != now) {
        None => Ok(()),
        Some((what, logged, now)) => Err(LoggedError::Diverged { height: seal.height, what, logged, now }),
    }
}

/// What [`verify_log`] found.
#[derive(Clone, Debug)]
pub struct VerifiedLog {
    /// Last height that was executed; 0 without one.
    pub height: u64,
    /// Its digest.
    pub digest: Digest,
    /// Root of the state after it.
    pub state_digest: Digest,
    /// Heights whose receipts and write sets were compared.
    pub receipts: u64,
    /// A tail that opening would cut.
    pub tail: Option<Cut>,
}

/// Checks every byte of a data directory's log and receipt segments, executes every batch again and compares every digest,
/// receipt and write set. Changes nothing; machine code that the directory has for its modules is taken, if it is ours
/// ([`CodeCache::read`]). `progress` is told each height.
///
/// # Errors
/// [`LogError::Damaged`] names file, offset and height. [`LoggedError::Diverged`]: intact bytes that execute to something else.
pub fn verify_log(
    fs: Arc<dyn FileSystem>,
    directory: &Path,
    options: Options,
    progress: &mut dyn FnMut(u64),
) -> Result<VerifiedLog, LoggedError> {
    let checked = log::verify(Arc::clone(&fs), directory)?;
    if let Some(genesis) = checked.genesis
        && (genesis.protocol_version, genesis.digest_format) != (PROTOCOL_VERSION, DIGEST_FORMAT)
    {
        return Err(LoggedError::Unknown { height: 1, version: genesis.protocol_version });
    }
    let segments = ReceiptSegments::read(Arc::clone(&fs), directory, checked.closed)?;
    let code_cache = CodeCache::read(Arc::clone(&fs), &directory.join(layout::CODE));
    let engine = Engine::with_code_cache(options, code_cache);
    let mut compared = 0;
    let mut unsealed = VecDeque::new();
    for located in LogReader::new(Arc::clone(&fs), directory).records(0)? {
        match located?.record {
            Record::Input(input) => {
                let executed = replay_input(&engine, input.height, input.batch)?;
                compared += u64::from(compare_receipts(&segments, &executed)?);
                progress(input.height);
                unsealed.push_back(seal_of(&executed));
            }
            record => check_record(&record, &mut unsealed)?,
        }
    }
    engine.wait_checked()?;
    Ok(VerifiedLog {
        height: engine.height(),
        digest: engine.digest(),
        state_digest: engine.state_digest(),
        receipts: compared,
        tail: checked.tail,
    })
}

/// Whether the height is kept; an error if what is kept differs.
fn compare_receipts(segments: &ReceiptSegments, executed: &Executed) -> Result<bool, LoggedError> {
    let Some(kept) = segments.receipts(executed.height())? else { return Ok(false) };
    let pairs = [
        ("kept receipts", kept.0.as_slice(), &*executed.receipts().bytes()),
        ("kept write set", kept.1.as_slice(), &*executed.write_set().bytes()),
    ];
    match pairs.into_iter().find(|(_, kept, now)| kept != now) {
        None => Ok(true),
        Some((what, kept, now)) => Err(LoggedError::Diverged {
            height: executed.height(),
            what,
            logged: *blake3::hash(kept).as_bytes(),
            now: *blake3::hash(now).as_bytes(),
        }),
    }
}
