//! What isolation costs: a pristine instance a call against one that leaks.
//!
//! `cargo run --release -p phalanx-benches --example isolation [ROUNDS]` prints nanoseconds a call of methods that store to 0, 1,
//! 2, 4 and 16 pages of 64 KiB, medians of ROUNDS (5) rounds that take turns:
//!
//! - *leaking*: the module as written, on bare wasmtime, one instance, called in a loop. Nothing is restored.
//! - *pristine*: the module as the preparation pass made it, also on bare wasmtime; before each call gas and stack are
//!   armed, after it every granule that is marked dirty is restored, as the pass's documentation asks of a host.
//! - *engine*: the stage `execute` of batches of the same calls. Besides what *pristine* does it finds the target, opens the
//!   call's branch of the state and writes its receipt, so that its distance to *leaking* is an upper bound.

use phalanx_benches::clock;
use phalanx_benches::statistics::Sample;
use phalanx_engine::limits::STACK_UNITS_MAX;
use phalanx_engine::prepare::{
    CALL_EXPORT_PREFIX, CONTROL_DIRTY, CONTROL_EXPORT, CONTROL_GAS, CONTROL_HALT, CONTROL_STACK, GRANULE_LOG2,
    GRANULE_SLACK_BYTES, HALT_NONE, MEMORY_EXPORT, prepare,
};
use phalanx_engine::{
    Address, BatchBuilder, Call, Engine, HashSeed, Options, Outcome, SYSTEM_CONTRACT, Stage, contract_id,
    deploy_arguments, deploy_gas,
};
use std::error::Error;
use std::time::Instant;
use wasmtime::{Instance, Memory, Module, Store, TypedFunc};

const PAGES: [u32; 5] = [0, 1, 2, 4, 16];
const CALLS: usize = 16_384;
const BATCHES: u64 = 16;
const GAS: u32 = 100_000;
const DEPLOYER: Address = [7; 32];

/// A contract whose method `touch` stores eight bytes to each of its pages; with 0 it has one page and stores nothing.
fn module(pages: u32) -> Result<Vec<u8>, wat::Error> {
    let store = |page: u32| format!("(i64.store (i32.const {}) (i64.const -1))", (page << 16) + 512);
    let stores: String = (0..pages).map(store).collect();
    let memory = pages.max(1);
    wat::parse_str(format!(
        r#"(module (memory (export "memory") {memory}) (func (export "touch") (result i32) {stores} (i32.const 0)))"#
    ))
}

struct Bare {
    store: Store<()>,
    instance: Instance,
}

impl Bare {
    fn new(module: &[u8]) -> Result<Self, Box<dyn Error>> {
        let mut config = wasmtime::Config::new();
        config.wasm_multi_memory(true);
        let engine = wasmtime::Engine::new(&config)?;
        let module = Module::new(&engine, module)?;
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[])?;
        Ok(Self { store, instance })
    }

    fn method(&mut self, prefix: &str) -> Result<TypedFunc<(), i32>, Box<dyn Error>> {
        Ok(self.instance.get_typed_func(&mut self.store, &format!("{prefix}touch"))?)
    }

    fn memory(&mut self, name: &str) -> Result<Memory, Box<dyn Error>> {
        Ok(self.instance.get_memory(&mut self.store, name).ok_or("the module exports its memory")?)
    }
}

/// Nanoseconds of one of many calls.
fn timed(mut call: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let calls = CALLS as u64 * BATCHES;
    let start = Instant::now();
    for _ in 0..calls {
        call()?;
    }
    Ok(start.elapsed().as_nanos() as f64 / calls as f64)
}

fn leaking(module: &[u8]) -> Result<f64, Box<dyn Error>> {
    let mut bare = Bare::new(module)?;
    let touch = bare.method("")?;
    timed(|| {
        std::hint::black_box(touch.call(&mut bare.store, ())?);
        Ok(())
    })
}

fn pristine(module: &[u8]) -> Result<f64, Box<dyn Error>> {
    let prepared = prepare(module).map_err(|refused| refused.to_string())?;
    let mut bare = Bare::new(&prepared.wasm)?;
    let touch = bare.method(CALL_EXPORT_PREFIX)?;
    let (memory, control) = (bare.memory(MEMORY_EXPORT)?, bare.memory(CONTROL_EXPORT)?);
    let image = memory.data(&bare.store).to_vec();
    let mut granules = Vec::new();
    let nanoseconds = timed(|| {
        arm(control.data_mut(&mut bare.store));
        std::hint::black_box(touch.call(&mut bare.store, ())?);
        let marks = image.len() >> GRANULE_LOG2;
        take_marks(&mut control.data_mut(&mut bare.store)[CONTROL_DIRTY as usize..][..marks], &mut granules);
        restore(memory.data_mut(&mut bare.store), &image, &granules);
        Ok(())
    })?;
    if memory.data(&bare.store) != image {
        return Err("the instance did not come back pristine".into());
    }
    Ok(nanoseconds)
}

