//! Cases that random batches meet rarely or never.

use crate::model::{Compared, teams};
use crate::toy::{ORDERED, Program, Step, numbered};
use phalanx_scheduler::{Delta, Sign};

const CONTRACT: u32 = 1;

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
