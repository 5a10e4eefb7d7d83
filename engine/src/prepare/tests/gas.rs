//! Exact gas of small functions: a change of price, or of where it is charged, shows here.

use super::*;

/// How a method of this body ends, with so much gas, beside other fields.
fn run_with(fields: &str, body: &str, gas: i64) -> Ended {
    let module = contract(&format!(r#"{fields} (func (export "m") (result i32) (local i32 i64) {body})"#));
    Instance::new(&module).call("m", gas, limits::STACK_UNITS_MAX)
}

/// Gas of a body that returns.
fn gas(body: &str) -> i64 {
    let ended = run_with("", body, GAS);
    assert!(ended.result.is_ok(), "{body}: {ended:?}");
    ended.gas_used
}

/// Entering a function with a small frame, and leaving a constant.
const LEAST: i64 = 2 + 1;

#[test]
fn prices_of_operators() {
    assert_eq!(gas("(i32.const 0)"), LEAST);
    let cases = [
        ("nop", 0),
        ("(drop (i32.const 0))", 1),
        ("(local.set 0 (i32.add (local.get 0) (i32.const 1)))", 4),
        ("(drop (i64.mul (local.get 1) (i64.const 3)))", 4),
        ("(drop (i32.div_u (i32.const 7) (i32.const 3)))", 14),
        ("(drop (i64.rem_s (i64.const 7) (i64.const 3)))", 18),
        ("(drop (i32.load8_u (i32.const 0)))", 3),
        ("(i64.store (i32.const 0) (i64.const 0))", 5),
        ("(drop (memory.size))", 1),
        ("(drop (memory.grow (i32.const 0)))", 2 + 100_000),
        ("(drop (memory.grow (i32.const 2)))", 2 + 100_000 + 2 * 20_000),
        ("(memory.fill (i32.const 0) (i32.const 0) (i32.const 17))", 3 + 100 + 3),
        ("(memory.copy (i32.const 0) (i32.const 0) (i32.const 8))", 3 + 100 + 1),
        ("(block (br_if 0 (i32.const 0)))", 2),
        ("(if (i32.const 1) (then (drop (i32.const 5))) (else (drop (i64.const 5)) (drop (i64.const 5))))", 3),
        ("(if (i32.const 0) (then (drop (i32.const 5))) (else (drop (i64.const 5)) (drop (i64.const 5))))", 4),
        ("(block (block (br_table 0 1 (i32.const 1))))", 5),
    ];
    for (body, price) in cases {
        assert_eq!(gas(&format!("{body} (i32.const 0)")), LEAST + price, "{body}");
    }
}

#[test]
fn loads_cost_by_the_memory_they_may_miss_in() {
    for (pages, price) in
        [("1", 3 + 28), ("1 16", 3), ("1 17", 3 + 6), ("1 64", 3 + 6), ("1 65", 3 + 28), ("1 9999", 3 + 28)]
    {
        let module = format!(
            r#"(module (memory (export "memory") {pages})
                (func (export "m") (result i32) (drop (i64.load16_s (i32.const 0))) (i32.const 0)))"#
        );
        let ended = Instance::new(&wat(&module)).call("m", GAS, 100);
        assert_eq!(ended.gas_used, LEAST + price, "{pages}");
    }
}

#[test]
fn calls_cost_their_base_price_and_what_the_callee_does() {
    let call = run_with("(func $f (drop (i32.const 0)))", "(call $f) (i32.const 0)", GAS);
    assert_eq!(call.gas_used, LEAST + 4 + 2 + 1);
    let table = "(table 1 funcref) (elem (i32.const 0) $f) (func $f (drop (i32.const 0)))";
    assert_eq!(run_with(table, "(call_indirect (i32.const 0)) (i32.const 0)", GAS).gas_used, LEAST + 13 + 2 + 1);
    let import = r#"(module (import "phalanx" "height" (func $height (result i64))) (memory (export "memory") 1)
        (func (export "m") (result i32) (i32.wrap_i64 (call $height))))"#;
    let ended = Instance::new(&wat(import)).call("m", GAS, 100);
    assert_eq!(ended, Ended { result: Ok(7), gas_used: 2 + 4 + 15 + 1, stack_left: 100, halt: HALT_NONE });
}

#[test]
fn a_loop_is_charged_each_time_and_asked_at_its_head() {
    let body = "(loop (local.set 0 (i32.add (local.get 0) (i32.const 1))) (br_if 0 (i32.lt_u (local.get 0) (i32.const 10)))) (i32.const 0)";
    assert_eq!(gas(body), LEAST + 10 * 8);
    // The block of the loop that does not fit is charged and does not run.
    let ended = run_with("", body, 2 + 8 * 4 + 7);
    assert_eq!((ended.gas_used, ended.halt), (2 + 8 * 5, HALT_GAS));
    let exact = run_with("", body, LEAST + 80);
    assert_eq!(exact.result, Ok(0));
}

#[test]
fn what_runs_without_asking_is_bounded() {
    let endless = run_with("", "(loop (br 0)) (i32.const 0)", 1_000);
    assert_eq!((endless.halt, endless.gas_used), (HALT_GAS, 1_001));
    assert!(endless.result.unwrap_err().contains("unreachable"));
    let empty_loop = run_with("", "(loop (block (br 1))) (i32.const 0)", 1_000);
    assert_eq!(empty_loop.halt, HALT_GAS);
    // Recursion that does its work after the call: the callers stop when they are returned to.
    let work = "(drop (i64.mul (local.get 1) (local.get 1)))".repeat(1_000);
    let count = "(i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))";
    let recursion = format!(
        r#"(func $f (param i32) (local i64) (if (local.get 0)
               (then (call $f (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (i32.const 0)) {work} {count})))
           (func (export "m") (result i32) (call $f (i32.const 90)) (i32.const 0))"#
    );
    let mut instance = Instance::new(&contract(&recursion));
    assert_eq!(instance.call("m", 10_000, limits::STACK_UNITS_MAX).halt, HALT_GAS);
    // Each does work for 4,000: the third has none left, and no other begins.
    let done = instance.memory.data(&instance.store)[0];
    assert!((1..=3).contains(&done), "{done} frames did their work");
    assert_eq!(
        run_with("", "(memory.fill (i32.const 0) (i32.const 0) (i32.const -1)) (i32.const 0)", 50).halt,
        HALT_GAS
    );
    let grow = run_with("", "(drop (memory.grow (i32.const -1))) (i32.const 0)", GAS);
    assert_eq!(grow.halt, HALT_GAS);
}

#[test]
fn a_trap_keeps_what_was_used() {
    let body = "(loop (local.set 0 (i32.add (local.get 0) (i32.const 1))) (br_if 0 (i32.lt_u (local.get 0) (i32.const 10)))) (i32.div_u (i32.const 1) (i32.const 0))";
    let ended = run_with("", body, GAS);
    assert!(ended.result.unwrap_err().contains("divide by zero"));
    assert_eq!((ended.gas_used, ended.halt), (2 + 80 + 14, HALT_NONE));
}
