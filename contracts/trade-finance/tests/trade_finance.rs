//! The contract's rules.

use phalanx_contract::Address;
use phalanx_contract::test::{self, call};
use phalanx_trade_finance::{Error, Phase, PhaseChanged, TradeFinance};

const OPERATOR: Address = Address([9; 32]);
const BANK: Address = Address([20; 32]);
const OTHER_BANK: Address = Address([21; 32]);
const BUYER: Address = Address([1; 32]);
const SELLER: Address = Address([2; 32]);
const STRANGER: Address = Address([7; 32]);
const DOCUMENT: [u8; 32] = [5; 32];
const OTHER_DOCUMENT: [u8; 32] = [6; 32];

fn issue() {
    test::set_deployer(OPERATOR);
    test::set_height(1, 1_000);
    for bank in [BANK, OTHER_BANK] {
        call(OPERATOR, || TradeFinance::admit(bank)).unwrap();
        call(OPERATOR, || TradeFinance::credit(bank, 1_000)).unwrap();
    }
    call(BANK, || TradeFinance::issue(1, BUYER, SELLER, 700, 5_000)).unwrap();
    call(OTHER_BANK, || TradeFinance::issue(2, BUYER, SELLER, 700, 5_000)).unwrap();
}

fn present(letter: u64, document: [u8; 32]) -> Result<(), Error> {
    call(SELLER, || TradeFinance::present(letter, document))
}

fn phase(letter: u64) -> Phase {
    TradeFinance::letter(letter).unwrap().phase
}

fn money() -> [u128; 3] {
    [BANK, OTHER_BANK, SELLER].map(TradeFinance::money_of)
}

#[test]
fn banks_alone_issue_and_no_more_than_they_have() {
    issue();
    for stranger in [STRANGER, BUYER, OPERATOR] {
        assert_eq!(call(stranger, || TradeFinance::issue(3, BUYER, stranger, 0, 5_000)), Err(Error::NotBank));
    }
    assert_eq!(call(BANK, || TradeFinance::admit(STRANGER)), Err(Error::NotDeployer));
    assert_eq!(call(BANK, || TradeFinance::credit(BANK, 1)), Err(Error::NotDeployer));
    assert_eq!(call(OTHER_BANK, || TradeFinance::expel(BANK)), Err(Error::NotDeployer));
    assert_eq!(call(BANK, || TradeFinance::issue(3, BUYER, SELLER, 301, 5_000)), Err(Error::InsufficientMoney));
    assert_eq!(call(BANK, || TradeFinance::issue(1, BUYER, SELLER, 1, 5_000)), Err(Error::Exists));
    assert_eq!(call(BANK, || TradeFinance::issue(3, BUYER, SELLER, 1, 1_000)), Err(Error::Ended));
    assert_eq!(call(OPERATOR, || TradeFinance::credit(BUYER, u128::MAX - 1_999)), Err(Error::MoneyOverflow));
    call(OPERATOR, || TradeFinance::expel(BANK)).unwrap();
    assert_eq!(call(BANK, || TradeFinance::issue(3, BUYER, SELLER, 1, 5_000)), Err(Error::NotBank));
    assert_eq!((money(), TradeFinance::money()), ([300, 300, 0], (2_000, 1_400)));
}

#[test]
fn a_letter_goes_from_issue_to_payment() {
    issue();
    present(1, DOCUMENT).unwrap();
    let moved = PhaseChanged { letter: 1, phase: Phase::Presented, document: Some(DOCUMENT) };
    assert_eq!(test::events().last().and_then(|event| event.decode()), Some(moved));
    call(BANK, || TradeFinance::accept(1)).unwrap();
    call(BANK, || TradeFinance::settle(1)).unwrap();
    assert_eq!((phase(1), money(), TradeFinance::money()), (Phase::Settled, [300, 300, 700], (2_000, 700)));
    assert_eq!(call(BANK, || TradeFinance::settle(1)), Err(Error::WrongPhase), "paid once");
    test::set_height(5, 5_000);
    assert_eq!(call(BANK, || TradeFinance::close(1)), Err(Error::WrongPhase));
}

#[test]
fn everyone_takes_its_own_steps_alone() {
    issue();
    for stranger in [STRANGER, BANK, BUYER] {
        assert_eq!(call(stranger, || TradeFinance::present(1, DOCUMENT)), Err(Error::NotSeller));
    }
    present(1, DOCUMENT).unwrap();
    for stranger in [STRANGER, OTHER_BANK, BUYER, SELLER, OPERATOR] {
        assert_eq!(call(stranger, || TradeFinance::accept(1)), Err(Error::NotIssuingBank));
        assert_eq!(call(stranger, || TradeFinance::report_discrepancy(1)), Err(Error::NotIssuingBank));
        assert_eq!(call(stranger, || TradeFinance::close(1)), Err(Error::NotIssuingBank));
    }
    call(BANK, || TradeFinance::report_discrepancy(1)).unwrap();
    for stranger in [STRANGER, BANK, SELLER] {
        assert_eq!(call(stranger, || TradeFinance::waive(1, DOCUMENT)), Err(Error::NotBuyer));
    }
    call(BUYER, || TradeFinance::waive(1, DOCUMENT)).unwrap();
    for stranger in [STRANGER, OTHER_BANK, SELLER] {
        assert_eq!(call(stranger, || TradeFinance::settle(1)), Err(Error::NotIssuingBank));
    }
    call(BANK, || TradeFinance::settle(1)).unwrap();
    assert_eq!(call(BANK, || TradeFinance::settle(3)), Err(Error::Unknown));
}

