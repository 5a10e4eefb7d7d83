//! Calls that write and read many keys: what state costs (Blockbench's IOHeavy, 2017). Keys have 20 bytes, values 100.
//!
//! # Conflicts
//!
//! A call touches a range of numbered keys. Reads run after the writes of their keys that came before them; writes read nothing. Ranges
//! that don't overlap don't meet. Anyone may write anything, as in the benchmark: it is no application.

#![cfg_attr(target_arch = "wasm32", no_std)]

use phalanx_contract::*;

/// Values by their keys.
#[slot]
const VALUES: Map<[u8; 20], [u8; 100]> = Map::at(0);

/// The most keys that one call touches; a call may write 1,024 keys.
pub const KEYS_MAX: u32 = 1_000;

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// More keys than [`KEYS_MAX`].
    TooMany,
    /// A key has no value.
    Absent,
}

/// The contract.
pub struct IoHeavy;

#[contract]
impl IoHeavy {
    /// Writes the values of `count` keys from a number on, made of their numbers and `version`.
    pub fn write(from: u64, count: u32, version: u8) -> Result<(), Error> {
        require(count <= KEYS_MAX, Error::TooMany)?;
        for number in numbers(from, count) {
            VALUES.set(&key(number), &[version.wrapping_add(number as u8); 100]);
        }
        Ok(())
    }

    /// Reads the values of `count` keys from a number on. Answers with the sum of their first bytes.
    pub fn read(from: u64, count: u32) -> Result<u64, Error> {
        require(count <= KEYS_MAX, Error::TooMany)?;
        let mut sum = 0;
        for number in numbers(from, count) {
            sum += u64::from(VALUES.find(&key(number)).ok_or(Error::Absent)?[0]);
        }
        Ok(sum)
    }
}

/// Wraps at the end.
fn numbers(from: u64, count: u32) -> impl Iterator<Item = u64> {
    (0..u64::from(count)).map(move |step| from.wrapping_add(step))
}

/// The key of a number.
pub fn key(number: u64) -> [u8; 20] {
    let mut key = [0; 20];
    key[12..].copy_from_slice(&number.to_be_bytes());
    key
}
