//! The token's rules.

use phalanx_contract::test::{self, call, call_encoded};
use phalanx_contract::{Address, Wire};
use phalanx_token::{Approval, Error, Mint, Token, Transfer};

const ISSUER: Address = Address([9; 32]);
const A: Address = Address([1; 32]);
const B: Address = Address([2; 32]);
const C: Address = Address([3; 32]);

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
    assert_eq!(call(ISSUER, || Token::mint(B, u128::MAX)), Err(Error::SupplyOverflow));
    call(ISSUER, || Token::mint(B, u128::MAX - 5)).unwrap();
    assert_eq!((balances(), Token::total_supply()), ([5, u128::MAX - 5, 0], u128::MAX));
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