#[test]
fn a_buyer_waives_the_discrepancy_of_the_document_that_it_looked_at() {
    issue();
    for document in [DOCUMENT, OTHER_DOCUMENT] {
        present(1, document).unwrap();
        call(BANK, || TradeFinance::report_discrepancy(1)).unwrap();
    }
    assert_eq!(call(BUYER, || TradeFinance::waive(1, DOCUMENT)), Err(Error::OtherDocument));
    assert_eq!(call(BUYER, || TradeFinance::waive(1, OTHER_DOCUMENT)), Ok(()));
}

#[test]
fn no_document_is_financed_twice() {
    issue();
    present(1, DOCUMENT).unwrap();
    assert_eq!(present(2, DOCUMENT), Err(Error::AlreadyClaimed), "at another bank neither");
    call(BANK, || TradeFinance::report_discrepancy(1)).unwrap();
    assert_eq!(present(2, DOCUMENT), Err(Error::AlreadyClaimed));
    present(1, DOCUMENT).unwrap();
    call(BANK, || TradeFinance::accept(1)).unwrap();
    call(BANK, || TradeFinance::settle(1)).unwrap();
    assert_eq!(present(2, DOCUMENT), Err(Error::AlreadyClaimed), "after payment neither");
    present(2, OTHER_DOCUMENT).unwrap();
}

#[test]
fn another_document_frees_the_one_before_and_so_does_the_end_without_payment() {
    issue();
    present(1, DOCUMENT).unwrap();
    assert_eq!(present(1, OTHER_DOCUMENT), Err(Error::WrongPhase), "the bank has it");
    call(BANK, || TradeFinance::report_discrepancy(1)).unwrap();
    present(1, OTHER_DOCUMENT).unwrap();
    present(2, DOCUMENT).unwrap();
    assert_eq!([DOCUMENT, OTHER_DOCUMENT].map(TradeFinance::claimed_by), [Some(2), Some(1)]);
    assert_eq!(call(BANK, || TradeFinance::close(1)), Err(Error::NotEnded));
    test::set_height(5, 5_000);
    call(BANK, || TradeFinance::close(1)).unwrap();
    assert_eq!((phase(1), TradeFinance::claimed_by(OTHER_DOCUMENT)), (Phase::Closed, None));
    assert_eq!((money(), TradeFinance::money()), ([1_000, 300, 0], (2_000, 700)));
    assert_eq!(present(1, OTHER_DOCUMENT), Err(Error::WrongPhase));
    call(OTHER_BANK, || TradeFinance::report_discrepancy(2)).unwrap();
    assert_eq!(present(2, OTHER_DOCUMENT), Err(Error::Ended));
}

/// Brings letter 1 to a phase; its time is over afterwards where the phase needs that.
fn reach(phase: Phase) {
    test::reset();
    issue();
    let bank = |method: fn(u64) -> Result<(), Error>| call(BANK, || method(1)).unwrap();
    if !matches!(phase, Phase::Issued | Phase::Closed) {
        present(1, DOCUMENT).unwrap();
    }
    match phase {
        Phase::Issued | Phase::Presented => {}
        Phase::Discrepant => bank(TradeFinance::report_discrepancy),
        Phase::Accepted => bank(TradeFinance::accept),
        Phase::Settled => {
            bank(TradeFinance::accept);
            bank(TradeFinance::settle);
        }
        Phase::Closed => {
            test::set_height(5, 5_000);
            bank(TradeFinance::close);
        }
    }
}

/// A step's name, the step, and from which phases it is taken.
type Step<'a> = (&'a str, &'a dyn Fn() -> Result<(), Error>, &'a [Phase]);

#[test]
fn every_step_is_taken_from_its_phases_alone() {
    use Phase::{Accepted, Closed, Discrepant, Issued, Presented, Settled};
    let steps: [Step<'_>; 6] = [
        ("present", &|| present(1, OTHER_DOCUMENT), &[Issued, Discrepant]),
        ("report_discrepancy", &|| call(BANK, || TradeFinance::report_discrepancy(1)), &[Presented]),
        ("waive", &|| call(BUYER, || TradeFinance::waive(1, DOCUMENT)), &[Discrepant]),
        ("accept", &|| call(BANK, || TradeFinance::accept(1)), &[Presented]),
        ("settle", &|| call(BANK, || TradeFinance::settle(1)), &[Accepted]),
        ("close", &|| call(BANK, || TradeFinance::close(1)), &[Issued, Presented, Discrepant]),
    ];
    for from in [Issued, Presented, Discrepant, Accepted, Settled, Closed] {
        for (name, step, allowed) in steps {
            reach(from);
            assert_eq!(phase(1), from);
            if name == "close" {
                test::set_height(6, 6_000);
            }
            let expected = if allowed.contains(&from) { Ok(()) } else { Err(Error::WrongPhase) };
            assert_eq!(step(), expected, "{name}, {from:?}");
        }
    }
}
