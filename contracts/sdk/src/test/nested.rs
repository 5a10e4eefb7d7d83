//! Calls between the contracts of the test ledger.

use std::panic::catch_unwind;

use super::Failure;
use super::ledger::{Waiting, with};
use crate::Address;
use crate::entry::Method;
use crate::nested::OutcomeCode;

/// Calls a method of a deployed contract. Gas and stack are not counted.
pub(crate) fn call(contract: Address, method: &str, arguments: &[u8]) -> (OutcomeCode, Vec<u8>) {
    // Outside of the lending, which a method that runs needs, too.
    let entered = with(|ledger| ledger.enter(contract, method, arguments)).unwrap_or_else(|failure| failure.end_call());
    match entered {
        Ok((method, waiting)) => run(method, waiting),
        Err(outcome) => (outcome, Vec::new()),
    }
}

fn run(method: Method, waiting: Waiting) -> (OutcomeCode, Vec<u8>) {
    let outcome = match catch_unwind(method.run).map_err(Failure::from_panic) {
        Ok(0) => OutcomeCode::OK,
        Ok(1) => OutcomeCode::REVERTED,
        Ok(2) => OutcomeCode::BAD_ARGUMENTS,
        Ok(_) => OutcomeCode::BAD_RETURN_CODE,
        Err(failure) => failure.outcome(),
    };
    let mut returned = with(|ledger| ledger.leave(waiting, outcome == OutcomeCode::OK));
    if !matches!(outcome, OutcomeCode::OK | OutcomeCode::REVERTED) {
        returned.clear();
    }
    (outcome, returned)
}
