//! One method for each shape of conflict between calls.
//!
//! | methods | what two calls conflict on |
//! |---|---|
//! | `transfer_rmw`, `transfer_after` | balances, read and written; the second computes before it reads |
//! | `transfer_below_limit`, `set_limit` | one key that all transfers read, and few calls write |
//! | `count_set`, `count_add` | one key that all calls change: read and written, or added to |
//! | `swap` | the two reserves of a pool, read and written |
//! | `transfer_ordered` | balances, read and written, in a slot that is kept in order |
//!
//! `mint`, `mint_ordered` and `open_pool` set up, and are the deployer's, as is `set_limit`.

#![cfg_attr(target_arch = "wasm32", no_std)]

use phalanx_contract::*;

/// Tokens in all, ordered ones not included.
#[slot]
const SUPPLY: Item<u128> = Item::at(0);
/// Tokens of each account.
#[slot]
const BALANCES: Map<Address, u128> = Map::at(1);
/// The most that `transfer_below_limit` moves at once.
#[slot]
const LIMIT: Item<u128> = Item::at(2);
/// What was counted so far.
#[slot]
const COUNT: Item<u128> = Item::at(3);
/// Reserves of each pool, one a side.
#[slot]
const RESERVES: Map<(u32, Side), u128> = Map::at(4);
/// Tokens of each account, in the order of the accounts.
#[slot]
const ORDERED_BALANCES: OrderedMap<Address, u128> = OrderedMap::at(5);

/// The counter stays at or below this, so that a count can be refused whatever the counter shows.
pub const COUNT_MAX: u128 = 1 << 96;
/// A pool opens with at most this on a side, and no more can be paid in at once: products of two reserves fit.
pub const RESERVE_MAX: u128 = 1 << 62;

/// One of the two things that a pool exchanges.
#[derive(Wire, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one.
    Left,
    /// The other.
    Right,
}

/// Tokens moved from one account to another.
#[derive(Wire, Debug, PartialEq)]
pub struct Transfer {
    /// Who had them.
    pub from: Address,
    /// Who has them.
    pub to: Address,
    /// How many.
    pub amount: u128,
}

/// The limit of `transfer_below_limit` was replaced.
#[derive(Wire, Debug, PartialEq)]
pub struct LimitSet {
    /// The most that moves at once.
    pub limit: u128,
}

/// The counter went up.
#[derive(Wire, Debug, PartialEq)]
pub struct Counted {
    /// Who counted.
    pub by: Address,
    /// By how much.
    pub amount: u128,
}

/// A pool took in one side and gave out the other.
#[derive(Wire, Debug, PartialEq)]
pub struct Swapped {
    /// Which pool.
    pub pool: u32,
    /// The side that was paid in.
    pub side: Side,
    /// How much was paid in.
    pub paid: u128,
    /// How much of the other side was given out.
    pub given: u128,
}

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// The account has less than the amount.
    InsufficientBalance,
    /// The supply would pass the largest number.
    SupplyOverflow,
    /// Only the deployer may.
    NotDeployer,
    /// More than the limit for one transfer.
    AboveLimit,
    /// The counter would pass [`COUNT_MAX`].
    CountOverflow,
    /// A pool opens once, with 1 to [`RESERVE_MAX`] on each side.
    BadReserves,
    /// There is no such pool.
    NoPool,
    /// More is paid in than a pool takes at once.
    TooMuchPaid,
    /// The pool gives less than the caller accepts.
    TooLittleGiven,
}

/// The contract.
pub struct Conflicts;

#[contract]
impl Conflicts {
    /// Creates `amount` for `to`. The deployer alone may.
    pub fn mint(to: Address, amount: u128) -> Result<(), Error> {
        only_deployer()?;
        SUPPLY.add(amount).map_err(|Refused| Error::SupplyOverflow)?;
        credit(&to, amount);
        Ok(())
    }

    /// Moves `amount` from the caller to `to`, reading and writing both balances.
    pub fn transfer_rmw(to: Address, amount: u128) -> Result<(), Error> {
        shift(to, amount)
    }

    /// Computes for so many turns, then moves `amount` from the caller to `to` as `transfer_rmw` does. Answers with what was
    /// computed.
    pub fn transfer_after(turns: u64, to: Address, amount: u128) -> Result<u64, Error> {
        let computed = spin(turns);
        shift(to, amount)?;
        Ok(computed)
    }

    /// Moves `amount` from the caller to `to`, by `sub` and `add`, if it is at most the limit.
    pub fn transfer_below_limit(to: Address, amount: u128) -> Result<(), Error> {
        if amount > LIMIT.get() {
            return Err(Error::AboveLimit);
        }
        let from = caller();
        BALANCES.sub(&from, amount).map_err(|Refused| Error::InsufficientBalance)?;
        credit(&to, amount);
        emit(&Transfer { from, to, amount });
        Ok(())
    }

    /// Makes `limit` the most that `transfer_below_limit` moves. The deployer alone may.
    pub fn set_limit(limit: u128) -> Result<(), Error> {
        only_deployer()?;
        LIMIT.set(&limit);
        emit(&LimitSet { limit });
        Ok(())
    }

    /// Reads the counter, adds `amount`, writes it. Answers with the sum.
    pub fn count_set(amount: u128) -> Result<u128, Error> {
        let sum = COUNT.get().checked_add(amount).filter(|sum| *sum <= COUNT_MAX).ok_or(Error::CountOverflow)?;
        COUNT.set(&sum);
        emit(&Counted { by: caller(), amount });
        Ok(sum)
    }

