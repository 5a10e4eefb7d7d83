//! What is counted. A phase is given how many repeats there may be, all of which it sets up, and how many of them to run.

use phalanx_benches::workload::{Particulars, Shape, by_name};
use phalanx_engine::fs::faulty::FaultyFileSystem;
use phalanx_engine::log::{self, Genesis, Log};
use phalanx_engine::{Batch, BatchBytes, DIGEST_FORMAT, Engine, HashSeed, Mode, Options, PROTOCOL_VERSION, prepare};
use std::path::Path;
use std::sync::Arc;

/// The contract that most batches call.
const TOKEN: &[u8] = include_bytes!("../../../contracts/wasm/token.wasm");

/// Accounts, and calls a batch.
const ACCOUNTS: u64 = 2_000;
const CALLS: usize = 1_024;

/// A phase.
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    /// What one repeat is.
    pub(crate) what: &'static str,
    /// Repeats that are subtracted from twice as many.
    pub(crate) repeats: u32,
    pub(crate) run: fn(u32, u32),
}

pub(crate) const PHASES: &[Phase] = &[
    Phase { name: "prepare", what: "the pass over the token's module", repeats: 4, run: prepare_token },
    Phase { name: "decode", what: "framing and limits of 1,024 transfers", repeats: 64, run: decode },
    Phase { name: "serial", what: "1,024 transfers in order, everything on", repeats: 8, run: serial },
    Phase { name: "parallel", what: "1,024 transfers in rounds, one worker, everything on", repeats: 8, run: parallel },
    Phase { name: "repair", what: "the same with read-modify-write balances, Zipf 0.9", repeats: 8, run: repair },
    Phase { name: "log", what: "1,024 transfers handed to the log and written", repeats: 32, run: append },
];

fn prepare_token(_: u32, run: u32) {
    for _ in 0..run {
        prepare::prepare(TOKEN).expect("the token is accepted");
    }
}

/// Batches of a workload: those that set it up, and so many that are measured.
fn batches(workload: &str, skew: f64, measured: u32) -> (Vec<BatchBytes>, Vec<BatchBytes>) {
    let shape = Shape { accounts: ACCOUNTS, calls: 1 << 40, batch_size: CALLS, skew, seed: 1 };
    let workload = by_name(workload, shape, &Particulars::default()).expect("a sound shape");
    let set_up = workload.set_up_batches();
    let batch = |height| workload.batch(height).expect("within the limits");
    ((1..=set_up).map(batch).collect(), (set_up + 1..).take(measured as usize).map(batch).collect())
}

fn decode(_: u32, run: u32) {
    let (_, measured) = batches("token", 0.0, 1);
    for _ in 0..run {
        let batch = Batch::decode(measured[0].clone()).expect("the workload made it");
        assert_eq!(batch.len(), CALLS);
    }
}

fn serial(all: u32, run: u32) {
    execute(batches("token", 0.0, all), run, Mode::Serial);
}

fn parallel(all: u32, run: u32) {
    execute(batches("token", 0.0, all), run, Mode::Optimistic);
}

fn repair(all: u32, run: u32) {
    execute(batches("token-rmw", 0.9, all), run, Mode::Optimistic);
}

fn execute((set_up, measured): (Vec<BatchBytes>, Vec<BatchBytes>), run: u32, mode: Mode) {
    let engine = Engine::new(Options { hash_seed: HashSeed::Fixed(1), mode, ..Options::default() });
    for batch in set_up.into_iter().chain(measured.into_iter().take(run as usize)) {
        engine.execute_batch(batch).and_then(|executed| engine.commit(executed)).expect("the engine runs");
    }
}

fn append(_: u32, run: u32) {
    let (_, measured) = batches("token", 0.0, 1);
    let genesis = Genesis { chain_id: [0; 32], protocol_version: PROTOCOL_VERSION, digest_format: DIGEST_FORMAT };
    let options = log::Options { written_ahead_bytes: 0, ..log::Options::default() };
    // A disk in memory, which costs as much in every run.
    let disk = Arc::new(FaultyFileSystem::new());
    let (log, _) = Log::open(disk, Path::new("data"), genesis, options).expect("a new log");
    for height in 1..=u64::from(run) {
        log.append_input(height, 0, measured[0].shared())
            .and_then(|()| log.wait_durable(height))
            .expect("the log runs");
    }
    log.close().expect("the log runs");
}
