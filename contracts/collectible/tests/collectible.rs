//! The contract's rules.

use phalanx_collectible::{Collectible, Error, PRICE_MAX, ROYALTY_MAX, Sold, Transferred, UniqueItem};
use phalanx_contract::test::{self, call};
use phalanx_contract::{Address, Event, Wire};

const OPERATOR: Address = Address([9; 32]);
const CREATOR: Address = Address([8; 32]);
const A: Address = Address([1; 32]);
const B: Address = Address([2; 32]);
const STRANGER: Address = Address([7; 32]);
const CONTENT: [u8; 32] = [5; 32];

/// Item 1 is A's; B has 1,000.
fn mint() {
    test::set_deployer(OPERATOR);
    call(OPERATOR, || Collectible::admit(CREATOR)).unwrap();
    call(OPERATOR, || Collectible::credit(B, 1_000)).unwrap();
    call(CREATOR, || Collectible::mint(1, A, 500, CONTENT)).unwrap();
}

fn owner() -> Address {
    Collectible::item(1).unwrap().owner
}

fn event<T: for<'a> Wire<'a> + Event>(from_last: usize) -> Option<T> {
    test::events().iter().rev().nth(from_last).and_then(|event| event.decode())
}

#[test]
fn creators_alone_mint_and_the_deployer_alone_admits_and_credits() {
    mint();
    assert_eq!(call(STRANGER, || Collectible::mint(2, STRANGER, 0, CONTENT)), Err(Error::NotCreator));
    assert_eq!(call(STRANGER, || Collectible::admit(STRANGER)), Err(Error::NotDeployer));
    assert_eq!(call(STRANGER, || Collectible::expel(CREATOR)), Err(Error::NotDeployer));
    assert_eq!(call(STRANGER, || Collectible::credit(STRANGER, 1)), Err(Error::NotDeployer));
    assert_eq!(call(CREATOR, || Collectible::mint(1, A, 0, CONTENT)), Err(Error::Exists));
    assert_eq!(call(CREATOR, || Collectible::mint(2, A, ROYALTY_MAX + 1, CONTENT)), Err(Error::RoyaltyTooHigh));
    assert_eq!(call(OPERATOR, || Collectible::credit(A, u128::MAX - 999)), Err(Error::MoneyOverflow));
    call(OPERATOR, || Collectible::expel(CREATOR)).unwrap();
    assert_eq!(call(CREATOR, || Collectible::mint(2, A, 0, CONTENT)), Err(Error::NotCreator));
    assert_eq!(Collectible::item(1), Some(UniqueItem { owner: A, creator: CREATOR, royalty: 500, content: CONTENT }));
}

#[test]
fn the_owner_transfers_and_who_it_approved_of_does_once() {
    mint();
    assert_eq!(call(B, || Collectible::transfer(1, B)), Err(Error::NotOwner));
    assert_eq!(call(CREATOR, || Collectible::transfer(1, B)), Err(Error::NotOwner), "its creator gave it away");
    assert_eq!(call(B, || Collectible::approve(1, Some(B))), Err(Error::NotOwner));
    call(A, || Collectible::approve(1, Some(STRANGER))).unwrap();
    call(A, || Collectible::approve(1, None)).unwrap();
    assert_eq!(call(STRANGER, || Collectible::transfer(1, STRANGER)), Err(Error::NotOwner));
    call(A, || Collectible::approve(1, Some(STRANGER))).unwrap();
    call(STRANGER, || Collectible::transfer(1, B)).unwrap();
    assert_eq!(event(0), Some(Transferred { item: 1, from: A, to: B }));
    assert_eq!(call(STRANGER, || Collectible::transfer(1, STRANGER)), Err(Error::NotOwner));
    assert_eq!((owner(), Collectible::count_of(A), Collectible::count_of(B)), (B, 0, 1));
    assert_eq!(call(A, || Collectible::transfer(2, B)), Err(Error::Unknown));
}

#[test]
fn a_sale_pays_owner_and_creator_and_loses_nothing() {
    mint();
    assert_eq!(call(B, || Collectible::offer(1, Some(1))), Err(Error::NotOwner));
    assert_eq!(call(B, || Collectible::buy(1, 0)), Err(Error::NotForSale));
    call(A, || Collectible::offer(1, Some(999))).unwrap();
    assert_eq!(call(B, || Collectible::buy(1, 998)), Err(Error::PriceChanged));
    assert_eq!(call(STRANGER, || Collectible::buy(1, 999)), Err(Error::InsufficientMoney));
    call(B, || Collectible::buy(1, 999)).unwrap();
    assert_eq!(event(0), Some(Sold { item: 1, price: 999, royalty: 49 }));
    assert_eq!([A, B, CREATOR].map(Collectible::money_of), [950, 1, 49]);
    assert_eq!(call(A, || Collectible::buy(1, 999)), Err(Error::NotForSale), "the offer ended");
    call(B, || Collectible::offer(1, Some(950))).unwrap();
    call(A, || Collectible::buy(1, 950)).unwrap();
    assert_eq!([A, B, CREATOR].map(Collectible::money_of), [0, 904, 96], "the creator has a part of every sale");
    assert_eq!((owner(), Collectible::count_of(A), Collectible::count_of(B)), (A, 1, 0));
}

#[test]
fn offers_can_be_taken_back_and_end_with_a_transfer() {
    mint();
    for price in [0, PRICE_MAX + 1] {
        assert_eq!(call(A, || Collectible::offer(1, Some(price))), Err(Error::BadPrice));
    }
    call(A, || Collectible::offer(1, Some(5))).unwrap();
    call(A, || Collectible::offer(1, None)).unwrap();
    assert_eq!(call(B, || Collectible::buy(1, 5)), Err(Error::NotForSale));
    call(A, || Collectible::offer(1, Some(5))).unwrap();
    call(A, || Collectible::transfer(1, STRANGER)).unwrap();
    assert_eq!((call(B, || Collectible::buy(1, 5)), Collectible::price_of(1)), (Err(Error::NotForSale), None));
}

#[test]
fn who_buys_its_own_item_pays_the_royalty_to_the_creator() {
    mint();
    call(A, || Collectible::transfer(1, B)).unwrap();
    call(B, || Collectible::offer(1, Some(1_000))).unwrap();
    call(B, || Collectible::buy(1, 1_000)).unwrap();
    assert_eq!((owner(), Collectible::money_of(B), Collectible::count_of(B)), (B, 950, 1));
}
