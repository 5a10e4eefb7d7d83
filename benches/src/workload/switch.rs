//! `switch`: what conflicts changes every `--switch-every` batches, so that no way of executing is right all the time.
//!
//! In turn: the transfers of `token-rmw`, the counter of `counter-rmw`, the transfers of `read-mostly`; all on one contract.

use super::call_list::{CallList, measured_until};
use super::conflicts::Conflicts;
use super::counter::{Counter, Way};
use super::deployments::Deployments;
use super::read_mostly::ReadMostly;
use super::rmw::Rmw;
use super::{Invariant, Shape};
use crate::BenchError;
use core::ops::Range;
use phalanx_engine::{BatchBuilder, Engine};
use rand_chacha::ChaCha8Rng;

/// The workload.
#[derive(Clone, Debug)]
pub(super) struct Switch {
    token_rmw: Rmw,
    counter: Counter,
    read_mostly: ReadMostly,
    switch_every: u64,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    TokenRmw,
    Counter,
    ReadMostly,
}

impl Switch {
    /// Turns of `switch_every` batches, at least one.
    pub(super) fn new(conflicts: Conflicts, switch_every: u64, write_every: u64) -> Self {
        Self {
            token_rmw: Rmw::plain(conflicts.clone()),
            counter: Counter::new(conflicts.clone(), Way::ReadAndWrite),
            read_mostly: ReadMostly::new(conflicts, write_every),
            switch_every,
        }
    }

    /// Whose turn the measured call of an index is in.
    fn turn(&self, index: u64) -> Turn {
        let batch = index / self.shape().batch_size as u64;
        match batch / self.switch_every % 3 {
            0 => Turn::TokenRmw,
            1 => Turn::Counter,
            _ => Turn::ReadMostly,
        }
    }

    /// The heights of one turn that were executed, each with its calls.
    fn executed(&self, turn: Turn, engine: &Engine) -> impl Iterator<Item = (u64, Range<u64>)> {
        measured_until(self, engine.height()).filter(move |(_, calls)| self.turn(calls.start) == turn)
    }
}

impl CallList for Switch {
    fn name(&self) -> &'static str {
        "switch"
    }

    fn describe(&self) -> String {
        format!("in turn, {} batches each: token-rmw, counter-rmw, read-mostly", self.switch_every)
    }

    fn shape(&self) -> &Shape {
        self.token_rmw.shape()
    }

    fn deployments(&self) -> &Deployments {
        self.token_rmw.deployments()
    }

    /// Those of `read-mostly` are enough for all.
    fn set_up_calls(&self) -> u64 {
        self.read_mostly.set_up_calls()
    }

    fn set_up(&self, index: u64, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        self.read_mostly.set_up(index, batch)
    }

    fn measured(&self, index: u64, random: &mut ChaCha8Rng, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        match self.turn(index) {
            Turn::TokenRmw => self.token_rmw.measured(index, random, batch),
            Turn::Counter => self.counter.measured(index, random, batch),
            Turn::ReadMostly => self.read_mostly.measured(index, random, batch),
        }
    }

    fn invariant(&self, engine: &Engine) -> Invariant {
        let counter = self.counter.holds(engine, self.executed(Turn::Counter, engine));
        let read_mostly =
            self.read_mostly.holds(engine, self.executed(Turn::ReadMostly, engine).map(|(_, calls)| calls));
        Invariant {
            name: "total supply, limit and counter",
            holds: counter.holds && read_mostly.holds,
            detail: format!("{}; {}", read_mostly.detail, counter.detail),
        }
    }
}
