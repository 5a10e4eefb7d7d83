//! The contract's rules.

use phalanx_contract::Address;
use phalanx_contract::test::{self, call};
use phalanx_identity::{Credential, Error, IdentityRegistry, Presented, Rotated};

const ACCREDITOR: Address = Address([9; 32]);
const CITY_KEY: Address = Address([8; 32]);
const PERSON_KEY: Address = Address([1; 32]);
const NEW_KEY: Address = Address([3; 32]);
const GUARDIAN: Address = Address([4; 32]);
const VERIFIER: Address = Address([2; 32]);
const STRANGER: Address = Address([7; 32]);
const CITY: [u8; 32] = [80; 32];
const PERSON: [u8; 32] = [10; 32];
const DIGEST: [u8; 32] = [5; 32];
const CREDENTIAL: Credential = Credential { issuer: CITY, subject: PERSON, expires: 10_000 };

fn register() {
    test::set_deployer(ACCREDITOR);
    test::set_height(1, 1_000);
    call(CITY_KEY, || IdentityRegistry::register(CITY, None)).unwrap();
    call(PERSON_KEY, || IdentityRegistry::register(PERSON, Some(GUARDIAN))).unwrap();
    call(ACCREDITOR, || IdentityRegistry::accredit(CITY)).unwrap();
}

fn issue() {
    register();
    call(CITY_KEY, || IdentityRegistry::issue(DIGEST, CREDENTIAL)).unwrap();
}

fn present(key: Address, challenge: u64) -> Result<(), Error> {
    call(key, || IdentityRegistry::present(DIGEST, VERIFIER, challenge))
}

#[test]
fn an_identifier_has_one_controller_and_keys_rotate() {
    register();
    assert_eq!(call(STRANGER, || IdentityRegistry::register(PERSON, None)), Err(Error::Exists));
    for stranger in [STRANGER, CITY_KEY, ACCREDITOR] {
        assert_eq!(call(stranger, || IdentityRegistry::rotate(PERSON, stranger)), Err(Error::NotController));
        assert_eq!(call(stranger, || IdentityRegistry::entrust(PERSON, Some(stranger))), Err(Error::NotController));
    }
    call(PERSON_KEY, || IdentityRegistry::rotate(PERSON, NEW_KEY)).unwrap();
    let rotated = Rotated { id: PERSON, controller: NEW_KEY };
    assert_eq!(test::events().last().and_then(|event| event.decode()), Some(rotated));
    assert_eq!(call(PERSON_KEY, || IdentityRegistry::rotate(PERSON, PERSON_KEY)), Err(Error::NotController));
    call(GUARDIAN, || IdentityRegistry::rotate(PERSON, PERSON_KEY)).unwrap();
    assert_eq!(call(GUARDIAN, || IdentityRegistry::entrust(PERSON, None)), Err(Error::NotController));
    call(PERSON_KEY, || IdentityRegistry::entrust(PERSON, None)).unwrap();
    assert_eq!(call(GUARDIAN, || IdentityRegistry::rotate(PERSON, GUARDIAN)), Err(Error::NotController));
    assert_eq!(IdentityRegistry::resolve(PERSON).map(|identity| identity.rotations), Some(2));
    assert_eq!(call(STRANGER, || IdentityRegistry::rotate([0; 32], STRANGER)), Err(Error::Unknown));
}

#[test]
fn accredited_issuers_alone_issue_in_their_own_name() {
    register();
    assert_eq!(call(STRANGER, || IdentityRegistry::accredit(PERSON)), Err(Error::NotDeployer));
    assert_eq!(call(CITY_KEY, || IdentityRegistry::discredit(CITY)), Err(Error::NotDeployer));
    assert_eq!(call(ACCREDITOR, || IdentityRegistry::accredit([0; 32])), Err(Error::Unknown));
    for stranger in [STRANGER, PERSON_KEY, ACCREDITOR] {
        assert_eq!(call(stranger, || IdentityRegistry::issue(DIGEST, CREDENTIAL)), Err(Error::NotController));
    }
    let by_person = Credential { issuer: PERSON, ..CREDENTIAL };
    assert_eq!(call(PERSON_KEY, || IdentityRegistry::issue(DIGEST, by_person)), Err(Error::NotIssuer));
    let to_nobody = Credential { subject: [0; 32], ..CREDENTIAL };
    assert_eq!(call(CITY_KEY, || IdentityRegistry::issue(DIGEST, to_nobody)), Err(Error::Unknown));
    let over = Credential { expires: 1_000, ..CREDENTIAL };
    assert_eq!(call(CITY_KEY, || IdentityRegistry::issue(DIGEST, over)), Err(Error::Expired));
    call(CITY_KEY, || IdentityRegistry::issue(DIGEST, CREDENTIAL)).unwrap();
    assert_eq!(call(CITY_KEY, || IdentityRegistry::issue(DIGEST, CREDENTIAL)), Err(Error::Exists));
}

#[test]
fn the_subject_alone_presents_and_each_challenge_once() {
    issue();
    for stranger in [STRANGER, CITY_KEY, VERIFIER, GUARDIAN] {
        assert_eq!(present(stranger, 1), Err(Error::NotController));
    }
    assert_eq!(present(PERSON_KEY, 1), Ok(()));
    let presented = Presented { digest: DIGEST, verifier: VERIFIER, challenge: 1 };
    assert_eq!(test::events().last().and_then(|event| event.decode()), Some(presented));
    assert_eq!((present(PERSON_KEY, 1), present(PERSON_KEY, 2)), (Err(Error::ChallengeUsed), Ok(())));
    call(PERSON_KEY, || IdentityRegistry::rotate(PERSON, NEW_KEY)).unwrap();
    assert_eq!((present(PERSON_KEY, 3), present(NEW_KEY, 3)), (Err(Error::NotController), Ok(())));
}

#[test]
fn what_is_revoked_expired_or_discredited_is_not_valid() {
    issue();
    for stranger in [STRANGER, PERSON_KEY, ACCREDITOR] {
        assert_eq!(call(stranger, || IdentityRegistry::revoke(DIGEST)), Err(Error::NotController));
    }
    call(ACCREDITOR, || IdentityRegistry::discredit(CITY)).unwrap();
    assert_eq!(present(PERSON_KEY, 1), Err(Error::NotIssuer));
    call(ACCREDITOR, || IdentityRegistry::accredit(CITY)).unwrap();
    test::set_height(10, 10_000);
    assert_eq!(present(PERSON_KEY, 1), Err(Error::Expired));
    test::set_height(9, 9_999);
    assert_eq!(IdentityRegistry::valid(DIGEST), Ok(CREDENTIAL));
    call(CITY_KEY, || IdentityRegistry::revoke(DIGEST)).unwrap();
    assert_eq!((present(PERSON_KEY, 1), IdentityRegistry::valid(DIGEST)), (Err(Error::Revoked), Err(Error::Revoked)));
    assert_eq!(call(CITY_KEY, || IdentityRegistry::revoke(DIGEST)), Err(Error::Revoked));
    assert_eq!(IdentityRegistry::valid([0; 32]), Err(Error::Unknown));
    assert_eq!(call(CITY_KEY, || IdentityRegistry::revoke([0; 32])), Err(Error::Unknown));
    assert_eq!(call(PERSON_KEY, || IdentityRegistry::present([0; 32], VERIFIER, 9)), Err(Error::Unknown));
}
