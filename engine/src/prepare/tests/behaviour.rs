//! What instrumented code does: the dirty map, globals, the stack, and results that stay what they were.

use super::*;

/// The granules that one call of a method of this body marks.
fn marks(body: &str) -> Vec<usize> {
    let wasm = contract(&format!(r#"(func (export "m") (result i32) (local i32 i32) {body} (i32.const 0))"#));
    let mut instance = Instance::new(&wasm);
    instance.call("m", GAS, limits::STACK_UNITS_MAX);
    instance.dirty()
}

#[test]
fn a_store_marks_the_granule_it_starts_in() {
    assert_eq!(marks("(i32.store (i32.const 0) (i32.const 1))"), [0]);
    assert_eq!(marks("(i32.store offset=1024 (i32.const 0) (i32.const 1))"), [1]);
    assert_eq!(marks("(i64.store offset=24 (i32.const 1000) (i64.const 1))"), [1]);
    assert_eq!(marks("(i64.store (i32.const 1023) (i64.const 1))"), [0]);
    assert_eq!(marks("(i64.store8 (i32.const 65535) (i64.const 1))"), [63]);
    assert_eq!(
        marks("(i32.store16 (i32.const 5000) (i32.const 1)) (i32.store8 (i32.const 9000) (i32.const 1))"),
        [4, 8]
    );
}

#[test]
fn stores_that_do_not_run_mark_nothing() {
    let base = "(local.set 0 (i32.const 1000)) (i32.store (local.get 0) (i32.const 1))";
    assert_eq!(
        marks(&format!("{base} (block (br_if 0 (i32.const 1)) (i32.store offset=500 (local.get 0) (i32.const 1)))")),
        [0]
    );
    assert_eq!(
        marks(&format!("{base} (if (i32.const 0) (then (i32.store offset=500 (local.get 0) (i32.const 1))))")),
        [0]
    );
    assert_eq!(marks(&format!("{base} (i32.store offset=500 (local.get 0) (i32.const 1))")), [0, 1]);
}

#[test]
fn a_store_outside_memory_marks_nothing_but_the_map() {
    // Behind memory, behind the largest memory, behind the control memory, and where the sum passes 2³².
    for (address, offset) in [(65_536_u32, 0), (20 << 20, 0), (1 << 30, 5), (u32::MAX, u32::MAX)] {
        let body = format!("(i32.store offset={offset} (i32.const {address}) (i32.const 1))");
        let wasm = contract(&format!(r#"(func (export "m") (result i32) {body} (i32.const 0))"#));
        let mut instance = Instance::new(&wasm);
        let ended = instance.call("m", GAS, 100);
        assert!(ended.result.unwrap_err().contains("out of bounds"));
        assert_eq!((ended.halt, ended.stack_left), (HALT_NONE, 100));
        assert!(instance.dirty().iter().all(|granule| *granule < DIRTY_BYTES as usize));
    }
}

#[test]
fn fill_and_copy_mark_their_range_if_it_lies_in_memory() {
    assert_eq!(marks("(memory.fill (i32.const 1023) (i32.const 7) (i32.const 2))"), [0, 1]);
    assert_eq!(marks("(memory.fill (i32.const 1024) (i32.const 7) (i32.const 2048))"), [1, 2]);
    assert_eq!(marks("(memory.copy (i32.const 4096) (i32.const 0) (i32.const 1025))"), [4, 5]);
    assert_eq!(marks("(memory.fill (i32.const 65536) (i32.const 7) (i32.const 0))"), [0_usize; 0]);
    assert_eq!(marks("(memory.fill (i32.const 65535) (i32.const 7) (i32.const 2))"), [0_usize; 0]);
    assert_eq!(marks("(memory.copy (i32.const -1) (i32.const 0) (i32.const 2))"), [0_usize; 0]);
}

/// Where a test leaves a base address, far from what it stores to.
const BASE_AT: u32 = 60_000;

/// Stores on one base that share marks still cover what each of them writes.
#[test]
fn grouped_stores_cover_every_byte_they_write() {
    let shapes: [&[(u32, &str)]; 6] = [
        &[(0, "i64.store"), (8, "i64.store")],
        &[(0, "i64.store"), (10, "i64.store")],
        &[(8, "i64.store"), (0, "i64.store"), (9, "i64.store8")],
        &[(0, "i64.store"), (8, "i64.store"), (4, "i32.store"), (1020, "i32.store"), (512, "i64.store")],
        &[(2000, "i32.store"), (0, "i32.store"), (1000, "i64.store"), (1024, "i64.store")],
        &[(4, "i64.store"), (12, "i64.store"), (0, "i32.store")],
    ];
    for shape in shapes {
        // The base comes out of memory, so that nothing is known of it.
        let mut body = format!("(local.set 0 (i32.load (i32.const {BASE_AT})))");
        for (offset, store) in shape {
            let value = if store.starts_with("i64") { "(i64.const -1)" } else { "(i32.const -1)" };
            body += &format!("({store} offset={offset} (local.get 0) {value})");
        }
        let wasm = contract(&format!(r#"(func (export "m") (result i32) (local i32) {body} (i32.const 0))"#));
        let mut instance = Instance::new(&wasm);
        for base in (0..3000).step_by(7).chain(1000..1100) {
            instance.write_memory(BASE_AT, base);
            instance.clear_dirty();
            assert_eq!(instance.call("m", GAS, 100).result, Ok(0));
            for (offset, store) in shape {
                let bytes = if store.ends_with('8') { 1 } else { store[1..3].parse::<u32>().expect("bits") / 8 };
                for byte in base + offset..base + offset + bytes {
                    assert!(
                        instance.covers(byte),
                        "base {base}, {shape:?}: byte {byte} in none of {:?}",
                        instance.dirty()
                    );
                }
            }
        }
    }
}

#[test]
fn a_wrapper_resets_every_mutable_global() {
    for globals in [1, 4, 5, 200] {
        let mut fields = String::from("(func $bump (result i64) (local i64)");
        for global in 0..globals {
            fields += &format!(
                "(local.set 0 (i64.add (local.get 0) (global.get $g{global})))
                 (global.set $g{global} (i64.add (global.get $g{global}) (i64.const 1)))"
            );
        }
        fields += "(local.get 0))";
        for global in 0..globals {
            fields += &format!("(global $g{global} (mut i64) (i64.const {}))", global * 10);
        }
        let wasm = contract(&format!(r#"{fields} (func (export "m") (result i32) (i32.wrap_i64 (call $bump)))"#));
        let mut instance = Instance::new(&wasm);
        let expected = (0..globals).map(|global| global * 10).sum();
        for _ in 0..3 {
            assert_eq!(instance.call("m", GAS, 1_000).result, Ok(expected));
        }
    }
}

#[test]
fn stack_units_are_taken_and_given_back_on_every_way_out() {
    let ways = [
        "(i32.const 1)",
        "(return (i32.const 1))",
        "(br 0 (i32.const 1))",
        "(block (br_if 1 (i32.const 1) (i32.const 1)) drop) (i32.const 1)",
        "(block (result i32) (loop (result i32) (br_table 1 2 (i32.const 1) (i32.const 1))))",
        "(if (i32.const 1) (then (return (i32.const 1)))) (i32.const 1)",
    ];
    for way in ways {
        let wasm = contract(&format!(
            r#"(func $g) (func $f (result i32) (call $g) {way}) (func (export "m") (result i32) (call $f))"#
        ));
        let ended = Instance::new(&wasm).call("m", GAS, 100);
        assert_eq!((ended.result, ended.stack_left), (Ok(1), 100), "{way}");
    }
    let pair = r#"(func $f (result i64 i32) (call $g) (i64.const 5) (i32.const 6)) (func $g)
        (func (export "m") (result i32) (call $f) (drop) (i32.wrap_i64))"#;
    let ended = Instance::new(&contract(pair)).call("m", GAS, 100);
    assert_eq!((ended.result, ended.stack_left), (Ok(5), 100));
}

#[test]
fn a_frame_that_does_not_fit_halts_before_it_runs() {
    // The method's frame is 2 + one operand; the leaf's 2 + 3 locals + one operand + 8 values / 8.
    let values = "(local.set 0 (i64.const 1))".repeat(3);
    let wasm = contract(&format!(
        r#"(func $leaf (local i64 i64 i64) {values} (i32.store (i32.const 0) (i32.const 1)))
           (func (export "m") (result i32) (call $leaf) (i32.const 0))"#
    ));
    let mut instance = Instance::new(&wasm);
    let needed = 3 + (2 + 3 + 2 + 1);
    assert_eq!(instance.call("m", GAS, needed).result, Ok(0));
    instance.clear_dirty();
    let ended = instance.call("m", GAS, needed - 1);
    assert_eq!((ended.halt, ended.stack_left), (HALT_STACK, needed as i32 - 1 - 3));
    assert!(ended.result.is_err());
    assert_eq!(instance.dirty(), [0_usize; 0], "the leaf stored nothing");
    let ended = instance.call("m", GAS, 2);
    assert_eq!((ended.halt, ended.stack_left), (HALT_STACK, -1));
}

#[test]
fn memory_grows_to_its_limit_and_no_further() {
    let grow = r#"(func (export "m") (result i32) (memory.grow (i32.const 3)))"#;
    let declared = wat(&format!(r#"(module (memory (export "memory") 1 4) {grow})"#));
    let mut instance = Instance::new(&declared);
    assert_eq!(instance.call("m", GAS, 100).result, Ok(1));
    assert_eq!(instance.call("m", GAS, 100).result, Ok(-1));
    let undeclared = wat(&format!(r#"(module (memory (export "memory") 1) {grow})"#));
    let undeclared = prepare(&undeclared).expect("accepted");
    assert_eq!((undeclared.memory_pages_min, undeclared.memory_pages_max), (1, limits::MEMORY_PAGES_MAX));
}
