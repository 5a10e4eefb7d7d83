//! Bugs that are planted in the engine and its scheduler: the live check finds each of these, and hands over what shows it once more; the
//! equivalence tests find those that live in the engine. Without a bug neither finds anything.
//!
//! One test, because bugs are planted for the whole process.

#![expect(clippy::disallowed_methods, reason = "golden files are made again where the environment asks for it")]

// The modules that are shared with the engine's own tests name the crate as they do there.
extern crate phalanx_engine_planted as phalanx_engine;

mod chains;
#[path = "../../../tests/it/episode.rs"]
mod episode;
#[path = "../../../tests/it/generate.rs"]
#[expect(dead_code, reason = "what only other tests generate")]
mod generate;
mod golden;
mod hunt;
mod state;

use hunt::{BUGS, equivalence_finds, live_check_finds, shows};
use phalanx_engine::{Bug, Differing, plant};
use phalanx_scheduler::Bug as InScheduler;

#[test]
fn planted_bugs_are_found_and_reproduced() {
    assert!(live_check_finds(1, 40).is_none(), "there is no bug yet");
    assert!(!equivalence_finds(1), "there is no bug yet");
    for bug in BUGS {
        plant(Some(bug));
        let found = (1..=8).find_map(|seed| live_check_finds(seed, 40).map(|found| (seed, found)));
        let (seed, found) = found.unwrap_or_else(|| panic!("the live check did not find {bug:?}"));
        let reproducer = &found.reproducer;
        println!("{bug:?}: seed {seed}, {}", found.difference);
        let difference = reproducer.difference().unwrap_or_else(|| panic!("{bug:?} was not reproduced"));
        println!("  {} calls are left: {difference}", reproducer.calls());
        assert_eq!(shows(reproducer).as_ref(), Some(difference), "{bug:?}: the reproducer shows it again");
        match bug {
            Bug::GasOffByOne => assert_eq!((difference.what, reproducer.calls()), (Differing::Gas, 1)),
            Bug::EventOrder => assert_eq!((difference.what, reproducer.calls()), (Differing::Events, 1)),
            Bug::Scheduler(_) => assert!(reproducer.calls() <= 8, "{} calls are left of {bug:?}", reproducer.calls()),
        }
        let in_engine = !matches!(bug, Bug::Scheduler(_));
        // Those of the scheduler are for its own tests to find, and for the live check.
        assert!(!in_engine || equivalence_finds(seed), "the equivalence tests did not find {bug:?}");
        plant(None);
        assert_eq!(shows(reproducer), None, "without {bug:?} the same batches are right");
        match bug {
            Bug::EventOrder => golden::compare("event_order", reproducer),
            Bug::Scheduler(InScheduler::WrongBase) => golden::compare("wrong_base", reproducer),
            _ => {}
        }
    }
    state_is_put_back();
}

/// A reproducer of calls that need what an earlier batch wrote has the state that they need, and shows the difference.
fn state_is_put_back() {
    plant(Some(Bug::EventOrder));
    let found = state::live_check_finds(hunt::options());
    let reproducer = &found.reproducer;
    let difference = reproducer.difference().expect("it was reproduced");
    assert_eq!((difference.what, reproducer.calls()), (Differing::Events, 1));
    assert_eq!(shows(reproducer).as_ref(), Some(difference), "the reproducer shows it again");
    plant(None);
    assert_eq!(shows(reproducer), None, "without the bug the same batches are right");
    golden::compare("state_put_back", reproducer);
}
