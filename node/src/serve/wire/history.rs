//! Heights of the past as subscribers are told them: the calls that each chose, in parts that a message can hold.
//!
//! A height is looked through once for all who are there: which calls are whose (`routes.rs`). So a filter costs in proportion to
//! what it chooses, and parts of the whole height are made once for all who ask for the same of it.

mod audience;
mod canonical;
mod routes;

pub(crate) use self::audience::{AUDIENCE_MAX, Audience};
use self::routes::{Chosen, Routes};
use parking_lot::Mutex;
use phalanx_engine::{Address, Batch, BatchBytes, Executed, Receipts, WriteSet};
use phalanx_proto::history::{EncodedCanonicalCalls, Fields, push_call};
use phalanx_proto::{Bytes, v1};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use super::super::refusal::Refusal;
use super::{address, calls::check_method, encoded};

/// Entries of each list of a filter.
pub(crate) const FILTER_ENTRIES_MAX: usize = 256;
/// Bytes after which a part ends; a single call may exceed it.
const PART_BYTES: usize = 1 << 20;

/// What a subscriber wants to see.
#[derive(PartialEq, Eq)]
pub(crate) struct Filter {
    contracts: HashSet<Address>,
    senders: HashSet<Address>,
    methods: HashSet<Box<[u8]>>,
    form: Form,
}

/// What of each call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Form {
    calls: bool,
    receipts: bool,
    writes: bool,
    canonical: bool,
}

impl Form {
    /// Forms there are.
    const COUNT: usize = 16;

    fn number(self) -> usize {
        usize::from(self.calls)
            | usize::from(self.receipts) << 1
            | usize::from(self.writes) << 2
            | usize::from(self.canonical) << 3
    }
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
        if request.canonical && request.include_writes && !request.include_calls {
            // A write of the contract that was called does not name it.
            return Err(Refusal::malformed(
                "include_calls",
                "canonical writes need the calls, which say whose keys they are",
            ));
        }
        Ok(Filter {
            contracts: asked.contracts.iter().map(|id| address("filter.contracts", id)).collect::<Result<_, _>>()?,
            senders: asked.senders.iter().map(|id| address("filter.senders", id)).collect::<Result<_, _>>()?,
            methods: asked.methods.into_iter().map(|method| method.into_bytes().into()).collect(),
            form: Form {
                calls: request.include_calls,
                receipts: request.include_receipts,
                writes: request.include_writes,
                canonical: request.canonical,
            },
        })
    }

    /// What is needed of a height besides its batch.
    pub(crate) fn needs(&self) -> Kept {
        Kept { receipts: self.form.receipts, writes: self.form.writes }
    }

    fn chooses_target(&self, (contract, method): (&Address, &[u8])) -> bool {
        (self.contracts.is_empty() || self.contracts.contains(contract))
            && (self.methods.is_empty() || self.methods.contains(method))
    }
}

/// What there is, or is needed, of what a batch left.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Kept {
    pub(crate) receipts: bool,
    pub(crate) writes: bool,
}

impl Kept {
    pub(crate) fn or(self, other: Kept) -> Kept {
        Kept { receipts: self.receipts || other.receipts, writes: self.writes || other.writes }
    }

    /// Whether it is anything.
    pub(crate) fn any(self) -> bool {
        self != Kept::default()
    }

    /// Whether it has all that is needed.
    pub(crate) fn serves(self, needed: Kept) -> bool {
        self.or(needed) == self
    }
}

/// A height with all that is told of it.
pub(crate) struct Height {
    batch: Batch,
    kept: Kept,
    receipts: Placed,
    writes: Placed,
    routes: Routes,
    /// Parts of the whole height, by form.
    wholes: [Mutex<Vec<(u32, Part)>>; Form::COUNT],
    encoded_bytes: AtomicUsize,
}

/// Encoded receipts or writes of a batch.
struct Placed {
    bytes: Bytes,
    /// Calls of the batch.
    calls: usize,
    /// Where each call's begin, and where the last one's end; found by `find` when they are first asked for.
    starts: OnceLock<Vec<usize>>,
    find: fn(&[u8], usize) -> Vec<usize>,
}

impl Placed {
    fn new(bytes: Vec<u8>, calls: usize, find: fn(&[u8], usize) -> Vec<usize>) -> Placed {
        Placed { bytes: bytes.into(), calls, starts: OnceLock::new(), find }
    }

