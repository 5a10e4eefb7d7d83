//! `flood`: all keys in one ordered slot, which has one owner, whatever the number of workers.

use super::call_list::CallList;
use super::conflicts::Conflicts;
use super::deployments::Deployments;
use super::{Invariant, Shape};
use crate::BenchError;
use phalanx_engine::{BatchBuilder, Engine};
use rand_chacha::ChaCha8Rng;

/// The workload.
#[derive(Clone, Debug)]
pub(super) struct Flood {
    conflicts: Conflicts,
}

impl Flood {
    pub(super) fn new(conflicts: Conflicts) -> Self {
        Self { conflicts }
    }
}

impl CallList for Flood {
    fn name(&self) -> &'static str {
        "flood"
    }

    fn describe(&self) -> String {
        "transfers (contracts/conflicts) that read and write two balances of one ordered slot, an event each, 1 % refused".into()
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
        self.conflicts.fund("mint_ordered", index, batch)
    }

    fn measured(&self, _index: u64, random: &mut ChaCha8Rng, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        self.conflicts.transfer("transfer_ordered", &self.conflicts.transfers.draw(random), batch)
    }

    fn invariant(&self, engine: &Engine) -> Invariant {
        self.conflicts.ordered_conserved(engine)
    }
}
