//! What a log says about contracts: their ABIs, and the names that calls files gave them.

use phalanx_engine::{Address, Batch, Executed, Outcome, SYSTEM_CONTRACT};
use std::collections::HashMap;

use crate::abi::Abi;

const SALT_BYTES: usize = 32;
/// Salt and profile stand before the module.
const DEPLOY_PREFIX_BYTES: usize = SALT_BYTES + 1;

/// The contracts deployed so far.
#[derive(Default)]
pub(crate) struct Contracts {
    abis: HashMap<Address, Option<Abi>>,
    /// Ids by salt, in the order of their deploys.
    by_salt: HashMap<[u8; SALT_BYTES], Vec<Address>>,
}

impl Contracts {
    /// Takes in the deploys and upgrades of a height. They count for the heights above it.
    pub(crate) fn observe(&mut self, batch: &Batch, executed: &Executed) {
        for (index, receipt) in executed.receipts().enumerate() {
            let call = batch.call(index);
            let (contract, method) = batch.target_of(&call);
            if *contract != SYSTEM_CONTRACT || receipt.outcome() != Outcome::Ok {
                continue;
            }
            let Ok(id) = Address::try_from(receipt.return_bytes()) else { continue };
            let Some((salt, _)) = call.arguments().split_first_chunk::<SALT_BYTES>() else { continue };
            let deploys = method == b"deploy";
            if deploys {
                self.by_salt.entry(*salt).or_default().push(id);
            }
            // An upgrade has the contract's id before its module.
            let prefix = if deploys { DEPLOY_PREFIX_BYTES } else { id.len() };
            self.abis.insert(id, call.arguments().get(prefix..).and_then(Abi::of_module));
        }
    }

    /// The ABI of a contract, if it has one.
    pub(crate) fn abi(&self, id: &Address) -> Option<&Abi> {
        self.abis.get(id)?.as_ref()
    }

    /// Contracts that were deployed with a salt.
    pub(crate) fn deployed_with(&self, salt: &[u8; SALT_BYTES]) -> &[Address] {
        self.by_salt.get(salt).map_or(&[], Vec::as_slice)
    }
}
