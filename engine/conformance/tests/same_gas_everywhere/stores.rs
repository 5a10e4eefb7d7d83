//! Programs that do little but store: to addresses that differ by constants, between branches, loops and calls, as that
//! is where the pass shares marks between stores. wasm-smith's addresses are mostly outside memory.
//!
//! After each call the granules marked are restored, and memory has to be what it was: a store that no mark stands for
//! shows there.

use std::fmt::Write;

use phalanx_engine::limits::STACK_UNITS_MAX;
use phalanx_engine::prepare::prepare;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::engines::{Budget, End, Guest, Interpreter};

const PROGRAMS: u64 = 3_000;
const LOCALS: usize = 4;
/// Offsets where granules and marks end, and some between.
const OFFSETS: [u32; 12] = [0, 1, 4, 8, 9, 10, 16, 24, 1_000, 1_016, 1_024, 1_040];
const STORES: [(&str, &str); 7] = [
    ("i32.store", "(i32.const -1)"),
    ("i32.store8", "(i32.const -1)"),
    ("i32.store16", "(i32.const -1)"),
    ("i64.store", "(i64.const -1)"),
    ("i64.store8", "(i64.const -1)"),
    ("i64.store16", "(i64.const -1)"),
    ("i64.store32", "(i64.const -1)"),
];

/// Statements, nested so deep at most.
fn statements(random: &mut impl Rng, depth: u32, text: &mut String) {
    for _ in 0..random.random_range(1..8_u8) {
        statement(random, depth, text);
    }
}

fn statement(random: &mut impl Rng, depth: u32, text: &mut String) {
    let (to, from) = (random.random_range(0..LOCALS), random.random_range(0..LOCALS));
    let offset = OFFSETS.choose(random).copied().unwrap_or_default();
    let written = match random.random_range(0..20_u8) {
        0..=9 => {
            let (store, value) = STORES.choose(random).copied().unwrap_or(STORES[0]);
            // Operands between address and value, and addresses made on the spot, are found in compiled code too.
            match random.random_range(0..4_u8) {
                0 => write!(text, "({store} (i32.add (local.get {from}) (i32.const {offset})) {value})"),
                1 => write!(text, "({store} (i32.const {}) {value})", 2_048 + offset),
                _ => write!(text, "({store} offset={offset} (local.get {from}) {value})"),
            }
        }
        10 | 11 => write!(text, "(local.set {to} (local.get {from}))"),
        12 => write!(text, "(local.set {to} (i32.add (local.get {from}) (i32.const {offset})))"),
        13 => write!(text, "(local.set {to} (i32.sub (local.get {from}) (i32.const {})))", offset / 2),
        14 => write!(text, "(local.set {to} {})", unknown(random)),
        15 => write!(text, "(drop (local.tee {to} (i32.add (i32.const {offset}) (local.get {from}))))"),
        16 => write!(text, "(call $touch)"),
        _ if depth == 0 => return,
        17 => return nested(random, depth, "(block ", ")", text),
        18 => {
            let condition = random.random_range(0..2_u8);
            let _ = write!(text, "(if (i32.const {condition}) (then ");
            statements(random, depth - 1, text);
            return nested(random, depth, ") (else ", "))", text);
        }
        _ => {
            let begin = format!("(local.set {LOCALS} (i32.const 0)) (loop ");
            let end = format!(
                "(br_if 0 (i32.lt_u (local.tee {LOCALS} (i32.add (local.get {LOCALS}) (i32.const 1))) (i32.const 4))))"
            );
            return nested(random, depth, &begin, &end, text);
        }
    };
    debug_assert!(written.is_ok(), "text takes whatever is written to it");
    if depth > 0 && random.random_range(0..10_u8) == 0 {
        let _ = write!(text, "(br_if {} (i32.const {}))", random.random_range(0..=1), random.random_range(0..2_u8));
    }
}

fn nested(random: &mut impl Rng, depth: u32, begin: &str, end: &str, text: &mut String) {
    text.push_str(begin);
    statements(random, depth - 1, text);
    text.push_str(end);
}

/// An address about which the pass knows nothing: its value was put into memory's last page.
fn unknown(random: &mut impl Rng) -> String {
    format!("(i32.load (i32.const {}))", 65_536 + 4 * random.random_range(0..256_u32))
}

/// A contract whose method stores.
fn program(random: &mut impl Rng) -> String {
    let mut body = String::new();
    for local in 0..LOCALS {
        let _ = write!(body, "(local.set {local} {})", unknown(random));
    }
    body += "(block (block ";
    statements(random, 3, &mut body);
    body += "))";
    let mut data = String::new();
    for _ in 0..256 {
        // Anywhere in the first page, and often at the end of a granule.
        let address = match random.random_range(0..3_u8) {
            0 => random.random_range(8_192..32_768_u32),
            _ => 8_192 + 1_024 * random.random_range(0..24_u32) - random.random_range(0..20),
        };
        for byte in address.to_le_bytes() {
            let _ = write!(data, "\\{byte:02x}");
        }
    }
    format!(
        r#"(module (memory (export "memory") 2 2)
            (func $touch)
            (func (export "m") (result i32) (local i32 i32 i32 i32 i32) {body} (i32.const 0))
            (data (i32.const 65536) "{data}"))"#
    )
}

#[test]
fn every_byte_that_a_store_writes_has_a_mark() {
    let interpreter = Interpreter::new();
    let (mut written, mut returned) = (0, 0);
    for seed in 0..PROGRAMS {
        let text = program(&mut ChaCha8Rng::seed_from_u64(seed));
        let module = wat::parse_str(&text).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let prepared = prepare(&module).unwrap_or_else(|refused| panic!("seed {seed}: {refused}"));
        let mut guest = Guest::new(&interpreter, &prepared);
        let observed = guest.call("m", Budget { gas: 20_000, stack: STACK_UNITS_MAX });
        // A branch to a loop's head may never end, and an address may leave memory at last.
        let ends = [End::Returned(0), End::OutOfGas, End::MemoryOutOfBounds];
        assert!(ends.contains(&observed.end), "seed {seed}: {:?}", observed.end);
        returned += u64::from(observed.end == ends[0]);
        written += u64::from(observed.has_marks());
        if let Err(byte) = guest.restore() {
            panic!("seed {seed}: byte {byte} was written, but not marked");
        }
    }
    println!("{PROGRAMS} programs, {written} of them wrote, {returned} returned");
    assert!(written > PROGRAMS / 2 && returned > PROGRAMS / 2, "the programs are to store, and to end");
}
