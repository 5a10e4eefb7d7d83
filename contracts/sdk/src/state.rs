//! State: typed views of a contract's keys.
//!
//! A slot is the first byte of a state key. An [`Item`] is the key of one slot's byte alone; a [`Map`] is all keys of a slot, one
//! an encoded key. Two constants at one slot share their keys.

use core::marker::PhantomData;
use core::ops::RangeInclusive;

use crate::wire::{Reader, Wire, Writer, with_buffer, with_encoded};
use crate::{abort, host};

/// Longest state key, its slot included.
pub(crate) const KEY_BYTES_MAX: usize = 256;
/// Longest state value.
pub(crate) const VALUE_BYTES_MAX: usize = 64 << 10;

/// An addition or subtraction whose exact result lies outside its bounds, or a first value where there is one. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl<'a> Wire<'a> for Refused {
    const MIN_LEN: usize = 0;
    const MAX_LEN: usize = 0;

    fn read(_: &mut Reader<'a>) -> Option<Self> {
        Some(Self)
    }

    fn write(&self, _: &mut Writer<'_>) {}
}

/// One value.
pub struct Item<T> {
    slot: u8,
    value: PhantomData<fn() -> T>,
}

impl<T> Item<T> {
    /// The value of slot `slot`.
    pub const fn at(slot: u8) -> Self {
        Self { slot, value: PhantomData }
    }
}

impl<T: for<'a> Wire<'a>> Item<T> {
    /// The value, or the default while there is none.
    #[inline(always)]
    pub fn get(&self) -> T
    where
        T: Default,
    {
        self.find().unwrap_or_default()
    }

    /// The value, or `None` while there is none. Absence is read like a value: a call that creates it conflicts.
    #[inline(always)]
    pub fn find(&self) -> Option<T> {
        load(&[self.slot])
    }

    /// Makes `value` the value.
    #[inline(always)]
    pub fn set(&self, value: &T) {
        store(&[self.slot], value);
    }

    /// Makes `value` the value if there is none; refused if there is. The call depends on which of the two it was, not on the
    /// value that is there.
    #[inline(always)]
    pub fn set_once(&self, value: &T) -> Result<(), Refused> {
        store_once(&[self.slot], value)
    }

    /// Makes the value absent.
    #[inline(always)]
    pub fn remove(&self) {
        host::remove(&[self.slot]);
    }

    /// Reads, lets `change` compute the next value or an error, and writes.
    #[inline(always)]
    pub fn update<E>(&self, change: impl FnOnce(T) -> Result<T, E>) -> Result<(), E>
    where
        T: Default,
    {
        self.set(&change(self.get())?);
        Ok(())
    }
}

impl Item<u128> {
    /// Adds without reading; refused if the sum would pass `u128::MAX`.
    #[inline(always)]
    pub fn add(&self, amount: u128) -> Result<(), Refused> {
        self.add_within(amount, 0..=u128::MAX)
    }

    /// Subtracts without reading; refused if the difference would be below 0.
    #[inline(always)]
    pub fn sub(&self, amount: u128) -> Result<(), Refused> {
        self.sub_within(amount, 0..=u128::MAX)
    }

    /// Adds without reading; refused unless the sum lies within `bounds`.
    #[inline(always)]
    pub fn add_within(&self, amount: u128, bounds: RangeInclusive<u128>) -> Result<(), Refused> {
        answer(host::add(&[self.slot], amount, *bounds.start(), *bounds.end()))
    }

    /// Subtracts without reading; refused unless the difference lies within `bounds`.
    #[inline(always)]
    pub fn sub_within(&self, amount: u128, bounds: RangeInclusive<u128>) -> Result<(), Refused> {
        answer(host::sub(&[self.slot], amount, *bounds.start(), *bounds.end()))
    }

    /// Raises the value to `value` if it is less, without reading. Absent counts as 0.
    #[inline(always)]
    pub fn raise_to(&self, value: u128) {
        host::max(&[self.slot], value);
    }
}

/// A value for each key. Composite keys are tuples: `Map<(Address, Address), u128>`.
pub struct Map<K, V> {
    slot: u8,
    entries: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Map<K, V> {
    /// The entries of slot `slot`.
    pub const fn at(slot: u8) -> Self {
        Self { slot, entries: PhantomData }
    }
}

impl<K: for<'a> Wire<'a>, V: for<'a> Wire<'a>> Map<K, V> {
    /// The value, or the default where there is none.
    #[inline(always)]
    pub fn get(&self, key: &K) -> V
    where
        V: Default,
    {
        self.find(key).unwrap_or_default()
    }

    /// The value, or `None` where there is none. Absence is read like a value: a call that creates it conflicts.
    #[inline(always)]
    pub fn find(&self, key: &K) -> Option<V> {
        with_key(self.slot, key, load)
    }

    /// Makes `value` the key's value.
    #[inline(always)]
    pub fn set(&self, key: &K, value: &V) {
        with_key(self.slot, key, |key| store(key, value));
    }

    /// Makes `value` the key's value if it has none; refused if it has one. The call depends on which of the two it was, not on
    /// the value that is there: those who come too late never wait for each other.
    #[inline(always)]
    pub fn set_once(&self, key: &K, value: &V) -> Result<(), Refused> {
        with_key(self.slot, key, |key| store_once(key, value))
    }

    /// Makes the key absent.
    #[inline(always)]
    pub fn remove(&self, key: &K) {
        with_key(self.slot, key, host::remove);
    }

