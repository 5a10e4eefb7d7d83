//! The contract's rules.

use phalanx_conflicts::{COUNT_MAX, Conflicts, Counted, Error, LimitSet, RESERVE_MAX, Side, Swapped, Transfer};
use phalanx_contract::test::{self, call, call_encoded};
use phalanx_contract::{Address, Wire};

const ISSUER: Address = Address([9; 32]);
const A: Address = Address([1; 32]);
const B: Address = Address([2; 32]);

fn fund(amount: u128) {
    test::set_deployer(ISSUER);
    call(ISSUER, || Conflicts::mint(A, amount)).unwrap();
}

fn balances() -> [u128; 2] {
    [A, B].map(Conflicts::balance_of)
}

fn reserves(pool: u32) -> [u128; 2] {
    [Side::Left, Side::Right].map(|side| Conflicts::reserve(pool, side))
}

fn last_event<T: for<'a> Wire<'a> + phalanx_contract::Event>() -> Option<T> {
    test::events().last().and_then(|event| event.decode())
}

#[test]
fn the_deployer_alone_sets_up() {
    test::set_deployer(ISSUER);
    assert_eq!(call(A, || Conflicts::mint(A, 1)), Err(Error::NotDeployer));
    assert_eq!(call(A, || Conflicts::mint_ordered(A, 1)), Err(Error::NotDeployer));
    assert_eq!(call(A, || Conflicts::set_limit(1)), Err(Error::NotDeployer));
    assert_eq!(call(A, || Conflicts::open_pool(0, 1, 1)), Err(Error::NotDeployer));
    call(ISSUER, || Conflicts::mint(A, u128::MAX)).unwrap();
    assert_eq!(call(ISSUER, || Conflicts::mint(B, 1)), Err(Error::SupplyOverflow));
    call(ISSUER, || Conflicts::mint_ordered(A, u128::MAX)).unwrap();
    assert_eq!(call(ISSUER, || Conflicts::mint_ordered(A, 1)), Err(Error::SupplyOverflow));
}

#[test]
fn a_transfer_moves_what_there_is() {
    fund(100);
    call(A, || Conflicts::transfer_rmw(B, 30)).unwrap();
    assert_eq!(last_event(), Some(Transfer { from: A, to: B, amount: 30 }));
    call(B, || Conflicts::transfer_rmw(B, 30)).unwrap();
    assert_eq!(call(A, || Conflicts::transfer_rmw(B, 71)), Err(Error::InsufficientBalance));
    assert_eq!(balances(), [70, 30]);
}

#[test]
fn a_transfer_after_computing_moves_the_same_and_tells_what_it_computed() {
    fund(100);
    let computed = [0, 1, 1_000].map(|turns| call(A, || Conflicts::transfer_after(turns, B, 10)).unwrap());
    assert!(computed[0] != computed[1] && computed[1] != computed[2], "{computed:?}");
    assert_eq!(call(A, || Conflicts::transfer_after(1_000, B, 0)), Ok(computed[2]));
    assert_eq!(call(A, || Conflicts::transfer_after(1, B, 71)), Err(Error::InsufficientBalance));
    assert_eq!(balances(), [70, 30]);
}

#[test]
fn the_limit_in_force_decides() {
    fund(100);
    assert_eq!(call(A, || Conflicts::transfer_below_limit(B, 1)), Err(Error::AboveLimit));
    call(ISSUER, || Conflicts::set_limit(50)).unwrap();
    assert_eq!(last_event(), Some(LimitSet { limit: 50 }));
    assert_eq!(call(A, || Conflicts::transfer_below_limit(B, 51)), Err(Error::AboveLimit));
    call(A, || Conflicts::transfer_below_limit(B, 50)).unwrap();
    assert_eq!(last_event(), Some(Transfer { from: A, to: B, amount: 50 }));
    call(ISSUER, || Conflicts::set_limit(60)).unwrap();
    assert_eq!(call(A, || Conflicts::transfer_below_limit(B, 51)), Err(Error::InsufficientBalance));
    assert_eq!(balances(), [50, 50]);
}

