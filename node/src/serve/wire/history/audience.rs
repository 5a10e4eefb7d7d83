//! What all subscribers choose, asked at once: one look at each call of a height tells who is told it.
//!
//! A hundred subscribers that each follow some senders would otherwise look for each of their senders in each height.

use foldhash::quality::RandomState;
use phalanx_engine::{Address, Batch, Receipt, Receipts, WriteItem, WriteSet};
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::canonical::{Gathering, Pieces};
use super::{Filter, Form, Left, Part};

/// Filters, a bit each: by their numbers in an audience.
type Members = u128;

/// Calls that are looked at together, before any of them is copied: their senders' places in memory are waited for at once.
const AT_ONCE: usize = 64;

/// Filters of an audience.
pub(crate) const AUDIENCE_MAX: usize = Members::BITS as usize;

/// The filters of all subscribers.
#[derive(Default)]
pub(crate) struct Audience {
    filters: Vec<Arc<Filter>>,
    contracts: Choice<Address>,
    senders: Choice<Address>,
    methods: Choice<Box<[u8]>>,
}

/// Who chooses by one list of a filter.
struct Choice<K> {
    /// Those whose list is empty.
    all: Members,
    some: HashMap<K, Members, RandomState>,
}

impl<K> Default for Choice<K> {
    fn default() -> Choice<K> {
        Choice { all: 0, some: HashMap::default() }
    }
}

impl<K: Eq + Hash + Clone> Choice<K> {
    fn add<'a>(&mut self, member: Members, entries: impl ExactSizeIterator<Item = &'a K>)
    where
        K: 'a,
    {
        if entries.len() == 0 {
            self.all |= member;
        }
        entries.for_each(|entry| *self.some.entry(entry.clone()).or_default() |= member);
    }

    fn of<Q: Eq + Hash + ?Sized>(&self, entry: &Q) -> Members
    where
        K: Borrow<Q>,
    {
        self.all | self.some.get(entry).copied().unwrap_or_default()
    }
}

impl Audience {
    /// Of these filters, [`AUDIENCE_MAX`] at most.
    pub(crate) fn of(filters: Vec<Arc<Filter>>) -> Audience {
        assert!(filters.len() <= AUDIENCE_MAX, "{} filters", filters.len());
        let mut audience = Audience::default();
        for (number, filter) in filters.iter().enumerate() {
            let member = 1 << number;
            audience.contracts.add(member, filter.contracts.iter());
            audience.senders.add(member, filter.senders.iter());
            audience.methods.add(member, filter.methods.iter());
        }
        Audience { filters, ..audience }
    }
}

/// What each filter of an audience chooses of a height.
pub(super) struct Routes {
    audience: Arc<Audience>,
    /// Who chooses all calls. They have nothing else here.
    wholes: Members,
    /// Of the filter of each number.
    chosen: Vec<Choosing>,
    bytes: usize,
}

