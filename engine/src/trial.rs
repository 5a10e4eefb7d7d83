//! Calls that are tried: executed on the committed state one by one, and nothing of them stays.
//!
//! They go past all that a batch needs and an answer does not: other workers, hashes, a branch that is taken back. What they
//! leave is read from their records, by who wants it.

use crate::batch::{Batch, BatchBytes};
use crate::error::{BatchError, EngineError};
use crate::execute::{BatchContext, BatchExecutor};
use crate::finish::{Home, Writing};
use crate::output::RunOutput;
use crate::read_set::{self, Read};
use crate::receipt::{Receipt, Receipts};
use crate::registry::Registry;
use crate::wasm::InstancePool;
use crate::write_set::WriteSet;
use std::sync::Arc;

/// The committed state, on which calls are tried; [`Engine::try_calls`](crate::Engine::try_calls) lends it.
pub struct Trial<'a> {
    pub(crate) height: u64,
    pub(crate) time_ms: u64,
    pub(crate) registry: &'a Arc<Registry>,
    pub(crate) pool: &'a mut InstancePool,
    pub(crate) home: &'a Home,
    pub(crate) state: phalanx_scheduler::Trial,
    /// A failure of ours, behind which nothing is tried.
    pub(crate) fault: Option<String>,
}

/// Tries calls on the state that it is lent.
pub(crate) type Tries<'a> = dyn FnMut(&mut Trial<'_>) + Send + 'a;

/// What a call would leave, were it the only one of the next batch: the same bytes.
pub struct Tried<'a> {
    writing: Arc<Writing>,
    run: RunOutput,
    trial: &'a Trial<'a>,
}

impl Trial<'_> {
    /// Height of the state. The calls are those of the height above it.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// Time of that height in milliseconds.
    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// Executes a batch of one call for the next height. The calls that were tried before it have left nothing that it could see.
    ///
    /// # Errors
    /// Those of [`Engine::execute_batch`](crate::Engine::execute_batch); a batch of no call, or of more, is refused.
    pub fn call(&mut self, bytes: impl Into<BatchBytes>) -> Result<Tried<'_>, EngineError> {
        self.may_go_on()?;
        let batch = Batch::decode(bytes)?;
        batch.check_next(self.height, self.time_ms)?;
        if batch.len() != 1 {
            let (name, actual, limit) = ("calls that are tried at a time", batch.len() as u64, 1);
            return Err(BatchError::LimitExceeded { name, actual, limit }.into());
        }
        let context = BatchContext::new(&batch, self.registry, self.home);
        let mut executor = BatchExecutor::new(&context, self.pool, None);
        let run = self.state.execute(&mut executor, &context);
        self.fault = executor.fault.take();
        drop(executor);
        let writing = Arc::clone(&context.writing);
        drop(context);
        self.may_go_on()?;
        Ok(Tried { writing, run, trial: self })
    }

    fn may_go_on(&self) -> Result<(), EngineError> {
        self.fault.as_ref().map_or(Ok(()), |fault| Err(EngineError::Stopped(fault.clone())))
    }
}

impl Tried<'_> {
    /// Its receipt.
    pub fn receipt(&self) -> Receipt<'_> {
        Receipts::new(&self.run.receipts).next().expect("a call leaves a receipt")
    }

    /// What the contract said when it aborted, or why a module was refused. It is not part of any digest.
    pub fn explanation(&self) -> Option<&str> {
        self.run.explanations.first().map(|(_, text)| &**text)
    }

    /// What it would write.
    pub fn write_set(&mut self) -> WriteSet<'_> {
        self.run.writes.clear();
        self.run.list_writes(&self.writing, self.trial.state.log());
        WriteSet::new(&self.run.writes)
    }

    /// What it saw of the state, ordered by contract and key; `None` if that is above
    /// [`READ_SET_BYTES_MAX`](crate::READ_SET_BYTES_MAX).
    pub fn reads(&self) -> Option<Vec<Read>> {
        read_set::gather(self.trial.state.log(), self.trial.state.state(), self.trial.registry)
    }
}

impl Drop for Tried<'_> {
    fn drop(&mut self) {
        self.trial.home.put_run(core::mem::take(&mut self.run));
    }
}