    fn starts(&self) -> &[usize] {
        self.starts.get_or_init(|| (self.find)(&self.bytes, self.calls))
    }

    fn of_call(&self, call: u32) -> &[u8] {
        match self.starts().get(call as usize..=call as usize + 1) {
            Some(&[start, end]) => &self.bytes[start..end],
            _ => &[],
        }
    }

    /// The same of calls behind one another, without a copy.
    fn of_calls(&self, calls: Range<u32>) -> Bytes {
        let place = |call: u32| self.starts().get(call as usize).copied().unwrap_or(self.bytes.len());
        self.bytes.slice(place(calls.start)..place(calls.end))
    }

    /// Bytes of memory that it takes.
    fn memory_bytes(&self) -> usize {
        self.bytes.len() + self.starts.get().map_or(0, |starts| size_of_val(&**starts))
    }
}

fn receipt_starts(receipts: &[u8], calls: usize) -> Vec<usize> {
    let mut starts = Vec::with_capacity(calls + 1);
    starts.push(0);
    let mut end = 0;
    starts.extend(Receipts::new(receipts).map(|receipt| {
        end += receipt.record().len();
        end
    }));
    starts
}

fn write_starts(writes: &[u8], calls: usize) -> Vec<usize> {
    let (mut items, mut start) = (WriteSet::new(writes).peekable(), 0);
    let mut starts = Vec::with_capacity(calls + 1);
    for call in 0..calls as u32 {
        starts.push(start);
        while let Some(item) = items.next_if(|item| item.call() <= call) {
            start += item.record().len();
        }
    }
    starts.push(start);
    starts
}

/// What a message holds, and the index of the call behind it; `None` at the end of the height.
#[derive(Clone, Default)]
pub(crate) struct Part {
    pub(crate) calls: Bytes,
    /// Instead of these, if the reader wants canonical bytes.
    pub(crate) canonical: Option<EncodedCanonicalCalls>,
    pub(crate) next: Option<u32>,
}

impl Part {
    pub(crate) fn bytes(&self) -> usize {
        self.calls.len() + self.canonical.as_ref().map_or(0, EncodedCanonicalCalls::piece_bytes)
    }
}

impl Height {
    /// Of a batch, and its encoded receipts and writes if they are kept; without them it can tell calls alone.
    pub(crate) fn of(batch: Batch, left: Option<(Vec<u8>, Vec<u8>)>, audience: &Audience) -> Height {
        let is_kept = left.is_some();
        let kept = Kept { receipts: is_kept, writes: is_kept };
        let (receipts, writes) = left.unwrap_or_default();
        let routes = Routes::of(&batch, kept, (Receipts::new(&receipts), WriteSet::new(&writes)), audience);
        Height::new(batch, kept, (receipts, writes), routes)
    }

    /// Of what was executed. What nobody in the audience needs is not kept.
    pub(crate) fn executed(batch: Batch, executed: &Executed, audience: &Audience) -> Height {
        let all = Kept { receipts: true, writes: true };
        let routes = Routes::of(&batch, all, (executed.receipts(), executed.write_set()), audience);
        let kept = routes.needs();
        let receipts = if kept.receipts { executed.receipts().bytes().into_owned() } else { Vec::new() };
        let writes = if kept.writes { executed.write_set().bytes().into_owned() } else { Vec::new() };
        Height::new(batch, kept, (receipts, writes), routes)
    }

    fn new(batch: Batch, kept: Kept, (receipts, writes): (Vec<u8>, Vec<u8>), routes: Routes) -> Height {
        let calls = batch.len();
        Height {
            batch,
            kept,
            receipts: Placed::new(receipts, calls, receipt_starts),
            writes: Placed::new(writes, calls, write_starts),
            routes,
            wholes: Default::default(),
            encoded_bytes: AtomicUsize::new(0),
        }
    }

    /// The height.
    pub(crate) fn number(&self) -> u64 {
        self.batch.height()
    }

    /// When its batch was cut.
    pub(crate) fn time_ms(&self) -> u64 {
        self.batch.time_ms()
    }

    /// Bytes of memory that it takes, with what was encoded of it so far.
    pub(crate) fn bytes(&self) -> usize {
        let batch = self.batch_bytes().memory_bytes() + self.batch.len() * size_of::<u32>();
        let left = self.receipts.memory_bytes() + self.writes.memory_bytes();
        // Nothing else depends on the number: relaxed is enough.
        batch + left + self.routes.bytes() + self.encoded_bytes.load(Ordering::Relaxed)
    }