    /// Reads, lets `change` compute the next value or an error, and writes. The key is encoded once.
    #[inline(always)]
    pub fn update<E>(&self, key: &K, change: impl FnOnce(V) -> Result<V, E>) -> Result<(), E>
    where
        V: Default,
    {
        with_key(self.slot, key, |key| {
            store(key, &change(load(key).unwrap_or_default())?);
            Ok(())
        })
    }
}

impl<K: for<'a> Wire<'a>> Map<K, u128> {
    /// Adds without reading; refused if the sum would pass `u128::MAX`.
    #[inline(always)]
    pub fn add(&self, key: &K, amount: u128) -> Result<(), Refused> {
        self.add_within(key, amount, 0..=u128::MAX)
    }

    /// Subtracts without reading; refused if the difference would be below 0.
    #[inline(always)]
    pub fn sub(&self, key: &K, amount: u128) -> Result<(), Refused> {
        self.sub_within(key, amount, 0..=u128::MAX)
    }

    /// Adds without reading; refused unless the sum lies within `bounds`.
    #[inline(always)]
    pub fn add_within(&self, key: &K, amount: u128, bounds: RangeInclusive<u128>) -> Result<(), Refused> {
        with_key(self.slot, key, |key| answer(host::add(key, amount, *bounds.start(), *bounds.end())))
    }

    /// Subtracts without reading; refused unless the difference lies within `bounds`.
    #[inline(always)]
    pub fn sub_within(&self, key: &K, amount: u128, bounds: RangeInclusive<u128>) -> Result<(), Refused> {
        with_key(self.slot, key, |key| answer(host::sub(key, amount, *bounds.start(), *bounds.end())))
    }

    /// Raises the key's value to `value` if it is less, without reading. Absent counts as 0.
    #[inline(always)]
    pub fn raise_to(&self, key: &K, value: u128) {
        with_key(self.slot, key, |key| host::max(key, value));
    }
}

/// Keys that are there or not, without values.
pub struct Set<K> {
    members: Map<K, ()>,
}

impl<K> Set<K> {
    /// The keys of slot `slot`.
    pub const fn at(slot: u8) -> Self {
        Self { members: Map::at(slot) }
    }
}

impl<K: for<'a> Wire<'a>> Set<K> {
    /// Whether the key is there. Absence is read too: a call that inserts the key conflicts.
    #[inline(always)]
    pub fn contains(&self, key: &K) -> bool {
        self.members.find(key).is_some()
    }

    /// Makes the key present, without reading.
    #[inline(always)]
    pub fn insert(&self, key: &K) {
        self.members.set(key, &());
    }

    /// Makes the key present if it is not; refused if it is. See [`Map::set_once`].
    #[inline(always)]
    pub fn insert_once(&self, key: &K) -> Result<(), Refused> {
        self.members.set_once(key, &())
    }

    /// Makes the key absent, without reading.
    #[inline(always)]
    pub fn remove(&self, key: &K) {
        self.members.remove(key);
    }
}

#[inline(always)]
fn answer(applied: bool) -> Result<(), Refused> {
    if applied { Ok(()) } else { Err(Refused) }
}

/// Encodes `slot` and `key` into a stack buffer.
#[inline(always)]
fn with_key<K: for<'a> Wire<'a>, R>(slot: u8, key: &K, body: impl FnOnce(&[u8]) -> R) -> R {
    const { assert!(K::MAX_LEN < KEY_BYTES_MAX, "a state key has at most 256 bytes, its slot included") };
    with_buffer::<(u8, K), R>(|buffer| {
        let mut writer = Writer::new(buffer);
        writer.bytes(&[slot]);
        key.write(&mut writer);
        body(writer.finish())
    })
}

/// Reads and decodes a value. A value that is not of type `V` was written by other code at the same slot: the call aborts.
#[inline(always)]
fn load<V: for<'a> Wire<'a>>(key: &[u8]) -> Option<V> {
    check_value_len::<V>();
    with_buffer::<V, _>(|buffer| {
        let len = host::get(key, buffer)?;
        let Some(value) = buffer.get(..len) else { abort("a stored value is longer than its type") };
        // SAFETY: the host wrote the value's first min(length, capacity) bytes, and the length fits the buffer.
        Some(decode(unsafe { value.assume_init_ref() }))
    })
}

/// Decodes a stored value.
#[inline(always)]
pub(crate) fn decode<V: for<'a> Wire<'a>>(value: &[u8]) -> V {
    let mut reader = Reader::new(value);
    match (V::read(&mut reader), reader.end()) {
        (Some(value), Some(())) => value,
        _ => abort("a stored value is not of its type"),
    }
}

#[inline(always)]
fn store<V: for<'a> Wire<'a>>(key: &[u8], value: &V) {
    check_value_len::<V>();
    with_encoded(value, |value| host::set(key, value));
}

#[inline(always)]
fn store_once<V: for<'a> Wire<'a>>(key: &[u8], value: &V) -> Result<(), Refused> {
    check_value_len::<V>();
    with_encoded(value, |value| answer(host::set_once(key, value)))
}

/// Values of more than a stack buffer are for the raw interface ([`host::get`], [`host::set`]), or allocate.
#[inline(always)]
const fn check_value_len<V: for<'a> Wire<'a>>() {
    const {
        let fits = cfg!(feature = "alloc") || V::MAX_LEN <= crate::wire::STACK_ENCODING_MAX;
        assert!(fits, "without the feature `alloc` a typed value has at most 4 KiB, and a maximum length");
    }
    const { assert!(crate::wire::STACK_ENCODING_MAX <= VALUE_BYTES_MAX) };
}
