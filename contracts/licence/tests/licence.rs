//! The contract's rules.

use phalanx_contract::Address;
use phalanx_contract::test::{self, call};
use phalanx_licence::{Certificate, Consent, Error, Issued, Licence, Number, Revoked, Standing};

const STATE: Address = Address([9; 32]);
const HEAD: Address = Address([8; 32]);
const CLERK: Address = Address([6; 32]);
const HOLDER: Address = Address([1; 32]);
const VERIFIER: Address = Address([2; 32]);
const STRANGER: Address = Address([7; 32]);
const NUMBER: Number = Number { department: 4, serial: 11 };
const CERTIFICATE: Certificate = Certificate { holder: HOLDER, kind: 3, digest: [5; 32], expires: 10_000 };

fn open() {
    test::set_deployer(STATE);
    test::set_height(1, 1_000);
    call(STATE, || Licence::open_department(4, HEAD)).unwrap();
    call(HEAD, || Licence::appoint(4, CLERK)).unwrap();
}

fn issued() {
    open();
    call(CLERK, || Licence::issue(NUMBER, CERTIFICATE)).unwrap();
}

fn check(caller: Address) -> Result<Standing, Error> {
    call(caller, || Licence::check(NUMBER)).map(|(certificate, standing)| {
        assert_eq!(certificate, CERTIFICATE);
        standing
    })
}

#[test]
fn offices_are_given_from_above_alone() {
    open();
    assert_eq!(call(HEAD, || Licence::open_department(5, HEAD)), Err(Error::NotDeployer));
    assert_eq!(call(STATE, || Licence::open_department(4, STATE)), Err(Error::DepartmentExists));
    for stranger in [STRANGER, CLERK, STATE] {
        assert_eq!(call(stranger, || Licence::appoint(4, STRANGER)), Err(Error::NotHead));
        assert_eq!(call(stranger, || Licence::dismiss(4, CLERK)), Err(Error::NotHead));
    }
    assert_eq!(call(HEAD, || Licence::appoint(5, CLERK)), Err(Error::NotHead), "of another department");
}

#[test]
fn the_deployer_replaces_the_head_of_a_department() {
    open();
    for stranger in [STRANGER, HEAD, CLERK] {
        assert_eq!(call(stranger, || Licence::replace_head(4, stranger)), Err(Error::NotDeployer));
    }
    assert_eq!(call(STATE, || Licence::replace_head(5, VERIFIER)), Err(Error::NoDepartment));
    call(STATE, || Licence::replace_head(4, VERIFIER)).unwrap();
    assert_eq!(call(HEAD, || Licence::dismiss(4, CLERK)), Err(Error::NotHead));
    assert_eq!(call(CLERK, || Licence::issue(NUMBER, CERTIFICATE)), Ok(()), "clerks stay");
    assert_eq!(call(VERIFIER, || Licence::dismiss(4, CLERK)), Ok(()));
}

#[test]
fn a_certificate_that_was_not_issued_is_unknown() {
    open();
    assert_eq!(call(HOLDER, || Licence::share(NUMBER, VERIFIER, 5_000)), Err(Error::Unknown));
    assert_eq!(call(HOLDER, || Licence::unshare(NUMBER, VERIFIER)), Err(Error::Unknown));
    assert_eq!(call(HOLDER, || Licence::check(NUMBER)), Err(Error::Unknown));
}

#[test]
fn the_clerks_of_the_department_alone_issue_and_revoke() {
    issued();
    assert_eq!(test::events().last().and_then(|event| event.decode()), Some(Issued { number: NUMBER, holder: HOLDER }));
    let other = Number { department: 5, serial: 11 };
    for stranger in [STRANGER, HOLDER, HEAD, STATE] {
        assert_eq!(
            call(stranger, || Licence::issue(Number { serial: 12, ..NUMBER }, CERTIFICATE)),
            Err(Error::NotClerk)
        );
        assert_eq!(call(stranger, || Licence::revoke(NUMBER, 1)), Err(Error::NotClerk));
    }
    assert_eq!(call(CLERK, || Licence::issue(other, CERTIFICATE)), Err(Error::NotClerk));
    assert_eq!(call(CLERK, || Licence::issue(NUMBER, CERTIFICATE)), Err(Error::Exists));
    let past = Certificate { expires: 1_000, ..CERTIFICATE };
    assert_eq!(call(CLERK, || Licence::issue(Number { serial: 12, ..NUMBER }, past)), Err(Error::Past));
    call(HEAD, || Licence::dismiss(4, CLERK)).unwrap();
    assert_eq!(call(CLERK, || Licence::revoke(NUMBER, 1)), Err(Error::NotClerk));
    assert_eq!((Licence::issued(4), Licence::issued(5)), (1, 0));
}

#[test]
fn a_verifier_sees_what_the_holder_shares_as_long_as_it_does() {
    issued();
    assert_eq!(check(VERIFIER), Err(Error::NotShared));
    for stranger in [VERIFIER, CLERK, STATE] {
        assert_eq!(call(stranger, || Licence::share(NUMBER, stranger, 5_000)), Err(Error::NotHolder));
        assert_eq!(call(stranger, || Licence::unshare(NUMBER, stranger)), Err(Error::NotHolder));
    }
    assert_eq!(call(HOLDER, || Licence::share(NUMBER, VERIFIER, 1_000)), Err(Error::Past));
    call(HOLDER, || Licence::share(NUMBER, VERIFIER, 5_000)).unwrap();
    let consent = Consent { number: NUMBER, verifier: VERIFIER, until: Some(5_000) };
    assert_eq!(test::events().last().and_then(|event| event.decode()), Some(consent));
    assert_eq!((check(VERIFIER), check(STRANGER)), (Ok(Standing::Valid), Err(Error::NotShared)));
    test::set_height(5, 5_000);
    assert_eq!(check(VERIFIER), Err(Error::NotShared), "the time is over");
    call(HOLDER, || Licence::share(NUMBER, VERIFIER, 6_000)).unwrap();
    call(HOLDER, || Licence::unshare(NUMBER, VERIFIER)).unwrap();
    assert_eq!(check(VERIFIER), Err(Error::NotShared));
    assert_eq!((check(HOLDER), check(CLERK)), (Ok(Standing::Valid), Ok(Standing::Valid)));
}

#[test]
fn a_certificate_ends_by_time_or_by_revocation() {
    issued();
    test::set_height(9, 9_999);
    assert_eq!(check(HOLDER), Ok(Standing::Valid));
    test::set_height(10, 10_000);
    assert_eq!(check(HOLDER), Ok(Standing::Expired));
    call(CLERK, || Licence::revoke(NUMBER, 7)).unwrap();
    assert_eq!(test::events().last().and_then(|event| event.decode()), Some(Revoked { number: NUMBER, reason: 7 }));
    assert_eq!(check(HOLDER), Ok(Standing::Revoked(7)));
    assert_eq!(call(CLERK, || Licence::revoke(NUMBER, 8)), Err(Error::AlreadyRevoked));
    assert_eq!(call(CLERK, || Licence::revoke(Number { serial: 12, ..NUMBER }, 8)), Err(Error::Unknown));
}
