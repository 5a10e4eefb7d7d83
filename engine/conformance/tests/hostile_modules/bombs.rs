//! Small modules that cost a checker or a compiler much, on both sides of the limits.

use std::fmt::Write;

use phalanx_engine::limits::{
    BODY_BYTES_MAX, BRANCH_TARGETS_MAX, CONTROL_OPERATORS_MAX, LOCALS_MAX, METHODS_MAX, MODULE_CALLS_MAX, NESTING_MAX,
    OPERANDS_MAX,
};

/// A module of a memory, a method, and these fields.
fn contract(fields: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module (memory (export "memory") 1) (func (export "m") (result i32) (i32.const 0)) {fields})"#
    ))
    .unwrap_or_else(|error| panic!("{error}"))
}

/// Every bomb by its name.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("200 nested loops and 1000 locals", loops_and_locals(200, 1_000)),
        ("loops and locals at the limit, nested", loops_and_locals(128, 128)),
        ("loops and locals at the limit, few loops", loops_and_locals(4, 4_096)),
        ("loops and locals at the module's limit", functions_of_loops_and_locals(16)),
        ("loops and locals beyond it", functions_of_loops_and_locals(17)),
        ("locals alive across all the control operators", live_locals(1_000, CONTROL_OPERATORS_MAX as usize - 1)),
        ("locals that every block writes", written_locals(400, 2_000)),
        ("locals set many blocks deep, at the limit", nested_joins(327, 100, 1)),
        ("locals set many blocks deep, at the module's limit", nested_joins(327, 100, 8)),
        ("locals set many blocks deep, beyond it", nested_joins(4_000, 100, 1)),
        ("one block after another", blocks(CONTROL_OPERATORS_MAX as usize)),
        ("nested to the limit, many times", nested(NESTING_MAX as usize - 1, 30)),
        ("branch tables at the limit", branch_tables(1, BRANCH_TARGETS_MAX as usize - 64)),
        ("branch tables of one function each", branch_tables(8, BRANCH_TARGETS_MAX as usize - 64)),
        ("branch tables beyond the limit", branch_tables(1, 120_000)),
        ("operands at the limit", operands(OPERANDS_MAX as usize)),
        ("operands beyond it", operands(60_000)),
        ("calls in one block, as many as may be", calls(MODULE_CALLS_MAX / 2, 2)),
        ("calls in one block, more than may be", calls(BODY_BYTES_MAX as u64 / 2 - 1_000, 7)),
        ("calls in blocks of their own, checked one by one", checked_calls(8)),
        ("calls in blocks of their own, that meet before the end", meeting_calls(8)),
        ("loops with calls, as many as may be", checked_loops(8)),
        ("one block after another, as many as may be", blocks_of(CONTROL_OPERATORS_MAX as usize, 20)),
        ("calls of 32 results", wide_calls()),
        ("blocks of 32 values", wide_blocks()),
        ("stores on bases of their own", stores()),
        ("locals declared without end", declared_locals()),
        ("functions at the limit", contract(&"(func)".repeat(9_998))),
        ("methods × globals", methods_and_globals()),
        ("subexpressions", subexpressions()),
        ("divisions", divisions()),
        ("a type of a thousand parameters, called in dead code", dead_calls()),
        ("a hundred thousand exports", exports()),
        ("element segments over and over", segments()),
    ]
}

fn i64s(count: usize) -> String {
    "i64 ".repeat(count)
}

/// Nested loops, the innermost of which adds all locals round.
fn loops_and_locals(loops: usize, locals: usize) -> Vec<u8> {
    contract(&function_of_loops_and_locals(loops, locals))
}

fn functions_of_loops_and_locals(functions: usize) -> Vec<u8> {
    contract(&function_of_loops_and_locals(128, 128).repeat(functions))
}

fn function_of_loops_and_locals(loops: usize, locals: usize) -> String {
    let mut body = "loop ".repeat(loops);
    for local in 0..locals {
        let next = (local + 1) % locals;
        let _ = write!(body, "(local.set {local} (i64.add (local.get {local}) (local.get {next})))");
    }
    for _ in 0..loops {
        body += "(br_if 0 (i64.eqz (local.get 0))) end ";
    }
    format!("(func (local {}) {body})", i64s(locals))
}

