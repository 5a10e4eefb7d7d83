//! Calls of contracts by contracts.
//!
//! A nested call runs in an instance of its own, with the caller's frame: what the frame says of the running call is the callee's
//! while that runs, and put back afterwards. So host functions need not know whether the call that they belong to is nested, and
//! a call that calls nobody does nothing for those that do.
//!
//! ```text
//! caller's instance ─ host function `call` ─ find callee ─ take instance ─ savepoint ─ change frame
//!                   ◀─ charge, copy answer ─ put frame back ─ keep or roll back ◀─ reset ◀─ run
//! ```
//!
//! Instances that nested calls use are their own: the one that the batch's call runs in is not among them, and each is taken out
//! while it is in use, so that none is ever entered again before it was left.

use super::frame::{Frame, TargetContract};
use super::instance::{Instance, Invocation, behind_entry};
use super::runtime::Code;
use crate::batch::{Address, BatchBytes};
use crate::gas;
use crate::limits::CALL_DEPTH_MAX;
use crate::outcome::Outcome;
use crate::registry::Registry;
use core::ops::Range;
use phalanx_scheduler::ContractIndex;
use std::sync::Arc;

/// A call that a contract asks for. Lengths are within their limits.
pub(super) struct NestedCall<'a> {
    pub(super) contract: &'a Address,
    pub(super) method: &'a [u8],
    pub(super) arguments: &'a [u8],
    /// All that it may use.
    pub(super) gas: u64,
    /// Stack units that the caller has left.
    pub(super) stack: i32,
}

/// What a nested call came to.
pub(super) struct Answer {
    pub(super) invocation: Invocation,
    /// As a receipt has them: empty unless the outcome keeps them.
    pub(super) return_bytes: Vec<u8>,
}

/// A worker's means to make nested calls, for a batch.
pub(crate) struct Nested {
    registry: Arc<Registry>,
    instances: NestedInstances,
    /// Contracts whose calls wait for the running one to end.
    waiting: Vec<ContractIndex>,
}

/// A method that was found.
struct Callee {
    code: Arc<Code>,
    code_number: usize,
    method: usize,
    target: TargetContract,
}

impl Nested {
    pub(crate) fn new(registry: Arc<Registry>, instances: NestedInstances) -> Self {
        Self { registry, instances, waiting: Vec::new() }
    }

    /// The instances, for the next batch.
    pub(crate) fn into_instances(self) -> NestedInstances {
        self.instances
    }

    /// What is called, or why it cannot be.
    fn find(&self, caller: ContractIndex, call: &NestedCall<'_>) -> Result<Callee, Outcome> {
        if self.waiting.len() + 1 >= CALL_DEPTH_MAX {
            return Err(Outcome::TooDeep);
        }
        let contract = self.registry.contract(call.contract).ok_or(Outcome::UnknownContract)?;
        let code = self.registry.code(contract.code);
        let method = code.method(call.method).ok_or(Outcome::UnknownMethod)?;
        let is_running = contract.index == caller || self.waiting.contains(&contract.index);
        if is_running && !code.reentrant[method] {
            return Err(Outcome::Reentrant);
        }
        let target = TargetContract {
            index: contract.index,
            id: *call.contract,
            deployer: contract.deployer,
            ordered: contract.ordered,
        };
        Ok(Callee { code: Arc::clone(code), code_number: contract.code, method, target })
    }
}

/// Makes a nested call. The frame is the caller's again when this returns, with the callee's events if that succeeded.
///
/// # Errors
/// A fault of ours, as [`Instance::call`] has them; the caller has to end with it.
pub(super) fn call(frame: &mut Option<Box<Frame>>, call: &NestedCall<'_>) -> Result<Answer, String> {
    let running = frame.as_mut().expect("a call is running");
    let callee = match running.nested.find(running.called().index, call) {
        Ok(callee) => callee,
        Err(outcome) => return Ok(Answer::unentered(outcome, call.gas.min(gas::CALL))),
    };
    let entry_gas = callee.code.entry_gas + call.arguments.len().div_ceil(8) as u64 * gas::COPY_WORD;
    let Some(gas) = behind_entry(call.gas, entry_gas) else {
        return Ok(Answer::unentered(Outcome::OutOfGas, call.gas));
    };
    let check_calls = running.nested.instances.check_calls;
    let mut instance = running.nested.instances.take(callee.code_number, &callee.code)?;
    let Callee { code, code_number, method, target } = callee;
    let waiting = Waiting::enter(running, target, call);
    let savepoint = running.view().savepoint();
    let ended = instance.call(&code, method, frame, gas, call.stack, check_calls);

    let running = frame.as_mut().expect("a call gives its frame back");
    let invocation = ended.map(|(outcome, left, reusable)| {
        if reusable {
            running.nested.instances.give_back(code_number, instance);
        }
        // As for a batch's call: gas below zero is out of gas, whatever else happened.
        match u64::try_from(left) {
            Err(_) => Invocation { outcome: Outcome::OutOfGas, gas_used: call.gas },
            Ok(left) => Invocation { outcome, gas_used: call.gas - left },
        }
    });
    let succeeded = invocation.as_ref().is_ok_and(|invocation| invocation.outcome == Outcome::Ok);
    if succeeded {
        running.view().keep(savepoint);
    } else {
        running.view().roll_back(savepoint);
    }
    let mut return_bytes = waiting.leave(running, succeeded);
    let invocation = invocation?;
    if !invocation.outcome.keeps_return_bytes() {
        return_bytes.clear();
    }
    Ok(Answer { invocation, return_bytes })
}

