//! The records of YCSB: ten fields of 100 bytes each, under a number.
//!
//! | YCSB | method |
//! |---|---|
//! | insert | `insert`, `insert_ordered` |
//! | read | `read`: all ten fields |
//! | update | `update`: one field, not read before |
//! | read-modify-write | `modify`: reads all ten fields, writes one |
//! | scan | `scan`: up to 100 records from a number on, of those inserted by `insert_ordered` |
//!
//! Anyone may call anything, as in the benchmark: it is no application, and made for comparison. A new record's fields are filled
//! by the contract, from its number; a field's new content is an argument.
//!
//! # Conflicts
//!
//! Each field is a key of its own. Reads of a record run after updates of its fields that came before them; updates read nothing
//! and wait for nothing. A scan conflicts with earlier calls that insert into what it scanned.

#![cfg_attr(target_arch = "wasm32", no_std)]

use phalanx_contract::*;

/// The fields of each record.
#[slot]
const RECORDS: Map<(u64, u8), [u8; 100]> = Map::at(0);
/// The fields of each record that can be scanned.
#[slot]
const ORDERED_RECORDS: OrderedMap<(u64, u8), [u8; 100]> = OrderedMap::at(1);

/// Fields of a record.
pub const FIELDS: u8 = 10;
/// The most records that one call scans.
pub const SCAN_RECORDS_MAX: u32 = 100;

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// There is such a record: its field 0 is there. An `update` asks for no record, so it may have written field 0 of one that was never
    /// inserted, which then cannot be; other fields that it wrote before are filled anew by the insertion.
    Exists,
    /// There is no such record.
    Unknown,
    /// A record has fields 0 to 9.
    NoSuchField,
    /// A scan is of 1 to [`SCAN_RECORDS_MAX`] records.
    BadScan,
}

/// A record's content.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Record {
    /// Its fields, one after the other.
    pub fields: [u8; 1000],
}

/// What a scan came across: its records are more than a call may return.
#[derive(Wire, Clone, Copy, Debug, PartialEq, Default)]
pub struct Scanned {
    /// How many records.
    pub records: u32,
    /// Sum of the first bytes of all their fields.
    pub sum: u64,
}

/// The contract.
pub struct Kv;

#[contract]
impl Kv {
    /// Creates a record.
    pub fn insert(record: u64) -> Result<(), Error> {
        require(RECORDS.find(&(record, 0)).is_none(), Error::Exists)?;
        for number in 0..FIELDS {
            RECORDS.set(&(record, number), &first_content(record, number));
        }
        Ok(())
    }

    /// Creates a record that can be scanned.
    pub fn insert_ordered(record: u64) -> Result<(), Error> {
        require(ORDERED_RECORDS.find(&(record, 0)).is_none(), Error::Exists)?;
        for number in 0..FIELDS {
            ORDERED_RECORDS.set(&(record, number), &first_content(record, number));
        }
        Ok(())
    }

    /// All fields of a record.
    pub fn read(record: u64) -> Result<Record, Error> {
        fields(record)
    }

    /// Replaces one field, whether there is a record or not.
    pub fn update(record: u64, number: u8, content: &[u8; 100]) -> Result<(), Error> {
        require(number < FIELDS, Error::NoSuchField)?;
        RECORDS.set(&(record, number), content);
        Ok(())
    }

    /// Reads all fields of a record and adds `step` to each byte of one of them. Answers with the record as it was.
    pub fn modify(record: u64, number: u8, step: u8) -> Result<Record, Error> {
        require(number < FIELDS, Error::NoSuchField)?;
        let read = fields(record)?;
        let (contents, _) = read.fields.as_chunks::<100>();
        let content = contents[usize::from(number)].map(|byte| byte.wrapping_add(step));
        RECORDS.set(&(record, number), &content);
        Ok(read)
    }

    /// Reads up to so many records from a number on, in the order of their numbers.
    pub fn scan(from: u64, records: u32) -> Result<Scanned, Error> {
        require((1..=SCAN_RECORDS_MAX).contains(&records), Error::BadScan)?;
        let mut sum = 0;
        let limit = records as usize * usize::from(FIELDS);
        let entries = ORDERED_RECORDS.scan((from, 0).., Direction::Ascending, limit, |_, content| {
            sum += u64::from(content[0]);
        });
        Ok(Scanned { records: (entries / usize::from(FIELDS)) as u32, sum })
    }
}

/// What a field holds at first.
pub fn first_content(record: u64, number: u8) -> [u8; 100] {
    [(record as u8).wrapping_mul(31).wrapping_add(number); 100]
}

fn fields(record: u64) -> Result<Record, Error> {
    let mut read = Record { fields: [0; 1_000] };
    let (contents, _) = read.fields.as_chunks_mut::<100>();
    for (number, content) in (0..FIELDS).zip(contents) {
        *content = RECORDS.find(&(record, number)).ok_or(Error::Unknown)?;
    }
    Ok(read)
}
