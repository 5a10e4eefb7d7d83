//! What goes into the vault comes out again, to whom it belongs.

use phalanx_contract::{Address, test};
use phalanx_token::Token;
use phalanx_vault::{Deposited, Error, Vault};

const ISSUER: Address = Address([1; 32]);
const ALICE: Address = Address([2; 32]);
const BOB: Address = Address([3; 32]);
const TOKEN: Address = Address([4; 32]);
const VAULT: Address = Address([5; 32]);

/// Alice has 100 tokens, of which the vault may move 60.
fn set_up() {
    test::deploy::<Token>(TOKEN, ISSUER);
    test::deploy::<Vault>(VAULT, ISSUER);
    test::on(TOKEN, || {
        test::call(ISSUER, || Token::mint(ALICE, 100)).unwrap();
        test::call(ALICE, || Token::approve(VAULT, 60));
    });
}

fn deposit(sender: Address, amount: u128) -> Result<(), Error> {
    test::on(VAULT, || test::call(sender, || Vault::deposit(TOKEN, amount)))
}

fn withdraw(sender: Address, amount: u128) -> Result<(), Error> {
    test::on(VAULT, || test::call(sender, || Vault::withdraw(TOKEN, amount)))
}

fn balances() -> [u128; 3] {
    test::on(TOKEN, || [ALICE, BOB, VAULT].map(Token::balance_of))
}

#[test]
fn deposits_are_withdrawn_by_their_owners() {
    set_up();
    assert_eq!(deposit(ALICE, 50), Ok(()));
    assert_eq!(balances(), [50, 0, 50]);
    assert_eq!(test::on(VAULT, || Vault::deposit_of(TOKEN, ALICE)), 50);
    let events = test::events();
    let deposited = events.last().and_then(|event| event.decode());
    assert_eq!(deposited, Some(Deposited { token: TOKEN, account: ALICE, amount: 50 }));
    assert_eq!(withdraw(BOB, 1), Err(Error::InsufficientDeposit));
    assert_eq!(withdraw(ALICE, 51), Err(Error::InsufficientDeposit));
    assert_eq!(withdraw(ALICE, 50), Ok(()));
    assert_eq!(balances(), [100, 0, 0]);
}

#[test]
fn the_tokens_refusals_are_the_vaults() {
    set_up();
    assert_eq!(deposit(ALICE, 61), Err(Error::InsufficientAllowance));
    test::on(TOKEN, || test::call(ALICE, || Token::approve(VAULT, 200)));
    assert_eq!(deposit(ALICE, 101), Err(Error::InsufficientBalance));
    let nowhere = test::on(VAULT, || test::call(ALICE, || Vault::deposit(BOB, 1)));
    assert_eq!(nowhere, Err(Error::TokenFailed));
    // The vault is no token: it has no such method.
    let itself = test::on(VAULT, || test::call(ALICE, || Vault::deposit(VAULT, 1)));
    assert_eq!((itself, balances()), (Err(Error::TokenFailed), [100, 0, 0]));
    assert_eq!(deposit(ALICE, 100), Ok(()));
    test::on(TOKEN, || test::call(ISSUER, || Token::freeze(VAULT))).unwrap();
    assert_eq!((withdraw(ALICE, 1), balances()), (Err(Error::TokenFailed), [0, 0, 100]));
}
