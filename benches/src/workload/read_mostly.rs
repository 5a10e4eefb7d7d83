//! `read-mostly`: every transfer reads one key, which one call in `--write-every` writes.
//!
//! The key is the most that a transfer may move, and balances are changed by `sub` and `add`: so that key alone conflicts. The limit
//! lies where 0 to 2 % of the transfers are above it, and each write changes it, so which calls are refused depends on the
//! limit that each of them read.

use super::call_list::{CallList, measured_until};
use super::conflicts::Conflicts;
use super::deployments::Deployments;
use super::transfers::{AMOUNT_MAX, show};
use super::{Invariant, Shape};
use crate::BenchError;
use core::ops::Range;
use phalanx_engine::{BatchBuilder, Engine};
use rand_chacha::ChaCha8Rng;

/// The workload.
#[derive(Clone, Debug)]
pub(super) struct ReadMostly {
    conflicts: Conflicts,
    write_every: u64,
}

impl ReadMostly {
    /// One call in `write_every`, at least 1, writes.
    pub(super) fn new(conflicts: Conflicts, write_every: u64) -> Self {
        Self { conflicts, write_every }
    }

    /// Whether the state holds the supply, and the limit that the last of the measured calls in `executed` set.
    pub(super) fn holds(&self, engine: &Engine, executed: impl Iterator<Item = Range<u64>>) -> Invariant {
        let last = executed.map(|calls| self.last_write(&calls)).max().unwrap_or(0);
        let (expected, found) = (limit(last), self.conflicts.limit(engine));
        let conserved = self.conflicts.conserved(engine);
        Invariant {
            name: "total supply and limit",
            holds: conserved.holds && found == Some(expected),
            detail: format!("{}; limit set {expected}, found {}", conserved.detail, show(found)),
        }
    }

    /// Number of the last write before the end of `calls`, counted from 1; 0 if there is none among them.
    fn last_write(&self, calls: &Range<u64>) -> u64 {
        let number = calls.end / self.write_every;
        if number > calls.start / self.write_every { number } else { 0 }
    }
}

/// The limit after so many writes.
fn limit(writes: u64) -> u128 {
    AMOUNT_MAX - (10 + 8 * (u128::from(writes) % 21)) % 21
}

impl CallList for ReadMostly {
    fn name(&self) -> &'static str {
        "read-mostly"
    }

    fn describe(&self) -> String {
        format!(
            "transfers (contracts/conflicts) that read one limit, by sub and add, an event each, about 1 % refused; one \
             call in {} writes the limit",
            self.write_every
        )
    }

    fn shape(&self) -> &Shape {
        &self.conflicts.shape
    }

    fn deployments(&self) -> &Deployments {
        &self.conflicts.deployments
    }

    fn set_up_calls(&self) -> u64 {
        self.conflicts.transfers.accounts.count() + 1
    }

    fn set_up(&self, index: u64, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        if index < self.conflicts.transfers.accounts.count() {
            return self.conflicts.fund("mint", index, batch);
        }
        Ok(batch.push(&self.conflicts.deployer_call("set_limit", &limit(0).to_le_bytes()))?)
    }

    fn measured(&self, index: u64, random: &mut ChaCha8Rng, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        if (index + 1).is_multiple_of(self.write_every) {
            let limit = limit((index + 1) / self.write_every);
            return Ok(batch.push(&self.conflicts.deployer_call("set_limit", &limit.to_le_bytes()))?);
        }
        let transfer = self.conflicts.transfers.draw_payable(random);
        self.conflicts.transfer("transfer_below_limit", &transfer, batch)
    }

    fn invariant(&self, engine: &Engine) -> Invariant {
        self.holds(engine, measured_until(self, engine.height()).map(|(_, calls)| calls))
    }
}

#[cfg(test)]
mod tests {
    use super::{AMOUNT_MAX, limit};

    #[test]
    fn each_write_changes_the_limit_and_one_transfer_in_a_hundred_is_above() {
        assert!((0..100).all(|writes| limit(writes) != limit(writes + 1)));
        let above: u128 = (0..21).map(|writes| AMOUNT_MAX - limit(writes)).sum();
        assert_eq!(above, 21 * 10);
        assert!(limit(u64::MAX) <= AMOUNT_MAX);
    }
}
