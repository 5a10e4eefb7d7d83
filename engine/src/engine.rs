//! The facade: what a ledger node embeds.

use crate::access_lists::AccessLists;
use crate::batch::{Address, Batch, BatchBytes, SYSTEM_CONTRACT};
use crate::conflicts::Conflicts;
use crate::deploy::{Change, module_key, record_key};
use crate::digest::{Digest, Roots};
use crate::equivalence::{Committed, EquivalenceCheck, EquivalenceStatistics, LiveCheck};
use crate::error::EngineError;
use crate::execute::{BatchContext, BatchExecutor};
use crate::finish::{Finisher, Home, Pending, Rest};
use crate::limits::CALL_WRITES_MAX;
use crate::mode::{Chooser, Mode, ModeChosen};
use crate::receipt::Receipts;
use crate::registry::{DeployRecord, Registry, SYSTEM_INDEX};
use crate::stage::{Clock, Stage, StageClock, StageNanoseconds};
use crate::state_root::state_root;
use crate::threads;
use crate::trial::{Trial, Tries};
use crate::wasm::{CodeCache, CodeCacheStatistics, Compiler, CompilerCommand, CompilerStatistics, InstancePool};
use crate::write_set::WriteSet;
use parking_lot::Mutex;
use phalanx_scheduler::{HashSeed, State, Statistics, Team, Watched};
use std::collections::VecDeque;
use std::sync::Arc;

/// How an engine is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Key of the hash tables. Results never depend on it; tests fix it.
    pub hash_seed: HashSeed,
    /// Threads that execute calls, at least 1. Each keeps instances of its own. Results never depend on it.
    pub workers: usize,
    /// How batches are spread over the workers. Results never depend on it.
    pub mode: Mode,
    /// Whether other threads of the process need about a core while batches come in, as a server's do. [`Mode::Auto`] with two workers
    /// executes short calls in order, with the hashing on the other core, and then takes longer ones for short. Results never depend on it.
    pub shares_cores: bool,
    /// Instances that the engine keeps for reuse, over all workers: one a code and worker is enough. Each costs the memory that
    /// its calls have touched, 16 MiB at most, and address space, of which a process has enough for 2,000: engines that share one
    /// share those. Contracts that others call have as many again. A call that finds none makes one, in about 20 µs. Results never depend on it.
    pub instances: usize,
    /// After every this many calls an instance's whole memory is compared with its image, and a difference stops the
    /// engine. 1 looks after every call and costs microseconds each; at the default it cannot be measured.
    pub pristine_check_calls: u64,
    /// A clock for [`Executed::stages`]. Without one, stages are not timed. Results never depend on it.
    pub clock: Option<Clock>,
    /// Whether [`Executed::conflicts`] are gathered. It costs a pass over the records of each round of calls that had dirty
    /// ones, after they were executed, and nothing on a call's own way. Results never depend on it.
    pub explain: bool,
    /// Executes a share of the committed batches once more, by the oracle, beside the engine, and stops it at the first
    /// difference with [`EngineError::NotSerial`]. It costs the whole state once more, in a `BTreeMap`, and a core. Where that core does
    /// not keep up, [`Engine::commit`] waits for it. What still waits when the engine is dropped is not checked:
    /// [`Engine::wait_checked`] comes first. Results never depend on it. None by default.
    pub equivalence: Option<EquivalenceCheck>,
    /// Compiles modules in two steps, in processes that this command starts: quickly, before the batch that brings them returns, and once
    /// more behind the calls, with all optimisations. For an engine that strangers deploy on: what makes a compiler slow, large or crash then
    /// holds up nobody else, but the live check of [`Options::equivalence`], which compiles for itself. Without it modules are compiled in
    /// this process, optimised at once. Results never depend on it.
    pub compiler: Option<CompilerCommand>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hash_seed: HashSeed::Random,
            workers: 1,
            mode: Mode::Auto,
            shares_cores: false,
            instances: 1_000,
            pristine_check_calls: 1 << 16,
            clock: None,
            explain: false,
            equivalence: None,
            compiler: None,
        }
    }
}

/// Executes batches and holds the state.
pub struct Engine {
    core: Mutex<Core>,
    home: Arc<Home>,
    compiler: Arc<Compiler>,
    watched: Watched,
    team: Team,
    finisher: Option<Finisher>,
    live_check: Option<LiveCheck>,
}

