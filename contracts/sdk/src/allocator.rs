//! The allocator of a module: it only goes forward.
//!
//! A call finds memory as the module's image has it, so nothing that is allocated outlives its call, and looking for space that was
//! freed would cost more than it saves. What was allocated last can grow and be freed in place, as vectors that are filled do.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::ptr;

/// Bytes that are there from the start. A module whose memory has to grow loses its instance, which costs every call of it some
/// microseconds: two pages hold the longest value and what one works with beside it. (Encodings have a page of their own.)
const RESERVED_BYTES: usize = 128 << 10;
const PAGE_BYTES: usize = 64 << 10;

#[repr(C, align(16))]
struct Reserved(UnsafeCell<[MaybeUninit<u8>; RESERVED_BYTES]>);

// SAFETY: a module has one thread.
unsafe impl Sync for Reserved {}

static RESERVED: Reserved = Reserved(UnsafeCell::new([const { MaybeUninit::uninit() }; RESERVED_BYTES]));

/// Addresses, not pointers: what lies between them belongs to nobody else.
struct Forward {
    /// Where the next allocation may begin; 0 before the first.
    next: Cell<usize>,
    /// Where memory of ours ends.
    end: Cell<usize>,
}

// SAFETY: a module has one thread.
unsafe impl Sync for Forward {}

#[global_allocator]
static FORWARD: Forward = Forward { next: Cell::new(0), end: Cell::new(0) };

impl Forward {
    /// So many bytes from `from` on are ours afterwards; `None` if memory ends before.
    fn reach(&self, from: usize, bytes: usize) -> Option<usize> {
        let end = from.checked_add(bytes)?;
        if end > self.end.get() {
            let pages = (end - self.end.get()).div_ceil(PAGE_BYTES);
            let before = core::arch::wasm32::memory_grow::<0>(pages);
            if before == usize::MAX {
                return None;
            }
            self.end.set((before + pages) * PAGE_BYTES);
        }
        Some(end)
    }
}

// SAFETY: what is handed out lies in `RESERVED` or in pages that were grown behind the module's own memory, both of which nobody else
// uses; `next` only goes back over what its owner gave back, so that no two allocations that are alive overlap. Each begins
// where its layout wants, and has its length.
unsafe impl GlobalAlloc for Forward {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.next.get() == 0 {
            let start = RESERVED.0.get() as usize;
            self.next.set(start);
            self.end.set(start + RESERVED_BYTES);
        }
        let fit = |from: usize| from.checked_next_multiple_of(layout.align());
        let Some(mut start) = fit(self.next.get()) else { return ptr::null_mut() };
        if start.checked_add(layout.size()).is_none_or(|end| end > self.end.get()) && !self.has_grown() {
            // What is grown lies behind other data: the rest of the reserve is left, also if nothing can be grown.
            let end = core::arch::wasm32::memory_size::<0>() * PAGE_BYTES;
            self.end.set(end);
            self.next.set(end);
            let Some(fitting) = fit(end) else { return ptr::null_mut() };
            start = fitting;
        }
        match self.reach(start, layout.size()) {
            Some(end) => {
                self.next.set(end);
                start as *mut u8
            }
            None => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if pointer as usize + layout.size() == self.next.get() {
            self.next.set(pointer as usize);
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        let start = pointer as usize;
        let is_last = start + layout.size() == self.next.get();
        if is_last && (self.has_grown() || start.checked_add(bytes).is_some_and(|end| end <= self.end.get())) {
            return match self.reach(start, bytes) {
                Some(end) => {
                    self.next.set(end);
                    pointer
                }
                None => ptr::null_mut(),
            };
        }
        // SAFETY: the caller's layout is valid, and so is one of the new length, which the trait demands.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(bytes, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(pointer, moved, layout.size().min(bytes));
            }
            moved
        }
    }
}

impl Forward {
    /// Whether `end` is memory's own.
    fn has_grown(&self) -> bool {
        self.end.get() == core::arch::wasm32::memory_size::<0>() * PAGE_BYTES
    }
}
