//! `kv-a` to `kv-f`: the core workloads of YCSB. Records are as many as there are accounts, drawn by the shape's skew; YCSB's own is
//! Zipf with exponent 0.99.

use super::{Application, Ask, Checks, Invariant, Parties, STRANGER, State};
use phalanx_kv::{FIELDS, SCAN_RECORDS_MAX, first_content};
use rand::RngExt;
use std::collections::HashMap;

const RECORDS: u8 = 0;
const ORDERED_RECORDS: u8 = 1;

/// What the calls that don't read are, and how many of a hundred.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mix {
    name: &'static str,
    describe: &'static str,
    write: Write,
    /// One call in so many is a write, the last of each; `None`: none is.
    write_every: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    /// One field, not read before.
    Update,
    /// All fields are read, one is written.
    Modify,
    /// A record is inserted; the others read the latest.
    InsertLatest,
    /// A record is inserted; the others scan.
    InsertAmongScans,
}

/// Update heavy.
pub(super) const A: Mix =
    Mix { name: "kv-a", describe: "50 % reads, 50 % updates", write: Write::Update, write_every: Some(2) };
/// Read mostly.
pub(super) const B: Mix =
    Mix { name: "kv-b", describe: "95 % reads, 5 % updates", write: Write::Update, write_every: Some(20) };
/// Read only.
pub(super) const C: Mix = Mix { name: "kv-c", describe: "reads alone", write: Write::Update, write_every: None };
/// Read latest.
pub(super) const D: Mix = Mix {
    name: "kv-d",
    describe: "95 % reads of the latest, 5 % insertions",
    write: Write::InsertLatest,
    write_every: Some(20),
};
/// Short ranges.
pub(super) const E: Mix = Mix {
    name: "kv-e",
    describe: "95 % scans of 1 to 100 records, 5 % insertions",
    write: Write::InsertAmongScans,
    write_every: Some(20),
};
/// Read, modify, write.
pub(super) const F: Mix =
    Mix { name: "kv-f", describe: "50 % reads, 50 % read-modify-writes", write: Write::Modify, write_every: Some(2) };

/// The workload.
pub(super) struct Kv {
    parties: Parties,
    mix: Mix,
    /// Number of the first record: another one for each seed.
    first: u64,
}

impl Kv {
    pub(super) fn new(parties: Parties, mix: Mix) -> Self {
        let first = u64::from(parties.dice(u64::MAX).random::<u32>()) << 31;
        Self { parties, mix, first }
    }

    /// How many of the calls with numbers below `asked` write.
    fn writes(&self, asked: u64) -> u64 {
        self.mix.write_every.map_or(0, |every| asked / every)
    }

    fn is_write(&self, number: u64) -> bool {
        self.writes(number + 1) > self.writes(number)
    }

    fn inserts(&self) -> bool {
        matches!(self.mix.write, Write::InsertLatest | Write::InsertAmongScans)
    }

    fn slot_and_insertion(&self) -> (u8, &'static str) {
        match self.mix.write {
            Write::InsertAmongScans => (ORDERED_RECORDS, "insert_ordered"),
            _ => (RECORDS, "insert"),
        }
    }

    /// The record and the field that an update or a read-modify-write is about.
    fn place(&self, number: u64) -> (u64, u8) {
        let mut dice = self.parties.dice(number);
        (self.first + self.parties.accounts.draw(&mut dice), dice.random_range(0..FIELDS))
    }

    /// What the updates and read-modify-writes with numbers below `asked` left in the fields that they wrote.
    fn written(&self, asked: u64) -> HashMap<(u64, u8), u8> {
        let mut written = HashMap::new();
        for number in (0..asked).filter(|number| !self.inserts() && self.is_write(*number)) {
            let (record, field) = self.place(number);
            let before = written.entry((record, field)).or_insert(first_content(record, field)[0]);
            *before = if self.mix.write == Write::Modify { before.wrapping_add(number as u8) } else { number as u8 };
        }
        written
    }
}

impl Application for Kv {
    const MODULE: &'static [u8] = include_bytes!("../../../../contracts/wasm/kv.wasm");
    const GAS_LIMIT: u32 = 400_000;

    fn name(&self) -> &'static str {
        self.mix.name
    }

    fn describe(&self) -> String {
        let workload = self.mix.name.trim_start_matches("kv-").to_uppercase();
        format!(
            "YCSB {workload} (contracts/kv): {}, of records of ten fields of 100 bytes; 1 % refused",
            self.mix.describe
        )
    }

    fn set_up_calls(&self) -> u64 {
        self.parties.count()
    }

    fn set_up(&self, index: u64) -> Ask {
        Ask::new(self.parties.address(index), self.slot_and_insertion().1, &(self.first + index,))
    }

    fn ask(&self, number: u64) -> Ask {
        let client = self.parties.one(!number);
        let records = self.parties.count() + self.writes(number);
        let (record, field) = self.place(number);
        match (self.mix.write, self.is_write(number)) {
            (Write::Update, true) => Ask::new(client, "update", &(record, field, [number as u8; 100])),
            (Write::Modify, true) => Ask::new(client, "modify", &(record, field, number as u8)),
            (Write::InsertLatest | Write::InsertAmongScans, true) => {
                Ask::new(client, self.slot_and_insertion().1, &(self.first + records,))
            }
            (Write::InsertAmongScans, false) => {
                let length = self.parties.dice(!number).random_range(1..=SCAN_RECORDS_MAX);
                Ask::new(client, "scan", &(record, length))
            }
            // What is drawn most often is the latest.
            (Write::InsertLatest, false) => {
                let latest = self.first + records - 1;
                Ask::new(client, "read", &(latest - (record - self.first),))
            }
            (Write::Update | Write::Modify, false) => Ask::new(client, "read", &(record,)),
        }
    }

    fn refused(&self, index: u64) -> Option<Ask> {
        Some(match self.mix.write {
            Write::InsertAmongScans => Ask::new(STRANGER, "scan", &(index, 0u32)),
            _ => Ask::new(STRANGER, "read", &(self.first - 1 - index % (1 << 30),)),
        })
    }

    fn invariant(&self, state: &State<'_>, asked: u64) -> Invariant {
        let slot = self.slot_and_insertion().0;
        let written = self.written(asked);
        let records = self.parties.count() + if self.inserts() { self.writes(asked) } else { 0 };
        // An ordered key is big-endian.
        let content = |record: u64, field: u8| match slot {
            ORDERED_RECORDS => state.get::<[u8; 100]>(slot, &(record.to_be_bytes(), field)),
            _ => state.get::<[u8; 100]>(slot, &(record, field)),
        };
        let untouched = |index: u64| {
            let (record, field) = (self.first + index, (index % u64::from(FIELDS)) as u8);
            written.contains_key(&(record, field)) || content(record, field) == Some(first_content(record, field))
        };
        let wrong = written.iter().filter(|(place, byte)| content(place.0, place.1) != Some([**byte; 100])).count();
        Checks::new("contents of records")
            .equal("written fields with other contents", 0, wrong)
            .each("records", records, untouched)
            .finish()
    }
}
