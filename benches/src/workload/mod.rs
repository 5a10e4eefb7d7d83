//! What is executed. A workload is a list of batches, each a function of the seed and the height alone, or read from a log: so
//! batches are made as they are needed, and made again where a check or a baseline needs them again.

mod accounts;
mod applications;
mod call_list;
mod conflicts;
mod counter;
mod deployments;
mod many_contracts;
mod particulars;
mod pools;
mod popularity;
mod read_mostly;
mod recorded;
mod rmw;
mod switch;
mod token;
mod transfers;

pub use accounts::Accounts;
pub use particulars::Particulars;
pub use popularity::Popularity;
pub(crate) use recorded::Recorded;
pub use token::Token;
pub use transfers::{arguments as transfer_arguments, read_transfer};

use call_list::SET_UP_CALLS_A_BATCH;
use conflicts::Conflicts;
use counter::{Counter, Way};
use many_contracts::ManyContracts;
use pools::Pools;
use read_mostly::ReadMostly;
use rmw::Rmw;
use switch::Switch;

use crate::BenchError;
use crate::baselines::Baselines;
use crate::progress::Progress;
use phalanx_engine::{BatchBytes, Digest, Engine};
use serde::Serialize;

/// Gas limit of each short call: ten times what a transfer uses, so that the sum of a full batch's limits stays below the batch's.
pub const CALL_GAS_LIMIT: u32 = 100_000;

/// How large a workload is, and which one of all that look alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Accounts, funded before the clock starts where the workload moves what they have.
    pub accounts: u64,
    /// Measured calls.
    pub calls: u64,
    /// Calls a batch.
    pub batch_size: usize,
    /// Exponent of the Zipf distribution that accounts are drawn from; 0 is uniform.
    pub skew: f64,
    /// Seed of addresses and draws.
    pub seed: u64,
}

/// Something that must hold in the state after any prefix of the workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Invariant {
    /// What is checked.
    pub name: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// What was expected and what was found.
    pub detail: String,
}

/// A list of batches for heights 1, 2, 3, …: first those that set up, then those that are measured.
pub trait Workload {
    /// The name on the command line.
    fn name(&self) -> &'static str;
    /// Which contract does what, in one sentence.
    fn describe(&self) -> String;
    /// Whether the calls are not made for the run, but were executed before by whoever recorded them. Then those that set up may fail,
    /// and an invariant that does not hold is a mismatch.
    fn is_recorded(&self) -> bool {
        false
    }
    /// Batches that set up: heights 1 to this. Every call in them must succeed, unless they are recorded.
    fn set_up_batches(&self) -> u64;
    /// Batches that are measured: the heights that follow.
    fn measured_batches(&self) -> u64;
    /// The batch of a height from 1 to `set_up_batches + measured_batches`.
    ///
    /// # Errors
    /// [`BenchError::Batch`] if it would pass a limit, [`BenchError::Recorded`] if it cannot be read.
    fn batch(&self, height: u64) -> Result<BatchBytes, BenchError>;
    /// Checks the committed state, and the digests of the heights from 1 on that led to it.
    fn invariant(&self, engine: &Engine, digests: &[Digest]) -> Invariant;
    /// Runs the same calls without Phalanx, see [`crate::baselines`]; `None` for a workload that they cannot run.
    ///
    /// # Errors
    /// [`BenchError::Baseline`] if one cannot run, or comes to another result than the others.
    fn baselines(&self, progress: &dyn Progress) -> Result<Option<Baselines>, BenchError>;
}

/// How a workload is found and made.
struct Entry {
    name: &'static str,
    /// The particulars that it uses.
    uses: &'static [&'static str],
    make: fn(Shape, &Particulars) -> Made,
}

type Made = Result<Box<dyn Workload>, BenchError>;

