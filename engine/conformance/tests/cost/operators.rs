//! One operator at a time, in the form in which it takes longest: each waits for the one before.

/// A method that runs `step` many times over, on an i32 local 0 and an i64 local 1.
fn chain(pages: u32, fields: &str, step: &str, rounds: u32) -> String {
    let steps = step.repeat(32);
    format!(
        r#"(module (memory (export "memory") {pages} {pages}) {fields}
            (func (export "m") (result i32) (local i32 i64 i32)
                (local.set 0 (i32.const 12345)) (local.set 1 (i64.const 123456789012345))
                (loop $again {steps}
                    (br_if $again (i32.lt_u (local.tee 2 (i32.add (local.get 2) (i32.const 1))) (i32.const {rounds}))))
                (i32.add (local.get 0) (i32.wrap_i64 (local.get 1)))))"#
    )
}

const ROUNDS: u32 = 30_000;

pub(crate) fn all() -> Vec<(&'static str, String)> {
    let plain = |step: &str| chain(1, "", step, ROUNDS);
    let function = "(func $f (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))";
    let table =
        format!("{function} (table 1 funcref) (elem (i32.const 0) $f) (type $t (func (param i32) (result i32)))");
    vec![
        ("i32.add", plain("(local.set 0 (i32.add (local.get 0) (i32.const 3)))")),
        ("i64.xor and rotl", plain("(local.set 1 (i64.rotl (i64.xor (local.get 1) (i64.const 99)) (local.get 1)))")),
        ("i64.mul", plain("(local.set 1 (i64.mul (local.get 1) (local.get 1)))")),
        ("i32.div_u", plain("(local.set 0 (i32.div_u (i32.const -7) (i32.or (local.get 0) (i32.const 1))))")),
        ("i32.rem_s", plain("(local.set 0 (i32.rem_s (i32.const -7) (i32.or (local.get 0) (i32.const 1))))")),
        ("i64.div_u", plain("(local.set 1 (i64.div_u (i64.const -7) (i64.or (local.get 1) (i64.const 1))))")),
        ("i64.rem_s", plain("(local.set 1 (i64.rem_s (i64.const -7) (i64.or (local.get 1) (i64.const 1))))")),
        ("i64.popcnt", plain("(local.set 1 (i64.popcnt (i64.add (local.get 1) (i64.const -1))))")),
        ("i64.clz", plain("(local.set 1 (i64.clz (i64.add (local.get 1) (i64.const 1))))")),
        ("select", plain("(local.set 0 (select (local.get 0) (i32.const 7) (i32.and (local.get 0) (i32.const 1))))")),
        ("load in cache", plain("(local.set 0 (i32.load (i32.and (local.get 0) (i32.const 1020))))")),
        (
            "store",
            plain(
                "(i32.store (local.get 0) (local.get 0)) (local.set 0 (i32.and (i32.add (local.get 0) (i32.const 4)) (i32.const 65532)))",
            ),
        ),
        (
            "store then load",
            plain(
                "(i32.store (i32.const 8) (local.get 0)) (local.set 0 (i32.add (i32.load (i32.const 8)) (i32.const 1)))",
            ),
        ),
        ("load, 64 KiB at random", chase(1)),
        ("load, 256 KiB at random", chase(4)),
        ("load, 1 MiB at random", chase(16)),
        ("load, 2 MiB at random", chase(32)),
        ("load, 4 MiB at random", chase(64)),
        ("load, 8 MiB at random", chase(128)),
        ("load, 16 MiB at random", chase(256)),
        ("store, 16 MiB at random", store_at_random(256)),
        ("call", chain(1, function, "(local.set 0 (call $f (local.get 0)))", ROUNDS)),
        (
            "call_indirect",
            chain(1, &table, "(local.set 0 (call_indirect (type $t) (local.get 0) (i32.const 0)))", ROUNDS),
        ),
        (
            "global",
            chain(
                1,
                "(global $g (mut i32) (i32.const 0))",
                "(global.set $g (i32.add (global.get $g) (i32.const 1)))",
                ROUNDS,
            ),
        ),
        (
            "branches, predicted",
            plain("(block (br_if 0 (i32.eqz (local.get 0))) (local.set 0 (i32.add (local.get 0) (i32.const 2))))"),
        ),
        ("branches, at random", plain(RANDOM_BRANCH)),
        ("br_table, at random", plain(RANDOM_TABLE)),
        ("memory.fill, 0 bytes", plain("(memory.fill (i32.const 0) (i32.const 0) (i32.const 0))")),
        ("memory.fill, 64 KiB", chain(1, "", "(memory.fill (i32.const 0) (i32.const 0) (i32.const 65536))", 30)),
        ("memory.copy, 64 KiB", chain(2, "", "(memory.copy (i32.const 0) (i32.const 65536) (i32.const 65536))", 30)),
        (
            "memory.copy, 8 MiB",
            chain(256, "", "(memory.copy (i32.const 0) (i32.const 8388608) (i32.const 8388608))", 1),
        ),
        ("memory.size", plain("(local.set 0 (i32.add (local.get 0) (memory.size)))")),
    ]
}

const RANDOM: &str =
    "(local.set 1 (i64.add (i64.mul (local.get 1) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))";
const RANDOM_BRANCH: &str =
    "(local.set 1 (i64.add (i64.mul (local.get 1) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))
    (if (i64.lt_s (local.get 1) (i64.const 0)) (then (local.set 0 (i32.add (local.get 0) (i32.const 2)))))";
const RANDOM_TABLE: &str =
    "(local.set 1 (i64.add (i64.mul (local.get 1) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))
    (block (block (block (block
        (br_table 0 1 2 3 (i32.wrap_i64 (i64.shr_u (local.get 1) (i64.const 62)))))
        (local.set 0 (i32.const 1))) (local.set 0 (i32.const 2))) (local.set 0 (i32.const 3)))";

/// Loads whose address is what the last one read. First every cache line is given the address of some other, which
/// costs little beside the loads.
fn chase(pages: u32) -> String {
    let mask = (u64::from(pages) << 16) - 64;
    let steps = "(local.set 0 (i32.load (local.get 0)))".repeat(32);
    format!(
        r#"(module (memory (export "memory") {pages} {pages})
            (func (export "m") (result i32) (local i32 i64 i32)
                (loop $lines {RANDOM}
                    (i32.store (local.get 0) (i32.and (i32.wrap_i64 (i64.shr_u (local.get 1) (i64.const 32))) (i32.const {mask})))
                    (br_if $lines (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 64))) (i32.const {})))
                )
                (loop $again
                    (local.set 0 (i32.and (i32.add (local.get 0) (local.get 2)) (i32.const {mask})))
                    {steps}
                    (br_if $again (i32.lt_u (local.tee 2 (i32.add (local.get 2) (i32.const 64))) (i32.const {})))
                )
                (local.get 0)))"#,
        u64::from(pages) << 16,
        ROUNDS * 4 * 64
    )
}

fn store_at_random(pages: u32) -> String {
    let mask = (u64::from(pages) << 16) - 8;
    let step = format!(
        "{RANDOM} (i64.store (i32.and (i32.wrap_i64 (i64.shr_u (local.get 1) (i64.const 33))) (i32.const {mask})) (local.get 1))"
    );
    chain(pages, "", &step, ROUNDS)
}
