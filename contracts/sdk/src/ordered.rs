//! Ordered state: maps whose keys can be scanned in order.

use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ops::{Bound, RangeBounds};

use crate::host::{self, ScanEnd};
use crate::state::{KEY_BYTES_MAX, Map, Refused, decode};
use crate::wire::{Reader, STACK_ENCODING_MAX, Wire, Writer, total_len};
use crate::{Address, abort};

/// The order of a scan; the number is the interface's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Direction {
    /// From the lowest key up.
    Ascending = 0,
    /// From the highest key down.
    Descending = 1,
}

/// A key whose encoding sorts, byte by byte, as the key does: integers are big-endian here.
pub trait OrderedKey: Copy {
    /// Length in bytes of every encoding: of keys of one length, none is the start of another.
    const LEN: usize;

    /// Reads a key; `None` if the bytes encode none.
    fn read(reader: &mut Reader<'_>) -> Option<Self>;

    /// Appends the encoding.
    fn write(&self, writer: &mut Writer<'_>);
}

macro_rules! integers {
    ($($integer:ty)*) => { $(
        impl OrderedKey for $integer {
            const LEN: usize = size_of::<Self>();

            #[inline(always)]
            fn read(reader: &mut Reader<'_>) -> Option<Self> {
                reader.array().map(|bytes| Self::from_be_bytes(*bytes))
            }

            #[inline(always)]
            fn write(&self, writer: &mut Writer<'_>) {
                writer.bytes(&self.to_be_bytes());
            }
        }
    )* };
}

integers!(u8 u16 u32 u64 u128);

impl<const N: usize> OrderedKey for [u8; N] {
    const LEN: usize = N;

    #[inline(always)]
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.array().copied()
    }

    #[inline(always)]
    fn write(&self, writer: &mut Writer<'_>) {
        writer.bytes(self);
    }
}

impl OrderedKey for Address {
    const LEN: usize = 32;

    #[inline(always)]
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.array().map(|bytes| Self(*bytes))
    }

    #[inline(always)]
    fn write(&self, writer: &mut Writer<'_>) {
        writer.bytes(&self.0);
    }
}

macro_rules! tuples {
    ($(($($name:ident $index:tt),*))*) => { $(
        impl<$($name: OrderedKey),*> OrderedKey for ($($name,)*) {
            const LEN: usize = total_len(&[$($name::LEN),*]);

            #[inline(always)]
            fn read(reader: &mut Reader<'_>) -> Option<Self> {
                Some(($($name::read(reader)?,)*))
            }

            #[inline(always)]
            fn write(&self, writer: &mut Writer<'_>) {
                $(self.$index.write(writer);)*
            }
        }
    )* };
}

tuples! {
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
}

/// An ordered key as an encoding.
struct Sorted<K>(K);

impl<'a, K: OrderedKey> Wire<'a> for Sorted<K> {
    const MIN_LEN: usize = K::LEN;
    const MAX_LEN: usize = K::LEN;

    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        K::read(reader).map(Self)
    }

    #[inline(always)]
    fn write(&self, writer: &mut Writer<'_>) {
        self.0.write(writer);
    }
}

/// A value for each key, in the order of the keys.
///
/// The constant must carry `#[slot]`, which declares its slot as ordered in the module; without it, the engine ends a call
/// that scans with `SlotNotOrdered`.
pub struct OrderedMap<K, V> {
    slot: u8,
    entries: PhantomData<fn() -> (K, V)>,
}

/// A scanned entry's key length and value length.
const ENTRY_HEAD: usize = 2 + 4;
/// Holds at least one entry of any typed map.
const SCAN_BUFFER: usize = ENTRY_HEAD + KEY_BYTES_MAX + STACK_ENCODING_MAX;
/// A key and the byte that makes it the next key.
const BOUND_BYTES_MAX: usize = KEY_BYTES_MAX + 1;

impl<K, V> OrderedMap<K, V> {
    /// The entries of slot `slot`.
    pub const fn at(slot: u8) -> Self {
        Self { slot, entries: PhantomData }
    }

    const fn map(&self) -> Map<Sorted<K>, V> {
        Map::at(self.slot)
    }
}

impl<K: OrderedKey, V: for<'a> Wire<'a>> OrderedMap<K, V> {
    /// The value, or the default where there is none.
    #[inline(always)]
    pub fn get(&self, key: &K) -> V
    where
        V: Default,
    {
        self.map().get(&Sorted(*key))
    }

    /// The value, or `None` where there is none.
    #[inline(always)]
    pub fn find(&self, key: &K) -> Option<V> {
        self.map().find(&Sorted(*key))
    }

    /// Makes `value` the key's value.
    #[inline(always)]
    pub fn set(&self, key: &K, value: &V) {
        self.map().set(&Sorted(*key), value);
    }

