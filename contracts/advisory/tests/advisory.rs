//! The contract's rules.

use phalanx_advisory::{Advisories, Changed, Error, Phase, SEALED_MAX, TEXT_BYTES_MAX, seal};
use phalanx_contract::Address;
use phalanx_contract::test::{self, call};

const OPERATOR: Address = Address([9; 32]);
const VENDOR: Address = Address([20; 32]);
const OTHER_VENDOR: Address = Address([21; 32]);
const COORDINATOR: Address = Address([22; 32]);
const REPORTER: Address = Address([1; 32]);
const STRANGER: Address = Address([7; 32]);
const SALT: [u8; 32] = [5; 32];
const TEXT: &[u8] = b"an index is not checked";

fn report() {
    test::set_deployer(OPERATOR);
    test::set_height(1, 1_000);
    call(OPERATOR, || Advisories::register_vendor(4, VENDOR)).unwrap();
    call(OPERATOR, || Advisories::register_vendor(5, OTHER_VENDOR)).unwrap();
    call(OPERATOR, || Advisories::appoint(COORDINATOR)).unwrap();
    call(REPORTER, || Advisories::report(1, 4, seal(REPORTER, &SALT, TEXT).unwrap(), 5_000)).unwrap();
}

fn disclose(who: Address) -> Result<(), Error> {
    call(who, || Advisories::disclose(1, SALT, TEXT))
}

fn phase() -> Phase {
    Advisories::advisory(1).unwrap().phase
}

#[test]
fn a_record_is_sealed_until_its_day() {
    report();
    assert_eq!(disclose(REPORTER), Err(Error::TooEarly));
    test::set_height(4, 4_999);
    assert_eq!(disclose(OPERATOR), Err(Error::TooEarly), "for everyone");
    test::set_height(5, 5_000);
    for (salt, text) in [(SALT, &TEXT[1..]), ([6; 32], TEXT)] {
        assert_eq!(call(STRANGER, || Advisories::disclose(1, salt, text)), Err(Error::OtherText));
    }
    assert_eq!(call(STRANGER, || Advisories::disclose(1, SALT, &[])), Err(Error::BadLength));
    assert_eq!(call(STRANGER, || Advisories::disclose(1, SALT, &[1; TEXT_BYTES_MAX + 1])), Err(Error::BadLength));
    assert_eq!(Advisories::text(1), None);
    disclose(STRANGER).unwrap();
    assert_eq!(Advisories::text(1).unwrap().as_slice(), TEXT);
    let changed = Changed { advisory: 1, phase: Phase::Disclosed, disclosed_from: 5_000 };
    assert_eq!(test::events().last().and_then(|event| event.decode()), Some(changed));
    assert_eq!(disclose(STRANGER), Err(Error::WrongPhase));
    assert_eq!(call(REPORTER, || Advisories::withdraw(1)), Err(Error::WrongPhase));
}

#[test]
fn a_seal_is_worth_nothing_to_who_copies_it() {
    report();
    let copied = Advisories::advisory(1).unwrap().seal;
    call(STRANGER, || Advisories::report(2, 4, copied, 5_000)).unwrap();
    test::set_height(5, 5_000);
    assert_eq!(call(STRANGER, || Advisories::disclose(2, SALT, TEXT)), Err(Error::OtherText));
    disclose(STRANGER).unwrap();
}

#[test]
fn what_is_fixed_may_be_disclosed_before_its_day() {
    report();
    call(VENDOR, || Advisories::acknowledge(1)).unwrap();
    assert_eq!(disclose(REPORTER), Err(Error::TooEarly));
    call(VENDOR, || Advisories::fix(1)).unwrap();
    assert_eq!(call(COORDINATOR, || Advisories::reschedule(1, 9_000)), Err(Error::WrongPhase));
    disclose(REPORTER).unwrap();
    assert_eq!(phase(), Phase::Disclosed);
}

#[test]
fn a_record_that_was_not_filed_is_unknown_and_none_is_acknowledged_twice() {
    report();
    assert_eq!(call(VENDOR, || Advisories::acknowledge(2)), Err(Error::Unknown));
    assert_eq!(call(VENDOR, || Advisories::fix(2)), Err(Error::Unknown));
    assert_eq!(call(COORDINATOR, || Advisories::reschedule(2, 9_000)), Err(Error::Unknown));
    assert_eq!(call(REPORTER, || Advisories::withdraw(2)), Err(Error::Unknown));
    assert_eq!(call(REPORTER, || Advisories::disclose(2, SALT, TEXT)), Err(Error::Unknown));
    call(VENDOR, || Advisories::acknowledge(1)).unwrap();
    assert_eq!(call(VENDOR, || Advisories::acknowledge(1)), Err(Error::WrongPhase));
}

