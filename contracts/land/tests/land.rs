//! The contract's rules.

use phalanx_contract::Address;
use phalanx_contract::test::{self, call};
use phalanx_land::Authority::{Registry, Survey, Tax};
use phalanx_land::{Authority, Error, Land, Refusal, Title, Transferred};

const STATE: Address = Address([9; 32]);
const REGISTRAR: Address = Address([20; 32]);
const SURVEYOR: Address = Address([21; 32]);
const TAX_OFFICER: Address = Address([22; 32]);
const A: Address = Address([1; 32]);
const B: Address = Address([2; 32]);
const STRANGER: Address = Address([7; 32]);
const PARCEL: u64 = 55;

const OFFICES: [(Authority, Address); 3] = [(Registry, REGISTRAR), (Survey, SURVEYOR), (Tax, TAX_OFFICER)];

fn register() {
    test::set_deployer(STATE);
    test::set_height(1, 1_000);
    for (authority, officer) in OFFICES {
        call(STATE, || Land::appoint(authority, officer)).unwrap();
    }
    call(REGISTRAR, || Land::register(PARCEL, A, [5; 32])).unwrap();
}

fn propose() {
    register();
    call(A, || Land::propose(PARCEL, B)).unwrap();
}

fn owner() -> Address {
    Land::parcel(PARCEL).unwrap().owner
}

#[test]
fn officers_alone_register_and_block_and_the_deployer_alone_appoints() {
    register();
    for stranger in [STRANGER, A, SURVEYOR, STATE] {
        assert_eq!(call(stranger, || Land::register(56, stranger, [5; 32])), Err(Error::NotOfficer));
        assert_eq!(call(stranger, || Land::block(PARCEL, true)), Err(Error::NotOfficer));
    }
    assert_eq!(call(REGISTRAR, || Land::appoint(Tax, REGISTRAR)), Err(Error::NotDeployer));
    assert_eq!(call(STRANGER, || Land::dismiss(Tax, TAX_OFFICER)), Err(Error::NotDeployer));
    assert_eq!(call(REGISTRAR, || Land::register(PARCEL, B, [5; 32])), Err(Error::Exists));
    call(STATE, || Land::dismiss(Registry, REGISTRAR)).unwrap();
    assert_eq!(call(REGISTRAR, || Land::register(56, B, [5; 32])), Err(Error::NotOfficer));
}

#[test]
fn a_parcel_changes_hands_with_the_last_of_four_consents_in_any_order() {
    for last in 0..4 {
        test::reset();
        propose();
        test::set_height(2, 2_000);
        let consents: [&dyn Fn() -> Result<bool, Error>; 4] = [
            &|| call(B, || Land::accept(PARCEL)),
            &|| call(REGISTRAR, || Land::approve(PARCEL, Registry, B)),
            &|| call(SURVEYOR, || Land::approve(PARCEL, Survey, B)),
            &|| call(TAX_OFFICER, || Land::approve(PARCEL, Tax, B)),
        ];
        for other in (0..4).filter(|other| *other != last) {
            assert_eq!((consents[other](), owner()), (Ok(false), A));
            assert_eq!(consents[other](), Err(Error::AlreadyConsented));
        }
        assert_eq!((consents[last](), owner()), (Ok(true), B));
        let transferred = Transferred { parcel: PARCEL, from: A, to: B };
        assert_eq!(test::events().last().and_then(|event| event.decode()), Some(transferred));
        assert_eq!((Land::count_of(A), Land::count_of(B)), (0, 1));
        assert_eq!(Land::title(PARCEL, 1), Some(Title { owner: B, since: 2_000 }));
        assert_eq!(consents[last](), Err(Error::NoProposal));
    }
}

