//! A fungible token: balances, allowances, a supply that the deployer may mint, accounts that the deployer may freeze.
//!
//! A frozen account spends nothing, neither itself nor by its allowances. It still receives: no payment fails for its payee's
//! sake. Its balance is stored with `FROZEN` on top, where the bounds of a debit find it, so that a transfer reads nothing
//! and asks no more than it would without freezing.

#![cfg_attr(target_arch = "wasm32", no_std)]

use phalanx_contract::*;

/// Tokens in all.
#[slot]
const SUPPLY: Item<u128> = Item::at(0);
/// Tokens of each account, and 2^127 on top while it is frozen.
#[slot]
const BALANCES: Map<Address, u128> = Map::at(1);
/// Tokens of (owner, spender) that the spender may move.
#[slot]
const ALLOWANCES: Map<(Address, Address), u128> = Map::at(2);

/// What is on top of a frozen balance. The supply, and so each balance, stays below it.
const FROZEN: u128 = 1 << 127;

events! {
    /// Tokens moved from one account to another.
    Transfer { from: Address, to: Address, amount: u128 },
    /// Tokens came into being.
    Mint { to: Address, amount: u128 },
    /// An owner's permission for a spender was replaced.
    Approval { owner: Address, spender: Address, amount: u128 },
    /// An account was frozen, or is frozen no more.
    Freeze { account: Address, frozen: bool },
}

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// The account has less than the amount.
    InsufficientBalance,
    /// The spender may move less than the amount.
    InsufficientAllowance,
    /// The supply would reach 2^127.
    SupplyOverflow,
    /// Only the deployer mints, freezes and unfreezes.
    NotDeployer,
    /// The account is frozen.
    Frozen,
    /// The account is not frozen.
    NotFrozen,
}

/// The contract.
pub struct Token;

#[contract]
impl Token {
    /// Moves `amount` from the caller to `to`.
    pub fn transfer(to: Address, amount: u128) -> Result<(), Error> {
        Self::shift(caller(), to, amount)
    }

    /// Creates `amount` for `to`. The deployer alone may.
    pub fn mint(to: Address, amount: u128) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        SUPPLY.add_within(amount, 0..=FROZEN - 1).map_err(|Refused| Error::SupplyOverflow)?;
        BALANCES.add(&to, amount).or_abort("a balance is above the supply");
        emit(&Mint { to, amount });
        Ok(())
    }

    /// Lets `spender` move up to `amount` of the caller's tokens, in place of what it might before.
    pub fn approve(spender: Address, amount: u128) {
        let owner = caller();
        ALLOWANCES.set(&(owner, spender), &amount);
        emit(&Approval { owner, spender, amount });
    }

    /// Moves `amount` from `from` to `to` at the caller's allowance.
    pub fn transfer_from(from: Address, to: Address, amount: u128) -> Result<(), Error> {
        ALLOWANCES.sub(&(from, caller()), amount).map_err(|Refused| Error::InsufficientAllowance)?;
        Self::shift(from, to, amount)
    }

    /// Lets `account` spend nothing until it is unfrozen. The deployer alone may.
    pub fn freeze(account: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        // Refused to a frozen account: twice FROZEN is no u128.
        BALANCES.add(&account, FROZEN).map_err(|Refused| Error::Frozen)?;
        emit(&Freeze { account, frozen: true });
        Ok(())
    }

    /// Lets `account` spend again. The deployer alone may.
    pub fn unfreeze(account: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        BALANCES.sub(&account, FROZEN).map_err(|Refused| Error::NotFrozen)?;
        emit(&Freeze { account, frozen: false });
        Ok(())
    }

    /// Tokens of `owner`.
    pub fn balance_of(owner: Address) -> u128 {
        BALANCES.get(&owner) % FROZEN
    }

    /// Whether `account` is frozen.
    pub fn is_frozen(account: Address) -> bool {
        BALANCES.get(&account) >= FROZEN
    }

    /// Tokens of `owner` that `spender` may move.
    pub fn allowance(owner: Address, spender: Address) -> u128 {
        ALLOWANCES.get(&(owner, spender))
    }

    /// Tokens in all.
    pub fn total_supply() -> u128 {
        SUPPLY.get()
    }

    #[inline(always)]
    fn shift(from: Address, to: Address, amount: u128) -> Result<(), Error> {
        // What stays is below FROZEN - amount just if what was there is below FROZEN: not frozen.
        if amount >= FROZEN || BALANCES.sub_within(&from, amount, 0..=FROZEN - 1 - amount).is_err() {
            // Only from a frozen account can FROZEN be taken; the error undoes it.
            return Err(if BALANCES.sub(&from, FROZEN).is_ok() { Error::Frozen } else { Error::InsufficientBalance });
        }
        BALANCES.add(&to, amount).or_abort("a balance is above the supply");
        emit(&Transfer { from, to, amount });
        Ok(())
    }
}
