//! Heights of the past as subscribers are told them: the calls that each chose, in parts that a message can hold.
//!
//! A height is looked at once for all: where its receipts and writes begin, and which calls are whose. So a filter costs in
//! proportion to what it chooses, and parts of the whole height are encoded once for all who ask for the same of it.

mod canonical;

use foldhash::quality::RandomState;
use parking_lot::Mutex;
use phalanx_engine::{Address, Batch, Receipts, WriteSet};
use phalanx_proto::history::{Fields, push_call};
use phalanx_proto::{Bytes, v1};
use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::refusal::Refusal;
use super::{address, calls::check_method, encoded};

/// Entries of each list of a filter.
pub(crate) const FILTER_ENTRIES_MAX: usize = 256;
/// Bytes after which a part ends; a single call may exceed it.
const PART_BYTES: usize = 1 << 20;
/// The end of a chain.
const NONE: u32 = u32::MAX;
/// Bytes that a call of an index takes, or of the places of receipts and writes: entries of tables with their spare room.
const CALL_OVERHEAD_BYTES: usize = 128;

/// What a subscriber wants to see.
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

    /// Whether receipt segments are needed.
    pub(crate) fn needs_receipts(&self) -> bool {
        self.form.receipts || self.form.writes
    }

    fn chooses_target(&self, (contract, method): (&Address, &[u8])) -> bool {
        (self.contracts.is_empty() || self.contracts.contains(contract))
            && (self.methods.is_empty() || self.methods.contains(method))
    }
}

/// A height with all that is told of it.
pub(crate) struct Height {
    batch: Batch,
    receipts: Placed,
    writes: Placed,
    index: OnceLock<Index>,
    /// Parts of the whole height, by form.
    wholes: [Mutex<Vec<(u32, Part)>>; Form::COUNT],
    encoded_bytes: AtomicUsize,
}

/// Encoded receipts or writes, with the place where each call's begin.
struct Placed {
    bytes: Vec<u8>,
    /// One more than there are calls; or none, if nobody asks for any.
    starts: Vec<usize>,
}

impl Placed {
    fn of_call(&self, call: u32) -> &[u8] {
        match self.starts.get(call as usize..=call as usize + 1) {
            Some(&[start, end]) => &self.bytes[start..end],
            _ => &[],
        }
    }
}

/// Calls by sender and by target, each a chain in the order of calls.
struct Index {
    senders: HashMap<Address, u32, RandomState>,
    next_of_sender: Vec<u32>,
    targets: Vec<u32>,
    next_of_target: Vec<u32>,
}

/// What a message holds, and the index of the call behind it; `None` at the end of the height.
#[derive(Clone, Default)]
pub(crate) struct Part {
    pub(crate) calls: Bytes,
    /// Instead of these, if the reader wants canonical bytes.
    pub(crate) canonical: Bytes,
    pub(crate) next: Option<u32>,
}

impl Part {
    fn bytes(&self) -> usize {
        self.calls.len() + self.canonical.len()
    }
}

