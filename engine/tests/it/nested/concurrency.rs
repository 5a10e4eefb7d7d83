//! What a failed callee has seen is depended on like anything else.

use super::{Scene, exercisers, first_answer, get, nested, script, set};
use phalanx_engine::{Address, Call, Outcome};
use phalanx_exerciser::Condition;
use phalanx_exerciser::script::{Key, Op, encode};

const KEY: &[u8] = b"\x01k";

/// Batches of a write and a call whose nested call sees the key and fails in one of two ways.
fn depends(inner: impl Fn() -> Vec<Op>, write: Op, before: Op) {
    let (mut scene, [a, b]) = exercisers();
    let set_up = encode(&[before]);
    scene.run(&[script(b, &set_up)]);
    let mut ops = inner();
    let then = vec![Op::Revert(b"as before".to_vec())];
    ops.extend([Op::When { condition: Condition::Absent, operand: 0, then }, Op::Revert(b"changed".to_vec())]);
    let caller = encode(&[nested(b, "run", &ops), set(b"\x01went on", b"")]);
    let writer = encode(&[write]);
    let answer = |scene: &mut Scene, calls: &[Call<'_>]| {
        let seen = scene.run(calls);
        let (outcome, last) =
            seen.receipts.last().map(|(outcome, _, bytes)| (*outcome, bytes.clone())).expect("a call");
        assert_eq!(outcome, Outcome::Ok);
        let (inner, bytes) = first_answer(&last);
        assert_eq!(inner, Outcome::Reverted);
        (bytes.to_vec(), seen.dirty_calls)
    };
    assert_eq!(answer(&mut scene, &[script(a, &caller)]), (b"as before".to_vec(), 0));
    // In one batch, and so in one round: what was seen before the round is found to be wrong.
    let (said, dirty_calls) = answer(&mut scene, &[script(b, &writer), script(a, &caller)]);
    assert_eq!((said, dirty_calls), (b"changed".to_vec(), 1));
}

#[test]
fn a_read_of_a_failed_callee_is_checked() {
    depends(|| vec![get(KEY)], set(KEY, b"7"), Op::Remove { key: Key::new(KEY) });
}

fn sub(magnitude: u128) -> Op {
    Op::Sub { key: Key::new(KEY), magnitude, low: 0, high: u128::MAX }
}

fn add(magnitude: u128) -> Op {
    Op::Add { key: Key::new(KEY), magnitude, low: 0, high: u128::MAX }
}

#[test]
fn a_refused_delta_of_a_failed_callee_is_checked() {
    depends(|| vec![sub(5)], add(5), add(1));
}

#[test]
fn an_applied_delta_of_a_failed_callee_is_checked_and_gone() {
    // 10 − 8 is applied, −8 again is refused; after 10 more both are.
    depends(|| vec![sub(8), sub(8)], add(10), add(10));
}

#[test]
fn a_scan_of_a_failed_callee_is_checked() {
    let scan = || Op::Scan { start: vec![0x80], end: vec![], direction: 0, limit: 10, capacity: 100 };
    depends(|| vec![scan()], set(b"\x80new", b""), set(b"\x01other", b""));
}

/// Deltas of callers, of callees that fail and of callees that don't, on one key which others change, too.
#[test]
fn deltas_around_failed_ones_add_up() {
    let (mut scene, [a, b]) = exercisers();
    let fails = |ops: Vec<Op>| nested(b, "run", &[ops, vec![Op::Revert(vec![])]].concat());
    let again = |ops: Vec<Op>| nested(a, "run_again", &ops);
    let again_fails = |ops: Vec<Op>| nested(a, "run_again", &[ops, vec![Op::Revert(vec![])]].concat());
    let mixed = encode(&[
        add(1),
        again_fails(vec![add(2), sub(1)]),
        again(vec![add(4), again_fails(vec![add(8), get(KEY)]), sub(1)]),
        fails(vec![add(16)]),
        add(32),
        again_fails(vec![set(KEY, &[9; 16])]),
        add(64),
    ]);
    let plain = encode(&[add(1_000)]);
    let calls: Vec<Call<'_>> = (0..40).map(|n| script(a, if n % 3 == 0 { &mixed } else { &plain })).collect();
    scene.run(&calls);
    let of = |contract: &Address| {
        scene.get(contract, KEY).map(|bytes| u128::from_le_bytes(bytes.try_into().expect("16 bytes")))
    };
    assert_eq!(of(&a), Some(14 * (1 + 4 - 1 + 32 + 64) + 26 * 1_000));
    assert_eq!(of(&b), None);
}
