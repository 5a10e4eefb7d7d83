//! The contract's rules.

use phalanx_asset_backed::Tranche::{Junior, Mezzanine, Senior};
use phalanx_asset_backed::{AMOUNT_MAX, AssetBacked, Error, PaidOut, Share, Terms, Tranche};
use phalanx_contract::Address;
use phalanx_contract::test::{self, call};

const OPERATOR: Address = Address([9; 32]);
const ORIGINATOR: Address = Address([20; 32]);
const A: Address = Address([1; 32]);
const B: Address = Address([2; 32]);
const STRANGER: Address = Address([7; 32]);
const TERMS: Terms = Terms {
    senior: Share { face: 60, claim: 66 },
    mezzanine: Share { face: 30, claim: 36 },
    junior: Share { face: 10, claim: 20 },
};

fn open() {
    test::set_deployer(OPERATOR);
    call(OPERATOR, || AssetBacked::admit(ORIGINATOR)).unwrap();
    for investor in [A, B, ORIGINATOR] {
        call(OPERATOR, || AssetBacked::credit(investor, 1_000)).unwrap();
    }
    call(ORIGINATOR, || AssetBacked::open(1, TERMS)).unwrap();
    call(ORIGINATOR, || AssetBacked::pledge(1, [5; 32], 100)).unwrap();
}

fn close() {
    open();
    for (investor, tranche, notes) in [(A, Senior, 40), (B, Senior, 20), (B, Mezzanine, 30), (A, Junior, 10)] {
        call(investor, || AssetBacked::subscribe(1, tranche, notes)).unwrap();
    }
    call(ORIGINATOR, || AssetBacked::close(1)).unwrap();
}

fn collect(amount: u128) {
    call(ORIGINATOR, || AssetBacked::collect(1, amount)).unwrap();
}

fn claim(investor: Address, tranche: Tranche) -> Result<u128, Error> {
    call(investor, || AssetBacked::claim(1, tranche))
}

fn conserved() -> bool {
    let (credited, held) = AssetBacked::money();
    [A, B, ORIGINATOR].map(AssetBacked::money_of).iter().sum::<u128>() + held == credited
}

#[test]
fn strangers_admit_credit_open_pledge_close_and_collect_nothing() {
    open();
    for stranger in [STRANGER, A, ORIGINATOR] {
        assert_eq!(call(stranger, || AssetBacked::admit(stranger)), Err(Error::NotDeployer));
        assert_eq!(call(stranger, || AssetBacked::expel(ORIGINATOR)), Err(Error::NotDeployer));
        assert_eq!(call(stranger, || AssetBacked::credit(stranger, 1)), Err(Error::NotDeployer));
    }
    for stranger in [STRANGER, A, OPERATOR] {
        assert_eq!(call(stranger, || AssetBacked::open(2, TERMS)), Err(Error::NotOriginator));
        assert_eq!(call(stranger, || AssetBacked::pledge(1, [6; 32], 1)), Err(Error::NotOriginator));
        assert_eq!(call(stranger, || AssetBacked::close(1)), Err(Error::NotOriginator));
        assert_eq!(call(stranger, || AssetBacked::collect(1, 0)), Err(Error::NotOriginator));
        assert_eq!(call(stranger, || AssetBacked::claim_rest(1)), Err(Error::NotOriginator));
    }
    call(OPERATOR, || AssetBacked::expel(ORIGINATOR)).unwrap();
    assert_eq!(call(ORIGINATOR, || AssetBacked::open(2, TERMS)), Err(Error::NotOriginator));
    assert_eq!(call(ORIGINATOR, || AssetBacked::pledge(1, [6; 32], 1)), Ok(()), "its pool goes on");
}

