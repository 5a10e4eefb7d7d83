//! The contract's rules.

use phalanx_contract::Address;
use phalanx_contract::test::{self, call};
use phalanx_exchange::{Error, Exchange, Pool, RESERVE_MAX, Swapped, price};

const ISSUER: Address = Address([9; 32]);
const A: Address = Address([1; 32]);
const B: Address = Address([2; 32]);
const GOLD: u32 = 1;
const SILVER: u32 = 2;

/// A opens a pool with 1,000 gold and 3,000 silver and has 1,000 of each left; B has 1,000 gold.
fn open() {
    test::set_deployer(ISSUER);
    for (asset, to, amount) in [(GOLD, A, 2_000), (SILVER, A, 4_000), (GOLD, B, 1_000)] {
        call(ISSUER, || Exchange::issue(asset, to, amount)).unwrap();
    }
    assert_eq!(call(A, || Exchange::open(GOLD, SILVER, 1_000, 3_000)), Ok(1_000));
}

fn pool() -> Pool {
    Exchange::pool(GOLD, SILVER).unwrap()
}

fn conserved() -> bool {
    let sum =
        |asset, reserve: u128| [A, B].map(|owner| Exchange::balance_of(asset, owner)).iter().sum::<u128>() + reserve;
    let Pool { low, high, .. } = pool();
    (sum(GOLD, low), sum(SILVER, high)) == (Exchange::issued(GOLD), Exchange::issued(SILVER))
}

#[test]
fn the_deployer_alone_issues_and_not_without_end() {
    test::set_deployer(ISSUER);
    assert_eq!(call(A, || Exchange::issue(GOLD, A, 1)), Err(Error::NotDeployer));
    call(ISSUER, || Exchange::issue(GOLD, A, RESERVE_MAX)).unwrap();
    assert_eq!(call(ISSUER, || Exchange::issue(GOLD, B, 1)), Err(Error::SupplyOverflow));
    call(ISSUER, || Exchange::issue(SILVER, B, 1)).unwrap();
}

#[test]
fn a_swap_pays_the_fee_and_never_lowers_the_product() {
    open();
    let taken = call(B, || Exchange::swap(GOLD, SILVER, 500, 990)).unwrap();
    assert_eq!(taken, 3_000 * 498_500 / (1_000_000 + 498_500));
    let swapped = Swapped { by: B, paid_asset: GOLD, paid: 500, taken_asset: SILVER, taken };
    assert_eq!(test::events().last().and_then(|event| event.decode()), Some(swapped));
    let mut product = 3_000_000;
    for paid in [7, 100, 499, 5, 250] {
        for (from, to) in [(GOLD, SILVER), (SILVER, GOLD)] {
            call(A, || Exchange::swap(from, to, paid, 0)).unwrap();
            assert!(pool().low * pool().high > product && conserved());
            product = pool().low * pool().high;
        }
    }
}

#[test]
fn a_swap_that_does_not_suit_changes_nothing() {
    open();
    let before = pool();
    assert_eq!(call(B, || Exchange::swap(GOLD, SILVER, 500, 1_000)), Err(Error::TooLittle));
    assert_eq!(call(B, || Exchange::swap(GOLD, SILVER, 1_001, 0)), Err(Error::InsufficientBalance));
    assert_eq!(call(B, || Exchange::swap(SILVER, GOLD, 1, 0)), Err(Error::InsufficientBalance));
    assert_eq!(call(A, || Exchange::swap(SILVER, GOLD, 1, 0)), Err(Error::TooSmall));
    assert_eq!(call(B, || Exchange::swap(GOLD, GOLD, 1, 0)), Err(Error::BadPair));
    assert_eq!(call(B, || Exchange::swap(GOLD, 3, 1, 0)), Err(Error::NoPool));
    assert_eq!((pool(), Exchange::balance_of(GOLD, B)), (before, 1_000));
}

