//! An exchange: pools of two assets each, whose product of reserves never falls.
//!
//! Assets are numbers. The deployer issues them to accounts; whoever has two opens a pool with them, adds to it or takes out
//! again, for shares. A swap pays one asset in and takes the other out, at the price that keeps the product of the reserves,
//! after a fee of 0.3 % that stays in the pool for those who have its shares. Everything is rounded in the pool's favour.
//!
//! # Conflicts
//!
//! Calls of one pool run in order: each reads and writes its reserves. Calls of different pools don't meet, not even where one account
//! makes them: balances are added to and subtracted from, and never read.

#![cfg_attr(target_arch = "wasm32", no_std)]

mod price;

use phalanx_contract::*;
pub use price::{RESERVE_MAX, price};

/// What each account has of each asset outside of pools.
#[slot]
const BALANCES: Map<(u32, Address), u128> = Map::at(0);
/// What was issued of each asset.
#[slot]
const ISSUED: Map<u32, u128> = Map::at(1);
/// Each pool, by its two assets, the lower number first.
#[slot]
const POOLS: Map<(u32, u32), Pool> = Map::at(2);
/// Shares of each pool that an account has.
#[slot]
const SHARES: Map<(u32, u32, Address), u128> = Map::at(3);

/// What is in a pool.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Pool {
    /// Reserve of the asset with the lower number.
    pub low: u128,
    /// Reserve of the other.
    pub high: u128,
    /// Shares of all accounts.
    pub shares: u128,
}

/// An asset came into being.
#[derive(Wire, Debug, PartialEq)]
pub struct Issued {
    /// Which.
    pub asset: u32,
    /// Who has it.
    pub to: Address,
    /// How much.
    pub amount: u128,
}

/// Somebody swapped.
#[derive(Wire, Debug, PartialEq)]
pub struct Swapped {
    /// Who.
    pub by: Address,
    /// What was paid.
    pub paid_asset: u32,
    /// How much of it.
    pub paid: u128,
    /// What was taken.
    pub taken_asset: u32,
    /// How much of it.
    pub taken: u128,
}

/// A pool's reserves were added to, or taken from, for shares.
#[derive(Wire, Debug, PartialEq)]
pub struct Reserved {
    /// By whom.
    pub by: Address,
    /// The lower asset of the pool.
    pub low_asset: u32,
    /// The higher.
    pub high_asset: u32,
    /// What is in it now.
    pub pool: Pool,
}

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// Only the deployer issues.
    NotDeployer,
    /// The supply of an asset would pass [`RESERVE_MAX`].
    SupplyOverflow,
    /// The account has less than that.
    InsufficientBalance,
    /// The account has fewer shares.
    InsufficientShares,
    /// A pool has two different assets; where it is opened, the lower number comes first.
    BadPair,
    /// There is such a pool.
    PoolExists,
    /// There is no such pool.
    NoPool,
    /// So little that it comes to nothing.
    TooSmall,
    /// More than the caller would pay.
    TooExpensive,
    /// Less than the caller would take.
    TooLittle,
}

/// The contract.
pub struct Exchange;

