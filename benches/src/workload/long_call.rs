//! `long-call`: short transfers, and one call in `--long-every` that computes for about 5 ms before it transfers.

use super::call_list::CallList;
use super::conflicts::Conflicts;
use super::deployments::Deployments;
use super::{CALL_GAS_LIMIT, Invariant, Shape};
use crate::BenchError;
use phalanx_engine::limits::BATCH_GAS_MAX;
use phalanx_engine::{BatchBuilder, Call, Engine};
use rand_chacha::ChaCha8Rng;

/// Turns of a long call: about 5 ms of a core of 2020 to 2025. A number, not a time, since results must not depend on clocks.
const TURNS: u64 = 3_000_000;
/// Gas limit of a long call: a quarter above what it uses.
const LONG_GAS_LIMIT: u32 = 40_000_000;

/// The workload.
#[derive(Clone, Debug)]
pub(super) struct LongCall {
    conflicts: Conflicts,
    long_every: u64,
}

impl LongCall {
    /// Every `long_every`-th call is long, beginning with the first.
    ///
    /// # Errors
    /// [`BenchError::Usage`] if a batch would hold more long calls than its gas allows.
    pub(super) fn new(conflicts: Conflicts, long_every: u64) -> Result<Self, BenchError> {
        let calls = conflicts.shape.calls.min(conflicts.shape.batch_size as u64);
        let long = calls.div_ceil(long_every);
        let gas = (calls - long) * u64::from(CALL_GAS_LIMIT) + long * u64::from(LONG_GAS_LIMIT);
        if gas > BATCH_GAS_MAX {
            return Err(BenchError::Usage(format!(
                "--long-every {long_every} makes {long} long calls in a batch of {calls}, which may then use {gas} gas, \
                 above the limit of {BATCH_GAS_MAX}; a smaller --batch-size or a larger --long-every fits"
            )));
        }
        Ok(Self { conflicts, long_every })
    }
}

impl CallList for LongCall {
    fn name(&self) -> &'static str {
        "long-call"
    }

    fn describe(&self) -> String {
        format!(
            "transfers (contracts/conflicts) that read and write two balances, an event each, 1 % refused; one call in {} \
             computes for about 5 ms before",
            self.long_every
        )
    }

    fn shape(&self) -> &Shape {
        &self.conflicts.shape
    }

    fn deployments(&self) -> &Deployments {
        &self.conflicts.deployments
    }

    fn set_up_calls(&self) -> u64 {
        self.conflicts.transfers.accounts.count()
    }

    fn set_up(&self, index: u64, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        self.conflicts.fund("mint", index, batch)
    }

    fn measured(&self, index: u64, random: &mut ChaCha8Rng, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        let transfer = self.conflicts.transfers.draw(random);
        if !index.is_multiple_of(self.long_every) {
            return self.conflicts.transfer("transfer_rmw", &transfer, batch);
        }
        let mut arguments = [0; 56];
        arguments[..8].copy_from_slice(&TURNS.to_le_bytes());
        arguments[8..].copy_from_slice(&transfer.arguments());
        let call = self.conflicts.call("transfer_after", transfer.from, &arguments);
        Ok(batch.push(&Call { gas_limit: LONG_GAS_LIMIT, ..call })?)
    }

    fn invariant(&self, engine: &Engine) -> Invariant {
        self.conflicts.conserved(engine)
    }
}
