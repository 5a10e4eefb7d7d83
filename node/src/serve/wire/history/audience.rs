//! Who chooses a call, of many filters at once.
//!
//! A hundred subscribers that each follow some senders would otherwise look for each of their senders in each height.

use foldhash::quality::RandomState;
use phalanx_engine::{Address, Batch, CallRef};
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::Filter;

/// Filters, a bit each: by their numbers in an audience.
pub(super) type Members = u128;

/// Filters of an audience.
pub(crate) const AUDIENCE_MAX: usize = Members::BITS as usize;

/// Filters, and who of them chooses what.
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

    /// Filters.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.filters.len()
    }

    /// The filters, by their numbers.
    pub(super) fn filters(&self) -> &[Arc<Filter>] {
        &self.filters
    }

    /// Who chooses calls of a batch.
    pub(super) fn choosers(&self, batch: &Batch) -> Choosers<'_> {
        let of_target = |(contract, method): (&Address, &[u8])| self.contracts.of(contract) & self.methods.of(method);
        let targets: Vec<Members> = batch.targets().map(of_target).collect();
        let wholes = targets.iter().fold(self.senders.all, |wholes, of_target| wholes & of_target);
        Choosers { senders: &self.senders, targets, wholes }
    }
}

/// Who chooses calls of a batch.
pub(super) struct Choosers<'a> {
    senders: &'a Choice<Address>,
    /// By what each target is.
    targets: Vec<Members>,
    /// Who chooses all calls.
    pub(super) wholes: Members,
}

impl Choosers<'_> {
    /// Who chooses a call, but for those who choose all.
    pub(super) fn of_call(&self, call: &CallRef<'_>) -> Members {
        let members = self.targets[call.target()] & !self.wholes;
        // Most often nobody is left, or all who are have a list of senders.
        match members & !self.senders.all {
            0 => members,
            _ => members & self.senders.of(call.sender()),
        }
    }
}
