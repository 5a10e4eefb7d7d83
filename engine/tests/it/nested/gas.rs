//! What a nested call gets of the gas, and what it costs.

use super::{GAS, SENDER, Scene};
use phalanx_engine::gas::{CALL, CALL_RESERVE_PART, MEMORY_PAGE_SCAN, TRAP};
use phalanx_engine::{Address, Call, Outcome};

/// A contract whose method `call` passes its arguments (contract, gas) on: one basic block, which dirties nothing behind the
/// granule of the arguments, whatever comes of it.
const CALLER: &str = r#"(module
    (import "phalanx" "input" (func $input (param i32 i32) (result i32)))
    (import "phalanx" "call" (func $call (param i32 i32 i32 i32 i32 i64 i32 i32) (result i64)))
    (memory (export "memory") 1 1)
    (data (i32.const 100) "spin")
    (func (export "call") (result i32)
        (drop (call $input (i32.const 0) (i32.const 40)))
        (drop (call $call (i32.const 0) (i32.const 100) (i32.const 4) (i32.const 0) (i32.const 0)
            (i64.load (i32.const 32)) (i32.const 0) (i32.const 0)))
        (i32.const 0)))"#;

/// A contract that never ends.
const SPINNER: &str = r#"(module
    (memory (export "memory") 1 1)
    (func (export "spin") (result i32) (loop (br 0)) unreachable))"#;

struct Priced {
    scene: Scene,
    caller: Address,
    spinner: Address,
}

impl Priced {
    fn new() -> Self {
        let mut scene = Scene::new();
        let [caller, spinner] = [CALLER, SPINNER].map(|text| wat::parse_str(text).expect("valid text"));
        let ids = scene.deploy(&[&caller, &spinner]);
        Self { scene, caller: ids[0], spinner: ids[1] }
    }

    /// Gas that the batch's call uses, and the nested call's outcome.
    fn call(&mut self, contract: Address, gas: u64, gas_limit: u32) -> (u64, Outcome) {
        let arguments = [&contract[..], &gas.to_le_bytes()].concat();
        let call = Call { contract: self.caller, method: "call", sender: SENDER, arguments: &arguments, gas_limit };
        let seen = self.scene.run(&[call]);
        assert_eq!(seen.receipts[0].0, Outcome::Ok, "who calls has something left to end with");
        (seen.receipts[0].1, seen.nested[0].outcome)
    }
}

#[test]
fn a_callee_gets_what_was_asked_for_but_a_64th_of_the_rest() {
    let mut priced = Priced::new();
    // A call that is not entered costs what looking at it costs, so this tells what the caller itself uses.
    let (used, outcome) = priced.call([9; 32], u64::MAX, GAS);
    assert_eq!(outcome, Outcome::UnknownContract);
    let own = used - CALL;
    let spinner = priced.spinner;
    // The granule of the caller's arguments is paid for when it returns.
    let dirty = phalanx_engine::gas::DIRTY_GRANULE;
    let before_the_call = own - dirty;
    for limit in [GAS, GAS + 1, GAS + 63, 1_000_000, 100_000] {
        let left = u64::from(limit) - before_the_call;
        let most = left - left / CALL_RESERVE_PART;
        assert_eq!(priced.call(spinner, u64::MAX, limit), (own + most, Outcome::OutOfGas), "limit {limit}");
        assert_eq!(priced.call(spinner, most, limit), (own + most, Outcome::OutOfGas));
        assert_eq!(
            priced.call(spinner, most - 1, limit),
            (own + most - 1, Outcome::OutOfGas),
            "it gets what was asked for"
        );
        assert_eq!(priced.call(spinner, 10_000, limit), (own + 10_000, Outcome::OutOfGas));
    }
    // Less than what a callee has to have to be entered is used up, too.
    for asked in [0, 1, CALL - 1, CALL, CALL + MEMORY_PAGE_SCAN + TRAP - 1] {
        assert_eq!(priced.call(spinner, asked, GAS), (own + asked, Outcome::OutOfGas));
    }
    assert_eq!(priced.call([9; 32], CALL - 1, GAS), (own + CALL - 1, Outcome::UnknownContract));
}
