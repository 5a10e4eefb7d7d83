//! The host of a module: its imports.

use core::mem::MaybeUninit;

use super::{CallEnd, HashAlgorithm, ScanEnd, Scanned, raw};
use crate::nested::OutcomeCode;
use crate::{Address, Direction};

/// Copies the first bytes of the arguments to `out`; the whole length, which may be more than `out` holds.
#[inline(always)]
pub fn input(out: &mut [MaybeUninit<u8>]) -> usize {
    // SAFETY: the host writes at most `out.len()` bytes at `out`.
    unsafe { raw::input(out.as_mut_ptr().cast(), out.len()) }
}

/// Makes `bytes` the return bytes.
#[inline(always)]
pub fn ret(bytes: &[u8]) {
    // SAFETY: the host reads `bytes`.
    unsafe { raw::ret(bytes.as_ptr(), bytes.len()) }
}

#[inline(always)]
fn address(write: unsafe extern "C" fn(*mut u8)) -> Address {
    let mut bytes = MaybeUninit::<[u8; 32]>::uninit();
    // SAFETY: the host writes 32 bytes, which are all of the array.
    Address::from_words(unsafe {
        write(bytes.as_mut_ptr().cast());
        bytes.assume_init_ref()
    })
}

/// See [`crate::caller`].
#[inline(always)]
pub fn caller() -> Address {
    address(raw::caller)
}

/// See [`crate::contract_id`].
#[inline(always)]
pub fn contract_id() -> Address {
    address(raw::contract_id)
}

/// See [`crate::deployer`].
#[inline(always)]
pub fn deployer() -> Address {
    address(raw::deployer)
}

/// See [`crate::height`].
#[inline(always)]
pub fn height() -> u64 {
    // SAFETY: it touches no memory.
    unsafe { raw::height() }
}

/// See [`crate::batch_time`].
#[inline(always)]
pub fn batch_time() -> u64 {
    // SAFETY: it touches no memory.
    unsafe { raw::batch_time() }
}

/// See [`crate::call_index`].
#[inline(always)]
pub fn call_index() -> u32 {
    // SAFETY: it touches no memory.
    unsafe { raw::call_index() }
}

/// Copies the value's first bytes to `out`; its whole length, or `None` if the key is absent.
#[inline(always)]
pub fn get(key: &[u8], out: &mut [MaybeUninit<u8>]) -> Option<usize> {
    // SAFETY: the host reads `key` and writes at most `out.len()` bytes at `out`.
    let len = unsafe { raw::get(key.as_ptr(), key.len(), out.as_mut_ptr().cast(), out.len()) };
    usize::try_from(len).ok()
}

/// Makes `value` the key's value.
#[inline(always)]
pub fn set(key: &[u8], value: &[u8]) {
    // SAFETY: the host reads both.
    unsafe { raw::set(key.as_ptr(), key.len(), value.as_ptr(), value.len()) }
}

/// Makes the key absent.
#[inline(always)]
pub fn remove(key: &[u8]) {
    // SAFETY: the host reads `key`.
    unsafe { raw::remove(key.as_ptr(), key.len()) }
}

#[inline(always)]
const fn halves(number: u128) -> (u64, u64) {
    (number as u64, (number >> 64) as u64)
}

/// Adds `magnitude`; whether it was applied, that is, the sum lies within `low` to `high`.
#[inline(always)]
pub fn add(key: &[u8], magnitude: u128, low: u128, high: u128) -> bool {
    let ((m, mh), (l, lh), (h, hh)) = (halves(magnitude), halves(low), halves(high));
    // SAFETY: the host reads `key`.
    unsafe { raw::add(key.as_ptr(), key.len(), m, mh, l, lh, h, hh) != 0 }
}