/// Gas, stack and halt for the next call.
fn arm(control: &mut [u8]) {
    let mut put = |at: u64, bytes: &[u8]| control[at as usize..][..bytes.len()].copy_from_slice(bytes);
    put(CONTROL_GAS, &u64::from(GAS).to_le_bytes());
    put(CONTROL_STACK, &STACK_UNITS_MAX.to_le_bytes());
    put(CONTROL_HALT, &HALT_NONE.to_le_bytes());
}

/// Collects the numbers of the marked granules and clears the marks, eight at a time.
fn take_marks(marks: &mut [u8], granules: &mut Vec<usize>) {
    granules.clear();
    let (words, _) = marks.as_chunks_mut::<8>();
    for (word, marks) in words.iter_mut().enumerate() {
        if u64::from_ne_bytes(*marks) != 0 {
            granules.extend((0..8).filter(|at| marks[*at] != 0).map(|at| 8 * word + at));
            *marks = [0; 8];
        }
    }
}

fn restore(memory: &mut [u8], image: &[u8], granules: &[usize]) {
    for granule in granules {
        let start = granule << GRANULE_LOG2;
        let end = (start + (1 << GRANULE_LOG2) + GRANULE_SLACK_BYTES as usize).min(image.len());
        memory[start..end].copy_from_slice(&image[start..end]);
    }
}

fn engine(module: &[u8]) -> Result<f64, Box<dyn Error>> {
    let options = Options { hash_seed: HashSeed::Fixed(1), clock: Some(clock::nanoseconds), ..Options::default() };
    let engine = Engine::new(options);
    let salt = [0; 32];
    let mut deploy = BatchBuilder::new(1, 1);
    deploy.push(&Call {
        contract: SYSTEM_CONTRACT,
        method: "deploy",
        sender: DEPLOYER,
        arguments: &deploy_arguments(&salt, module),
        gas_limit: deploy_gas(module.len()) as u32,
    })?;
    engine.commit(engine.execute_batch(deploy.finish())?)?;
    let contract = contract_id(&DEPLOYER, &salt, module);
    let call = Call { contract, method: "touch", sender: DEPLOYER, arguments: &[], gas_limit: GAS };
    let mut nanoseconds = 0;
    for height in 2..2 + BATCHES {
        let mut batch = BatchBuilder::new(height, height);
        for _ in 0..CALLS {
            batch.push(&call)?;
        }
        let executed = engine.commit(engine.execute_batch(batch.finish())?)?;
        if let Some(failed) = executed.receipts().find(|receipt| receipt.outcome() != Outcome::Ok) {
            return Err(format!("a call ended as {}", failed.outcome().name()).into());
        }
        nanoseconds += executed.stages().of(Stage::Execute);
    }
    Ok(nanoseconds as f64 / (CALLS as u64 * BATCHES) as f64)
}

fn main() -> Result<(), Box<dyn Error>> {
    let rounds = std::env::args().nth(1).map_or(Ok(5), |rounds| rounds.parse())?;
    println!("ns a call, medians of {rounds} rounds");
    println!("pages   leaking  pristine  isolation (lowest to highest)    engine  upper bound");
    for pages in PAGES {
        let module = module(pages)?;
        let mut samples: [Sample; 5] = Default::default();
        for _ in 0..rounds {
            let (leaking, pristine, engine) = (leaking(&module)?, pristine(&module)?, engine(&module)?);
            let figures = [leaking, pristine, pristine - leaking, engine, engine - leaking];
            samples.iter_mut().zip(figures).for_each(|(sample, figure)| sample.add(figure));
        }
        let [leaking, pristine, isolation, engine, bound] = [0, 1, 2, 3, 4].map(|at: usize| samples[at].median());
        let (low, high) = samples[2].range();
        println!(
            "{pages:>5} {leaking:>9.1} {pristine:>9.1} {isolation:>10.1} ({low:>5.1} to {high:>5.1}) {:>14.1} {bound:>12.1}",
            engine
        );
    }
    Ok(())
}
