//! `token` and `token-lowbal`: transfers of a fungible token between accounts.
//!
//! Height 1 deploys contracts/token, the next heights mint to every account, the rest transfer. Debits and credits are `sub`
//! and `add`. Amounts vary; one call in a hundred asks for more than there is and reverts. In `token-lowbal` every second account
//! is nearly empty, so that further calls revert, and which ones depends on the order of credits and debits.

use super::call_list::CallList;
use super::deployments::Deployments;
use super::transfers::{FUNDS, Funding, Transfers, number};
use super::{Accounts, CALL_GAS_LIMIT, Invariant, Shape};
use crate::BenchError;
use crate::baselines::{self, Baselines};
use crate::progress::Progress;
use phalanx_engine::{Address, BatchBuilder, Call, Engine};
use rand_chacha::ChaCha8Rng;

/// The contract as it is built from contracts/token.
pub(super) const MODULE: &[u8] = include_bytes!("../../../contracts/wasm/token.wasm");

pub(super) const DEPLOYER: Address = *b"phalanx bench: deployer of token";
/// The slots of contracts/token.
pub(super) const SUPPLY_KEY: [u8; 1] = [0];
const BALANCES_SLOT: u8 = 1;

/// The workload.
#[derive(Clone, Debug)]
pub struct Token {
    shape: Shape,
    funding: Funding,
    transfers: Transfers,
    deployments: Deployments,
}

impl Token {
    /// Transfers with the contract of the SDK.
    ///
    /// # Errors
    /// [`BenchError::Usage`] for a shape that makes no sense.
    pub fn new(shape: Shape) -> Result<Self, BenchError> {
        Self::with_module(shape, MODULE.to_vec())
    }

    /// Transfers with another module that has the token's methods, to compare the two.
    ///
    /// # Errors
    /// [`BenchError::Usage`] for a shape that makes no sense.
    pub fn with_module(shape: Shape, module: Vec<u8>) -> Result<Self, BenchError> {
        Self::funded(shape, module, Funding::Ample)
    }

    /// Transfers of which every second account is short of.
    pub(super) fn low_balances(shape: Shape) -> Result<Self, BenchError> {
        Self::funded(shape, MODULE.to_vec(), Funding::EverySecondLow)
    }

    fn funded(shape: Shape, module: Vec<u8>, funding: Funding) -> Result<Self, BenchError> {
        let transfers = Transfers::new(&shape, funding)?;
        Ok(Self { shape, funding, transfers, deployments: Deployments::new(DEPLOYER, vec![module], 1) })
    }

    /// The shape it was made with.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// What each account has at first.
    pub fn funds() -> u128 {
        FUNDS
    }

    /// The accounts, all of which are funded with [`Token::funds`].
    pub fn accounts(&self) -> &Accounts {
        &self.transfers.accounts
    }

    /// The module that is deployed.
    pub fn module(&self) -> &[u8] {
        self.deployments.module(0)
    }

    /// The state key of an account's balance.
    pub fn balance_key(account: &Address) -> [u8; 33] {
        let mut key = [BALANCES_SLOT; 33];
        key[1..].copy_from_slice(account);
        key
    }
}

/// A call of contracts/token.
pub(super) fn call<'a>(contract: Address, method: &'a str, sender: Address, arguments: &'a [u8]) -> Call<'a> {
    Call { contract, method, sender, arguments, gas_limit: CALL_GAS_LIMIT }
}

impl CallList for Token {
    fn name(&self) -> &'static str {
        match self.funding {
            Funding::Ample => "token",
            Funding::EverySecondLow => "token-lowbal",
        }
    }

    fn describe(&self) -> String {
        let token = "transfers of a fungible token (contracts/token): debit, credit and an event each, 1 % refused";
        match self.funding {
            Funding::Ample => token.into(),
            Funding::EverySecondLow => format!("{token}, and more where every second account is nearly empty"),
        }
    }

    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn deployments(&self) -> &Deployments {
        &self.deployments
    }

    fn set_up_calls(&self) -> u64 {
        self.transfers.accounts.count()
    }

    fn set_up(&self, index: u64, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        Ok(batch.push(&call(self.deployments.id(0), "mint", DEPLOYER, &self.transfers.mint(index)))?)
    }

    fn measured(&self, _index: u64, random: &mut ChaCha8Rng, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        let transfer = self.transfers.draw(random);
        Ok(batch.push(&call(self.deployments.id(0), "transfer", transfer.from, &transfer.arguments()))?)
    }

    fn invariant(&self, engine: &Engine) -> Invariant {
        let value = |key: &[u8]| number(engine, &self.deployments.id(0), key);
        self.transfers.conserved(|account| value(&Self::balance_key(account)), Some(value(&SUPPLY_KEY)))
    }

    /// The native tables fund all accounts alike.
    fn baselines(&self, progress: &dyn Progress) -> Result<Option<Baselines>, BenchError> {
        match self.funding {
            Funding::Ample => baselines::measure(self, progress).map(Some),
            Funding::EverySecondLow => Ok(None),
        }
    }
}
