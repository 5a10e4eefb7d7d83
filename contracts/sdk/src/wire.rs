//! The encoding of arguments, results, events, keys and values: borsh's bytes, read in place.
//!
//! | type | bytes |
//! |---|---|
//! | integers | little-endian, their own width |
//! | `bool` | 0 or 1; any other byte is malformed |
//! | [`Address`](crate::Address), `[u8; N]` | the bytes |
//! | `&[u8]`, `&str`, [`Bytes`], [`Text`], `String` | length as `u32`, the bytes; text is UTF-8 |
//! | `Vec<T>` (feature `alloc`) | number of elements as `u32`, the elements |
//! | `Option<T>` | 0, or 1 and the value |
//! | tuples, structs | the fields in order |
//! | enums | the variant's index as `u8`, its fields |
//!
//! Every value has exactly one encoding and every other byte string is refused, so encodings may be hashed and compared.

mod bounded;
#[cfg(feature = "alloc")]
mod owned;
mod primitives;

use core::mem::MaybeUninit;

pub use bounded::{Bytes, Text};

/// [`Wire::MAX_LEN`] of a type without a maximum.
pub const UNBOUNDED: usize = usize::MAX;

/// A type with an encoding. Derive it for structs and enums; `'a` is the life of the bytes it may borrow.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no encoding",
    note = "a struct or enum gets one by `#[derive(Wire)]`; `Vec` and `String` have theirs with the SDK's feature `alloc`"
)]
pub trait Wire<'a>: Sized {
    /// Length in bytes of the shortest encoding.
    const MIN_LEN: usize;
    /// Length in bytes of the longest encoding, or [`UNBOUNDED`]. Buffers are sized by it; a longer encoding aborts the call.
    const MAX_LEN: usize;

    /// Reads one value; `None` if the bytes encode none.
    fn read(reader: &mut Reader<'a>) -> Option<Self>;

    /// Appends the encoding.
    fn write(&self, writer: &mut Writer<'_>);
}

/// Sum of encoded lengths in which one unbounded part makes the whole unbounded.
pub const fn total_len(parts: &[usize]) -> usize {
    let mut total = 0usize;
    let mut i = 0;
    while i < parts.len() {
        total = total.saturating_add(parts[i]);
        i += 1;
    }
    total
}

/// Longest of several encoded lengths, 0 for none.
pub const fn longest(parts: &[usize]) -> usize {
    let mut longest = 0;
    let mut i = 0;
    while i < parts.len() {
        if parts[i] > longest {
            longest = parts[i];
        }
        i += 1;
    }
    longest
}

/// Shortest of several encoded lengths, 0 for none.
pub const fn shortest(parts: &[usize]) -> usize {
    let mut shortest = longest(parts);
    let mut i = 0;
    while i < parts.len() {
        if parts[i] < shortest {
            shortest = parts[i];
        }
        i += 1;
    }
    shortest
}

/// Bytes that are still to be read.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads `bytes` from their start.
    #[inline(always)]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `len` bytes, or `None` if fewer are left.
    #[inline(always)]
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// How many bytes are left.
    #[cfg(feature = "alloc")]
    pub(crate) const fn remaining(&self) -> usize {
        self.0.len()
    }

    /// The next `N` bytes in place, or `None` if fewer are left.
    #[inline(always)]
    pub fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(taken)
    }

    /// `Some` if everything was read: trailing bytes are malformed.
    #[inline(always)]
    pub const fn end(&self) -> Option<()> {
        if self.0.is_empty() { Some(()) } else { None }
    }
}

/// Appends to a buffer that need not be initialised.
pub struct Writer<'b> {
    buffer: &'b mut [MaybeUninit<u8>],
    len: usize,
}

impl<'b> Writer<'b> {
    /// Writes into `buffer` from its start.
    #[inline(always)]
    pub const fn new(buffer: &'b mut [MaybeUninit<u8>]) -> Self {
        Self { buffer, len: 0 }
    }

    /// Appends `bytes`. Aborts the call if the buffer is too short, which a correct [`Wire::MAX_LEN`] excludes; for fixed
    /// lengths the compiler removes the check.
    #[inline(always)]
    pub fn bytes(&mut self, bytes: &[u8]) {
        let Some(place) = self.buffer.get_mut(self.len..).and_then(|rest| rest.get_mut(..bytes.len())) else {
            crate::abort("an encoding is longer than its type allows")
        };
        place.write_copy_of_slice(bytes);
        self.len += bytes.len();
    }

    /// What was appended.
    #[inline(always)]
    pub fn finish(self) -> &'b [u8] {
        let written = self.buffer.get(..self.len).unwrap_or_default();
        // SAFETY: `bytes` is the only way to advance `len`, and it initialises every byte that it passes.
        unsafe { written.assume_init_ref() }
    }
}

