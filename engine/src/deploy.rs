//! Deploy and upgrade: calls to the system contract, logged and replayed like any other.
//!
//! Arguments: `deploy`: salt [32], profile u8, module. `upgrade`: contract id [32], module. A contract's id is
//! blake3("phalanx/contract" | deployer | salt | code hash). State under the system contract: key 0 | id holds
//! the [`DeployRecord`], key 1 | code hash the module.

use crate::batch::{Address, Call, CallRef, SYSTEM_CONTRACT};
use crate::digest::Digest;
use crate::gas;
use crate::limits::MODULE_BYTES_MAX;
use crate::outcome::Outcome;
use crate::prepare::{self, Prepared};
use crate::registry::{DeployRecord, SYSTEM_INDEX};
use crate::wasm::Invocation;
use phalanx_scheduler::View;

/// Slots of the system contract's state.
pub(crate) const RECORD_SLOT: u8 = 0;
pub(crate) const MODULE_SLOT: u8 = 1;

/// The only profile there is: the native interface.
pub(crate) const NATIVE_PROFILE: u8 = 0;
pub(crate) const SALT_BYTES: usize = 32;

/// A deploy or upgrade that the batch carries, to take effect when it is committed.
pub(crate) struct Change {
    pub(crate) id: Address,
    pub(crate) record: DeployRecord,
    /// What the pass made of the module; `None` if the code was known.
    pub(crate) prepared: Option<Prepared>,
}

/// The id of the contract that a deploy makes.
pub fn contract_id(deployer: &Address, salt: &[u8; 32], module: &[u8]) -> Address {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"phalanx/contract");
    hasher.update(deployer);
    hasher.update(salt);
    hasher.update(blake3::hash(module).as_bytes());
    *hasher.finalize().as_bytes()
}

/// A deploy to be put into a batch.
pub struct Deployment {
    sender: Address,
    contract: Address,
    arguments: Vec<u8>,
    gas_limit: u64,
}

impl Deployment {
    /// Deploys `module` (Wasm, at most [`MODULE_BYTES_MAX`] bytes) as `sender`; another salt makes another contract of it.
    pub fn new(sender: Address, salt: [u8; 32], module: &[u8]) -> Self {
        Self {
            sender,
            contract: contract_id(&sender, &salt, module),
            arguments: deploy_arguments(&salt, module),
            gas_limit: deploy_gas(module.len()),
        }
    }

    /// The call that deploys.
    pub fn call(&self) -> Call<'_> {
        // More than a call may have: its receipt says so.
        let gas_limit = u32::try_from(self.gas_limit).unwrap_or(u32::MAX);
        let Self { sender, arguments, .. } = self;
        Call { contract: SYSTEM_CONTRACT, method: "deploy", sender: *sender, arguments, gas_limit }
    }

    /// Id of the contract, which can be called from the next height on.
    pub fn contract(&self) -> Address {
        self.contract
    }
}

/// Arguments of `deploy`.
pub fn deploy_arguments(salt: &[u8; 32], module: &[u8]) -> Vec<u8> {
    [&salt[..], &[NATIVE_PROFILE], module].concat()
}

/// Arguments of `upgrade`.
pub fn upgrade_arguments(contract: &Address, module: &[u8]) -> Vec<u8> {
    [&contract[..], module].concat()
}

/// Gas that deploying or upgrading to a module of this many bytes uses at most.
pub fn deploy_gas(module_bytes: usize) -> u64 {
    gas::CALL + gas::DEPLOY + (module_bytes + SALT_BYTES + 1) as u64 * gas::MODULE_BYTE
}

/// State key of a contract's deploy record.
pub(crate) fn record_key(id: &Address) -> [u8; 33] {
    prefixed(RECORD_SLOT, id)
}

/// State key of a module.
pub(crate) fn module_key(hash: &Digest) -> [u8; 33] {
    prefixed(MODULE_SLOT, hash)
}

fn prefixed(slot: u8, rest: &[u8; 32]) -> [u8; 33] {
    let mut key = [slot; 33];
    key[1..].copy_from_slice(rest);
    key
}

/// The module that a system call carries, if its arguments are long enough to hold one.
pub(crate) fn module_of<'a>(call: &CallRef<'a>, method: &[u8]) -> Option<&'a [u8]> {
    let header = match method {
        b"deploy" => SALT_BYTES + 1,
        b"upgrade" => 32,
        _ => return None,
    };
    call.arguments().get(header..)
}

