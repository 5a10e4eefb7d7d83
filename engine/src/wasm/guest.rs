//! The only file that touches a guest's memory.
//!
//! An instance has two memories: its own, and the *control memory* that the preparation pass adds and the guest cannot
//! reach, with the gas counter, the stack counter, the halt word and the dirty map. wasmtime's own accessors look a
//! memory up in the store at each use, at a cost that a call with five host functions feels; so their addresses are
//! kept here. That is sound because of four facts, which the unsafe blocks below refer to:
//!
//! 1. A memory never moves: `Config::memory_may_move(false)`, and its full extent is reserved address space.
//! 2. A memory never shrinks, and `length` was its length at some time: the first `length` bytes are mapped.
//! 3. The control memory has one page at least, more than [`CONTROL_BYTES`].
//! 4. `Guest` lives in the store's data or beside the store, and is used only while its instance is alive and the guest
//!    is not running: in a host function, or between calls. There is no other reference into the memories then.

use crate::prepare::{
    CONTROL_DIRTY, CONTROL_GAS, CONTROL_HALT, CONTROL_STACK, DIRTY_BYTES, GRANULE_LOG2, GRANULE_SLACK_BYTES,
};
use core::ptr::NonNull;

const GRANULE: usize = 1 << GRANULE_LOG2;
/// A store may begin in a granule that is marked and end in the next, which is not.
const SLACK: usize = GRANULE_SLACK_BYTES as usize;
const CONTROL_BYTES: usize = CONTROL_DIRTY as usize + DIRTY_BYTES as usize;
const _: () = assert!(CONTROL_BYTES <= 1 << 16);

/// Memory as instantiation leaves it, to reset from: the same for all instances of a code. Granules of nothing but zeros, as
/// stacks, buffers and spare pages are, take no room, and filling them touches half the cache lines that copying does.
pub(crate) struct Image {
    /// The other granules, one behind the other.
    granules: Vec<[u8; GRANULE]>,
    /// By granule of memory: its place among those, or [`BLANK`].
    places: Box<[u32]>,
}

const BLANK: u32 = u32::MAX;

impl Image {
    fn new(memory: &[u8]) -> Self {
        let mut granules = Vec::new();
        let mut place = |granule: &[u8; GRANULE]| {
            if granule.iter().all(|&byte| byte == 0) {
                return BLANK;
            }
            granules.push(*granule);
            granules.len() as u32 - 1
        };
        // Memories are whole pages.
        let places = memory.as_chunks().0.iter().map(&mut place).collect();
        Self { granules, places }
    }

    /// Bytes of memory that it stands for.
    pub(super) fn bytes(&self) -> usize {
        self.places.len() << GRANULE_LOG2
    }

    /// Granules of memory.
    fn len(&self) -> usize {
        self.places.len()
    }

    /// The bytes of a granule; `None` if they are zeros.
    #[inline]
    fn granule(&self, number: usize) -> Option<&[u8; GRANULE]> {
        match self.places[number] {
            BLANK => None,
            place => Some(&self.granules[place as usize]),
        }
    }
}

/// Addresses of an instance's memories.
#[derive(Clone, Copy)]
pub(crate) struct Guest {
    memory: NonNull<u8>,
    length: usize,
    control: NonNull<u8>,
}

// SAFETY: the addresses are used by whoever owns the instance's store, which is itself Send; see fact 4.
unsafe impl Send for Guest {}

impl Guest {
    /// `memory` and `control`: base addresses of the two memories, `length`: bytes of the first.
    pub(crate) fn new(memory: NonNull<u8>, length: usize, control: NonNull<u8>) -> Self {
        Self { memory, length, control }
    }

    /// Bytes of memory that are known to be there.
    #[inline]
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// After a look at the memory's present length.
    pub(crate) fn set_length(&mut self, length: usize) {
        debug_assert!(length >= self.length);
        self.length = length;
    }

    #[inline]
    fn holds(&self, at: u32, length: u32) -> bool {
        at as u64 + length as u64 <= self.length as u64
    }

    /// A range of memory; `None` if it is not all inside.
    #[inline]
    pub(crate) fn bytes(&self, at: u32, length: u32) -> Option<&[u8]> {
        if !self.holds(at, length) {
            return None;
        }
        // SAFETY: inside the first `length` bytes (fact 2), which stay where they are (fact 1); nothing writes to them while
        // this borrow of `self` lasts (fact 4).
        Some(unsafe { core::slice::from_raw_parts(self.memory.as_ptr().add(at as usize), length as usize) })
    }

