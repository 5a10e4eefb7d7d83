//! The facade: what a ledger node embeds.

use crate::batch::{Address, Batch, BatchBytes, SYSTEM_CONTRACT};
use crate::deploy::{Change, MODULE_SLOT, module_key, record_key};
use crate::digest::{Digest, Roots, batch_digest, root};
use crate::error::{BatchError, EngineError};
use crate::execute::{BatchExecutor, Finished};
use crate::limits::CALL_WRITES_MAX;
use crate::receipt::Receipts;
use crate::registry::{DeployRecord, Registry, SYSTEM_INDEX};
use crate::stage::{Clock, Stage, StageClock, StageNanoseconds};
use crate::state_root::state_root;
use crate::threads;
use crate::wasm::{Code, CodeCache, CodeCacheStatistics, InstancePool};
use crate::write_set::{self, WriteSet};
use core::cmp::Ordering;
use parking_lot::Mutex;
use phalanx_scheduler::{CallIndex, ContractIndex, HashSeed, State, Write, execute_serial};
use rayon::ThreadPool;
use std::sync::Arc;

/// How an engine is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Key of the hash tables. Results never depend on it; tests fix it.
    pub hash_seed: HashSeed,
    /// Instances that the engine keeps for reuse. Each costs up to 16 MiB of memory and its share of address space; a
    /// call that finds none makes one, in about 20 µs. Results never depend on it.
    pub instances: usize,
    /// After every this many calls an instance's whole memory is compared with its image, and a difference stops the
    /// engine. 1 looks after every call and costs microseconds each; at the default it cannot be measured.
    pub pristine_check_calls: u64,
    /// A clock for [`Executed::stages`]. Without one, stages are not timed. Results never depend on it.
    pub clock: Option<Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Self { hash_seed: HashSeed::Random, instances: 250, pristine_check_calls: 1 << 16, clock: None }
    }
}

/// Executes batches and holds the state.
pub struct Engine {
    core: Mutex<Core>,
    buffers: Arc<Mutex<Vec<Buffers>>>,
    code_cache: Arc<CodeCache>,
    clock: Option<Clock>,
    workers: ThreadPool,
}

struct Core {
    /// Absent only while a batch executes, or for good after a fault.
    state: Option<Box<State>>,
    registry: Registry,
    pool: InstancePool,
    code_cache: Arc<CodeCache>,
    height: u64,
    time_ms: u64,
    digest: Digest,
    /// Number of the execution whose branch is open, counted up.
    execution: u64,
    branch_open: bool,
    stopped: Option<String>,
}

/// Largest buffers that are kept for the next batch: several times what an ordinary one fills.
const BUFFER_BYTES_KEPT: usize = 64 << 20;

/// Buffers of a batch that is done, for the next: fresh pages from the kernel cost more than filling them.
#[derive(Default)]
struct Buffers {
    receipts: Vec<u8>,
    writes: Vec<u8>,
}

/// An executed batch. Nothing of it is visible until it is committed; dropping it discards it.
pub struct Executed {
    height: u64,
    time_ms: u64,
    execution: u64,
    roots: Roots,
    digest: Digest,
    buffers: Buffers,
    home: Arc<Mutex<Vec<Buffers>>>,
    changes: Vec<Change>,
    explanations: Vec<(u32, String)>,
    stages: StageNanoseconds,
}

impl Drop for Executed {
    fn drop(&mut self) {
        let mut home = self.home.lock();
        // Two batches may be on their way at once; more, or ones that a batch has blown up, would only hold memory.
        let ordinary = self.buffers.receipts.capacity() + self.buffers.writes.capacity() <= BUFFER_BYTES_KEPT;
        if home.len() < 2 && ordinary {
            home.push(core::mem::take(&mut self.buffers));
        }
    }
}

