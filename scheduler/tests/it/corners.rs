//! Cases that random batches meet rarely or never.

use crate::model::{Compared, team, teams};
use crate::toy::{ORDERED, Program, Programs, Step, numbered};
use phalanx_scheduler::{Delta, HashSeed, Mode, RUN_CALLS, Sign, State, execute};

const CONTRACT: u32 = 1;

fn get(key: &[u8]) -> Step {
    Step::Get { contract: CONTRACT, key: key.to_vec() }
}

fn set(key: &[u8], value: &[u8]) -> Step {
    Step::Set { contract: CONTRACT, key: key.to_vec(), value: Some(value.to_vec()) }
}

fn number(key: &[u8], value: u128) -> Step {
    set(key, &value.to_le_bytes())
}

fn add(key: &[u8], magnitude: u128, low: u128, high: u128) -> Step {
    let delta = Delta { sign: Sign::Plus, magnitude, low, high };
    Step::Add { contract: CONTRACT, key: key.to_vec(), delta }
}

fn add_any(key: &[u8], magnitude: u128) -> Step {
    add(key, magnitude, 0, u128::MAX)
}

fn scan_all(slot: u8) -> Step {
    Step::Scan { contract: CONTRACT, start: vec![slot], end: None, descending: false, limit: 100 }
}

fn call(steps: Vec<Step>) -> Program {
    Program { steps, fails: false }
}

/// Calls that touch nothing.
fn idle(calls: u32) -> impl Iterator<Item = Program> {
    (0..calls).map(|_| Program::default())
}

#[test]
fn a_scan_that_sees_the_calls_own_delta_depends_on_what_the_delta_was_applied_to() {
    let (teams, key) = (teams(), numbered(ORDERED, 1));
    let mut compared = Compared::new(&teams, 1, 1_024);
    compared.batch(vec![call(vec![number(&key, 5)])], false);
    // The second call's delta makes of the first one's 3 the 5 that was stored before both.
    let second = call(vec![add_any(&key, 2), scan_all(ORDERED)]);
    compared.batch(vec![call(vec![number(&key, 3)]), second].into_iter().chain(idle(8)).collect(), false);
}

#[test]
fn a_delta_beyond_the_limit_of_writes_is_not_part_of_later_answers() {
    let (teams, key) = (teams(), numbered(1, 1));
    let mut compared = Compared::new(&teams, 2, 1);
    compared.batch(vec![call(vec![number(&key, 8)])], false);
    // Of 8 the second delta makes 8; of 5 it would make too little, unless the first one counted.
    let second = call(vec![set(b"other", b"1"), add_any(&key, 3), add(&key, 0, 7, u128::MAX)]);
    compared.batch(vec![call(vec![number(&key, 5)]), second].into_iter().chain(idle(8)).collect(), false);
}

/// Calls that depend on the one before, so that all but the first are executed again, and that touch `keys` keys of one
/// owner each, of which they write the last 20.
fn crowded(keys: u32) -> Vec<Program> {
    let program = |at: u32| {
        let crowd = Step::Count { contract: CONTRACT, slot: ORDERED, keys: keys - 20 };
        let writes = (0..20).map(|key| set(&numbered(ORDERED, keys + at * 10 + key), &at.to_le_bytes()));
        let chained = [get(b"k"), set(b"k", &at.to_le_bytes()), crowd];
        call(chained.into_iter().chain(writes).collect())
    };
    (0..RUN_CALLS).map(program).collect()
}

/// Accesses that each call of a run may leave one owner on average.
const BUCKET_SHARE: u32 = (1 << 20) / RUN_CALLS;

#[test]
fn a_nearly_full_bucket_takes_what_is_executed_again_in_order() {
    let teams = teams();
    let mut compared = Compared::new(&teams, 3, 1_024);
    let (_, statistics) = compared.batch(crowded(BUCKET_SHARE - 1), false);
    assert!(statistics[2].dirty_calls > 0, "the first executions fit into the bucket");
}

#[test]
fn a_run_that_overflows_a_bucket_is_executed_in_order() {
    let teams = teams();
    let mut compared = Compared::new(&teams, 4, 1_024);
    let (_, statistics) = compared.batch(crowded(BUCKET_SHARE + 1), false);
    assert_eq!((statistics[2].suffixes, statistics[2].dirty_calls), (1, 0));
}

#[test]
fn a_call_of_very_many_keys_is_not_repaired() {
    let teams = teams();
    let repaired = |keys: u32| {
        let mut compared = Compared::new(&teams, 5, 1_024);
        let long = call(vec![get(b"k"), Step::Count { contract: CONTRACT, slot: 1, keys }]);
        let programs = [call(vec![set(b"k", b"1")]), long].into_iter().chain(idle(8)).collect();
        compared.batch(programs, false).1[2].repaired_calls
    };
    assert_eq!((repaired(511), repaired(512)), (1, 0));
}

#[test]
fn a_round_may_be_told_to_be_as_long_as_a_number_is() {
    let mode = Mode::Optimistic { round: u32::MAX };
    let (team, state) = (team(2), Box::new(State::new(HashSeed::Fixed(6), 1_024)));
    let programs = (0..600).map(|at| call(vec![add_any(b"k", at)])).collect();
    let mut executors = [Programs::default(), Programs::default()];
    let done = team.run(|| execute(&team, &mut executors, &programs, state, 600, mode, None));
    assert_eq!(done.statistics.optimistic_calls, 600);
}