/// The workloads that show one shape of conflict each, the default first.
const SHAPES: [Entry; 11] = [
    Entry { name: "token", uses: &[], make: |shape, _| Ok(Box::new(Token::new(shape)?)) },
    Entry { name: "token-lowbal", uses: &[], make: |shape, _| Ok(Box::new(Token::low_balances(shape)?)) },
    Entry { name: "token-rmw", uses: &[], make: |shape, _| Ok(Box::new(Rmw::plain(Conflicts::new(shape)?))) },
    Entry {
        name: "read-mostly",
        uses: &["--write-every"],
        make: |shape, given| Ok(Box::new(ReadMostly::new(Conflicts::new(shape)?, given.write_every()?))),
    },
    Entry {
        name: "counter-rmw",
        uses: &[],
        make: |shape, _| Ok(Box::new(Counter::new(Conflicts::new(shape)?, Way::ReadAndWrite))),
    },
    Entry {
        name: "counter-add",
        uses: &[],
        make: |shape, _| Ok(Box::new(Counter::new(Conflicts::new(shape)?, Way::Add))),
    },
    Entry { name: "pools", uses: &["--pools"], make: |shape, given| Ok(Box::new(Pools::new(shape, given.pools()?)?)) },
    Entry {
        name: "many-contracts",
        uses: &["--contracts", "--codes"],
        make: |shape, given| Ok(Box::new(ManyContracts::new(shape, given.contracts()?, given.codes()?)?)),
    },
    Entry { name: "flood", uses: &[], make: |shape, _| Ok(Box::new(Rmw::flood(Conflicts::new(shape)?))) },
    Entry {
        name: "long-call",
        uses: &["--long-every"],
        make: |shape, given| Ok(Box::new(Rmw::long_call(Conflicts::new(shape)?, given.long_every()?)?)),
    },
    Entry {
        name: "switch",
        uses: &["--switch-every", "--write-every"],
        make: |shape, given| {
            Ok(Box::new(Switch::new(Conflicts::new(shape)?, given.switch_every()?, given.write_every()?)))
        },
    },
];

/// Names of all workloads, the default first, the applications last.
pub const NAMES: [&str; SHAPES.len() + APPLICATIONS.len()] = {
    let mut names = [""; SHAPES.len() + APPLICATIONS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = entry(at).name;
        at += 1;
    }
    names
};

/// Names of the workloads that are applications.
pub const APPLICATIONS: [&str; applications::ENTRIES.len()] = {
    let mut names = [""; applications::ENTRIES.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = entry(SHAPES.len() + at).name;
        at += 1;
    }
    names
};

/// The workload of an index into [`NAMES`].
const fn entry(at: usize) -> &'static Entry {
    const FIRST: &[Entry] = &SHAPES;
    const SECOND: &[Entry] = &applications::ENTRIES;
    if at < FIRST.len() { &FIRST[at] } else { &SECOND[at - FIRST.len()] }
}

/// The workload of a name.
///
/// # Errors
/// [`BenchError::Usage`] with the names that exist, with what is wrong with the shape or the particulars, or with what of the
/// latter the workload does not use.
pub fn by_name(name: &str, shape: Shape, particulars: &Particulars) -> Made {
    let Some(entry) = (0..NAMES.len()).map(entry).find(|entry| entry.name == name) else {
        return Err(BenchError::Usage(format!("there is no workload {name:?}; there is: {}", NAMES.join(", "))));
    };
    particulars.refuse_unused(name, entry.uses)?;
    (entry.make)(shape, particulars)
}

#[cfg(test)]
mod tests {
    use super::{NAMES, Particulars, Shape, by_name};

    const SHAPE: Shape = Shape { accounts: 10, calls: 10, batch_size: 4, skew: 0.0, seed: 1 };

    #[test]
    fn every_name_leads_to_its_workload_and_no_other_does() {
        for name in NAMES {
            let workload = by_name(name, SHAPE, &Particulars::default());
            assert_eq!(workload.map(|workload| workload.name()).ok(), Some(name));
        }
        let error = by_name("tokens", SHAPE, &Particulars::default()).err().expect("there is no such workload");
        let text = error.to_string();
        assert_eq!(error.exit_code(), 2);
        assert!(text.starts_with("there is no workload \"tokens\"; there is: token, token-lowbal, "), "{text}");
    }

    #[test]
    fn batches_depend_on_seed_and_height_alone() {
        for name in NAMES {
            let particulars = Particulars::default();
            let seeded = |seed| by_name(name, Shape { seed, ..SHAPE }, &particulars).unwrap();
            let (one, again, other) = (seeded(1), seeded(1), seeded(2));
            let last = one.set_up_batches() + one.measured_batches();
            let bytes = |workload: &dyn super::Workload| workload.batch(last).unwrap().as_slice().to_vec();
            assert_eq!(one.measured_batches(), 3, "{name}");
            again.batch(last - 1).unwrap();
            assert!(bytes(&*one) == bytes(&*again) && bytes(&*one) != bytes(&*other), "{name}");
        }
    }
}
