//! The host functions of `contracts/HOST.md`. Each charges before it acts, and checks every length before it uses it.

use super::frame::{Frame, Host};
use super::guest::Guest;
use crate::batch::Address;
use crate::gas;
use crate::limits;
use crate::outcome::Outcome;
use core::ops::ControlFlow;
use phalanx_scheduler::{Answer, Delta, KeyRange, Operator};
use wasmtime::{Caller, Linker, Result};

mod call;
mod stop;

use stop::{Limit, Stop};

/// A host function's body: what it answers, or why the call ends.
type Answered<T> = core::result::Result<T, Stop>;

/// Runs a body, and leaves the guest if the body says so.
#[inline(always)]
fn enter<T>(mut caller: Caller<'_, Host>, body: impl Fn(&mut Frame, &mut Guest) -> Answered<T>) -> Result<T> {
    let host = caller.data_mut();
    let frame = host.frame.as_mut().expect("a call is running");
    match body(frame, &mut host.guest) {
        Ok(answer) => Ok(answer),
        Err(stop) if stop.outcome == Outcome::MemoryOutOfBounds => retry_grown(caller, body),
        Err(stop) => Err(stop.halt(frame)),
    }
}

/// A pointer was outside of the memory as last seen. The guest may have grown it since: look, and if so try again. Bodies
/// check their pointers before they change anything but gas, which is put back.
#[cold]
fn retry_grown<T>(mut caller: Caller<'_, Host>, body: impl Fn(&mut Frame, &mut Guest) -> Answered<T>) -> Result<T> {
    let memory = caller.data().memory.expect("an instance has a memory");
    let length = memory.data_size(&caller);
    let host = caller.data_mut();
    let frame = host.frame.as_mut().expect("a call is running");
    let answer = if length > host.guest.length() {
        host.guest.set_length(length);
        body(frame, &mut host.guest)
    } else {
        Err(Outcome::MemoryOutOfBounds.into())
    };
    answer.map_err(|stop| stop.halt(frame))
}

#[inline]
fn charge(guest: &mut Guest, gas: u64) -> Answered<()> {
    if guest.charge(gas) { Ok(()) } else { Err(Outcome::OutOfGas.into()) }
}

#[inline]
fn copied(bytes: usize) -> u64 {
    bytes.div_ceil(8) as u64 * gas::COPY_WORD
}

#[inline]
fn output(bytes: usize) -> u64 {
    bytes as u64 * gas::OUTPUT_BYTE
}

#[inline]
fn read(guest: &Guest, at: u32, length: u32) -> Answered<&[u8]> {
    guest.bytes(at, length).ok_or(Stop::from(Outcome::MemoryOutOfBounds))
}

#[inline(always)]
fn write(guest: &mut Guest, at: u32, bytes: &[u8]) -> Answered<()> {
    if guest.write(at, bytes) { Ok(()) } else { Err(Outcome::MemoryOutOfBounds.into()) }
}

/// The key at a pointer. Its length is checked before anything else is.
#[inline]
fn key(guest: &Guest, at: u32, length: u32) -> Answered<&[u8]> {
    if length == 0 {
        return Err(Outcome::BadHostArgument.into());
    }
    within(length as usize, Limit::Key)?;
    read(guest, at, length)
}

#[inline]
fn within(value: usize, limit: Limit) -> Answered<()> {
    if value > limit.most() { Err(Stop::above(limit, value)) } else { Ok(()) }
}

fn u128_of(low: i64, high: i64) -> u128 {
    u128::from(low as u64) | u128::from(high as u64) << 64
}

pub(super) fn link(linker: &mut Linker<Host>) -> Result<()> {
    link_context(linker)?;
    link_state(linker)?;
    link_output(linker)?;
    call::link(linker)
}

