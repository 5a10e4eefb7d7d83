//! The contract's rules.

use phalanx_auction::{AuctionHouse, Bid, Error, Outbid, Settled};
use phalanx_contract::Address;
use phalanx_contract::test::{self, call};

const OPERATOR: Address = Address([9; 32]);
const SELLER: Address = Address([3; 32]);
const A: Address = Address([1; 32]);
const B: Address = Address([2; 32]);

fn open() {
    test::set_deployer(OPERATOR);
    test::set_height(1, 1_000);
    for bidder in [A, B] {
        call(OPERATOR, || AuctionHouse::credit(bidder, 100)).unwrap();
    }
    call(SELLER, || AuctionHouse::open(1, 10, 5_000)).unwrap();
}

fn bid(bidder: Address, amount: u128) -> Result<(), Error> {
    call(bidder, || AuctionHouse::bid(1, amount))
}

fn money() -> [u128; 3] {
    [A, B, SELLER].map(AuctionHouse::money_of)
}

#[test]
fn each_bid_is_above_the_one_before_which_is_given_back() {
    open();
    assert_eq!((bid(A, 9), bid(A, 10)), (Err(Error::TooLow), Ok(())));
    assert_eq!((bid(B, 10), bid(B, 11)), (Err(Error::TooLow), Ok(())));
    let outbid = Outbid { auction: 1, best: Bid { bidder: B, amount: 11 } };
    assert_eq!((test::events().last().and_then(|event| event.decode()), money()), (Some(outbid), [100, 89, 0]));
    assert_eq!((bid(A, 101), bid(A, 100)), (Err(Error::InsufficientMoney), Ok(())));
    assert_eq!(money(), [0, 100, 0]);
}

#[test]
fn a_bidder_needs_the_whole_of_a_higher_bid_besides_its_own() {
    open();
    bid(A, 60).unwrap();
    assert_eq!(bid(A, 61), Err(Error::InsufficientMoney), "its own bid is given back afterwards");
    assert_eq!(call(SELLER, || AuctionHouse::bid(1, 99)), Err(Error::OwnAuction));
    assert_eq!(call(A, || AuctionHouse::bid(2, 99)), Err(Error::Unknown));
}

#[test]
fn the_seller_is_paid_once_after_the_end() {
    open();
    bid(A, 60).unwrap();
    assert_eq!(call(SELLER, || AuctionHouse::settle(1)), Err(Error::NotEnded));
    test::set_height(5, 5_000);
    assert_eq!(bid(B, 61), Err(Error::Ended));
    call(B, || AuctionHouse::settle(1)).unwrap();
    let settled = Settled { auction: 1, best: Some(Bid { bidder: A, amount: 60 }) };
    assert_eq!((test::events().last().and_then(|event| event.decode()), money()), (Some(settled), [40, 100, 60]));
    assert_eq!(call(SELLER, || AuctionHouse::settle(1)), Err(Error::AlreadySettled));
}

#[test]
fn an_auction_without_bids_is_settled_for_nothing_and_an_unknown_one_is_not() {
    open();
    test::set_height(5, 5_000);
    call(SELLER, || AuctionHouse::settle(1)).unwrap();
    let settled = Settled { auction: 1, best: None };
    assert_eq!((test::events().last().and_then(|event| event.decode()), money()), (Some(settled), [100, 100, 0]));
    assert_eq!(call(SELLER, || AuctionHouse::settle(1)), Err(Error::AlreadySettled));
    assert_eq!(call(SELLER, || AuctionHouse::settle(2)), Err(Error::Unknown));
}

#[test]
fn nobody_credits_itself_or_takes_over_an_auction() {
    open();
    assert_eq!(call(A, || AuctionHouse::credit(A, 1)), Err(Error::NotDeployer));
    assert_eq!(call(A, || AuctionHouse::open(1, 0, 9_000)), Err(Error::Exists));
    assert_eq!(call(A, || AuctionHouse::open(2, 0, 1_000)), Err(Error::Ended));
    call(OPERATOR, || AuctionHouse::credit(A, u128::MAX - 200)).unwrap();
    assert_eq!(call(OPERATOR, || AuctionHouse::credit(A, 1)), Err(Error::MoneyOverflow));
}
