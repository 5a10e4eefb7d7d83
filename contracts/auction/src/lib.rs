//! English auctions: the highest bid is one key that every bid reads and writes. A hot key on purpose.
//!
//! The deployer credits accounts with money. A seller opens an auction with a lowest bid and an end; a bid takes the money and
//! gives the previous bidder's back; after the end, by the batch's time, anyone settles: the seller gets the money.
//!
//! # Conflicts
//!
//! Bids of one auction run in order, whatever the engine does: each must be above the one before. That is the contract's meaning, so no
//! other choice of keys helps; what helps is more auctions. Money is added to and subtracted from, so who bids in many auctions
//! waits for none of them.

#![cfg_attr(target_arch = "wasm32", no_std)]

use phalanx_contract::*;

/// Each auction.
#[slot]
const AUCTIONS: Map<u64, Auction> = Map::at(0);
/// Money of each account that is in no bid.
#[slot]
const MONEY: Map<Address, u128> = Map::at(1);
/// Money that was credited.
#[slot]
const CREDITED: Item<u128> = Item::at(2);

/// An auction.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Auction {
    /// Who sells.
    pub seller: Address,
    /// The lowest bid that is taken.
    pub lowest: u128,
    /// The time in milliseconds from which on no bid is taken.
    pub ends: u64,
    /// The highest bid so far.
    pub best: Option<Bid>,
    /// Whether the seller was paid.
    pub settled: bool,
}

/// What somebody would pay.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct Bid {
    /// Who.
    pub bidder: Address,
    /// How much.
    pub amount: u128,
}

/// An auction has a higher bid.
#[derive(Wire, Debug, PartialEq)]
pub struct Outbid {
    /// Which.
    pub auction: u64,
    /// The highest bid now.
    pub best: Bid,
}

/// An auction ended.
#[derive(Wire, Debug, PartialEq)]
pub struct Settled {
    /// Which.
    pub auction: u64,
    /// Who won, and what the seller got; `None` if nobody bid.
    pub best: Option<Bid>,
}

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// Only the deployer credits.
    NotDeployer,
    /// There would be more money than numbers.
    MoneyOverflow,
    /// The number is taken.
    Exists,
    /// No auction has this number.
    Unknown,
    /// The auction's end has passed.
    Ended,
    /// The auction's end has not come.
    NotEnded,
    /// The seller does not bid.
    OwnAuction,
    /// The bid is not above the highest, or below the lowest that is taken.
    TooLow,
    /// The bidder has less than the bid.
    InsufficientMoney,
    /// The seller was paid.
    AlreadySettled,
}

/// The contract.
pub struct AuctionHouse;

#[contract]
impl AuctionHouse {
    /// Credits an account with money. The deployer alone may.
    pub fn credit(to: Address, amount: u128) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        CREDITED.add(amount).map_err(|Refused| Error::MoneyOverflow)?;
        pay(&to, amount);
        Ok(())
    }

    /// Opens an auction of the caller's until a time in milliseconds.
    pub fn open(auction: u64, lowest: u128, ends: u64) -> Result<(), Error> {
        require(ends > batch_time(), Error::Ended)?;
        let opened = Auction { seller: caller(), lowest, ends, best: None, settled: false };
        AUCTIONS.set_once(&auction, &opened).map_err(|Refused| Error::Exists)
    }

    /// Bids: the money is taken at once, and given back with the next higher bid.
    pub fn bid(auction: u64, amount: u128) -> Result<(), Error> {
        let found = find(auction)?;
        let bidder = caller();
        require(batch_time() < found.ends, Error::Ended)?;
        require(bidder != found.seller, Error::OwnAuction)?;
        let higher = found.best.map_or(amount >= found.lowest, |best| amount > best.amount);
        require(higher, Error::TooLow)?;
        MONEY.sub(&bidder, amount).map_err(|Refused| Error::InsufficientMoney)?;
        if let Some(outbid) = found.best {
            pay(&outbid.bidder, outbid.amount);
        }
        let best = Bid { bidder, amount };
        AUCTIONS.set(&auction, &Auction { best: Some(best), ..found });
        emit(&Outbid { auction, best });
        Ok(())
    }

    /// Pays the seller after the end. Anyone may.
    pub fn settle(auction: u64) -> Result<(), Error> {
        let found = find(auction)?;
        require(batch_time() >= found.ends, Error::NotEnded)?;
        require(!found.settled, Error::AlreadySettled)?;
        if let Some(best) = found.best {
            pay(&found.seller, best.amount);
        }
        AUCTIONS.set(&auction, &Auction { settled: true, ..found });
        emit(&Settled { auction, best: found.best });
        Ok(())
    }

    /// An auction.
    pub fn auction(auction: u64) -> Option<Auction> {
        AUCTIONS.find(&auction)
    }

    /// Money of an account that is in no bid.
    pub fn money_of(owner: Address) -> u128 {
        MONEY.get(&owner)
    }
}

fn find(auction: u64) -> Result<Auction, Error> {
    AUCTIONS.find(&auction).ok_or(Error::Unknown)
}

/// No account has more than all together: a refusal here is a mistake of this contract.
fn pay(to: &Address, amount: u128) {
    MONEY.add(to, amount).or_abort("an account has more money than there is");
}
