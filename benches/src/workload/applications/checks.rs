//! Reading a contract's state, and saying whether it is as expected.

use super::super::Invariant;
use core::fmt::Display;
use phalanx_contract::Wire;
use phalanx_contract::wire::{decoded, encoded};
use phalanx_engine::{Address, Engine};

/// Entries that a deploy leaves: the contract's record, and its module.
const DEPLOYED_ENTRIES: usize = 2;

/// The committed state of one contract.
pub(super) struct State<'e> {
    engine: &'e Engine,
    contract: Address,
}

impl<'e> State<'e> {
    pub(super) fn new(engine: &'e Engine, contract: Address) -> Self {
        Self { engine, contract }
    }

    /// The value at a key of a slot; `None` where there is none, or one of another type.
    pub(super) fn get<'k, T: for<'a> Wire<'a>>(&self, slot: u8, key: &impl Wire<'k>) -> Option<T> {
        let key = [&[slot][..], &encoded(key)].concat();
        decoded(&self.engine.get(&self.contract, &key)?)
    }

    /// The number at a key of a slot; 0 where there is none.
    pub(super) fn number<'k>(&self, slot: u8, key: &impl Wire<'k>) -> u128 {
        self.get(slot, key).unwrap_or(0)
    }

    /// How many entries the whole state has besides those of the contract's deploy.
    pub(super) fn entries(&self) -> usize {
        self.engine.entries().saturating_sub(DEPLOYED_ENTRIES)
    }

    /// Sum of the numbers of so many addresses.
    pub(super) fn sum(&self, slot: u8, of: impl Iterator<Item = Address>) -> u128 {
        of.map(|address| self.number(slot, &address)).sum()
    }
}

/// What an invariant consists of. The first that does not hold is what it says.
pub(super) struct Checks {
    name: &'static str,
    found: Vec<String>,
    wrong: Option<String>,
}

impl Checks {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, found: Vec::new(), wrong: None }
    }

    /// Two numbers must be equal.
    pub(super) fn equal<T: PartialEq + Display>(mut self, what: &str, expected: T, found: T) -> Self {
        if expected == found {
            self.found.push(format!("{what} {found}"));
        } else if self.wrong.is_none() {
            self.wrong = Some(format!("{what}: expected {expected}, found {found}"));
        }
        self
    }

    /// Each of so many things, counted from 0, must be as it should.
    pub(super) fn each(mut self, what: &str, count: u64, holds: impl Fn(u64) -> bool) -> Self {
        match (0..count).find(|thing| !holds(*thing)) {
            None => self.found.push(format!("{count} {what} as expected")),
            Some(thing) if self.wrong.is_none() => {
                self.wrong = Some(format!("of {what}, number {thing} is not as expected"))
            }
            Some(_) => {}
        }
        self
    }

    pub(super) fn finish(self) -> Invariant {
        let Self { name, found, wrong } = self;
        Invariant { name, holds: wrong.is_none(), detail: wrong.unwrap_or_else(|| found.join(", ")) }
    }
}
