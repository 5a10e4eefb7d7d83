//! The model of `tests/it` inside the crate, where it can look at what is private: what a closed branch leaves in the
//! partitions, and whether bugs that are planted are found.

#[path = "../tests/it/model.rs"]
mod model;
#[path = "../tests/it/toy.rs"]
#[expect(dead_code, reason = "steps that only the corners take")]
mod toy;

use crate::claims::{LookUp, RunClaims, Wait, by_owner};
use crate::executor::RUN_CALLS;
use crate::hash::HashSeed;
use crate::key::{CallIndex, ContractIndex};
use crate::open::OpenBatch;
use crate::planted::{Bug, plant};
use crate::state::State;
use crate::value::ValueTag;
use crate::view::{Base, View};
use model::{Run, assert_covered, teams};
use std::panic::{AssertUnwindSafe, catch_unwind};
use toy::{Program, Programs, Step};

fn after_close(state: &State) {
    state.partitions.iter().for_each(|partition| partition.assert_sound(&state.hasher));
}

/// Seeds within which a bug must be found.
const SEEDS: u64 = 4;

/// The first seed whose run fails. Its teams are its own: a worker that has panicked is of no more use.
fn found(bug: Bug) -> Option<u64> {
    plant(Some(bug));
    let fails = |seed: &u64| catch_unwind(AssertUnwindSafe(|| Run::new(*seed).execute(&teams()))).is_err();
    let found = (0..SEEDS).find(fails);
    plant(None);
    found
}

// One test, because bugs are planted for the whole process.
#[test]
fn planted_bugs_are_found_and_without_them_partitions_stay_sound() {
    assert_covered(Run::new(0).execute(&teams()).counts());
    for bug in Bug::ALL {
        let seed = found(bug).unwrap_or_else(|| panic!("{bug:?} was not found within {SEEDS} seeds"));
        println!("{bug:?} was found by seed {seed}");
    }
}

#[test]
fn numbers_of_branches_start_again_after_the_last_one() {
    let mut state = State::new(HashSeed::Fixed(1), 1);
    let key = state.hasher.key(ContractIndex(1), b"k", false);
    let (owner, _) = state.locate(&key);
    let partition = &mut state.partitions[owner];
    let index = partition.find_or_insert(&key, &state.hasher);
    let version = partition.version(index);
    partition.set(index, version, (ValueTag::inline(16), [7; 16]), None);
    // The branch that wrote the key has the number that comes after the last one.
    state.commit();
    state.partitions.iter_mut().for_each(|partition| partition.epoch = u32::MAX);
    state.commit();
    assert_eq!(state.partitions[owner].epoch, 1);
    assert_eq!(state.committed(ContractIndex(1), b"k", false), Some(&[7; 16][..]), "it is no key of the open branch");
    after_close(&state);
}

/// A call in place that writes one key before, within and behind savepoints: long values, short ones and removals, kept and
/// rolled back, one level and two. It has one entry all the while, and the heap holds what the state needs.
#[test]
fn a_key_that_is_written_across_savepoints_has_one_entry() {
    const CONTRACT: ContractIndex = ContractIndex(1);
    let mut view = View::new(Base::InPlace(Box::new(OpenBatch::new(Box::new(State::new(HashSeed::Fixed(1), 2))))));
    let set = |view: &mut View, value: Option<&[u8]>| view.set(CONTRACT, b"k", false, value).expect("below the limit");
    let read = |view: &mut View| view.get(CONTRACT, b"k", false).map(<[u8]>::to_vec);
    let mut committed = None;
    for call in 0..4 {
        view.begin_call(CallIndex(call));
        let mut now = Some(vec![call as u8; 40]);
        set(&mut view, now.as_deref());
        for round in 0..100u8 {
            let (outer, before_outer) = (view.savepoint(), now.clone());
            now = (round % 3 > 0).then(|| vec![round; 50]);
            set(&mut view, now.as_deref());
            let (inner, before_inner) = (view.savepoint(), now.clone());
            now = Some(vec![round; 60]);
            set(&mut view, Some(&[round; 8]));
            set(&mut view, now.as_deref());
            view.set(CONTRACT, b"l", false, Some(&[1; 30])).expect("below the limit");
            if round % 2 == 0 {
                view.keep(inner);
            } else {
                view.roll_back(inner);
                now = before_inner;
            }
            assert_eq!(read(&mut view), now, "round {round}");
            if round % 5 == 4 {
                view.keep(outer);
            } else {
                view.roll_back(outer);
                now = before_outer;
            }
            assert_eq!(read(&mut view), now, "round {round}");
            assert!(view.run.side.entries.len() - view.run_open <= 2 && view.rewrites.is_empty());
        }
        let keep = call % 2 == 0;
        committed = if keep { now } else { committed };
        view.end_call(keep);
    }
    let Base::InPlace(open) = view.base else { unreachable!("as it was made") };
    let mut state = open.state;
    state.commit();
    assert_eq!(state.committed(CONTRACT, b"k", false), committed.as_deref());
    after_close(&state);
}

#[test]
fn calls_wait_for_those_before_that_touch_their_keys() {
    let get = |key: &[u8]| Step::Get { contract: 1, key: key.to_vec() };
    let set = |key: &[u8]| Step::Set { contract: 1, key: key.to_vec(), value: None };
    let (call, none) = (Wait::Call, Wait::Nothing);
    // What each call declares, and what each of its claims waits for.
    let first = vec![
        (vec![get(b"k")], vec![none]),
        (vec![set(b"k"), set(b"l")], vec![Wait::Frontier, none]),
        (vec![get(b"k"), get(b"m")], vec![call(1), none]),
        (vec![get(b"k"), set(b"l")], vec![call(1), call(1)]),
        (vec![set(b"k")], vec![Wait::Frontier]),
        (vec![set(b"k")], vec![call(4)]),
        // Of itself a call does not wait.
        (vec![set(b"k"), get(b"k"), set(b"m")], vec![call(5), none, Wait::Frontier]),
        (vec![set(b"l"), set(b"l")], vec![call(3), none]),
        (vec![get(b"l"), set(b"l")], vec![call(7), Wait::Frontier]),
    ];
    // The same goes from one run to the next.
    let second = vec![(vec![get(b"k")], vec![call(6)]), (vec![set(b"l"), set(b"k")], vec![call(8), Wait::Frontier])];
    let runs = [first, second];
    let mut programs = vec![Program::default(); 2 * RUN_CALLS as usize];
    for (run, start) in runs.iter().zip([0, RUN_CALLS as usize]) {
        for ((steps, _), program) in run.iter().zip(&mut programs[start..]) {
            program.steps.clone_from(steps);
        }
    }
    let mut state = State::new(HashSeed::Fixed(1), 1);
    let mut claims = [0, RUN_CALLS].map(|start| {
        let mut claims = RunClaims::default();
        claims.look_up::<Programs>(&programs, &state, start..start + RUN_CALLS, &mut LookUp::default());
        assert_eq!(claims.calls(), start..start + RUN_CALLS);
        claims
    });
    for mut owner in by_owner(&mut state.partitions, &mut claims) {
        owner.line_up::<Programs>(&programs, &state.hasher, 1);
    }
    for ((run, claims), start) in runs.iter().zip(&claims).zip([0, RUN_CALLS]) {
        for ((_, expected), at) in run.iter().zip(start..) {
            let waits: Vec<Wait> = claims.of(CallIndex(at)).map(|(_, claim)| claim.wait()).collect();
            assert_eq!(&waits, expected, "call {at}");
        }
    }
}
