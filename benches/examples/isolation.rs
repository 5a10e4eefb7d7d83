//! What isolation costs: a pristine instance a call, as the engine gives it, against one that leaks.
//!
//! `cargo run --release -p phalanx-benches --example isolation [ROUNDS]` prints nanoseconds a call for contracts that store to 0,
//! 1, 2, 4 and 16 pages of 64 KiB, medians of ROUNDS (5) rounds that take turns.
//!
//! - *leaking*: the module as written, on bare wasmtime, one instance, called in a loop. Nothing is restored.
//! - *pristine*: the engine's stage `execute` for batches of the same calls: preparation's instrumentation, gas and stack, reset
//!   of what was dirtied, and besides those finding the target, the receipt and the branch of the state, which the leaking loop
//!   has not. So the difference is an upper bound of what isolation costs.

use phalanx_benches::clock;
use phalanx_benches::statistics::Sample;
use phalanx_engine::{
    Address, BatchBuilder, Call, Engine, HashSeed, Options, Outcome, SYSTEM_CONTRACT, Stage, contract_id,
    deploy_arguments, deploy_gas,
};
use std::error::Error;
use std::time::Instant;

const PAGES: [u32; 5] = [0, 1, 2, 4, 16];
const CALLS: usize = 16_384;
const BATCHES: u64 = 16;
const DEPLOYER: Address = [7; 32];

/// A contract whose method `touch<n>` stores eight bytes to each of the first n pages.
fn module() -> Result<Vec<u8>, wat::Error> {
    let methods = PAGES.map(|pages| {
        let stores: String =
            (0..pages).map(|page| format!("(i64.store (i32.const {}) (i64.const -1))", (page << 16) + 512)).collect();
        format!(r#"(func (export "touch{pages}") (result i32) {stores} (i32.const 0))"#)
    });
    wat::parse_str(format!(r#"(module (memory (export "memory") 16) {})"#, methods.concat()))
}

/// Nanoseconds a call of `touch<pages>` on bare wasmtime.
fn leaking(module: &[u8], pages: u32) -> Result<f64, Box<dyn Error>> {
    let engine = wasmtime::Engine::default();
    let module = wasmtime::Module::new(&engine, module)?;
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, &module, &[])?;
    let touch = instance.get_typed_func::<(), i32>(&mut store, &format!("touch{pages}"))?;
    let calls = CALLS as u64 * BATCHES;
    let start = Instant::now();
    for _ in 0..calls {
        std::hint::black_box(touch.call(&mut store, ())?);
    }
    Ok(start.elapsed().as_nanos() as f64 / calls as f64)
}

/// Nanoseconds a call of `touch<pages>` in the engine.
fn pristine(module: &[u8], pages: u32) -> Result<f64, Box<dyn Error>> {
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
    let deployed = engine.commit(engine.execute_batch(deploy.finish())?)?;
    if deployed.receipts().any(|receipt| receipt.outcome() != Outcome::Ok) {
        return Err(format!("the deploy failed: {:?}", deployed.explanations()).into());
    }
    let mut nanoseconds = 0;
    for height in 2..2 + BATCHES {
        let mut batch = BatchBuilder::new(height, height);
        for _ in 0..CALLS {
            let method = format!("touch{pages}");
            let contract = contract_id(&DEPLOYER, &salt, module);
            batch.push(&Call { contract, method: &method, sender: DEPLOYER, arguments: &[], gas_limit: 100_000 })?;
        }
        let executed = engine.commit(engine.execute_batch(batch.finish())?)?;
        if executed.receipts().any(|receipt| receipt.outcome() != Outcome::Ok) {
            return Err("a call failed".into());
        }
        nanoseconds += executed.stages().of(Stage::Execute);
    }
    Ok(nanoseconds as f64 / (CALLS as u64 * BATCHES) as f64)
}

fn main() -> Result<(), Box<dyn Error>> {
    let rounds = std::env::args().nth(1).map_or(Ok(5), |rounds| rounds.parse())?;
    let module = module()?;
    println!("ns a call, medians of {rounds}: pages   leaking  pristine  difference   lowest to highest");
    for pages in PAGES {
        let (mut leaks, mut resets, mut differences) = (Sample::new(), Sample::new(), Sample::new());
        for _ in 0..rounds {
            let (leaking, pristine) = (leaking(&module, pages)?, pristine(&module, pages)?);
            leaks.add(leaking);
            resets.add(pristine);
            differences.add(pristine - leaking);
        }
        let (low, high) = differences.range();
        let medians = [&leaks, &resets, &differences].map(Sample::median);
        println!("{pages:>33} {:>9.1} {:>9.1} {:>11.1}   {low:.1} to {high:.1}", medians[0], medians[1], medians[2]);
    }
    Ok(())
}