#[test]
fn there_is_nothing_in_a_pool_that_was_not_opened_and_no_payment_before_the_end_of_the_sale() {
    open();
    for tranche in Tranche::ALL {
        assert_eq!(call(A, || AssetBacked::subscribe(2, tranche, 1)), Err(Error::Unknown));
        assert_eq!(call(A, || AssetBacked::withdraw(2, tranche, 1)), Err(Error::Unknown));
        assert_eq!(call(A, || AssetBacked::claim(2, tranche)), Err(Error::Unknown));
    }
    assert_eq!(call(ORIGINATOR, || AssetBacked::pledge(2, [6; 32], 1)), Err(Error::Unknown));
    assert_eq!(call(ORIGINATOR, || AssetBacked::close(2)), Err(Error::Unknown));
    assert_eq!(call(ORIGINATOR, || AssetBacked::collect(2, 1)), Err(Error::Unknown));
    assert_eq!(call(ORIGINATOR, || AssetBacked::claim_rest(2)), Err(Error::Unknown));
    assert_eq!(call(ORIGINATOR, || AssetBacked::collect(1, 1)), Err(Error::NotClosed));
}

#[test]
fn a_sale_closes_when_all_is_sold_and_covered_and_no_note_is_sold_twice() {
    open();
    assert_eq!(call(ORIGINATOR, || AssetBacked::open(1, TERMS)), Err(Error::Exists));
    assert_eq!(call(ORIGINATOR, || AssetBacked::pledge(1, [5; 32], 1)), Err(Error::AlreadyPledged));
    assert_eq!(call(STRANGER, || AssetBacked::subscribe(1, Senior, 1)), Err(Error::InsufficientMoney));
    call(A, || AssetBacked::subscribe(1, Senior, 60)).unwrap();
    assert_eq!(call(B, || AssetBacked::subscribe(1, Senior, 1)), Err(Error::SoldOut));
    assert_eq!(call(ORIGINATOR, || AssetBacked::close(1)), Err(Error::Unsold));
    call(B, || AssetBacked::subscribe(1, Mezzanine, 30)).unwrap();
    call(B, || AssetBacked::subscribe(1, Junior, 10)).unwrap();
    assert_eq!((claim(A, Senior), AssetBacked::money()), (Err(Error::NotClosed), (3_000, 100)));
    call(ORIGINATOR, || AssetBacked::close(1)).unwrap();
    assert_eq!((AssetBacked::money_of(ORIGINATOR), AssetBacked::money()), (1_100, (3_000, 0)));
    assert_eq!(call(ORIGINATOR, || AssetBacked::close(1)), Err(Error::Closed));
    assert_eq!(call(A, || AssetBacked::subscribe(1, Senior, 0)), Err(Error::Closed));
    assert_eq!(call(ORIGINATOR, || AssetBacked::pledge(1, [6; 32], 1)), Err(Error::Closed));
}

#[test]
fn notes_can_be_given_back_until_the_sale_is_closed() {
    open();
    call(A, || AssetBacked::subscribe(1, Senior, 60)).unwrap();
    assert_eq!(call(A, || AssetBacked::withdraw(1, Senior, 61)), Err(Error::InsufficientNotes));
    assert_eq!(call(STRANGER, || AssetBacked::withdraw(1, Senior, 1)), Err(Error::InsufficientNotes));
    call(A, || AssetBacked::withdraw(1, Senior, 20)).unwrap();
    assert_eq!((AssetBacked::notes_of(1, Senior, A), AssetBacked::money_of(A)), (40, 960));
    call(B, || AssetBacked::subscribe(1, Senior, 20)).unwrap();
    call(B, || AssetBacked::subscribe(1, Mezzanine, 30)).unwrap();
    call(B, || AssetBacked::subscribe(1, Junior, 10)).unwrap();
    call(ORIGINATOR, || AssetBacked::close(1)).unwrap();
    assert_eq!(call(A, || AssetBacked::withdraw(1, Senior, 1)), Err(Error::Closed));
    assert!(conserved());
}

#[test]
fn loans_must_cover_the_notes_and_are_pledged_once() {
    open();
    call(ORIGINATOR, || AssetBacked::open(2, TERMS)).unwrap();
    assert_eq!(call(ORIGINATOR, || AssetBacked::pledge(2, [5; 32], 100)), Err(Error::AlreadyPledged));
    call(ORIGINATOR, || AssetBacked::pledge(2, [6; 32], 99)).unwrap();
    for tranche in Tranche::ALL {
        call(A, || AssetBacked::subscribe(2, tranche, TERMS.of(tranche).face)).unwrap();
    }
    assert_eq!(call(ORIGINATOR, || AssetBacked::close(2)), Err(Error::NotCovered));
    call(ORIGINATOR, || AssetBacked::pledge(2, [7; 32], 1)).unwrap();
    call(ORIGINATOR, || AssetBacked::close(2)).unwrap();
}

