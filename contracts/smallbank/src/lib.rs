//! SmallBank: customers with a savings and a checking account, and the six calls of the benchmark of that name (Alomari et al.,
//! 2008; Blockbench, 2017).
//!
//! | benchmark | method | who may |
//! |---|---|---|
//! | Balance | `balance` | anyone |
//! | DepositChecking | `deposit_checking` | the bank: money comes in |
//! | TransactSavings | `transact_savings` | the bank: money comes in or goes out |
//! | Amalgamate | `amalgamate` | the customer whose money moves |
//! | SendPayment | `send_payment` | the customer whose money moves |
//! | WriteCheck | `write_check` | the customer whose money goes out |
//!
//! The bank is the deployer; it opens accounts. Amounts are cents. As in the original, a check above what the customer has in
//! both accounts is paid with a penalty of one cent, and leaves the checking account below 0.
//!
//! # Conflicts
//!
//! Every call reads the accounts of one customer or two, and all but `balance` write what they read, as the benchmark means it: calls of
//! one customer run in order but for balances between two writes, others don't meet. What came in and went out is added up without reading.

#![cfg_attr(target_arch = "wasm32", no_std)]

use phalanx_contract::*;

/// Savings of each customer in cents.
#[slot]
const SAVINGS: Map<Address, i128> = Map::at(0);
/// What each customer has for payments, in cents; below 0 after checks without cover.
#[slot]
const CHECKING: Map<Address, i128> = Map::at(1);
/// Cents that came into the bank.
#[slot]
const PAID_IN: Item<u128> = Item::at(2);
/// Cents that went out of the bank, penalties included.
#[slot]
const PAID_OUT: Item<u128> = Item::at(3);

/// The highest amount that a call names; `amalgamate` names none, and moves what there is.
pub const AMOUNT_MAX: u128 = 1 << 64;

/// Money went from one customer to another.
#[derive(Wire, Debug, PartialEq)]
pub struct Paid {
    /// Whose it was.
    pub from: Address,
    /// Whose it is.
    pub to: Address,
    /// Cents.
    pub amount: u128,
}

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// Only the bank may.
    NotBank,
    /// The address is no customer.
    NotCustomer,
    /// The customer has accounts.
    AlreadyOpen,
    /// The account has less than the amount.
    InsufficientFunds,
    /// More than [`AMOUNT_MAX`].
    TooMuch,
}

/// The contract.
pub struct SmallBank;

#[contract]
impl SmallBank {
    /// Opens a customer's accounts with so much in each. The bank alone may.
    pub fn open(customer: Address, savings: u128, checking: u128) -> Result<(), Error> {
        only(deployer(), Error::NotBank)?;
        SAVINGS.set_once(&customer, &cents(savings)?).map_err(|Refused| Error::AlreadyOpen)?;
        CHECKING.set(&customer, &cents(checking)?);
        count(PAID_IN, savings + checking);
        Ok(())
    }

    /// What a customer has in both accounts.
    pub fn balance(customer: Address) -> Result<i128, Error> {
        Ok(of(SAVINGS, &customer)? + of(CHECKING, &customer)?)
    }

    /// Adds to a customer's checking account. The bank alone may.
    pub fn deposit_checking(customer: Address, amount: u128) -> Result<(), Error> {
        only(deployer(), Error::NotBank)?;
        let sum = of(CHECKING, &customer)? + cents(amount)?;
        CHECKING.set(&customer, &sum);
        count(PAID_IN, amount);
        Ok(())
    }

    /// Adds to a customer's savings, or takes from them if the amount is negative. The bank alone may.
    pub fn transact_savings(customer: Address, amount: i128) -> Result<(), Error> {
        only(deployer(), Error::NotBank)?;
        require(amount.unsigned_abs() <= AMOUNT_MAX, Error::TooMuch)?;
        let sum = of(SAVINGS, &customer)? + amount;
        require(sum >= 0, Error::InsufficientFunds)?;
        SAVINGS.set(&customer, &sum);
        count(if amount < 0 { PAID_OUT } else { PAID_IN }, amount.unsigned_abs());
        Ok(())
    }

    /// Moves all that the caller has in both accounts to another customer's checking account.
    pub fn amalgamate(to: Address) -> Result<(), Error> {
        let from = caller();
        let whole = of(SAVINGS, &from)? + of(CHECKING, &from)?;
        require(whole >= 0, Error::InsufficientFunds)?;
        SAVINGS.set(&from, &0);
        CHECKING.set(&from, &0);
        let sum = of(CHECKING, &to)? + whole;
        CHECKING.set(&to, &sum);
        emit(&Paid { from, to, amount: whole.unsigned_abs() });
        Ok(())
    }

    /// Moves `amount` from the caller's checking account to another's.
    pub fn send_payment(to: Address, amount: u128) -> Result<(), Error> {
        let from = caller();
        let rest = of(CHECKING, &from)? - cents(amount)?;
        require(rest >= 0, Error::InsufficientFunds)?;
        CHECKING.set(&from, &rest);
        let sum = of(CHECKING, &to)? + cents(amount)?;
        CHECKING.set(&to, &sum);
        emit(&Paid { from, to, amount });
        Ok(())
    }

    /// Pays `amount` out of the caller's checking account, and a penalty of one cent if both accounts together don't cover it.
    /// Answers with what was paid.
    pub fn write_check(amount: u128) -> Result<u128, Error> {
        let from = caller();
        let checking = of(CHECKING, &from)?;
        let covered = of(SAVINGS, &from)? + checking >= cents(amount)?;
        let paid = if covered { amount } else { amount + 1 };
        CHECKING.set(&from, &(checking - paid.cast_signed()));
        count(PAID_OUT, paid);
        Ok(paid)
    }

    /// Cents that came into the bank, and that went out of it.
    pub fn turnover() -> (u128, u128) {
        (PAID_IN.get(), PAID_OUT.get())
    }
}

fn of(accounts: Map<Address, i128>, customer: &Address) -> Result<i128, Error> {
    accounts.find(customer).ok_or(Error::NotCustomer)
}

/// With amounts of at most 2^64, no number of calls that fits a log brings a sum to the end of an i128.
fn cents(amount: u128) -> Result<i128, Error> {
    require(amount <= AMOUNT_MAX, Error::TooMuch)?;
    Ok(amount.cast_signed())
}

fn count(total: Item<u128>, amount: u128) {
    total.add(amount).or_abort("more cents than numbers");
}
