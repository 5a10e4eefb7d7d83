//! Runs a script.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;

use phalanx_contract::host::{self, raw};
use phalanx_contract::wire::{Reader, Wire};

use crate::journal::{Fold, Journal};
use crate::opcode::{self as code, Condition, Trap};
use crate::{NESTING_MAX, machine};

/// Longest arguments of a call.
const SCRIPT_BYTES_MAX: usize = 64 << 10;
/// Capacity of the buffer that the host writes to.
const BUFFER_BYTES: usize = 4 << 10;
/// Longest key that a script can complete: one byte above the limit, for the host to refuse.
const KEY_BYTES: usize = 257;

const DONE: i32 = 0;
const REVERTED: i32 = 1;
const MALFORMED: i32 = 2;

/// How a list ended early: with the method's return code.
struct Ended(i32);

type Step = Result<(), Ended>;

/// The call's statics: too large for the stack, and zeroed by the instance.
struct Buffers {
    script: [u8; SCRIPT_BYTES_MAX],
    answer: [u8; BUFFER_BYTES],
}

struct Place(UnsafeCell<Buffers>);

// SAFETY: a module has one thread.
unsafe impl Sync for Place {}

static PLACE: Place = Place(UnsafeCell::new(Buffers { script: [0; SCRIPT_BYTES_MAX], answer: [0; BUFFER_BYTES] }));

#[unsafe(export_name = "run")]
extern "C" fn run() -> i32 {
    run_script()
}

#[unsafe(export_name = "run_again")]
extern "C" fn run_again() -> i32 {
    run_script()
}

#[inline(never)]
fn run_script() -> i32 {
    // SAFETY: an export runs once between two resets of an instance, and nothing else takes these.
    let (buffers, journal) = unsafe { (&mut *PLACE.0.get(), Journal::new()) };
    // SAFETY: the host writes at most the array's length.
    let len = unsafe { raw::input(buffers.script.as_mut_ptr(), SCRIPT_BYTES_MAX) };
    let Some(script) = buffers.script.get(..len) else { return MALFORMED };
    let mut interpreter = Interpreter { journal, answer: &mut buffers.answer, last: 0, absent: true };
    match interpreter.list(script, 0) {
        Ok(()) => {
            host::ret(interpreter.journal.finish());
            DONE
        }
        Err(Ended(code)) => code,
    }
}

struct Interpreter<'b> {
    journal: Journal,
    answer: &'b mut [u8; BUFFER_BYTES],
    /// The last value, and whether there was none.
    last: u128,
    absent: bool,
}

/// An operand, or the end of the script as malformed.
fn operand<'a, T: Wire<'a>>(reader: &mut Reader<'a>) -> Result<T, Ended> {
    T::read(reader).ok_or(Ended(MALFORMED))
}

fn bytes<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Ended> {
    let len: u16 = operand(reader)?;
    reader.take(usize::from(len)).ok_or(Ended(MALFORMED))
}

/// Bytes as uninitialised ones, which the host's functions take; they stay initialised.
fn uninit(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: the same layout, and the host writes nothing but initialised bytes.
    unsafe { &mut *(core::ptr::from_mut(bytes) as *mut [MaybeUninit<u8>]) }
}