struct Core {
    /// Absent only while a batch executes, or for good after a fault.
    state: Option<Box<State>>,
    /// Shared with a batch's workers while it executes.
    registry: Arc<Registry>,
    /// A pool a worker.
    pools: Vec<InstancePool>,
    chooser: Chooser,
    compiler: Arc<Compiler>,
    /// Numbers of the codes whose machine code may still be changed for better.
    unsettled: Vec<usize>,
    height: u64,
    time_ms: u64,
    /// The last committed batch; `None` before the first.
    last: Option<Arc<Pending>>,
    /// Batches that may still be on their way.
    unfinished: VecDeque<Arc<Pending>>,
    /// Number of the execution whose branch is open, counted up.
    execution: u64,
    branch_open: bool,
    stopped: Option<String>,
}

/// What comes with a batch and never shows in its result.
#[derive(Default)]
pub(crate) struct Beside<'a, 't> {
    /// Is lent the state before the batch.
    pub(crate) tries: Option<&'a mut Tries<'t>>,
    /// What is known of the keys that its calls touch.
    pub(crate) lists: Option<&'a AccessLists>,
}

/// An executed batch. Nothing of it is visible until it is committed; dropping it discards it.
pub struct Executed {
    height: u64,
    time_ms: u64,
    execution: u64,
    /// For the live check, if there is one.
    batch: Option<Batch>,
    /// Roots, digest, receipts and writes, which may still be on their way.
    pending: Arc<Pending>,
    home: Arc<Home>,
    changes: Vec<Change>,
    explanations: Vec<(u32, String)>,
    stages: StageNanoseconds,
    mode: ModeChosen,
    statistics: Statistics,
    conflicts: Option<Conflicts>,
}

impl Executed {
    /// The batch's height.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// Digest of the height. It may still be computed while the next batch executes; then this waits for it, as the other
    /// results do.
    pub fn digest(&self) -> Digest {
        self.pending.wait().digest
    }

    /// The roots that the digest is made of.
    pub fn roots(&self) -> &Roots {
        &self.pending.wait().roots
    }

