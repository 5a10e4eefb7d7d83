//! Modules compiled for the oracle, and what all calls of a batch share.

use super::{Map, Run};
use crate::batch::{Address, Batch, SYSTEM_CONTRACT};
use crate::deploy::{RECORD_SLOT, module_key};
use crate::digest::Digest;
use crate::gas;
use crate::prepare::{self, Prepared};
use crate::registry::DeployRecord;
use crate::wasm::oracle_engine;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use wasmtime::{Error, InstancePre, Linker, Module};

/// A module: what the pass made of it, and its machine code.
pub(super) type Code = (Prepared, InstancePre<Run>);

/// Modules by hash, compiled when they are first called.
pub(super) struct Codes {
    linker: Linker<Run>,
    modules: Mutex<HashMap<Digest, Arc<Code>>>,
}

impl Codes {
    pub(super) fn new(linker: Linker<Run>) -> Self {
        Self { linker, modules: Mutex::default() }
    }

    pub(super) fn get(&self, hash: &Digest, state: &Map) -> Result<Arc<Code>, String> {
        let mut modules = self.modules.lock();
        if let Some(code) = modules.get(hash) {
            return Ok(Arc::clone(code));
        }
        let module = &state[&(SYSTEM_CONTRACT, module_key(hash).to_vec())];
        let prepared =
            prepare::prepare(module).map_err(|refused| format!("a deployed module is refused: {refused}"))?;
        let ours = |error: Error| format!("{error:#}");
        let module = Module::new(oracle_engine(), &prepared.wasm).map_err(ours)?;
        let code = Arc::new((prepared, self.linker.instantiate_pre(&module).map_err(ours)?));
        modules.insert(*hash, Arc::clone(&code));
        Ok(code)
    }
}

/// What all calls of a batch share.
pub(super) struct Context {
    pub(super) codes: Arc<Codes>,
    /// All contracts there are before the batch: code is what the state says then.
    pub(super) records: BTreeMap<Address, DeployRecord>,
    pub(super) height: u64,
    pub(super) time_ms: u64,
}

impl Context {
    pub(super) fn new(codes: &Arc<Codes>, state: &Map, batch: &Batch) -> Self {
        let slot = (SYSTEM_CONTRACT, vec![RECORD_SLOT])..(SYSTEM_CONTRACT, vec![RECORD_SLOT + 1]);
        let record = |((_, key), bytes): (&super::Key, &Vec<u8>)| {
            let id = key[1..].try_into().expect("records are kept by id");
            (id, DeployRecord::decode(bytes).expect("records are written by deploys"))
        };
        let records = state.range(slot).map(record).collect();
        Self { codes: Arc::clone(codes), records, height: batch.height(), time_ms: batch.time_ms() }
    }

    /// What entering a method costs.
    pub(super) fn entry_gas(code: &Prepared, argument_bytes: usize) -> u64 {
        gas::CALL
            + u64::from(code.memory_pages_min) * gas::MEMORY_PAGE_SCAN
            + argument_bytes.div_ceil(8) as u64 * gas::COPY_WORD
    }
}