impl Interpreter<'_> {
    fn list(&mut self, script: &[u8], depth: usize) -> Step {
        if depth > NESTING_MAX {
            return Err(Ended(MALFORMED));
        }
        let mut reader = Reader::new(script);
        while reader.end().is_none() {
            let opcode: u8 = operand(&mut reader)?;
            match opcode {
                code::INPUT..=code::CALL_INDEX => self.context(opcode, &mut reader)?,
                code::GET..=code::SUB | code::SET_FROM_LAST | code::MAX | code::SET_ONCE => {
                    self.state(opcode, &mut reader)?
                }
                code::SCAN => self.scan(&mut reader)?,
                code::EMIT..=code::ABORT | code::VERIFY => self.output(opcode, &mut reader)?,
                code::HOST => self.host(&mut reader)?,
                code::CALL => self.call(&mut reader)?,
                code::WHEN..=code::REVERT | code::DESCEND => self.control(opcode, &mut reader, depth)?,
                code::TRAP => machine::trap(Trap::from_number(operand(&mut reader)?).ok_or(Ended(MALFORMED))?),
                code::STORE..=code::FOLD_MEMORY => self.memory(opcode, &mut reader)?,
                _ => return Err(Ended(MALFORMED)),
            }
        }
        Ok(())
    }

    fn context(&mut self, opcode: u8, reader: &mut Reader<'_>) -> Step {
        match opcode {
            code::INPUT => {
                let capacity = self.capacity(reader)?;
                let len = host::input(uninit(&mut self.answer[..capacity]));
                self.journal.push_number(len as u64);
                self.journal.push(&self.answer[..len.min(capacity)]);
            }
            code::CALLER => self.journal.push(&host::caller().0),
            code::CONTRACT_ID => self.journal.push(&host::contract_id().0),
            code::DEPLOYER => self.journal.push(&host::deployer().0),
            code::HEIGHT => self.journal.push_number(host::height()),
            code::BATCH_TIME => self.journal.push_number(host::batch_time()),
            _ => self.journal.push_number(u64::from(host::call_index())),
        }
        Ok(())
    }

    fn capacity(&self, reader: &mut Reader<'_>) -> Result<usize, Ended> {
        Ok(usize::from(operand::<u16>(reader)?).min(BUFFER_BYTES))
    }

    /// Reads a key and completes it in `place`.
    fn key<'k>(&self, reader: &mut Reader<'_>, place: &'k mut [u8; KEY_BYTES]) -> Result<&'k [u8], Ended> {
        let modulus: u8 = operand(reader)?;
        let given = bytes(reader)?;
        let mut len = given.len();
        place.get_mut(..len).ok_or(Ended(MALFORMED))?.copy_from_slice(given);
        if modulus > 0 {
            *place.get_mut(len).ok_or(Ended(MALFORMED))? = (self.last % u128::from(modulus)) as u8;
            len += 1;
        }
        Ok(&place[..len])
    }

    fn state(&mut self, opcode: u8, reader: &mut Reader<'_>) -> Step {
        let mut place = [0; KEY_BYTES];
        let key = self.key(reader, &mut place)?;
        match opcode {
            code::GET => {
                let capacity = self.capacity(reader)?;
                let len = host::get(key, uninit(&mut self.answer[..capacity]));
                self.journal.push_number(len.map_or(u64::MAX, |len| len as u64));
                let value = &self.answer[..len.unwrap_or(0).min(capacity)];
                self.journal.push(value);
                let mut number = [0; 16];
                let known = value.len().min(16);
                number[..known].copy_from_slice(&value[..known]);
                (self.last, self.absent) = (u128::from_le_bytes(number), len.is_none());
            }
            code::SET => host::set(key, bytes(reader)?),
            code::REMOVE => host::remove(key),
            code::MAX => host::max(key, operand(reader)?),
            code::SET_ONCE => {
                let applied = host::set_once(key, bytes(reader)?);
                self.journal.push(&[u8::from(applied)]);
                (self.last, self.absent) = (u128::from(applied), !applied);
            }
            code::SET_FROM_LAST => {
                let addend: u128 = operand(reader)?;
                host::set(key, &self.last.wrapping_add(addend).to_le_bytes());
            }
            _ => {
                let (magnitude, low, high): (u128, u128, u128) = operand(reader)?;
                let change = if opcode == code::ADD { host::add } else { host::sub };
                let applied = change(key, magnitude, low, high);
                self.journal.push(&[u8::from(applied)]);
                (self.last, self.absent) = (u128::from(applied), !applied);
            }
        }
        Ok(())
    }

    fn scan(&mut self, reader: &mut Reader<'_>) -> Step {
        let (start, end) = (bytes(reader)?, bytes(reader)?);
        let (direction, limit): (i32, u32) = operand(reader)?;
        let capacity = self.capacity(reader)?;
        // SAFETY: the host reads `start` and `end`, and writes at most `capacity` ≤ the buffer's length.
        let answer = unsafe {
            raw::scan(
                start.as_ptr(),
                start.len(),
                end.as_ptr(),
                end.len(),
                direction,
                limit as usize,
                self.answer.as_mut_ptr(),
                capacity,
            )
        };
        self.journal.push_number(answer);
        let entries = self.answer.get(..answer as u32 as usize).ok_or(Ended(MALFORMED))?;
        self.journal.push(entries);
        let mut fold = Fold::NEW;
        fold.push(entries);
        let count = answer >> 32 & 0xff_ffff;
        (self.last, self.absent) = (u128::from(fold.0) << 64 | u128::from(count), count == 0);
        Ok(())
    }

    fn output(&mut self, opcode: u8, reader: &mut Reader<'_>) -> Step {
        match opcode {
            code::EMIT => {
                let topic = bytes(reader)?;
                host::emit(topic, bytes(reader)?);
            }
            code::HASH => {
                let algorithm: i32 = operand(reader)?;
                let data = bytes(reader)?;
                let mut digest = [0u8; 32];
                // SAFETY: the host reads `data` and writes 32 bytes.
                unsafe { raw::hash(algorithm, data.as_ptr(), data.len(), digest.as_mut_ptr()) }
                self.journal.push(&digest);
            }
            code::VERIFY => {
                let algorithm: i32 = operand(reader)?;
                let key = reader.take(32).ok_or(Ended(MALFORMED))?;
                let signature = reader.take(64).ok_or(Ended(MALFORMED))?;
                let message = bytes(reader)?;
                // SAFETY: the host reads 32, 64 and `message.len()` bytes.
                let valid = unsafe {
                    raw::verify(algorithm, key.as_ptr(), message.as_ptr(), message.len(), signature.as_ptr())
                };
                self.journal.push(&[valid as u8]);
                (self.last, self.absent) = (valid as u128, valid == 0);
            }
            code::RET => host::ret(bytes(reader)?),
            _ => host::abort(bytes(reader)?),
        }
        Ok(())
    }

    fn control(&mut self, opcode: u8, reader: &mut Reader<'_>, depth: usize) -> Step {
        match opcode {
            code::WHEN => {
                let condition = Condition::from_number(operand(reader)?).ok_or(Ended(MALFORMED))?;
                let number: u128 = operand(reader)?;
                let then = bytes(reader)?;
                let holds = match condition {
                    Condition::Absent => self.absent,
                    Condition::Odd => self.last & 1 == 1,
                    Condition::Below => self.last < number,
                    Condition::Equal => self.last == number,
                };
                if holds { self.list(then, depth + 1) } else { Ok(()) }
            }
            code::REPEAT => {
                let times: u16 = operand(reader)?;
                let body = bytes(reader)?;
                (0..times).try_for_each(|_| self.list(body, depth + 1))
            }
            code::BURN => {
                let turns: u32 = operand(reader)?;
                (0..turns).for_each(|turn| {
                    core::hint::black_box(turn);
                });
                Ok(())
            }
            code::RETURN_CODE => Err(Ended(operand(reader)?)),
            code::DESCEND => {
                let levels: u16 = operand(reader)?;
                let list = bytes(reader)?;
                let mut step = Ok(());
                let digest = machine::descend_to(levels, &mut || step = self.list(list, depth + 1));
                step?;
                self.journal.push_number(digest);
                Ok(())
            }
            _ => {
                host::ret(bytes(reader)?);
                Err(Ended(REVERTED))
            }
        }
    }

    fn memory(&mut self, opcode: u8, reader: &mut Reader<'_>) -> Step {
        match opcode {
            code::STORE => {
                let offset: u32 = operand(reader)?;
                machine::store(offset, bytes(reader)?);
            }
            code::LOAD => {
                let (offset, len): (u32, u16) = operand(reader)?;
                self.journal.push(machine::scratch(offset, usize::from(len)));
            }
            code::GROW => self.journal.push_number(u64::from(machine::grow(operand(reader)?))),
            _ => self.journal.push_number(machine::fold_memory()),
        }
        Ok(())
    }

    fn call(&mut self, reader: &mut Reader<'_>) -> Step {
        let contract = reader.take(32).ok_or(Ended(MALFORMED))?;
        let method = bytes(reader)?;
        let gas: u64 = operand(reader)?;
        let capacity = self.capacity(reader)?;
        let arguments = bytes(reader)?;
        // SAFETY: the host reads 32 bytes, `method` and `arguments`, and writes at most `capacity` ≤ the buffer's length.
        let answer = unsafe {
            raw::call(
                contract.as_ptr(),
                method.as_ptr(),
                method.len(),
                arguments.as_ptr(),
                arguments.len(),
                gas,
                self.answer.as_mut_ptr(),
                capacity,
            )
        };
        self.journal.push_number(answer);
        self.journal.push(&self.answer[..(answer as u32 as usize).min(capacity)]);
        let outcome = answer >> 32;
        (self.last, self.absent) = (u128::from(outcome), outcome != 0);
        Ok(())
    }

    fn host(&mut self, reader: &mut Reader<'_>) -> Step {
        let function: u8 = operand(reader)?;
        let mut a = [0u64; 8];
        for argument in &mut a {
            *argument = operand(reader)?;
        }
        let answer = call_host(function, &a).ok_or(Ended(MALFORMED))?;
        self.journal.push_number(answer);
        Ok(())
    }
}

