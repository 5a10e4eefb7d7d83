//! A call that sorts: what computing costs (Blockbench's CPUHeavy, 2017).
//!
//! Quicksort as Blockbench has it: the numbers lie in descending order at first, the pivot is the middle one.
//!
//! # Conflicts
//!
//! None: it touches no key.

#![cfg_attr(target_arch = "wasm32", no_std)]

use phalanx_contract::*;

/// The most numbers that one call sorts: a quarter of the memory that a cheap module may have.
pub const NUMBERS_MAX: u32 = 65_536;

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// More numbers than [`NUMBERS_MAX`].
    TooMany,
}

/// The contract.
pub struct CpuHeavy;

#[contract]
impl CpuHeavy {
    /// Sorts the numbers `count` to 1. Answers with a digest of what came out: the sum of each number times its place, wrapped.
    pub fn sort(count: u32) -> Result<u64, Error> {
        require(count <= NUMBERS_MAX, Error::TooMany)?;
        Ok(with_numbers(|numbers| {
            let numbers = &mut numbers[..count as usize];
            for (number, value) in numbers.iter_mut().zip((1..=count).rev()) {
                *number = value;
            }
            quicksort(numbers);
            let places = (1u64..).zip(numbers);
            places.fold(0u64, |sum, (place, number)| sum.wrapping_add(place.wrapping_mul(u64::from(*number))))
        }))
    }
}

/// Sorts the shorter part first and goes on with the longer one, so that the stack stays below the logarithm of the length.
fn quicksort(mut numbers: &mut [u32]) {
    while numbers.len() > 1 {
        let middle = partition(numbers);
        let (left, right) = numbers.split_at_mut(middle);
        let (shorter, longer) = if left.len() < right.len() { (left, right) } else { (right, left) };
        quicksort(shorter);
        numbers = longer;
    }
}

/// Hoare's partition: no number before the place that is returned is above one after it, and both sides have one at least.
fn partition(numbers: &mut [u32]) -> usize {
    let pivot = numbers[(numbers.len() - 1) / 2];
    let (mut low, mut high) = (0, numbers.len() - 1);
    loop {
        while numbers[low] < pivot {
            low += 1;
        }
        while numbers[high] > pivot {
            high -= 1;
        }
        if low >= high {
            return high + 1;
        }
        numbers.swap(low, high);
        low += 1;
        high -= 1;
    }
}

/// Lends room for the numbers. A static: no stack holds them.
#[cfg(target_arch = "wasm32")]
fn with_numbers<R>(body: impl FnOnce(&mut [u32]) -> R) -> R {
    struct Numbers(core::cell::UnsafeCell<[u32; NUMBERS_MAX as usize]>);
    // SAFETY: a module has one thread.
    unsafe impl Sync for Numbers {}
    static NUMBERS: Numbers = Numbers(core::cell::UnsafeCell::new([0; NUMBERS_MAX as usize]));
    // SAFETY: `sort` alone comes here, and an instance runs one export between two resets, so this is the only reference.
    body(unsafe { &mut *NUMBERS.0.get() })
}

#[cfg(not(target_arch = "wasm32"))]
fn with_numbers<R>(body: impl FnOnce(&mut [u32]) -> R) -> R {
    body(&mut vec![0; NUMBERS_MAX as usize])
}

#[cfg(test)]
mod tests {
    use super::quicksort;

    #[test]
    fn any_numbers_are_sorted() {
        let mut state = 7u32;
        for len in 0..200 {
            for spread in [1, 2, 5, u32::MAX] {
                let mut numbers: Vec<u32> = (0..len)
                    .map(|_| {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        (state >> 8) % spread
                    })
                    .collect();
                let mut expected = numbers.clone();
                expected.sort_unstable();
                quicksort(&mut numbers);
                assert_eq!(numbers, expected);
            }
        }
    }
}
