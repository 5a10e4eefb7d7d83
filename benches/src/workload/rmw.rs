//! `token-rmw`, `flood` and `long-call`: transfers that read and write both balances. Two that share an account conflict.

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

/// What is special about the transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Nothing.
    Plain,
    /// All balances lie in one ordered slot, which has one owner, whatever the number of workers.
    Ordered,
    /// One in so many, beginning with the first, computes for about 5 ms before it transfers.
    LongEvery(u64),
}

/// The workload.
#[derive(Clone, Debug)]
pub(super) struct Rmw {
    conflicts: Conflicts,
    way: Way,
}

impl Rmw {
    /// `token-rmw`.
    pub(super) fn plain(conflicts: Conflicts) -> Self {
        Self { conflicts, way: Way::Plain }
    }

    /// `flood`.
    pub(super) fn flood(conflicts: Conflicts) -> Self {
        Self { conflicts, way: Way::Ordered }
    }

    /// `long-call`: every `long_every`-th call, at least 1, is long.
    ///
    /// # Errors
    /// [`BenchError::Usage`] if a batch would hold more long calls than its gas allows.
    pub(super) fn long_call(conflicts: Conflicts, long_every: u64) -> Result<Self, BenchError> {
        let calls = conflicts.shape.calls.min(conflicts.shape.batch_size as u64);
        let long = calls.div_ceil(long_every);
        let gas = (calls - long) * u64::from(CALL_GAS_LIMIT) + long * u64::from(LONG_GAS_LIMIT);
        if gas > BATCH_GAS_MAX {
            return Err(BenchError::Usage(format!(
                "--long-every {long_every} makes {long} long calls in a batch of {calls}, which may then use {gas} gas, \
                 above the limit of {BATCH_GAS_MAX}; a smaller --batch-size or a larger --long-every fits"
            )));
        }
        Ok(Self { conflicts, way: Way::LongEvery(long_every) })
    }
}

impl CallList for Rmw {
    fn name(&self) -> &'static str {
        match self.way {
            Way::Plain => "token-rmw",
            Way::Ordered => "flood",
            Way::LongEvery(_) => "long-call",
        }
    }

    fn describe(&self) -> String {
        let of = if self.way == Way::Ordered { " of one ordered slot" } else { "" };
        let transfers =
            format!("transfers (contracts/conflicts) that read and write two balances{of}, an event each, 1 % refused");
        match self.way {
            Way::LongEvery(calls) => format!("{transfers}; one call in {calls} computes for about 5 ms before"),
            _ => transfers,
        }
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
        self.conflicts.fund(if self.way == Way::Ordered { "mint_ordered" } else { "mint" }, index, batch)
    }

    fn measured(&self, index: u64, random: &mut ChaCha8Rng, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        let transfer = self.conflicts.transfers.draw(random);
        match self.way {
            Way::Ordered => self.conflicts.transfer("transfer_ordered", &transfer, batch),
            Way::LongEvery(calls) if index.is_multiple_of(calls) => {
                let mut arguments = [0; 56];
                arguments[..8].copy_from_slice(&TURNS.to_le_bytes());
                arguments[8..].copy_from_slice(&transfer.arguments());
                let call = self.conflicts.call("transfer_after", transfer.from, &arguments);
                Ok(batch.push(&Call { gas_limit: LONG_GAS_LIMIT, ..call })?)
            }
            _ => self.conflicts.transfer("transfer_rmw", &transfer, batch),
        }
    }

    fn invariant(&self, engine: &Engine) -> Invariant {
        match self.way {
            Way::Ordered => self.conflicts.ordered_conserved(engine),
            _ => self.conflicts.conserved(engine),
        }
    }
}
