//! Frames of all contracts within a call share one budget.

use super::{GAS, SENDER, Scene, Seen};
use phalanx_engine::{Address, Call, Outcome};

/// Arguments are `levels u32`, or that and a contract with the arguments for it. The method calls the contract below so many frames.
const DOWN: &str = r#"(module
    (import "phalanx" "input" (func $input (param i32 i32) (result i32)))
    (import "phalanx" "call" (func $call (param i32 i32 i32 i32 i32 i64 i32 i32) (result i64)))
    (memory (export "memory") 1 1)
    (data (i32.const 1024) "down")
    (global $length (mut i32) (i32.const 0))
    (func $below (param $levels i32)
        (if (local.get $levels)
            (then (call $below (i32.sub (local.get $levels) (i32.const 1))))
            (else (if (i32.gt_u (global.get $length) (i32.const 4))
                (then (drop (call $call (i32.const 4) (i32.const 1024) (i32.const 4) (i32.const 36)
                    (i32.sub (global.get $length) (i32.const 36)) (i64.const -1) (i32.const 0) (i32.const 0))))))))
    (func (export "down") (result i32)
        (global.set $length (call $input (i32.const 0) (i32.const 1000)))
        (call $below (i32.load (i32.const 0)))
        (i32.const 0)))"#;

/// A call that goes down some levels in each of these contracts, one below the other.
fn down(scene: &mut Scene, ids: &[Address], levels: &[u32]) -> Seen {
    let mut arguments = Vec::new();
    for (level, levels) in levels.iter().enumerate() {
        if level > 0 {
            arguments.extend(ids[level]);
        }
        arguments.extend(levels.to_le_bytes());
    }
    scene.run(&[Call { contract: ids[0], method: "down", sender: SENDER, arguments: &arguments, gas_limit: GAS }])
}

/// Most levels that there are in one contract.
fn levels_max(scene: &mut Scene, ids: &[Address]) -> u32 {
    let (mut fits, mut too_many) = (1, 65_536);
    while too_many - fits > 1 {
        let middle = fits + (too_many - fits) / 2;
        match down(scene, ids, &[middle]).receipts[0].0 {
            Outcome::Ok => fits = middle,
            Outcome::StackExhausted => too_many = middle,
            other => panic!("{other:?}"),
        }
    }
    fits
}

#[test]
fn a_callee_has_the_stack_that_its_callers_left() {
    let mut scene = Scene::new();
    let module = wat::parse_str(DOWN).expect("valid text");
    let ids = scene.deploy(&[&module[..]; 3]);
    let levels = levels_max(&mut scene, &ids);
    assert!(levels > 1_000, "{levels}");
    let mut ends = |parts: [u32; 3]| {
        let seen = down(&mut scene, &ids, &parts);
        assert_eq!(seen.receipts[0].0, Outcome::Ok);
        seen.nested.iter().map(|end| (end.depth, end.outcome)).collect::<Vec<_>>()
    };
    let third = levels / 3;
    assert_eq!(ends([third - 20; 3]), [(3, Outcome::Ok), (2, Outcome::Ok)]);
    // Each alone fits; it is the sum that does not.
    assert_eq!(ends([third, third, third + 20]), [(3, Outcome::StackExhausted), (2, Outcome::Ok)]);
    assert_eq!(ends([levels - 40, 80, 0]), [(2, Outcome::StackExhausted)]);
    assert_eq!(ends([0, levels - 100, 0]), [(3, Outcome::Ok), (2, Outcome::Ok)]);
}
