//! Scripts: what a call of the exerciser does, and the bytes that say so.
//!
//! A script is a sequence of operations, each an opcode and its operands. Numbers are little-endian.
//!
//! ```text
//! bytes  = length u16, the bytes
//! key    = modulus u8, bytes        with modulus > 0, one more byte: the last value mod modulus
//! list   = length u16, operations   the length in bytes
//!
//! 01 Input            capacity u16                      1a SetFromLast      key, addend u128
//! 02 Caller                                             1b Host             function u8, 8 × argument u64
//! 03 ContractId                                         20 When             condition u8, operand u128, list
//! 04 Deployer                                           21 Repeat           times u16, list
//! 05 Height                                             22 Burn             turns u32
//! 06 BatchTime, 07 CallIndex                            23 ReturnCode       code i32
//! 10 Get              key, capacity u16                 24 Revert           bytes
//! 11 Set              key, bytes                        30 Trap             trap u8
//! 12 Remove           key                               40 Store            offset u32, bytes
//! 13 Add, 14 Sub      key, magnitude u128,              41 Load             offset u32, length u16
//!                     low u128, high u128               42 Grow             pages u16
//! 15 Scan             start bytes, end bytes,           43 FoldMemory
//!                     direction i32, limit u32,
//!                     capacity u16
//! 16 Emit             topic bytes, data bytes
//! 17 Hash             algorithm i32, bytes
//! 18 Ret, 19 Abort    bytes
//! 1c Max              key, value u128
//! 1d SetOnce          key, bytes
//! 1e Verify           algorithm i32, 32 + 64 bytes, bytes
//! 1f Call             32 bytes, method bytes, gas u64,  25 Descend          levels u16, list
//!                     capacity u16, arguments bytes
//! ```
//!
//! **Answers.** Each operation that asks the host appends the answer to a journal. A script that ends without `ReturnCode`,
//! `Revert` or a trap returns `fnv-1a 64 of all appended bytes ‖ the first 4,096 of them` with code 0. `ReturnCode` and
//! `Revert` leave the return bytes to `Ret` and to their own.
//!
//! **The last value.** `Get` leaves the first 16 bytes of the value as a number; `Add`, `Sub`, `SetOnce` and `Verify` leave 1 or 0 for applied or
//! refused; `Scan` leaves its number of entries and a digest of them, `Call` the outcome's code. A `When` on it, a key with a modulus, or `SetFromLast` makes what follows depend
//! on state.
//!
//! **Malformed bytes** end the script with code 2 where they are met, with what was done before dropped by the host.

use crate::opcode as code;
pub use crate::opcode::{Condition, Trap};

/// A state key, given in full or completed by the last value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The slot, and what follows it.
    pub bytes: Vec<u8>,
    /// Above 0: one more byte, the last value modulo this.
    pub modulus: u8,
}

impl Key {
    /// The key of these bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), modulus: 0 }
    }

    /// The key of these bytes and of the last value modulo `modulus`.
    pub fn from_last(bytes: impl Into<Vec<u8>>, modulus: u8) -> Self {
        Self { bytes: bytes.into(), modulus }
    }
}