impl Executed {
    /// The batch's height.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// Digest of the height.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The roots that the digest is made of.
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// The receipts, in the order of the calls.
    pub fn receipts(&self) -> Receipts<'_> {
        Receipts::new(&self.buffers.receipts)
    }

    /// The last write of each key.
    pub fn write_set(&self) -> WriteSet<'_> {
        WriteSet::new(&self.buffers.writes)
    }

    /// Texts beside receipts, by call index: what a contract said when it aborted, why a module was refused. They are for
    /// the caller's eyes and not part of any digest.
    pub fn explanations(&self) -> &[(u32, String)] {
        &self.explanations
    }

    /// Time by stage, if [`Options::clock`] is set; the commit's is in [`Engine::commit`]'s answer.
    pub fn stages(&self) -> &StageNanoseconds {
        &self.stages
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new(Options::default())
    }
}

impl Engine {
    /// An engine with an empty state, at height 0. It compiles every module, and keeps machine code in memory alone.
    pub fn new(options: Options) -> Self {
        Self::with_code_cache(options, CodeCache::none())
    }

    /// The same, with machine code in files. Results never depend on them.
    pub fn with_code_cache(options: Options, code_cache: CodeCache) -> Self {
        let code_cache = Arc::new(code_cache);
        Self {
            core: Mutex::new(Core {
                state: Some(Box::new(State::new(options.hash_seed, CALL_WRITES_MAX))),
                registry: Registry::new(),
                pool: InstancePool::new(options.instances.max(1), options.pristine_check_calls.max(1)),
                code_cache: Arc::clone(&code_cache),
                height: 0,
                time_ms: 0,
                digest: Digest::default(),
                execution: 0,
                branch_open: false,
                stopped: None,
            }),
            buffers: Arc::default(),
            code_cache,
            clock: options.clock,
            workers: threads::pool(1),
        }
    }

    /// Executes a batch for the next height. Nothing changes until the result is committed; an earlier result that was not
    /// committed is discarded.
    ///
    /// # Errors
    /// [`EngineError::Batch`]: the batch is refused whole. [`EngineError::Stopped`]: a fault of ours; the engine refuses
    /// everything from then on.
    pub fn execute_batch(&self, bytes: impl Into<BatchBytes>) -> Result<Executed, EngineError> {
        let (batch, clock) = self.decode(bytes)?;
        self.execute(&batch, clock)
    }

    /// Decodes a batch on the clock of its stages, and checks that it comes next.
    pub(crate) fn decode(&self, bytes: impl Into<BatchBytes>) -> Result<(Batch, StageClock), EngineError> {
        let mut clock = StageClock::start(self.clock);
        let batch = Batch::decode(bytes)?;
        self.core.lock().check(&batch)?;
        clock.lap(Stage::Decode);
        Ok((batch, clock))
    }

    /// Executes a decoded batch. What passed on the clock since then is nobody's stage.
    pub(crate) fn execute(&self, batch: &Batch, mut clock: StageClock) -> Result<Executed, EngineError> {
        let mut core = self.core.lock();
        core.check(batch)?;
        core.discard();
        let buffers = self.buffers.lock().pop().unwrap_or_default();
        clock.skip();
        // Taken back below; if the batch unwinds instead of ending, the state is gone and nothing goes on.
        core.stopped = Some("a batch did not end".into());
        let running = &mut *core;
        let executed = self.workers.install(|| running.execute(batch, buffers, clock, &self.buffers));
        core.stopped = match &executed {
            Err(EngineError::Stopped(fault)) => Some(fault.clone()),
            _ => None,
        };
        executed
    }