/// What a system call left besides its receipt.
pub(crate) struct SystemCall {
    pub(crate) invocation: Invocation,
    pub(crate) return_bytes: Vec<u8>,
    pub(crate) change: Option<Change>,
    /// Why a module was refused, for the caller, beside the receipt.
    pub(crate) explanation: Option<String>,
}

impl SystemCall {
    fn failed(outcome: Outcome, gas_used: u64) -> Self {
        let invocation = Invocation { outcome, gas_used };
        Self { invocation, return_bytes: Vec::new(), change: None, explanation: None }
    }
}

/// Runs a call to the system contract. `known` tells whether code with a hash is compiled already.
pub(crate) fn execute(
    call: &CallRef<'_>,
    method: &[u8],
    view: &mut View,
    known: impl Fn(&Digest) -> bool,
) -> SystemCall {
    let limit = call.gas_limit();
    if !matches!(method, b"deploy" | b"upgrade") {
        return SystemCall::failed(Outcome::UnknownMethod, limit.min(gas::CALL));
    }
    let arguments = call.arguments();
    let gas_used = gas::CALL + gas::DEPLOY + arguments.len() as u64 * gas::MODULE_BYTE;
    if gas_used > limit {
        return SystemCall::failed(Outcome::OutOfGas, limit);
    }
    let done = match method {
        b"deploy" => deploy(call.sender(), arguments, view, known),
        _ => upgrade(call.sender(), arguments, view, known),
    };
    match done {
        Ok(change) => SystemCall {
            invocation: Invocation { outcome: Outcome::Ok, gas_used },
            return_bytes: change.id.to_vec(),
            change: Some(change),
            explanation: None,
        },
        Err(Failure { outcome, explanation }) => SystemCall { explanation, ..SystemCall::failed(outcome, gas_used) },
    }
}

struct Failure {
    outcome: Outcome,
    explanation: Option<String>,
}

impl From<Outcome> for Failure {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, explanation: None }
    }
}

fn deploy(
    sender: &Address,
    arguments: &[u8],
    view: &mut View,
    known: impl Fn(&Digest) -> bool,
) -> Result<Change, Failure> {
    let (salt, rest) = arguments.split_first_chunk::<SALT_BYTES>().ok_or(Outcome::BadArguments)?;
    let (&profile, module) = rest.split_first().ok_or(Outcome::BadArguments)?;
    if profile != NATIVE_PROFILE {
        return Err(Outcome::BadArguments.into());
    }
    let id = contract_id(sender, salt, module);
    if view.get(SYSTEM_INDEX, &record_key(&id), false).is_some() {
        return Err(Outcome::AlreadyDeployed.into());
    }
    let (code_hash, prepared) = check(module)?;
    let record = DeployRecord { deployer: *sender, code_hash, profile, ordered: prepared.ordered };
    put(view, &id, &record, module);
    Ok(Change { id, record, prepared: (!known(&code_hash)).then_some(prepared) })
}

fn upgrade(
    sender: &Address,
    arguments: &[u8],
    view: &mut View,
    known: impl Fn(&Digest) -> bool,
) -> Result<Change, Failure> {
    let (id, module) = arguments.split_first_chunk::<32>().ok_or(Outcome::BadArguments)?;
    let record = view.get(SYSTEM_INDEX, &record_key(id), false).and_then(DeployRecord::decode);
    let record = record.ok_or(Outcome::UnknownContract)?;
    if record.deployer != *sender {
        return Err(Outcome::NotPermitted.into());
    }
    let (code_hash, prepared) = check(module)?;
    let record = DeployRecord { code_hash, ..record };
    put(view, id, &record, module);
    Ok(Change { id: *id, record, prepared: (!known(&code_hash)).then_some(prepared) })
}

fn check(module: &[u8]) -> Result<(Digest, Prepared), Failure> {
    if module.len() > MODULE_BYTES_MAX {
        let explanation = format!("bytes of a module: {} is above the limit of {MODULE_BYTES_MAX}", module.len());
        return Err(Failure { outcome: Outcome::LimitExceeded, explanation: Some(explanation) });
    }
    let prepared = prepare::prepare(module)
        .map_err(|refused| Failure { outcome: Outcome::ModuleRefused, explanation: Some(refused.to_string()) })?;
    Ok((*blake3::hash(module).as_bytes(), prepared))
}

fn put(view: &mut View, id: &Address, record: &DeployRecord, module: &[u8]) {
    let written = view
        .set(SYSTEM_INDEX, &record_key(id), false, Some(&record.encode()))
        .and_then(|()| view.set(SYSTEM_INDEX, &module_key(&record.code_hash), false, Some(module)));
    written.expect("two writes are below the limit of a call");
}
