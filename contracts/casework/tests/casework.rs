//! The contract's rules.

use phalanx_casework::{Act, Casework, Entry, Error, Phase, Recorded, Role};
use phalanx_contract::Address;
use phalanx_contract::test::{self, call};

const OFFICE: Address = Address([9; 32]);
const CLERK: Address = Address([20; 32]);
const OFFICER: Address = Address([21; 32]);
const OTHER_OFFICER: Address = Address([22; 32]);
const REVIEWER: Address = Address([23; 32]);
const PARTY: Address = Address([1; 32]);
const STRANGER: Address = Address([7; 32]);
const DOCUMENT: [u8; 32] = [5; 32];

fn open() {
    test::set_deployer(OFFICE);
    test::set_height(1, 1_000);
    let roles =
        [(Role::Clerk, CLERK), (Role::Officer, OFFICER), (Role::Officer, OTHER_OFFICER), (Role::Reviewer, REVIEWER)];
    for (role, who) in roles {
        call(OFFICE, || Casework::appoint(role, who)).unwrap();
    }
    call(CLERK, || Casework::open(1, PARTY, OFFICER, DOCUMENT)).unwrap();
}

fn decide(officer: Address) -> Result<(), Error> {
    call(officer, || Casework::decide(1, false, DOCUMENT))
}

fn review(reviewer: Address, confirmed: bool) -> Result<(), Error> {
    let last = (0..).map_while(|number| Casework::entry(1, number)).last().unwrap();
    let granted = last.act == Act::Decided { granted: true };
    call(reviewer, || Casework::review(1, granted, last.document, confirmed, DOCUMENT))
}

fn phase() -> Phase {
    Casework::case(1).unwrap().phase
}

#[test]
fn a_case_goes_its_way_and_leaves_a_trail() {
    open();
    decide(OFFICER).unwrap();
    review(REVIEWER, false).unwrap();
    decide(OFFICER).unwrap();
    review(REVIEWER, true).unwrap();
    call(PARTY, || Casework::appeal(1, DOCUMENT)).unwrap();
    call(CLERK, || Casework::assign(1, OTHER_OFFICER)).unwrap();
    call(OTHER_OFFICER, || Casework::decide(1, true, DOCUMENT)).unwrap();
    review(REVIEWER, true).unwrap();
    assert_eq!(call(PARTY, || Casework::appeal(1, DOCUMENT)), Err(Error::AlreadyAppealed));
    call(CLERK, || Casework::close(1)).unwrap();
    let acts: Vec<_> = (0..).map_while(|number| Casework::entry(1, number)).map(|entry| entry.act).collect();
    let [denied, granted] = [false, true].map(|granted| Act::Decided { granted });
    let assigned = Act::Assigned { officer: OTHER_OFFICER };
    let opened = Act::Opened { party: PARTY, officer: OFFICER };
    let first = [opened, denied, Act::Returned, denied, Act::Confirmed, Act::Appealed];
    assert_eq!(acts, [&first[..], &[assigned, granted, Act::Confirmed, Act::Closed]].concat());
    assert_eq!((phase(), Casework::audit(1), Casework::opened()), (Phase::Closed, Ok(true), 1));
    assert_eq!(test::events().len(), 10, "each step is told");
    let closed = Recorded { case: 1, entry: Casework::entry(1, 9).unwrap() };
    assert_eq!(test::events().last().and_then(|event| event.decode()), Some(closed));
}

