//! Transfers between accounts: what accounts have at first, and who sends how much to whom.

use super::{Accounts, Invariant, Shape};
use crate::BenchError;
use phalanx_engine::{Address, Engine};
use rand::{Rng, RngExt};

/// What each account has at first: a million times the largest transfer, so that no account runs dry by chance and the
/// share of failing calls is the one that is asked for.
pub(super) const FUNDS: u128 = 1_000_000_000;
/// What a nearly empty account has at first: half of the transfers that it may try are above it.
const LOW_FUNDS: u128 = AMOUNT_MAX;
/// The largest transfer that is meant to succeed.
pub(super) const AMOUNT_MAX: u128 = 1_000;
/// One call in this many fails.
const FAILING_ONE_IN: u32 = 100;

/// What accounts have at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Funding {
    /// More than they can spend.
    Ample,
    /// Every second account is nearly empty, and tries to spend twice as much as it receives, so that it stays so.
    EverySecondLow,
}

/// Accounts with what they have, and transfers drawn between them.
#[derive(Clone, Debug)]
pub(super) struct Transfers {
    pub(super) accounts: Accounts,
    funding: Funding,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transfer {
    pub(super) from: Address,
    pub(super) to: Address,
    pub(super) amount: u128,
}

impl Transfer {
    /// Arguments of a method that takes the receiver and the amount.
    pub(super) fn arguments(&self) -> [u8; 48] {
        arguments(&self.to, self.amount)
    }
}

impl Transfers {
    /// Transfers between the accounts of a shape.
    pub(super) fn new(shape: &Shape, funding: Funding) -> Result<Self, BenchError> {
        Ok(Self { accounts: Accounts::new(shape.seed, shape.accounts, shape.skew)?, funding })
    }

    /// What an account has at first.
    fn funds(&self, index: u64) -> u128 {
        if self.is_low(index) { LOW_FUNDS } else { FUNDS }
    }

    fn is_low(&self, index: u64) -> bool {
        self.funding == Funding::EverySecondLow && index % 2 == 1
    }

    /// Sum of what all accounts have.
    pub(super) fn supply(&self) -> u128 {
        let low = if self.funding == Funding::EverySecondLow { self.accounts.count() / 2 } else { 0 };
        u128::from(low) * LOW_FUNDS + u128::from(self.accounts.count() - low) * FUNDS
    }

    /// Arguments of the mint that funds an account.
    pub(super) fn mint(&self, index: u64) -> [u8; 48] {
        arguments(&self.accounts.address(index), self.funds(index))
    }

    /// Draws a transfer. Amounts vary; one in a hundred asks for more than there is.
    pub(super) fn draw(&self, random: &mut impl Rng) -> Transfer {
        let mut transfer = self.draw_payable(random);
        if fails(random) {
            transfer.amount += self.supply();
        }
        transfer
    }

    /// Draws a transfer that its sender can pay, unless it is nearly empty.
    pub(super) fn draw_payable(&self, random: &mut impl Rng) -> Transfer {
        let (from, to) = self.accounts.draw_pair(random);
        let most = if self.is_low(from) { 2 * AMOUNT_MAX } else { AMOUNT_MAX };
        let amount = random.random_range(1..=most);
        Transfer { from: self.accounts.address(from), to: self.accounts.address(to), amount }
    }

    /// Whether the balances still sum to the supply, and the contract's own count of it, if it has one, says the same.
    pub(super) fn conserved(
        &self,
        balance: impl Fn(&Address) -> Option<u128>,
        counted: Option<Option<u128>>,
    ) -> Invariant {
        let sum: Option<u128> = (0..self.accounts.count()).map(|index| balance(&self.accounts.address(index))).sum();
        let expected = Some(self.supply());
        let supply = counted.map_or_else(String::new, |supply| format!("supply {}, ", show(supply)));
        Invariant {
            name: "total supply",
            holds: sum == expected && counted.is_none_or(|supply| supply == expected),
            detail: format!("minted {}, {supply}sum of balances {}", self.supply(), show(sum)),
        }
    }
}

/// Draws whether a call shall fail: one in a hundred.
pub(super) fn fails(random: &mut impl Rng) -> bool {
    random.random_ratio(1, FAILING_ONE_IN)
}

/// Arguments of `transfer` and of `mint`: the account and the amount, as contracts/token encodes them.
pub fn arguments(account: &Address, amount: u128) -> [u8; 48] {
    let mut bytes = [0; 48];
    bytes[..32].copy_from_slice(account);
    bytes[32..].copy_from_slice(&amount.to_le_bytes());
    bytes
}

/// The account and the amount in the arguments of a transfer; `None` if these are no such arguments.
#[inline]
pub fn read_transfer(bytes: &[u8]) -> Option<(&Address, u128)> {
    let (account, amount) = bytes.split_first_chunk::<32>()?;
    Some((account, u128::from_le_bytes(amount.try_into().ok()?)))
}

/// The number that a contract stores at a key.
pub(super) fn number(engine: &Engine, contract: &Address, key: &[u8]) -> Option<u128> {
    Some(u128::from_le_bytes(engine.get(contract, key)?.try_into().ok()?))
}

/// A stored number for people.
pub(super) fn show(found: Option<u128>) -> String {
    found.map_or("not readable".to_owned(), |found| found.to_string())
}
