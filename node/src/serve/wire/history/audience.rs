//! What all subscribers choose, asked at once: one look at each call of a height tells who is told it.
//!
//! A hundred subscribers that each follow some senders would otherwise look for each of their senders in each height.

use foldhash::quality::RandomState;
use phalanx_engine::Address;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::canonical::{COLUMNS, Gathering};
use super::{Filter, Form, Height, Part};

/// Filters, a bit each: by their numbers in an audience.
type Members = u128;

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
    pub(super) fn of(height: &Height, audience: Arc<Audience>) -> Routes {
        let batch = &height.batch;
        let Audience { filters, contracts, senders, methods } = &*audience;
        let of_target = |(contract, method): (&Address, &[u8])| contracts.of(contract) & methods.of(method);
        let targets: Vec<Members> = batch.targets().map(of_target).collect();
        let wholes = targets.iter().fold(senders.all, |wholes, of_target| wholes & of_target);
        let mut chosen: Vec<Choosing> = filters.iter().map(|filter| Choosing::of(filter.form)).collect();
        // As if all had about the same share. More is found as it is needed.
        let members = filters.len() - wholes.count_ones() as usize;
        let room = height.column_bytes().map(|bytes| (bytes + bytes / 4) / members.max(1));
        for index in 0..batch.len() as u32 {
            let call = batch.call(index as usize);
            let mut members = targets[call.target()] & !wholes;
            if members & !senders.all != 0 {
                members &= senders.of(call.sender());
            }
            while members != 0 {
                chosen[members.trailing_zeros() as usize].add(height, index, &room);
                members &= members - 1;
            }
        }
        chosen.iter_mut().for_each(|chosen| chosen.end(height));
        Routes { audience, wholes, chosen }
    }

    /// What a filter chooses; `None` if it is not one of the audience.
    pub(super) fn chosen(&self, filter: &Arc<Filter>) -> Option<Chosen<'_>> {
        let number = self.audience.filters.iter().position(|other| Arc::ptr_eq(other, filter))?;
        Some(match &self.chosen[number] {
            _ if self.wholes >> number & 1 != 0 => Chosen::All,
            Choosing::Calls(calls) => Chosen::Calls(calls),
            Choosing::Parts(parts) => Chosen::Parts(&parts.ended),
        })
    }

    /// Bytes of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        let of_parts = |parts: &Parts| parts.ended.iter().map(|(_, part)| size_of_val(part) + part.bytes()).sum();
        let of_one = |chosen: &Choosing| match chosen {
            Choosing::Calls(calls) => calls.capacity() * size_of::<u32>(),
            Choosing::Parts(parts) => of_parts(parts),
        };
        self.chosen.iter().map(|chosen| size_of_val(chosen) + of_one(chosen)).sum()
    }
}

impl Choosing {
    fn of(form: Form) -> Choosing {
        match form.canonical {
            true => Choosing::Parts(Parts { form, ended: Vec::new(), from: 0, open: Gathering::default() }),
            false => Choosing::Calls(Vec::new()),
        }
    }

    fn add(&mut self, height: &Height, index: u32, room: &[usize; COLUMNS]) {
        match self {
            Choosing::Calls(calls) => calls.push(index),
            Choosing::Parts(parts) => parts.add(height, index, room),
        }
    }

    fn end(&mut self, height: &Height) {
        if let Choosing::Parts(parts) = self {
            parts.end(height, None);
        }
    }
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
    fn add(&mut self, height: &Height, index: u32, room: &[usize; COLUMNS]) {
        if !self.open.push(height, self.form, index, room) {
            self.end(height, Some(index));
            self.open.push(height, self.form, index, room);
        }
    }

    fn end(&mut self, height: &Height, next: Option<u32>) {
        let part = core::mem::take(&mut self.open).part(height, next);
        self.ended.push((self.from, part));
        self.from = next.unwrap_or(u32::MAX);
    }
}