#[test]
fn everyone_takes_its_own_steps_alone() {
    open();
    for stranger in [STRANGER, PARTY, OFFICER, REVIEWER, OFFICE] {
        assert_eq!(call(stranger, || Casework::open(2, PARTY, OFFICER, DOCUMENT)), Err(Error::NotClerk));
        assert_eq!(call(stranger, || Casework::assign(1, OTHER_OFFICER)), Err(Error::NotClerk));
        assert_eq!(call(stranger, || Casework::close(1)), Err(Error::NotClerk));
    }
    for stranger in [STRANGER, PARTY, OTHER_OFFICER, CLERK, OFFICE] {
        assert_eq!(decide(stranger), Err(Error::NotAssigned));
    }
    decide(OFFICER).unwrap();
    for stranger in [STRANGER, PARTY, OFFICER, CLERK, OFFICE] {
        assert_eq!(review(stranger, true), Err(Error::NotReviewer));
    }
    review(REVIEWER, true).unwrap();
    for stranger in [STRANGER, OFFICER, CLERK] {
        assert_eq!(call(stranger, || Casework::appeal(1, DOCUMENT)), Err(Error::NotParty));
        assert_eq!(call(stranger, || Casework::appoint(Role::Clerk, stranger)), Err(Error::NotDeployer));
        assert_eq!(call(stranger, || Casework::dismiss(Role::Clerk, CLERK)), Err(Error::NotDeployer));
    }
}

#[test]
fn nobody_reviews_its_own_decision_and_an_appeal_goes_to_another_officer() {
    open();
    call(OFFICE, || Casework::appoint(Role::Reviewer, OFFICER)).unwrap();
    decide(OFFICER).unwrap();
    assert_eq!(review(OFFICER, true), Err(Error::OwnDecision));
    review(REVIEWER, true).unwrap();
    call(PARTY, || Casework::appeal(1, DOCUMENT)).unwrap();
    assert_eq!(call(CLERK, || Casework::assign(1, OFFICER)), Err(Error::SameOfficer));
    assert_eq!(call(CLERK, || Casework::assign(1, STRANGER)), Err(Error::NotOfficer));
}

#[test]
fn nobody_decides_or_reviews_its_own_case() {
    open();
    for role in [Role::Officer, Role::Reviewer] {
        call(OFFICE, || Casework::appoint(role, PARTY)).unwrap();
    }
    assert_eq!(call(CLERK, || Casework::open(2, PARTY, PARTY, DOCUMENT)), Err(Error::OwnCase));
    decide(OFFICER).unwrap();
    assert_eq!(review(PARTY, true), Err(Error::OwnCase));
    review(REVIEWER, true).unwrap();
    call(PARTY, || Casework::appeal(1, DOCUMENT)).unwrap();
    assert_eq!(call(CLERK, || Casework::assign(1, PARTY)), Err(Error::OwnCase));
}

#[test]
fn a_case_whose_officer_was_dismissed_is_assigned_anew() {
    open();
    assert_eq!(call(CLERK, || Casework::assign(1, OTHER_OFFICER)), Err(Error::WrongPhase), "it has an officer");
    call(OFFICE, || Casework::dismiss(Role::Officer, OFFICER)).unwrap();
    assert_eq!(call(CLERK, || Casework::assign(1, OFFICER)), Err(Error::NotOfficer));
    call(CLERK, || Casework::assign(1, OTHER_OFFICER)).unwrap();
    decide(OTHER_OFFICER).unwrap();
    review(REVIEWER, true).unwrap();
    call(PARTY, || Casework::appeal(1, DOCUMENT)).unwrap();
    call(OFFICE, || Casework::appoint(Role::Officer, OFFICER)).unwrap();
    call(CLERK, || Casework::assign(1, OFFICER)).unwrap();
    call(OFFICE, || Casework::dismiss(Role::Officer, OFFICER)).unwrap();
    assert_eq!(
        call(CLERK, || Casework::assign(1, OTHER_OFFICER)),
        Err(Error::SameOfficer),
        "it decided before the appeal"
    );
}

#[test]
fn a_reviewer_confirms_the_decision_that_it_looked_at() {
    open();
    decide(OFFICER).unwrap();
    for (granted, decision) in [(true, DOCUMENT), (false, [6; 32])] {
        let review = call(REVIEWER, || Casework::review(1, granted, decision, true, DOCUMENT));
        assert_eq!(review, Err(Error::OtherDecision));
    }
    assert_eq!(call(REVIEWER, || Casework::review(1, false, DOCUMENT, true, DOCUMENT)), Ok(()));
}

