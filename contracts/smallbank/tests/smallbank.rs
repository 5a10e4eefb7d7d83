//! The contract's rules.

use phalanx_contract::Address;
use phalanx_contract::test::{self, call};
use phalanx_smallbank::{AMOUNT_MAX, Error, Paid, SmallBank};

const BANK: Address = Address([9; 32]);
const A: Address = Address([1; 32]);
const B: Address = Address([2; 32]);
const STRANGER: Address = Address([7; 32]);

fn open() {
    test::set_deployer(BANK);
    call(BANK, || SmallBank::open(A, 100, 20)).unwrap();
    call(BANK, || SmallBank::open(B, 0, 5)).unwrap();
}

fn balances() -> [i128; 2] {
    [A, B].map(|customer| SmallBank::balance(customer).unwrap())
}

/// What customers have is what came in less what went out.
fn conserved() -> bool {
    let (paid_in, paid_out) = SmallBank::turnover();
    balances().iter().sum::<i128>() == paid_in.cast_signed() - paid_out.cast_signed()
}

#[test]
fn the_bank_alone_opens_and_lets_money_in() {
    open();
    assert_eq!(call(STRANGER, || SmallBank::open(STRANGER, 1, 1)), Err(Error::NotBank));
    assert_eq!(call(A, || SmallBank::deposit_checking(A, 1)), Err(Error::NotBank));
    assert_eq!(call(A, || SmallBank::transact_savings(A, 1)), Err(Error::NotBank));
    assert_eq!(call(BANK, || SmallBank::open(A, 1, 1)), Err(Error::AlreadyOpen));
    call(BANK, || SmallBank::deposit_checking(A, 7)).unwrap();
    call(BANK, || SmallBank::transact_savings(A, -100)).unwrap();
    assert_eq!(call(BANK, || SmallBank::transact_savings(A, -1)), Err(Error::InsufficientFunds));
    assert!(balances() == [27, 5] && conserved());
}

#[test]
fn payments_move_what_there_is() {
    open();
    call(A, || SmallBank::send_payment(B, 20)).unwrap();
    assert_eq!(test::events().last().and_then(|event| event.decode()), Some(Paid { from: A, to: B, amount: 20 }));
    assert_eq!(
        call(A, || SmallBank::send_payment(B, 1)),
        Err(Error::InsufficientFunds),
        "savings are not for payments"
    );
    call(B, || SmallBank::send_payment(B, 25)).unwrap();
    assert!(balances() == [100, 25] && conserved());
}

#[test]
fn amalgamate_moves_everything_and_to_oneself_loses_nothing() {
    open();
    call(A, || SmallBank::amalgamate(B)).unwrap();
    assert_eq!(balances(), [0, 125]);
    call(B, || SmallBank::amalgamate(B)).unwrap();
    assert!(balances() == [0, 125] && conserved());
}

#[test]
fn a_check_without_cover_costs_a_cent() {
    open();
    assert_eq!(call(A, || SmallBank::write_check(120)), Ok(120), "savings cover it");
    assert_eq!(call(A, || SmallBank::write_check(1)), Ok(2));
    assert!(balances() == [-2, 5] && conserved());
    assert_eq!(call(A, || SmallBank::amalgamate(B)), Err(Error::InsufficientFunds));
}

#[test]
fn strangers_have_no_accounts_and_no_amount_overflows() {
    open();
    assert_eq!(SmallBank::balance(STRANGER), Err(Error::NotCustomer));
    assert_eq!(call(STRANGER, || SmallBank::send_payment(A, 0)), Err(Error::NotCustomer));
    assert_eq!(call(A, || SmallBank::send_payment(STRANGER, 0)), Err(Error::NotCustomer));
    assert_eq!(call(A, || SmallBank::amalgamate(STRANGER)), Err(Error::NotCustomer));
    assert_eq!(call(STRANGER, || SmallBank::write_check(0)), Err(Error::NotCustomer));
    for amount in [AMOUNT_MAX + 1, u128::MAX] {
        assert_eq!(call(A, || SmallBank::send_payment(B, amount)), Err(Error::TooMuch));
        assert_eq!(call(A, || SmallBank::write_check(amount)), Err(Error::TooMuch));
        assert_eq!(call(BANK, || SmallBank::deposit_checking(A, amount)), Err(Error::TooMuch));
    }
    assert_eq!(call(BANK, || SmallBank::transact_savings(A, i128::MIN)), Err(Error::TooMuch));
    assert_eq!(balances(), [120, 5]);
}
