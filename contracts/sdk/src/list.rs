//! Lists that only grow.

use core::marker::PhantomData;

use crate::abort;
use crate::state::Map;
use crate::wire::Wire;

/// A list of entries for each key, numbered from 0. Entries are appended and never change.
///
/// Appending reads and writes the list's length: two calls that append under one key run in order, under two keys they don't
/// meet. Reading an entry conflicts with nothing but the call that appends it.
///
/// ```
/// # use phalanx_contract::*;
/// #[slot]
/// const VISITS: List<u32, Address> = List::at(0);
///
/// let alice = Address([1; 32]);
/// assert_eq!(test::call(alice, || VISITS.push(&7, &caller())), 0);
/// assert_eq!((VISITS.len(&7), VISITS.get(&7, 0), VISITS.get(&7, 1)), (1, Some(alice), None));
/// ```
pub struct List<K, V> {
    slot: u8,
    entries: PhantomData<fn() -> (K, V)>,
}

impl<K, V> List<K, V> {
    /// The lists of slot `slot`.
    pub const fn at(slot: u8) -> Self {
        Self { slot, entries: PhantomData }
    }

    /// No encoding is the start of another of its type, so lengths and entries share no key.
    const fn lengths(&self) -> Map<K, u32> {
        Map::at(self.slot)
    }

    const fn entries(&self) -> Map<(K, u32), V> {
        Map::at(self.slot)
    }
}

impl<K: for<'a> Wire<'a> + Copy, V: for<'a> Wire<'a>> List<K, V> {
    /// How many entries the key's list has.
    #[inline(always)]
    pub fn len(&self, key: &K) -> u32 {
        self.lengths().get(key)
    }

    /// Whether the key's list has no entries.
    #[inline(always)]
    pub fn is_empty(&self, key: &K) -> bool {
        self.len(key) == 0
    }

    /// The entry of a number; `None` from the list's length on.
    #[inline(always)]
    pub fn get(&self, key: &K, number: u32) -> Option<V> {
        self.entries().find(&(*key, number))
    }

    /// The entry appended last.
    #[inline(always)]
    pub fn last(&self, key: &K) -> Option<V> {
        self.get(key, self.len(key).checked_sub(1)?)
    }

    /// Appends an entry and answers with its number.
    #[inline(always)]
    pub fn push(&self, key: &K, entry: &V) -> u32 {
        let number = self.len(key);
        let Some(len) = number.checked_add(1) else { abort("a list has at most 2^32 - 1 entries") };
        self.lengths().set(key, &len);
        self.entries().set(&(*key, number), entry);
        number
    }
}
