//! Traps, and memory.
//!
//! What Rust's rules forbid and Wasm defines as a trap is done here on purpose, with values that pass through `black_box` so
//! that the compiler cannot build on their absence.

use core::arch::wasm32;
use core::cell::UnsafeCell;
use core::hint::black_box;
use core::num::NonZeroU32;
use core::ptr;

use phalanx_contract::height;

use crate::SCRATCH_BYTES;
use crate::journal::Fold;
use crate::opcode::Trap;

const PAGE: usize = 64 << 10;

#[expect(unconditional_recursion, reason = "it is the trap")]
fn descend() -> u64 {
    height() ^ descend().rotate_left(1)
}

#[expect(unconditional_recursion, reason = "it is the trap")]
fn descend_with_frames(level: u32) -> u32 {
    let mut frame = [level; 64];
    let deeper = descend_with_frames(black_box(&mut frame)[0].wrapping_add(1));
    black_box(&mut frame)[1] ^ deeper
}

/// Runs `bottom` below so many frames. Whichever stack is exhausted first, the engine's or the one in memory, ends the call.
#[inline(never)]
pub(crate) fn descend_to(levels: u16, bottom: &mut dyn FnMut()) -> u64 {
    if levels == 0 {
        bottom();
        return 0;
    }
    height() ^ descend_to(levels - 1, bottom).rotate_left(1)
}

/// Traps as asked, or never returns.
pub(crate) fn trap(trap: Trap) -> ! {
    match trap {
        Trap::Unreachable => {}
        Trap::DivideByZero => {
            // SAFETY: none; the divisor is 0 on purpose (see above).
            black_box(black_box(7) / unsafe { NonZeroU32::new_unchecked(black_box(0)) });
        }
        Trap::IntegerOverflow => divide_minimum_by_minus_one(),
        Trap::LoadOutOfBounds => {
            // SAFETY: none; the address is outside memory on purpose (see above).
            black_box(unsafe { ptr::without_provenance::<u64>(black_box(usize::MAX - 15)).read_volatile() });
        }
        Trap::StoreOutOfBounds => {
            // SAFETY: none; the address is outside memory on purpose (see above).
            unsafe { ptr::without_provenance_mut::<u64>(black_box(usize::MAX - 15)).write_volatile(1) }
        }
        Trap::CallNull => call_element(0),
        Trap::CallOutside => call_element(1 << 20),
        Trap::CallWrongType => call_element(black_box(descend as fn() -> u64) as usize),
        Trap::StackOverflow => {
            black_box(descend());
        }
        Trap::FrameOverflow => {
            black_box(descend_with_frames(0));
        }
        Trap::EndlessLoop => {
            let mut turns = 0u32;
            loop {
                turns = black_box(turns.wrapping_add(1));
            }
        }
    }
    wasm32::unreachable()
}

/// Rust's check of a signed division must not be there: it would panic.
fn divide_minimum_by_minus_one() {
    // SAFETY: none; the quotient does not fit on purpose (see above).
    black_box(unsafe { black_box(i32::MIN).checked_div(black_box(-1)).unwrap_unchecked() });
}

/// Calls the table's element `index` as a function of a type that no other function has.
fn call_element(index: usize) {
    // SAFETY: none; there is no such function on purpose (see above).
    let function = unsafe { core::mem::transmute::<usize, fn(u64, u32, u64) -> u64>(black_box(index)) };
    black_box(function(1, 2, 3));
}

/// Memory for scripts.
pub(crate) struct Scratch(UnsafeCell<[u8; SCRATCH_BYTES]>);

// SAFETY: a module has one thread.
unsafe impl Sync for Scratch {}

static SCRATCH: Scratch = Scratch(UnsafeCell::new([0; SCRATCH_BYTES]));

/// The scratch memory from `offset` on, `len` bytes or to its end.
pub(crate) fn scratch(offset: u32, len: usize) -> &'static [u8] {
    let start = offset as usize % SCRATCH_BYTES;
    // SAFETY: the only other reference is in `store`, which does not keep it.
    let scratch: &[u8; SCRATCH_BYTES] = unsafe { &*SCRATCH.0.get() };
    &scratch[start..][..len.min(SCRATCH_BYTES - start)]
}

/// Writes to the scratch memory as far as it goes.
pub(crate) fn store(offset: u32, bytes: &[u8]) {
    let start = offset as usize % SCRATCH_BYTES;
    let len = bytes.len().min(SCRATCH_BYTES - start);
    // SAFETY: no reference to it is kept anywhere: `scratch`'s are used before the next operation.
    let scratch: &mut [u8; SCRATCH_BYTES] = unsafe { &mut *SCRATCH.0.get() };
    scratch[start..][..len].copy_from_slice(&bytes[..len]);
}

/// Grows memory and writes to the new page's start and end; the pages before, or `u32::MAX`.
pub(crate) fn grow(pages: u16) -> u32 {
    let before = wasm32::memory_grow(0, usize::from(pages));
    if before != usize::MAX && pages > 0 {
        let page = ptr::without_provenance_mut::<u64>(before * PAGE);
        // SAFETY: the page is in memory since a moment ago, and nothing of Rust's lives there.
        unsafe {
            page.write_volatile(u64::MAX);
            page.add(PAGE / 8 - 1).write_volatile(u64::MAX);
        }
    }
    before as u32
}

/// A digest of the instance: the stack pointer, the size of memory, and its words.
///
/// What lies below the stack pointer, this call's own leavings included, is a function of the script as all else is.
pub(crate) fn fold_memory() -> u64 {
    let local = black_box(0u8);
    let mut fold = Fold::NEW;
    fold.push_word((&raw const local).addr() as u64);
    let end = wasm32::memory_size(0) * PAGE;
    let mut address = 0;
    while address < end {
        // SAFETY: a multiple of 8 in memory. Volatile: the bytes are anyone's.
        fold.push_word(unsafe { ptr::without_provenance::<u64>(address).read_volatile() });
        address += 8;
    }
    fold.push_word(end as u64);
    fold.0
}
