//! Bytes that nobody designed: modules with everything that Wasm has, valid modules with bytes changed, plain noise.

use arbitrary::Unstructured;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wasm_smith::{Config, Module};

/// A generator of modules from seeds.
type Make = fn(u64) -> Vec<u8>;

pub(crate) const KINDS: [(&str, Make); 4] =
    [("everything on", everything), ("mutations", mutation), ("truncations", truncation), ("noise", noise)];

fn bytes(random: &mut impl Rng, most: usize) -> Vec<u8> {
    let mut bytes = vec![0; random.random_range(1..=most)];
    random.fill_bytes(&mut bytes);
    bytes
}

fn everything(seed: u64) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let bytes = bytes(&mut random, 16 << 10);
    let config = Config {
        allow_start_export: true,
        custom_page_sizes_enabled: random.random(),
        custom_descriptors_enabled: random.random(),
        shared_everything_threads_enabled: random.random(),
        max_memories: random.random_range(1..4),
        max_tables: random.random_range(1..4),
        generate_custom_sections: true,
        ..Config::default()
    };
    // Bytes that make no module are themselves as good as any.
    Module::new(config, &mut Unstructured::new(&bytes)).map_or(bytes.clone(), |module| module.to_bytes())
}

/// A contract with a part of everything that is accepted.
fn valid() -> Vec<u8> {
    wat::parse_str(
        r#"(module
            (type $binary (func (param i32 i64) (result i64)))
            (import "phalanx" "get" (func $get (param i32 i32 i32 i32) (result i32)))
            (table 2 funcref) (elem (i32.const 0) $add $mul)
            (memory (export "memory") 1 4)
            (global $sp (mut i32) (i32.const 4096))
            (func $add (type $binary) (i64.add (i64.extend_i32_u (local.get 0)) (local.get 1)))
            (func $mul (type $binary) (i64.mul (i64.extend_i32_u (local.get 0)) (local.get 1)))
            (func $frame (param i32) (result i32) (local i32)
                (global.set $sp (local.tee 1 (i32.sub (global.get $sp) (i32.const 64))))
                (i64.store offset=8 (local.get 1) (i64.const 7))
                (i64.store offset=16 (local.get 1) (i64.const 8))
                (drop (call $get (local.get 1) (i32.const 8) (local.get 1) (i32.const 64)))
                (memory.copy (local.get 1) (i32.const 0) (i32.const 32))
                (i32.wrap_i64 (call_indirect (type $binary) (i32.const 3) (i64.load (local.get 1)) (local.get 0))))
            (func (export "m") (result i32) (local i32)
                (loop $again (result i32)
                    (block $out
                        (br_table 0 $out $out (call $frame (i32.and (local.get 0) (i32.const 1)))))
                    (local.set 0 (i32.add (local.get 0) (i32.const 1)))
                    (br_if $again (i32.lt_u (local.get 0) (i32.const 9)))
                    (select (i32.const 0) (i32.const 1) (local.get 0))))
            (data (i32.const 64) "state")
            (@custom "phalanx.ordered" "\00\05"))"#,
    )
    .unwrap_or_else(|error| panic!("{error}"))
}

/// A valid module with a few bytes changed.
fn mutation(seed: u64) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut module = valid();
    for _ in 0..random.random_range(1..4_u8) {
        let at = random.random_range(8..module.len());
        match random.random_range(0..4_u8) {
            0 => module[at] = random.random(),
            1 => module[at] ^= 1 << random.random_range(0..8_u8),
            2 => module.insert(at, random.random()),
            _ => drop(module.remove(at)),
        }
    }
    module
}

fn truncation(seed: u64) -> Vec<u8> {
    let mut module = valid();
    let length = ChaCha8Rng::seed_from_u64(seed).random_range(0..module.len());
    module.truncate(length);
    module
}

/// Noise, half of it behind a module's header.
fn noise(seed: u64) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut module = if random.random() { b"\0asm\x01\0\0\0".to_vec() } else { Vec::new() };
    module.extend(bytes(&mut random, 4 << 10));
    module
}
