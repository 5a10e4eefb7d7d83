//! The contract's rules, tested natively: each `call` is one call of an address, on a ledger in memory.

use phalanx_contract::Address;
use phalanx_contract::test::{self, call};

use {{crate}}::{Credits, Error, Granted, HOLDING_MAX, Spent};

const DEPLOYER: Address = Address([1; 32]);
const ISSUER: Address = Address([2; 32]);
const HOLDER: Address = Address([3; 32]);

fn with_issuer() {
    test::set_deployer(DEPLOYER);
    call(DEPLOYER, || Credits::appoint(ISSUER)).unwrap();
}

#[test]
fn credits_are_granted_and_spent() {
    with_issuer();
    call(ISSUER, || Credits::grant(HOLDER, 100)).unwrap();
    call(HOLDER, || Credits::spend(30)).unwrap();
    assert_eq!(Credits::credits_of(HOLDER), 70);
    let events = test::events();
    assert_eq!(
        events[0].decode(),
        Some(Granted {
            issuer: ISSUER,
            holder: HOLDER,
            amount: 100
        })
    );
    assert_eq!(
        events[1].decode(),
        Some(Spent {
            holder: HOLDER,
            amount: 30
        })
    );
}

#[test]
fn nobody_has_more_than_the_maximum_or_spends_more_than_they_have() {
    with_issuer();
    call(ISSUER, || Credits::grant(HOLDER, HOLDING_MAX)).unwrap();
    assert_eq!(
        call(ISSUER, || Credits::grant(HOLDER, 1)),
        Err(Error::TooMany)
    );
    assert_eq!(
        call(HOLDER, || Credits::spend(HOLDING_MAX + 1)),
        Err(Error::TooFew)
    );
    assert_eq!(Credits::credits_of(HOLDER), HOLDING_MAX);
}

#[test]
fn the_deployer_appoints_and_issuers_grant() {
    with_issuer();
    assert_eq!(
        call(ISSUER, || Credits::appoint(HOLDER)),
        Err(Error::NotDeployer)
    );
    assert_eq!(
        call(DEPLOYER, || Credits::grant(HOLDER, 1)),
        Err(Error::NotIssuer)
    );
    call(DEPLOYER, || Credits::dismiss(ISSUER)).unwrap();
    assert_eq!(
        call(ISSUER, || Credits::grant(HOLDER, 1)),
        Err(Error::NotIssuer)
    );
}
