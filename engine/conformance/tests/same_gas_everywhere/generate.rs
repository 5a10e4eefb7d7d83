//! Random modules that the pass mostly accepts.

use std::sync::LazyLock;

use arbitrary::Unstructured;
use rand::{Rng, RngExt};
use wasm_smith::{Config, Module};

/// What every module exports; wasm-smith makes up the rest.
static EXPORTS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    wat::parse_str(
        r#"(module
            (memory (export "memory") 1 4)
            (func (export "f0") (result i32) unreachable)
            (func (export "f1") (result i32) unreachable)
            (func (export "f2") (result i32) unreachable)
            (func (export "f3") (result i32) unreachable))"#,
    )
    .expect("the text above is a module")
});

/// A module of at most some hundred instructions a function; `None` if the bytes drawn make none.
pub(crate) fn module(random: &mut impl Rng) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 1 << random.random_range(11..16_u32)];
    random.fill_bytes(&mut bytes);
    let module = Module::new(config(random), &mut Unstructured::new(&bytes)).ok()?;
    Some(module.to_bytes())
}

fn config(random: &mut impl Rng) -> Config {
    Config {
        exports: Some(EXPORTS.clone()),
        max_imports: 0,
        min_types: 3,
        min_funcs: 4,
        max_funcs: 12,
        max_globals: 8,
        max_instructions: random.random_range(50..500),
        // The exported one comes on top.
        max_memories: 0,
        max_memory32_bytes: 4 << 16,
        max_tables: 1,
        max_table_elements: 100,
        max_data_segments: 3,
        max_element_segments: 3,
        bulk_memory_enabled: random.random(),
        allow_floats: false,
        allow_start_export: false,
        compact_imports_enabled: false,
        exceptions_enabled: false,
        extended_const_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        reference_types_enabled: false,
        relaxed_simd_enabled: false,
        saturating_float_to_int_enabled: false,
        simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    }
}
