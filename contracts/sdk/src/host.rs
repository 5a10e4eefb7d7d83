//! The host interface as safe functions: the same bytes and answers as `HOST.md`, on both targets.
//!
//! Contracts use the typed layer above; this one is for values and keys that have no type.

use core::mem::MaybeUninit;

use crate::nested::OutcomeCode;

#[cfg(target_arch = "wasm32")]
pub mod raw;

#[cfg(not(target_arch = "wasm32"))]
#[path = "host/ledger.rs"]
mod imp;
#[cfg(target_arch = "wasm32")]
#[path = "host/imports.rs"]
mod imp;

pub use imp::{
    abort, add, batch_time, call, call_index, caller, contract_id, deployer, emit, get, hash, height, input, max,
    remove, ret, scan, set, set_once, sub, verify_ed25519,
};

/// A hash function of the host; the number is the interface's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum HashAlgorithm {
    /// BLAKE3.
    Blake3 = 0,
    /// SHA-256.
    Sha256 = 1,
    /// Keccak-256.
    Keccak256 = 2,
}

/// Why a scan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanEnd {
    /// There are no more entries in the range.
    Exhausted,
    /// The limit was reached.
    Limit,
    /// The next entry does not fit into the buffer.
    Full,
}

/// What a scan answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// Why it ended.
    pub end: ScanEnd,
    /// Entries in the buffer.
    pub entries: usize,
    /// Bytes of them.
    pub bytes: usize,
}

/// How a call of another contract ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallEnd {
    /// The engine's outcome.
    pub outcome: OutcomeCode,
    /// Bytes that the method returned, which may be more than the buffer holds. None unless it succeeded or reverted.
    pub bytes: usize,
}

/// An uninitialised buffer of `N` bytes.
#[inline(always)]
pub const fn buffer<const N: usize>() -> [MaybeUninit<u8>; N] {
    [const { MaybeUninit::uninit() }; N]
}
