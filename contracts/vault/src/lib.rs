//! Tokens kept for accounts: a contract that calls another, and the example to read for that.
//!
//! Whoever deposits lets the vault move the tokens first (`approve`). Deposits and withdrawals conflict on what the token's transfers
//! conflict on, and on nothing else: one account's tokens, where they run short.

#![cfg_attr(target_arch = "wasm32", no_std)]

use phalanx_contract::*;
use phalanx_token::{Error as TokenError, Token};

/// What (token, account) has in the vault.
#[slot]
const DEPOSITS: Map<(Address, Address), u128> = Map::at(0);

/// Tokens were deposited.
#[derive(Wire, Debug, PartialEq)]
pub struct Deposited {
    /// Whose token contract.
    pub token: Address,
    /// Whose they are.
    pub account: Address,
    /// How many.
    pub amount: u128,
}

/// Tokens were withdrawn.
#[derive(Wire, Debug, PartialEq)]
pub struct Withdrawn {
    /// Whose token contract.
    pub token: Address,
    /// Whose they were.
    pub account: Address,
    /// How many.
    pub amount: u128,
}

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// The account has fewer tokens.
    InsufficientBalance,
    /// The vault may move fewer tokens of the account's.
    InsufficientAllowance,
    /// The account has deposited fewer tokens.
    InsufficientDeposit,
    /// There is no such token, it did not do what tokens do, or who should pay is frozen there.
    TokenFailed,
}

/// The contract.
pub struct Vault;

#[contract]
impl Vault {
    /// Moves `amount` of the caller's tokens into the vault.
    pub fn deposit(token: Address, amount: u128) -> Result<(), Error> {
        let account = caller();
        Token::at(token).transfer_from(account, contract_id(), amount).map_err(refusal)?;
        // The vault has the tokens, of which there are no more than a u128 counts, if the token is one.
        DEPOSITS.add(&(token, account), amount).map_err(|Refused| Error::TokenFailed)?;
        emit(&Deposited { token, account, amount });
        Ok(())
    }

    /// Moves `amount` of the caller's tokens out of the vault.
    pub fn withdraw(token: Address, amount: u128) -> Result<(), Error> {
        let account = caller();
        // Before the call: a token that calls back finds the deposit gone.
        DEPOSITS.sub(&(token, account), amount).map_err(|Refused| Error::InsufficientDeposit)?;
        Token::at(token).transfer(account, amount).map_err(refusal)?;
        emit(&Withdrawn { token, account, amount });
        Ok(())
    }

    /// What an account has in the vault.
    pub fn deposit_of(token: Address, account: Address) -> u128 {
        DEPOSITS.get(&(token, account))
    }
}

fn refusal(error: CallError<TokenError>) -> Error {
    match error {
        CallError::Reverted(TokenError::InsufficientBalance) => Error::InsufficientBalance,
        CallError::Reverted(TokenError::InsufficientAllowance) => Error::InsufficientAllowance,
        _ => Error::TokenFailed,
    }
}
