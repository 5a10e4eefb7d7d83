//! `exchange`: swaps in pools of constant product. Accounts buy a pool's asset for a common one; the pool's dealer sells it.

use super::{Application, Ask, Checks, DEPLOYER, Invariant, Parties, Popularity, State};
use phalanx_engine::Address;
use phalanx_exchange::{Pool, RESERVE_MAX};
use rand::RngExt;
use std::collections::HashSet;

const BALANCES: u8 = 0;
const ISSUED: u8 = 1;
const POOLS: u8 = 2;

/// The asset that all pools have on one side.
const MONEY: u32 = 0;
/// What a pool opens with on each side.
const RESERVE: u128 = 1_000_000_000;
/// What accounts have of money at first, and dealers of both assets besides the reserves: enough for a thousand million swaps. Less where
/// there are so many accounts that the supply would pass what the contract allows.
const FUNDS_MAX: u128 = 1 << 50;
/// The most that a swap pays in: a thousandth of a reserve, so that a pool's price moves with each swap.
const PAID_MAX: u128 = 1_000_000;
/// Calls that set up a pool: two issues, and the opening.
const CALLS_A_POOL: u64 = 3;

/// The workload.
pub(super) struct Exchange {
    parties: Parties,
    pools: Popularity,
}

impl Exchange {
    pub(super) fn new(parties: Parties, pools: Popularity) -> Self {
        Self { parties, pools }
    }

    /// See [`FUNDS_MAX`].
    fn funds(&self) -> u128 {
        let owners = u128::from(self.parties.count()) + u128::from(self.pools.count());
        let reserves = u128::from(self.pools.count()) * RESERVE;
        FUNDS_MAX.min(RESERVE_MAX.saturating_sub(reserves) / owners)
    }

    /// Who opens a pool and sells its asset.
    fn dealer(&self, pool: u32) -> Address {
        self.parties.digest(u64::MAX - u64::from(pool))
    }

    /// The swap of a number.
    fn swap(&self, number: u64) -> Swap {
        let mut dice = self.parties.dice(number);
        let pool = self.pools.draw(&mut dice) as u32;
        let paid = dice.random_range(1_000..=PAID_MAX);
        let buys: bool = dice.random();
        let buyer = buys.then(|| self.parties.address(self.parties.accounts.draw(&mut dice)));
        Swap { pool, paid, buyer }
    }

    /// What there is of each pool's asset outside the pool, after the calls with numbers below `asked`: the dealer and those who bought some
    /// have it.
    fn holdings(&self, state: &State<'_>, asked: u64) -> Vec<u128> {
        let dealers = (0..self.pools.count() as u32).map(|pool| (pool, self.dealer(pool)));
        let buyers = (0..asked).map(|number| self.swap(number)).filter_map(|swap| Some((swap.pool, swap.buyer?)));
        let mut holdings = vec![0; self.pools.count() as usize];
        for (pool, owner) in dealers.chain(buyers).collect::<HashSet<_>>() {
            holdings[pool as usize] += state.number(BALANCES, &(asset(pool), owner));
        }
        holdings
    }
}

/// A swap.
struct Swap {
    pool: u32,
    paid: u128,
    /// Who pays money for the pool's asset; `None` if its dealer sells that.
    buyer: Option<Address>,
}

/// What a pool has on its other side.
fn asset(pool: u32) -> u32 {
    pool + 1
}

impl Application for Exchange {
    const MODULE: &'static [u8] = include_bytes!("../../../../contracts/wasm/exchange.wasm");

    fn name(&self) -> &'static str {
        "exchange"
    }

    fn describe(&self) -> String {
        format!(
            "swaps (contracts/exchange) in {} pools of constant product, a debit, a credit and an event each, 1 % refused",
            self.pools.count()
        )
    }

    fn set_up_calls(&self) -> u64 {
        self.parties.count() + self.pools.count() * CALLS_A_POOL
    }

    fn set_up(&self, index: u64) -> Ask {
        let Some(call) = index.checked_sub(self.parties.count()) else {
            return Ask::new(DEPLOYER, "issue", &(MONEY, self.parties.address(index), self.funds()));
        };
        let pool = (call / CALLS_A_POOL) as u32;
        let dealer = self.dealer(pool);
        match call % CALLS_A_POOL {
            0 => Ask::new(DEPLOYER, "issue", &(MONEY, dealer, self.funds() + RESERVE)),
            1 => Ask::new(DEPLOYER, "issue", &(asset(pool), dealer, self.funds() + RESERVE)),
            _ => Ask::new(dealer, "open", &(MONEY, asset(pool), RESERVE, RESERVE)),
        }
    }

    fn ask(&self, number: u64) -> Ask {
        let Swap { pool, paid, buyer } = self.swap(number);
        match buyer {
            Some(buyer) => Ask::new(buyer, "swap", &(MONEY, asset(pool), paid, 0u128)),
            None => Ask::new(self.dealer(pool), "swap", &(asset(pool), MONEY, paid, 0u128)),
        }
    }

    fn refused(&self, index: u64) -> Option<Ask> {
        let pool = self.pools.draw(&mut self.parties.dice(index)) as u32;
        // Whoever accepts no less than the largest number gets nothing.
        Some(Ask::new(self.dealer(pool), "swap", &(asset(pool), MONEY, 1_000u128, u128::MAX)))
    }

    fn invariant(&self, state: &State<'_>, asked: u64) -> Invariant {
        let pool = |pool: u64| state.get::<Pool>(POOLS, &(MONEY, asset(pool as u32)));
        let reserves: u128 = (0..self.pools.count()).filter_map(pool).map(|pool| pool.low).sum();
        let accounts = (0..self.parties.count()).map(|index| self.parties.address(index));
        let everyone = accounts.chain((0..self.pools.count() as u32).map(|pool| self.dealer(pool)));
        let balances: u128 = everyone.map(|owner| state.number(BALANCES, &(MONEY, owner))).sum();
        let issued =
            u128::from(self.parties.count()) * self.funds() + u128::from(self.pools.count()) * (self.funds() + RESERVE);
        let product = |number| pool(number).is_some_and(|pool| pool.low * pool.high >= RESERVE * RESERVE);
        let holdings = self.holdings(state, asked);
        let conserved = |number: u64| {
            let issued = self.funds() + RESERVE;
            state.number(ISSUED, &asset(number as u32)) == issued
                && pool(number).is_some_and(|pool| holdings[number as usize] + pool.high == issued)
        };
        Checks::new("conserved money and constant product")
            .equal("money issued", issued, state.number(ISSUED, &MONEY))
            .equal("balances and reserves", issued, balances + reserves)
            .each("pools with a product no lower", self.pools.count(), product)
            .each("pools whose asset is all there", self.pools.count(), conserved)
            .finish()
    }
}
