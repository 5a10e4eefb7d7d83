//! Asset-backed notes: a pool of loans whose payments go to three tranches, one after the other.
//!
//! The deployer admits originators and credits accounts with money. An originator opens a pool with the notes of each tranche, and
//! pledges loans to it, no loan to two pools. Investors subscribe to notes at their face value; when all are sold and the
//! loans cover them, the originator closes the sale and gets the money; until then they may give notes back. From then on it pays in what the borrowers pay. Senior notes
//! are paid first, up to their claim (face value and interest), then mezzanine, then junior; what is left is the originator's. Whoever holds
//! notes claims its part at any time.
//!
//! # Conflicts
//!
//! Payments into a pool only add to one sum, so any number of them is made at once: who gets what of the sum is computed when somebody
//! claims. Claims read that sum, and run after the payments that came before them; claims of different holders don't meet. Subscriptions
//! are taken from what is left of a tranche without reading it, so they don't meet either, and the last note is sold once.

#![cfg_attr(target_arch = "wasm32", no_std)]

mod waterfall;

use phalanx_contract::*;
pub use waterfall::{AMOUNT_MAX, Share, Terms, Tranche};

/// Who may open pools.
#[slot]
const ROLES: Roles<Role> = Roles::at(0);
/// Each pool.
#[slot]
const POOLS: Map<u64, Pool> = Map::at(1);
/// The pool that a loan, by the digest of its contract, is pledged to.
#[slot]
const LOANS: Map<[u8; 32], u64> = Map::at(2);
/// Principal of all loans of a pool.
#[slot]
const PRINCIPAL: Map<u64, u128> = Map::at(3);
/// Notes of a tranche that are not sold.
#[slot]
const UNSOLD: Map<(u64, Tranche), u128> = Map::at(4);
/// Notes of a tranche that an investor has.
#[slot]
const NOTES: Map<(u64, Tranche, Address), u128> = Map::at(5);
/// What was paid into a pool since its sale was closed.
#[slot]
const COLLECTED: Map<u64, u128> = Map::at(6);
/// What a holder was paid of a tranche; that of the originator's rest is under its pool alone.
#[slot]
const PAID: Map<(u64, Option<(Tranche, Address)>), u128> = Map::at(7);
/// Money of each account.
#[slot]
const MONEY: Map<Address, u128> = Map::at(8);
/// Money that was credited.
#[slot]
const CREDITED: Item<u128> = Item::at(9);
/// Money that is in pools.
#[slot]
const HELD: Item<u128> = Item::at(10);

/// What an address may do.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// Open pools.
    Originator,
}

/// A pool.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Pool {
    /// Who opened it, pledges loans, and pays in.
    pub originator: Address,
    /// What each tranche has and claims.
    pub terms: Terms,
    /// Whether all notes are sold and paid for.
    pub closed: bool,
}

/// Money went into a pool from its loans.
#[derive(Wire, Debug, PartialEq)]
pub struct Collected {
    /// Which pool.
    pub pool: u64,
    /// How much.
    pub amount: u128,
}

/// Money went out of a pool.
#[derive(Wire, Debug, PartialEq)]
pub struct PaidOut {
    /// Which pool.
    pub pool: u64,
    /// To whom.
    pub to: Address,
    /// How much.
    pub amount: u128,
}

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// Only the deployer may.
    NotDeployer,
    /// The caller may not open pools, or did not open this one.
    NotOriginator,
    /// There would be more money than [`AMOUNT_MAX`].
    MoneyOverflow,
    /// The number is taken.
    Exists,
    /// No pool has this number.
    Unknown,
    /// Faces are 1 to [`AMOUNT_MAX`], and so are claims, which are no less; a pool's principal is no more.
    BadTerms,
    /// The loan is pledged.
    AlreadyPledged,
    /// The sale of the pool's notes was closed.
    Closed,
    /// The sale of the pool's notes is open.
    NotClosed,
    /// The tranche has fewer notes left.
    SoldOut,
    /// The investor has fewer notes.
    InsufficientNotes,
    /// Notes are left.
    Unsold,
    /// The loans' principal is below the notes' face.
    NotCovered,
    /// The account has less than the amount.
    InsufficientMoney,
    /// There is nothing to be paid out.
    NothingDue,
}

/// The contract.
pub struct AssetBacked;

#[contract]
impl AssetBacked {
    /// Lets an address open pools. The deployer alone may.
    pub fn admit(originator: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        ROLES.grant(Role::Originator, originator);
        Ok(())
    }

    /// Lets an address open no more pools; those that it opened go on. The deployer alone may.
    pub fn expel(originator: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        ROLES.revoke(Role::Originator, originator);
        Ok(())
    }

