//! The host of native code: this thread's test ledger. The functions are those of a module's imports.

use core::mem::MaybeUninit;

use super::{CallEnd, HashAlgorithm, ScanEnd, Scanned};
use crate::test::Failure;
use crate::test::ledger::{Ledger, with};
use crate::{Address, Direction};

/// Runs `act` on the ledger; a failure ends the call as a trap would, once the ledger is free again.
fn act<R>(act: impl FnOnce(&mut Ledger) -> Result<R, Failure>) -> R {
    with(act).unwrap_or_else(|failure| failure.end_call())
}

/// Copies as much of `bytes` as fits.
fn copy(bytes: &[u8], out: &mut [MaybeUninit<u8>]) {
    let len = bytes.len().min(out.len());
    out[..len].write_copy_of_slice(&bytes[..len]);
}

/// Copies the first bytes of the arguments to `out`; the whole length, which may be more than `out` holds.
pub fn input(out: &mut [MaybeUninit<u8>]) -> usize {
    with(|ledger| {
        copy(&ledger.arguments, out);
        ledger.arguments.len()
    })
}

/// Makes `bytes` the return bytes.
pub fn ret(bytes: &[u8]) {
    act(|ledger| ledger.ret(bytes));
}

/// See [`crate::caller`].
pub fn caller() -> Address {
    with(|ledger| ledger.caller)
}

/// See [`crate::contract_id`].
pub fn contract_id() -> Address {
    with(|ledger| ledger.contract_id)
}

/// See [`crate::deployer`].
pub fn deployer() -> Address {
    with(|ledger| ledger.deployer())
}

/// See [`crate::height`].
pub fn height() -> u64 {
    with(|ledger| ledger.height)
}

/// See [`crate::batch_time`].
pub fn batch_time() -> u64 {
    with(|ledger| ledger.batch_time)
}

/// See [`crate::call_index`].
pub fn call_index() -> u32 {
    with(|ledger| ledger.call_index)
}

/// Copies the value's first bytes to `out`; its whole length, or `None` if the key is absent.
pub fn get(key: &[u8], out: &mut [MaybeUninit<u8>]) -> Option<usize> {
    act(|ledger| {
        let value = ledger.get(key)?;
        Ok(value.map(|value| {
            copy(value, out);
            value.len()
        }))
    })
}

/// Makes `value` the key's value.
pub fn set(key: &[u8], value: &[u8]) {
    act(|ledger| ledger.set(key, value));
}

/// Makes the key absent.
pub fn remove(key: &[u8]) {
    act(|ledger| ledger.remove(key));
}

/// Adds `magnitude`; whether it was applied, that is, the sum lies within `low` to `high`.
pub fn add(key: &[u8], magnitude: u128, low: u128, high: u128) -> bool {
    act(|ledger| ledger.change(key, |value| value.checked_add(magnitude), low, high))
}

/// Subtracts `magnitude`; whether it was applied, that is, the difference lies within `low` to `high`.
pub fn sub(key: &[u8], magnitude: u128, low: u128, high: u128) -> bool {
    act(|ledger| ledger.change(key, |value| value.checked_sub(magnitude), low, high))
}

/// Raises the value to `value`, if it is less.
pub fn max(key: &[u8], value: u128) {
    // The bounds are the widest, so it is never refused.
    act(|ledger| ledger.change(key, |before| Some(before.max(value)), 0, u128::MAX));
}

/// Makes `value` the key's value where there is none; whether it did.
pub fn set_once(key: &[u8], value: &[u8]) -> bool {
    act(|ledger| ledger.set_once(key, value))
}

/// Reads entries with `start` ≤ key < `end` (empty: the slot's end) into `out`, in the interface's layout.
pub fn scan(start: &[u8], end: &[u8], direction: Direction, limit: usize, out: &mut [MaybeUninit<u8>]) -> Scanned {
    act(|ledger| {
        let mut answer = Vec::new();
        let mut entries = 0;
        let mut reason = ScanEnd::Exhausted;
        for (key, value) in ledger.range(start, end, direction, limit)? {
            if entries == limit {
                reason = ScanEnd::Limit;
                break;
            }
            if answer.len() + 6 + key.len() + value.len() > out.len() {
                reason = ScanEnd::Full;
                break;
            }
            answer.extend(u16::try_from(key.len()).unwrap_or(u16::MAX).to_le_bytes());
            answer.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
            answer.extend_from_slice(key);
            answer.extend_from_slice(value);
            entries += 1;
        }
        copy(&answer, out);
        Ok(Scanned { end: reason, entries, bytes: answer.len() })
    })
}

/// Appends an event.
pub fn emit(topic: &[u8], data: &[u8]) {
    act(|ledger| ledger.emit(topic, data));
}

/// Hashes `data`.
pub fn hash(algorithm: HashAlgorithm, data: &[u8]) -> [u8; 32] {
    use sha3::Digest as _;
    match algorithm {
        HashAlgorithm::Blake3 => blake3::hash(data).into(),
        HashAlgorithm::Sha256 => sha2::Sha256::digest(data).into(),
        HashAlgorithm::Keccak256 => sha3::Keccak256::digest(data).into(),
    }
}

/// See [`crate::signature::ed25519`].
pub fn verify_ed25519(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let signature = ed25519_zebra::Signature::from_bytes(signature);
    ed25519_zebra::VerificationKey::try_from(*key).is_ok_and(|key| key.verify(&signature, message).is_ok())
}

/// Calls a method of another contract, and copies the first bytes that it returns to `out`. Gas is not counted here.
pub fn call(contract: &Address, method: &str, arguments: &[u8], _gas: u64, out: &mut [MaybeUninit<u8>]) -> CallEnd {
    let (outcome, returned) = crate::test::nested::call(*contract, method, arguments);
    copy(&returned, out);
    CallEnd { outcome, bytes: returned.len() }
}

/// Ends the call; see [`crate::abort`].
pub fn abort(text: &[u8]) -> ! {
    let text = &text[..text.len().min(crate::test::ledger::ABORT_TEXT_BYTES_MAX)];
    Failure::Aborted(String::from_utf8_lossy(text).into_owned()).end_call()
}
