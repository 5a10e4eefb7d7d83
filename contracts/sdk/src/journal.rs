//! Journals: entries in the order of calls.

use core::marker::PhantomData;
use core::ops::{Bound, RangeBounds};

use crate::ordered::{Direction, OrderedMap};
use crate::state::{Item, Refused};
use crate::wire::Wire;
use crate::{OrAbort, call_index, height};

/// Where an element stands: (height, index of the call in its batch, number within the call).
pub type Place = (u64, u32, u16);

/// Elements in the order in which calls appended them.
///
/// An element lies under the place of the call that appended it, not under a running number: a running number would have to
/// be read, and each append would wait for the one before. So calls that append to one journal do not conflict; but the slot is
/// ordered, and all of it has one owner, who chains the appends of a batch alone.
///
/// The constant must carry `#[slot]`; see [`OrderedMap`].
pub struct Journal<T> {
    slot: u8,
    elements: PhantomData<fn() -> T>,
}

impl<T> Journal<T> {
    /// The elements of slot `slot`.
    pub const fn at(slot: u8) -> Self {
        Self { slot, elements: PhantomData }
    }

    /// The key of the slot's byte alone, below those of all elements.
    const fn count(&self) -> Item<u128> {
        Item::at(self.slot)
    }

    const fn map(&self) -> OrderedMap<Place, T> {
        OrderedMap::at(self.slot)
    }
}

impl<T: for<'a> Wire<'a>> Journal<T> {
    /// Appends an element. A call that appends several looks for a free place at each, from the first on.
    #[inline(always)]
    pub fn append(&self, element: &T) {
        // The count passes no bound that a ledger could reach.
        self.append_within(element, u128::MAX).or_abort("a journal of 2^128 elements");
    }

    /// Appends an element; refused if the journal would have more than `max`.
    pub fn append_within(&self, element: &T, max: u128) -> Result<(), Refused> {
        self.count().add_within(1, 0..=max)?;
        let (height, call) = (height(), call_index());
        // The call's own elements are the only ones that can be there, and a call writes 1,024 keys at most.
        let mut number = 0;
        while self.map().set_once(&(height, call, number), element).is_err() {
            number += 1;
        }
        Ok(())
    }

    /// How many elements there are. Reads: the call conflicts with earlier ones that append.
    #[inline(always)]
    pub fn len(&self) -> u128 {
        self.count().get()
    }

    /// Whether there are none; see [`Journal::len`].
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands the first `limit` (≤ 1,000) elements of a range of places to `visit`, and answers with their number; see
    /// [`OrderedMap::scan`].
    pub fn scan(
        &self,
        range: impl RangeBounds<Place>,
        direction: Direction,
        limit: usize,
        visit: impl FnMut(Place, T),
    ) -> usize {
        let start = match range.start_bound() {
            // Above the count.
            Bound::Unbounded => Bound::Included((0, 0, 0)),
            bound => bound.cloned(),
        };
        self.map().scan((start, range.end_bound().cloned()), direction, limit, visit)
    }
}