#[test]
fn everyone_takes_its_own_steps_alone() {
    report();
    for stranger in [STRANGER, OTHER_VENDOR, REPORTER, COORDINATOR, OPERATOR] {
        assert_eq!(call(stranger, || Advisories::acknowledge(1)), Err(Error::NotVendor));
        assert_eq!(call(stranger, || Advisories::fix(1)), Err(Error::NotVendor));
    }
    for stranger in [STRANGER, VENDOR, REPORTER, OPERATOR] {
        assert_eq!(call(stranger, || Advisories::reschedule(1, 9_000)), Err(Error::NotCoordinator));
    }
    for stranger in [STRANGER, VENDOR, COORDINATOR, OPERATOR] {
        assert_eq!(call(stranger, || Advisories::withdraw(1)), Err(Error::NotReporter));
    }
    for stranger in [STRANGER, VENDOR, COORDINATOR] {
        assert_eq!(call(stranger, || Advisories::appoint(stranger)), Err(Error::NotDeployer));
        assert_eq!(call(stranger, || Advisories::dismiss(COORDINATOR)), Err(Error::NotDeployer));
        assert_eq!(call(stranger, || Advisories::register_vendor(4, stranger)), Err(Error::NotDeployer));
    }
    call(OPERATOR, || Advisories::dismiss(COORDINATOR)).unwrap();
    assert_eq!(call(COORDINATOR, || Advisories::reschedule(1, 9_000)), Err(Error::NotCoordinator));
    call(REPORTER, || Advisories::withdraw(1)).unwrap();
    test::set_height(5, 5_000);
    assert_eq!((disclose(REPORTER), phase()), (Err(Error::WrongPhase), Phase::Withdrawn));
}

#[test]
fn no_day_lies_in_the_past_or_half_a_year_after_the_report() {
    report();
    let latest = 1_000 + SEALED_MAX;
    let report = |day| call(REPORTER, || Advisories::report(2, 4, [0; 32], day));
    assert_eq!([1_000, latest + 1, u64::MAX].map(report), [Err(Error::BadDay), Err(Error::BadDay), Err(Error::BadDay)]);
    assert_eq!(report(latest), Ok(()));
    assert_eq!(report(latest), Err(Error::Exists));
    assert_eq!(call(REPORTER, || Advisories::report(3, 6, [0; 32], latest)), Err(Error::NotVendor));
    test::set_height(2, 2_000);
    assert_eq!(
        call(COORDINATOR, || Advisories::reschedule(1, latest + 1)),
        Err(Error::BadDay),
        "counted from the report"
    );
    assert_eq!(call(COORDINATOR, || Advisories::reschedule(1, 2_000)), Err(Error::BadDay));
    call(COORDINATOR, || Advisories::reschedule(1, 3_000)).unwrap();
    test::set_height(3, 3_000);
    disclose(STRANGER).unwrap();
    assert_eq!((Advisories::filed(4), Advisories::filed(5)), (2, 0));
}

/// Brings record 1 to a phase.
fn reach(phase: Phase) {
    test::reset();
    report();
    match phase {
        Phase::Reported => {}
        Phase::Acknowledged => call(VENDOR, || Advisories::acknowledge(1)).unwrap(),
        Phase::Fixed => call(VENDOR, || Advisories::fix(1)).unwrap(),
        Phase::Disclosed => {
            call(VENDOR, || Advisories::fix(1)).unwrap();
            disclose(REPORTER).unwrap();
        }
        Phase::Withdrawn => call(REPORTER, || Advisories::withdraw(1)).unwrap(),
    }
}

/// A step's name, the step, and from which phases it is taken.
type Step<'a> = (&'a str, &'a dyn Fn() -> Result<(), Error>, &'a [Phase]);

#[test]
fn every_step_is_taken_from_its_phases_alone() {
    use Phase::{Acknowledged, Disclosed, Fixed, Reported, Withdrawn};
    let steps: [Step<'_>; 5] = [
        ("acknowledge", &|| call(VENDOR, || Advisories::acknowledge(1)), &[Reported]),
        ("fix", &|| call(VENDOR, || Advisories::fix(1)), &[Reported, Acknowledged]),
        ("reschedule", &|| call(COORDINATOR, || Advisories::reschedule(1, 9_000)), &[Reported, Acknowledged]),
        ("withdraw", &|| call(REPORTER, || Advisories::withdraw(1)), &[Reported, Acknowledged, Fixed]),
        ("disclose", &|| disclose(STRANGER), &[Reported, Acknowledged, Fixed]),
    ];
    for from in [Reported, Acknowledged, Fixed, Disclosed, Withdrawn] {
        for (name, step, allowed) in steps {
            reach(from);
            assert_eq!(phase(), from);
            test::set_height(5, 5_000);
            let expected = if allowed.contains(&from) { Ok(()) } else { Err(Error::WrongPhase) };
            assert_eq!(step(), expected, "{name}, {from:?}");
        }
    }
}
