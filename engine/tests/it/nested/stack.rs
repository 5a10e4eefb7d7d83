//! Frames of all contracts within a call share one budget.

use super::{Scene, exercisers, nested, script};
use phalanx_engine::{Address, Outcome};
use phalanx_exerciser::script::{Op, encode};

fn descend(levels: u16, then: Vec<Op>) -> Op {
    Op::Descend { levels, then }
}

/// Most levels below which a script can ask for the height.
fn levels_max(scene: &mut Scene, contract: Address) -> u16 {
    let (mut fits, mut too_many) = (1, u16::MAX);
    while too_many - fits > 1 {
        let middle = fits + (too_many - fits) / 2;
        let bytes = encode(&[descend(middle, vec![Op::Height])]);
        match scene.run(&[script(contract, &bytes)]).receipts[0].0 {
            Outcome::Ok => fits = middle,
            Outcome::StackExhausted => too_many = middle,
            other => panic!("{other:?}"),
        }
    }
    fits
}

#[test]
fn a_callee_has_the_stack_that_its_callers_left() {
    let (mut scene, [a, b, c]) = exercisers();
    let levels = levels_max(&mut scene, a);
    assert!(levels > 100, "{levels}");
    let mut ends = |parts: [u16; 3]| {
        let third = descend(parts[2], vec![Op::Height]);
        let second = descend(parts[1], vec![nested(c, "run", &[third])]);
        let bytes = encode(&[descend(parts[0], vec![nested(b, "run", &[second])])]);
        let seen = scene.run(&[script(a, &bytes)]);
        assert_eq!(seen.receipts[0].0, Outcome::Ok);
        seen.nested.iter().map(|end| (end.depth, end.outcome)).collect::<Vec<_>>()
    };
    let third = levels / 3;
    assert_eq!(ends([third - 20; 3]), [(3, Outcome::Ok), (2, Outcome::Ok)]);
    // Each alone fits; it is the sum that does not.
    assert_eq!(ends([third, third, third + 20]), [(3, Outcome::StackExhausted), (2, Outcome::Ok)]);
    assert_eq!(ends([levels - 40, 80, 0]), [(2, Outcome::StackExhausted)]);
    // What a failed callee used is free again.
    assert_eq!(ends([0, levels - 100, 0]), [(3, Outcome::Ok), (2, Outcome::Ok)]);
}
