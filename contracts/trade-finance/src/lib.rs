//! Letters of credit: a bank promises a seller the price, for the document that proves shipment; and no document is financed twice.
//!
//! The deployer admits banks and credits accounts with money. A bank issues a letter for a buyer, in favour of a seller, and sets
//! the amount aside. The seller presents a document (its digest) before the letter ends. The bank accepts it, or reports a
//! discrepancy, which the buyer waives, or the seller answers by presenting another document. The bank settles what was accepted: the amount is
//! the seller's. A letter that ended without an accepted document is closed, and the amount is the bank's again.
//!
//! A document that is presented under one letter is claimed by it, at every bank: until that letter is closed without payment, no
//! other letter takes it, and after payment none ever.
//!
//! # Conflicts
//!
//! Calls about one letter run in order, and so do calls that claim one document. Others don't meet: money is added to and subtracted
//! from, so a bank issues any number of letters at once as long as its money covers them all.

#![cfg_attr(target_arch = "wasm32", no_std)]

mod records;

use phalanx_contract::*;
pub use records::{Error, Letter, Phase, PhaseChanged};

/// Who may issue letters.
#[slot]
const ROLES: Roles<Role> = Roles::at(0);
/// Each letter.
#[slot]
const LETTERS: Map<u64, Letter> = Map::at(1);
/// The letter that claims a document.
#[slot]
const CLAIMS: Map<[u8; 32], u64> = Map::at(2);
/// Money of each account that is not set aside.
#[slot]
const MONEY: Map<Address, u128> = Map::at(3);
/// Money that was credited.
#[slot]
const CREDITED: Item<u128> = Item::at(4);
/// Money that is set aside for letters.
#[slot]
const SET_ASIDE: Item<u128> = Item::at(5);

/// What an address may do.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// Issue letters.
    Bank,
}

/// The contract.
pub struct TradeFinance;

#[contract]
impl TradeFinance {
    /// Lets an address issue letters. The deployer alone may.
    pub fn admit(bank: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        ROLES.grant(Role::Bank, bank);
        Ok(())
    }

    /// Lets an address issue no more letters; those that it issued go on. The deployer alone may.
    pub fn expel(bank: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        ROLES.revoke(Role::Bank, bank);
        Ok(())
    }

    /// Credits an account with money. The deployer alone may.
    pub fn credit(to: Address, amount: u128) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        CREDITED.add(amount).map_err(|Refused| Error::MoneyOverflow)?;
        pay(&to, amount);
        Ok(())
    }

    /// Issues a letter and sets its amount aside. Banks alone may.
    pub fn issue(letter: u64, buyer: Address, seller: Address, amount: u128, ends: u64) -> Result<(), Error> {
        ROLES.require(Role::Bank, Error::NotBank)?;
        require(LETTERS.find(&letter).is_none(), Error::Exists)?;
        require(ends > batch_time(), Error::Ended)?;
        let bank = caller();
        MONEY.sub(&bank, amount).map_err(|Refused| Error::InsufficientMoney)?;
        SET_ASIDE.add(amount).or_abort("more money is set aside than there is");
        change(letter, Letter { bank, buyer, seller, amount, ends, document: None, phase: Phase::Issued });
        Ok(())
    }

    /// Presents the document of a digest, in place of one with a discrepancy. The seller alone may, until the letter ends.
    pub fn present(letter: u64, document: [u8; 32]) -> Result<(), Error> {
        let found = find(letter)?;
        only(found.seller, Error::NotSeller)?;
        require(matches!(found.phase, Phase::Issued | Phase::Discrepant), Error::WrongPhase)?;
        require(batch_time() < found.ends, Error::Ended)?;
        let claimed = CLAIMS.find(&document);
        require(claimed.is_none_or(|by| by == letter), Error::AlreadyClaimed)?;
        if let Some(before) = found.document {
            CLAIMS.remove(&before);
        }
        CLAIMS.set(&document, &letter);
        change(letter, Letter { document: Some(document), phase: Phase::Presented, ..found });
        Ok(())
    }

    /// Says that the document is not what the letter asks for. The bank alone may.
    pub fn report_discrepancy(letter: u64) -> Result<(), Error> {
        let found = step(letter, Phase::Presented)?;
        only(found.bank, Error::NotIssuingBank)?;
        change(letter, Letter { phase: Phase::Discrepant, ..found });
        Ok(())
    }

    /// Takes the document of a digest with its discrepancy. The buyer alone may.
    pub fn waive(letter: u64, document: [u8; 32]) -> Result<(), Error> {
        let found = step(letter, Phase::Discrepant)?;
        only(found.buyer, Error::NotBuyer)?;
        // The seller may have presented another meanwhile, which the bank reported too.
        require(found.document == Some(document), Error::OtherDocument)?;
        change(letter, Letter { phase: Phase::Accepted, ..found });
        Ok(())
    }

    /// Takes the document. The bank alone may.
    pub fn accept(letter: u64) -> Result<(), Error> {
        let found = step(letter, Phase::Presented)?;
        only(found.bank, Error::NotIssuingBank)?;
        change(letter, Letter { phase: Phase::Accepted, ..found });
        Ok(())
    }

    /// Pays the seller. The bank alone may.
    pub fn settle(letter: u64) -> Result<(), Error> {
        let found = step(letter, Phase::Accepted)?;
        only(found.bank, Error::NotIssuingBank)?;
        release(&found.seller, found.amount);
        change(letter, Letter { phase: Phase::Settled, ..found });
        Ok(())
    }

    /// Ends a letter whose time is over without an accepted document: the amount is the bank's again, and the document, if one was
    /// presented, free. The bank alone may.
    pub fn close(letter: u64) -> Result<(), Error> {
        let found = find(letter)?;
        only(found.bank, Error::NotIssuingBank)?;
        require(!matches!(found.phase, Phase::Accepted | Phase::Settled | Phase::Closed), Error::WrongPhase)?;
        require(batch_time() >= found.ends, Error::NotEnded)?;
        if let Some(document) = found.document {
            CLAIMS.remove(&document);
        }
        release(&found.bank, found.amount);
        change(letter, Letter { document: None, phase: Phase::Closed, ..found });
        Ok(())
    }

    /// A letter.
    pub fn letter(letter: u64) -> Option<Letter> {
        LETTERS.find(&letter)
    }

    /// The letter that claims a document.
    pub fn claimed_by(document: [u8; 32]) -> Option<u64> {
        CLAIMS.find(&document)
    }

    /// Money of an account that is not set aside.
    pub fn money_of(owner: Address) -> u128 {
        MONEY.get(&owner)
    }

    /// Money that was credited, and what of it is set aside.
    pub fn money() -> (u128, u128) {
        (CREDITED.get(), SET_ASIDE.get())
    }
}

fn find(letter: u64) -> Result<Letter, Error> {
    LETTERS.find(&letter).ok_or(Error::Unknown)
}

/// The letter, if it is in this phase.
fn step(letter: u64, phase: Phase) -> Result<Letter, Error> {
    let found = find(letter)?;
    require(found.phase == phase, Error::WrongPhase)?;
    Ok(found)
}

fn change(letter: u64, changed: Letter) {
    LETTERS.set(&letter, &changed);
    emit(&PhaseChanged { letter, phase: changed.phase, document: changed.document });
}

fn release(to: &Address, amount: u128) {
    SET_ASIDE.sub(amount).or_abort("less money is set aside than letters promise");
    pay(to, amount);
}

/// No account has more than all together: a refusal here is a mistake of this contract.
fn pay(to: &Address, amount: u128) {
    MONEY.add(to, amount).or_abort("an account has more money than there is");
}