/// Who calls what, when, with what.
fn link_context(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("phalanx", "input", |caller: Caller<'_, Host>, out: i32, cap: i32| {
        enter(caller, |frame, guest| {
            let arguments = &frame.batch.as_slice()[frame.arguments.clone()];
            let part = &arguments[..arguments.len().min(cap as u32 as usize)];
            within_memory(guest, out, cap as u32 as usize)?;
            charge(guest, copied(part.len()))?;
            write(guest, out as u32, part)?;
            Ok(arguments.len() as i32)
        })
    })?;
    linker.func_wrap("phalanx", "caller", |caller: Caller<'_, Host>, out: i32| {
        enter(caller, |frame, guest| {
            let sender: &Address = frame.batch.as_slice()[frame.sender..].first_chunk().expect("32 bytes");
            write(guest, out as u32, sender)
        })
    })?;
    linker.func_wrap("phalanx", "self", |caller: Caller<'_, Host>, out: i32| {
        enter(caller, |frame, guest| write(guest, out as u32, &frame.called().id))
    })?;
    linker.func_wrap("phalanx", "deployer", |caller: Caller<'_, Host>, out: i32| {
        enter(caller, |frame, guest| write(guest, out as u32, &frame.called().deployer))
    })?;
    linker
        .func_wrap("phalanx", "height", |caller: Caller<'_, Host>| enter(caller, |frame, _| Ok(frame.height as i64)))?;
    linker.func_wrap("phalanx", "batch_time", |caller: Caller<'_, Host>| {
        enter(caller, |frame, _| Ok(frame.time_ms as i64))
    })?;
    linker.func_wrap("phalanx", "call_index", |caller: Caller<'_, Host>| {
        enter(caller, |frame, _| Ok(frame.call_index as i32))
    })?;
    Ok(())
}

/// Pointers are checked before gas is taken, so that a body that fails on one can be tried again.
#[inline]
fn within_memory(guest: &Guest, at: i32, length: usize) -> Answered<()> {
    read(guest, at as u32, length as u32).map(|_| ())
}

fn link_state(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap(
        "phalanx",
        "get",
        |caller: Caller<'_, Host>, key_at: i32, key_length: i32, out: i32, cap: i32| {
            enter(caller, |frame, guest| get(frame, guest, key_at as u32, key_length as u32, out as u32, cap as u32))
        },
    )?;
    linker.func_wrap(
        "phalanx",
        "set",
        |caller: Caller<'_, Host>, at: i32, length: i32, value: i32, value_length: i32| {
            enter(caller, |frame, guest| {
                within(value_length as u32 as usize, Limit::Value)?;
                put(frame, guest, (at as u32, length as u32), Some((value as u32, value_length as u32)))
            })
        },
    )?;
    linker.func_wrap("phalanx", "remove", |caller: Caller<'_, Host>, at: i32, length: i32| {
        enter(caller, |frame, guest| put(frame, guest, (at as u32, length as u32), None))
    })?;
    for (name, operator) in [("add", Operator::Add), ("sub", Operator::Sub)] {
        #[rustfmt::skip]
        linker.func_wrap("phalanx", name, move |caller: Caller<'_, Host>, at: i32, length: i32,
            magnitude_low: i64, magnitude_high: i64, low_low: i64, low_high: i64, high_low: i64, high_high: i64| {
            let delta = Delta {
                operator,
                magnitude: u128_of(magnitude_low, magnitude_high),
                low: u128_of(low_low, low_high),
                high: u128_of(high_low, high_high),
            };
            enter(caller, |frame, guest| add(frame, guest, at as u32, length as u32, delta))
        })?;
    }
    linker.func_wrap("phalanx", "max", |caller: Caller<'_, Host>, at: i32, length: i32, low: i64, high: i64| {
        let delta = Delta { operator: Operator::Max, magnitude: u128_of(low, high), low: 0, high: u128::MAX };
        enter(caller, |frame, guest| add(frame, guest, at as u32, length as u32, delta).map(|_| ()))
    })?;
    linker.func_wrap(
        "phalanx",
        "set_once",
        |caller: Caller<'_, Host>, at: i32, length: i32, value: i32, value_length: i32| {
            enter(caller, |frame, guest| {
                within(value_length as u32 as usize, Limit::Value)?;
                set_once(frame, guest, (at as u32, length as u32), (value as u32, value_length as u32))
            })
        },
    )?;
    #[rustfmt::skip]
    linker.func_wrap("phalanx", "scan", |caller: Caller<'_, Host>, start: i32, start_length: i32, end: i32,
        end_length: i32, direction: i32, limit: i32, out: i32, cap: i32| {
        enter(caller, |frame, guest| {
            let request = Scan {
                start: (start as u32, start_length as u32),
                end: (end as u32, end_length as u32),
                direction,
                limit: limit as u32 as usize,
                out: out as u32,
                cap: cap as u32,
            };
            scan(frame, guest, &request)
        })
    })?;
    Ok(())
}