    /// Makes an executed batch the state.
    ///
    /// # Errors
    /// [`EngineError::Stale`] if `executed` is not what was executed last.
    pub fn commit(&self, executed: Executed) -> Result<Executed, EngineError> {
        let mut executed = executed;
        let mut clock = StageClock::start(self.clock);
        let mut core = self.core.lock();
        if let Some(fault) = &core.stopped {
            return Err(EngineError::Stopped(fault.clone()));
        }
        let ours = Arc::ptr_eq(&executed.home, &self.buffers) && core.execution == executed.execution;
        if !core.branch_open || !ours || core.height + 1 != executed.height {
            return Err(EngineError::Stale(executed.height));
        }
        core.state.as_mut().expect("no batch executes").commit();
        core.branch_open = false;
        for change in &executed.changes {
            core.registry.put(change.id, &change.record);
        }
        core.height = executed.height;
        core.time_ms = executed.time_ms;
        core.digest = executed.digest;
        clock.lap(Stage::Commit);
        executed.stages.add(&clock.spent());
        Ok(executed)
    }

    /// Height of the last committed batch; 0 before the first.
    pub fn height(&self) -> u64 {
        self.core.lock().height
    }

    /// Digest of the last committed height; zeros before the first.
    pub fn digest(&self) -> Digest {
        self.core.lock().digest
    }

    /// Time of the last committed batch in milliseconds.
    pub fn time_ms(&self) -> u64 {
        self.core.lock().time_ms
    }

    /// How often machine code was found in files, and how often it was compiled.
    pub fn code_cache_statistics(&self) -> CodeCacheStatistics {
        self.code_cache.statistics()
    }

    /// The committed value of a key.
    pub fn get(&self, contract: &Address, key: &[u8]) -> Option<Vec<u8>> {
        if key.is_empty() || key.len() > crate::limits::KEY_BYTES_MAX {
            return None;
        }
        let core = self.core.lock();
        let (index, ordered) = if *contract == SYSTEM_CONTRACT {
            (SYSTEM_INDEX, false)
        } else {
            let contract = core.registry.contract(contract)?;
            (contract.index, contract.ordered.contains(key[0]))
        };
        core.state.as_ref()?.committed(index, key, ordered).map(<[u8]>::to_vec)
    }

    /// The module of a deployed contract, as it was deployed or last upgraded.
    pub fn module(&self, contract: &Address) -> Option<Vec<u8>> {
        let record = self.get(&SYSTEM_CONTRACT, &record_key(contract))?;
        self.get(&SYSTEM_CONTRACT, &module_key(&DeployRecord::decode(&record)?.code_hash))
    }

    /// Entries of the committed state, deploy records and modules included.
    pub fn entries(&self) -> usize {
        self.core.lock().state.as_ref().map_or(0, |state| state.entries().count())
    }

    /// Root of the whole committed state. Sorts all of it: seconds for millions of keys.
    pub fn state_digest(&self) -> Digest {
        let core = self.core.lock();
        let entries = core.state.iter().flat_map(|state| state.entries());
        state_root(entries.map(|entry| (core.registry.id(entry.contract), entry.key, entry.value.unwrap_or_default())))
    }
}

impl Core {
    fn check(&self, batch: &Batch) -> Result<(), EngineError> {
        if let Some(fault) = &self.stopped {
            return Err(EngineError::Stopped(fault.clone()));
        }
        if batch.height() != self.height + 1 {
            return Err(BatchError::WrongHeight { actual: batch.height(), expected: self.height + 1 }.into());
        }
        if batch.time_ms() < self.time_ms {
            return Err(BatchError::TimeRunsBack { actual: batch.time_ms(), previous: self.time_ms }.into());
        }
        Ok(())
    }

    /// Drops the branch of an execution that was not committed.
    fn discard(&mut self) {
        if self.branch_open {
            self.state.as_mut().expect("no batch executes").discard();
            self.branch_open = false;
        }
    }

