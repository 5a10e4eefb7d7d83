//! How deep calls go, what is left of those that fail at each depth, and who may be entered again.

use super::{exercisers, first_answer, get, nested, script, set};
use phalanx_engine::limits::CALL_DEPTH_MAX;
use phalanx_engine::{NestedEnd, Outcome};
use phalanx_exerciser::Trap;
use phalanx_exerciser::script::{Key, Op, encode};

/// A script whose calls go down to `depth`; each level writes before and after its call, and the last one ends as asked.
fn down(contracts: &[[u8; 32]], depth: usize, last: Op) -> Vec<u8> {
    let mut ops = vec![set(b"\x01before", b"1"), Op::Emit { topic: vec![depth as u8], data: vec![] }, last];
    for level in (1..depth).rev() {
        let call = nested(contracts[level], "run", &ops);
        ops = vec![set(b"\x01before", b"1"), call, set(b"\x01after", b"1")];
    }
    encode(&ops)
}

#[test]
fn a_call_can_fail_at_each_depth() {
    let (mut scene, contracts) = exercisers::<{ CALL_DEPTH_MAX + 1 }>();
    let endings = [
        (Op::Trap(Trap::Unreachable), Outcome::Unreachable),
        (Op::Revert(b"no".to_vec()), Outcome::Reverted),
        (Op::Abort(b"no".to_vec()), Outcome::Aborted),
        (Op::ReturnCode(7), Outcome::BadReturnCode),
        (Op::Trap(Trap::EndlessLoop), Outcome::OutOfGas),
    ];
    for (ending, outcome) in endings {
        for depth in 1..=CALL_DEPTH_MAX {
            let clean = [Op::Remove { key: Key::new(b"\x01before") }, Op::Remove { key: Key::new(b"\x01after") }];
            let clean = encode(&clean);
            scene.run(&contracts.map(|contract| script(contract, &clean)));
            let bytes = down(&contracts, depth, ending.clone());
            let seen = scene.run(&[script(contracts[0], &bytes)]);
            let failed = NestedEnd { depth, outcome };
            match depth {
                1 => assert_eq!((seen.receipts[0].0, &seen.nested[..]), (outcome, &[][..])),
                _ => assert_eq!(seen.nested[0], failed, "the deepest ends first"),
            }
            // An endless loop leaves a 64th, which at some depths is too little to write with.
            if outcome == Outcome::OutOfGas {
                continue;
            }
            for (level, contract) in (1..).zip(&contracts) {
                let here = |key: &[u8]| scene.get(contract, key).is_some();
                assert_eq!((here(b"\x01before"), here(b"\x01after")), (level < depth, level < depth), "level {level}");
            }
            assert!(seen.nested[1.min(seen.nested.len())..].iter().all(|end| end.outcome == Outcome::Ok));
        }
    }
}

#[test]
fn the_ninth_call_is_too_deep() {
    let (mut scene, contracts) = exercisers::<{ CALL_DEPTH_MAX + 1 }>();
    let bytes = down(&contracts, CALL_DEPTH_MAX + 1, Op::Caller);
    let seen = scene.run(&[script(contracts[0], &bytes)]);
    assert_eq!(seen.nested[0], NestedEnd { depth: CALL_DEPTH_MAX + 1, outcome: Outcome::TooDeep });
    assert_eq!(seen.nested.len(), CALL_DEPTH_MAX);
    assert!(scene.get(&contracts[CALL_DEPTH_MAX], b"\x01before").is_none());
    assert!(scene.get(&contracts[CALL_DEPTH_MAX - 1], b"\x01after").is_some(), "its caller goes on");
}

#[test]
fn re_entrancy_is_the_callees_choice() {
    let (mut scene, [a, b]) = exercisers();
    let cases = [("run", Outcome::Reentrant), ("run_again", Outcome::Ok)];
    for (method, expected) in cases {
        let key = [b"\x01", method.as_bytes()].concat();
        let back = nested(a, method, &[get(b"\x01outer"), set(&key, b"inner")]);
        // Directly, and through another contract.
        for calls in [vec![back.clone()], vec![nested(b, "run", &[back])]] {
            let first = set(b"\x01outer", b"seen within");
            let bytes = encode(&[vec![first], calls, vec![get(&key)]].concat());
            let seen = scene.run(&[script(a, &bytes)]);
            assert_eq!((seen.receipts[0].0, seen.nested[0].outcome), (Outcome::Ok, expected));
            let inner = scene.get(&a, &key);
            assert_eq!(inner.as_deref(), (expected == Outcome::Ok).then_some(&b"inner"[..]));
            let finds = |part: &[u8]| seen.receipts[0].2.windows(part.len()).any(|window| window == part);
            assert_eq!(finds(b"seen within"), expected == Outcome::Ok, "the inner call sees what the outer one wrote");
            assert_eq!(finds(b"inner"), expected == Outcome::Ok, "and the outer one what the inner one did");
        }
    }
}

#[test]
fn contracts_of_one_code_have_memories_of_their_own() {
    let (mut scene, [a, b]) = exercisers();
    let load = || Op::Load { offset: 0, length: 8 };
    let store = |byte| Op::Store { offset: 0, bytes: vec![byte; 8] };
    let third = [load(), store(3), load(), Op::FoldMemory];
    let second = [load(), store(2), nested(a, "run_again", &third), load(), Op::FoldMemory];
    let first = encode(&[nested(b, "run", &second), store(1), nested(b, "run", &second), load()]);
    let seen = scene.run(&[script(a, &first)]);
    let (outcome, journal) = first_answer(&seen.receipts[0].2);
    assert_eq!((outcome, &journal[8..16]), (Outcome::Ok, &[0; 8][..]), "as after instantiation");
    let (outcome, inner) = first_answer(&journal[8..]);
    assert_eq!((outcome, &inner[8..16], &inner[16..24]), (Outcome::Ok, &[0; 8][..], &[3; 8][..]));
    assert_eq!(journal[24 + inner.len()..][..8], [2; 8], "what the second stored is still there");
    // The second time the instances have been used, and are as if they had not.
    let rest = &seen.receipts[0].2[16 + journal.len()..];
    assert_eq!(rest[8..8 + journal.len()], *journal);
    assert_eq!(rest[8 + journal.len()..], [1; 8]);
}
