//! What a call may know about itself.

use crate::{Address, host};

/// Who sent the call; in a nested call, the calling contract.
#[inline(always)]
pub fn caller() -> Address {
    host::caller()
}

/// The contract's own id.
#[inline(always)]
pub fn contract_id() -> Address {
    host::contract_id()
}

/// Who deployed the contract. An upgrade keeps it.
#[inline(always)]
pub fn deployer() -> Address {
    host::deployer()
}

/// The height of the batch that holds the call.
#[inline(always)]
pub fn height() -> u64 {
    host::height()
}

/// The batch's time in milliseconds, set by who cut the batch; it never decreases.
#[inline(always)]
pub fn batch_time() -> u64 {
    host::batch_time()
}

/// The call's index in its batch. With [`height`] it names the call for good.
#[inline(always)]
pub fn call_index() -> u32 {
    host::call_index()
}