    /// Adds `amount` to the counter without reading it.
    pub fn count_add(amount: u128) -> Result<(), Error> {
        COUNT.add_within(amount, 0..=COUNT_MAX).map_err(|Refused| Error::CountOverflow)?;
        emit(&Counted { by: caller(), amount });
        Ok(())
    }

    /// What was counted so far.
    pub fn count() -> u128 {
        COUNT.get()
    }

    /// Gives a pool its reserves. The deployer alone may, once a pool.
    pub fn open_pool(pool: u32, left: u128, right: u128) -> Result<(), Error> {
        only_deployer()?;
        let allowed = 1..=RESERVE_MAX;
        if !(allowed.contains(&left) && allowed.contains(&right)) || RESERVES.find(&(pool, Side::Left)).is_some() {
            return Err(Error::BadReserves);
        }
        RESERVES.set(&(pool, Side::Left), &left);
        RESERVES.set(&(pool, Side::Right), &right);
        Ok(())
    }

    /// Pays `paid` into one side of a pool and takes from the other so much that the product of the reserves does not fall,
    /// if that is at least `accepted`. Answers with what was taken.
    pub fn swap(pool: u32, side: Side, paid: u128, accepted: u128) -> Result<u128, Error> {
        let other = side.other();
        let reserve_in = RESERVES.find(&(pool, side)).ok_or(Error::NoPool)?;
        let reserve_out = RESERVES.find(&(pool, other)).ok_or(Error::NoPool)?;
        let given = given(reserve_in, reserve_out, paid).ok_or(Error::TooMuchPaid)?;
        if given < accepted {
            return Err(Error::TooLittleGiven);
        }
        RESERVES.set(&(pool, side), &(reserve_in + paid));
        RESERVES.set(&(pool, other), &(reserve_out - given));
        emit(&Swapped { pool, side, paid, given });
        Ok(given)
    }

    /// Reserve of one side of a pool; 0 without such a pool.
    pub fn reserve(pool: u32, side: Side) -> u128 {
        RESERVES.get(&(pool, side))
    }

    /// Creates `amount` for `to` in the ordered slot. The deployer alone may.
    pub fn mint_ordered(to: Address, amount: u128) -> Result<(), Error> {
        only_deployer()?;
        let sum = ORDERED_BALANCES.get(&to).checked_add(amount).ok_or(Error::SupplyOverflow)?;
        ORDERED_BALANCES.set(&to, &sum);
        Ok(())
    }

    /// Moves `amount` from the caller to `to` within the ordered slot, reading and writing both balances.
    pub fn transfer_ordered(to: Address, amount: u128) -> Result<(), Error> {
        let from = caller();
        let rest = ORDERED_BALANCES.get(&from).checked_sub(amount).ok_or(Error::InsufficientBalance)?;
        ORDERED_BALANCES.set(&from, &rest);
        let sum = ORDERED_BALANCES.get(&to).checked_add(amount).ok_or(Error::SupplyOverflow)?;
        ORDERED_BALANCES.set(&to, &sum);
        emit(&Transfer { from, to, amount });
        Ok(())
    }

    /// Tokens of `owner`.
    pub fn balance_of(owner: Address) -> u128 {
        BALANCES.get(&owner)
    }

    /// Tokens of `owner` in the ordered slot.
    pub fn ordered_balance_of(owner: Address) -> u128 {
        ORDERED_BALANCES.get(&owner)
    }

    /// Sum of the `accounts` lowest accounts' tokens in the ordered slot, at most 1,000 of them.
    pub fn ordered_sum(accounts: u32) -> u128 {
        let mut sum = 0u128;
        ORDERED_BALANCES.scan(.., Direction::Ascending, accounts.min(1_000) as usize, |_, balance| {
            sum = sum.saturating_add(balance);
        });
        sum
    }
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

fn only_deployer() -> Result<(), Error> {
    if caller() == deployer() { Ok(()) } else { Err(Error::NotDeployer) }
}

#[inline(always)]
fn shift(to: Address, amount: u128) -> Result<(), Error> {
    let from = caller();
    BALANCES.update(&from, |balance| balance.checked_sub(amount).ok_or(Error::InsufficientBalance))?;
    BALANCES.update(&to, |balance| balance.checked_add(amount).ok_or(Error::SupplyOverflow))?;
    emit(&Transfer { from, to, amount });
    Ok(())
}

/// No balance is above the supply, which is a u128: a refusal here is a mistake of this contract.
#[inline(always)]
fn credit(to: &Address, amount: u128) {
    BALANCES.add(to, amount).or_abort("a balance is above the supply");
}

/// What a pool gives for `paid`, rounded down, so that the product of its reserves never falls; `None` if a number would not
/// fit.
#[inline(always)]
fn given(reserve_in: u128, reserve_out: u128, paid: u128) -> Option<u128> {
    let sum = reserve_in.checked_add(paid).filter(|_| paid <= RESERVE_MAX)?;
    Some(reserve_out.checked_mul(paid)? / sum)
}

/// A chain of multiplications, which no compiler shortens: each waits for the one before.
#[inline(never)]
fn spin(turns: u64) -> u64 {
    let mut value = turns | 1;
    for turn in 0..turns {
        value = (value ^ turn).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }
    value
}
