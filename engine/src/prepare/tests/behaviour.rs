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
fn a_store_outside_memory_marks_nothing_but_the_map() {
    for address in [65_536_u32, 1 << 24, u32::MAX] {
        let body = format!("(i32.store offset=4294967295 (i32.const {address}) (i32.const 1))");
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
    let shapes: [&[(u32, &str)]; 5] = [
        &[(0, "i64.store"), (8, "i64.store")],
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
