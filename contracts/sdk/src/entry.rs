//! From an export to a method and back: what `#[contract]` expands to.

use core::mem::MaybeUninit;

use crate::host;
use crate::wire::{Reader, STACK_ENCODING_MAX, Wire, with_encoded};

/// The method did what was asked; its result is in the return bytes.
const DONE: i32 = 0;
/// The method answered with a typed error, which is in the return bytes.
const REVERTED: i32 = 1;
/// The arguments do not decode.
const MALFORMED: i32 = 2;

/// Longest arguments of a call.
pub(crate) const ARGUMENT_BYTES_MAX: usize = 64 << 10;

/// Bytes of stack for arguments of at most `max` bytes: none where a static holds them.
pub const fn stack_bytes(max: usize) -> usize {
    if max <= STACK_ENCODING_MAX { max } else { 0 }
}

/// Reads the arguments, whose encoding has `MIN` to `MAX` bytes, and hands them to `body`, which decodes all of them, calls
/// the method and answers with [`Outcome::finish`]'s code, or `None` if they do not decode. `STACK` is `stack_bytes(MAX)`.
///
/// Arguments of more than `MAX` bytes are refused by their length alone.
#[inline(always)]
pub fn run<const MIN: usize, const MAX: usize, const STACK: usize>(
    body: impl FnOnce(&mut Reader<'_>) -> Option<i32>,
) -> i32 {
    const { assert!(STACK == stack_bytes(MAX)) };
    if MAX <= STACK_ENCODING_MAX {
        within::<MIN, MAX>(&mut host::buffer::<STACK>(), body)
    } else {
        with_long_arguments(|buffer| within::<MIN, MAX>(buffer, body))
    }
}

#[inline(always)]
fn within<const MIN: usize, const MAX: usize>(
    buffer: &mut [MaybeUninit<u8>],
    body: impl FnOnce(&mut Reader<'_>) -> Option<i32>,
) -> i32 {
    let len = host::input(buffer);
    // With one possible length the compiler knows it from here on, and drops every check of the decoder.
    let fits = if MIN == MAX { len == MAX } else { len <= buffer.len() };
    if !fits {
        return MALFORMED;
    }
    // SAFETY: the host wrote the first min(len, capacity) bytes, and len ≤ capacity was just checked.
    let arguments = unsafe { buffer.get_unchecked(..if MIN == MAX { MAX } else { len }).assume_init_ref() };
    body(&mut Reader::new(arguments)).unwrap_or(MALFORMED)
}

/// Lends a buffer for arguments without a maximum length. A static of 64 KiB: no stack holds them.
#[cfg(target_arch = "wasm32")]
fn with_long_arguments<R>(body: impl FnOnce(&mut [MaybeUninit<u8>]) -> R) -> R {
    struct LongArguments(core::cell::UnsafeCell<[MaybeUninit<u8>; ARGUMENT_BYTES_MAX]>);
    // SAFETY: a module has one thread.
    unsafe impl Sync for LongArguments {}
    static LONG_ARGUMENTS: LongArguments = LongArguments(core::cell::UnsafeCell::new(host::buffer()));
    // SAFETY: only the start of an export comes here, and an instance runs one export between two resets, so this is
    // the only reference.
    body(unsafe { &mut *LONG_ARGUMENTS.0.get() })
}

#[cfg(not(target_arch = "wasm32"))]
fn with_long_arguments<R>(body: impl FnOnce(&mut [MaybeUninit<u8>]) -> R) -> R {
    body(&mut vec![MaybeUninit::uninit(); ARGUMENT_BYTES_MAX])
}

/// What a method may return: a value, or a `Result` of a value and a typed error.
#[diagnostic::on_unimplemented(
    message = "a contract method cannot return `{Self}`",
    note = "return a type with `#[derive(Wire)]`, or a `Result` of two such types: its error needs the derive, too",
    note = "`Vec` and `String` are such types with the SDK's feature `alloc`"
)]
pub trait Outcome {
    /// Makes the encoding the return bytes and answers with the method's return code.
    fn finish(&self) -> i32;
}

impl<'a, T: Wire<'a>> Outcome for T {
    #[inline(always)]
    fn finish(&self) -> i32 {
        give_back(self);
        DONE
    }
}

impl<'a, T: Wire<'a>, E: Wire<'a>> Outcome for Result<T, E> {
    #[inline(always)]
    fn finish(&self) -> i32 {
        match self {
            Ok(value) => {
                give_back(value);
                DONE
            }
            Err(error) => {
                give_back(error);
                REVERTED
            }
        }
    }
}

/// No bytes need no host call: a call starts with none.
#[inline(always)]
fn give_back<'a, T: Wire<'a>>(value: &T) {
    if T::MAX_LEN > 0 {
        with_encoded(value, host::ret);
    }
}

/// A method as native tests reach it.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone, Copy)]
pub struct Method {
    /// Its export's name.
    pub name: &'static str,
    /// What the export runs.
    pub run: fn() -> i32,
    /// Whether it may be called while its contract is being called.
    pub reentrant: bool,
}

/// The methods of a contract, for native tests; `#[contract]` implements it.
#[cfg(not(target_arch = "wasm32"))]
pub trait Contract {
    /// In the order of the source.
    const METHODS: &'static [Method];
}