    /// Makes `value` the key's value if it has none; refused if it has one. See [`Map::set_once`].
    #[inline(always)]
    pub fn set_once(&self, key: &K, value: &V) -> Result<(), Refused> {
        self.map().set_once(&Sorted(*key), value)
    }

    /// Makes the key absent.
    #[inline(always)]
    pub fn remove(&self, key: &K) {
        self.map().remove(&Sorted(*key));
    }

    /// Hands the first `limit` (≤ 1,000) entries of `range` to `visit`, and answers with their number. The call conflicts
    /// with earlier calls that change what was scanned, new keys included. `visit` sees the entries as they were when their part of
    /// the scan began; a long scan has parts of about 4 KiB.
    pub fn scan(
        &self,
        range: impl RangeBounds<K>,
        direction: Direction,
        limit: usize,
        mut visit: impl FnMut(K, V),
    ) -> usize {
        #[cfg(not(target_arch = "wasm32"))]
        crate::test::declare_ordered(self.slot);
        let mut start = ScanBound::start(self.slot, range.start_bound());
        let mut end = ScanBound::end(self.slot, range.end_bound());
        let mut left = limit;
        let mut buffer = host::buffer::<SCAN_BUFFER>();
        loop {
            let scanned = host::scan(start.bytes(), end.bytes(), direction, left, &mut buffer);
            let written = buffer.get(..scanned.bytes).unwrap_or_default();
            // SAFETY: the host wrote so many bytes at the buffer's start.
            let mut reader = Reader::new(unsafe { written.assume_init_ref() });
            let mut last: &[u8] = &[];
            for _ in 0..scanned.entries {
                let Some((key, value)) = entry(&mut reader) else { abort("a scan answered with a broken entry") };
                let Some(typed) = key.get(1..).and_then(|key| K::read(&mut Reader::new(key))) else {
                    abort("a stored key is not of its type")
                };
                visit(typed, decode(value));
                last = key;
            }
            left -= scanned.entries;
            if scanned.end != ScanEnd::Full || last.is_empty() {
                return limit - left;
            }
            match direction {
                Direction::Ascending => start = ScanBound::after(last),
                Direction::Descending => end = ScanBound::before(last),
            }
        }
    }
}

/// The next entry of a scan's answer: its key, slot included, and its value.
fn entry<'b>(reader: &mut Reader<'b>) -> Option<(&'b [u8], &'b [u8])> {
    let key_len = <u16 as Wire>::read(reader)?;
    let value_len = <u32 as Wire>::read(reader)?;
    Some((reader.take(usize::from(key_len))?, reader.take(usize::try_from(value_len).ok()?)?))
}

/// One end of a scan's half-open range of keys.
struct ScanBound {
    bytes: [MaybeUninit<u8>; BOUND_BYTES_MAX],
    len: usize,
}

impl ScanBound {
    fn new(fill: impl FnOnce(&mut Writer<'_>)) -> Self {
        let mut bytes = host::buffer();
        let mut writer = Writer::new(&mut bytes);
        fill(&mut writer);
        let len = writer.finish().len();
        Self { bytes, len }
    }

    fn key<K: OrderedKey>(slot: u8, key: &K, after: bool) -> Self {
        const { assert!(K::LEN < KEY_BYTES_MAX, "a state key has at most 256 bytes, its slot included") };
        Self::new(|writer| {
            writer.bytes(&[slot]);
            key.write(writer);
            if after {
                writer.bytes(&[0]);
            }
        })
    }

    fn start<K: OrderedKey>(slot: u8, bound: Bound<&K>) -> Self {
        match bound {
            Bound::Included(key) => Self::key(slot, key, false),
            Bound::Excluded(key) => Self::key(slot, key, true),
            Bound::Unbounded => Self::new(|writer| writer.bytes(&[slot])),
        }
    }

    fn end<K: OrderedKey>(slot: u8, bound: Bound<&K>) -> Self {
        match bound {
            Bound::Included(key) => Self::key(slot, key, true),
            Bound::Excluded(key) => Self::key(slot, key, false),
            Bound::Unbounded => Self::new(|_| ()),
        }
    }

    /// The least key above `key`.
    fn after(key: &[u8]) -> Self {
        Self::new(|writer| {
            writer.bytes(key);
            writer.bytes(&[0]);
        })
    }

    /// All keys below `key`.
    fn before(key: &[u8]) -> Self {
        Self::new(|writer| writer.bytes(key))
    }

    fn bytes(&self) -> &[u8] {
        let written = self.bytes.get(..self.len).unwrap_or_default();
        // SAFETY: `new` took `len` from the writer, which initialised the bytes before it.
        unsafe { written.assume_init_ref() }
    }
}
