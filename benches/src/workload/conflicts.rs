//! What the workloads that call contracts/conflicts share: the contract, its keys, and its funded accounts.

use super::deployments::Deployments;
use super::transfers::{Funding, Transfer, Transfers, number};
use super::{CALL_GAS_LIMIT, Invariant, Shape};
use crate::BenchError;
use phalanx_engine::{Address, BatchBuilder, Call, Engine};

/// The contract as it is built from contracts/conflicts.
const MODULE: &[u8] = include_bytes!("../../../contracts/wasm/conflicts.wasm");

const DEPLOYER: Address = *b"phalanx bench: deploys conflicts";

/// The slots of contracts/conflicts.
const SUPPLY_KEY: [u8; 1] = [0];
const BALANCES_SLOT: u8 = 1;
const LIMIT_KEY: [u8; 1] = [2];
const COUNT_KEY: [u8; 1] = [3];
const RESERVES_SLOT: u8 = 4;
const ORDERED_BALANCES_SLOT: u8 = 5;

/// The deployed contract and the accounts that call it.
#[derive(Clone, Debug)]
pub(super) struct Conflicts {
    pub(super) shape: Shape,
    pub(super) transfers: Transfers,
    pub(super) deployments: Deployments,
}

impl Conflicts {
    pub(super) fn new(shape: Shape) -> Result<Self, BenchError> {
        let transfers = Transfers::new(&shape, Funding::Ample)?;
        Ok(Self { shape, transfers, deployments: Deployments::new(DEPLOYER, vec![MODULE.to_vec()], 1) })
    }

    /// A call of a method.
    pub(super) fn call<'a>(&self, method: &'a str, sender: Address, arguments: &'a [u8]) -> Call<'a> {
        Call { contract: self.deployments.id(0), method, sender, arguments, gas_limit: CALL_GAS_LIMIT }
    }

    /// A call of a method that only the deployer may call.
    pub(super) fn deployer_call<'a>(&self, method: &'a str, arguments: &'a [u8]) -> Call<'a> {
        self.call(method, self.deployments.deployer(), arguments)
    }

    /// Appends the mint, of this method's name, that funds an account.
    pub(super) fn fund(&self, method: &str, index: u64, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        Ok(batch.push(&self.deployer_call(method, &self.transfers.mint(index)))?)
    }

    /// Appends a transfer by a method of this name.
    pub(super) fn transfer(
        &self,
        method: &str,
        transfer: &Transfer,
        batch: &mut BatchBuilder,
    ) -> Result<(), BenchError> {
        Ok(batch.push(&self.call(method, transfer.from, &transfer.arguments()))?)
    }

    fn number(&self, engine: &Engine, key: &[u8]) -> Option<u128> {
        number(engine, &self.deployments.id(0), key)
    }

    /// The most that one transfer may move.
    pub(super) fn limit(&self, engine: &Engine) -> Option<u128> {
        self.number(engine, &LIMIT_KEY)
    }

    /// The counter; `None` before the first count.
    pub(super) fn count(&self, engine: &Engine) -> Option<u128> {
        self.number(engine, &COUNT_KEY)
    }

    /// Reserves of a pool.
    pub(super) fn reserves(&self, engine: &Engine, pool: u32) -> [Option<u128>; 2] {
        [0, 1].map(|side| {
            let [a, b, c, d] = pool.to_le_bytes();
            self.number(engine, &[RESERVES_SLOT, a, b, c, d, side])
        })
    }

    /// Whether the accounts still have together what they had.
    pub(super) fn conserved(&self, engine: &Engine) -> Invariant {
        let balance = |account: &Address| self.number(engine, &account_key(BALANCES_SLOT, account));
        self.transfers.conserved(balance, Some(self.number(engine, &SUPPLY_KEY)))
    }

    /// The same of the ordered slot, for which the contract counts no supply.
    pub(super) fn ordered_conserved(&self, engine: &Engine) -> Invariant {
        let balance = |account: &Address| self.number(engine, &account_key(ORDERED_BALANCES_SLOT, account));
        self.transfers.conserved(balance, None)
    }
}

fn account_key(slot: u8, account: &Address) -> [u8; 33] {
    let mut key = [slot; 33];
    key[1..].copy_from_slice(account);
    key
}