/// What a filter chooses of a height.
#[derive(Clone, Copy)]
pub(super) enum Chosen<'a> {
    All,
    /// These calls, in order.
    Calls(&'a [u32]),
    /// Calls in canonical bytes, in parts that begin at these cursors' indexes.
    Parts(&'a [(u32, Part)]),
}

/// The same, while it is put together.
enum Choosing {
    Calls(Vec<u32>),
    Parts(Parts),
}

impl Routes {
    /// Of a batch and what it left, as far as it is `kept`. That is looked at only as far as somebody is told it here.
    pub(super) fn of(
        batch: &Batch,
        kept: Left,
        (mut receipts, writes): (Receipts<'_>, WriteSet<'_>),
        audience: Arc<Audience>,
    ) -> Routes {
        let Audience { filters, contracts, senders, methods } = &*audience;
        let of_target = |(contract, method): (&Address, &[u8])| contracts.of(contract) & methods.of(method);
        let targets: Vec<Members> = batch.targets().map(of_target).collect();
        let wholes = targets.iter().fold(senders.all, |wholes, of_target| wholes & of_target);
        let mut chosen: Vec<Choosing> = filters.iter().map(|filter| Choosing::of(filter, kept)).collect();
        let told = |number: &usize| wholes >> number & 1 == 0 && matches!(chosen[*number], Choosing::Parts(_));
        let needed = needs_of(filters, (0..filters.len()).filter(told));
        // As if all had about the same share. More room is found as it is needed.
        let members = filters.len() - wholes.count_ones() as usize;
        let share = batch.len() * 5 / 4 / members.max(1) + 1;
        let (mut writes, mut of_call) = (writes.peekable(), Vec::new());
        let mut members = [0; AT_ONCE];
        for first in (0..batch.len()).step_by(AT_ONCE) {
            let calls = first..batch.len().min(first + AT_ONCE);
            for (members, index) in members.iter_mut().zip(calls.clone()) {
                let call = batch.call(index);
                *members = targets[call.target()] & !wholes;
                if *members & !senders.all != 0 {
                    *members &= senders.of(call.sender());
                }
            }
            for (mut members, index) in members.into_iter().zip(calls) {
                let receipt = if needed.receipts { receipts.next() } else { None };
                if needed.writes {
                    of_call.clear();
                    let is_of_call = |item: &WriteItem<'_>| item.call() as usize <= index;
                    of_call.extend(std::iter::from_fn(|| writes.next_if(is_of_call)).map(|item| item.record()));
                }
                let receipt = receipt.as_ref().map_or(&[][..], Receipt::record);
                while members != 0 {
                    chosen[members.trailing_zeros() as usize].add(batch, index as u32, (receipt, &of_call), share);
                    members &= members - 1;
                }
            }
        }
        chosen.iter_mut().for_each(|chosen| chosen.end(batch));
        let of_parts = |parts: &Parts| parts.ended.iter().map(|(_, part)| size_of_val(part) + part.bytes()).sum();
        let of_one = |chosen: &Choosing| match chosen {
            Choosing::Calls(calls) => calls.capacity() * size_of::<u32>(),
            Choosing::Parts(parts) => of_parts(parts),
        };
        let bytes = chosen.iter().map(|chosen| size_of_val(chosen) + of_one(chosen)).sum();
        Routes { audience, wholes, chosen, bytes }
    }

    /// What a filter chooses; `None` if it is not one of the audience.
    pub(super) fn chosen(&self, filter: &Arc<Filter>) -> Option<Chosen<'_>> {
        let number = self.audience.filters.iter().position(|other| Arc::ptr_eq(other, filter))?;
        Some(self.chosen_by(number))
    }

    fn chosen_by(&self, number: usize) -> Chosen<'_> {
        match &self.chosen[number] {
            _ if self.wholes >> number & 1 != 0 => Chosen::All,
            Choosing::Calls(calls) => Chosen::Calls(calls),
            Choosing::Parts(parts) => Chosen::Parts(&parts.ended),
        }
    }

    /// What the height must have for those who are not told all by what is here.
    pub(super) fn needs(&self) -> Left {
        let others = (0..self.chosen.len()).filter(|number| !matches!(self.chosen_by(*number), Chosen::Parts(_)));
        needs_of(&self.audience.filters, others)
    }

    /// Bytes of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Choosing {
    fn of(filter: &Filter, kept: Left) -> Choosing {
        match filter.form.canonical && kept.serves(filter.needs()) {
            true => {
                Choosing::Parts(Parts { form: filter.form, ended: Vec::new(), from: 0, open: Gathering::default() })
            }
            false => Choosing::Calls(Vec::new()),
        }
    }

    fn add(&mut self, batch: &Batch, index: u32, left: Pieces<'_>, share: usize) {
        match self {
            Choosing::Calls(calls) => calls.push(index),
            Choosing::Parts(parts) => parts.add(batch, index, left, share),
        }
    }

    fn end(&mut self, batch: &Batch) {
        if let Choosing::Parts(parts) = self {
            parts.end(batch, None);
        }
    }
}

fn needs_of(filters: &[Arc<Filter>], numbers: impl Iterator<Item = usize>) -> Left {
    numbers.map(|number| filters[number].needs()).fold(Left::default(), Left::or)
}

/// Calls in canonical bytes, a part after the other.
struct Parts {
    form: Form,
    ended: Vec<(u32, Part)>,
    /// Where the open one begins.
    from: u32,
    open: Gathering,
}

impl Parts {
    fn add(&mut self, batch: &Batch, index: u32, left: Pieces<'_>, share: usize) {
        if !self.open.push(batch, self.form, index, left, share) {
            self.end(batch, Some(index));
            self.open.push(batch, self.form, index, left, share);
        }
    }

    fn end(&mut self, batch: &Batch, next: Option<u32>) {
        let part = core::mem::take(&mut self.open).part(batch, next);
        self.ended.push((self.from, part));
        self.from = next.unwrap_or(u32::MAX);
    }
}
