//! The contracts, as batches deployed and upgraded them.

use phalanx_engine::{Address, Batch, Executed};
use std::collections::HashMap;

use crate::contracts::{Deployed, deployed};

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
pub(crate) struct Catalog {
    in_order: Vec<Contract>,
    places: HashMap<Address, usize>,
}

impl Catalog {
    /// Takes in the deploys and upgrades of a batch.
    pub(crate) fn observe(&mut self, batch: &Batch, executed: &Executed) {
        for Deployed { id, sender, module, .. } in deployed(batch, executed) {
            self.put(id, *sender, *blake3::hash(module).as_bytes(), batch.height());
        }
    }

    /// A contract.
    pub(crate) fn get(&self, id: &Address) -> Option<&Contract> {
        Some(&self.in_order[*self.places.get(id)?])
    }

    /// At most `count` contracts from a place on, and whether there are more behind.
    pub(crate) fn page(&self, from: usize, count: usize) -> (&[Contract], bool) {
        let known = self.in_order.len();
        let from = from.min(known);
        let to = from.saturating_add(count).min(known);
        (&self.in_order[from..to], to < known)
    }

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
