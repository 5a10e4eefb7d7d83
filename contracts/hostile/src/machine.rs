//! Attacks on the instance.
//!
//! Some methods do on purpose what Rust's rules forbid, since Wasm defines it as a trap and the trap is the point. The values that
//! make them so pass through `black_box`, so that the compiler cannot build on their absence.

use core::arch::wasm32;
use core::hint::black_box;
use core::num::NonZeroU32;
use core::ptr;

use phalanx_contract::host::raw;
use phalanx_contract::*;

use crate::limits::Limits;

const PAGE: usize = 64 << 10;
const GRANULE: usize = 1 << 10;

/// Marks a secret in memory. It stands in code alone, as an immediate: a search for it finds no copy of its own.
const MARK: u64 = 0x9e37_79b9_7f4a_7c15;

/// Where the stack starts: the module's stack is first in memory and of this size (see build.rs).
const STACK_TOP: usize = 16_384;
/// More than the frames of `stack_moved`.
const FRAME: usize = 512;

/// A secret with its mark, as it lies in memory.
#[repr(C, align(8))]
struct Marked {
    mark: u64,
    secret: [u8; 32],
}

/// Where a call keeps its secret among the statics.
struct Hiding(core::cell::UnsafeCell<Marked>);

// SAFETY: a module has one thread.
unsafe impl Sync for Hiding {}

static HIDING: Hiding = Hiding(core::cell::UnsafeCell::new(Marked { mark: 0, secret: [0; 32] }));

fn memory_bytes() -> usize {
    wasm32::memory_size(0) * PAGE
}

/// First byte that neither data nor stack uses.
fn heap_base() -> usize {
    unsafe extern "C" {
        static __heap_base: u8;
    }
    (&raw const __heap_base).addr()
}

/// Writes a marked secret, part by part: a whole one would pass over the stack and leave its mark there.
///
/// # Safety
///
/// `place` is a multiple of 8 of which 40 bytes lie in memory, where no reference of Rust's points to.
unsafe fn write_marked(place: *mut Marked, secret: [u8; 32]) {
    // SAFETY: the caller's promise.
    unsafe {
        (&raw mut (*place).mark).write_volatile(MARK);
        (&raw mut (*place).secret).write_volatile(secret);
    }
}

/// The same at a multiple of 8 above `heap_base`.
fn hide(address: usize, secret: [u8; 32]) {
    // SAFETY: callers pass such an address below the end of memory, and nothing of Rust's lives there.
    unsafe { write_marked(ptr::without_provenance_mut(address), secret) }
}

/// Where the next frame lies.
#[inline(never)]
fn frame_address() -> usize {
    let local = black_box(0u8);
    black_box(&raw const local).addr()
}

/// Recursion without a frame in memory; each level needs its result and the host's, so it cannot become a loop.
#[expect(unconditional_recursion, reason = "it is the attack")]
fn descend() -> u64 {
    height() ^ descend().rotate_left(1)
}

/// Recursion with a frame in memory.
#[expect(unconditional_recursion, reason = "it is the attack")]
fn descend_with_frames(level: u32) -> u32 {
    let mut frame = [level; 64];
    let deeper = descend_with_frames(black_box(&mut frame)[0].wrapping_add(1));
    black_box(&mut frame)[1] ^ deeper
}

/// Attacks on the instance.
pub struct Machine;

#[contract]
impl Machine {
    /// Never ends.
    pub fn endless_loop() {
        let mut turns = 0u32;
        loop {
            turns = black_box(turns.wrapping_add(1));
        }
    }

    /// Turns a loop `turns` times.
    pub fn burn(turns: u64) -> u64 {
        let mut state = 1u64;
        for _ in 0..turns {
            state = black_box(state.wrapping_mul(MARK));
        }
        state
    }

    /// Grows memory until it is refused, and writes to every page; the pages in the end.
    pub fn memory_bomb() -> u32 {
        loop {
            let page = wasm32::memory_grow(0, 1);
            if page == usize::MAX {
                return wasm32::memory_size(0) as u32;
            }
            hide(page * PAGE, [1; 32]);
        }
    }

    /// Asks for `pages` pages at once; the pages before, or `u32::MAX` if refused.
    pub fn grow(pages: u32) -> u32 {
        wasm32::memory_grow(0, pages as usize) as u32
    }

    /// Writes to every granule of memory above the data.
    pub fn dirty_memory() {
        let mut address = heap_base().next_multiple_of(GRANULE);
        while address < memory_bytes() {
            hide(address, [1; 32]);
            address += GRANULE;
        }
    }

    /// Recurses without end on the stack of the engine.
    pub fn deep_recursion() -> u64 {
        descend()
    }

    /// Recurses without end on the stack in memory.
    pub fn deep_frames() -> u32 {
        descend_with_frames(0)
    }

