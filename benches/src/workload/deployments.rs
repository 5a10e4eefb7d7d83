//! What a workload deploys: contracts, each of one of its modules.

use super::SET_UP_CALLS_A_BATCH;
use crate::BenchError;
use phalanx_engine::limits::{BATCH_BYTES_MAX, BATCH_GAS_MAX};
use phalanx_engine::{Address, BatchBuilder, Deployment, contract_id, deploy_gas};

/// Bytes of a deploy besides its module, generously: its place in the batch, salt and profile.
const DEPLOY_BYTES: usize = 256;

/// Contracts of one deployer. Contract `i` has the salt `i`, and of `n` modules the one numbered `i mod n`.
#[derive(Clone, Debug)]
pub(super) struct Deployments {
    deployer: Address,
    modules: Vec<Vec<u8>>,
    ids: Vec<Address>,
}

impl Deployments {
    /// `count` contracts of at least one module.
    pub(super) fn new(deployer: Address, modules: Vec<Vec<u8>>, count: u64) -> Self {
        let of = |index: u64| contract_id(&deployer, &salt(index), module(&modules, index));
        let ids = (0..count).map(of).collect();
        Self { deployer, modules, ids }
    }

    pub(super) fn deployer(&self) -> Address {
        self.deployer
    }

    /// How many contracts there are.
    pub(super) fn count(&self) -> u64 {
        self.ids.len() as u64
    }

    /// Id of a contract.
    pub(super) fn id(&self, index: u64) -> Address {
        self.ids[index as usize]
    }

    /// Module of a contract.
    pub(super) fn module(&self, index: u64) -> &[u8] {
        module(&self.modules, index)
    }

    /// Contracts that one batch deploys: as many as fit any, by bytes, by gas, and by what other set-up batches have.
    pub(super) fn a_batch(&self) -> u64 {
        let longest = self.modules.iter().map(Vec::len).max().unwrap_or(0);
        let by_bytes = (BATCH_BYTES_MAX / (longest + DEPLOY_BYTES)) as u64;
        by_bytes.min(BATCH_GAS_MAX / deploy_gas(longest)).clamp(1, SET_UP_CALLS_A_BATCH)
    }

    /// Appends the deploy of a contract.
    pub(super) fn push(&self, index: u64, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        let deployment = Deployment::new(self.deployer, salt(index), self.module(index));
        Ok(batch.push(&deployment.call())?)
    }
}

fn salt(index: u64) -> [u8; 32] {
    let mut salt = [0; 32];
    salt[..8].copy_from_slice(&index.to_le_bytes());
    salt
}

fn module(modules: &[Vec<u8>], index: u64) -> &[u8] {
    &modules[(index % modules.len() as u64) as usize]
}
