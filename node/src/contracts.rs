//! What a log says about contracts: their ABIs, and the names that calls files gave them.

use phalanx_engine::{Address, Batch, Executed, Outcome, SYSTEM_CONTRACT};
use std::collections::HashMap;

use crate::abi::Abi;

const SALT_BYTES: usize = 32;
/// Salt and profile stand before the module.
const DEPLOY_PREFIX_BYTES: usize = SALT_BYTES + 1;

/// A deploy, or an upgrade, that was executed.
pub(crate) struct Deployed<'a> {
    /// The contract.
    pub(crate) id: Address,
    /// Who called.
    pub(crate) sender: &'a Address,
    /// The salt of a deploy; an upgrade has none.
    pub(crate) salt: Option<&'a [u8; SALT_BYTES]>,
    pub(crate) module: &'a [u8],
}

/// The deploys and upgrades of a batch, in order.
pub(crate) fn deployed<'a>(batch: &'a Batch, executed: &'a Executed) -> impl Iterator<Item = Deployed<'a>> {
    // Most batches have none; their calls are not walked.
    let has_any = batch.targets().any(|(contract, _)| *contract == SYSTEM_CONTRACT);
    let receipts = has_any.then(|| executed.receipts()).into_iter().flatten();
    receipts.enumerate().filter_map(|(index, receipt)| {
        let call = batch.call(index);
        let (contract, method) = batch.target_of(&call);
        if *contract != SYSTEM_CONTRACT || receipt.outcome() != Outcome::Ok {
            return None;
        }
        let id = Address::try_from(receipt.return_bytes()).ok()?;
        let (salt, prefix) = match method {
            b"deploy" => (call.arguments().first_chunk(), DEPLOY_PREFIX_BYTES),
            // The contract's id stands before the module.
            _ => (None, id.len()),
        };
        let module = call.arguments().get(prefix..)?;
        Some(Deployed { id, sender: call.sender(), salt, module })
    })
}

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
        for Deployed { id, salt, module, .. } in deployed(batch, executed) {
            if let Some(salt) = salt {
                self.by_salt.entry(*salt).or_default().push(id);
            }
            self.abis.insert(id, Abi::of_module(module));
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