    /// Credits an account with money. The deployer alone may.
    pub fn credit(to: Address, amount: u128) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        CREDITED.add_within(amount, 0..=AMOUNT_MAX).map_err(|Refused| Error::MoneyOverflow)?;
        pay(&to, amount);
        Ok(())
    }

    /// Opens a pool. Originators alone may.
    pub fn open(pool: u64, terms: Terms) -> Result<(), Error> {
        ROLES.require(Role::Originator, Error::NotOriginator)?;
        require(terms.are_sound(), Error::BadTerms)?;
        let opened = Pool { originator: caller(), terms, closed: false };
        POOLS.set_once(&pool, &opened).map_err(|Refused| Error::Exists)?;
        for tranche in Tranche::ALL {
            UNSOLD.set(&(pool, tranche), &terms.of(tranche).face);
        }
        Ok(())
    }

    /// Pledges a loan, by the digest of its contract, until the sale is closed. The pool's originator alone may.
    pub fn pledge(pool: u64, loan: [u8; 32], principal: u128) -> Result<(), Error> {
        let found = originated(pool)?;
        require(!found.closed, Error::Closed)?;
        LOANS.set_once(&loan, &pool).map_err(|Refused| Error::AlreadyPledged)?;
        PRINCIPAL.add_within(&pool, principal, 0..=AMOUNT_MAX).map_err(|Refused| Error::BadTerms)?;
        Ok(())
    }

    /// Buys notes of a tranche at their face value, as long as there are so many.
    pub fn subscribe(pool: u64, tranche: Tranche, notes: u128) -> Result<(), Error> {
        require(!find(pool)?.closed, Error::Closed)?;
        UNSOLD.sub(&(pool, tranche), notes).map_err(|Refused| Error::SoldOut)?;
        take_in(notes)?;
        NOTES.add(&(pool, tranche, caller()), notes).or_abort("an investor has more notes than there are");
        Ok(())
    }

    /// Gives notes back for their face value, as long as the sale is open.
    pub fn withdraw(pool: u64, tranche: Tranche, notes: u128) -> Result<(), Error> {
        require(!find(pool)?.closed, Error::Closed)?;
        let investor = caller();
        NOTES.sub(&(pool, tranche, investor), notes).map_err(|Refused| Error::InsufficientNotes)?;
        UNSOLD.add(&(pool, tranche), notes).or_abort("a tranche has more notes than its face");
        pay_out(pool, investor, notes);
        Ok(())
    }

    /// Ends the sale and pays the originator, who alone may, once all notes are sold and the loans cover them.
    pub fn close(pool: u64) -> Result<(), Error> {
        let found = originated(pool)?;
        require(!found.closed, Error::Closed)?;
        require(Tranche::ALL.iter().all(|tranche| UNSOLD.get(&(pool, *tranche)) == 0), Error::Unsold)?;
        let sold = found.terms.face();
        require(PRINCIPAL.get(&pool) >= sold, Error::NotCovered)?;
        POOLS.set(&pool, &Pool { closed: true, ..found });
        pay_out(pool, found.originator, sold);
        Ok(())
    }

    /// Pays in what borrowers paid. The pool's originator alone may, after the sale.
    pub fn collect(pool: u64, amount: u128) -> Result<(), Error> {
        require(originated(pool)?.closed, Error::NotClosed)?;
        take_in(amount)?;
        COLLECTED.add_within(&pool, amount, 0..=AMOUNT_MAX).map_err(|Refused| Error::MoneyOverflow)?;
        emit(&Collected { pool, amount });
        Ok(())
    }

    /// Pays the caller what its notes of a tranche are due. Answers with how much that was.
    pub fn claim(pool: u64, tranche: Tranche) -> Result<u128, Error> {
        let found = find(pool)?;
        require(found.closed, Error::NotClosed)?;
        let holder = caller();
        let notes = NOTES.get(&(pool, tranche, holder));
        let due = found.terms.due(tranche, notes, COLLECTED.get(&pool));
        settle((pool, Some((tranche, holder))), holder, due)
    }

    /// Pays the originator, who alone may, what is left when all tranches have what they claim. Answers with how much that was.
    pub fn claim_rest(pool: u64) -> Result<u128, Error> {
        let found = originated(pool)?;
        let rest = COLLECTED.get(&pool).saturating_sub(found.terms.claim());
        settle((pool, None), found.originator, rest)
    }

    /// A pool.
    pub fn pool(pool: u64) -> Option<Pool> {
        POOLS.find(&pool)
    }

    /// Notes of a tranche that an investor has.
    pub fn notes_of(pool: u64, tranche: Tranche, investor: Address) -> u128 {
        NOTES.get(&(pool, tranche, investor))
    }

    /// Money of an account.
    pub fn money_of(owner: Address) -> u128 {
        MONEY.get(&owner)
    }

    /// Money that was credited, and what of it is in pools.
    pub fn money() -> (u128, u128) {
        (CREDITED.get(), HELD.get())
    }
}

fn find(pool: u64) -> Result<Pool, Error> {
    POOLS.find(&pool).ok_or(Error::Unknown)
}

/// The pool, if the caller opened it.
fn originated(pool: u64) -> Result<Pool, Error> {
    let found = find(pool)?;
    only(found.originator, Error::NotOriginator)?;
    Ok(found)
}

/// Pays what is due and was not paid.
fn settle(claim: (u64, Option<(Tranche, Address)>), to: Address, due: u128) -> Result<u128, Error> {
    let amount = due - PAID.get(&claim);
    require(amount > 0, Error::NothingDue)?;
    PAID.set(&claim, &due);
    pay_out(claim.0, to, amount);
    Ok(amount)
}

fn take_in(amount: u128) -> Result<(), Error> {
    MONEY.sub(&caller(), amount).map_err(|Refused| Error::InsufficientMoney)?;
    HELD.add(amount).or_abort("pools have more money than there is");
    Ok(())
}

fn pay_out(pool: u64, to: Address, amount: u128) {
    HELD.sub(amount).or_abort("pools have less money than they owe");
    pay(&to, amount);
    emit(&PaidOut { pool, to, amount });
}

/// No account has more than all together: a refusal here is a mistake of this contract.
fn pay(to: &Address, amount: u128) {
    MONEY.add(to, amount).or_abort("an account has more money than there is");
}
