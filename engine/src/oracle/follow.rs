//! Following an engine without executing, and taking a batch back: what the live equivalence check needs besides executing.

use super::{Key, Oracle};
use crate::batch::{Batch, SYSTEM_CONTRACT};
use crate::deploy::{module_of, record_key};
use crate::digest::Digest;
use crate::registry::DeployRecord;
use crate::write_set::WriteSet;
use std::collections::{BTreeMap, BTreeSet};

/// What the last executed batch looked at, and what it replaced.
#[derive(Default)]
pub(crate) struct Trace {
    /// Keys that calls read, scanned or added to, and the deploy records that system calls looked at.
    pub(super) seen: BTreeSet<Key>,
    /// Values before the batch, of the keys that it wrote.
    before: BTreeMap<Key, Option<Vec<u8>>>,
    height: u64,
    time_ms: u64,
    digest: Digest,
}

impl Trace {
    /// Of a batch that follows on this.
    pub(super) fn begin(height: u64, time_ms: u64, digest: Digest) -> Self {
        Self { height, time_ms, digest, ..Self::default() }
    }

    /// A key has been written that had this value.
    pub(super) fn replaced(&mut self, key: &Key, value: Option<Vec<u8>>) {
        if !self.before.contains_key(key) {
            self.before.insert(key.clone(), value);
        }
    }
}

impl Oracle {
    /// Takes over what an engine made of the next batch, unexecuted.
    ///
    /// # Panics
    /// If the write set is not one of this batch.
    pub(crate) fn follow(&mut self, batch: &Batch, writes: WriteSet<'_>, digest: Digest) {
        for item in writes {
            let call = batch.call(item.call() as usize);
            let (called, method) = batch.target_of(&call);
            let key = (*item.contract().unwrap_or(called), item.key().to_vec());
            match item.value() {
                None => _ = self.state.remove(&key),
                Some(_) if item.is_module_hash() => {
                    let module = module_of(&call, method).expect("a module is written by a deploy or an upgrade");
                    self.state.insert(key, module.to_vec());
                }
                Some(value) => _ = self.state.insert(key, value.to_vec()),
            }
        }
        (self.height, self.time_ms, self.digest) = (batch.height(), batch.time_ms(), digest);
        self.trace = Trace::default();
    }

    /// Takes the last executed batch back. Only once, and not after [`Oracle::follow`].
    pub(crate) fn undo(&mut self) {
        let trace = core::mem::take(&mut self.trace);
        for (key, value) in trace.before {
            match value {
                Some(value) => self.state.insert(key, value),
                None => self.state.remove(&key),
            };
        }
        (self.height, self.time_ms, self.digest) = (trace.height, trace.time_ms, trace.digest);
    }

    /// Keys that the last executed batch looked at.
    pub(crate) fn seen(&self) -> &BTreeSet<Key> {
        &self.trace.seen
    }

    /// Keys that the last executed batch wrote.
    pub(crate) fn written(&self) -> impl Iterator<Item = &Key> {
        self.trace.before.keys()
    }

    /// The value of a key.
    pub(crate) fn value(&self, key: &Key) -> Option<&[u8]> {
        self.state.get(key).map(|value| &value[..])
    }

    /// The deploy record of a contract.
    pub(crate) fn record(&self, contract: &[u8; 32]) -> Option<DeployRecord> {
        DeployRecord::decode(self.value(&(SYSTEM_CONTRACT, record_key(contract).to_vec()))?)
    }
}
