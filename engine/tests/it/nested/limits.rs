//! Limits count over the whole call, whoever makes the writes and events.

use super::{SENDER, Scene, first_answer, nested, script};
use phalanx_engine::limits::{ARGUMENT_BYTES_MAX, CALL_WRITES_MAX, EVENTS_MAX, METHOD_BYTES_MAX};
use phalanx_engine::{Address, Call, Outcome};
use phalanx_exerciser::script::{Op, encode};

const HOSTILE: &[u8] = include_bytes!("../../../../contracts/wasm/hostile.wasm");

fn many_writes(contract: Address, writes: u32) -> Op {
    let (method, arguments) = (b"many_writes".to_vec(), writes.to_le_bytes().to_vec());
    Op::Call { contract, method, gas: u64::MAX, capacity: 0, arguments }
}

#[test]
fn writes_of_all_contracts_count() {
    let mut scene = Scene::new();
    let ids = scene.deploy(&[super::EXERCISER, HOSTILE, HOSTILE]);
    let most = CALL_WRITES_MAX as u32;
    let ops = [many_writes(ids[1], most - 5), many_writes(ids[2], 6), many_writes(ids[2], 5)];
    let bytes = encode(&ops);
    let call = Call { gas_limit: 100_000_000, ..script(ids[0], &bytes) };
    let seen = scene.run(&[call]);
    let outcomes: Vec<Outcome> = seen.nested.iter().map(|end| end.outcome).collect();
    assert_eq!(outcomes, [Outcome::Ok, Outcome::LimitExceeded, Outcome::Ok], "what failed counts no more");
    assert_eq!(seen.receipts[0].0, Outcome::Ok);
}

#[test]
fn events_of_all_contracts_count_and_those_of_failed_ones_are_gone() {
    let (mut scene, [a, b]) = super::exercisers();
    let emit = |times, topic: &[u8]| Op::Repeat { times, body: vec![Op::Emit { topic: topic.into(), data: vec![] }] };
    let rest = EVENTS_MAX as u16 - 10;
    let bytes = encode(&[
        emit(10, b"a"),
        nested(b, "run", &[emit(rest + 1, b"b")]),
        nested(b, "run", &[emit(1, b"c"), Op::Revert(vec![])]),
        nested(b, "run", &[emit(rest, b"d")]),
    ]);
    let seen = scene.run(&[script(a, &bytes)]);
    let outcomes: Vec<Outcome> = seen.nested.iter().map(|end| end.outcome).collect();
    assert_eq!(outcomes, [Outcome::LimitExceeded, Outcome::Reverted, Outcome::Ok]);
    assert_eq!(seen.topics[0], [vec![b"a".to_vec(); 10], vec![b"d".to_vec(); usize::from(rest)]].concat());
}

/// What the host function itself refuses ends the caller, as with any other.
#[test]
fn lengths_and_ranges_are_the_callers_mistake() {
    let caller = |method: usize, arguments: usize, out: usize| {
        format!(
            r#"(module
            (import "phalanx" "call" (func $call (param i32 i32 i32 i32 i32 i64 i32 i32) (result i64)))
            (memory (export "memory") 2 2)
            (func (export "run") (result i32)
                (drop (call $call (i32.const 0) (i32.const 0) (i32.const {method}) (i32.const 0) (i32.const {arguments})
                    (i64.const -1) (i32.const {out}) (i32.const 16)))
                (i32.const 0)))"#
        )
    };
    let end = 2 << 16;
    let cases = [
        (caller(METHOD_BYTES_MAX, ARGUMENT_BYTES_MAX, end - 16), Outcome::Ok),
        (caller(METHOD_BYTES_MAX + 1, 0, 0), Outcome::LimitExceeded),
        (caller(0, ARGUMENT_BYTES_MAX + 1, 0), Outcome::LimitExceeded),
        (caller(0, 0, end - 15), Outcome::MemoryOutOfBounds),
    ];
    for (text, expected) in cases {
        let mut scene = Scene::new();
        let ids = scene.deploy(&[&wat::parse_str(text).expect("valid text")]);
        let call = Call { contract: ids[0], method: "run", sender: SENDER, arguments: &[], gas_limit: super::GAS };
        let seen = scene.run(&[call]);
        assert_eq!(seen.receipts[0].0, expected);
    }
}

/// Of an answer that is longer than the buffer the first bytes are copied, and the whole length is told.
#[test]
fn answers_are_cut_at_the_buffers_end() {
    let (mut scene, [a, b]) = super::exercisers();
    let arguments = encode(&[Op::Revert(vec![7; 100])]);
    let op = Op::Call { contract: b, method: b"run".to_vec(), gas: u64::MAX, capacity: 10, arguments };
    let bytes = encode(&[op]);
    let seen = scene.run(&[script(a, &bytes)]);
    assert_eq!(seen.receipts[0].2[8..], [&(1u64 << 32 | 100).to_le_bytes()[..], &[7; 10]].concat());
    let whole = encode(&[nested(b, "run", &[Op::Revert(vec![7; 100])])]);
    let seen = scene.run(&[script(a, &whole)]);
    assert_eq!(first_answer(&seen.receipts[0].2), (Outcome::Reverted, &[7; 100][..]));
}