#[test]
fn whoever_joins_pays_for_the_shares_and_gets_no_more_back() {
    open();
    call(A, || Exchange::swap(SILVER, GOLD, 700, 0)).unwrap();
    call(ISSUER, || Exchange::issue(SILVER, B, 1_000)).unwrap();
    assert_eq!(call(B, || Exchange::join(GOLD, SILVER, 100, 1_000, 369)), Err(Error::TooExpensive));
    let (low, high) = call(B, || Exchange::join(GOLD, SILVER, 100, 1_000, 1_000)).unwrap();
    assert_eq!(high, 370);
    assert_eq!((Exchange::shares_of(GOLD, SILVER, A), Exchange::shares_of(GOLD, SILVER, B)), (1_000, 100));
    assert_eq!(call(B, || Exchange::leave(GOLD, SILVER, 101, 0, 0)), Err(Error::InsufficientShares));
    for (low_min, high_min) in [(low + 1, 0), (0, high + 1)] {
        assert_eq!(call(B, || Exchange::leave(GOLD, SILVER, 100, low_min, high_min)), Err(Error::TooLittle));
    }
    let (low_back, high_back) = call(B, || Exchange::leave(GOLD, SILVER, 100, low - 1, high - 1)).unwrap();
    assert!(low_back <= low && high_back <= high && low - low_back <= 1 && high - high_back <= 1);
    assert_eq!(call(B, || Exchange::leave(GOLD, SILVER, 1, 0, 0)), Err(Error::InsufficientShares));
    assert_eq!(
        call(A, || Exchange::leave(GOLD, SILVER, 1_000, 0, 0)),
        Err(Error::InsufficientShares),
        "the last share stays"
    );
    call(A, || Exchange::leave(GOLD, SILVER, 999, 0, 0)).unwrap();
    assert!(pool().low >= 1 && pool().high >= 1 && conserved());
}

#[test]
fn shares_are_of_a_pool_that_there_is_and_not_of_nothing() {
    open();
    assert_eq!(call(A, || Exchange::join(GOLD, 3, 1, 1, 1)), Err(Error::NoPool));
    assert_eq!(call(A, || Exchange::join(SILVER, GOLD, 1, 1, 1)), Err(Error::NoPool));
    assert_eq!(call(A, || Exchange::leave(GOLD, 3, 1, 0, 0)), Err(Error::NoPool));
    assert_eq!(call(A, || Exchange::join(GOLD, SILVER, 0, 1, 1)), Err(Error::TooSmall));
    assert_eq!(call(A, || Exchange::leave(GOLD, SILVER, 0, 0, 0)), Err(Error::TooSmall));
}

#[test]
fn a_pool_opens_once_with_two_assets_that_the_caller_has() {
    open();
    assert_eq!(call(A, || Exchange::open(GOLD, SILVER, 1, 1)), Err(Error::PoolExists));
    assert_eq!(call(A, || Exchange::open(SILVER, GOLD, 1, 1)), Err(Error::BadPair));
    assert_eq!(call(A, || Exchange::open(GOLD, GOLD, 1, 1)), Err(Error::BadPair));
    assert_eq!(call(A, || Exchange::open(GOLD, 3, 1, 1)), Err(Error::InsufficientBalance));
    assert_eq!(call(A, || Exchange::open(GOLD, 3, 0, 0)), Err(Error::TooSmall));
    assert_eq!(Exchange::balance_of(GOLD, A), 1_000, "what failed took nothing");
}

#[test]
fn the_largest_numbers_fit() {
    assert_eq!(price(RESERVE_MAX, RESERVE_MAX, RESERVE_MAX), RESERVE_MAX * 997 / 1_997);
    test::set_deployer(ISSUER);
    for asset in [GOLD, SILVER] {
        call(ISSUER, || Exchange::issue(asset, A, RESERVE_MAX)).unwrap();
    }
    call(A, || Exchange::open(GOLD, SILVER, RESERVE_MAX / 2, RESERVE_MAX / 2)).unwrap();
    call(A, || Exchange::swap(GOLD, SILVER, RESERVE_MAX / 2, 0)).unwrap();
    assert_eq!(call(A, || Exchange::join(GOLD, SILVER, u128::MAX, u128::MAX, u128::MAX)), Err(Error::TooExpensive));
    assert_eq!(call(A, || Exchange::swap(GOLD, SILVER, u128::MAX, 0)), Err(Error::InsufficientBalance));
}
