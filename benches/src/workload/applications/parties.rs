//! Who takes part in an application.

use super::super::call_list::random;
use super::super::{Accounts, Shape};
use super::Steps;
use crate::BenchError;
use phalanx_engine::Address;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Takes the place of a second party where there is one account only.
const COUNTERPART: Address = *b"phalanx bench: the second party.";

/// The accounts of a shape, drawn by its skew.
#[derive(Clone, Debug)]
pub(super) struct Parties {
    seed: u64,
    side_by_side: u64,
    pub(super) accounts: Accounts,
}

impl Parties {
    /// They take so many things through their steps side by side, at least 1.
    pub(super) fn new(shape: &Shape, side_by_side: u64) -> Result<Self, BenchError> {
        let accounts = Accounts::new(shape.seed, shape.accounts, shape.skew)?;
        Ok(Self { seed: shape.seed, side_by_side, accounts })
    }

    /// The order in which things go through so many steps.
    pub(super) fn steps(&self, steps: u64) -> Steps {
        Steps { steps, side_by_side: self.side_by_side }
    }

    pub(super) fn count(&self) -> u64 {
        self.accounts.count()
    }

    pub(super) fn address(&self, index: u64) -> Address {
        self.accounts.address(index)
    }

    /// How many addresses take part: the accounts, and whoever takes the place of a second one.
    pub(super) fn all(&self) -> u64 {
        self.count() + 1
    }

    /// One of all that take part.
    pub(super) fn nth(&self, index: u64) -> Address {
        if index < self.count() { self.address(index) } else { COUNTERPART }
    }

    /// All addresses that take part.
    pub(super) fn everyone(&self) -> impl Iterator<Item = Address> {
        (0..self.all()).map(|index| self.nth(index))
    }

    /// Numbers of one thing or one call, so that these can be made without those before them.
    pub(super) fn dice(&self, number: u64) -> ChaCha8Rng {
        random(!self.seed, number)
    }

    /// 32 bytes of a thing.
    pub(super) fn digest(&self, number: u64) -> [u8; 32] {
        let mut digest = [0; 32];
        self.dice(number).fill_bytes(&mut digest);
        digest
    }

    /// Some account.
    pub(super) fn one(&self, number: u64) -> Address {
        self.address(self.accounts.draw(&mut self.dice(number)))
    }

    /// Two parties of a thing, always different.
    pub(super) fn two(&self, number: u64) -> [Address; 2] {
        let (one, other) = self.accounts.draw_pair(&mut self.dice(number));
        let second = if one == other { COUNTERPART } else { self.address(other) };
        [self.address(one), second]
    }
}