    /// Leaves a secret in a static, and in each granule up to the end of memory.
    pub fn keep_secret(secret: [u8; 32]) {
        // SAFETY: no reference to the static exists.
        unsafe { write_marked(HIDING.0.get(), secret) }
        let mut address = heap_base().next_multiple_of(GRANULE);
        while address < memory_bytes() {
            hide(address, secret);
            address += GRANULE;
        }
    }

    /// The same, in memory that it grows first.
    pub fn keep_secret_in_grown_memory(secret: [u8; 32]) {
        wasm32::memory_grow(0, 1);
        Self::keep_secret(secret);
    }

    /// The same, and leaves by a trap, with the stack pointer (a global) where it is.
    pub fn keep_secret_and_trap(secret: [u8; 32]) {
        let mut frame = [0u8; 2 * FRAME];
        black_box(&mut frame);
        Self::keep_secret(secret);
        wasm32::unreachable()
    }

    /// Looks for a kept secret in all of memory.
    pub fn reveal() -> Option<[u8; 32]> {
        let end = memory_bytes() - size_of::<Marked>();
        let mut address = 0;
        while address <= end {
            let place = ptr::without_provenance::<Marked>(address);
            // SAFETY: a multiple of 8 of which all bytes lie in memory; any bytes are a value. Volatile: they may be anyone's.
            unsafe {
                if (&raw const (*place).mark).read_volatile() == MARK {
                    return Some((&raw const (*place).secret).read_volatile());
                }
            }
            address += 8;
        }
        None
    }

    /// Whether the stack pointer is not where it starts.
    pub fn stack_moved() -> bool {
        STACK_TOP - frame_address() > FRAME
    }

    /// Keeps a secret and looks for it in the same call, which finds it: the search works.
    pub fn keep_and_reveal(secret: [u8; 32]) -> Option<[u8; 32]> {
        Self::keep_secret(secret);
        Self::reveal()
    }

    /// `stack_moved` where it did: below a frame.
    pub fn stack_moved_below_frame() -> bool {
        let mut frame = [0u8; 2 * FRAME];
        black_box(&mut frame);
        let moved = Self::stack_moved();
        black_box(&mut frame);
        moved
    }

    /// Pages of memory now.
    pub fn pages() -> u32 {
        wasm32::memory_size(0) as u32
    }

    /// Divides by zero.
    pub fn divide_by_zero() -> u32 {
        // SAFETY: none; the divisor is 0 on purpose (see above). Wasm traps.
        black_box(7) / unsafe { NonZeroU32::new_unchecked(black_box(0)) }
    }

    /// Reads outside memory.
    pub fn out_of_bounds() -> u64 {
        let place = ptr::without_provenance::<u64>(black_box(usize::MAX - 15));
        // SAFETY: none; the address is outside memory on purpose (see above). Wasm traps.
        unsafe { place.read_volatile() }
    }

    /// Runs into `unreachable`.
    pub fn unreachable() {
        wasm32::unreachable()
    }

    /// Calls an element of the table that is not there.
    pub fn call_nothing() {
        // SAFETY: none; element 0 is null on purpose (see above). Wasm traps.
        let function = unsafe { core::mem::transmute::<usize, fn()>(black_box(0)) };
        function();
    }

    /// Calls a function as one of another type.
    pub fn call_wrong_type() -> u64 {
        let function: fn() -> u64 = black_box(descend);
        // SAFETY: none; the type is another on purpose (see above). Wasm traps.
        let wrong = unsafe { core::mem::transmute::<fn() -> u64, fn(u64, u64) -> u64>(function) };
        wrong(1, 2)
    }

    /// Writes `count` keys and an event, then traps.
    pub fn trap_after_writes(count: u32) {
        Limits::many_writes(count);
        emit(&crate::Note { number: count });
        wasm32::unreachable()
    }

    /// Hands the host a range outside memory to read.
    pub fn host_reads_outside() {
        // SAFETY: the host checks the range, and refuses it.
        unsafe { raw::ret(ptr::without_provenance(usize::MAX - 7), 8) }
    }

    /// Hands the host a range that wraps around the end of addresses.
    pub fn host_reads_wrapped() {
        // SAFETY: the host checks the range, and refuses it.
        unsafe { raw::set(ptr::without_provenance(16), usize::MAX, ptr::without_provenance(0), 0) }
    }

    /// Hands the host a place outside memory to write to.
    pub fn host_writes_outside() {
        // SAFETY: the host checks the range, and refuses it.
        unsafe { raw::caller(ptr::without_provenance_mut(memory_bytes() - 31)) }
    }
}

/// A method with a return code that means nothing.
#[unsafe(export_name = "bad_return_code")]
extern "C" fn bad_return_code() -> i32 {
    3
}
