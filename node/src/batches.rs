//! Cutting a calls file into batches.

use phalanx_engine::{
    Address, BatchBuilder, BatchBytes, BatchError, Call, Engine, SYSTEM_CONTRACT, deploy_arguments, deploy_gas,
    upgrade_arguments,
};
use std::collections::HashMap;

use crate::abi::{Abi, compact};
use crate::calls_file::{Arguments, CallLine, CallsFile, Contract, Line};

/// Milliseconds from one batch to the next: files have no clock.
const BATCH_INTERVAL_MS: u64 = 1_000;

/// Walks over a file's lines, one batch at a time. A batch ends after a deploy or upgrade, at the batch size, and before a limit
/// of the batch.
pub(crate) struct Batches<'f> {
    file: &'f CallsFile<'f>,
    batch_size: usize,
    next: usize,
    abis: HashMap<Address, Option<Abi>>,
    /// A contract that the last batch gave another module, and so perhaps another ABI.
    upgraded: Option<Address>,
}

/// A batch of lines.
pub(crate) struct CutBatch {
    pub(crate) bytes: BatchBytes,
    /// By call: why its arguments were sent as JSON.
    pub(crate) misfits: Vec<(u32, String)>,
}

impl<'f> Batches<'f> {
    pub(crate) fn new(file: &'f CallsFile<'f>, batch_size: usize) -> Batches<'f> {
        Batches { file, batch_size, next: 0, abis: HashMap::new(), upgraded: None }
    }

    /// The batch for a height; `None` behind the last line. Arguments are encoded by the ABI of the contract that
    /// `engine` has, or that the file deploys.
    ///
    /// # Errors
    /// A call that no batch can carry, which the check of the file excludes.
    pub(crate) fn next(&mut self, height: u64, engine: &Engine) -> Result<Option<CutBatch>, BatchError> {
        if let Some(upgraded) = self.upgraded.take() {
            self.abis.remove(&upgraded);
        }
        let mut builder = BatchBuilder::new(height, height * BATCH_INTERVAL_MS);
        let mut misfits = Vec::new();
        let file = self.file;
        while builder.len() < self.batch_size {
            let Some(line) = file.lines.get(self.next) else { break };
            let (target, arguments);
            let call = match line {
                Line::Deploy(deploy) => {
                    arguments = deploy_arguments(&deploy.salt, &deploy.module);
                    system_call("deploy", deploy.sender, &arguments, &deploy.module)
                }
                Line::Upgrade(upgrade) => {
                    target = file.id(self.next, &upgrade.contract);
                    arguments = upgrade_arguments(&target, &upgrade.module);
                    system_call("upgrade", upgrade.sender, &arguments, &upgrade.module)
                }
                Line::Call(call) => {
                    target = file.id(self.next, &call.contract);
                    let misfit;
                    (arguments, misfit) = self.arguments(&target, call, engine);
                    misfits.extend(misfit.map(|misfit| (builder.len() as u32, misfit)));
                    Call {
                        contract: target,
                        method: &call.method,
                        sender: call.sender,
                        arguments: &arguments,
                        gas_limit: call.gas,
                    }
                }
            };
            if !builder.is_empty() && !builder.fits(&call) {
                misfits.pop_if(|(index, _)| *index as usize == builder.len());
                break;
            }
            builder.push(&call)?;
            self.next += 1;
            if let Line::Upgrade(upgrade) = line {
                self.upgraded = Some(file.id(self.next - 1, &upgrade.contract));
            }
            if line.changes_code() {
                break;
            }
        }
        Ok((!builder.is_empty()).then(|| CutBatch { bytes: builder.finish(), misfits }))
    }

    /// A call's arguments, and why they are its JSON if they are.
    fn arguments(&mut self, id: &Address, call: &CallLine<'_>, engine: &Engine) -> (Vec<u8>, Option<String>) {
        let args = match &call.arguments {
            Arguments::Encoded(bytes) => return (bytes.clone(), None),
            Arguments::Json(args) => args,
        };
        let file = self.file;
        let (bytes, why) = match self.abi(id, engine) {
            Some(abi) => match abi.encode_arguments(&call.method, args) {
                Ok(arguments) => return (arguments, None),
                Err(misfit) => (abi.unfit_arguments(&call.method, args), misfit.to_string()),
            },
            None => match &call.contract {
                Contract::Name(name) if !file.deploys(name) => {
                    (compact(args), format!("no line of the file deploys `{name}`"))
                }
                _ => (compact(args), "the contract has no ABI".to_owned()),
            },
        };
        (bytes, Some(why))
    }

    /// The ABI of a contract that `engine` has, or that the file deploys.
    pub(crate) fn abi(&mut self, id: &Address, engine: &Engine) -> Option<&Abi> {
        let file = self.file;
        let abi = self.abis.entry(*id).or_insert_with(|| {
            let deployed = engine.module(id);
            deployed.as_deref().or_else(|| file.module(id)).and_then(Abi::of_module)
        });
        abi.as_ref()
    }
}

/// A call that brings a module.
fn system_call<'a>(method: &'a str, sender: Address, arguments: &'a [u8], module: &[u8]) -> Call<'a> {
    // A module whose gas passes what a call may carry is above the limits anyway: its receipt says so.
    let gas_limit = u32::try_from(deploy_gas(module.len())).unwrap_or(u32::MAX);
    Call { contract: SYSTEM_CONTRACT, method, sender, arguments, gas_limit }
}