#[inline]
fn get(frame: &mut Frame, guest: &mut Guest, at: u32, length: u32, out: u32, cap: u32) -> Answered<i32> {
    let memory = *guest;
    let key = key(&memory, at, length)?;
    within_memory(guest, out as i32, cap as usize)?;
    charge(guest, copied(key.len()))?;
    let contract = frame.called();
    let (index, ordered) = (contract.index, contract.ordered.contains(key[0]));
    let Some(value) = frame.view().get(index, key, ordered) else { return Ok(-1) };
    let part = &value[..value.len().min(cap as usize)];
    charge(guest, copied(part.len()))?;
    write(guest, out, part)?;
    Ok(value.len() as i32)
}

#[inline]
fn put(frame: &mut Frame, guest: &mut Guest, at: (u32, u32), value: Option<(u32, u32)>) -> Answered<()> {
    let memory = *guest;
    let key = key(&memory, at.0, at.1)?;
    let value = value.map(|(at, length)| read(&memory, at, length)).transpose()?;
    charge(guest, output(key.len() + value.map_or(0, <[u8]>::len)))?;
    let contract = frame.called();
    let (index, ordered) = (contract.index, contract.ordered.contains(key[0]));
    frame.view().set(index, key, ordered, value).map_err(|_| Limit::Writes.passed())
}

fn set_once(frame: &mut Frame, guest: &mut Guest, at: (u32, u32), value: (u32, u32)) -> Answered<i32> {
    let memory = *guest;
    let key = key(&memory, at.0, at.1)?;
    let value = read(&memory, value.0, value.1)?;
    charge(guest, output(key.len() + value.len()))?;
    let contract = frame.called();
    let (index, ordered) = (contract.index, contract.ordered.contains(key[0]));
    frame.view().set_once(index, key, ordered, value).map(i32::from).map_err(|_| Limit::Writes.passed())
}

#[inline]
fn add(frame: &mut Frame, guest: &mut Guest, at: u32, length: u32, delta: Delta) -> Answered<i32> {
    let memory = *guest;
    let key = key(&memory, at, length)?;
    charge(guest, output(key.len() + 16))?;
    let contract = frame.called();
    let (index, ordered) = (contract.index, contract.ordered.contains(key[0]));
    match frame.view().add(index, key, ordered, delta) {
        Ok(Answer::Applied) => Ok(1),
        Ok(Answer::Refused) => Ok(0),
        Ok(Answer::WrongLength) => Err(Outcome::BadValueLength.into()),
        Err(_) => Err(Limit::Writes.passed()),
    }
}

struct Scan {
    start: (u32, u32),
    end: (u32, u32),
    direction: i32,
    limit: usize,
    out: u32,
    cap: u32,
}

fn scan(frame: &mut Frame, guest: &mut Guest, request: &Scan) -> Answered<i64> {
    let memory = *guest;
    let start = key(&memory, request.start.0, request.start.1)?;
    let end = match request.end.1 {
        0 => None,
        length => Some(key(&memory, request.end.0, length)?),
    };
    within(request.limit, Limit::ScanEntries)?;
    within_memory(guest, request.out as i32, request.cap as usize)?;
    if !matches!(request.direction, 0 | 1) || end.is_some_and(|end| end < start) {
        return Err(Outcome::BadHostArgument.into());
    }
    let contract = frame.called();
    let index = contract.index;
    if !contract.ordered.contains(start[0]) {
        return Err(Outcome::SlotNotOrdered.into());
    }
    let own = frame.view().written() as u64;
    charge(guest, copied(start.len() + end.map_or(0, <[u8]>::len)) + own * gas::SCAN_OWN_KEY)?;
    let range = KeyRange { slot: start[0], start, end };
    let mut out = core::mem::take(&mut frame.scratch);
    out.clear();
    let (mut entries, mut reason, mut paid) = (0, 0, true);
    frame.view().scan(index, range, request.direction == 1, |key, value| {
        if entries == request.limit {
            reason = 1;
            return ControlFlow::Break(());
        }
        let length = 6 + key.len() + value.len();
        if out.len() + length > request.cap as usize {
            reason = 2;
            return ControlFlow::Break(());
        }
        if !guest.charge(gas::SCAN_ENTRY + copied(length)) {
            paid = false;
            return ControlFlow::Break(());
        }
        out.extend_from_slice(&(key.len() as u16).to_le_bytes());
        out.extend_from_slice(&(value.len() as u32).to_le_bytes());
        out.extend_from_slice(key);
        out.extend_from_slice(value);
        entries += 1;
        ControlFlow::Continue(())
    });
    let answer = if paid {
        write(guest, request.out, &out).map(|()| reason << 56 | (entries as i64) << 32 | out.len() as i64)
    } else {
        Err(Outcome::OutOfGas.into())
    };
    frame.scratch = out;
    answer
}

