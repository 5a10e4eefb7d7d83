//! The stack counter runs out before the native stack does, whatever the compiler.
//!
//! Each contract here recurses without end, in frames made to be as large in machine code as they can be for the stack
//! units they cost: values that live across the call as locals, as operands, or only in the compiler's view, because it
//! computes a common subexpression once and keeps it.

use std::fmt::Write;

use phalanx_engine::limits::STACK_UNITS_MAX;
use phalanx_engine::prepare::{NATIVE_STACK_BYTES, prepare};

use crate::engines::{Budget, End, Guest, Host, Interpreter, Native, Observed, Optimised, Quick};
use crate::on_a_large_stack;

/// The contract whose method calls function `$f`, defined by `fields`, with so many zeros.
fn contract(fields: &str, arguments: usize) -> Vec<u8> {
    let zeros = "(i64.const 0) ".repeat(arguments);
    let text = format!(
        r#"(module (memory (export "memory") 1)
            {fields}
            (func (export "m") (result i32) (drop (call $f {zeros})) (i32.const 0)))"#
    );
    wat::parse_str(text).expect("the text above is a module")
}

fn corpus() -> Vec<(String, Vec<u8>)> {
    let mut corpus = vec![("empty frame".to_owned(), contract("(func $f (result i64) (call $f))", 0))];
    for count in [10, 100, 1_000] {
        corpus.push((format!("{count} locals"), locals(count)));
        corpus.push((format!("{count} operands"), operands(count)));
        corpus.push((format!("{count} subexpressions"), subexpressions(count)));
        corpus.push((format!("{count} loads"), loads(count)));
        corpus.push((format!("{count} calls"), calls(count)));
        corpus.push((format!("{count} stores"), stores(count)));
        corpus.push((format!("{count} calls in blocks of their own"), blocks(count)));
        corpus.push((format!("{count} calls in arms"), arms(count)));
        corpus.push((format!("{count} indirect calls, each through what the one before left"), indirect_chain(count)));
        corpus.push((format!("{count} growths"), chain(count, "memory.grow")));
    }
    for count in [10, 100] {
        corpus.push((format!("{count} joins of 32 values"), joins(count)));
        corpus.push((format!("{count} times 32 results"), results(count)));
    }
    for (locals, depth) in [(1, 100), (60, 100), (1_000, 20), (1_600, 20), (320, 100)] {
        corpus.push((format!("{locals} locals set {depth} blocks deep"), nested_joins(locals, depth, "block")));
        corpus.push((format!("{locals} locals set {depth} ifs deep"), nested_joins(locals, depth, "if")));
    }
    for (locals, depth) in [(100, 100), (160, 100)] {
        corpus.push((format!("{locals} locals set {depth} loops deep"), nested_joins(locals, depth, "loop")));
    }
    corpus.push(("32 parameters".to_owned(), parameters()));
    corpus.push(("indirect".to_owned(), indirect()));
    corpus
}

/// Locals loaded before the call and used after it.
fn locals(count: usize) -> Vec<u8> {
    let mut body = String::new();
    for local in 0..count {
        let _ = write!(body, "(local.set {local} (i64.load offset={} (i32.const 0)))", local * 8);
    }
    body += "(call $f)";
    for local in 0..count {
        let _ = write!(body, "(i64.xor (local.get {local}))");
    }
    contract(&format!("(func $f (result i64) (local {}) {body})", "i64 ".repeat(count)), 0)
}

/// Operands that lie below the call.
fn operands(count: usize) -> Vec<u8> {
    let mut body = String::new();
    for operand in 0..count {
        let _ = write!(body, "(i64.load offset={} (i32.const 0))", operand * 8);
    }
    let fold = "i64.xor ".repeat(count);
    contract(&format!("(func $f (result i64) {body} (call $f) {fold})"), 0)
}

/// Products of one parameter, computed before the call and again after it: one local in Wasm, `count` values in the
/// optimising compiler.
fn subexpressions(count: usize) -> Vec<u8> {
    let mut products = String::new();
    for factor in 0..count {
        let _ = write!(products, "(i64.mul (local.get 0) (i64.const {})) i64.xor ", 2 * factor + 12_345);
    }
    let body = format!("(i64.const 0) {products} (call $f) {products}");
    contract(&format!("(func $f (param i64) (result i64) {body})"), 1)
}

