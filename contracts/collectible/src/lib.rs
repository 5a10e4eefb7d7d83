//! Unique items: minted by their creators, transferred, and sold with a royalty for the creator of each.
//!
//! The deployer lets creators mint and credits accounts with money for purchases. An item belongs to one account, which transfers
//! it, lets one other account transfer it, or offers it at a price. Whoever buys pays the price; the creator's part of it,
//! at most a tenth, goes to the creator, at every sale.
//!
//! # Conflicts
//!
//! Calls about one item run in order: each reads and writes it. Calls about different items don't meet: how many items an account has,
//! and its money, are added to and subtracted from. A purchase is refused where the money is not there, whatever else is going on.

#![cfg_attr(target_arch = "wasm32", no_std)]

use phalanx_contract::*;

/// Who may mint.
#[slot]
const ROLES: Roles<Role> = Roles::at(0);
/// Each item.
#[slot]
const ITEMS: Map<u64, UniqueItem> = Map::at(1);
/// How many items an account has.
#[slot]
const COUNTS: Map<Address, u128> = Map::at(2);
/// Who may transfer an item besides its owner.
#[slot]
const APPROVALS: Map<u64, Address> = Map::at(3);
/// The price that an item's owner asks.
#[slot]
const OFFERS: Map<u64, u128> = Map::at(4);
/// Money of each account.
#[slot]
const MONEY: Map<Address, u128> = Map::at(5);
/// Money of all accounts.
#[slot]
const MONEY_IN_ALL: Item<u128> = Item::at(6);

/// The highest royalty in hundredths of a per cent: a tenth of the price.
pub const ROYALTY_MAX: u16 = 1_000;
/// The highest price: a royalty's product fits a u128.
pub const PRICE_MAX: u128 = 1 << 100;

/// What an address may do.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// Mint items.
    Creator,
}

/// A unique item.
#[derive(Wire, Clone, Copy, Debug, PartialEq)]
pub struct UniqueItem {
    /// Whose it is.
    pub owner: Address,
    /// Who minted it.
    pub creator: Address,
    /// The creator's part of each price, in hundredths of a per cent.
    pub royalty: u16,
    /// Digest of what it stands for.
    pub content: [u8; 32],
}

/// An item came into being.
#[derive(Wire, Debug, PartialEq)]
pub struct Minted {
    /// Its number.
    pub item: u64,
    /// Who made it.
    pub creator: Address,
    /// Whose it is.
    pub owner: Address,
}

/// An item has another owner.
#[derive(Wire, Debug, PartialEq)]
pub struct Transferred {
    /// Its number.
    pub item: u64,
    /// Whose it was.
    pub from: Address,
    /// Whose it is.
    pub to: Address,
}

/// An item was bought.
#[derive(Wire, Debug, PartialEq)]
pub struct Sold {
    /// Its number.
    pub item: u64,
    /// What the buyer paid.
    pub price: u128,
    /// What of it the creator got.
    pub royalty: u128,
}

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// Only the deployer may.
    NotDeployer,
    /// The caller may not mint.
    NotCreator,
    /// The number is taken.
    Exists,
    /// No item has this number.
    Unknown,
    /// The item belongs to somebody else, who did not approve of the caller.
    NotOwner,
    /// The royalty is above [`ROYALTY_MAX`].
    RoyaltyTooHigh,
    /// A price is 1 to [`PRICE_MAX`].
    BadPrice,
    /// The item is not for sale.
    NotForSale,
    /// The price is not the one that the buyer agreed to.
    PriceChanged,
    /// The buyer has less than the price.
    InsufficientMoney,
    /// There would be more money than numbers.
    MoneyOverflow,
}

/// The contract.
pub struct Collectible;

#[contract]
impl Collectible {
    /// Lets an address mint. The deployer alone may.
    pub fn admit(creator: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        ROLES.grant(Role::Creator, creator);
        Ok(())
    }

    /// Lets an address mint no longer; what it minted stays. The deployer alone may.
    pub fn expel(creator: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        ROLES.revoke(Role::Creator, creator);
        Ok(())
    }

