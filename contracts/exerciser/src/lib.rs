//! A contract that does what its arguments say: each host function with any operands, accesses that depend on values read, every
//! trap. The engine's equivalence tests generate its scripts.
//!
//! The module has two methods, `run` and `run_again`; their arguments are a script, in the bytes that [`script`] describes. What the host
//! answers goes into the return bytes, so that two executions which saw different answers have different receipts. `run_again` may
//! be called while the contract is being called already.
//!
//! Slots 0x80 to 0xff are ordered.

#![cfg_attr(target_arch = "wasm32", no_std)]

#[cfg(target_arch = "wasm32")]
mod interpreter;
#[cfg(target_arch = "wasm32")]
mod journal;
#[cfg(target_arch = "wasm32")]
mod machine;
mod opcode;
#[cfg(not(target_arch = "wasm32"))]
pub mod script;

pub use opcode::{Condition, Trap};

/// The first ordered slot.
pub const FIRST_ORDERED_SLOT: u8 = 0x80;
/// Bytes of memory that scripts write to and read (`Store` and `Load`).
pub const SCRATCH_BYTES: usize = 40 << 10;
/// Bytes of answers that are returned as they are; beyond, they go into the digest alone.
pub const JOURNAL_BYTES_MAX: usize = 4 << 10;
/// Nesting of `Repeat` and `When`: the interpreter recurses.
pub const NESTING_MAX: usize = 8;

/// Names of methods, each after its length: see `HOST.md`.
#[cfg(target_arch = "wasm32")]
#[unsafe(link_section = "phalanx.reentrant")]
static _REENTRANT: [u8; 10] = *b"\x09run_again";

/// Pairs `00 s`: see `HOST.md`.
#[cfg(target_arch = "wasm32")]
#[unsafe(link_section = "phalanx.ordered")]
static _ORDERED: [u8; 256] = {
    let mut pairs = [0; 256];
    let mut i = 0;
    while i < 128 {
        pairs[2 * i + 1] = FIRST_ORDERED_SLOT + i as u8;
        i += 1;
    }
    pairs
};
