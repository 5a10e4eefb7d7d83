//! What the SDK costs a contract: the token of contracts/token against the one written by hand, transfer by transfer.
//!
//! `cargo run --release -p phalanx-benches --example guest_cost [ROUNDS]` prints gas and nanoseconds a transfer of both,
//! medians of ROUNDS (5) rounds that take turns, so that whatever else the machine does meets both alike. Nanoseconds are those
//! of the stage `execute` of the engine: host functions, reset and state are in them, digests are not. With few accounts the
//! state stays in the cache, so that what is left to differ is the guest.

use phalanx_benches::clock;
use phalanx_benches::statistics::Sample;
use phalanx_benches::workload::{Shape, Token, Workload};
use phalanx_engine::{Engine, HashSeed, Options, Outcome, Stage};
use std::error::Error;

const BY_HAND: &str = include_str!("../../contracts/baseline/token_by_hand.wat");
const SHAPE: Shape = Shape { accounts: 100, calls: 500_000, batch_size: 16_384, skew: 0.0, seed: 1 };

/// Gas and nanoseconds of a transfer.
struct Cost {
    gas: f64,
    nanoseconds: f64,
}

fn measure(token: &Token) -> Result<Cost, Box<dyn Error>> {
    let options = Options { hash_seed: HashSeed::Fixed(1), clock: Some(clock::nanoseconds), ..Options::default() };
    let engine = Engine::new(options);
    let (mut gas, mut transfers, mut nanoseconds) = (0, 0, 0);
    for height in 1..=token.set_up_batches() + token.measured_batches() {
        let executed = engine.commit(engine.execute_batch(token.batch(height)?)?)?;
        if height > token.set_up_batches() {
            let done = executed.receipts().filter(|receipt| receipt.outcome() == Outcome::Ok);
            let (calls, used) = done.fold((0, 0), |(calls, used), receipt| (calls + 1, used + receipt.gas_used()));
            (transfers, gas) = (transfers + calls, gas + used);
            nanoseconds += executed.stages().of(Stage::Execute);
        }
    }
    let calls = SHAPE.calls as f64;
    Ok(Cost { gas: gas as f64 / transfers as f64, nanoseconds: nanoseconds as f64 / calls })
}

fn main() -> Result<(), Box<dyn Error>> {
    let rounds = std::env::args().nth(1).map_or(Ok(5), |rounds| rounds.parse())?;
    let sdk = Token::new(SHAPE)?;
    let hand = Token::with_module(SHAPE, wat::parse_str(BY_HAND)?)?;
    let (mut of_sdk, mut of_hand, mut ratios, mut gas) = (Sample::new(), Sample::new(), Sample::new(), (0.0, 0.0));
    for _ in 0..rounds {
        let (sdk, hand) = (measure(&sdk)?, measure(&hand)?);
        of_sdk.add(sdk.nanoseconds);
        of_hand.add(hand.nanoseconds);
        ratios.add(sdk.nanoseconds / hand.nanoseconds);
        gas = (sdk.gas, hand.gas);
    }
    println!("a transfer, {rounds} rounds      gas    ns (median)   lowest to highest");
    for (name, gas, sample) in [("SDK", gas.0, &of_sdk), ("by hand", gas.1, &of_hand)] {
        let (low, high) = sample.range();
        println!("{name:<22} {gas:>8.0} {:>14.1}   {low:.1} to {high:.1}", sample.median());
    }
    let (low, high) = ratios.range();
    println!("SDK / by hand          {:>8.3} {:>14.3}   {low:.3} to {high:.3}", gas.0 / gas.1, ratios.median());
    Ok(())
}