#[test]
fn strangers_consent_to_nothing() {
    propose();
    for stranger in [STRANGER, A, STATE] {
        assert_eq!(call(stranger, || Land::accept(PARCEL)), Err(Error::NotNewOwner));
        for (authority, officer) in OFFICES {
            assert_eq!(call(stranger, || Land::approve(PARCEL, authority, B)), Err(Error::NotOfficer));
            assert_eq!(call(stranger, || Land::refuse(PARCEL, authority, B, 1)), Err(Error::NotOfficer));
            let other = if authority == Tax { Survey } else { Tax };
            assert_eq!(call(officer, || Land::approve(PARCEL, other, B)), Err(Error::NotOfficer));
        }
    }
    for stranger in [STRANGER, B, REGISTRAR] {
        assert_eq!(call(stranger, || Land::propose(PARCEL, stranger)), Err(Error::NotOwner));
        assert_eq!(call(stranger, || Land::withdraw(PARCEL)), Err(Error::NotOwner));
    }
}

#[test]
fn a_parcel_that_was_not_registered_is_unknown() {
    register();
    assert_eq!(call(A, || Land::propose(56, B)), Err(Error::Unknown));
    assert_eq!(call(A, || Land::withdraw(56)), Err(Error::Unknown));
    assert_eq!(call(REGISTRAR, || Land::block(56, true)), Err(Error::Unknown));
}

#[test]
fn nobody_approves_for_two_authorities() {
    propose();
    call(STATE, || Land::appoint(Tax, SURVEYOR)).unwrap();
    call(SURVEYOR, || Land::approve(PARCEL, Survey, B)).unwrap();
    assert_eq!(call(SURVEYOR, || Land::approve(PARCEL, Tax, B)), Err(Error::ApprovedForAnother));
    call(TAX_OFFICER, || Land::approve(PARCEL, Tax, B)).unwrap();
}

#[test]
fn an_officer_approves_or_refuses_the_proposal_that_it_looked_at() {
    propose();
    call(A, || Land::withdraw(PARCEL)).unwrap();
    call(A, || Land::propose(PARCEL, STRANGER)).unwrap();
    assert_eq!(call(TAX_OFFICER, || Land::approve(PARCEL, Tax, B)), Err(Error::OtherProposal));
    assert_eq!(call(TAX_OFFICER, || Land::refuse(PARCEL, Tax, B, 1)), Err(Error::OtherProposal));
    assert_eq!(call(TAX_OFFICER, || Land::approve(PARCEL, Tax, STRANGER)), Ok(false));
}

#[test]
fn proposals_end_by_withdrawal_or_refusal() {
    propose();
    assert_eq!(call(A, || Land::propose(PARCEL, STRANGER)), Err(Error::AlreadyProposed));
    call(A, || Land::withdraw(PARCEL)).unwrap();
    assert_eq!(call(B, || Land::accept(PARCEL)), Err(Error::NoProposal));
    assert_eq!(call(A, || Land::withdraw(PARCEL)), Err(Error::NoProposal));
    assert_eq!(call(A, || Land::propose(PARCEL, A)), Err(Error::AlreadyOwner));
    call(A, || Land::propose(PARCEL, B)).unwrap();
    call(TAX_OFFICER, || Land::refuse(PARCEL, Tax, B, 4)).unwrap();
    let refusal = Refusal { parcel: PARCEL, authority: Tax, reason: 4 };
    assert_eq!(test::events().last().and_then(|event| event.decode()), Some(refusal));
    assert_eq!((Land::proposal(PARCEL), owner()), (None, A));
}

#[test]
fn a_blocked_parcel_stays_where_it_is() {
    propose();
    call(REGISTRAR, || Land::block(PARCEL, true)).unwrap();
    assert_eq!(call(B, || Land::accept(PARCEL)), Err(Error::Blocked));
    assert_eq!(call(TAX_OFFICER, || Land::approve(PARCEL, Tax, B)), Err(Error::Blocked));
    call(A, || Land::withdraw(PARCEL)).unwrap();
    assert_eq!(call(A, || Land::propose(PARCEL, B)), Err(Error::Blocked));
    call(REGISTRAR, || Land::block(PARCEL, false)).unwrap();
    call(A, || Land::propose(PARCEL, B)).unwrap();
}
