//! The contracts, as batches deployed and upgraded them.

use parking_lot::RwLock;
use phalanx_engine::{Address, Batch, Executed, Outcome, SYSTEM_CONTRACT};
use std::collections::HashMap;

/// What `deploy` has before its module: salt and profile.
const DEPLOY_PREFIX_BYTES: usize = 33;
/// What `upgrade` has before its module: the contract.
const UPGRADE_PREFIX_BYTES: usize = 32;

/// A contract.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Contract {
    pub(crate) id: Address,
    pub(crate) deployer: Address,
    pub(crate) code_hash: [u8; 32],
    /// Height of its deploy.
    pub(crate) deployed_height: u64,
    /// Height at which its code was last changed.
    pub(crate) code_height: u64,
}

/// All contracts, in the order of their deploys.
#[derive(Default)]
pub(crate) struct Catalog(RwLock<Contracts>);

#[derive(Default)]
struct Contracts {
    in_order: Vec<Contract>,
    places: HashMap<Address, usize>,
}

impl Catalog {
    /// Takes in the deploys and upgrades of a batch.
    pub(crate) fn observe(&self, batch: &Batch, executed: &Executed) {
        let mut contracts = self.0.write();
        for (index, receipt) in executed.receipts().enumerate() {
            let call = batch.call(index);
            let (contract, method) = batch.target_of(&call);
            if *contract != SYSTEM_CONTRACT || receipt.outcome() != Outcome::Ok {
                continue;
            }
            let Ok(id) = Address::try_from(receipt.return_bytes()) else { continue };
            let prefix = if method == b"deploy" { DEPLOY_PREFIX_BYTES } else { UPGRADE_PREFIX_BYTES };
            let module = call.arguments().get(prefix..).unwrap_or_default();
            contracts.put(id, *call.sender(), *blake3::hash(module).as_bytes(), batch.height());
        }
    }

    /// A contract that was deployed at or below a height.
    pub(crate) fn get(&self, id: &Address, height: u64) -> Option<Contract> {
        let contracts = self.0.read();
        let contract = &contracts.in_order[*contracts.places.get(id)?];
        (contract.deployed_height <= height).then(|| contract.clone())
    }

    /// At most `count` contracts from a place on, deployed at or below a height, and whether there are more behind.
    pub(crate) fn page(&self, from: usize, count: usize, height: u64) -> (Vec<Contract>, bool) {
        let contracts = self.0.read();
        let known = contracts.in_order.partition_point(|contract| contract.deployed_height <= height);
        let from = from.min(known);
        let to = (from + count).min(known);
        (contracts.in_order[from..to].to_vec(), to < known)
    }
}

impl Contracts {
    fn put(&mut self, id: Address, sender: Address, code_hash: [u8; 32], height: u64) {
        match self.places.get(&id) {
            Some(&place) => {
                let contract = &mut self.in_order[place];
                (contract.code_hash, contract.code_height) = (code_hash, height);
            }
            None => {
                self.places.insert(id, self.in_order.len());
                let (deployed_height, code_height) = (height, height);
                self.in_order.push(Contract { id, deployer: sender, code_hash, deployed_height, code_height });
            }
        }
    }
}