impl Answer {
    /// Of a call that ends before it enters anything.
    fn unentered(outcome: Outcome, gas_used: u64) -> Self {
        Self { invocation: Invocation { outcome, gas_used }, return_bytes: Vec::new() }
    }
}

/// What the frame says of a call that waits for a nested one.
struct Waiting {
    batch: BatchBytes,
    contracts: Arc<[TargetContract]>,
    contract: usize,
    sender: usize,
    arguments: Range<usize>,
    return_bytes: Vec<u8>,
    /// Receipts with the caller's events, and how many those are.
    receipts: usize,
    events: u8,
}

impl Waiting {
    /// Makes the frame the callee's. Its sender, the caller, and its arguments stand where a batch has them.
    fn enter(frame: &mut Frame, target: TargetContract, call: &NestedCall<'_>) -> Self {
        let caller = frame.called();
        let (index, input) = (caller.index, [&caller.id[..], call.arguments].concat());
        frame.nested.waiting.push(index);
        let arguments = size_of::<Address>()..input.len();
        Self {
            batch: core::mem::replace(&mut frame.batch, BatchBytes::from(input)),
            contracts: core::mem::replace(&mut frame.contracts, Arc::new([target])),
            contract: core::mem::take(&mut frame.contract),
            sender: core::mem::take(&mut frame.sender),
            arguments: core::mem::replace(&mut frame.arguments, arguments),
            return_bytes: core::mem::take(&mut frame.return_bytes),
            receipts: frame.receipts.len(),
            events: frame.events,
        }
    }

    /// Makes the frame the caller's again; events of a callee that failed are dropped, and what it said when it aborted: its caller
    /// goes on. Answers the callee's return bytes.
    fn leave(self, frame: &mut Frame, succeeded: bool) -> Vec<u8> {
        frame.nested.waiting.pop();
        frame.batch = self.batch;
        frame.contracts = self.contracts;
        frame.contract = self.contract;
        frame.sender = self.sender;
        frame.arguments = self.arguments;
        frame.explanation = None;
        if !succeeded {
            frame.receipts.truncate(self.receipts);
            frame.events = self.events;
        }
        core::mem::replace(&mut frame.return_bytes, self.return_bytes)
    }
}

/// A worker's instances for nested calls, but for those in use; least recently used first.
pub(crate) struct NestedInstances {
    /// With the numbers of their codes.
    idle: Vec<(usize, Box<Instance>)>,
    limit: usize,
    check_calls: u64,
}

impl NestedInstances {
    /// At most `limit` of them idle; see [`super::InstancePool::new`].
    pub(super) fn new(limit: usize, check_calls: u64) -> Self {
        Self { idle: Vec::new(), limit, check_calls }
    }

    /// Leaves an empty one in its place.
    pub(super) fn take_all(&mut self) -> Self {
        Self { idle: core::mem::take(&mut self.idle), ..*self }
    }

    /// An instance of the code that nobody uses.
    fn take(&mut self, number: usize, code: &Code) -> Result<Box<Instance>, String> {
        if let Some(at) = self.idle.iter().rposition(|(other, _)| *other == number) {
            return Ok(self.idle.remove(at).1);
        }
        loop {
            // With nothing idle the new one is not asked for, as a worker's first one is not: whether the call can go on must not
            // depend on what others hold.
            match Instance::new(code, self.idle.is_empty())? {
                Some(instance) => return Ok(Box::new(instance)),
                None => drop(self.idle.remove(0)),
            }
        }
    }

    /// Lets the idle instances of a code go.
    pub(super) fn renew(&mut self, number: usize) {
        self.idle.retain(|(other, _)| *other != number);
    }

    fn give_back(&mut self, number: usize, instance: Box<Instance>) {
        if self.idle.len() >= self.limit {
            self.idle.remove(0);
        }
        self.idle.push((number, instance));
    }
}
