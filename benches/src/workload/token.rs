//! `token`: transfers of a fungible token between accounts.
//!
//! Height 1 deploys contracts/token, the next heights mint to every account, the rest transfer. Debits and credits are `sub`
//! and `add`. Amounts vary; one call in a hundred asks for more than there is and reverts.

use super::{Accounts, CALL_GAS_LIMIT, Invariant, Shape, Workload};
use crate::BenchError;
use crate::baselines::{self, Baselines};
use crate::progress::Progress;
use phalanx_engine::{
    Address, BatchBuilder, BatchBytes, Call, Engine, SYSTEM_CONTRACT, contract_id, deploy_arguments, deploy_gas,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The contract as it is built from contracts/token.
const MODULE: &[u8] = include_bytes!("../../../contracts/wasm/token.wasm");

/// What each account has at first: a million times the largest transfer, so that no account runs dry by chance and the
/// share of failing calls is the one that is asked for.
const FUNDS: u128 = 1_000_000_000;
/// The largest transfer that is meant to succeed.
const AMOUNT_MAX: u128 = 1_000;
/// One call in this many fails.
const FAILING_ONE_IN: u32 = 100;
/// Calls a batch while minting.
const MINTS_A_BATCH: u64 = 16_384;

const DEPLOYER: Address = *b"phalanx bench: deployer of token";
const SALT: [u8; 32] = [0; 32];
/// The slots of contracts/token.
const SUPPLY_KEY: [u8; 1] = [0];
const BALANCES_SLOT: u8 = 1;

/// The workload.
#[derive(Clone, Debug)]
pub struct Token {
    shape: Shape,
    accounts: Accounts,
    contract: Address,
    module: Vec<u8>,
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
        let accounts = Accounts::new(shape.seed, shape.accounts, shape.skew)?;
        Ok(Self { shape, accounts, contract: contract_id(&DEPLOYER, &SALT, &module), module })
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
        &self.accounts
    }

    /// The module that is deployed.
    pub fn module(&self) -> &[u8] {
        &self.module
    }

    /// The state key of an account's balance.
    pub fn balance_key(account: &Address) -> [u8; 33] {
        let mut key = [BALANCES_SLOT; 33];
        key[1..].copy_from_slice(account);
        key
    }

    fn supply(&self) -> u128 {
        u128::from(self.accounts.count()) * FUNDS
    }

    fn call<'a>(&self, method: &'a str, sender: Address, arguments: &'a [u8]) -> Call<'a> {
        Call { contract: self.contract, method, sender, arguments, gas_limit: CALL_GAS_LIMIT }
    }

    fn deploy(&self, builder: &mut BatchBuilder) -> Result<(), BenchError> {
        let arguments = deploy_arguments(&SALT, &self.module);
        let gas_limit = deploy_gas(self.module.len()) as u32;
        builder.push(&Call {
            contract: SYSTEM_CONTRACT,
            method: "deploy",
            sender: DEPLOYER,
            arguments: &arguments,
            gas_limit,
        })?;
        Ok(())
    }

    fn mint(&self, builder: &mut BatchBuilder, first: u64) -> Result<(), BenchError> {
        for index in first..(first + MINTS_A_BATCH).min(self.accounts.count()) {
            builder.push(&self.call("mint", DEPLOYER, &arguments(&self.accounts.address(index), FUNDS)))?;
        }
        Ok(())
    }

    /// Each height has a stream of random numbers of its own, so that it can be made without those before it.
    fn transfer(&self, builder: &mut BatchBuilder, height: u64, calls: u64) -> Result<(), BenchError> {
        let mut random = ChaCha8Rng::seed_from_u64(self.shape.seed);
        random.set_stream(height);
        for _ in 0..calls {
            let (from, to) = self.accounts.draw_pair(&mut random);
            let mut amount = random.random_range(1..=AMOUNT_MAX);
            if random.random_ratio(1, FAILING_ONE_IN) {
                amount += self.supply();
            }
            let arguments = arguments(&self.accounts.address(to), amount);
            builder.push(&self.call("transfer", self.accounts.address(from), &arguments))?;
        }
        Ok(())
    }
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

impl Workload for Token {
    fn name(&self) -> &'static str {
        "token"
    }

    fn describe(&self) -> String {
        "transfers of a fungible token (contracts/token): debit, credit and an event each, 1 % refused".into()
    }

    fn set_up_batches(&self) -> u64 {
        1 + self.accounts.count().div_ceil(MINTS_A_BATCH)
    }

    fn measured_batches(&self) -> u64 {
        self.shape.calls.div_ceil(self.shape.batch_size as u64)
    }

    fn batch(&self, height: u64) -> Result<BatchBytes, BenchError> {
        let mut builder = BatchBuilder::new(height, 1_000 * height);
        let set_up = self.set_up_batches();
        if height == 1 {
            self.deploy(&mut builder)?;
        } else if height <= set_up {
            self.mint(&mut builder, (height - 2) * MINTS_A_BATCH)?;
        } else {
            let before = (height - set_up - 1) * self.shape.batch_size as u64;
            let calls = self.shape.calls.saturating_sub(before).min(self.shape.batch_size as u64);
            self.transfer(&mut builder, height, calls)?;
        }
        Ok(builder.finish())
    }

    fn invariant(&self, engine: &Engine) -> Invariant {
        let value = |key: &[u8]| {
            let bytes = engine.get(&self.contract, key)?;
            Some(u128::from_le_bytes(bytes.try_into().ok()?))
        };
        let balances = (0..self.accounts.count()).map(|index| value(&Self::balance_key(&self.accounts.address(index))));
        let sum: Option<u128> = balances.sum();
        let supply = value(&SUPPLY_KEY);
        let expected = Some(self.supply());
        let show = |found: Option<u128>| found.map_or("not readable".to_owned(), |found| found.to_string());
        Invariant {
            name: "total supply",
            holds: sum == expected && supply == expected,
            detail: format!("minted {}, supply {}, sum of balances {}", self.supply(), show(supply), show(sum)),
        }
    }

    fn baselines(&self, progress: &dyn Progress) -> Result<Baselines, BenchError> {
        baselines::measure(self, progress)
    }
}