/// An operation. Byte strings of more than 65,535 bytes cannot be encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Reads the arguments again, into a buffer of this capacity (≤ 4,096); journals length and bytes.
    Input {
        /// Bytes of the buffer.
        capacity: u16,
    },
    /// Journals the sender.
    Caller,
    /// Journals the contract's id.
    ContractId,
    /// Journals the deployer.
    Deployer,
    /// Journals the height.
    Height,
    /// Journals the batch's time.
    BatchTime,
    /// Journals the call's index.
    CallIndex,
    /// Reads a value into a buffer of this capacity (≤ 4,096); journals length and bytes.
    Get {
        /// Which.
        key: Key,
        /// Bytes of the buffer.
        capacity: u16,
    },
    /// Writes a value.
    Set {
        /// Which.
        key: Key,
        /// What.
        value: Vec<u8>,
    },
    /// Removes a value.
    Remove {
        /// Which.
        key: Key,
    },
    /// Adds within bounds; journals the answer.
    Add {
        /// Which.
        key: Key,
        /// How much.
        magnitude: u128,
        /// Least result.
        low: u128,
        /// Greatest result.
        high: u128,
    },
    /// Subtracts within bounds; journals the answer.
    Sub {
        /// Which.
        key: Key,
        /// How much.
        magnitude: u128,
        /// Least result.
        low: u128,
        /// Greatest result.
        high: u128,
    },
    /// Raises a value.
    Max {
        /// Which.
        key: Key,
        /// To what.
        value: u128,
    },
    /// Writes a value where there is none; journals whether it did.
    SetOnce {
        /// Which.
        key: Key,
        /// What.
        value: Vec<u8>,
    },
    /// Scans into a buffer of this capacity (≤ 4,096); journals answer and entries.
    Scan {
        /// First key.
        start: Vec<u8>,
        /// Key behind the last one.
        end: Vec<u8>,
        /// 0 or 1; others are for the host to refuse.
        direction: i32,
        /// Most entries.
        limit: u32,
        /// Bytes of the buffer.
        capacity: u16,
    },
    /// Emits an event.
    Emit {
        /// Its topic.
        topic: Vec<u8>,
        /// Its data.
        data: Vec<u8>,
    },
    /// Hashes; journals the digest.
    Hash {
        /// 0, 1 or 2; others are for the host to refuse.
        algorithm: i32,
        /// What.
        data: Vec<u8>,
    },
    /// Verifies a signature; journals whether it is one.
    Verify {
        /// 0; others are for the host to refuse.
        algorithm: i32,
        /// Whose.
        key: [u8; 32],
        /// The signature.
        signature: [u8; 64],
        /// What was signed.
        message: Vec<u8>,
    },
    /// Sets the return bytes; stays with `ReturnCode` and `Revert` alone.
    Ret(Vec<u8>),
    /// Aborts with a text.
    Abort(Vec<u8>),
    /// Writes the last value plus `addend` (wrapping) as 16 bytes.
    SetFromLast {
        /// Which.
        key: Key,
        /// What is added.
        addend: u128,
    },
    /// Calls the host function of this number, in the order of `HOST.md`'s table, with any arguments; journals the answer.
    /// Places that the host may write to should lie outside what the script needs (memory below 16 KiB is the stack).
    Host {
        /// 0: input … 20: call. Others are malformed.
        function: u8,
        /// As many as it takes count; i32 parameters take the low half.
        arguments: [u64; 8],
    },
    /// Runs a list if the last value satisfies a condition.
    When {
        /// What is asked.
        condition: Condition,
        /// What it is compared with.
        operand: u128,
        /// What runs.
        then: Vec<Op>,
    },
    /// Runs a list several times.
    Repeat {
        /// How often.
        times: u16,
        /// What runs.
        body: Vec<Op>,
    },
    /// Calls a contract; journals the answer and the return bytes, as far as they fit into a buffer of this capacity (≤ 4,096).
    Call {
        /// Which.
        contract: [u8; 32],
        /// Which method.
        method: Vec<u8>,
        /// Most gas that it gets.
        gas: u64,
        /// Bytes of the buffer.
        capacity: u16,
        /// With what; a script, if an exerciser is called.
        arguments: Vec<u8>,
    },
    /// Runs a list below so many frames; journals a digest of the way back.
    Descend {
        /// How many.
        levels: u16,
        /// What runs.
        then: Vec<Op>,
    },
    /// Turns an empty loop.
    Burn {
        /// How often.
        turns: u32,
    },
    /// Ends the call with this return code.
    ReturnCode(i32),
    /// Ends the call with code 1 and these return bytes.
    Revert(Vec<u8>),
    /// Traps.
    Trap(Trap),
    /// Writes to the scratch memory; the offset is taken modulo its size, and what lies beyond it is not written.
    Store {
        /// Where.
        offset: u32,
        /// What.
        bytes: Vec<u8>,
    },
    /// Journals bytes of the scratch memory.
    Load {
        /// Where.
        offset: u32,
        /// How many.
        length: u16,
    },
    /// Grows memory and writes to the new page; journals the answer.
    Grow {
        /// By how much.
        pages: u16,
    },
    /// Journals a digest of the instance: all of memory, the stack pointer, and the size.
    FoldMemory,
}

