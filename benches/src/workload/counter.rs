//! `counter-rmw` and `counter-add`: every call changes one counter, by reading and writing it, or by adding to it.

use super::call_list::{CallList, measured_until, random};
use super::conflicts::Conflicts;
use super::deployments::Deployments;
use super::transfers::{AMOUNT_MAX, fails, show};
use super::{Invariant, Shape};
use crate::BenchError;
use core::ops::Range;
use phalanx_engine::{BatchBuilder, Engine};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

/// How a call changes the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Reads it, writes the sum and answers with it: each call waits for the one before.
    ReadAndWrite,
    /// Adds to it, within bounds: no call waits.
    Add,
}

/// The workload.
#[derive(Clone, Debug)]
pub(super) struct Counter {
    conflicts: Conflicts,
    way: Way,
}

/// A call.
struct Count {
    /// Index of the account that counts.
    by: u64,
    /// By how much, or `None` for more than the counter takes.
    amount: Option<u128>,
}

impl Counter {
    pub(super) fn new(conflicts: Conflicts, way: Way) -> Self {
        Self { conflicts, way }
    }

    fn draw(&self, random: &mut impl Rng) -> Count {
        let by = self.conflicts.transfers.accounts.draw(random);
        let amount = random.random_range(1..=AMOUNT_MAX);
        Count { by, amount: (!fails(random)).then_some(amount) }
    }

    /// What successful calls of a height, as many as its range of indices holds, add up to.
    fn sum(&self, height: u64, calls: &Range<u64>) -> u128 {
        let mut random = random(self.conflicts.shape.seed, height);
        calls.clone().filter_map(|_| self.draw(&mut random).amount).sum()
    }

    /// Whether the counter is what the calls of the `executed` heights add up to.
    pub(super) fn holds(&self, engine: &Engine, executed: impl Iterator<Item = (u64, Range<u64>)>) -> Invariant {
        let expected: u128 = executed.map(|(height, calls)| self.sum(height, &calls)).sum();
        let found = self.conflicts.count(engine);
        Invariant {
            name: "counter",
            holds: found.unwrap_or(0) == expected,
            detail: format!("successful calls counted {expected}, the counter shows {}", show(found)),
        }
    }
}

impl CallList for Counter {
    fn name(&self) -> &'static str {
        match self.way {
            Way::ReadAndWrite => "counter-rmw",
            Way::Add => "counter-add",
        }
    }

    fn describe(&self) -> String {
        let how = match self.way {
            Way::ReadAndWrite => "read and write one counter",
            Way::Add => "add to one counter",
        };
        format!("calls (contracts/conflicts) that {how}, an event each, 1 % refused")
    }

    fn shape(&self) -> &Shape {
        &self.conflicts.shape
    }

    fn deployments(&self) -> &Deployments {
        &self.conflicts.deployments
    }

    /// The accounts only sign: they need no funds.
    fn set_up_calls(&self) -> u64 {
        0
    }

    fn set_up(&self, _index: u64, _batch: &mut BatchBuilder) -> Result<(), BenchError> {
        Ok(())
    }

    fn measured(&self, _index: u64, random: &mut ChaCha8Rng, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        let count = self.draw(random);
        let method = match self.way {
            Way::ReadAndWrite => "count_set",
            Way::Add => "count_add",
        };
        let sender = self.conflicts.transfers.accounts.address(count.by);
        let amount = count.amount.unwrap_or(u128::MAX).to_le_bytes();
        Ok(batch.push(&self.conflicts.call(method, sender, &amount))?)
    }

    fn invariant(&self, engine: &Engine) -> Invariant {
        self.holds(engine, measured_until(self, engine.height()))
    }
}