#[contract]
impl Exchange {
    /// Creates `amount` of an asset for `to`, as long as there is no more than [`RESERVE_MAX`] of it. The deployer alone may.
    pub fn issue(asset: u32, to: Address, amount: u128) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        ISSUED.add_within(&asset, amount, 0..=RESERVE_MAX).map_err(|Refused| Error::SupplyOverflow)?;
        credit(asset, to, amount);
        emit(&Issued { asset, to, amount });
        Ok(())
    }

    /// Opens a pool of two assets with so much of each from the caller, who gets its first shares: as many as the smaller
    /// reserve has units.
    pub fn open(low_asset: u32, high_asset: u32, low: u128, high: u128) -> Result<u128, Error> {
        require(low_asset < high_asset, Error::BadPair)?;
        require(low > 0 && high > 0, Error::TooSmall)?;
        let pair = (low_asset, high_asset);
        require(POOLS.find(&pair).is_none(), Error::PoolExists)?;
        let shares = low.min(high);
        pay_in(pair, low, high)?;
        grant(pair, shares);
        change(pair, Pool { low, high, shares });
        Ok(shares)
    }

    /// Buys `shares` of a pool at the ratio of its reserves, for at most so much of each asset. Answers with what was paid.
    pub fn join(
        low_asset: u32,
        high_asset: u32,
        shares: u128,
        low_max: u128,
        high_max: u128,
    ) -> Result<(u128, u128), Error> {
        let pair = (low_asset, high_asset);
        let pool = POOLS.find(&pair).ok_or(Error::NoPool)?;
        require(shares > 0, Error::TooSmall)?;
        require(shares <= RESERVE_MAX, Error::TooExpensive)?;
        let low = (pool.low * shares).div_ceil(pool.shares);
        let high = (pool.high * shares).div_ceil(pool.shares);
        require(low <= low_max && high <= high_max, Error::TooExpensive)?;
        pay_in(pair, low, high)?;
        grant(pair, shares);
        change(pair, Pool { low: pool.low + low, high: pool.high + high, shares: pool.shares + shares });
        Ok((low, high))
    }

    /// Gives back `shares` for their part of the reserves, which is the answer: at least so much of each asset. The last share stays, so that
    /// a pool never is empty.
    pub fn leave(
        low_asset: u32,
        high_asset: u32,
        shares: u128,
        low_min: u128,
        high_min: u128,
    ) -> Result<(u128, u128), Error> {
        let (pair, owner) = ((low_asset, high_asset), caller());
        let pool = POOLS.find(&pair).ok_or(Error::NoPool)?;
        require(shares > 0, Error::TooSmall)?;
        require(shares < pool.shares, Error::InsufficientShares)?;
        SHARES.sub(&(pair.0, pair.1, owner), shares).map_err(|Refused| Error::InsufficientShares)?;
        let (low, high) = (pool.low * shares / pool.shares, pool.high * shares / pool.shares);
        require(low >= low_min && high >= high_min, Error::TooLittle)?;
        credit(pair.0, owner, low);
        credit(pair.1, owner, high);
        change(pair, Pool { low: pool.low - low, high: pool.high - high, shares: pool.shares - shares });
        Ok((low, high))
    }

    /// Pays `paid` of one asset and takes the other, at least `accepted` of it. Answers with what was taken.
    pub fn swap(paid_asset: u32, taken_asset: u32, paid: u128, accepted: u128) -> Result<u128, Error> {
        require(paid_asset != taken_asset, Error::BadPair)?;
        let pair = (paid_asset.min(taken_asset), paid_asset.max(taken_asset));
        let mut pool = POOLS.find(&pair).ok_or(Error::NoPool)?;
        let Pool { low, high, .. } = &mut pool;
        let (reserve_in, reserve_out) = if paid_asset < taken_asset { (low, high) } else { (high, low) };
        let by = caller();
        BALANCES.sub(&(paid_asset, by), paid).map_err(|Refused| Error::InsufficientBalance)?;
        let taken = price(*reserve_in, *reserve_out, paid);
        require(taken > 0, Error::TooSmall)?;
        require(taken >= accepted, Error::TooLittle)?;
        *reserve_in += paid;
        *reserve_out -= taken;
        POOLS.set(&pair, &pool);
        credit(taken_asset, by, taken);
        emit(&Swapped { by, paid_asset, paid, taken_asset, taken });
        Ok(taken)
    }

    /// What an account has of an asset outside of pools.
    pub fn balance_of(asset: u32, owner: Address) -> u128 {
        BALANCES.get(&(asset, owner))
    }

    /// What was issued of an asset.
    pub fn issued(asset: u32) -> u128 {
        ISSUED.get(&asset)
    }

    /// What is in a pool.
    pub fn pool(low_asset: u32, high_asset: u32) -> Option<Pool> {
        POOLS.find(&(low_asset, high_asset))
    }

    /// Shares of a pool that an account has.
    pub fn shares_of(low_asset: u32, high_asset: u32, owner: Address) -> u128 {
        SHARES.get(&(low_asset, high_asset, owner))
    }
}

/// Takes both parts from the caller.
fn pay_in((low_asset, high_asset): (u32, u32), low: u128, high: u128) -> Result<(), Error> {
    for (asset, amount) in [(low_asset, low), (high_asset, high)] {
        BALANCES.sub(&(asset, caller()), amount).map_err(|Refused| Error::InsufficientBalance)?;
    }
    Ok(())
}

/// No balance is above what was issued: a refusal here is a mistake of this contract.
fn credit(asset: u32, to: Address, amount: u128) {
    BALANCES.add(&(asset, to), amount).or_abort("a balance is above what was issued");
}

/// A pool's shares, squared, are no more than the product of its reserves, so they are at most [`RESERVE_MAX`]: a refusal here is a mistake
/// of this contract.
fn grant((low_asset, high_asset): (u32, u32), shares: u128) {
    SHARES.add(&(low_asset, high_asset, caller()), shares).or_abort("a pool has more shares than numbers");
}

fn change(pair: (u32, u32), pool: Pool) {
    POOLS.set(&pair, &pool);
    emit(&Reserved { by: caller(), low_asset: pair.0, high_asset: pair.1, pool });
}