    /// Copies into memory and marks what becomes dirty; `false` if it is not all inside.
    #[inline(always)]
    #[must_use]
    pub(crate) fn write(&mut self, at: u32, bytes: &[u8]) -> bool {
        if bytes.len() > u32::MAX as usize || !self.holds(at, bytes.len() as u32) {
            return false;
        }
        if bytes.is_empty() {
            return true;
        }
        let (first, last) = (at as usize >> GRANULE_LOG2, (at as usize + bytes.len() - 1) >> GRANULE_LOG2);
        // SAFETY: the target is inside (facts 1, 2) and `bytes` is host memory, so they do not overlap. A granule of
        // memory has its mark inside the control memory (fact 3).
        unsafe {
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.memory.as_ptr().add(at as usize), bytes.len());
            for granule in first..=last {
                self.control.as_ptr().add(CONTROL_DIRTY as usize + granule).write(1);
            }
        }
        true
    }

    #[inline]
    fn word<T: Copy>(&self, at: u64) -> T {
        // SAFETY: the words that are asked for lie inside the control memory (fact 3), aligned to their size; integers have no
        // invalid patterns.
        unsafe { self.control.as_ptr().add(at as usize).cast::<T>().read() }
    }

    #[inline]
    fn set_word<T: Copy>(&mut self, at: u64, value: T) {
        // SAFETY: as in `word`.
        unsafe { self.control.as_ptr().add(at as usize).cast::<T>().write(value) }
    }

    /// Gas left; below zero it is used up.
    #[inline]
    pub(crate) fn gas(&self) -> i64 {
        self.word(CONTROL_GAS)
    }

    /// Takes gas; `false` if there was not enough.
    #[inline]
    #[must_use]
    pub(crate) fn charge(&mut self, gas: u64) -> bool {
        // Prices are bounded by limits on lengths, far below 2^63.
        let left = self.gas() - gas as i64;
        self.set_word(CONTROL_GAS, left);
        left >= 0
    }

    /// Sets the counters for a call.
    #[inline]
    pub(crate) fn arm(&mut self, gas: i64, stack: i32) {
        self.set_word(CONTROL_GAS, gas);
        self.set_word(CONTROL_STACK, stack);
        self.set_word(CONTROL_HALT, 0i32);
    }

    /// Stack units left.
    pub(crate) fn stack(&self) -> i32 {
        self.word(CONTROL_STACK)
    }

    /// Why instrumented code stopped: 0, out of gas, or stack exhausted.
    pub(crate) fn halt_word(&self) -> i32 {
        self.word(CONTROL_HALT)
    }

    /// The image of the first `length` bytes, to reset from.
    pub(crate) fn image(&self) -> Image {
        Image::new(self.bytes(0, self.length as u32).expect("the whole memory"))
    }

    /// Puts dirty granules back to `image` and clears their marks. Returns how many there were.
    ///
    /// A store outside of memory marks before it traps, so after a trap the `whole_map` is looked through.
    #[inline]
    pub(crate) fn reset(&mut self, image: &Image, whole_map: bool) -> u64 {
        let granules = if whole_map { DIRTY_BYTES as usize } else { self.length >> GRANULE_LOG2 };
        let mut dirty = 0;
        // A page has 64 granules, so marks come in blocks of eight words of eight. Most are blank, and are passed over whole.
        for block in 0..granules / 64 {
            let at = |word: usize| CONTROL_DIRTY + 64 * block as u64 + 8 * word as u64;
            let marks: [u64; 8] = self.word(at(0));
            if marks.iter().fold(0, |all, marks| all | marks) == 0 {
                continue;
            }
            for (word, marks) in marks.iter().enumerate().filter(|(_, marks)| **marks != 0) {
                dirty += self.reset_word(8 * block + word, *marks, image);
                self.set_word(at(word), 0u64);
            }
        }
        dirty
    }

    #[inline]
    fn reset_word(&mut self, word: usize, mut marks: u64, image: &Image) -> u64 {
        let mut dirty = 0;
        while marks != 0 {
            let granule = marks.trailing_zeros() as usize / 8;
            marks &= !(0xff << (8 * granule));
            self.reset_granule(8 * word + granule, image);
            dirty += 1;
        }
        dirty
    }

    /// A granule behind the image, as memory that grew has them, is left alone: a grown instance is not used again.
    #[inline]
    fn reset_granule(&mut self, granule: usize, image: &Image) {
        if granule >= image.len() {
            return;
        }
        // SAFETY: the image is as long as the memory was at first, so both ranges are inside `length` (fact 2): the granule, and
        // the slack behind it if there is a next one. The image is host memory.
        unsafe {
            let target = self.memory.as_ptr().add(granule << GRANULE_LOG2);
            match image.granule(granule) {
                Some(bytes) => core::ptr::copy_nonoverlapping(bytes.as_ptr(), target, GRANULE),
                None => target.write_bytes(0, GRANULE),
            }
            if granule + 1 < image.len() {
                let target = target.add(GRANULE);
                match image.granule(granule + 1) {
                    Some(bytes) => core::ptr::copy_nonoverlapping(bytes.as_ptr(), target, SLACK),
                    None => target.write_bytes(0, SLACK),
                }
            }
        }
    }

    /// Whether memory equals its image and no mark is set: what every call must find.
    pub(crate) fn is_pristine(&self, image: &Image) -> bool {
        let mut marks = (0..DIRTY_BYTES as usize / 8).map(|word| self.word::<u64>(CONTROL_DIRTY + 8 * word as u64));
        let Some(memory) = self.bytes(0, self.length as u32) else { return false };
        let granules = memory.as_chunks::<GRANULE>().0;
        let same =
            |(number, granule): (usize, &[u8; GRANULE])| image.granule(number).unwrap_or(&[0; GRANULE]) == granule;
        granules.len() == image.len() && granules.iter().enumerate().all(same) && marks.all(|marks| marks == 0)
    }
}
