//! What receipts say, counted.

use phalanx_engine::{BatchBytes, Executed, Outcome};
use std::collections::BTreeMap;

/// Sums over the measured batches.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Calls by outcome.
    pub(crate) outcomes: BTreeMap<&'static str, u64>,
    pub(crate) gas_used: u64,
    pub(crate) input_bytes: u64,
    pub(crate) receipt_bytes: u64,
}

impl Tally {
    /// How many calls were counted.
    pub(crate) fn calls(&self) -> u64 {
        self.outcomes.values().sum()
    }

    /// Adds what another has counted.
    pub(crate) fn take(&mut self, other: Tally) {
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        self.gas_used += other.gas_used;
        self.input_bytes += other.input_bytes;
        self.receipt_bytes += other.receipt_bytes;
    }

    /// Counts a batch, and answers how many calls it has.
    pub(crate) fn add(&mut self, batch: &BatchBytes, executed: &Executed) -> u64 {
        let mut counts = [0; Outcome::ALL.len()];
        for receipt in executed.receipts() {
            self.receipt_bytes += receipt.record().len() as u64;
            counts[usize::from(receipt.outcome().code())] += 1;
            self.gas_used += receipt.gas_used();
        }
        for (outcome, count) in Outcome::ALL.into_iter().zip(counts).filter(|(_, count)| *count > 0) {
            *self.outcomes.entry(outcome.name()).or_default() += count;
        }
        self.input_bytes += batch.as_slice().len() as u64;
        counts.iter().sum()
    }
}