#[test]
fn tranches_are_paid_one_after_the_other() {
    close();
    assert_eq!(claim(A, Senior), Err(Error::NothingDue));
    collect(33);
    assert_eq!((claim(A, Senior), claim(B, Senior)), (Ok(22), Ok(11)));
    assert_eq!((claim(B, Mezzanine), claim(A, Junior)), (Err(Error::NothingDue), Err(Error::NothingDue)));
    collect(33 + 18);
    assert_eq!((claim(B, Mezzanine), claim(A, Senior), claim(A, Senior)), (Ok(18), Ok(22), Err(Error::NothingDue)));
    let paid = PaidOut { pool: 1, to: A, amount: 22 };
    assert_eq!(test::events().last().and_then(|event| event.decode()), Some(paid));
    assert_eq!((claim(STRANGER, Senior), claim(A, Mezzanine)), (Err(Error::NothingDue), Err(Error::NothingDue)));
    collect(18 + 20 + 7);
    assert_eq!((claim(A, Junior), claim(B, Mezzanine), claim(B, Senior)), (Ok(20), Ok(18), Ok(11)));
    assert_eq!(call(ORIGINATOR, || AssetBacked::claim_rest(1)), Ok(7));
    assert_eq!(call(ORIGINATOR, || AssetBacked::claim_rest(1)), Err(Error::NothingDue));
    assert!(conserved() && AssetBacked::money().1 == 0);
}

#[test]
fn whenever_claims_come_nobody_gets_more_or_less() {
    close();
    let mut got = [0; 4];
    for step in 0..40 {
        collect(3);
        let holders = [(A, Senior), (B, Senior), (B, Mezzanine), (A, Junior)];
        for (at, (investor, tranche)) in holders.into_iter().enumerate().filter(|(at, _)| step % (at + 2) == 0) {
            got[at] += claim(investor, tranche).unwrap_or(0);
        }
        assert!(conserved());
    }
    collect(2);
    for (at, (investor, tranche)) in [(A, Senior), (B, Senior), (B, Mezzanine), (A, Junior)].into_iter().enumerate() {
        got[at] += claim(investor, tranche).unwrap_or(0);
    }
    assert_eq!(got, [44, 22, 36, 20]);
}

#[test]
fn terms_make_sense_and_numbers_fit() {
    open();
    let sizes = [(0, 1), (2, 1), (1, AMOUNT_MAX + 1)];
    for junior in sizes.map(|(face, claim)| Share { face, claim }) {
        assert_eq!(call(ORIGINATOR, || AssetBacked::open(3, Terms { junior, ..TERMS })), Err(Error::BadTerms));
    }
    assert_eq!(call(ORIGINATOR, || AssetBacked::pledge(1, [6; 32], AMOUNT_MAX - 99)), Err(Error::BadTerms));
    call(ORIGINATOR, || AssetBacked::pledge(1, [6; 32], AMOUNT_MAX - 100)).unwrap();
    assert_eq!(call(OPERATOR, || AssetBacked::credit(A, AMOUNT_MAX)), Err(Error::MoneyOverflow));
    let whole = Share { face: AMOUNT_MAX, claim: AMOUNT_MAX };
    let terms = Terms { senior: whole, mezzanine: whole, junior: whole };
    assert_eq!(terms.due(Senior, AMOUNT_MAX, AMOUNT_MAX), AMOUNT_MAX);
}

#[test]
fn no_pool_collects_more_than_there_can_be_however_often_it_is_paid_out() {
    close();
    let (credited, _) = AssetBacked::money();
    call(OPERATOR, || AssetBacked::credit(ORIGINATOR, AMOUNT_MAX - credited)).unwrap();
    let half = AMOUNT_MAX / 2;
    collect(half);
    call(ORIGINATOR, || AssetBacked::claim_rest(1)).unwrap();
    assert_eq!(call(ORIGINATOR, || AssetBacked::collect(1, half + 1)), Err(Error::MoneyOverflow));
    collect(half);
    assert!(conserved());
}
