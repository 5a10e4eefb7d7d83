//! Heights of the past as a subscriber sees them: the calls that it chose, in parts that a message can hold.

use phalanx_engine::{Address, Batch, CallRef, Receipt, Receipts, WriteItem, WriteSet};
use phalanx_proto::v1;
use std::collections::HashSet;
use std::iter::Peekable;

use super::super::refusal::Refusal;
use super::{address, calls::check_method, copied, receipts};
use phalanx_proto::Message;

/// Entries of each list of a filter.
pub(crate) const FILTER_ENTRIES_MAX: usize = 256;
/// Bytes after which a part ends; a single call may exceed it.
const PART_BYTES: usize = 1 << 20;

/// What a subscriber wants to see.
pub(crate) struct Filter {
    contracts: HashSet<Address>,
    senders: HashSet<Address>,
    methods: HashSet<Box<[u8]>>,
    calls: bool,
    receipts: bool,
    writes: bool,
}

/// A message, and the index of the call behind it; `None` at the end of the height.
pub(crate) struct Part {
    pub(crate) calls: Vec<v1::HistoryCall>,
    pub(crate) next: Option<u32>,
}

impl Filter {
    /// Checks what is asked for.
    pub(crate) fn of(request: &v1::SubscribeRequest) -> Result<Filter, Refusal> {
        let asked = request.filter.clone().unwrap_or_default();
        let bounded = |field: &str, entries: usize| match entries <= FILTER_ENTRIES_MAX {
            true => Ok(()),
            false => Err(Refusal::limit(field, "filter_entries", entries as u64, FILTER_ENTRIES_MAX as u64)),
        };
        bounded("filter.contracts", asked.contracts.len())?;
        bounded("filter.senders", asked.senders.len())?;
        bounded("filter.methods", asked.methods.len())?;
        asked.methods.iter().try_for_each(|method| check_method("filter.methods", method))?;
        Ok(Filter {
            contracts: asked.contracts.iter().map(|id| address("filter.contracts", id)).collect::<Result<_, _>>()?,
            senders: asked.senders.iter().map(|id| address("filter.senders", id)).collect::<Result<_, _>>()?,
            methods: asked.methods.into_iter().map(|method| method.into_bytes().into()).collect(),
            calls: request.include_calls,
            receipts: request.include_receipts,
            writes: request.include_writes,
        })
    }

    /// Whether receipt segments are needed.
    pub(crate) fn needs_receipts(&self) -> bool {
        self.receipts || self.writes
    }

    fn chooses(&self, batch: &Batch, call: &CallRef<'_>) -> bool {
        let (contract, method) = batch.target_of(call);
        (self.contracts.is_empty() || self.contracts.contains(contract))
            && (self.senders.is_empty() || self.senders.contains(call.sender()))
            && (self.methods.is_empty() || self.methods.contains(method))
    }
}

/// Cuts a height, from a call index on, into parts: at least one, the last with `next` missing. `deliver` answers whether to
/// go on. Receipts and writes are the height's, encoded; empty if the filter does not need them.
pub(crate) fn parts(
    batch: &Batch,
    (encoded_receipts, encoded_writes): (&[u8], &[u8]),
    from: u32,
    filter: &Filter,
    mut deliver: impl FnMut(Part) -> bool,
) -> bool {
    let mut receipts = Receipts::new(encoded_receipts);
    let mut writes = WriteSet::new(encoded_writes).peekable();
    let (mut calls, mut bytes) = (Vec::new(), 0);
    for index in 0..batch.len() as u32 {
        let receipt = receipts.next();
        let call = batch.call(index as usize);
        if index < from || !filter.chooses(batch, &call) {
            while writes.next_if(|write| write.call() <= index).is_some() {}
            continue;
        }
        let chosen = history_call(batch, index, &call, receipt.as_ref(), &mut writes, filter);
        let size = chosen.encoded_len();
        if bytes + size > PART_BYTES && !calls.is_empty() {
            if !deliver(Part { calls: std::mem::take(&mut calls), next: Some(index) }) {
                return false;
            }
            bytes = 0;
        }
        bytes += size;
        calls.push(chosen);
    }
    deliver(Part { calls, next: None })
}

fn history_call<'a>(
    batch: &Batch,
    index: u32,
    call: &CallRef<'_>,
    receipt: Option<&Receipt<'_>>,
    writes: &mut Peekable<impl Iterator<Item = WriteItem<'a>>>,
    filter: &Filter,
) -> v1::HistoryCall {
    let (contract, method) = batch.target_of(call);
    let mut written = Vec::new();
    while let Some(write) = writes.next_if(|write| write.call() <= index) {
        if filter.writes && write.call() == index {
            written.push(receipts::write(&write, contract));
        }
    }
    v1::HistoryCall {
        index,
        call: filter.calls.then(|| v1::Call {
            contract: copied(contract),
            method: String::from_utf8_lossy(method).into_owned(),
            sender: copied(call.sender()),
            arguments: copied(call.arguments()),
            gas_limit: call.gas_limit(),
            id: call.id().map(|id| copied(id)),
            signature: call.signature().map(|signature| copied(signature)),
        }),
        receipt: receipt.filter(|_| filter.receipts).map(|receipt| receipts::receipt(receipt, copied)),
        writes: written,
    }
}
