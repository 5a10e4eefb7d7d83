//! The attacks on limits, against the native ledger.

use phalanx_contract::test::{Failure, call, events, try_call};
use phalanx_contract::{Address, Refused};
use phalanx_hostile::{Failed, Limits};

const MALLORY: Address = Address([6; 32]);

#[test]
fn each_limit_ends_the_call_one_above_it() {
    type Attack = fn(u32);
    let attacks: [(Attack, &str, usize); 7] = [
        (Limits::huge_event, "bytes of an event", 4_096),
        (Limits::huge_topic, "bytes of an event's topic", 64),
        (Limits::many_events, "events of a call", 64),
        (Limits::many_writes, "distinct keys that a call writes", 1_024),
        (Limits::long_key, "bytes of a state key", 256),
        (Limits::big_value, "bytes of a state value", 65_536),
        (Limits::big_return, "return bytes", 65_536),
    ];
    for (attack, limit, max) in attacks {
        let at = u32::try_from(max).unwrap();
        assert_eq!(try_call(MALLORY, || attack(at)), Ok(()), "{limit}");
        let failure = Failure::LimitExceeded { limit, max, actual: max + 1 };
        assert_eq!(try_call(MALLORY, || attack(at + 1)), Err(failure));
    }
}

#[test]
fn a_failed_call_leaves_nothing() {
    assert_eq!(call(MALLORY, || Limits::revert_after_writes(3)), Err(Failed::OnPurpose));
    assert!(try_call(MALLORY, || Limits::many_writes(1_025)).is_err());
    assert_eq!((Limits::mark(0), events()), (0, vec![]));
    call(MALLORY, || Limits::many_writes(1));
    assert_eq!(Limits::mark(0), 1);
}

#[test]
fn mistakes_have_their_own_outcomes() {
    let add = try_call(MALLORY, Limits::add_to_word);
    assert_eq!(add, Err::<Result<(), Refused>, _>(Failure::BadValueLength { actual: 3 }));
    assert_eq!(try_call(MALLORY, Limits::scan_unordered), Err(Failure::SlotNotOrdered { slot: 0 }));
    assert_eq!(try_call(MALLORY, || Limits::aborts("enough")), Err(Failure::Aborted("enough".into())));
    let Err(Failure::Aborted(text)) = try_call(MALLORY, || Limits::panics(4)) else { panic!("it must abort") };
    assert!(text.contains("out of bounds"), "{text}");
    let Err(Failure::Aborted(text)) = try_call(MALLORY, || Limits::long_abort(70_000)) else { panic!("it must abort") };
    assert_eq!(text.len(), 1_024);
}
