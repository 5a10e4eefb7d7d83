//! Calls of contracts by contracts, as `contracts/HOST.md` describes them.
//!
//! A callee gets copies of what the call has written and emitted so far; its caller takes them over if it succeeds, and goes on with
//! its own if it fails.

use super::{C, Context, Run, Started, charge, check_range, memory, read, require, run, words, write};
use crate::batch::{Address, SYSTEM_CONTRACT};
use crate::deploy::record_key;
use crate::gas;
use crate::limits::{ARGUMENT_BYTES_MAX, CALL_DEPTH_MAX, METHOD_BYTES_MAX};
use crate::outcome::Outcome;
use crate::prepare;
use std::sync::Arc;
use wasmtime::{Error, Linker, Result};

/// How a call of a contract by a contract ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NestedEnd {
    /// Depth that it had: 2 if a batch's call made it.
    pub depth: usize,
    /// What its caller was told.
    pub outcome: Outcome,
}

/// What a nested call left for its caller.
struct Left {
    outcome: Outcome,
    gas_used: u64,
    returned: Vec<u8>,
}

impl Left {
    fn unentered(outcome: Outcome, gas_used: u64) -> Self {
        Self { outcome, gas_used, returned: Vec::new() }
    }
}

pub(super) fn link(linker: &mut Linker<Run>) -> Result<()> {
    #[rustfmt::skip]
    linker.func_wrap("phalanx", "call", |mut c: C<'_>, contract: i32, method: i32, method_length: i32, arguments: i32,
        arguments_length: i32, gas: i64, out: i32, cap: i32| {
        require(&mut c, method_length as u32 as usize <= METHOD_BYTES_MAX, Outcome::LimitExceeded)?;
        require(&mut c, arguments_length as u32 as usize <= ARGUMENT_BYTES_MAX, Outcome::LimitExceeded)?;
        let contract: Address = read(&mut c, contract, 32)?.try_into().expect("32 bytes");
        let method = read(&mut c, method, method_length)?;
        let arguments = read(&mut c, arguments, arguments_length)?;
        check_range(&mut c, out, cap as u32 as usize)?;
        charge(&mut c, words(method.len() + arguments.len()))?;
        let (left, stack) = counters(&mut c);
        let gas = (gas as u64).min(left - left / 64);
        let depth = c.data().callers.len() + 2;
        let ended = call(&mut c, &contract, &method, arguments, gas, stack)?;
        c.data_mut().nested.push(NestedEnd { depth, outcome: ended.outcome });
        charge(&mut c, ended.gas_used)?;
        let part = &ended.returned[..ended.returned.len().min(cap as u32 as usize)];
        charge(&mut c, words(part.len()))?;
        write(&mut c, out, part)?;
        Ok((ended.outcome as i64) << 32 | ended.returned.len() as i64)
    })?;
    Ok(())
}

/// Gas and stack units that the caller has left.
fn counters(c: &mut C<'_>) -> (u64, u32) {
    let control = memory(c, prepare::CONTROL_EXPORT);
    let bytes = control.data(&*c);
    let gas = u64::from_le_bytes(bytes[prepare::CONTROL_GAS as usize..][..8].try_into().expect("8 bytes"));
    let stack = u32::from_le_bytes(bytes[prepare::CONTROL_STACK as usize..][..4].try_into().expect("4 bytes"));
    (gas, stack)
}

fn call(c: &mut C<'_>, contract: &Address, method: &[u8], arguments: Vec<u8>, gas: u64, stack: u32) -> Result<Left> {
    let looked_at = gas.min(gas::CALL);
    let caller = c.data();
    if caller.callers.len() + 2 > CALL_DEPTH_MAX {
        return Ok(Left::unentered(Outcome::TooDeep, looked_at));
    }
    let context = Arc::clone(&caller.context);
    let Some(record) = context.records.get(contract) else {
        return Ok(Left::unentered(Outcome::UnknownContract, looked_at));
    };
    // Who makes the call again elsewhere needs the contract.
    c.data_mut().seen.insert((SYSTEM_CONTRACT, record_key(contract).to_vec()));
    let caller = c.data();
    let code = context.codes.get(&record.code_hash, &caller.state).map_err(Error::msg)?;
    let Some(number) = code.0.methods.iter().position(|name| name.as_bytes() == method) else {
        return Ok(Left::unentered(Outcome::UnknownMethod, looked_at));
    };
    let is_running = caller.contract == *contract || caller.callers.contains(contract);
    if is_running && !code.0.reentrant[number] {
        return Ok(Left::unentered(Outcome::Reentrant, looked_at));
    }
    let entry = Context::entry_gas(&code.0, arguments.len());
    if gas < entry + gas::TRAP {
        return Ok(Left::unentered(Outcome::OutOfGas, gas));
    }
    let callers = caller.callers.iter().copied().chain([caller.contract]).collect();
    let inner = Run {
        context: Arc::clone(&context),
        state: Arc::clone(&caller.state),
        writes: caller.writes.clone(),
        seen: Default::default(),
        contract: *contract,
        deployer: record.deployer,
        ordered: record.ordered,
        sender: caller.contract,
        arguments,
        call_index: caller.call_index,
        events: caller.events.clone(),
        returned: Vec::new(),
        halt: None,
        callers,
        nested: Vec::new(),
    };
    let started = Started { method: &code.0.methods[number], limit: gas, gas: gas - entry, stack };
    let ended = run(&code.1, inner, &started).map_err(Error::msg)?;
    let caller = c.data_mut();
    caller.seen.extend(ended.seen);
    caller.nested.extend(ended.nested);
    if ended.outcome == Outcome::Ok {
        (caller.writes, caller.events) = (ended.writes, ended.events);
    }
    Ok(Left { outcome: ended.outcome, gas_used: ended.gas_used, returned: ended.returned })
}
