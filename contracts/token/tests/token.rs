//! The token's rules.

use phalanx_contract::test::{self, call, call_encoded};
use phalanx_contract::{Address, Wire};
use phalanx_token::{Approval, Error, Freeze, Mint, Token, Transfer};

const ISSUER: Address = Address([9; 32]);
const A: Address = Address([1; 32]);
const B: Address = Address([2; 32]);
const C: Address = Address([3; 32]);
/// The greatest supply.
const MOST: u128 = (1 << 127) - 1;

fn fund(amount: u128) {
    test::set_deployer(ISSUER);
    call(ISSUER, || Token::mint(A, amount)).unwrap();
}

fn balances() -> [u128; 3] {
    [A, B, C].map(Token::balance_of)
}

fn last_event<T: for<'a> Wire<'a> + phalanx_contract::Event>() -> Option<T> {
    test::events().last().and_then(|event| event.decode())
}

#[test]
fn a_transfer_moves_and_tells() {
    fund(100);
    call(A, || Token::transfer(B, 30)).unwrap();
    assert_eq!((balances(), Token::total_supply()), ([70, 30, 0], 100));
    assert_eq!(last_event(), Some(Transfer { from: A, to: B, amount: 30 }));
    call(B, || Token::transfer(B, 30)).unwrap();
    call(B, || Token::transfer(C, 0)).unwrap();
    assert_eq!(balances(), [70, 30, 0]);
}

#[test]
fn nobody_spends_more_than_they_have() {
    fund(100);
    let events = test::events();
    assert_eq!(call(A, || Token::transfer(B, 101)), Err(Error::InsufficientBalance));
    assert_eq!(call(B, || Token::transfer(A, 1)), Err(Error::InsufficientBalance));
    assert_eq!((balances(), test::events()), ([100, 0, 0], events));
}

#[test]
fn the_deployer_alone_mints() {
    fund(5);
    assert_eq!(last_event(), Some(Mint { to: A, amount: 5 }));
    assert_eq!(call(A, || Token::mint(A, 1)), Err(Error::NotDeployer));
    assert_eq!(call(ISSUER, || Token::mint(B, MOST - 4)), Err(Error::SupplyOverflow));
    assert_eq!(call(ISSUER, || Token::mint(B, u128::MAX)), Err(Error::SupplyOverflow));
    call(ISSUER, || Token::mint(B, MOST - 5)).unwrap();
    assert_eq!((balances(), Token::total_supply()), ([5, MOST - 5, 0], MOST));
}

#[test]
fn a_frozen_account_receives_and_does_not_spend() {
    fund(100);
    call(A, || Token::approve(C, 40));
    call(ISSUER, || Token::freeze(A)).unwrap();
    assert_eq!(last_event(), Some(Freeze { account: A, frozen: true }));
    assert_eq!([A, B].map(Token::is_frozen), [true, false]);
    for amount in [0, 1, 100, 101] {
        assert_eq!(call(A, || Token::transfer(B, amount)), Err(Error::Frozen), "{amount}");
    }
    assert_eq!(call(A, || Token::transfer(A, 1)), Err(Error::Frozen));
    assert_eq!(call(C, || Token::transfer_from(A, B, 1)), Err(Error::Frozen));
    call(A, || Token::approve(C, 30));
    call(ISSUER, || Token::mint(A, 20)).unwrap();
    call(ISSUER, || Token::mint(B, 10)).unwrap();
    call(B, || Token::transfer(A, 7)).unwrap();
    assert_eq!((balances(), Token::total_supply(), Token::allowance(A, C)), ([127, 3, 0], 130, 30));
    call(ISSUER, || Token::unfreeze(A)).unwrap();
    assert_eq!(last_event(), Some(Freeze { account: A, frozen: false }));
    assert_eq!((Token::is_frozen(A), balances()), (false, [127, 3, 0]));
    call(A, || Token::transfer(B, 97)).unwrap();
    call(C, || Token::transfer_from(A, B, 30)).unwrap();
    assert_eq!(call(A, || Token::transfer(B, 1)), Err(Error::InsufficientBalance));
    assert_eq!((balances(), Token::total_supply()), ([0, 130, 0], 130));
}