/// The bytes of a script: the arguments of `run`.
///
/// # Panics
///
/// If a byte string or a list is longer than 65,535 bytes, or lists nest deeper than [`crate::NESTING_MAX`]: a mistake of the
/// test that made it.
pub fn encode(ops: &[Op]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_list(ops, 0, &mut out);
    out
}

fn encode_list(ops: &[Op], depth: usize, out: &mut Vec<u8>) {
    assert!(depth <= crate::NESTING_MAX, "lists nest deeper than {}", crate::NESTING_MAX);
    for op in ops {
        encode_op(op, depth, out);
    }
}

fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let Ok(len) = u16::try_from(bytes.len()) else { panic!("{} bytes, not at most 65535", bytes.len()) };
    out.extend(len.to_le_bytes());
    out.extend_from_slice(bytes);
}

fn key(key: &Key, out: &mut Vec<u8>) {
    out.push(key.modulus);
    bytes(&key.bytes, out);
}

fn nested(ops: &[Op], depth: usize, out: &mut Vec<u8>) {
    let mut list = Vec::new();
    encode_list(ops, depth + 1, &mut list);
    bytes(&list, out);
}

fn change(opcode: u8, place: &Key, numbers: [u128; 3], out: &mut Vec<u8>) {
    out.push(opcode);
    key(place, out);
    numbers.iter().for_each(|number| out.extend(number.to_le_bytes()));
}

fn encode_op(op: &Op, depth: usize, out: &mut Vec<u8>) {
    match op {
        Op::Input { .. } | Op::Caller | Op::ContractId | Op::Deployer | Op::Height | Op::BatchTime | Op::CallIndex => {
            context(op, out);
        }
        Op::When { .. }
        | Op::Repeat { .. }
        | Op::Descend { .. }
        | Op::Burn { .. }
        | Op::ReturnCode(_)
        | Op::Revert(_)
        | Op::Trap(_) => {
            control(op, depth, out);
        }
        Op::Store { .. } | Op::Load { .. } | Op::Grow { .. } | Op::FoldMemory => memory(op, out),
        _ => state(op, out),
    }
}

fn context(op: &Op, out: &mut Vec<u8>) {
    match op {
        Op::Input { capacity } => {
            out.push(code::INPUT);
            out.extend(capacity.to_le_bytes());
        }
        Op::Caller => out.push(code::CALLER),
        Op::ContractId => out.push(code::CONTRACT_ID),
        Op::Deployer => out.push(code::DEPLOYER),
        Op::Height => out.push(code::HEIGHT),
        Op::BatchTime => out.push(code::BATCH_TIME),
        Op::CallIndex => out.push(code::CALL_INDEX),
        _ => unreachable!("encode_op sorts"),
    }
}

