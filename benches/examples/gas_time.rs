//! How well gas stands for time: nanoseconds a gas of each attack of contracts/hostile, and of a token transfer.
//!
//! `cargo run --release -p phalanx-benches --example gas_time [ROUNDS]` prints medians of ROUNDS (5) rounds, in which the methods take
//! turns. Nanoseconds are those of the stage `execute`: host functions, reset and state are in them, digests are not. A method that
//! costs more nanoseconds a gas than transfers do is one that somebody can load a node with for less.

use phalanx_benches::clock;
use phalanx_benches::statistics::Sample;
use phalanx_benches::workload::{Shape, Token, Workload};
use phalanx_engine::{BatchBuilder, Call, Deployment, Engine, HashSeed, Options, Stage, contract_id, gas};
use std::error::Error;

const HOSTILE: &[u8] = include_bytes!("../../contracts/wasm/hostile.wasm");
const SENDER: [u8; 32] = [7; 32];
const TRANSFERS: Shape = Shape { accounts: 100, calls: 100_000, batch_size: 16_384, skew: 0.0, seed: 1 };
/// Gas that the calls of one method may use in a round.
const GAS_A_ROUND: u64 = 50_000_000;
const CALLS_MOST: u64 = 500;
/// Gas for entering a method of `hostile` with up to 800 bytes of arguments, and for the trap that any limit has to cover.
const LEAST_LIMIT: u32 = (gas::CALL + gas::MEMORY_PAGE_SCAN + gas::TRAP) as u32 + 100;

/// A method, its argument if it takes one, and what a call may use.
const ATTACKS: &[(&str, &[u32], u32)] = &[
    ("huge_event", &[4_096], 200_000),
    ("many_events", &[64], 200_000),
    ("many_writes", &[1_000], 2_000_000),
    ("long_key", &[256], 200_000),
    ("long_key_read", &[256], 200_000),
    ("big_value", &[65_536], 1_000_000),
    ("big_return", &[65_536], 1_000_000),
    ("scan_unordered", &[], 200_000),
    ("add_to_word", &[], 200_000),
    ("long_abort", &[1_024], 200_000),
    ("panics", &[9], 200_000),
    ("revert_after_writes", &[100], 1_000_000),
    ("endless_loop", &[], 10_000_000),
    ("memory_bomb", &[], 100_000_000),
    ("grow", &[1], 1_000_000),
    ("dirty_memory", &[], 10_000_000),
    ("deep_recursion", &[], 10_000_000),
    ("deep_frames", &[], 10_000_000),
    ("burn", &[100_000, 0], 10_000_000),
    ("pages", &[], 200_000),
    ("divide_by_zero", &[], 200_000),
    ("out_of_bounds", &[], 200_000),
    ("unreachable", &[], 200_000),
    ("call_nothing", &[], 200_000),
    ("call_wrong_type", &[], 200_000),
    ("trap_after_writes", &[100], 1_000_000),
    ("host_reads_outside", &[], 200_000),
    ("host_reads_wrapped", &[], 200_000),
    ("host_writes_outside", &[], 200_000),
    ("no_such_method", &[], 200_000),
    // What can be done with the least limit that enters a method.
    ("endless_loop", &[], LEAST_LIMIT),
    ("unreachable", &[], LEAST_LIMIT),
    ("out_of_bounds", &[], LEAST_LIMIT),
    ("call_wrong_type", &[], LEAST_LIMIT),
    ("trap_after_writes", &[40], LEAST_LIMIT),
    ("deep_frames", &[], LEAST_LIMIT),
    ("many_writes", &[1_000], LEAST_LIMIT),
    ("long_abort", &[1_024], LEAST_LIMIT),
];

fn engine() -> Engine {
    Engine::new(Options { hash_seed: HashSeed::Fixed(1), clock: Some(clock::nanoseconds), ..Options::default() })
}

fn transfers() -> Result<f64, Box<dyn Error>> {
    let (engine, token) = (engine(), Token::new(TRANSFERS)?);
    let (mut gas, mut nanoseconds) = (0, 0);
    for height in 1..=token.set_up_batches() + token.measured_batches() {
        let executed = engine.commit(engine.execute_batch(token.batch(height)?)?)?;
        if height > token.set_up_batches() {
            gas += executed.receipts().map(|receipt| receipt.gas_used()).sum::<u64>();
            nanoseconds += executed.stages().of(Stage::Execute);
        }
    }
    Ok(nanoseconds as f64 / gas as f64)
}

/// Nanoseconds a gas of calls of one method. The first batch warms up, and tells how many calls fit a round.
fn attack(engine: &Engine, method: &str, arguments: &[u32], gas_limit: u32) -> Result<f64, Box<dyn Error>> {
    let arguments: Vec<u8> = arguments.iter().flat_map(|number| number.to_le_bytes()).collect();
    let run = |calls: u64| -> Result<(u64, u64), Box<dyn Error>> {
        let mut batch = BatchBuilder::new(engine.height() + 1, engine.height() + 1);
        let contract = contract_id(&SENDER, &[0; 32], HOSTILE);
        for _ in 0..calls {
            batch.push(&Call { contract, method, sender: SENDER, arguments: &arguments, gas_limit })?;
        }
        let executed = engine.commit(engine.execute_batch(batch.finish())?)?;
        let gas = executed.receipts().map(|receipt| receipt.gas_used()).sum();
        Ok((gas, executed.stages().of(Stage::Execute)))
    };
    let (gas, _) = run(1)?;
    let (gas, nanoseconds) = run((GAS_A_ROUND / gas.max(1)).clamp(1, CALLS_MOST))?;
    Ok(nanoseconds as f64 / gas as f64)
}

fn main() -> Result<(), Box<dyn Error>> {
    let rounds = std::env::args().nth(1).map_or(Ok(5), |rounds| rounds.parse())?;
    let engine = engine();
    let mut deploy = BatchBuilder::new(1, 1);
    deploy.push(&Deployment::new(SENDER, [0; 32], HOSTILE).call())?;
    engine.commit(engine.execute_batch(deploy.finish())?)?;
    let mut of_transfers = Sample::new();
    let mut of_attacks: Vec<_> = ATTACKS.iter().map(|attack| (attack, Sample::new())).collect();
    for _ in 0..rounds {
        of_transfers.add(transfers()?);
        for ((method, arguments, gas_limit), sample) in &mut of_attacks {
            sample.add(attack(&engine, method, arguments, *gas_limit)?);
        }
    }
    let transfer = of_transfers.median();
    println!("{:<22} {:>11} {:>8} {:>12}", "", "limit", "ns/gas", "of transfers");
    println!("{:<22} {:>11} {transfer:>8.3} {:>12.2}", "transfer", "", 1.0);
    of_attacks.sort_by(|(_, left), (_, right)| right.median().total_cmp(&left.median()));
    for ((method, _, gas_limit), sample) in &of_attacks {
        println!("{method:<22} {gas_limit:>11} {:>8.3} {:>12.2}", sample.median(), sample.median() / transfer);
    }
    Ok(())
}