/// Locals set before many branches and read after them.
fn live_locals(locals: usize, branches: usize) -> Vec<u8> {
    let mut body = String::new();
    for local in 0..locals {
        let _ = write!(body, "(local.set {local} (i64.load offset={} (i32.const 0)))", local * 8);
    }
    body += "block ";
    body += &"(br_if 0 (i32.load (i32.const 0)))".repeat(branches);
    body += " end ";
    for local in 0..locals {
        let _ = write!(body, "(i64.store offset={} (i32.const 0) (local.get {local}))", local * 8);
    }
    contract(&format!("(func (local {}) {body})", i64s(locals)))
}

/// A join after each block, of another local each time, all read in the end.
fn written_locals(locals: usize, blocks: usize) -> Vec<u8> {
    let mut body = String::new();
    for block in 0..blocks {
        let local = block % locals;
        let _ = write!(
            body,
            "(if (i32.load (i32.const 0)) (then (local.set {local} (i64.add (local.get {local}) (i64.const 1)))))"
        );
    }
    for local in 0..locals {
        let _ = write!(body, "(i64.store offset={} (i32.const 0) (local.get {local}))", local * 8);
    }
    contract(&format!("(func (local {}) {body})", i64s(locals)))
}

/// Locals set once, within many blocks that end one after the other: a join of all of them at each end.
fn nested_joins(locals: usize, depth: usize, functions: usize) -> Vec<u8> {
    let mut body = "(if (i32.load (i32.const 0)) (then ".repeat(depth);
    for local in 0..locals {
        let _ = write!(body, "(local.set {local} (i64.load offset={} (i32.const 0)))", local * 8);
    }
    body += &"))".repeat(depth);
    for local in 0..locals {
        let _ = write!(body, "(i64.store offset={} (i32.const 0) (local.get {local}))", local * 8);
    }
    contract(&format!("(func (local {}) {body})", i64s(locals)).repeat(functions))
}

fn blocks(count: usize) -> Vec<u8> {
    contract(&format!("(func (param i32) {})", "(if (local.get 0) (then (local.set 0 (i32.const 1))))".repeat(count)))
}

fn blocks_of(count: usize, functions: usize) -> Vec<u8> {
    contract(&format!("(func (param i32) {})", "(br_if 0 (local.get 0))".repeat(count)).repeat(functions))
}

fn checked_loops(functions: usize) -> Vec<u8> {
    contract(&format!("(func {})", "loop call 1 end ".repeat(CONTROL_OPERATORS_MAX as usize)).repeat(functions))
}

fn nested(depth: usize, times: usize) -> Vec<u8> {
    let nest = format!("{} (br_if 0 (local.get 0)) {}", "block ".repeat(depth), "end ".repeat(depth));
    contract(&format!("(func (param i32) {})", nest.repeat(times)))
}

fn branch_tables(functions: usize, targets: usize) -> Vec<u8> {
    let mut list = String::new();
    for target in 0..targets {
        let _ = write!(list, "{} ", target % 64);
    }
    let body = format!("{} (br_table {list} 0 (local.get 0)) {}", "block ".repeat(64), "end ".repeat(64));
    contract(&format!("(func (param i32) {body})").repeat(functions))
}

fn operands(count: usize) -> Vec<u8> {
    let body = format!("{} {}", "(i32.load (i32.const 0)) ".repeat(count), "i32.add ".repeat(count - 1));
    contract(&format!("(func (result i32) {body})"))
}

/// Functions full of calls. The dear block in the end asks for a check after a call.
fn calls(calls: u64, functions: usize) -> Vec<u8> {
    let dear = format!("(br_if 0 (i32.const 0)) {}", "(drop (i32.const 0))".repeat(300));
    let calls = "call 1 ".repeat(calls as usize);
    contract(&format!("(func {calls} {dear})").repeat(functions))
}

/// Functions full of blocks that each make a call and are checked after it.
fn checked_calls(functions: usize) -> Vec<u8> {
    let dear = "(drop (i32.const 0))".repeat(300);
    let calls = "call 1 (br_if 0 (i32.const 0)) ".repeat(CONTROL_OPERATORS_MAX as usize);
    contract(&format!("(func {calls} {dear})").repeat(functions))
}

