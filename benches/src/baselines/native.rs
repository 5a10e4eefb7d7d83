//! Transfers in plain Rust, over any table of balances.

use super::{Done, decode};
use crate::BenchError;
use crate::workload::{self, Token};
use hashbrown::HashMap;
use phalanx_engine::{Address, Batch, BatchBytes};
use std::time::Instant;

/// How many calls ahead a table is told which accounts come. At 2 to 10 it makes no difference.
const AHEAD: usize = 8;

/// A table of balances.
pub(super) trait Balances {
    /// Takes `amount` from an account; `false`, and nothing changes, if it has less.
    fn debit(&mut self, account: &Address, amount: u128) -> bool;
    /// Gives `amount` to an account.
    fn credit(&mut self, account: &Address, amount: u128);
    /// The account will be asked for soon.
    fn expect(&self, account: &Address);
    /// Sum of all balances.
    fn sum(&self) -> u128;
}

/// Executes the transfers of the batches.
pub(super) fn run(balances: &mut impl Balances, batches: &[BatchBytes]) -> Result<Done, BenchError> {
    let (mut calls, mut refused) = (0, 0);
    let start = Instant::now();
    for bytes in batches {
        let batch = decode("native", bytes)?;
        for index in 0..batch.len() {
            if index + AHEAD < batch.len() {
                let (from, to, _) = transfer(&batch, index + AHEAD)?;
                balances.expect(from);
                balances.expect(to);
            }
            let (from, to, amount) = transfer(&batch, index)?;
            if balances.debit(from, amount) {
                balances.credit(to, amount);
            } else {
                refused += 1;
            }
        }
        calls += batch.len() as u64;
    }
    let elapsed = start.elapsed();
    Ok(Done { calls, refused, balances: balances.sum(), elapsed })
}

#[inline]
fn transfer(batch: &Batch, index: usize) -> Result<(&Address, &Address, u128), BenchError> {
    let call = batch.call(index);
    let (to, amount) = workload::read_transfer(call.arguments())
        .ok_or_else(|| BenchError::Baseline { name: "native", reason: format!("call {index} is no transfer") })?;
    Ok((call.sender(), to, amount))
}

/// What a Rust programmer writes first.
pub(super) struct Table(HashMap<Address, u128, foldhash::fast::RandomState>);

impl Table {
    pub(super) fn new(token: &Token) -> Self {
        let accounts = token.accounts();
        let mut table = HashMap::with_capacity_and_hasher(accounts.count() as usize, Default::default());
        table.extend((0..accounts.count()).map(|index| (accounts.address(index), Token::funds())));
        Self(table)
    }
}

impl Balances for Table {
    #[inline]
    fn debit(&mut self, account: &Address, amount: u128) -> bool {
        let Some(balance) = self.0.get_mut(account) else { return false };
        let Some(left) = balance.checked_sub(amount) else { return false };
        *balance = left;
        true
    }

    #[inline]
    fn credit(&mut self, account: &Address, amount: u128) {
        *self.0.entry(*account).or_default() += amount;
    }

    #[inline]
    fn expect(&self, _account: &Address) {}

    fn sum(&self) -> u128 {
        self.0.values().sum()
    }
}
