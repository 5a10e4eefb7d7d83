//! Asking the processor for memory early.

use core::arch::x86_64::{_MM_HINT_ET0, _MM_HINT_T0, _mm_prefetch};

/// Asks for the cache line that holds `place`.
#[inline(always)]
pub fn prefetch<T>(place: *const T) {
    // SAFETY: a prefetch reads nothing that the program can see and never faults, whatever the address.
    unsafe { _mm_prefetch::<{ _MM_HINT_T0 }>(place.cast()) }
}

/// Asks for the cache line that holds `place`, to be written: other cores give it up at once.
#[inline(always)]
pub(crate) fn prefetch_for_write<T>(place: *const T) {
    // SAFETY: as in `prefetch`.
    unsafe { _mm_prefetch::<{ _MM_HINT_ET0 }>(place.cast()) }
}