    /// Credits an account with money. The deployer alone may.
    pub fn credit(to: Address, amount: u128) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        MONEY_IN_ALL.add(amount).map_err(|Refused| Error::MoneyOverflow)?;
        pay(&to, amount);
        Ok(())
    }

    /// Creates an item for `to`, with the caller as its creator. Creators alone may.
    pub fn mint(item: u64, to: Address, royalty: u16, content: [u8; 32]) -> Result<(), Error> {
        ROLES.require(Role::Creator, Error::NotCreator)?;
        require(royalty <= ROYALTY_MAX, Error::RoyaltyTooHigh)?;
        let creator = caller();
        ITEMS.set_once(&item, &UniqueItem { owner: to, creator, royalty, content }).map_err(|Refused| Error::Exists)?;
        count_in(&to);
        emit(&Minted { item, creator, owner: to });
        Ok(())
    }

    /// Lets one other account transfer an item, or none. The owner alone may.
    pub fn approve(item: u64, who: Option<Address>) -> Result<(), Error> {
        only(find(item)?.owner, Error::NotOwner)?;
        match who {
            Some(who) => APPROVALS.set(&item, &who),
            None => APPROVALS.remove(&item),
        }
        Ok(())
    }

    /// Gives an item to `to`. The owner may, and the account that the owner approved of. Approval and offer end.
    pub fn transfer(item: u64, to: Address) -> Result<(), Error> {
        let found = find(item)?;
        let allowed = caller() == found.owner || APPROVALS.find(&item) == Some(caller());
        require(allowed, Error::NotOwner)?;
        hand_over(item, found, to);
        Ok(())
    }

    /// Offers an item at a price, or at none any longer. The owner alone may.
    pub fn offer(item: u64, price: Option<u128>) -> Result<(), Error> {
        only(find(item)?.owner, Error::NotOwner)?;
        match price {
            Some(price) => {
                require((1..=PRICE_MAX).contains(&price), Error::BadPrice)?;
                OFFERS.set(&item, &price);
            }
            None => OFFERS.remove(&item),
        }
        Ok(())
    }

    /// Buys an item at the price that is asked, which must be `price`. Approval and offer end.
    pub fn buy(item: u64, price: u128) -> Result<(), Error> {
        let found = find(item)?;
        let asked = OFFERS.find(&item).ok_or(Error::NotForSale)?;
        require(asked == price, Error::PriceChanged)?;
        let buyer = caller();
        MONEY.sub(&buyer, price).map_err(|Refused| Error::InsufficientMoney)?;
        let royalty = price * u128::from(found.royalty) / 10_000;
        pay(&found.creator, royalty);
        pay(&found.owner, price - royalty);
        hand_over(item, found, buyer);
        emit(&Sold { item, price, royalty });
        Ok(())
    }

    /// An item.
    pub fn item(item: u64) -> Option<UniqueItem> {
        ITEMS.find(&item)
    }

    /// How many items an account has.
    pub fn count_of(owner: Address) -> u128 {
        COUNTS.get(&owner)
    }

    /// Money of an account.
    pub fn money_of(owner: Address) -> u128 {
        MONEY.get(&owner)
    }

    /// The price that is asked for an item.
    pub fn price_of(item: u64) -> Option<u128> {
        OFFERS.find(&item)
    }
}

fn find(item: u64) -> Result<UniqueItem, Error> {
    ITEMS.find(&item).ok_or(Error::Unknown)
}

fn hand_over(item: u64, found: UniqueItem, to: Address) {
    let from = found.owner;
    ITEMS.set(&item, &UniqueItem { owner: to, ..found });
    APPROVALS.remove(&item);
    OFFERS.remove(&item);
    COUNTS.sub(&from, 1).or_abort("an owner has fewer items than it owns");
    count_in(&to);
    emit(&Transferred { item, from, to });
}

fn count_in(owner: &Address) {
    COUNTS.add(owner, 1).or_abort("an owner has more items than there are");
}

/// No account has more than all together: a refusal here is a mistake of this contract.
fn pay(to: &Address, amount: u128) {
    MONEY.add(to, amount).or_abort("an account has more money than there is");
}