    fn execute(
        &mut self,
        batch: &Batch,
        mut buffers: Buffers,
        clock: StageClock,
        home: &Arc<Mutex<Vec<Buffers>>>,
    ) -> Result<Executed, EngineError> {
        buffers.receipts.clear();
        buffers.writes.clear();
        let mut executor = BatchExecutor::new(batch, &self.registry, &mut self.pool, buffers.receipts, clock);
        let state = self.state.take().expect("no batch executes");
        let state = execute_serial(&mut executor, state, batch.len() as u32);
        let Finished { receipts, mut runs, changes, explanations, mut clock, fault } = executor.finish();
        buffers.receipts = receipts;
        self.execution += 1;
        self.branch_open = true;
        let mut writes = write_runs(&state, batch, &self.registry, &mut buffers.writes, &mut clock);
        self.state = Some(state);
        if let Some(fault) = fault {
            return Err(EngineError::Stopped(fault));
        }
        self.compile(&changes)?;
        let roots = Roots {
            input: root(batch.head(), &mut runs.inputs),
            receipts: root(&[], &mut runs.receipts),
            writes: root(&[], &mut writes),
        };
        let digest = batch_digest(batch.height(), &self.digest, &roots);
        clock.lap(Stage::Digest);
        Ok(Executed {
            height: batch.height(),
            time_ms: batch.time_ms(),
            execution: self.execution,
            roots,
            digest,
            buffers,
            home: Arc::clone(home),
            changes,
            explanations,
            stages: clock.spent(),
        })
    }

    /// Machine code is made after the batch's calls.
    fn compile(&mut self, changes: &[Change]) -> Result<(), EngineError> {
        for change in changes {
            if let Some(prepared) = &change.prepared
                && !self.registry.has_code(&change.record.code_hash)
            {
                let hash = change.record.code_hash;
                let code = Code::new(hash, prepared, &self.code_cache).map_err(EngineError::Stopped)?;
                self.registry.add_code(hash, code);
            }
        }
        Ok(())
    }
}

/// Encodes the write set run by run, and hashes each run while it is in the cache.
fn write_runs(
    state: &State,
    batch: &Batch,
    registry: &Registry,
    buffer: &mut Vec<u8>,
    clock: &mut StageClock,
) -> Vec<Digest> {
    let mut leaves = Vec::with_capacity(batch.len() / 256 + 1);
    let mut scratch = Vec::new();
    let mut of_call: Vec<Write<'_>> = Vec::new();
    // Contracts by number: one comparison where ids would be 32 bytes.
    let called: Vec<Option<ContractIndex>> =
        batch.targets.iter().map(|target| registry.index(&target.contract)).collect();
    let (mut run_start, mut oversize) = (0, false);
    for call in 0..batch.len() {
        of_call.clear();
        for write in state.last_writes(CallIndex(call as u32)) {
            of_call.push(write);
        }
        let before = |a: &Write<'_>, b: &Write<'_>| match a.contract == b.contract {
            true => a.key.cmp(b.key),
            false => registry.id(a.contract).cmp(registry.id(b.contract)),
        };
        match &mut of_call[..] {
            [] | [_] => {}
            [first, second] => {
                if before(first, second) == Ordering::Greater {
                    core::mem::swap(first, second);
                }
            }
            writes => writes.sort_unstable_by(before),
        }
        let called = called[batch.call(call).target()];
        for write in &of_call {
            let other = called != Some(write.contract);
            oversize |= write_set::push(
                buffer,
                &write_set::Item {
                    call: call as u32,
                    contract: other.then(|| registry.id(write.contract)),
                    key: write.key,
                    value: write.value,
                    module: write.contract == SYSTEM_INDEX && write.key[0] == MODULE_SLOT,
                },
            );
        }
        if (call + 1) % phalanx_scheduler::RUN_CALLS as usize == 0 || call + 1 == batch.len() {
            clock.lap(Stage::Receipts);
            let run = &buffer[run_start..];
            if oversize {
                write_set::shorten(run, &mut scratch);
            }
            leaves.push(crate::digest::leaf(if oversize { &scratch } else { run }));
            (run_start, oversize) = (buffer.len(), false);
            clock.lap(Stage::Digest);
        }
    }
    leaves
}
