//! Calls of a height as the engine keeps them: pieces of its bytes put together, where messages would cost a dozen fields a call.

use phalanx_engine::{Batch, CallRef};
use phalanx_proto::Bytes;
use phalanx_proto::history::{EncodedCanonicalCalls, Fields};
use std::collections::BTreeMap;

use super::{Form, Height, PART_BYTES, Part};

/// What a call left: its receipt, and its writes one after the other. Nothing of what nobody wants.
pub(super) type Outputs<'a> = (&'a [u8], &'a [&'a [u8]]);

/// Bytes that an index takes at most: a batch has no more calls than fit into three.
const INDEX_BYTES_MAX: usize = 3;
/// Bytes that a target takes at most besides its method's name.
const TARGET_BYTES_MAX: usize = 44;

/// What a part holds so far, as far as its size depends on it.
#[derive(Default)]
struct Extent {
    /// The first call that names each target, by the target's number.
    targets: BTreeMap<usize, u32>,
    /// Target of the last call.
    last: Option<usize>,
    calls: u32,
    bytes: usize,
}

impl Extent {
    /// Adds a call, unless the part is full: a single call may exceed it. `bytes`: of its pieces.
    fn add(&mut self, batch: &Batch, form: Form, index: u32, call: &CallRef<'_>, bytes: usize) -> bool {
        // Nearly all of a batch's calls name one target, and then the last one.
        let is_new = form.calls && self.last != Some(call.target()) && !self.targets.contains_key(&call.target());
        let target = if is_new { TARGET_BYTES_MAX + batch.target_of(call).1.len() } else { 0 };
        let with = self.bytes + INDEX_BYTES_MAX + target + bytes;
        if self.calls > 0 && with > PART_BYTES {
            return false;
        }
        if is_new {
            self.targets.insert(call.target(), index);
        }
        (self.last, self.calls, self.bytes) = (Some(call.target()), self.calls + 1, with);
        true
    }

    /// The fields in front of the columns.
    fn head(&self, batch: &Batch, indexes: impl Iterator<Item = u32> + Clone) -> Bytes {
        let mut head = Vec::with_capacity(self.calls as usize * INDEX_BYTES_MAX + INDEX_BYTES_MAX + 1);
        Fields::of(&mut head).integers(1, indexes.map(u64::from));
        for (number, first) in &self.targets {
            let (contract, method) = batch.target_of(&batch.call(*first as usize));
            Fields::of(&mut head).message(2, |fields| {
                fields.integer(1, *number as u64);
                fields.bytes(2, contract);
                // Decoding has seen to it that it is text.
                fields.bytes(3, method);
            });
        }
        head.into()
    }
}

/// A part that calls are copied into.
#[derive(Default)]
pub(super) struct Gathering {
    extent: Extent,
    indexes: Vec<u32>,
    calls: Vec<u8>,
    receipts: Vec<u8>,
    writes: Vec<u8>,
}

impl Gathering {
    /// Adds a call, unless the part is full. Answers the bytes of its pieces. `expected`: calls that there will be, about.
    pub(super) fn push(
        &mut self,
        batch: &Batch,
        form: Form,
        index: u32,
        (receipt, writes): Outputs<'_>,
        expected: usize,
    ) -> Option<usize> {
        let call = batch.call(index as usize);
        let record = if form.calls { call.record() } else { &[] };
        let receipt = if form.receipts { receipt } else { &[] };
        let writes = if form.writes { writes } else { &[] };
        let bytes = record.len() + receipt.len() + writes.iter().map(|write| write.len()).sum::<usize>();
        if !self.extent.add(batch, form, index, &call, bytes) {
            return None;
        }
        self.indexes.push(index);
        append(&mut self.calls, record, expected);
        append(&mut self.receipts, receipt, expected);
        writes.iter().for_each(|write| append(&mut self.writes, write, expected));
        Some(bytes)
    }

    /// The part. `next`: the call behind it.
    pub(super) fn part(self, batch: &Batch, next: Option<u32>) -> Part {
        if self.indexes.is_empty() {
            return Part { next, ..Part::default() };
        }
        let head = self.extent.head(batch, self.indexes.iter().copied());
        let [calls, receipts, writes] = [self.calls, self.receipts, self.writes].map(fitted);
        Part { canonical: Some(EncodedCanonicalCalls { head, calls, receipts, writes }), next, ..Part::default() }
    }
}

/// A column without the room that it did not need, if that was much.
fn fitted(mut column: Vec<u8>) -> Bytes {
    if column.capacity() - column.len() > column.len() / 2 {
        column.shrink_to_fit();
    }
    column.into()
}

/// Appends a piece to a column, which gets room for as many as are expected, if all are as long as the first.
fn append(column: &mut Vec<u8>, piece: &[u8], expected: usize) {
    if column.capacity() == 0 && !piece.is_empty() {
        column.reserve((piece.len() * expected).min(PART_BYTES));
    }
    column.extend_from_slice(piece);
}

impl Height {
    /// The part that begins at the first of these calls.
    pub(super) fn encode_canonical(&self, calls: &[u32], form: Form) -> Part {
        let mut part = Gathering::default();
        let is_full = |call: &&u32| {
            let outputs: Outputs<'_> = (self.receipts.of_call(**call), &[self.writes.of_call(**call)]);
            part.push(&self.batch, form, **call, outputs, calls.len()).is_none()
        };
        let next = calls.iter().find(is_full).copied();
        part.part(&self.batch, next)
    }

    /// The part of all calls from one on. It shares the height's bytes.
    pub(super) fn share_canonical(&self, from: u32, form: Form) -> Part {
        let (end, mut extent) = (self.batch.len() as u32, Extent::default());
        let is_full = |index: &u32| {
            let call = self.batch.call(*index as usize);
            let record = if form.calls { call.record().len() } else { 0 };
            let receipt = if form.receipts { self.receipts.of_call(*index).len() } else { 0 };
            let writes = if form.writes { self.writes.of_call(*index).len() } else { 0 };
            !extent.add(&self.batch, form, *index, &call, record + receipt + writes)
        };
        let next = (from..end).find(is_full);
        let calls = from.min(end)..next.unwrap_or(end);
        if calls.is_empty() {
            return Part::default();
        }
        let records = if form.calls { self.records(calls.clone()) } else { Bytes::new() };
        let receipts = if form.receipts { self.receipts.of_calls(calls.clone()) } else { Bytes::new() };
        let writes = if form.writes { self.writes.of_calls(calls.clone()) } else { Bytes::new() };
        let head = extent.head(&self.batch, calls);
        let canonical = Some(EncodedCanonicalCalls { head, calls: records, receipts, writes });
        Part { canonical, next, ..Part::default() }
    }
}
