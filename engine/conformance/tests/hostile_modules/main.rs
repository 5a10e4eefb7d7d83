//! Any bytes at all are refused by name, or accepted, within bounded time and memory; and what is accepted compiles
//! within bounded time and memory too.
//!
//! Memory is counted by this binary's allocator. Time has one generous bound, as machines differ.

mod bombs;
mod memory;
mod random;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use memory::peak_of;
use phalanx_engine::prepare::prepare;
use wasmtime::{Config, Engine, Module, OptLevel, RegallocAlgorithm};

/// What the pass may take of the heap above what was there, for one module.
const PASS_BYTES_MAX: usize = 64 << 20;
/// What the pass and the deploy's compiler may take together.
const DEPLOY_BYTES_MAX: usize = 512 << 20;
/// Time of one deploy: 2 s of the code that a node runs. Built for tests, the compiler is several times slower.
const DEPLOY_TIME_MAX: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 2 });

/// What became of the modules of one kind.
#[derive(Default)]
struct Tally {
    accepted: u64,
    refused: BTreeMap<&'static str, u64>,
    slowest: Duration,
    pass_bytes: usize,
    deploy_bytes: usize,
}

impl Tally {
    fn refused(&self) -> u64 {
        self.refused.values().sum()
    }
}

/// wasmtime with its quickest compiler, or as the node compiles: what strangers' modules cost is bounded for the first, and for the
/// second only printed, see ARCHITECTURE.md's limits.
fn engine(level: OptLevel, algorithm: RegallocAlgorithm) -> Engine {
    let mut config = Config::new();
    config.wasm_multi_memory(true).memory_may_move(false);
    config.cranelift_opt_level(level).cranelift_regalloc_algorithm(algorithm);
    config.wasm_backtrace_max_frames(None).generate_address_map(false);
    Engine::new(&config).expect("a configuration that wasmtime has")
}

/// Passes one module, compiles it if it is accepted, and holds both to the bounds.
fn deploy(name: &str, module: &[u8], engine: &Engine, tally: &mut Tally) {
    let start = Instant::now();
    let (result, pass_bytes) = peak_of(|| prepare(module));
    assert!(pass_bytes <= PASS_BYTES_MAX, "{name}: the pass took {pass_bytes} bytes");
    tally.pass_bytes = tally.pass_bytes.max(pass_bytes);
    match result {
        Err(refused) => {
            let first = refused.reasons.first().unwrap_or_else(|| panic!("{name}: refused without a reason"));
            *tally.refused.entry(first.name()).or_default() += 1;
        }
        Ok(prepared) => {
            tally.accepted += 1;
            let checked = wasmparser::Validator::new().validate_all(&prepared.wasm).map(drop);
            assert!(checked.is_ok(), "{name}: instrumented code is invalid: {checked:?}");
            let (compiled, bytes) = peak_of(|| Module::new(engine, &prepared.wasm));
            assert!(compiled.is_ok(), "{name}: {compiled:?}");
            assert!(bytes <= DEPLOY_BYTES_MAX, "{name}: the compiler took {bytes} bytes");
            tally.deploy_bytes = tally.deploy_bytes.max(bytes);
        }
    }
    let elapsed = start.elapsed();
    assert!(elapsed <= DEPLOY_TIME_MAX, "{name}: took {elapsed:?}");
    tally.slowest = tally.slowest.max(elapsed);
}

fn report(kind: &str, tally: &Tally) {
    println!(
        "{kind}: {} accepted, {} refused {:?}; slowest {:?}, pass {} KiB, compiler {} MiB",
        tally.accepted,
        tally.refused(),
        tally.refused,
        tally.slowest,
        tally.pass_bytes >> 10,
        tally.deploy_bytes >> 20
    );
}

/// How many random modules of each kind.
fn modules() -> u64 {
    std::env::var("PHALANX_TEST_MODULES").map_or(300, |text| text.parse().expect("a number of modules"))
}

/// One test, as the allocator counts for the whole process.
#[test]
fn any_bytes_are_deployed_or_refused_within_bounds() {
    let engine = engine(OptLevel::None, RegallocAlgorithm::SinglePass);
    bombs_are_bounded(&engine);
    for (kind, make) in random::KINDS {
        let mut tally = Tally::default();
        for seed in 0..modules() {
            deploy(&format!("{kind}, seed {seed}"), &make(seed), &engine, &mut tally);
        }
        report(kind, &tally);
        assert!(tally.refused() > 0, "{kind}: nothing is refused");
    }
}

fn bombs_are_bounded(engine: &Engine) {
    let mut all = Tally::default();
    for (name, module) in bombs::all() {
        let mut tally = Tally::default();
        deploy(name, &module, engine, &mut tally);
        report(name, &tally);
        all.accepted += tally.accepted;
        for (reason, count) in tally.refused {
            *all.refused.entry(reason).or_default() += count;
        }
    }
    report("bombs", &all);
    if !cfg!(debug_assertions) {
        print_optimised();
    }
    assert!(all.accepted > 0 && all.refused() > 0, "bombs on both sides of the limits are what is tested");
}

fn print_optimised() {
    let engine = engine(OptLevel::Speed, RegallocAlgorithm::Backtracking);
    for (name, module) in bombs::all() {
        let Ok(prepared) = prepare(&module) else { continue };
        let start = Instant::now();
        let (compiled, bytes) = peak_of(|| Module::new(&engine, &prepared.wasm));
        assert!(compiled.is_ok(), "{name}: {compiled:?}");
        println!("{name}, optimised: {:?}, {} MiB", start.elapsed(), bytes >> 20);
    }
}
