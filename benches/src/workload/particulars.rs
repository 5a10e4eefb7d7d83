//! Arguments that only some workloads use.

use crate::BenchError;
use clap::Args;
use core::ops::RangeInclusive;

/// What single workloads ask besides their shape. Given to a workload that does not use it, an argument is refused, not ignored.
#[derive(Args, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Particulars {
    /// read-mostly, switch: one call in N writes the key that all others read [default: 1000]
    #[arg(long, value_name = "N")]
    pub write_every: Option<u64>,
    /// pools, exchange: how many there are [default: 100]
    #[arg(long, value_name = "N")]
    pub pools: Option<u64>,
    /// many-contracts: how many there are [default: 10000]
    #[arg(long, value_name = "N")]
    pub contracts: Option<u64>,
    /// many-contracts: different codes that they are deployed from [default: 1]
    #[arg(long, value_name = "N")]
    pub codes: Option<u64>,
    /// long-call: one call in N computes for about 5 ms [default: 10000]
    #[arg(long, value_name = "N")]
    pub long_every: Option<u64>,
    /// switch: batches between two changes [default: 8]
    #[arg(long, value_name = "N")]
    pub switch_every: Option<u64>,
    /// applications with steps: things that go through them side by side, so that calls about one are N apart [default: a twentieth
    /// of the calls, at most 100000]
    #[arg(long, value_name = "N")]
    pub side_by_side: Option<u64>,
}

/// A pool's number is a u32, and each costs a call before the clock starts, or three.
const POOLS_MAX: u64 = 10_000_000;
/// Each is a deploy of 5 KB before the clock starts.
const CONTRACTS_MAX: u64 = 1_000_000;
/// Each is compiled before the clock starts, which takes tens of milliseconds.
const CODES_MAX: u64 = 10_000;

/// Far above what any run holds, and no number that is computed from it overflows.
const SIDE_BY_SIDE_MAX: u64 = 1_000_000_000_000;

impl Particulars {
    /// Refuses what is given and not among `used`.
    pub(super) fn refuse_unused(&self, workload: &str, used: &[&str]) -> Result<(), BenchError> {
        match self.given().find(|name| !used.contains(name)) {
            Some(name) => Err(BenchError::Usage(format!("{name} means nothing to the workload {workload}"))),
            None => Ok(()),
        }
    }

    /// The names of the arguments that are given.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        let Self { write_every, pools, contracts, codes, long_every, switch_every, side_by_side } = *self;
        [
            ("--write-every", write_every),
            ("--pools", pools),
            ("--contracts", contracts),
            ("--codes", codes),
            ("--long-every", long_every),
            ("--switch-every", switch_every),
            ("--side-by-side", side_by_side),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.map(|_| name))
    }

    pub(super) fn write_every(&self) -> Result<u64, BenchError> {
        within("--write-every", self.write_every.unwrap_or(1_000), 1..=u64::MAX)
    }

    pub(super) fn pools(&self) -> Result<u32, BenchError> {
        within("--pools", self.pools.unwrap_or(100), 1..=POOLS_MAX).map(|pools| pools as u32)
    }

    pub(super) fn contracts(&self) -> Result<u64, BenchError> {
        within("--contracts", self.contracts.unwrap_or(10_000), 1..=CONTRACTS_MAX)
    }

    /// No more codes than contracts: one that nothing is deployed from would not be there.
    pub(super) fn codes(&self) -> Result<u64, BenchError> {
        within("--codes", self.codes.unwrap_or(1), 1..=self.contracts()?.min(CODES_MAX))
    }

    pub(super) fn long_every(&self) -> Result<u64, BenchError> {
        within("--long-every", self.long_every.unwrap_or(10_000), 1..=u64::MAX)
    }

    /// Of so many calls.
    pub(super) fn side_by_side(&self, calls: u64) -> Result<u64, BenchError> {
        let most = (calls / 20).clamp(1, 100_000);
        within("--side-by-side", self.side_by_side.unwrap_or(most), 1..=SIDE_BY_SIDE_MAX)
    }

    pub(super) fn switch_every(&self) -> Result<u64, BenchError> {
        within("--switch-every", self.switch_every.unwrap_or(8), 1..=u64::MAX)
    }
}

fn within(name: &str, value: u64, allowed: RangeInclusive<u64>) -> Result<u64, BenchError> {
    if allowed.contains(&value) {
        return Ok(value);
    }
    let allowed = match *allowed.end() {
        u64::MAX => "at least 1".to_owned(),
        most => format!("from 1 to {most}"),
    };
    Err(BenchError::Usage(format!("{name} must be {allowed}, not {value}")))
}