/// Calls host function `function`, numbered as in `HOST.md`'s table, with arguments that nobody checked.
fn call_host(function: u8, a: &[u64; 8]) -> Option<u64> {
    let p = |i: usize| core::ptr::with_exposed_provenance::<u8>(a[i] as u32 as usize);
    let m = |i: usize| core::ptr::with_exposed_provenance_mut::<u8>(a[i] as u32 as usize);
    let n = |i: usize| a[i] as u32 as usize;
    // SAFETY: the host checks every range. Where a range lies in memory that Rust uses, the host's writes are the
    // script's fault and stay in this call.
    Some(unsafe {
        match function {
            0 => raw::input(m(0), n(1)) as u64,
            1 => nothing(raw::ret(p(0), n(1))),
            2 => nothing(raw::caller(m(0))),
            3 => nothing(raw::contract_id(m(0))),
            4 => nothing(raw::deployer(m(0))),
            5 => raw::height(),
            6 => raw::batch_time(),
            7 => raw::get(p(0), n(1), m(2), n(3)) as u64,
            8 => nothing(raw::set(p(0), n(1), p(2), n(3))),
            9 => nothing(raw::remove(p(0), n(1))),
            10 => raw::add(p(0), n(1), a[2], a[3], a[4], a[5], a[6], a[7]) as u64,
            11 => raw::sub(p(0), n(1), a[2], a[3], a[4], a[5], a[6], a[7]) as u64,
            12 => raw::scan(p(0), n(1), p(2), n(3), a[4] as i32, n(5), m(6), n(7)),
            13 => nothing(raw::emit(p(0), n(1), p(2), n(3))),
            14 => nothing(raw::hash(a[0] as i32, p(1), n(2), m(3))),
            15 => raw::abort(p(0), n(1)),
            16 => nothing(raw::max(p(0), n(1), a[2], a[3])),
            17 => raw::set_once(p(0), n(1), p(2), n(3)) as u64,
            18 => u64::from(raw::call_index()),
            19 => raw::verify(a[0] as i32, p(1), p(2), n(3), p(4)) as u64,
            20 => raw::call(p(0), p(1), n(2), p(3), n(4), a[5], m(6), n(7)),
            _ => return None,
        }
    })
}

/// A function without a result answers 0.
fn nothing((): ()) -> u64 {
    0
}