#[test]
fn both_ways_of_counting_change_one_counter_within_its_bound() {
    assert_eq!(call(A, || Conflicts::count_set(5)), Ok(5));
    assert_eq!(last_event(), Some(Counted { by: A, amount: 5 }));
    call(B, || Conflicts::count_add(7)).unwrap();
    assert_eq!(last_event(), Some(Counted { by: B, amount: 7 }));
    for amount in [COUNT_MAX - 11, COUNT_MAX + 1, u128::MAX] {
        assert_eq!(call(A, || Conflicts::count_set(amount)), Err(Error::CountOverflow));
        assert_eq!(call(A, || Conflicts::count_add(amount)), Err(Error::CountOverflow));
    }
    assert_eq!(Conflicts::count(), 12);
    call(A, || Conflicts::count_add(COUNT_MAX - 12)).unwrap();
    assert_eq!(Conflicts::count(), COUNT_MAX);
}

#[test]
fn a_swap_never_lowers_the_product() {
    test::set_deployer(ISSUER);
    call(ISSUER, || Conflicts::open_pool(7, 1_000, 3_000)).unwrap();
    assert_eq!(call(A, || Conflicts::swap(7, Side::Left, 500, 1_000)), Ok(1_000));
    assert_eq!(last_event(), Some(Swapped { pool: 7, side: Side::Left, paid: 500, given: 1_000 }));
    assert_eq!(reserves(7), [1_500, 2_000]);
    let mut product = 3_000_000;
    for paid in [0, 1, 2, 7, 100, 12_345, RESERVE_MAX] {
        for side in [Side::Left, Side::Right] {
            call(A, || Conflicts::swap(7, side, paid, 0)).unwrap();
            let [left, right] = reserves(7);
            assert!(left > 0 && right > 0 && left * right >= product, "{left} {right}");
            product = left * right;
        }
    }
}

#[test]
fn a_swap_that_does_not_suit_changes_nothing() {
    test::set_deployer(ISSUER);
    call(ISSUER, || Conflicts::open_pool(7, 1_000, 3_000)).unwrap();
    assert_eq!(call(A, || Conflicts::swap(8, Side::Left, 1, 0)), Err(Error::NoPool));
    assert_eq!(call(A, || Conflicts::swap(7, Side::Left, 500, 1_001)), Err(Error::TooLittleGiven));
    assert_eq!(call(A, || Conflicts::swap(7, Side::Right, RESERVE_MAX + 1, 0)), Err(Error::TooMuchPaid));
    assert_eq!(call(A, || Conflicts::swap(7, Side::Right, u128::MAX, 0)), Err(Error::TooMuchPaid));
    for (left, right) in [(0, 1), (1, 0), (RESERVE_MAX + 1, 1), (1, RESERVE_MAX + 1)] {
        assert_eq!(call(ISSUER, || Conflicts::open_pool(9, left, right)), Err(Error::BadReserves));
    }
    assert_eq!(call(ISSUER, || Conflicts::open_pool(7, 1, 1)), Err(Error::BadReserves), "it is open");
    assert_eq!(reserves(7), [1_000, 3_000]);
}

#[test]
fn ordered_tokens_are_tokens_of_their_own() {
    fund(5);
    call(ISSUER, || Conflicts::mint_ordered(A, 100)).unwrap();
    call(A, || Conflicts::transfer_ordered(B, 30)).unwrap();
    assert_eq!(last_event(), Some(Transfer { from: A, to: B, amount: 30 }));
    call(B, || Conflicts::transfer_ordered(B, 30)).unwrap();
    assert_eq!(call(A, || Conflicts::transfer_ordered(B, 71)), Err(Error::InsufficientBalance));
    assert_eq!([A, B].map(Conflicts::ordered_balance_of), [70, 30]);
    assert_eq!([0, 1, 2, u32::MAX].map(Conflicts::ordered_sum), [0, 70, 100, 100]);
    assert_eq!(balances(), [5, 0]);
}

#[test]
fn arguments_travel_as_bytes() {
    test::set_deployer(ISSUER);
    call(ISSUER, || Conflicts::open_pool(7, 1_000, 3_000)).unwrap();
    let swap = |side: u8| {
        let numbers = [500u128.to_le_bytes(), 1_000u128.to_le_bytes()].concat();
        let arguments = [&7u32.to_le_bytes()[..], &[side], &numbers].concat();
        let answer = call_encoded::<Conflicts>(A, "swap", &arguments).unwrap();
        (answer.code, answer.bytes)
    };
    assert_eq!(swap(0), (0, 1_000u128.to_le_bytes().to_vec()));
    assert_eq!(swap(2), (2, vec![]), "there is no third side");
    assert_eq!(swap(0), (1, vec![8]), "the second comes to less");
}