/// Loads that nothing can change between, before the call and again after it.
fn loads(count: usize) -> Vec<u8> {
    let mut loads = String::new();
    for load in 0..count {
        let _ = write!(loads, "(i64.load offset={} (local.get 1)) i64.xor ", load * 8);
    }
    let body = format!("(local.set 1 (i32.wrap_i64 (local.get 0))) (i64.const 0) {loads} (call $f) {loads}");
    contract(&format!("(func $f (param i64) (result i64) (local i32) {body})"), 1)
}

/// Many calls, a value of its own alive across each: an allocator that never shares slots gives each its own.
fn calls(count: usize) -> Vec<u8> {
    let mut body = String::from("(i64.const 0)");
    for call in 0..count {
        let _ = write!(body, "(i64.add (i64.load offset={} (i32.const 0))) (call $f) i64.add ", call * 8);
    }
    contract(&format!("(func $f (result i64) {body})"), 0)
}

/// A block for each call, left in two ways, which all meet in the end: the gas left is another value in each.
fn blocks(count: usize) -> Vec<u8> {
    let calls = "(drop (call $f)) (br_if 0 (i32.load (i32.const 0)))".repeat(count);
    contract(&format!("(func $f (result i64) (block {calls}) (call $f))"), 0)
}

/// The same, where two ways meet after each call.
fn arms(count: usize) -> Vec<u8> {
    let calls = "(if (i32.load (i32.const 0)) (then) (else (drop (call $f))))".repeat(count);
    contract(&format!("(func $f (result i64) {calls} (call $f))"), 0)
}

/// Indirect calls in a row, whose targets are what the calls before them answered.
fn indirect_chain(count: usize) -> Vec<u8> {
    let fields = format!(
        "(type $t (func (result i32))) (table 1 funcref) (elem (i32.const 0) $zero) (func $zero (result i32) (i32.const 0))
         (func $g (result i32) (call $g) {}) (func $f (result i64) (i64.extend_i32_u (call $g)))",
        "(call_indirect (type $t)) ".repeat(count)
    );
    contract(&fields, 0)
}

/// An operator in a row that takes and leaves one number.
fn chain(count: usize, operator: &str) -> Vec<u8> {
    let body = format!("(call $g) {}", format!("{operator} ").repeat(count));
    contract(&format!("(func $g (result i32) {body}) (func $f (result i64) (i64.extend_i32_u (call $g)))"), 0)
}

/// Many stores, with the code that marks them, around the call.
fn stores(count: usize) -> Vec<u8> {
    let mut stores = String::new();
    for store in 0..count {
        let _ = write!(stores, "(i64.store (i32.load offset={} (i32.const 0)) (i64.const {store}))", store * 4);
    }
    contract(&format!("(func $f (result i64) {stores} (call $f) {stores})"), 0)
}

/// As many parameters and results as a function may have.
fn parameters() -> Vec<u8> {
    let list = "i64 ".repeat(32);
    let mut arguments = String::new();
    for parameter in 0..32 {
        let _ = write!(arguments, "(i64.add (local.get {parameter}) (i64.const {parameter}))");
    }
    let drops = "drop ".repeat(31);
    let many = format!("(func $g (param {list}) (result {list}) (call $g {arguments}))");
    contract(&format!("{many} (func $f (result i64) (call $g {}) {drops})", "(i64.const 0)".repeat(32)), 0)
}

/// A function of 32 parameters and as many results, named `$g`.
fn shuffle() -> String {
    let list = "i64 ".repeat(32);
    let mut body = String::new();
    for parameter in 0..32 {
        let _ = write!(body, "(i64.add (local.get {}) (i64.const {parameter}))", 31 - parameter);
    }
    format!("(type $many (func (param {list}) (result {list}))) (func $g (type $many) {body})")
}

