//! The contract's rules.

use phalanx_contract::Address;
use phalanx_contract::test::{self, call, call_encoded};
use phalanx_contract::wire::{decoded, encoded};
use phalanx_evidence::{Custody, DOCUMENT_BYTES_MAX, Error, Evidence, Notarised, Record, TakenOver};

const COURT: Address = Address([9; 32]);
const A: Address = Address([1; 32]);
const B: Address = Address([2; 32]);
const STRANGER: Address = Address([7; 32]);
const DOCUMENT: &[u8] = b"a photograph";

fn court_with_officers() {
    test::set_deployer(COURT);
    test::set_height(3, 3_000);
    for officer in [A, B] {
        call(COURT, || Evidence::appoint(officer)).unwrap();
    }
}

#[test]
fn the_court_alone_appoints_and_dismisses() {
    court_with_officers();
    assert_eq!(call(A, || Evidence::appoint(STRANGER)), Err(Error::NotDeployer));
    assert_eq!(call(STRANGER, || Evidence::dismiss(A)), Err(Error::NotDeployer));
    call(COURT, || Evidence::dismiss(A)).unwrap();
    assert_eq!(call(A, || Evidence::notarise(DOCUMENT)), Err(Error::NotOfficer));
    assert_eq!(call(COURT, || Evidence::notarise(DOCUMENT)), Err(Error::NotOfficer));
}

#[test]
fn a_document_is_notarised_once_and_verified_by_its_bytes() {
    court_with_officers();
    assert_eq!(call(STRANGER, || Evidence::notarise(DOCUMENT)), Err(Error::NotOfficer));
    let id = call(A, || Evidence::notarise(DOCUMENT)).unwrap();
    assert_eq!(test::events().last().and_then(|event| event.decode()), Some(Notarised { id, notary: A }));
    test::set_height(4, 4_000);
    assert_eq!(call(B, || Evidence::notarise(DOCUMENT)), Err(Error::AlreadyNotarised));
    let record = Record { notary: A, height: 3, time: 3_000 };
    assert_eq!((Evidence::verify(DOCUMENT), Evidence::record(id)), (Some(record), Some(record)));
    assert_eq!(Evidence::verify(b"a photograph, retouched"), None);
    assert_eq!(Evidence::document(id).unwrap().as_slice(), DOCUMENT);
    assert_eq!(Evidence::notarised(), 1);
}

#[test]
fn a_document_has_one_byte_to_a_kibibyte() {
    court_with_officers();
    let document = [1; DOCUMENT_BYTES_MAX + 1];
    assert_eq!(call(A, || Evidence::notarise(&document)), Err(Error::BadLength));
    assert_eq!(call(A, || Evidence::notarise(&[])), Err(Error::BadLength));
    call(A, || Evidence::notarise(&document[1..])).unwrap();
}

#[test]
fn custody_moves_when_both_agree_and_leaves_no_gap() {
    court_with_officers();
    let id = call(A, || Evidence::notarise(DOCUMENT)).unwrap();
    assert_eq!(call(B, || Evidence::take_over(id)), Err(Error::NotOffered));
    assert_eq!(call(B, || Evidence::hand_over(id, B)), Err(Error::NotCustodian));
    assert_eq!(call(A, || Evidence::hand_over(id, STRANGER)), Err(Error::NotOfficer));
    assert_eq!(call(A, || Evidence::hand_over(id, A)), Err(Error::SameOfficer));
    assert_eq!(call(A, || Evidence::hand_over([0; 32], B)), Err(Error::Unknown));
    assert_eq!(call(B, || Evidence::take_over([0; 32])), Err(Error::Unknown));
    call(A, || Evidence::hand_over(id, B)).unwrap();
    assert_eq!(call(STRANGER, || Evidence::take_over(id)), Err(Error::NotOffered));
    assert_eq!(Evidence::custody_len(id), 1, "an offer moves nothing");
    test::set_height(5, 5_000);
    call(B, || Evidence::take_over(id)).unwrap();
    assert_eq!(test::events().last().and_then(|event| event.decode()), Some(TakenOver { id, from: A, to: B }));
    assert_eq!(call(B, || Evidence::take_over(id)), Err(Error::NotOffered), "an offer is taken once");
    assert_eq!(call(A, || Evidence::hand_over(id, A)), Err(Error::NotCustodian));
    let chain = [0, 1, 2].map(|number| Evidence::custody(id, number));
    assert_eq!(chain, [Some(Custody { holder: A, since: 3_000 }), Some(Custody { holder: B, since: 5_000 }), None]);
}

#[test]
fn who_was_dismissed_gives_custody_away_and_takes_none() {
    court_with_officers();
    let id = call(A, || Evidence::notarise(DOCUMENT)).unwrap();
    call(COURT, || Evidence::dismiss(A)).unwrap();
    call(A, || Evidence::hand_over(id, B)).unwrap();
    call(COURT, || Evidence::dismiss(B)).unwrap();
    assert_eq!(call(B, || Evidence::take_over(id)), Err(Error::NotOfficer));
}

#[test]
fn arguments_travel_as_bytes() {
    court_with_officers();
    let answer = call_encoded::<Evidence>(A, "notarise", &encoded(&DOCUMENT)).unwrap();
    let id: [u8; 32] = decoded(&answer.bytes).unwrap();
    assert_eq!((answer.code, Evidence::custody_len(id)), (0, 1));
    let answer = call_encoded::<Evidence>(A, "verify", &encoded(&DOCUMENT)).unwrap();
    assert_eq!(decoded(&answer.bytes), Some(Some(Record { notary: A, height: 3, time: 3_000 })));
}
