//! Attacks by host calls that any ledger can judge.

use phalanx_contract::*;

/// What the attacks write.
#[slot]
const MARKS: Map<u32, u128> = Map::at(0);
/// A value that is no number.
#[slot]
const WORD: Item<[u8; 3]> = Item::at(1);
/// The slot of [`WORD`], taken for a number.
const COUNT: Item<u128> = Item::at(1);

/// Longer than every limit in bytes of the interface.
const ZEROS_LEN: usize = 70_000;

/// Zeros that are memory and not bytes of the module, as those of a plain static would be.
struct Zeros(core::cell::UnsafeCell<[u8; ZEROS_LEN]>);

// SAFETY: nobody writes to it.
unsafe impl Sync for Zeros {}

static ZEROS: Zeros = Zeros(core::cell::UnsafeCell::new([0; ZEROS_LEN]));

/// An event that a failing call emits.
#[derive(Wire, Debug, PartialEq)]
pub struct Note {
    /// Which of several.
    pub number: u32,
}

/// A typed error.
#[derive(Wire, Debug, PartialEq)]
pub enum Failed {
    /// As asked for.
    OnPurpose,
}

/// The first `len` zeros.
fn zeros(len: u32) -> &'static [u8] {
    // SAFETY: nobody writes to it.
    let zeros: &[u8; ZEROS_LEN] = unsafe { &*ZEROS.0.get() };
    zeros.get(..len as usize).unwrap_or_else(|| abort("at most 70000 bytes"))
}

/// Attacks on the limits of the host interface.
pub struct Limits;

#[contract]
impl Limits {
    /// Emits an event with `len` bytes of data.
    pub fn huge_event(len: u32) {
        host::emit(b"zeros", zeros(len));
    }

    /// Emits an event with a topic of `len` bytes.
    pub fn huge_topic(len: u32) {
        host::emit(zeros(len), b"");
    }

    /// Emits `count` events.
    pub fn many_events(count: u32) {
        for number in 0..count {
            emit(&Note { number });
        }
    }

    /// Writes `count` keys.
    pub fn many_writes(count: u32) {
        for mark in 0..count {
            MARKS.set(&mark, &1);
        }
    }

    /// Writes a key of `len` bytes.
    pub fn long_key(len: u32) {
        host::set(zeros(len), b"");
    }

    /// Reads a key of `len` bytes.
    pub fn long_key_read(len: u32) -> bool {
        host::get(zeros(len), &mut []).is_some()
    }

    /// Writes a value of `len` bytes.
    pub fn big_value(len: u32) {
        host::set(&[2], zeros(len));
    }

    /// Returns `len` bytes.
    pub fn big_return(len: u32) {
        host::ret(zeros(len));
    }

    /// Scans a slot that is not ordered.
    pub fn scan_unordered() {
        host::scan(&[0], &[], Direction::Ascending, 1, &mut []);
    }

    /// Adds to a value of three bytes.
    pub fn add_to_word() -> Result<(), Refused> {
        WORD.set(&[1, 2, 3]);
        COUNT.add(1)
    }

    /// Aborts with a text of `len` bytes.
    pub fn long_abort(len: u32) {
        host::abort(zeros(len))
    }

    /// Aborts with `message`.
    pub fn aborts(message: &str) {
        abort(message)
    }

    /// Panics as broken code does, by an index out of range.
    pub fn panics(index: u32) -> u8 {
        [0; 4][index as usize]
    }

    /// Writes, emits, and answers with an error.
    pub fn revert_after_writes(count: u32) -> Result<(), Failed> {
        Self::many_writes(count);
        emit(&Note { number: count });
        Err(Failed::OnPurpose)
    }

    /// The mark of one number: 0 unless a call left something behind.
    pub fn mark(number: u32) -> u128 {
        MARKS.get(&number)
    }
}