/// Few operators, each of which makes 32 values: calls, and blocks that they meet after.
fn joins(count: usize) -> Vec<u8> {
    let zeros = "(i64.const 0) ".repeat(32);
    let joins = "(local.get 1) (if (type $many) (then (call $g))) ".repeat(count);
    let fold = "i64.xor ".repeat(31);
    let first = "(local.set 1 (i32.wrap_i64 (local.get 0)))";
    let body = format!("{first} {zeros} {joins} (call $f (i64.const 0)) {fold} i64.xor");
    contract(&format!("{} (func $f (param i64) (result i64) (local i32) {body})", shuffle()), 1)
}

/// Locals that are set once, within many blocks, each of which is left in two ways: each local has a value of its own at the end
/// of each block, and the compiler alone sees them.
fn nested_joins(locals: usize, depth: usize, kind: &str) -> Vec<u8> {
    let condition = "(local.get 1)";
    let mut body = String::new();
    for local in 2..locals + 2 {
        let _ = write!(body, "(local.set {local} (i64.load offset={} (i32.const 0)))", local * 8);
    }
    for _ in 0..depth {
        body = match kind {
            "if" => format!("(if {condition} (then {body}))"),
            _ => format!("({kind} (br_if 0 {condition}) {body})"),
        };
    }
    let mut fold = String::from("(call $f (i64.const 0))");
    for local in 2..locals + 2 {
        let _ = write!(fold, "(i64.xor (local.get {local}))");
    }
    let types = "i64 ".repeat(locals);
    let first = "(local.set 1 (i32.wrap_i64 (local.get 0)))";
    contract(&format!("(func $f (param i64) (result i64) (local i32 {types}) {first} {body} {fold})"), 1)
}

/// Calls of 32 results, which live across another call.
fn results(count: usize) -> Vec<u8> {
    let step = format!("{} (call $g) (call $f) {}", "(i64.const 0) ".repeat(32), "i64.xor ".repeat(33));
    contract(&format!("{} (func $f (result i64) (i64.const 0) {})", shuffle(), step.repeat(count)), 0)
}

fn indirect() -> Vec<u8> {
    let call = "(call_indirect (type $t) (i64.const 1) (i32.const 0))";
    let fields = format!(
        "(type $t (func (param i64) (result i64))) (table 1 funcref) (elem (i32.const 0) $f)
         (func $f (type $t) (i64.add (local.get 0) {call}))"
    );
    contract(&fields, 1)
}

fn recurse<H: Host>(host: &H, module: &[u8]) -> Observed {
    let prepared = prepare(module).unwrap_or_else(|refused| panic!("refused: {refused}"));
    let budget = Budget { gas: 1_000_000_000, stack: STACK_UNITS_MAX };
    Guest::new(host, &prepared).call("m", budget)
}

/// Half of what the node gives, in KiB, that a recursion needs at least: the next power of two.
fn native_kib<H: Host<Instance = Native>>(engine: impl Fn(usize) -> H, module: &[u8]) -> usize {
    let mut bytes = 64 << 10;
    while bytes <= NATIVE_STACK_BYTES / 2 && recurse(&engine(bytes), module).end == End::Unclassified {
        bytes *= 2;
    }
    bytes >> 10
}

#[test]
fn endless_recursion_exhausts_the_stack_units_on_half_the_native_stack() {
    on_a_large_stack(|| {
        let interpreter = Interpreter::new();
        for (name, module) in corpus() {
            let expected = recurse(&interpreter, &module);
            assert_eq!(expected.end, End::StackExhausted, "{name}");
            assert_eq!(recurse(&Optimised::new(), &module), expected, "{name}, optimised");
            assert_eq!(recurse(&Quick::new(), &module), expected, "{name}, quick");
            let optimised = native_kib(Optimised::with_stack, &module);
            let quick = native_kib(Quick::with_stack, &module);
            println!("{name}: native stack below {optimised} KiB optimised, {quick} KiB quick");
            for kib in [optimised, quick] {
                assert!(kib << 10 <= NATIVE_STACK_BYTES / 2, "{name}: half of the native stack is not enough");
            }
        }
    });
}