    fn batch_bytes(&self) -> &BatchBytes {
        self.batch.bytes()
    }

    /// The records of calls, without a copy.
    fn records(&self, calls: Range<u32>) -> Bytes {
        let records = self.batch.records(calls.start as usize..calls.end as usize);
        Bytes::from_owner(self.batch_bytes().clone()).slice_ref(records)
    }

    /// The part that begins at a call; `None` if what it needs is not kept. The last one of a height has no `next`; each height has
    /// one at least.
    pub(crate) fn part(&self, filter: &Arc<Filter>, from: u32) -> Option<Part> {
        let chosen = self.routes.chosen(filter);
        if let Some(Chosen::Parts(parts)) = chosen
            && let Some((_, part)) = parts.iter().find(|(first, _)| *first == from)
        {
            return Some(part.clone());
        }
        if !self.kept.serves(filter.needs()) {
            return None;
        }
        let looked_for;
        let calls = match chosen {
            Some(Chosen::All) => return Some(self.whole(filter.form, from)),
            Some(Chosen::Calls(calls)) => calls,
            // It came later, or goes on in between.
            Some(Chosen::Parts(_)) | None => {
                looked_for = self.looked_for(filter);
                &looked_for
            }
        };
        if calls.len() == self.batch.len() {
            return Some(self.whole(filter.form, from));
        }
        Some(self.encode(&calls[calls.partition_point(|call| *call < from)..], filter.form))
    }

    /// A part of all calls, that may have been made for somebody else.
    fn whole(&self, form: Form, from: u32) -> Part {
        let make = || match form.canonical {
            true => self.share_canonical(from, form),
            false => self.encode(&(from..self.batch.len() as u32).collect::<Vec<_>>(), form),
        };
        let mut parts = self.wholes[form.number()].lock();
        if let Some((_, part)) = parts.iter().find(|(first, _)| *first == from) {
            return part.clone();
        }
        // Who goes on from elsewhere, as nobody does for long, has parts of their own.
        if parts.last().map_or(0, |(_, part)| part.next.unwrap_or(u32::MAX)) != from {
            drop(parts);
            return make();
        }
        let part = make();
        let own = part.canonical.as_ref().map_or(part.calls.len(), |canonical| canonical.head.len());
        self.encoded_bytes.fetch_add(own, Ordering::Relaxed);
        parts.push((from, part.clone()));
        part
    }

    /// Encodes calls until a part is full.
    fn encode(&self, calls: &[u32], form: Form) -> Part {
        if form.canonical {
            return self.encode_canonical(calls, form);
        }
        let mut encoded = Vec::new();
        for index in calls {
            let start = encoded.len();
            push_call(&mut encoded, |fields| self.history_call(fields, *index, form));
            if encoded.len() > PART_BYTES && start > 0 {
                encoded.truncate(start);
                return Part { calls: encoded.into(), next: Some(*index), ..Part::default() };
            }
        }
        Part { calls: encoded.into(), ..Part::default() }
    }

    /// `HistoryCall`.
    fn history_call(&self, fields: &mut Fields<'_>, index: u32, form: Form) {
        let call = self.batch.call(index as usize);
        let target = self.batch.target_of(&call);
        fields.integer(1, index.into());
        if form.calls {
            fields.message(2, |fields| encoded::call(fields, &call, target));
        }
        if form.receipts
            && let Some(receipt) = Receipts::new(self.receipts.of_call(index)).next()
        {
            fields.message(3, |fields| encoded::receipt(fields, &receipt));
        }
        if form.writes {
            for write in WriteSet::new(self.writes.of_call(index)) {
                fields.message(4, |fields| encoded::write(fields, &write, target.0));
            }
        }
    }

    /// What a filter chooses that was not among those that the height was looked through for.
    fn looked_for(&self, filter: &Filter) -> Vec<u32> {
        let targets: Vec<bool> = self.batch.targets().map(|target| filter.chooses_target(target)).collect();
        let is_chosen = |index: &u32| {
            let call = self.batch.call(*index as usize);
            targets[call.target()] && (filter.senders.is_empty() || filter.senders.contains(call.sender()))
        };
        (0..self.batch.len() as u32).filter(is_chosen).collect()
    }
}

#[cfg(test)]
mod tests;
