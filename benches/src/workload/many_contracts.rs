//! `many-contracts`: transfers of many tokens, each a contract of its own, drawn uniformly.
//!
//! The accounts are spread over the contracts. Where there are fewer than two a contract, an account holds several tokens, so that
//! each contract has a pair that can transfer.

use super::call_list::CallList;
use super::deployments::Deployments;
use super::token::{DEPLOYER, MODULE, SUPPLY_KEY, call};
use super::transfers::{AMOUNT_MAX, FUNDS, arguments, fails, number, show};
use super::{Accounts, Invariant, Popularity, Shape, Token};
use crate::BenchError;
use phalanx_engine::{Address, BatchBuilder, Engine};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// The workload.
#[derive(Clone, Debug)]
pub(super) struct ManyContracts {
    shape: Shape,
    accounts: Accounts,
    deployments: Deployments,
    contracts: Popularity,
    /// Accounts that hold one contract's token.
    holders: Popularity,
    codes: u64,
}

impl ManyContracts {
    /// So many contracts of so many codes, both at least 1. Accounts of a contract are drawn by the shape's skew.
    pub(super) fn new(shape: Shape, contracts: u64, codes: u64) -> Result<Self, BenchError> {
        let accounts = Accounts::new(shape.seed, shape.accounts, shape.skew)?;
        let holders = accounts.count().div_ceil(contracts).max(2).min(accounts.count());
        Ok(Self {
            shape,
            deployments: Deployments::new(DEPLOYER, (0..codes).map(module).collect(), contracts),
            contracts: Popularity::new(contracts, 0.0)?,
            holders: Popularity::new(holders, shape.skew)?,
            accounts,
            codes,
        })
    }

    /// Holder of a contract's token, by an index below the number of its holders.
    fn holder(&self, contract: u64, index: u64) -> Address {
        let account = (contract * self.holders.count() + index) % self.accounts.count();
        self.accounts.address(account)
    }

    fn supply(&self) -> u128 {
        u128::from(self.holders.count()) * FUNDS
    }

    /// Sum of the balances in one contract, and the supply that it counts itself.
    fn sum_and_supply(&self, engine: &Engine, contract: u64) -> [Option<u128>; 2] {
        let id = self.deployments.id(contract);
        let balance = |index| number(engine, &id, &Token::balance_key(&self.holder(contract, index)));
        [(0..self.holders.count()).map(balance).sum(), number(engine, &id, &SUPPLY_KEY)]
    }
}

/// The token's module as the code of a number: 0 as it is, others with a section of their own, which no engine reads, but which
/// makes them other bytes.
fn module(code: u64) -> Vec<u8> {
    const NAME: &[u8] = b"phalanx bench code";
    let mut module = MODULE.to_vec();
    if code > 0 {
        // A custom section: id 0, length, length of the name, the name, contents. Lengths below 128 are one byte.
        module.extend_from_slice(&[0, 1 + NAME.len() as u8 + 8, NAME.len() as u8]);
        module.extend_from_slice(NAME);
        module.extend_from_slice(&code.to_le_bytes());
    }
    module
}

impl CallList for ManyContracts {
    fn name(&self) -> &'static str {
        "many-contracts"
    }

    fn describe(&self) -> String {
        let codes = if self.codes == 1 { "one code".to_owned() } else { format!("{} codes", self.codes) };
        format!(
            "transfers of {} fungible tokens (contracts/token, {codes}): debit, credit and an event each, 1 % refused",
            self.contracts.count()
        )
    }

    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn deployments(&self) -> &Deployments {
        &self.deployments
    }

    fn set_up_calls(&self) -> u64 {
        self.contracts.count() * self.holders.count()
    }

    fn set_up(&self, index: u64, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        let (contract, holder) = (index / self.holders.count(), index % self.holders.count());
        let arguments = arguments(&self.holder(contract, holder), FUNDS);
        Ok(batch.push(&call(self.deployments.id(contract), "mint", DEPLOYER, &arguments))?)
    }

    fn measured(&self, _index: u64, random: &mut ChaCha8Rng, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        let contract = self.contracts.draw(random);
        let (from, to) = self.holders.draw_pair(random);
        let mut amount = random.random_range(1..=AMOUNT_MAX);
        if fails(random) {
            amount += self.supply();
        }
        let arguments = arguments(&self.holder(contract, to), amount);
        Ok(batch.push(&call(self.deployments.id(contract), "transfer", self.holder(contract, from), &arguments))?)
    }

    fn invariant(&self, engine: &Engine) -> Invariant {
        let expected = Some(self.supply());
        let broken = (0..self.contracts.count())
            .map(|contract| (contract, self.sum_and_supply(engine, contract)))
            .find(|(_, found)| *found != [expected; 2]);
        let detail = match broken {
            None => {
                format!("{} minted in each of {} contracts, and there still", self.supply(), self.contracts.count())
            }
            Some((contract, [sum, supply])) => format!(
                "{} minted in each contract; contract {contract}: supply {}, sum of balances {}",
                self.supply(),
                show(supply),
                show(sum)
            ),
        };
        Invariant { name: "total supplies", holds: broken.is_none(), detail }
    }
}

#[cfg(test)]
mod tests {
    use super::{MODULE, ManyContracts, module};
    use crate::workload::Shape;

    #[test]
    fn codes_differ_and_are_accepted() {
        assert_eq!(module(0), MODULE);
        assert_ne!(module(1), module(2));
        phalanx_engine::prepare::prepare(&module(2)).map(|_| ()).unwrap();
    }

    #[test]
    fn every_contract_has_different_holders_and_every_account_holds_something() {
        for (accounts, contracts) in [(1, 3), (2, 3), (5, 3), (7, 3), (100, 7)] {
            let shape = Shape { accounts, calls: 1, batch_size: 1, skew: 0.0, seed: 1 };
            let many = ManyContracts::new(shape, contracts, 1).unwrap();
            let mut all = std::collections::BTreeSet::new();
            for contract in 0..contracts {
                let held: std::collections::BTreeSet<_> =
                    (0..many.holders.count()).map(|index| many.holder(contract, index)).collect();
                assert_eq!(held.len() as u64, many.holders.count(), "{accounts} {contracts}");
                all.extend(held);
            }
            assert_eq!(all.len() as u64, accounts, "{accounts} {contracts}");
        }
    }
}
