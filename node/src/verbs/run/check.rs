//! `--check`: the same batches once more, in the oracle.

use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::log::{LogReader, Record};
use phalanx_engine::{Batch, BatchBytes, Digest, EngineError, Executed, Oracle, OracleOutcome, Receipts, WriteSet};
use serde::Serialize;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::command_line::Context;
use crate::exit::Failure;
use crate::hex::hex;
use crate::progress::Progress;
use crate::replay::log_failure;

/// An oracle that follows the engine.
pub(super) struct OracleCheck {
    oracle: Oracle,
    difference: Option<Difference>,
}

/// The first place where engine and oracle differ.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Difference {
    /// `receipt`, `write`, `digest` or `state`.
    pub(super) what: &'static str,
    pub(super) height: u64,
    /// Index of the first call whose receipt or writes differ.
    pub(super) call: Option<u32>,
    /// The contract and key of the first write that differs.
    pub(super) contract: Option<String>,
    pub(super) key: Option<String>,
}

impl OracleCheck {
    /// An oracle that has executed what the log of a data directory holds, if there is one.
    pub(super) fn after_log(data_directory: &Path, context: &Context) -> Result<OracleCheck, Failure> {
        let mut oracle = Oracle::new();
        let reader = LogReader::new(Arc::new(RealFileSystem), data_directory);
        let progress = Progress::of_heights();
        // A directory without a log has no records.
        for located in reader.records(0).map_err(|error| log_failure(&error))? {
            context.interrupt.check()?;
            if let Record::Input(input) = located.map_err(|error| log_failure(&error))?.record {
                progress.at(input.height);
                oracle.execute_batch(input.batch).map_err(|error| refused(&error))?;
            }
        }
        Ok(OracleCheck { oracle, difference: None })
    }

    /// Executes a batch that the engine has executed. Answers whether the two agree.
    pub(super) fn height(&mut self, bytes: &BatchBytes, executed: &Executed) -> Result<bool, Failure> {
        let batch = Batch::decode(bytes.clone()).map_err(|error| refused(&error.into()))?;
        let outcome = self.oracle.execute_batch(bytes.clone()).map_err(|error| refused(&error))?;
        self.difference = difference(&batch, executed, &outcome);
        Ok(self.difference.is_none())
    }

    /// Compares the whole states.
    pub(super) fn finish(self, state_digest: &Digest) -> Option<Difference> {
        let height = self.oracle.height();
        self.difference.or_else(|| {
            let state = Difference { what: "state", height, call: None, contract: None, key: None };
            (self.oracle.state_digest() != *state_digest).then_some(state)
        })
    }
}

fn refused(error: &EngineError) -> Failure {
    Failure::failed(
        format_args!("the oracle refuses what the engine took: {error}"),
        "this is a fault of phalanx, not of a contract: report it with the log",
    )
}

fn difference(batch: &Batch, executed: &Executed, outcome: &OracleOutcome) -> Option<Difference> {
    let height = executed.height();
    let receipt = first_receipt(executed.receipts(), Receipts::new(&outcome.receipts));
    let write = first_write(batch, executed.write_set(), WriteSet::new(&outcome.writes));
    match (receipt, write) {
        (None, None) if executed.digest() == outcome.digest => None,
        (None, None) => Some(Difference { what: "digest", height, call: None, contract: None, key: None }),
        (receipt, write) => {
            let what = if receipt.is_some() { "receipt" } else { "write" };
            let call = receipt.into_iter().chain(write.as_ref().map(|write| write.call)).min();
            let (contract, key) = write.map(|write| (write.contract, write.key)).unzip();
            Some(Difference { what, height, call, contract, key })
        }
    }
}

fn first_receipt(engine: Receipts<'_>, oracle: Receipts<'_>) -> Option<u32> {
    if engine.bytes() == oracle.bytes() {
        return None;
    }
    Some(engine.zip(oracle).take_while(|(engine, oracle)| engine == oracle).count() as u32)
}

struct DifferentWrite {
    call: u32,
    contract: String,
    key: String,
}

fn first_write(batch: &Batch, mut engine: WriteSet<'_>, mut oracle: WriteSet<'_>) -> Option<DifferentWrite> {
    loop {
        let (ours, theirs) = (engine.next(), oracle.next());
        let same = |item: &phalanx_engine::WriteItem<'_>| {
            (item.call(), item.contract().copied(), item.key().to_vec(), item.value().map(<[u8]>::to_vec))
        };
        if ours.is_none() && theirs.is_none() {
            return None;
        }
        if ours.as_ref().map(same) == theirs.as_ref().map(same) {
            continue;
        }
        // Items are in the order of calls: the earlier one is what the other side lacks.
        let item = ours.into_iter().chain(theirs).min_by_key(|item| (item.call(), item.key().to_vec()))?;
        let called = *batch.target_of(&batch.call(item.call() as usize)).0;
        let contract = hex(item.contract().unwrap_or(&called));
        return Some(DifferentWrite { call: item.call(), contract, key: hex(item.key()) });
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at height {}", self.what, self.height)?;
        if let Some(call) = self.call {
            write!(f, ", call {call}")?;
        }
        match (&self.contract, &self.key) {
            (Some(contract), Some(key)) => write!(f, ", contract {contract}, key {key}"),
            _ => Ok(()),
        }
    }
}
