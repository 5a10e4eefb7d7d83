//! Small programs of the kinds that contracts are made of.

/// A contract with a memory of 16 pages, a method of this body and other fields.
fn contract(fields: &str, locals: &str, body: &str) -> String {
    format!(
        r#"(module (memory (export "memory") 16 16) {fields} (func (export "m") (result i32) (local {locals}) {body}))"#
    )
}

pub(crate) fn all() -> Vec<(&'static str, String)> {
    vec![
        ("balances in a frame", frame()),
        ("bytes copied one by one", bytes()),
        ("words sorted", sort()),
        ("numbers formatted", format_numbers()),
        ("mixing of a hash", mix()),
        ("recursive calls", fibonacci()),
        ("small calls in a loop", small_calls()),
    ]
}

/// What compiled Rust does with two u128: a frame taken from the stack pointer, fields written and read.
fn frame() -> String {
    let fields = r#"(global $sp (mut i32) (i32.const 65536))
        (func $move (param $from i32) (param $to i32) (local $fp i32) (local $low i64) (local $high i64)
            (global.set $sp (local.tee $fp (i32.sub (global.get $sp) (i32.const 64))))
            (i64.store (local.get $fp) (i64.load (local.get $from)))
            (i64.store offset=8 (local.get $fp) (i64.load offset=8 (local.get $from)))
            (i64.store offset=16 (local.get $fp) (i64.load (local.get $to)))
            (i64.store offset=24 (local.get $fp) (i64.load offset=8 (local.get $to)))
            (local.set $low (i64.sub (i64.load (local.get $fp)) (i64.const 3)))
            (local.set $high (i64.sub (i64.load offset=8 (local.get $fp))
                (i64.extend_i32_u (i64.lt_u (i64.load (local.get $fp)) (i64.const 3)))))
            (i64.store (local.get $from) (local.get $low))
            (i64.store offset=8 (local.get $from) (local.get $high))
            (local.set $low (i64.add (i64.load offset=16 (local.get $fp)) (i64.const 3)))
            (local.set $high (i64.add (i64.load offset=24 (local.get $fp))
                (i64.extend_i32_u (i64.lt_u (local.get $low) (i64.const 3)))))
            (i64.store (local.get $to) (local.get $low))
            (i64.store offset=8 (local.get $to) (local.get $high))
            (global.set $sp (i32.add (local.get $fp) (i32.const 64))))"#;
    let body = "(loop $again
            (call $move (i32.const 1024) (i32.const 4096))
            (br_if $again (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 300000))))
        (i32.const 0)";
    contract(fields, "i32", body)
}

fn bytes() -> String {
    let body = "(loop $rounds
            (local.set 0 (i32.const 0))
            (loop $bytes
                (i32.store8 offset=262144 (local.get 0) (i32.load8_u offset=1024 (local.get 0)))
                (br_if $bytes (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 100000))))
            (br_if $rounds (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (i32.const 20))))
        (i32.const 0)";
    contract("", "i32 i32", body)
}

/// Insertion into a sorted array of words, from values that a multiplier makes.
fn sort() -> String {
    let body = "(local $n i32) (local $at i32) (local $x i32) (local $y i32) (local $seed i32)
        (loop $insert
            (local.set $seed (i32.add (i32.mul (local.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
            (local.set $x (local.get $seed))
            (local.set $at (i32.shl (local.get $n) (i32.const 2)))
            (block $found (loop $shift
                (br_if $found (i32.eqz (local.get $at)))
                (local.set $y (i32.load (i32.sub (local.get $at) (i32.const 4))))
                (br_if $found (i32.le_u (local.get $y) (local.get $x)))
                (i32.store (local.get $at) (local.get $y))
                (local.set $at (i32.sub (local.get $at) (i32.const 4)))
                (br $shift)))
            (i32.store (local.get $at) (local.get $x))
            (br_if $insert (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 2500))))
        (i32.const 0)";
    format!(r#"(module (memory (export "memory") 16 16) (func (export "m") (result i32) {body}))"#)
}

/// Numbers to decimal digits from the last one on, then into a text: a store for every few instructions.
fn format_numbers() -> String {
    let body = "(local $n i32) (local $value i32) (local $at i32) (local $out i32) (local $seed i32)
        (loop $numbers
            (local.set $seed (i32.add (i32.mul (local.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
            (local.set $value (local.get $seed))
            (local.set $at (i32.const 64))
            (loop $digits
                (local.set $at (i32.sub (local.get $at) (i32.const 1)))
                (i32.store8 (local.get $at)
                    (i32.add (i32.const 48) (i32.rem_u (local.get $value) (i32.const 10))))
                (br_if $digits (local.tee $value (i32.div_u (local.get $value) (i32.const 10)))))
            (loop $copy
                (i32.store8 offset=65536 (local.get $out) (i32.load8_u (local.get $at)))
                (local.set $out (i32.and (i32.add (local.get $out) (i32.const 1)) (i32.const 65535)))
                (br_if $copy (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 64))))
            (i32.store8 offset=65536 (local.get $out) (i32.const 44))
            (br_if $numbers (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 60000))))
        (i32.const 0)";
    format!(r#"(module (memory (export "memory") 16 16) (func (export "m") (result i32) {body}))"#)
}

fn mix() -> String {
    let round = "(local.set 1 (i32.add (local.get 1) (local.get 2)))
        (local.set 4 (i32.rotl (i32.xor (local.get 4) (local.get 1)) (i32.const 16)))
        (local.set 3 (i32.add (local.get 3) (local.get 4)))
        (local.set 2 (i32.rotl (i32.xor (local.get 2) (local.get 3)) (i32.const 12)))"
        .repeat(8);
    let body = format!(
        "(local.set 1 (i32.const 7)) (loop $again {round}
            (br_if $again (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 100000))))
        (local.get 1)"
    );
    contract("", "i32 i32 i32 i32 i32", &body)
}

fn fibonacci() -> String {
    let fields = "(func $fib (param i32) (result i32)
        (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
            (then (local.get 0))
            (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                (call $fib (i32.sub (local.get 0) (i32.const 2)))))))";
    contract(fields, "", "(call $fib (i32.const 25))")
}

fn small_calls() -> String {
    let fields = "(func $f (param i32) (result i32) (i32.xor (local.get 0) (i32.const 77)))";
    let body = "(loop $again
            (local.set 1 (call $f (local.get 1)))
            (br_if $again (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 1000000))))
        (local.get 1)";
    contract(fields, "i32 i32", body)
}