/// What leaves the call.
fn link_output(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("phalanx", "ret", |caller: Caller<'_, Host>, at: i32, length: i32| {
        enter(caller, |frame, guest| {
            within(length as u32 as usize, Limit::Return)?;
            let memory = *guest;
            let bytes = read(&memory, at as u32, length as u32)?;
            charge(guest, output(bytes.len()))?;
            frame.return_bytes.clear();
            frame.return_bytes.extend_from_slice(bytes);
            Ok(())
        })
    })?;
    #[rustfmt::skip]
    linker.func_wrap("phalanx", "emit", |caller: Caller<'_, Host>, topic: i32, topic_length: i32, data: i32, length: i32| {
        enter(caller, |frame, guest| {
            within(topic_length as u32 as usize, Limit::Topic)?;
            within(length as u32 as usize, Limit::Event)?;
            within(usize::from(frame.events) + 1, Limit::Events)?;
            let memory = *guest;
            let topic = read(&memory, topic as u32, topic_length as u32)?;
            let data = read(&memory, data as u32, length as u32)?;
            charge(guest, output(topic.len() + data.len()))?;
            crate::receipt::push_event(&mut frame.receipts, topic, data);
            frame.events += 1;
            Ok(())
        })
    })?;
    linker.func_wrap(
        "phalanx",
        "hash",
        |caller: Caller<'_, Host>, algorithm: i32, at: i32, length: i32, out: i32| {
            enter(caller, |_, guest| {
                let memory = *guest;
                let bytes = read(&memory, at as u32, length as u32)?;
                within_memory(guest, out, 32)?;
                let price =
                    gas::HASH_BYTE.get(algorithm as u32 as usize).ok_or(Stop::from(Outcome::BadHostArgument))?;
                charge(guest, bytes.len() as u64 * price)?;
                write(guest, out as u32, &crate::hash::hash(algorithm as u32, bytes))
            })
        },
    )?;
    linker.func_wrap(
        "phalanx",
        "verify",
        |caller: Caller<'_, Host>, algorithm: i32, key: i32, at: i32, length: i32, signature: i32| {
            enter(caller, |_, guest| {
                let memory = *guest;
                let key = read(&memory, key as u32, 32)?.first_chunk().expect("32 bytes were asked for");
                let message = read(&memory, at as u32, length as u32)?;
                let signature = read(&memory, signature as u32, 64)?.first_chunk().expect("64 bytes were asked for");
                let price =
                    gas::VERIFY_BYTE.get(algorithm as u32 as usize).ok_or(Stop::from(Outcome::BadHostArgument))?;
                charge(guest, message.len() as u64 * price)?;
                Ok(i32::from(crate::signature::verifies(key, message, signature)))
            })
        },
    )?;
    linker.func_wrap("phalanx", "abort", |caller: Caller<'_, Host>, at: i32, length: i32| {
        enter(caller, |frame, guest| {
            let kept = (length as u32).min(limits::ABORT_TEXT_BYTES_MAX as u32);
            let memory = *guest;
            let text = read(&memory, at as u32, kept)?;
            charge(guest, output(text.len()))?;
            frame.explanation = Some(String::from_utf8_lossy(text).into_owned());
            Err::<(), _>(Outcome::Aborted.into())
        })
    })?;
    Ok(())
}
