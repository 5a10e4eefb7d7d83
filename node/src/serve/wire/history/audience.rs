//! What all subscribers choose, asked at once: one look at each call of a height tells who is told it.
//!
//! A hundred subscribers that each follow some senders would otherwise look for each of their senders in each height.

use foldhash::quality::RandomState;
use phalanx_engine::{Address, Batch};
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::Filter;

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

/// The calls of a height that each of an audience chooses.
pub(super) struct Routes {
    audience: Arc<Audience>,
    /// Who chooses all calls. They have no list.
    wholes: Members,
    /// Of the filter of each number, in order.
    calls: Vec<Vec<u32>>,
}

/// What a filter chooses of a height.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Chosen<'a> {
    All,
    Calls(&'a [u32]),
}

impl Routes {
    pub(super) fn of(batch: &Batch, audience: Arc<Audience>) -> Routes {
        let Audience { filters, contracts, senders, methods } = &*audience;
        let of_target = |(contract, method): (&Address, &[u8])| contracts.of(contract) & methods.of(method);
        let targets: Vec<Members> = batch.targets().map(of_target).collect();
        let wholes = targets.iter().fold(senders.all, |wholes, of_target| wholes & of_target);
        let mut calls = vec![Vec::new(); filters.len()];
        for index in 0..batch.len() as u32 {
            let call = batch.call(index as usize);
            let mut members = targets[call.target()] & !wholes;
            if members & !senders.all != 0 {
                members &= senders.of(call.sender());
            }
            while members != 0 {
                calls[members.trailing_zeros() as usize].push(index);
                members &= members - 1;
            }
        }
        Routes { audience, wholes, calls }
    }

    /// What a filter chooses; `None` if it is not one of the audience.
    pub(super) fn chosen(&self, filter: &Arc<Filter>) -> Option<Chosen<'_>> {
        let number = self.audience.filters.iter().position(|other| Arc::ptr_eq(other, filter))?;
        Some(match self.wholes >> number & 1 {
            0 => Chosen::Calls(&self.calls[number]),
            _ => Chosen::All,
        })
    }

    /// Bytes of memory that the lists take.
    pub(super) fn bytes(&self) -> usize {
        self.calls.iter().map(|calls| size_of_val(calls) + calls.capacity() * size_of::<u32>()).sum()
    }
}
