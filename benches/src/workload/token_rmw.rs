//! `token-rmw`: transfers that read and write both balances. Two that share an account conflict.

use super::call_list::CallList;
use super::conflicts::Conflicts;
use super::deployments::Deployments;
use super::{Invariant, Shape};
use crate::BenchError;
use phalanx_engine::{BatchBuilder, Engine};
use rand_chacha::ChaCha8Rng;

/// The workload.
#[derive(Clone, Debug)]
pub(super) struct TokenRmw {
    conflicts: Conflicts,
}

impl TokenRmw {
    pub(super) fn new(conflicts: Conflicts) -> Self {
        Self { conflicts }
    }
}

impl CallList for TokenRmw {
    fn name(&self) -> &'static str {
        "token-rmw"
    }

    fn describe(&self) -> String {
        "transfers (contracts/conflicts) that read and write two balances, an event each, 1 % refused".into()
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

    fn measured(&self, _index: u64, random: &mut ChaCha8Rng, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        self.conflicts.transfer("transfer_rmw", &self.conflicts.transfers.draw(random), batch)
    }

    fn invariant(&self, engine: &Engine) -> Invariant {
        self.conflicts.conserved(engine)
    }
}
