//! `donothing`, `cpuheavy` and `ioheavy`: Blockbench's micro-benchmarks.

use super::{Application, Ask, Checks, Invariant, Parties, STRANGER, State};
use phalanx_cpuheavy::NUMBERS_MAX;
use phalanx_ioheavy::{KEYS_MAX, key};
use rand::RngExt;

/// Calls that do nothing.
pub(super) struct DoNothing(pub(super) Parties);

impl Application for DoNothing {
    const MODULE: &'static [u8] = include_bytes!("../../../../contracts/wasm/donothing.wasm");

    fn name(&self) -> &'static str {
        "donothing"
    }

    fn describe(&self) -> String {
        "calls (contracts/donothing) that do nothing".into()
    }

    fn ask(&self, number: u64) -> Ask {
        Ask::new(self.0.one(number), "nothing", &())
    }

    /// What does nothing has nothing to refuse.
    fn refused(&self, _index: u64) -> Option<Ask> {
        None
    }

    fn invariant(&self, state: &State<'_>, _asked: u64) -> Invariant {
        Checks::new("no state").equal("entries of state", 0, state.entries()).finish()
    }
}

/// How many numbers a call sorts.
const NUMBERS: u32 = 1_000;

/// Calls that sort.
pub(super) struct CpuHeavy(pub(super) Parties);

impl Application for CpuHeavy {
    const MODULE: &'static [u8] = include_bytes!("../../../../contracts/wasm/cpuheavy.wasm");
    const GAS_LIMIT: u32 = 400_000;

    fn name(&self) -> &'static str {
        "cpuheavy"
    }

    fn describe(&self) -> String {
        format!("calls (contracts/cpuheavy) that sort {NUMBERS} numbers by quicksort, 1 % refused")
    }

    fn ask(&self, number: u64) -> Ask {
        Ask::new(self.0.one(number), "sort", &(NUMBERS,))
    }

    fn refused(&self, _index: u64) -> Option<Ask> {
        Some(Ask::new(STRANGER, "sort", &(NUMBERS_MAX + 1,)))
    }

    fn invariant(&self, state: &State<'_>, _asked: u64) -> Invariant {
        Checks::new("no state").equal("entries of state", 0, state.entries()).finish()
    }
}

const VALUES: u8 = 0;
/// How many keys a call writes or reads.
const KEYS: u32 = 10;
const STEPS: u64 = 2;

/// Calls that write ranges of keys, and read them.
pub(super) struct IoHeavy {
    parties: Parties,
    /// Number of the first key: another one for each seed.
    first: u64,
}

impl IoHeavy {
    pub(super) fn new(parties: Parties) -> Self {
        let first = u64::from(parties.dice(u64::MAX).random::<u32>()) << 31;
        Self { parties, first }
    }

    fn from(&self, range: u64) -> u64 {
        self.first + range * u64::from(KEYS)
    }
}

impl Application for IoHeavy {
    const MODULE: &'static [u8] = include_bytes!("../../../../contracts/wasm/ioheavy.wasm");
    const GAS_LIMIT: u32 = 400_000;

    fn name(&self) -> &'static str {
        "ioheavy"
    }

    fn describe(&self) -> String {
        format!("calls (contracts/ioheavy) that write or read {KEYS} values of 100 bytes each, 1 % refused")
    }

    fn ask(&self, number: u64) -> Ask {
        let (range, step) = self.parties.steps(STEPS).of(number);
        let (client, from) = (self.parties.one(number), self.from(range));
        match step {
            0 => Ask::new(client, "write", &(from, KEYS, range as u8)),
            _ => Ask::new(client, "read", &(from, KEYS)),
        }
    }

    fn refused(&self, index: u64) -> Option<Ask> {
        Some(Ask::new(STRANGER, "write", &(index, KEYS_MAX + 1, 0u8)))
    }

    fn invariant(&self, state: &State<'_>, asked: u64) -> Invariant {
        let holds = |range: u64| {
            (self.from(range)..self.from(range + 1)).all(|number| {
                let expected = [(range as u8).wrapping_add(number as u8); 100];
                state.get(VALUES, &key(number)) == Some(expected)
            })
        };
        Checks::new("values").each("ranges of values", self.parties.steps(STEPS).things(asked), holds).finish()
    }
}
