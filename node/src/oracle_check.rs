//! The same batches once more, in the oracle.

use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::log::{LogReader, Record};
use phalanx_engine::{Batch, BatchBytes, Differing, Digest, EngineError, Executed, Oracle, OracleOutcome};
use serde::Serialize;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::exit::Failure;
use crate::hex::hex;
use crate::progress::Progress;
use crate::replay::log_failure;

/// An oracle that follows the engine.
pub(crate) struct OracleCheck {
    oracle: Oracle,
    difference: Option<Difference>,
}

/// The first place where engine and oracle differ.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Difference {
    /// `receipt`, `write`, `digest` or `state`.
    pub(crate) what: &'static str,
    pub(crate) height: u64,
    /// Index of the first call whose receipt or writes differ.
    pub(crate) call: Option<u32>,
    /// The contract and key of that call's first write that differs, if one does.
    pub(crate) contract: Option<String>,
    pub(crate) key: Option<String>,
}

impl OracleCheck {
    /// An oracle that begins where an engine in memory does.
    pub(crate) fn from_nothing() -> OracleCheck {
        OracleCheck { oracle: Oracle::new(), difference: None }
    }

    /// An oracle that has executed what the log of a data directory holds, if there is one.
    pub(crate) fn after_log(data_directory: &Path) -> Result<OracleCheck, Failure> {
        let mut oracle = Oracle::new();
        let reader = LogReader::new(Arc::new(RealFileSystem), data_directory);
        let progress = Progress::of_heights();
        // A directory without a log has no records.
        for located in reader.records(0).map_err(|error| log_failure(&error))? {
            if let Record::Input(input) = located.map_err(|error| log_failure(&error))?.record {
                progress.at(input.height);
                oracle.execute_batch(input.batch).map_err(|error| refused(&error))?;
            }
        }
        Ok(OracleCheck { oracle, difference: None })
    }

    /// Executes a batch that the engine has executed. Answers whether the two agree.
    pub(crate) fn height(&mut self, bytes: &BatchBytes, executed: &Executed) -> Result<bool, Failure> {
        let batch = Batch::decode(bytes.clone()).map_err(|error| refused(&error.into()))?;
        let outcome = self.oracle.execute_batch(bytes.clone()).map_err(|error| refused(&error))?;
        self.difference = difference(&batch, executed, &outcome);
        Ok(self.difference.is_none())
    }

    /// Compares the whole states.
    pub(crate) fn finish(self, state_digest: &Digest) -> Option<Difference> {
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
    let found = phalanx_engine::Difference::between(batch, executed, outcome)?;
    let what = match found.what {
        Differing::Write => "write",
        Differing::Digest => "digest",
        Differing::Outcome | Differing::Gas | Differing::Events | Differing::ReturnBytes => "receipt",
    };
    let (contract, key) = found.key.map(|(contract, key)| (hex(&contract), hex(&key))).unzip();
    Some(Difference { what, height: found.height, call: found.call, contract, key })
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

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_engine::{BatchBuilder, Call, Engine, Options, SYSTEM_CONTRACT, deploy_arguments};

    /// A deploy and two calls that nobody answers, executed by both.
    fn executed() -> (Batch, Executed, OracleOutcome) {
        let module =
            wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "m") (result i32) (i32.const 0)))"#)
                .expect("the test's module");
        let deploy = deploy_arguments(&[7; 32], &module);
        let mut builder = BatchBuilder::new(1, 1_000);
        for (contract, method, arguments) in
            [([1; 32], "m", &[][..]), (SYSTEM_CONTRACT, "deploy", &deploy), ([2; 32], "m", &[])]
        {
            let call = Call { contract, method, sender: [3; 32], arguments, gas_limit: 10_000_000 };
            builder.push(&call).expect("three calls fit");
        }
        let bytes = builder.finish();
        let executed = Engine::new(Options::default()).execute_batch(bytes.clone()).expect("a batch that was built");
        let outcome = Oracle::new().execute_batch(bytes.clone()).expect("a batch that was built");
        (Batch::decode(bytes).expect("a batch that was built"), executed, outcome)
    }

    #[test]
    fn equal_results_are_no_difference() {
        let (batch, executed, outcome) = executed();
        assert_eq!(executed.write_set().count(), 2, "the deploy's record and module");
        assert_eq!(difference(&batch, &executed, &outcome), None);
    }

    #[test]
    fn the_first_receipt_that_differs_is_named() {
        let (batch, executed, mut outcome) = executed();
        let last = outcome.receipts.len() - 1;
        outcome.receipts[last - 5] ^= 1;
        let found = difference(&batch, &executed, &outcome).expect("a receipt differs");
        assert_eq!((found.what, found.height, found.call, found.key), ("receipt", 1, Some(2), None));
    }

    #[test]
    fn the_first_write_that_differs_is_named() {
        let (batch, executed, mut outcome) = executed();
        let last = outcome.writes.len() - 1;
        outcome.writes[last] ^= 1;
        let found = difference(&batch, &executed, &outcome).expect("a write differs");
        assert_eq!((found.what, found.call), ("write", Some(1)));
        assert_eq!(found.contract, Some(hex(&SYSTEM_CONTRACT)));
        let second = executed.write_set().nth(1).map(|item| hex(item.key()));
        assert_eq!(found.key, second);
        assert!(found.to_string().starts_with("write at height 1, call 1, contract 0x00"));
    }

    #[test]
    fn another_digest_alone_is_a_difference() {
        let (batch, executed, mut outcome) = executed();
        outcome.digest[0] ^= 1;
        assert_eq!(difference(&batch, &executed, &outcome).map(|found| found.what), Some("digest"));
    }
}