#[test]
fn the_deployer_alone_freezes_and_only_once() {
    fund(5);
    let state = || (balances(), [A, B].map(Token::is_frozen), test::events());
    let before = state();
    assert_eq!(call(A, || Token::freeze(B)), Err(Error::NotDeployer));
    assert_eq!(call(ISSUER, || Token::unfreeze(A)), Err(Error::NotFrozen));
    assert_eq!(call(ISSUER, || Token::unfreeze(B)), Err(Error::NotFrozen), "an account without tokens");
    assert_eq!(state(), before);
    call(ISSUER, || Token::freeze(A)).unwrap();
    call(ISSUER, || Token::freeze(B)).unwrap();
    let before = state();
    assert_eq!(call(A, || Token::unfreeze(A)), Err(Error::NotDeployer));
    assert_eq!(call(ISSUER, || Token::freeze(A)), Err(Error::Frozen));
    assert_eq!(call(ISSUER, || Token::freeze(B)), Err(Error::Frozen));
    assert_eq!(state(), before);
    call(ISSUER, || Token::unfreeze(B)).unwrap();
    assert_eq!((balances(), [A, B].map(Token::is_frozen)), ([5, 0, 0], [true, false]));
}

/// Balances next to what marks a frozen one, and amounts around it.
#[test]
fn no_amount_thaws_an_account_or_freezes_another() {
    let amounts = |balance: u128| {
        let around = [0, balance, MOST, MOST + 1, MOST + 1 + balance, u128::MAX];
        around.into_iter().flat_map(|amount| [amount.saturating_sub(1), amount, amount.saturating_add(1)])
    };
    for balance in [0, 1, 100, MOST - 1, MOST] {
        test::reset();
        fund(balance);
        for amount in amounts(balance).filter(|amount| *amount > balance) {
            assert_eq!(call(A, || Token::transfer(B, amount)), Err(Error::InsufficientBalance), "{balance} {amount}");
        }
        call(ISSUER, || Token::freeze(A)).unwrap();
        for amount in amounts(balance) {
            for to in [A, B] {
                assert_eq!(call(A, || Token::transfer(to, amount)), Err(Error::Frozen), "{balance} {amount}");
            }
        }
        assert_eq!((balances(), Token::total_supply()), ([balance, 0, 0], balance));
        call(ISSUER, || Token::freeze(B)).unwrap();
        call(ISSUER, || Token::unfreeze(A)).unwrap();
        call(A, || Token::transfer(B, balance)).unwrap();
        assert_eq!((balances(), [A, B].map(Token::is_frozen)), ([0, balance, 0], [false, true]));
    }
}

#[test]
fn an_allowance_is_spent_and_replaced() {
    fund(100);
    call(A, || Token::approve(C, 40));
    assert_eq!(last_event(), Some(Approval { owner: A, spender: C, amount: 40 }));
    call(C, || Token::transfer_from(A, B, 15)).unwrap();
    assert_eq!((balances(), Token::allowance(A, C)), ([85, 15, 0], 25));
    assert_eq!(call(C, || Token::transfer_from(A, B, 26)), Err(Error::InsufficientAllowance));
    assert_eq!(call(B, || Token::transfer_from(A, B, 1)), Err(Error::InsufficientAllowance));
    call(A, || Token::approve(C, 1_000));
    assert_eq!(call(C, || Token::transfer_from(A, B, 86)), Err(Error::InsufficientBalance));
    assert_eq!(Token::allowance(A, C), 1_000, "a failed call takes nothing from the allowance");
}

#[test]
fn arguments_travel_as_bytes() {
    fund(100);
    let transfer = [&B.0[..], &30u128.to_le_bytes()].concat();
    let run = |method: &str, arguments: &[u8]| {
        let answer = call_encoded::<Token>(A, method, arguments).unwrap();
        (answer.code, answer.bytes)
    };
    assert_eq!(run("transfer", &transfer), (0, vec![]));
    assert_eq!(run("transfer", &transfer[..47]), (2, vec![]));
    assert_eq!(run("transfer", &[&transfer[..], &[0]].concat()), (2, vec![]));
    assert_eq!(run("balance_of", &B.0), (0, 30u128.to_le_bytes().to_vec()));
    assert_eq!(run("mint", &transfer), (1, vec![3]));
    assert_eq!(balances(), [70, 30, 0]);
}
