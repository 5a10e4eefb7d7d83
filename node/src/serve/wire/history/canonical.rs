//! Calls of a height as the engine keeps them: pieces of its bytes put together, where messages would cost a dozen fields a call.

use phalanx_engine::CallRef;
use phalanx_proto::Bytes;
use phalanx_proto::history::{EncodedCanonicalCalls, Fields};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{Form, Height, PART_BYTES, Part};

/// Columns of a message: calls, receipts and writes.
pub(super) const COLUMNS: usize = 3;
/// Bytes that an index takes at most: a batch has no more calls than fit into three.
const INDEX_BYTES_MAX: usize = 3;
/// Bytes that a target takes at most besides its method's name.
const TARGET_BYTES_MAX: usize = 44;

/// What a part holds so far, as far as its size depends on it.
#[derive(Default)]
struct Extent {
    /// The first call that names each target, by the target's number.
    targets: BTreeMap<usize, u32>,
    calls: u32,
    bytes: usize,
}

impl Extent {
    /// Adds a call, unless the part is full: a single call may exceed it. `bytes`: of its pieces.
    fn add(&mut self, height: &Height, form: Form, index: u32, call: &CallRef<'_>, bytes: usize) -> bool {
        let place = if form.calls { Some(self.targets.entry(call.target())) } else { None };
        let target = match &place {
            Some(Entry::Vacant(_)) => TARGET_BYTES_MAX + height.batch.target_of(call).1.len(),
            _ => 0,
        };
        let with = self.bytes + INDEX_BYTES_MAX + target + bytes;
        if self.calls > 0 && with > PART_BYTES {
            return false;
        }
        if let Some(place) = place {
            place.or_insert(index);
        }
        (self.calls, self.bytes) = (self.calls + 1, with);
        true
    }

    /// The fields in front of the columns.
    fn head(&self, height: &Height, indexes: impl Iterator<Item = u32> + Clone) -> Bytes {
        let mut head = Vec::with_capacity(self.calls as usize * INDEX_BYTES_MAX + INDEX_BYTES_MAX + 1);
        Fields::of(&mut head).integers(1, indexes.map(u64::from));
        for (number, first) in &self.targets {
            let (contract, method) = height.batch.target_of(&height.batch.call(*first as usize));
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
    columns: [Vec<u8>; COLUMNS],
}

impl Gathering {
    /// Adds a call, unless the part is full. `room`: the bytes that each column will need, about.
    pub(super) fn push(&mut self, height: &Height, form: Form, index: u32, room: &[usize; COLUMNS]) -> bool {
        let call = height.batch.call(index as usize);
        let pieces = [
            if form.calls { call.record() } else { &[] },
            if form.receipts { height.receipts.of_call(index) } else { &[] },
            if form.writes { height.writes.of_call(index) } else { &[] },
        ];
        if !self.extent.add(height, form, index, &call, pieces.iter().map(|piece| piece.len()).sum()) {
            return false;
        }
        self.indexes.push(index);
        for ((column, piece), room) in self.columns.iter_mut().zip(pieces).zip(room) {
            if column.capacity() == 0 && !piece.is_empty() {
                column.reserve(*room);
            }
            column.extend_from_slice(piece);
        }
        true
    }

    /// The part. `next`: the call behind it.
    pub(super) fn part(self, height: &Height, next: Option<u32>) -> Part {
        if self.indexes.is_empty() {
            return Part { next, ..Part::default() };
        }
        let head = self.extent.head(height, self.indexes.iter().copied());
        let [calls, receipts, writes] = self.columns.map(Bytes::from);
        Part { canonical: Some(EncodedCanonicalCalls { head, calls, receipts, writes }), next, ..Part::default() }
    }
}

impl Height {
    /// The part that begins at the first of these calls.
    pub(super) fn encode_canonical(&self, calls: &[u32], form: Form) -> Part {
        let mut part = Gathering::default();
        let full = calls.iter().find(|call| !part.push(self, form, **call, &[0; COLUMNS]));
        part.part(self, full.copied())
    }

    /// The part of all calls from one on. It shares the height's bytes.
    pub(super) fn share_canonical(&self, from: u32, form: Form) -> Part {
        let (end, mut extent) = (self.batch.len() as u32, Extent::default());
        let is_full = |index: &u32| {
            let call = self.batch.call(*index as usize);
            let pieces = [
                if form.calls { call.record().len() } else { 0 },
                if form.receipts { self.receipts.of_call(*index).len() } else { 0 },
                if form.writes { self.writes.of_call(*index).len() } else { 0 },
            ];
            !extent.add(self, form, *index, &call, pieces.iter().sum())
        };
        let next = (from..end).find(is_full);
        let calls = from.min(end)..next.unwrap_or(end);
        if calls.is_empty() {
            return Part::default();
        }
        let records = if form.calls { self.records(calls.clone()) } else { Bytes::new() };
        let receipts = if form.receipts { self.receipts.of_calls(calls.clone()) } else { Bytes::new() };
        let writes = if form.writes { self.writes.of_calls(calls.clone()) } else { Bytes::new() };
        let head = extent.head(self, calls);
        let canonical = Some(EncodedCanonicalCalls { head, calls: records, receipts, writes });
        Part { canonical, next, ..Part::default() }
    }
}
