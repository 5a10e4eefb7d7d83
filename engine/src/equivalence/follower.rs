//! The state beside the engine's: an oracle that executes some batches and takes over the write sets of the others.

use super::difference::{Difference, Results};
use super::reproducer::{OwnedCall, Step};
use super::state_setter;
use crate::batch::{Address, Batch, SYSTEM_CONTRACT};
use crate::deploy::{RECORD_SLOT, SALT_BYTES, contract_id, module_key, module_of};
use crate::digest::Digest;
use crate::error::EngineError;
use crate::finish::Finished;
use crate::oracle::{Key, Oracle};
use crate::receipt::Receipts;
use crate::write_set::WriteSet;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// With what a contract was deployed: its record tells only its code of today.
struct Birth {
    salt: [u8; 32],
    code_hash: Digest,
}

/// See the module's docs.
pub(super) struct Follower {
    oracle: Oracle,
    births: BTreeMap<Address, Birth>,
}

impl Follower {
    pub(super) fn new() -> Self {
        Self { oracle: Oracle::new(), births: BTreeMap::new() }
    }

    /// Executes a batch and compares. The state is behind the batch if nothing differs, else before it.
    ///
    /// # Errors
    /// The oracle cannot execute the batch, which no batch may cause that the engine has executed.
    pub(super) fn check(&mut self, batch: &Batch, finished: &Finished) -> Result<Option<Difference>, EngineError> {
        let outcome = self.oracle.execute_batch(batch.bytes().clone())?;
        let engine = Results {
            receipts: Receipts::of_pieces(&finished.receipts),
            writes: WriteSet::of_pieces(&finished.writes),
            roots: &finished.roots,
            digest: finished.digest,
        };
        let difference = Difference::of_results(batch, engine, Results::of_oracle(&outcome));
        self.note_births(batch);
        Ok(difference)
    }

    /// Takes over what the engine made of a batch.
    pub(super) fn follow(&mut self, batch: &Batch, finished: &Finished) {
        self.oracle.follow(batch, WriteSet::of_pieces(&finished.writes), finished.digest);
        self.note_births(batch);
    }

    /// Behind the batch: of contracts that are there now, so that deploys that failed leave nothing. An id is made of sender, salt
    /// and code, so one that failed says the same of it as the one that did not.
    fn note_births(&mut self, batch: &Batch) {
        let deploys =
            |target: &crate::batch::Target| target.contract == SYSTEM_CONTRACT && batch.method(target) == b"deploy";
        if !batch.targets.iter().any(deploys) {
            return;
        }
        for call in (0..batch.len()).map(|index| batch.call(index)) {
            if let (&SYSTEM_CONTRACT, method @ b"deploy") = batch.target_of(&call)
                && let Some(module) = module_of(&call, method)
                && let Some(&salt) = call.arguments().first_chunk::<SALT_BYTES>()
            {
                let id = contract_id(call.sender(), &salt, module);
                let birth = || Birth { salt, code_hash: *blake3::hash(module).as_bytes() };
                if self.oracle.record(&id).is_some() {
                    self.births.entry(id).or_insert_with(birth);
                }
            }
        }
    }

    /// Takes back the batch that differed. Answers the keys that it looked at, and those and the ones that it wrote.
    pub(super) fn undo(&mut self) -> (BTreeSet<Key>, BTreeSet<Key>) {
        let seen = self.oracle.seen().clone();
        let all = seen.iter().chain(self.oracle.written()).cloned().collect();
        self.oracle.undo();
        (seen, all)
    }

    /// Steps that bring contracts to their code of today, and keys of theirs to their values: all that calls of a batch
    /// need that look at these keys. What no call can carry is left out.
    pub(super) fn set_up(&self, calls: &[OwnedCall], keys: &BTreeSet<Key>) -> Vec<Step> {
        let looked_at = keys.iter().filter_map(|(contract, key)| match key.split_first() {
            Some((&RECORD_SLOT, id)) if *contract == SYSTEM_CONTRACT => id.try_into().ok(),
            _ => Some(*contract),
        });
        let contracts: BTreeSet<Address> = calls.iter().map(|call| call.contract).chain(looked_at).collect();
        let mut steps = Vec::new();
        for id in &contracts {
            self.set_up_contract(id, keys, &mut steps);
        }
        steps
    }

    fn set_up_contract(&self, id: &Address, keys: &BTreeSet<Key>, steps: &mut Vec<Step>) {
        let (Some(record), Some(birth)) = (self.oracle.record(id), self.births.get(id)) else { return };
        let (Some(born), Some(now)) = (self.module(&birth.code_hash), self.module(&record.code_hash)) else { return };
        let sender = record.deployer;
        steps.push(Step::Deploy { module: born, sender, salt: birth.salt });
        let of_contract = keys.range((*id, Vec::new())..).take_while(|(contract, _)| contract == id);
        let puts: Vec<Step> = of_contract.filter_map(|key| self.put(key, sender)).collect();
        if !puts.is_empty() {
            let module = Arc::new(state_setter::module());
            steps.push(Step::Upgrade { module, sender, contract: *id });
            steps.extend(puts);
        }
        if birth.code_hash != record.code_hash || matches!(steps.last(), Some(Step::Call(_))) {
            steps.push(Step::Upgrade { module: now, sender, contract: *id });
        }
    }

    fn module(&self, hash: &Digest) -> Option<Arc<Vec<u8>>> {
        let module = self.oracle.value(&(SYSTEM_CONTRACT, module_key(hash).to_vec()))?;
        Some(Arc::new(module.to_vec()))
    }

    fn put(&self, key: &Key, sender: Address) -> Option<Step> {
        let arguments = state_setter::arguments(&key.1, self.oracle.value(key)?)?;
        let (contract, gas_limit) = (key.0, state_setter::gas_limit(arguments.len()));
        Some(Step::Call(OwnedCall { contract, method: state_setter::METHOD.to_owned(), sender, arguments, gas_limit }))
    }
}
