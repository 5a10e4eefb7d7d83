//! The host function that calls another contract.

use super::{Answered, Limit, charge, copied, read, within, within_memory, write};
use crate::gas::CALL_RESERVE_PART;
use crate::wasm::frame::Host;
use crate::wasm::nested::{self, NestedCall};
use wasmtime::{Caller, Error, Linker, Result};

/// What the guest passes: pointers, and pairs of pointer and length.
struct Request {
    contract: u32,
    method: (u32, u32),
    arguments: (u32, u32),
    gas: u64,
    out: (u32, u32),
}

pub(super) fn link(linker: &mut Linker<Host>) -> Result<()> {
    #[rustfmt::skip]
    linker.func_wrap("phalanx", "call", |mut caller: Caller<'_, Host>, contract: i32, method: i32, method_length: i32,
        arguments: i32, arguments_length: i32, gas: i64, out: i32, cap: i32| {
        let request = Request {
            contract: contract as u32,
            method: (method as u32, method_length as u32),
            arguments: (arguments as u32, arguments_length as u32),
            gas: gas as u64,
            out: (out as u32, cap as u32),
        };
        see_growth(&mut caller);
        let host = caller.data_mut();
        // A fault leaves the guest without an outcome, and so ends the call around this one as one, too.
        let answer = call(host, &request).map_err(Error::msg)?;
        answer.map_err(|stop| stop.halt(host.frame.as_mut().expect("the caller's again")))
    })?;
    Ok(())
}

/// The guest may have grown its memory since it was last looked at.
fn see_growth(caller: &mut Caller<'_, Host>) {
    let memory = caller.data().memory.expect("an instance has a memory");
    let length = memory.data_size(&*caller);
    caller.data_mut().guest.set_length(length);
}

/// `outcome << 32 | length of the return bytes`, or the outcome with which the caller ends.
///
/// # Errors
/// A fault of ours.
fn call(host: &mut Host, request: &Request) -> core::result::Result<Answered<i64>, String> {
    let guest = host.guest;
    let mut prepare = || {
        within(request.method.1 as usize, Limit::Method)?;
        within(request.arguments.1 as usize, Limit::Arguments)?;
        let contract = read(&guest, request.contract, 32)?.first_chunk().expect("32 bytes were asked for");
        let method = read(&guest, request.method.0, request.method.1)?;
        let arguments = read(&guest, request.arguments.0, request.arguments.1)?;
        within_memory(&guest, request.out.0 as i32, request.out.1 as usize)?;
        charge(&mut host.guest, copied(method.len() + arguments.len()))?;
        // Not below zero: it was charged just now.
        let left = host.guest.gas() as u64;
        let gas = request.gas.min(left - left / CALL_RESERVE_PART);
        Ok(NestedCall { contract, method, arguments, gas, stack: host.guest.stack() })
    };
    let asked = match prepare() {
        Ok(asked) => asked,
        Err(stop) => return Ok(Err(stop)),
    };
    let answer = nested::call(&mut host.frame, &asked)?;
    Ok(take(host, request, &answer))
}

/// Charges for the callee, and gives the caller what it answered.
fn take(host: &mut Host, request: &Request, answer: &nested::Answer) -> Answered<i64> {
    let part = &answer.return_bytes[..answer.return_bytes.len().min(request.out.1 as usize)];
    charge(&mut host.guest, answer.invocation.gas_used)?;
    charge(&mut host.guest, copied(part.len()))?;
    write(&mut host.guest, request.out.0, part)?;
    let outcome = answer.invocation.outcome;
    Ok(i64::from(outcome.code()) << 32 | answer.return_bytes.len() as i64)
}