fn state(op: &Op, out: &mut Vec<u8>) {
    match op {
        Op::Get { key: place, capacity } => {
            out.push(code::GET);
            key(place, out);
            out.extend(capacity.to_le_bytes());
        }
        Op::Set { key: place, value } => {
            out.push(code::SET);
            key(place, out);
            bytes(value, out);
        }
        Op::Remove { key: place } => {
            out.push(code::REMOVE);
            key(place, out);
        }
        Op::Max { key: place, value } => {
            out.push(code::MAX);
            key(place, out);
            out.extend(value.to_le_bytes());
        }
        Op::SetOnce { key: place, value } => {
            out.push(code::SET_ONCE);
            key(place, out);
            bytes(value, out);
        }
        Op::Add { key, magnitude, low, high } => change(code::ADD, key, [*magnitude, *low, *high], out),
        Op::Sub { key, magnitude, low, high } => change(code::SUB, key, [*magnitude, *low, *high], out),
        Op::Scan { start, end, direction, limit, capacity } => {
            out.push(code::SCAN);
            bytes(start, out);
            bytes(end, out);
            out.extend(direction.to_le_bytes());
            out.extend(limit.to_le_bytes());
            out.extend(capacity.to_le_bytes());
        }
        Op::Emit { topic, data } => {
            out.push(code::EMIT);
            bytes(topic, out);
            bytes(data, out);
        }
        Op::Hash { algorithm, data } => {
            out.push(code::HASH);
            out.extend(algorithm.to_le_bytes());
            bytes(data, out);
        }
        Op::Verify { algorithm, key, signature, message } => {
            out.push(code::VERIFY);
            out.extend(algorithm.to_le_bytes());
            out.extend_from_slice(key);
            out.extend_from_slice(signature);
            bytes(message, out);
        }
        Op::Ret(data) => {
            out.push(code::RET);
            bytes(data, out);
        }
        Op::Abort(text) => {
            out.push(code::ABORT);
            bytes(text, out);
        }
        Op::SetFromLast { key: place, addend } => {
            out.push(code::SET_FROM_LAST);
            key(place, out);
            out.extend(addend.to_le_bytes());
        }
        Op::Call { contract, method, gas, capacity, arguments } => {
            out.push(code::CALL);
            out.extend_from_slice(contract);
            bytes(method, out);
            out.extend(gas.to_le_bytes());
            out.extend(capacity.to_le_bytes());
            bytes(arguments, out);
        }
        Op::Host { function, arguments } => {
            out.extend([code::HOST, *function]);
            arguments.iter().for_each(|argument| out.extend(argument.to_le_bytes()));
        }
        _ => unreachable!("encode_op sorts"),
    }
}

fn control(op: &Op, depth: usize, out: &mut Vec<u8>) {
    match op {
        Op::When { condition, operand, then } => {
            out.extend([code::WHEN, *condition as u8]);
            out.extend(operand.to_le_bytes());
            nested(then, depth, out);
        }
        Op::Repeat { times, body } => {
            out.push(code::REPEAT);
            out.extend(times.to_le_bytes());
            nested(body, depth, out);
        }
        Op::Descend { levels, then } => {
            out.push(code::DESCEND);
            out.extend(levels.to_le_bytes());
            nested(then, depth, out);
        }
        Op::Burn { turns } => {
            out.push(code::BURN);
            out.extend(turns.to_le_bytes());
        }
        Op::ReturnCode(number) => {
            out.push(code::RETURN_CODE);
            out.extend(number.to_le_bytes());
        }
        Op::Revert(data) => {
            out.push(code::REVERT);
            bytes(data, out);
        }
        Op::Trap(trap) => out.extend([code::TRAP, *trap as u8]),
        _ => unreachable!("encode_op sorts"),
    }
}

fn memory(op: &Op, out: &mut Vec<u8>) {
    match op {
        Op::Store { offset, bytes: data } => {
            out.push(code::STORE);
            out.extend(offset.to_le_bytes());
            bytes(data, out);
        }
        Op::Load { offset, length } => {
            out.push(code::LOAD);
            out.extend(offset.to_le_bytes());
            out.extend(length.to_le_bytes());
        }
        Op::Grow { pages } => {
            out.push(code::GROW);
            out.extend(pages.to_le_bytes());
        }
        Op::FoldMemory => out.push(code::FOLD_MEMORY),
        _ => unreachable!("encode_op sorts"),
    }
}
