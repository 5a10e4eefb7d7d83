//! A fungible token: balances, allowances, and a supply that the deployer may mint.

#![cfg_attr(target_arch = "wasm32", no_std)]

use phalanx_contract::*;

/// Tokens in all.
#[slot]
const SUPPLY: Item<u128> = Item::at(0);
/// Tokens of each account.
#[slot]
const BALANCES: Map<Address, u128> = Map::at(1);
/// Tokens of (owner, spender) that the spender may move.
#[slot]
const ALLOWANCES: Map<(Address, Address), u128> = Map::at(2);

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

/// Tokens came into being.
#[derive(Wire, Debug, PartialEq)]
pub struct Mint {
    /// Who has them.
    pub to: Address,
    /// How many.
    pub amount: u128,
}

/// An owner's permission for a spender was replaced.
#[derive(Wire, Debug, PartialEq)]
pub struct Approval {
    /// Whose tokens.
    pub owner: Address,
    /// Who may move them.
    pub spender: Address,
    /// How many.
    pub amount: u128,
}

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// The account has less than the amount.
    InsufficientBalance,
    /// The spender may move less than the amount.
    InsufficientAllowance,
    /// The supply would pass the largest number.
    SupplyOverflow,
    /// Only the deployer mints.
    NotDeployer,
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
        if caller() != deployer() {
            return Err(Error::NotDeployer);
        }
        SUPPLY.add(amount).map_err(|Refused| Error::SupplyOverflow)?;
        credit(&to, amount);
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

    /// Tokens of `owner`.
    pub fn balance_of(owner: Address) -> u128 {
        BALANCES.get(&owner)
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
        BALANCES.sub(&from, amount).map_err(|Refused| Error::InsufficientBalance)?;
        credit(&to, amount);
        emit(&Transfer { from, to, amount });
        Ok(())
    }
}

/// No balance is above the supply, which is a u128: a refusal here is a mistake of this contract.
#[inline(always)]
fn credit(to: &Address, amount: u128) {
    BALANCES.add(to, amount).or_abort("a balance is above the supply");
}
