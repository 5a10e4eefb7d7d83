//! What calls answered, in the words of their contract's ABI.

use phalanx_engine::{Batch, Executed, Outcome};
use serde::Serialize;
use serde_json::Value;
use std::fmt;

use crate::calls_file::Line;
use crate::contracts::Contracts;
use crate::hex::hex;

/// Answers that are told one by one; the count says how many there are.
const TOLD_MAX: usize = 20;

/// The answers of a file's calls: return bytes, and the errors of those that reverted.
#[derive(Default)]
pub(super) struct Answers {
    contracts: Contracts,
    pub(super) count: usize,
    /// The first of them.
    pub(super) told: Vec<Answer>,
}

/// The answer of one call.
#[derive(Serialize)]
pub(super) struct Answer {
    /// Counted from 1.
    line: usize,
    what: String,
    outcome: &'static str,
    /// By the ABI; hex where it has no such method, or another type.
    answer: Value,
}

impl Answers {
    /// Takes in a batch, whose first call stands on line `first_line`, counted from 0, of `lines`.
    pub(super) fn observe(&mut self, batch: &Batch, executed: &Executed, lines: &[Line<'_>], first_line: usize) {
        for (index, receipt) in executed.receipts().enumerate() {
            let (line, outcome, bytes) = (first_line + index, receipt.outcome(), receipt.return_bytes());
            let is_call = matches!(lines[line], Line::Call(_));
            if !is_call || !matches!(outcome, Outcome::Ok | Outcome::Reverted) || bytes.is_empty() {
                continue;
            }
            self.count += 1;
            if self.told.len() < TOLD_MAX {
                let (contract, method) = batch.target_of(&batch.call(index));
                let abi = self.contracts.abi(contract);
                let decoded = abi.and_then(|abi| abi.decode_return(method, outcome, bytes));
                let answer = decoded.unwrap_or_else(|| hex(bytes).into());
                let what = lines[line].described();
                self.told.push(Answer { line: line + 1, what, outcome: outcome.name(), answer });
            }
        }
        self.contracts.observe(batch, executed);
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Answer { line, what, outcome, answer } = self;
        let verb = if *outcome == Outcome::Ok.name() { "answered" } else { *outcome };
        write!(f, "line {line}: {what} {verb} {answer}")
    }
}