/// Subtracts `magnitude`; whether it was applied, that is, the difference lies within `low` to `high`.
#[inline(always)]
pub fn sub(key: &[u8], magnitude: u128, low: u128, high: u128) -> bool {
    let ((m, mh), (l, lh), (h, hh)) = (halves(magnitude), halves(low), halves(high));
    // SAFETY: the host reads `key`.
    unsafe { raw::sub(key.as_ptr(), key.len(), m, mh, l, lh, h, hh) != 0 }
}

/// Raises the value to `value`, if it is less.
#[inline(always)]
pub fn max(key: &[u8], value: u128) {
    let (low, high) = halves(value);
    // SAFETY: the host reads `key`.
    unsafe { raw::max(key.as_ptr(), key.len(), low, high) }
}

/// Makes `value` the key's value where there is none; whether it did.
#[inline(always)]
pub fn set_once(key: &[u8], value: &[u8]) -> bool {
    // SAFETY: the host reads both.
    unsafe { raw::set_once(key.as_ptr(), key.len(), value.as_ptr(), value.len()) != 0 }
}

/// Reads entries with `start` ≤ key < `end` (empty: the slot's end) into `out`, in the interface's layout.
#[inline(always)]
pub fn scan(start: &[u8], end: &[u8], direction: Direction, limit: usize, out: &mut [MaybeUninit<u8>]) -> Scanned {
    // SAFETY: the host reads `start` and `end` and writes at most `out.len()` bytes at `out`.
    let answer = unsafe {
        raw::scan(
            start.as_ptr(),
            start.len(),
            end.as_ptr(),
            end.len(),
            direction as i32,
            limit,
            out.as_mut_ptr().cast(),
            out.len(),
        )
    };
    let end = match answer >> 56 {
        0 => ScanEnd::Exhausted,
        1 => ScanEnd::Limit,
        _ => ScanEnd::Full,
    };
    Scanned { end, entries: (answer >> 32 & 0xff_ffff) as usize, bytes: answer as u32 as usize }
}

/// Appends an event.
#[inline(always)]
pub fn emit(topic: &[u8], data: &[u8]) {
    // SAFETY: the host reads both.
    unsafe { raw::emit(topic.as_ptr(), topic.len(), data.as_ptr(), data.len()) }
}

/// Hashes `data`.
#[inline(always)]
pub fn hash(algorithm: HashAlgorithm, data: &[u8]) -> [u8; 32] {
    let mut out = MaybeUninit::<[u8; 32]>::uninit();
    // SAFETY: the host reads `data` and writes 32 bytes, all of `out`.
    unsafe {
        raw::hash(algorithm as i32, data.as_ptr(), data.len(), out.as_mut_ptr().cast());
        out.assume_init()
    }
}

/// See [`crate::signature::ed25519`].
#[inline(always)]
pub fn verify_ed25519(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    // SAFETY: the host reads all three.
    unsafe { raw::verify(0, key.as_ptr(), message.as_ptr(), message.len(), signature.as_ptr()) != 0 }
}

/// Calls a method of another contract with at most `gas`, and copies the first bytes that it returns to `out`.
#[inline(always)]
pub fn call(contract: &Address, method: &str, arguments: &[u8], gas: u64, out: &mut [MaybeUninit<u8>]) -> CallEnd {
    // SAFETY: the host reads 32 bytes of the address, `method` and `arguments`, and writes at most `out.len()` bytes at `out`.
    let answer = unsafe {
        raw::call(
            contract.0.as_ptr(),
            method.as_ptr(),
            method.len(),
            arguments.as_ptr(),
            arguments.len(),
            gas,
            out.as_mut_ptr().cast(),
            out.len(),
        )
    };
    CallEnd { outcome: OutcomeCode((answer >> 32) as u8), bytes: answer as u32 as usize }
}

/// Ends the call; see [`crate::abort`].
#[inline(always)]
pub fn abort(text: &[u8]) -> ! {
    // SAFETY: the host reads `text` and does not return.
    unsafe { raw::abort(text.as_ptr(), text.len()) }
}