#[test]
fn a_case_needs_an_officer_and_is_opened_once() {
    open();
    assert_eq!(call(CLERK, || Casework::open(1, PARTY, OFFICER, DOCUMENT)), Err(Error::Exists));
    assert_eq!(call(CLERK, || Casework::open(2, PARTY, STRANGER, DOCUMENT)), Err(Error::NotOfficer));
    assert_eq!(call(CLERK, || Casework::close(2)), Err(Error::Unknown));
    call(OFFICE, || Casework::dismiss(Role::Officer, OFFICER)).unwrap();
    assert_eq!(decide(OFFICER), Err(Error::NotOfficer), "a dismissed officer decides nothing");
}

/// Brings case 1 to a phase.
fn reach(phase: Phase) {
    test::reset();
    open();
    if phase != Phase::Assigned {
        decide(OFFICER).unwrap();
    }
    if !matches!(phase, Phase::Assigned | Phase::Decided) {
        review(REVIEWER, true).unwrap();
    }
    match phase {
        Phase::Assigned | Phase::Decided | Phase::Confirmed => {}
        Phase::Appealed => call(PARTY, || Casework::appeal(1, DOCUMENT)).unwrap(),
        Phase::Closed => call(CLERK, || Casework::close(1)).unwrap(),
    }
}

/// A step's name, the step, and from which phase it is taken.
type Step<'a> = (&'a str, &'a dyn Fn() -> Result<(), Error>, Phase);

#[test]
fn every_step_is_taken_from_its_phase_alone() {
    use Phase::{Appealed, Assigned, Closed, Confirmed, Decided};
    let steps: [Step<'_>; 5] = [
        ("decide", &|| decide(OFFICER), Assigned),
        ("review", &|| call(REVIEWER, || Casework::review(1, false, DOCUMENT, true, DOCUMENT)), Decided),
        ("appeal", &|| call(PARTY, || Casework::appeal(1, DOCUMENT)), Confirmed),
        ("close", &|| call(CLERK, || Casework::close(1)), Confirmed),
        ("assign", &|| call(CLERK, || Casework::assign(1, OTHER_OFFICER)), Appealed),
    ];
    for from in [Assigned, Decided, Confirmed, Appealed, Closed] {
        for (name, step, allowed) in steps {
            reach(from);
            assert_eq!(phase(), from);
            let expected = if from == allowed { Ok(()) } else { Err(Error::WrongPhase) };
            assert_eq!(step(), expected, "{name}, {from:?}");
        }
    }
}

#[test]
fn the_case_and_every_part_of_an_entry_change_its_digest() {
    let entry = Entry {
        by: CLERK,
        time: 1,
        act: Act::Opened { party: PARTY, officer: OFFICER },
        document: DOCUMENT,
        before: [0; 32],
    };
    let others = [
        Entry { by: PARTY, ..entry },
        Entry { time: 2, ..entry },
        Entry { act: Act::Opened { party: CLERK, officer: OFFICER }, ..entry },
        Entry { act: Act::Opened { party: PARTY, officer: CLERK }, ..entry },
        Entry { act: Act::Closed, ..entry },
        Entry { act: Act::Decided { granted: false }, ..entry },
        Entry { act: Act::Decided { granted: true }, ..entry },
        Entry { act: Act::Assigned { officer: CLERK }, ..entry },
        Entry { act: Act::Assigned { officer: PARTY }, ..entry },
        Entry { document: [6; 32], ..entry },
        Entry { before: [1; 32], ..entry },
    ];
    let digests: std::collections::BTreeSet<_> =
        others.iter().chain([&entry]).map(|entry| entry.digest(1)).chain([entry.digest(2)]).collect();
    assert_eq!(digests.len(), others.len() + 2);
}
