//! What host functions know of the running call.

use super::guest::Guest;
use super::nested::Nested;
use crate::batch::{Address, BatchBytes};
use crate::outcome::Outcome;
use crate::prepare::OrderedSlots;
use core::ops::Range;
use phalanx_scheduler::{ContractIndex, View};
use std::sync::Arc;
use wasmtime::{Memory, ResourceLimiter};

/// Data of an instance's store.
pub(crate) struct Host {
    /// The running call's frame; it moves in when the instance is entered and out when it is left.
    pub(crate) frame: Option<Box<Frame>>,
    pub(crate) guest: Guest,
    /// To look the memory's length up again after the guest may have grown it.
    pub(crate) memory: Option<Memory>,
    /// Whether the guest has grown its memory since this was last set to false. A hook tells, so that a call need not ask.
    pub(crate) grown: bool,
    /// Whether the grow that was last asked for is one that only the host can fail.
    pub(crate) may_grow: bool,
}

impl ResourceLimiter for Host {
    fn memory_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.grown = true;
        // The module's own maximum is the limit; the preparation pass has seen to that.
        self.may_grow = maximum.is_none_or(|maximum| desired <= maximum);
        Ok(true)
    }

    /// A grow beyond the maximum is the guest's affair: it sees −1. One that fails for want of memory would show the guest
    /// what the host is short of; it is a fault of ours and stops the engine.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        if core::mem::take(&mut self.may_grow) { Err(error) } else { Ok(()) }
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

/// A contract that a batch calls.
pub(crate) struct TargetContract {
    pub(crate) index: ContractIndex,
    pub(crate) id: Address,
    pub(crate) deployer: Address,
    pub(crate) ordered: OrderedSlots,
}

/// The running call, and the buffers of its batch, which are handed from call to call.
pub(crate) struct Frame {
    /// What the call sees of the state.
    pub(crate) view: Option<Box<View>>,
    /// The batch, in which sender and arguments stand; in a nested call, those alone.
    pub(crate) batch: BatchBytes,
    pub(crate) height: u64,
    pub(crate) time_ms: u64,
    /// Contracts of the batch's targets; in a nested call, the one that is called.
    pub(crate) contracts: Arc<[TargetContract]>,
    /// The called one's place among them.
    pub(crate) contract: usize,
    /// The running call's index in the batch.
    pub(crate) call_index: u32,
    /// Start of the sender's address there.
    pub(crate) sender: usize,
    pub(crate) arguments: Range<usize>,
    /// Receipts of the run so far; events of the running call are appended as they come.
    pub(crate) receipts: Vec<u8>,
    pub(crate) events: u8,
    pub(crate) return_bytes: Vec<u8>,
    /// Why a host function ended the call.
    pub(crate) halt: Option<Outcome>,
    /// Why the call ended as it did: what `abort` said, or which limit was passed. Beside the receipt, never in it.
    pub(crate) explanation: Option<String>,
    /// Where `scan` lays out its entries before they are copied.
    pub(crate) scratch: Vec<u8>,
    /// What the call needs if it calls other contracts.
    pub(crate) nested: Nested,
}

impl Frame {
    #[inline]
    pub(crate) fn called(&self) -> &TargetContract {
        &self.contracts[self.contract]
    }

    #[inline]
    pub(crate) fn view(&mut self) -> &mut View {
        self.view.as_mut().expect("the view is in the frame while a call runs")
    }
}

/// The error with which a host function leaves the guest; the reason is in the frame.
#[derive(Debug)]
pub(crate) struct Halt;

impl core::fmt::Display for Halt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a host function ended the call")
    }
}

impl core::error::Error for Halt {}