/// The longest encoding that is built on the stack, in bytes: an event's limit, a quarter of the stack.
pub(crate) const STACK_ENCODING_MAX: usize = 4 << 10;

/// The longest encoding where there is an allocator, in bytes: a value's limit, and that of return bytes.
#[cfg(feature = "alloc")]
const LONG_ENCODING_MAX: usize = 64 << 10;

/// Encodes `value` into a stack buffer and hands the bytes to `sink`.
#[inline(always)]
pub(crate) fn with_encoded<'a, T: Wire<'a>, R>(value: &T, sink: impl FnOnce(&[u8]) -> R) -> R {
    with_buffer::<T, R>(|buffer| {
        let mut writer = Writer::new(buffer);
        value.write(&mut writer);
        sink(writer.finish())
    })
}

/// Lends a stack buffer that holds any encoding of `T`, or [`STACK_ENCODING_MAX`] bytes if `T` may be longer; with the feature `alloc`,
/// then 64 KiB.
///
/// An array's length cannot depend on `T`, so there are classes of lengths. Unused space costs nothing: the buffer is
/// not initialised, and what is not touched is not dirty.
#[inline(always)]
pub(crate) fn with_buffer<'a, T: Wire<'a>, R>(body: impl FnOnce(&mut [MaybeUninit<u8>]) -> R) -> R {
    match T::MAX_LEN {
        0..=16 => body(&mut [const { MaybeUninit::uninit() }; 16]),
        17..=128 => body(&mut [const { MaybeUninit::uninit() }; 128]),
        129..=512 => body(&mut [const { MaybeUninit::uninit() }; 512]),
        #[cfg(feature = "alloc")]
        max if max > STACK_ENCODING_MAX => with_long_buffer(body),
        _ => body(&mut [const { MaybeUninit::uninit() }; STACK_ENCODING_MAX]),
    }
}

/// Lends 64 KiB: a static, as an allocation that lives while others are made would be lost for the rest of the call.
#[cfg(all(feature = "alloc", target_arch = "wasm32"))]
fn with_long_buffer<R>(body: impl FnOnce(&mut [MaybeUninit<u8>]) -> R) -> R {
    struct Long {
        is_lent: core::cell::Cell<bool>,
        bytes: core::cell::UnsafeCell<[MaybeUninit<u8>; LONG_ENCODING_MAX]>,
    }
    // SAFETY: a module has one thread.
    unsafe impl Sync for Long {}
    static LONG: Long = Long {
        is_lent: core::cell::Cell::new(false),
        bytes: core::cell::UnsafeCell::new([const { MaybeUninit::uninit() }; LONG_ENCODING_MAX]),
    };
    if LONG.is_lent.replace(true) {
        crate::abort("an encoding of a long value reads or writes another long value")
    }
    // SAFETY: it is lent to nobody else, as was just asked, until it is given back below.
    let result = body(unsafe { &mut *LONG.bytes.get() });
    LONG.is_lent.set(false);
    result
}

#[cfg(all(feature = "alloc", not(target_arch = "wasm32")))]
fn with_long_buffer<R>(body: impl FnOnce(&mut [MaybeUninit<u8>]) -> R) -> R {
    body(&mut vec![MaybeUninit::uninit(); LONG_ENCODING_MAX])
}

/// The encoding of a value of at most 64 KiB, the longest that a call takes: for clients and tests, where there is memory to allocate.
///
/// ```
/// use phalanx_contract::wire::{decoded, encoded};
/// let bytes = encoded(&(7u16, "seven"));
/// assert_eq!(bytes, [7, 0, 5, 0, 0, 0, b's', b'e', b'v', b'e', b'n']);
/// assert_eq!(decoded(&bytes), Some((7u16, "seven")));
/// ```
#[cfg(not(target_arch = "wasm32"))]
pub fn encoded<'a>(value: &impl Wire<'a>) -> Vec<u8> {
    /// Longest arguments of a call, and longest value.
    const ENCODING_BYTES_MAX: usize = 64 << 10;
    let mut buffer = vec![MaybeUninit::uninit(); ENCODING_BYTES_MAX];
    let mut writer = Writer::new(&mut buffer);
    value.write(&mut writer);
    writer.finish().to_vec()
}

/// The value that all of `bytes` encode; `None` if they encode none.
#[cfg(not(target_arch = "wasm32"))]
pub fn decoded<'a, T: Wire<'a>>(bytes: &'a [u8]) -> Option<T> {
    let mut reader = Reader::new(bytes);
    let value = T::read(&mut reader)?;
    reader.end().map(|()| value)
}