/// As many values of the gas left meet at the end of one block.
fn meeting_calls(functions: usize) -> Vec<u8> {
    let calls = "call 1 (br_if 0 (i32.load (i32.const 0))) ".repeat(CONTROL_OPERATORS_MAX as usize - 1);
    contract(&format!("(func (block {calls}) call 1)").repeat(functions))
}

fn wide_calls() -> Vec<u8> {
    let wide = format!("(type $wide (func (param {0}) (result {0})))", i64s(32));
    let make = "(i64.load (i32.const 0)) ".repeat(32);
    let body = format!("{make} {} {}", "call $g ".repeat(40_000), "drop ".repeat(32));
    contract(&format!("{wide} (func $g (type $wide) {make}) (func {body})"))
}

fn wide_blocks() -> Vec<u8> {
    let wide = format!("(type $wide (func (param {0}) (result {0})))", i64s(32));
    let make = "(i64.load (i32.const 0)) ".repeat(32);
    let step = "(i32.load (i32.const 0)) (if (type $wide) (then (call $g)))";
    let body = format!("{make} {} {}", step.repeat(CONTROL_OPERATORS_MAX as usize - 1), "drop ".repeat(32));
    contract(&format!("{wide} (func $g (type $wide) {make}) (func {body})"))
}

fn stores() -> Vec<u8> {
    let body = "(i64.store (i32.load (i32.const 0)) (i64.const 1))".repeat(BODY_BYTES_MAX / 11);
    contract(&format!("(func {body})").repeat(7))
}

/// Two billion locals in five bytes, which no text can say.
fn declared_locals() -> Vec<u8> {
    let mut module = contract("(func (local i64))");
    let place = module.windows(4).rposition(|window| window == [1, 1, 0x7e, 0x0b]).unwrap_or_default();
    // The body and its section grow by four bytes.
    module.splice(place + 1..place + 2, [0xff, 0xff, 0xff, 0xff, 0x07]);
    module[place - 1] += 4;
    let section = module.windows(2).rposition(|window| window[0] == 10).unwrap_or_default();
    module[section + 1] += 4;
    module
}

fn methods_and_globals() -> Vec<u8> {
    let mut fields = String::new();
    for method in 0..METHODS_MAX - 1 {
        let _ = write!(fields, r#"(export "{method}" (func 0))"#);
    }
    fields += &"(global (mut i64) (i64.const 0x7fffffffffffffff))".repeat(256);
    contract(&fields)
}

/// Values that a compiler keeps alive over the whole function.
fn subexpressions() -> Vec<u8> {
    let mut products = String::new();
    for factor in 0..6_000 {
        let _ = write!(products, "(i64.mul (local.get 0) (i64.const {})) i64.xor ", 2 * factor + 12_345);
    }
    contract(&format!("(func (param i64) (result i64) (i64.const 0) {products} {products})"))
}

fn divisions() -> Vec<u8> {
    let body = "(local.set 0 (i64.div_s (local.get 0) (local.get 1)))".repeat(BODY_BYTES_MAX / 7 - 8);
    contract(&format!("(func (param i64 i64) {body})").repeat(7))
}

/// What a validator pops for each call is beyond any proportion to the two bytes of the call.
fn dead_calls() -> Vec<u8> {
    let body = format!("unreachable {}", "call 1 ".repeat(BODY_BYTES_MAX / 2 - 8));
    contract(&format!("(func (param {}) {body})", i64s(1_000)))
}

fn exports() -> Vec<u8> {
    let mut fields = String::from("(func (param i32))");
    for export in 0..100_000 {
        let _ = write!(fields, r#"(export "{export:x}" (func 1))"#);
    }
    contract(&fields)
}

fn segments() -> Vec<u8> {
    let functions = "0 ".repeat(10_000);
    contract(&format!("(table 10000 funcref) {}", format!("(elem (i32.const 0) {functions})").repeat(90)))
}

const _: () = assert!(LOCALS_MAX == 4_096, "the bombs of locals are made for this limit");