impl Height {
    /// Of the height's batch, and its encoded receipts and writes; without these two it can tell calls alone.
    pub(crate) fn of(batch: Batch, left: Option<(Vec<u8>, Vec<u8>)>) -> Height {
        let (mut receipt_starts, mut write_starts) = (Vec::new(), Vec::new());
        let (receipts, writes) = left.unwrap_or_default();
        if !receipts.is_empty() {
            let lengths = Receipts::new(&receipts).map(|receipt| receipt.record().len());
            receipt_starts = std::iter::once(0)
                .chain(lengths.scan(0, |end, length| {
                    *end += length;
                    Some(*end)
                }))
                .collect();
            let (mut items, mut start) = (WriteSet::new(&writes).peekable(), 0);
            for call in 0..batch.len() as u32 {
                write_starts.push(start);
                while let Some(item) = items.next_if(|item| item.call() <= call) {
                    start += item.record().len();
                }
            }
            write_starts.push(start);
        }
        Height {
            batch,
            receipts: Placed { bytes: receipts, starts: receipt_starts },
            writes: Placed { bytes: writes, starts: write_starts },
            index: OnceLock::new(),
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
        let kept = self.batch.bytes().as_slice().len() + self.receipts.bytes.len() + self.writes.bytes.len();
        // Nothing else depends on it: relaxed is enough.
        kept + self.batch.len() * CALL_OVERHEAD_BYTES + self.encoded_bytes.load(Ordering::Relaxed)
    }

    /// The part that begins at a call. The last one of a height has no `next`; each height has one at least.
    pub(crate) fn part(&self, filter: &Filter, from: u32) -> Part {
        match self.chosen(filter, from) {
            None => self.whole(filter.form, from),
            Some(chosen) => self.encode(&chosen, filter.form),
        }
    }

    /// A part of all calls, that may have been encoded for somebody else.
    fn whole(&self, form: Form, from: u32) -> Part {
        let encode = || self.encode(&(from..self.batch.len() as u32).collect::<Vec<_>>(), form);
        let mut parts = self.wholes[form.number()].lock();
        if let Some((_, part)) = parts.iter().find(|(first, _)| *first == from) {
            return part.clone();
        }
        // Who goes on from elsewhere, as nobody does for long, has parts of their own.
        if parts.last().map_or(0, |(_, part)| part.next.unwrap_or(NONE)) != from {
            drop(parts);
            return encode();
        }
        let part = encode();
        self.encoded_bytes.fetch_add(part.bytes(), Ordering::Relaxed);
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

    /// The calls from an index on that a filter chooses, in order; `None` if it chooses all.
    fn chosen(&self, filter: &Filter, from: u32) -> Option<Vec<u32>> {
        let targets: Vec<bool> = self.batch.targets().map(|target| filter.chooses_target(target)).collect();
        if filter.senders.is_empty() && targets.iter().all(|chosen| *chosen) {
            return None;
        }
        let is_chosen = |call: &u32| *call >= from && targets[self.batch.call(*call as usize).target()];
        if filter.senders.len() > self.batch.len() {
            let calls = (from..self.batch.len() as u32).filter(is_chosen);
            let is_sent = |call: &u32| filter.senders.contains(self.batch.call(*call as usize).sender());
            return Some(calls.filter(is_sent).collect());
        }
        let index = self.index.get_or_init(|| Index::of(&self.batch));
        let mut chosen = Vec::new();
        if filter.senders.is_empty() {
            let heads = index.targets.iter().zip(&targets).filter(|(_, chosen)| **chosen);
            heads.for_each(|(head, _)| chosen.extend(chain(*head, &index.next_of_target).filter(is_chosen)));
        } else {
            let heads = filter.senders.iter().filter_map(|sender| index.senders.get(sender));
            heads.for_each(|head| chosen.extend(chain(*head, &index.next_of_sender).filter(is_chosen)));
        }
        chosen.sort_unstable();
        Some(chosen)
    }
}

impl Index {
    fn of(batch: &Batch) -> Index {
        let mut senders = HashMap::with_capacity_and_hasher(batch.len(), RandomState::default());
        let mut targets = vec![NONE; batch.targets().count()];
        let (mut next_of_sender, mut next_of_target) = (vec![NONE; batch.len()], vec![NONE; batch.len()]);
        // From behind, so that each chain begins with its first call.
        for index in (0..batch.len()).rev() {
            let call = batch.call(index);
            next_of_sender[index] = senders.insert(*call.sender(), index as u32).unwrap_or(NONE);
            next_of_target[index] = std::mem::replace(&mut targets[call.target()], index as u32);
        }
        Index { senders, next_of_sender, targets, next_of_target }
    }
}

fn chain(head: u32, next: &[u32]) -> impl Iterator<Item = u32> {
    std::iter::successors((head != NONE).then_some(head), |&call| {
        let next = next[call as usize];
        (next != NONE).then_some(next)
    })
}

#[cfg(test)]
mod tests;
