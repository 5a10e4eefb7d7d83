//! Gas, traps, memory and dirty map of instrumented code do not depend on the engine that runs it.
//!
//! Random modules go through the preparation pass and run on wasmtime with its optimising compiler, on wasmtime with
//! its quickest one, and on wasmi, an interpreter that shares no code with it. `PHALANX_TEST_MODULES` sets how many.

mod engines;
mod generate;
mod recursion;
mod stores;

use std::collections::BTreeMap;

use engines::{Budget, End, Guest, Host, Interpreter, Observed, Optimised, Quick};
use phalanx_engine::limits::STACK_UNITS_MAX;
use phalanx_engine::prepare::{Prepared, prepare};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const MODULES_DEFAULT: u64 = 500;
/// Enough for every part of a random function, and soon spent by an endless loop.
const GAS: i64 = 50_000;

/// What happened, over all modules; every class named in `classes_that_must_occur` has to.
#[derive(Default)]
struct Counts {
    modules: u64,
    calls: u64,
    refused: BTreeMap<&'static str, u64>,
    ends: BTreeMap<String, u64>,
}

impl Counts {
    fn classes_that_must_occur(&self) -> [(&'static str, u64); 7] {
        let ended = |name: &str| self.ends.get(name).copied().unwrap_or(0);
        [
            ("modules", self.modules),
            ("calls", self.calls),
            ("Returned", ended("Returned")),
            ("OutOfGas", ended("OutOfGas")),
            ("StackExhausted", ended("StackExhausted")),
            ("MemoryOutOfBounds", ended("MemoryOutOfBounds")),
            ("Unreachable", ended("Unreachable")),
        ]
    }
}

#[test]
fn random_modules_run_the_same_on_every_engine() {
    let modules = std::env::var("PHALANX_TEST_MODULES")
        .map_or(MODULES_DEFAULT, |text| text.parse().expect("a number of modules"));
    let counts = on_a_large_stack(move || {
        let engines = (Optimised::new(), Quick::new(), Interpreter::new());
        let mut counts = Counts::default();
        // Some bytes make no module, and some modules are refused.
        for seed in 0..modules * 4 {
            if counts.modules < modules {
                compare(seed, &engines, &mut counts);
            }
        }
        assert_eq!(counts.modules, modules, "too many modules are refused: {:?}", counts.refused);
        counts
    });
    println!("{} modules, {} calls on each of 3 engines", counts.modules, counts.calls);
    println!("refused: {:?}", counts.refused);
    println!("ends: {:?}", counts.ends);
    for (class, count) in counts.classes_that_must_occur() {
        assert!(count > 0, "no {class}: the generator does not test what it is there for");
    }
}

/// Runs `test` where a call finds the native stack it may need.
fn on_a_large_stack<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(test).expect("a thread");
    match thread.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn compare(seed: u64, engines: &(Optimised, Quick, Interpreter), counts: &mut Counts) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let Some(module) = generate::module(&mut random) else { return };
    let prepared = match prepare(&module) {
        Ok(prepared) => prepared,
        Err(refused) => {
            for reason in refused.reasons {
                *counts.refused.entry(reason.name()).or_default() += 1;
            }
            return;
        }
    };
    counts.modules += 1;
    let calls = calls(&prepared, &mut random);
    let optimised = run(&engines.0, &prepared, &calls, seed);
    let quick = run(&engines.1, &prepared, &calls, seed);
    let interpreted = run(&engines.2, &prepared, &calls, seed);
    for (index, call) in calls.iter().enumerate() {
        let expected = &interpreted[index];
        for (engine, actual) in [("optimised", &optimised[index]), ("quick", &quick[index])] {
            assert_eq!(actual, expected, "seed {seed}, call {index} {call:?}: {engine} and interpreter differ");
        }
        counts.calls += 1;
        *counts.ends.entry(expected.end.class().to_owned()).or_default() += 1;
    }
}

/// Every method twice, and again with little gas and with little stack.
fn calls(prepared: &Prepared, random: &mut impl Rng) -> Vec<(String, Budget)> {
    let mut calls = Vec::new();
    for method in &prepared.methods {
        let little_gas = i64::from(random.random_range(0..500_u16));
        let little_stack = random.random_range(0..100_u32);
        let full = Budget { gas: GAS, stack: STACK_UNITS_MAX };
        for budget in [full, Budget { gas: little_gas, ..full }, Budget { stack: little_stack, ..full }, full] {
            calls.push((method.clone(), budget));
        }
    }
    calls
}

fn run<H: Host>(host: &H, prepared: &Prepared, calls: &[(String, Budget)], seed: u64) -> Vec<Observed> {
    let mut guest = Guest::new(host, prepared);
    calls
        .iter()
        .map(|(method, budget)| {
            let observed = guest.call(method, *budget);
            if observed.end != End::Unclassified {
                guest.restore().unwrap_or_else(|byte| {
                    panic!("seed {seed}, {method} {budget:?}: byte {byte} of memory was written, but not marked")
                });
            }
            observed
        })
        .collect()
}