    /// The receipts, in the order of the calls.
    pub fn receipts(&self) -> Receipts<'_> {
        Receipts::of_pieces(&self.pending.wait().receipts)
    }

    /// The last write of each key.
    pub fn write_set(&self) -> WriteSet<'_> {
        WriteSet::of_pieces(&self.pending.wait().writes)
    }

    /// Texts beside receipts, by call index: what a contract said when it aborted, why a module was refused, which limit was
    /// passed, what gas limit a method takes to be entered. They are for the caller's eyes and not part of any digest.
    pub fn explanations(&self) -> &[(u32, String)] {
        &self.explanations
    }

    /// How the batch was executed, and why so.
    pub fn mode(&self) -> ModeChosen {
        self.mode
    }

    /// What happened while it was executed in parallel. Not a result: it depends on timing and workers.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// What calls of it conflicted on, if [`Options::explain`] is set. Not a result either.
    pub fn conflicts(&self) -> Option<&Conflicts> {
        self.conflicts.as_ref()
    }

    /// Time by stage summed over workers, if [`Options::clock`] is set; the commit's is in [`Engine::commit`]'s answer.
    pub fn stages(&self) -> StageNanoseconds {
        let mut stages = self.stages;
        stages.add(&self.pending.wait().stages);
        stages
    }

    pub(crate) fn pending(&self) -> &Arc<Pending> {
        &self.pending
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
        let compiler = Arc::new(Compiler::new(code_cache, options.compiler));
        let workers = options.workers.max(1);
        let instances = (options.instances / workers).max(1);
        Self {
            core: Mutex::new(Core {
                state: Some(Box::new(State::new(options.hash_seed, CALL_WRITES_MAX))),
                registry: Arc::new(Registry::new()),
                pools: (0..workers)
                    .map(|_| InstancePool::new(instances, options.pristine_check_calls.max(1)))
                    .collect(),
                chooser: Chooser::new(options.mode, workers, options.shares_cores),
                compiler: Arc::clone(&compiler),
                unsettled: Vec::new(),
                height: 0,
                time_ms: 0,
                last: None,
                unfinished: VecDeque::new(),
                execution: 0,
                branch_open: false,
                stopped: None,
            }),
            home: Arc::default(),
            // With one worker there is nobody to hand anything to.
            finisher: (workers > 1).then(|| Finisher::start(options.clock)),
            compiler,
            watched: Watched { clock: options.clock, conflicts: options.explain },
            team: Team::new(threads::pool(workers)),
            live_check: options.equivalence.map(|check| LiveCheck::start(check, options)),
        }
    }

    /// Executes a batch for the next height. Nothing changes until the result is committed; an earlier result that was not
    /// committed is discarded.
    ///
    /// # Errors
    /// [`EngineError::Batch`]: the batch is refused whole. [`EngineError::Stopped`]: a fault of ours; the engine refuses
    /// everything from then on. [`EngineError::NotSerial`]: a fault of ours that the live check found in an earlier batch; the same.
    pub fn execute_batch(&self, bytes: impl Into<BatchBytes>) -> Result<Executed, EngineError> {
        let (batch, clock) = self.decode(bytes)?;
        self.execute(&batch, clock)
    }

    /// The same, with what is known of the keys that its calls will touch, which is used where the mode is [`Mode::Hinted`]: calls of the
    /// same keys execute one after another, others beside them. Of calls without a list what was learned of their methods is used.
    ///
    /// # Errors
    /// Those of [`Engine::execute_batch`].
    pub fn execute_declared(&self, bytes: impl Into<BatchBytes>, lists: &AccessLists) -> Result<Executed, EngineError> {
        let (batch, clock) = self.decode(bytes)?;
        self.execute_beside(&batch, clock, Beside { lists: Some(lists), ..Beside::default() })
    }

    /// Lends the committed state to `body`, which tries calls on it: each sees the state as it is, and none leaves anything. An earlier
    /// result that was not committed is discarded. A turn costs the waking of a worker, so calls that wait together are tried
    /// together. While `body` runs nothing else is executed, and it must not ask this engine for anything.
    ///
    /// # Errors
    /// [`EngineError::Stopped`], [`EngineError::NotSerial`]: as of [`Engine::execute_batch`]; what `body` answered is lost.
    pub fn try_calls<R: Send>(&self, body: impl FnOnce(&mut Trial<'_>) -> R + Send) -> Result<R, EngineError> {
        self.may_go_on()?;
        let mut core = self.core.lock();
        core.may_go_on()?;
        core.discard();
        // Taken back below; if `body` unwinds, the state is gone and nothing goes on.
        core.stopped = Some("calls that were tried did not end".into());
        let running = &mut *core;
        let (answer, fault) = self.team.run(|| running.try_calls(&self.home, body));
        core.stopped = fault;
        core.may_go_on().map(|()| answer)
    }

    /// Decodes a batch on the clock of its stages, and checks that it comes next.
    pub(crate) fn decode(&self, bytes: impl Into<BatchBytes>) -> Result<(Batch, StageClock), EngineError> {
        self.may_go_on()?;
        let mut clock = StageClock::start(self.watched.clock);
        let batch = Batch::decode(bytes)?;
        self.core.lock().check(&batch)?;
        clock.lap(Stage::Decode);
        Ok((batch, clock))
    }

    /// Whether the live check has found nothing so far.
    pub(crate) fn may_go_on(&self) -> Result<(), EngineError> {
        self.live_check.as_ref().map_or(Ok(()), LiveCheck::may_go_on)
    }

    /// Executes a decoded batch. What passed on the clock since then is nobody's stage.
    pub(crate) fn execute(&self, batch: &Batch, clock: StageClock) -> Result<Executed, EngineError> {
        self.execute_beside(batch, clock, Beside::default())
    }

    /// The same, behind calls that are tried, as both wake the workers once, and with access lists.
    pub(crate) fn execute_beside(
        &self,
        batch: &Batch,
        mut clock: StageClock,
        beside: Beside<'_, '_>,
    ) -> Result<Executed, EngineError> {
        let Beside { tries, lists } = beside;
        let mut core = self.core.lock();
        core.check(batch)?;
        core.discard();
        clock.skip();
        // Taken back below; if the batch unwinds instead of ending, the state is gone and nothing goes on.
        core.stopped = Some("a batch did not end".into());
        let running = &mut *core;
        let executed = self.team.run(|| {
            let fault = tries.and_then(|tries| running.try_calls(&self.home, tries).1);
            clock.skip();
            fault.map_or_else(|| running.execute(batch, lists, clock, self), |fault| Err(EngineError::Stopped(fault)))
        });
        core.stopped = match &executed {
            Err(EngineError::Stopped(fault)) => Some(fault.clone()),
            _ => None,
        };
        executed
    }

    /// Makes an executed batch the state.
    ///
    /// # Errors
    /// [`EngineError::Stale`] if `executed` is not what was executed last. [`EngineError::NotSerial`] if the live check has found a
    /// difference in an earlier batch.
    pub fn commit(&self, executed: Executed) -> Result<Executed, EngineError> {
        let mut executed = executed;
        if let Some(check) = &self.live_check {
            // Not under the lock, so that readers don't wait with us.
            check.wait_for_room()?;
        }
        let mut clock = StageClock::start(self.watched.clock);
        let mut core = self.core.lock();
        core.may_go_on()?;
        let ours = Arc::ptr_eq(&executed.home, &self.home) && core.execution == executed.execution;
        if !core.branch_open || !ours || core.height + 1 != executed.height {
            return Err(EngineError::Stale(executed.height));
        }
        core.state.as_mut().expect("no batch executes").commit();
        core.branch_open = false;
        for change in &executed.changes {
            core.registry().put(change.id, &change.record);
        }
        core.height = executed.height;
        core.time_ms = executed.time_ms;
        core.last = Some(Arc::clone(&executed.pending));
        if let (Some(check), Some(batch)) = (&self.live_check, executed.batch.take()) {
            check.push(Committed { batch, pending: Arc::clone(&executed.pending), mode: executed.mode });
        }
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
        let last = self.core.lock().last.clone();
        last.map_or(Digest::default(), |last| last.wait().digest)
    }

    /// Time of the last committed batch in milliseconds.
    pub fn time_ms(&self) -> u64 {
        self.core.lock().time_ms
    }

    /// Waits until the live check is through with every committed batch. At once if there is none.
    ///
    /// # Errors
    /// [`EngineError::NotSerial`] if it has found a difference, [`EngineError::Stopped`] if it could not go on itself.
    pub fn wait_checked(&self) -> Result<(), EngineError> {
        self.live_check.as_ref().map_or(Ok(()), LiveCheck::wait_idle)
    }

    /// How far the live check is; `None` without [`Options::equivalence`].
    pub fn equivalence(&self) -> Option<EquivalenceStatistics> {
        self.live_check.as_ref().map(LiveCheck::statistics)
    }

    /// How often machine code was found in files, and how often it was compiled.
    pub fn code_cache_statistics(&self) -> CodeCacheStatistics {
        self.compiler.cache().statistics()
    }

    /// How modules were compiled; zeros without [`Options::compiler`].
    pub fn compiler_statistics(&self) -> CompilerStatistics {
        self.compiler.statistics()
    }

    /// Waits until every module is compiled as well as it will be. The next batch runs what came of it. At once without
    /// [`Options::compiler`].
    pub fn wait_compiled(&self) {
        self.compiler.wait_idle();
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
        self.may_go_on()?;
        Ok(batch.check_next(self.height, self.time_ms)?)
    }

    fn may_go_on(&self) -> Result<(), EngineError> {
        self.stopped.as_ref().map_or(Ok(()), |fault| Err(EngineError::Stopped(fault.clone())))
    }

    /// Drops the branch of an execution that was not committed.
    fn discard(&mut self) {
        if self.branch_open {
            self.state.as_mut().expect("no batch executes").discard();
            self.branch_open = false;
        }
    }

    /// To be changed between batches.
    fn registry(&mut self) -> &mut Registry {
        Arc::get_mut(&mut self.registry).expect("no batch executes")
    }

    fn execute(
        &mut self,
        batch: &Batch,
        lists: Option<&AccessLists>,
        mut stages: StageClock,
        engine: &Engine,
    ) -> Result<Executed, EngineError> {
        self.take_optimised();
        let mode = self.chooser.choose(batch.len());
        let context = BatchContext::new(batch, &self.registry, &engine.home).with_lists(lists);
        let finisher = engine.finisher.as_ref().filter(|_| mode.is_pipe());
        let executors = self.pools.iter_mut().map(|pool| BatchExecutor::new(&context, pool, finisher));
        let mut executors: Vec<_> = executors.collect();
        stages.lap(Stage::Decode);
        // One batch may be on its way while another executes; more would only hold memory.
        while self.unfinished.len() > 1 {
            if let Some(before) = self.unfinished.pop_front() {
                before.wait();
            }
        }
        let mut state = self.state.take().expect("no batch executes");
        engine.home.return_logs(&mut state);
        let (calls, how) = (batch.len() as u32, mode.scheduled);
        let done =
            phalanx_scheduler::execute(&engine.team, &mut executors, &context, state, calls, how, engine.watched);
        stages.skip();
        let fault = executors.iter_mut().find_map(|executor| executor.fault.take());
        let gas_used = executors.iter().map(|executor| executor.gas_used).sum();
        drop(executors);
        self.execution += 1;
        self.branch_open = true;
        self.state = Some(done.state);
        if let Some(fault) = fault {
            finisher.inspect(|finisher| finisher.void());
            return Err(EngineError::Stopped(fault));
        }
        self.chooser.note(&mode, done.next_round, gas_used, batch.len());
        let found = done.conflicts.as_ref();
        let conflicts = found.map(|found| Conflicts::of_batch(found, &done.statistics, batch, &self.registry));
        let (mut runs, mut changes, mut explanations) = (done.runs, Vec::new(), Vec::new());
        for run in &mut runs {
            changes.extend(run.changes.drain(..).map(|(_, change)| change));
            explanations.append(&mut run.explanations);
        }
        let rest = Rest {
            writing: Arc::clone(&context.writing),
            runs,
            logs: done.logs,
            previous: self.last.clone(),
            home: Arc::clone(&engine.home),
            clock: engine.watched.clock,
        };
        let pending = match finisher {
            Some(finisher) => {
                let pending = finisher.end(rest);
                self.unfinished.push_back(Arc::clone(&pending));
                pending
            }
            None => Pending::done(rest.finish()),
        };
        stages.skip();
        self.compile(&changes)?;
        let mut spent = StageNanoseconds::of_phases(&done.spent);
        spent.add(&stages.spent());
        Ok(Executed {
            height: batch.height(),
            time_ms: batch.time_ms(),
            execution: self.execution,
            batch: engine.live_check.is_some().then(|| batch.clone()),
            pending,
            home: Arc::clone(&engine.home),
            changes,
            explanations,
            stages: spent,
            mode,
            conflicts,
            statistics: done.statistics,
        })
    }

    /// Lends the state, and takes it back with the fault that there was, if any.
    fn try_calls<R>(&mut self, home: &Home, body: impl FnOnce(&mut Trial<'_>) -> R) -> (R, Option<String>) {
        let state = self.state.take().expect("no batch executes");
        let mut trial = Trial {
            height: self.height,
            time_ms: self.time_ms,
            registry: &self.registry,
            pool: self.pools.first_mut().expect("there is a worker"),
            home,
            state: phalanx_scheduler::Trial::new(*state),
            fault: None,
        };
        let answer = body(&mut trial);
        let Trial { state, fault, .. } = trial;
        self.state = Some(Box::new(state.into_state()));
        (answer, fault)
    }

    /// Machine code is made after the batch's calls.
    fn compile(&mut self, changes: &[Change]) -> Result<(), EngineError> {
        for change in changes {
            if let Some(prepared) = &change.prepared
                && !self.registry.has_code(&change.record.code_hash)
            {
                let hash = change.record.code_hash;
                let code = self.compiler.code(hash, prepared).map_err(EngineError::Stopped)?;
                let is_settled = code.is_settled();
                let number = self.registry().add_code(hash, code);
                if !is_settled {
                    self.unsettled.push(number);
                }
            }
        }
        if !changes.is_empty() {
            self.compiler.rest();
        }
        Ok(())
    }

    /// Lets instances go whose code has better machine code by now.
    fn take_optimised(&mut self) {
        let Self { unsettled, registry, pools, .. } = self;
        unsettled.retain(|number| {
            let is_settled = registry.code(*number).is_settled();
            if is_settled {
                pools.iter_mut().for_each(|pool| pool.renew(*number));
            }
            !is_settled
        });
    }
}
