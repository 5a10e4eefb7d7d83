//! Zeroed memory straight from the kernel, on huge pages where it is large enough for them.

use core::marker::PhantomData;
use memmap2::MmapMut;

const HUGE_PAGE: usize = 2 << 20;

/// What a table may be made of.
///
/// # Safety
/// Every pattern of bytes is a valid value, zeros among them, and dropping one does nothing. It is aligned to a page at most.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: an integer.
unsafe impl Plain for u8 {}

/// A fixed number of values that all begin as zeros. Pages that were never written take no memory.
pub(crate) struct Pages<T: Plain> {
    memory: MmapMut,
    /// Bytes to skip so that the values start on a huge page.
    skip: usize,
    length: usize,
    values: PhantomData<T>,
}

impl<T: Plain> Pages<T> {
    pub(crate) fn new(length: usize) -> Self {
        const { assert!(align_of::<T>() <= 4096) };
        let bytes = length * size_of::<T>();
        let padding = if bytes >= HUGE_PAGE { HUGE_PAGE } else { 0 };
        // The kernel refuses only when address space or the overcommit limit is exhausted; there is nothing to go on with.
        let memory = MmapMut::map_anon(bytes + padding).expect("the kernel maps memory for the state table");
        let mut skip = 0;
        if padding > 0 {
            // Advice: where huge pages are off, the table works on small ones.
            let _ = memory.advise(memmap2::Advice::HugePage);
            skip = memory.as_ptr().align_offset(HUGE_PAGE);
        }
        Self { memory, skip, length, values: PhantomData }
    }
}

impl<T: Plain> core::ops::Deref for Pages<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: the mapping has at least `skip + length × size` bytes, starts on a page, as `skip` does, and was zeroed when made;
        // every pattern is a value (`Plain`); `&self` keeps `deref_mut` away.
        unsafe { core::slice::from_raw_parts(self.memory.as_ptr().add(self.skip).cast(), self.length) }
    }
}

impl<T: Plain> core::ops::DerefMut for Pages<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; `&mut self` makes the access exclusive.
        unsafe { core::slice::from_raw_parts_mut(self.memory.as_mut_ptr().add(self.skip).cast(), self.length) }
    }
}
