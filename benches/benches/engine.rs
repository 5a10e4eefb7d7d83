//! The parts of a batch's way through the engine, one at a time: `cargo bench -p phalanx-benches`.
//!
//! `decode`: framing and limits. `execute`: `execute_batch` and `commit`, everything on. `digest`: the part of it that hashes.
//! `log_append`: handing a batch to the log until it is synced. `prepare`: the pass that a deployed module goes through.
//! `parallel/…`: one stage each of a batch that is executed in rounds, by one worker; `parallel/repair` is that of read-modify-write
//! balances whose accounts are drawn by Zipf 0.9, the others are those of plain transfers.
//! `query/…`: a question for a balance, executed as a batch that is dropped, tried in a turn of its own, and 64 tried in one.
//! All on one core, 16,384 transfers a batch between 100,000 accounts; throughput is in calls. With `-- --test` each runs
//! once, on a batch of 256.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use phalanx_benches::clock;
use phalanx_benches::workload::{Particulars, Shape, Workload, by_name};
use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::log::{self, Genesis, Log};
use phalanx_engine::{
    Batch, BatchBuilder, BatchBytes, Call, DIGEST_FORMAT, Engine, HashSeed, Mode, Options, PROTOCOL_VERSION, Stage,
    StageNanoseconds, prepare,
};
use std::sync::Arc;
use std::time::Duration;

/// Enough heights that an engine never runs out of batches while it is measured; they are made as they are needed.
const CALLS: u64 = 1 << 40;

/// The contract that most batches call.
const TOKEN: &[u8] = include_bytes!("../../contracts/wasm/token.wasm");

struct Running {
    workload: Box<dyn Workload>,
    batch_size: usize,
    engine: Engine,
    height: u64,
}

impl Running {
    fn start(workload: &str, skew: f64, mode: Mode) -> Self {
        let tiny = std::env::args().any(|argument| argument == "--test");
        let (accounts, batch_size) = if tiny { (1_000, 256) } else { (100_000, 16_384) };
        let shape = Shape { accounts, calls: CALLS, batch_size, skew, seed: 1 };
        let workload = by_name(workload, shape, &Particulars::default()).expect("a sound shape");
        let options =
            Options { hash_seed: HashSeed::Fixed(1), clock: Some(clock::nanoseconds), mode, ..Options::default() };
        let mut running = Self { workload, batch_size, engine: Engine::new(options), height: 0 };
        for _ in 0..running.workload.set_up_batches() {
            running.next();
        }
        running
    }

    fn calls(&self) -> u64 {
        self.batch_size as u64
    }

    /// Executes and commits the next batch. Answers the time that both took, and that of its stages.
    fn next(&mut self) -> (Duration, StageNanoseconds) {
        self.height += 1;
        let batch = self.workload.batch(self.height).expect("within the limits");
        let start = clock::nanoseconds();
        let executed = self.engine.execute_batch(batch).and_then(|it| self.engine.commit(it)).expect("the engine runs");
        let elapsed = clock::nanoseconds() - start;
        (Duration::from_nanos(elapsed), executed.stages())
    }

    /// The time that a stage takes in so many batches.
    fn stage(&mut self, stage: Stage, batches: u64) -> Duration {
        (0..batches).map(|_| Duration::from_nanos(self.next().1.of(stage))).sum()
    }
}

fn engine(criterion: &mut Criterion) {
    let mut running = Running::start("token", 0.0, Mode::Serial);
    let calls = running.calls();
    let mut group = criterion.benchmark_group("batch");
    group.throughput(Throughput::Elements(calls)).sample_size(20);
    let bytes = running.workload.batch(running.height + 1).expect("within the limits");
    group.bench_with_input(BenchmarkId::new("decode", calls), &bytes, |bencher, bytes| {
        bencher.iter(|| Batch::decode(bytes.clone()).expect("the workload made it").len());
    });
    group.bench_function(BenchmarkId::new("execute", calls), |bencher| {
        bencher.iter_custom(|batches| (0..batches).map(|_| running.next().0).sum());
    });
    group.bench_function(BenchmarkId::new("digest", calls), |bencher| {
        bencher.iter_custom(|batches| running.stage(Stage::Digest, batches));
    });
    group.bench_function(BenchmarkId::new("log_append", calls), |bencher| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let genesis = Genesis { chain_id: [0; 32], protocol_version: PROTOCOL_VERSION, digest_format: DIGEST_FORMAT };
        let files = Arc::new(RealFileSystem);
        let (log, opened) = Log::open(files, folder.path(), genesis, log::Options::default()).expect("a new log");
        log.wait_written_ahead().expect("the log runs");
        let mut height = opened.last_input;
        bencher.iter(|| {
            height += 1;
            log.append_input(height, 0, bytes.shared()).and_then(|()| log.wait_durable(height)).expect("the log runs");
        });
    });
    group.finish();
}

fn parallel(criterion: &mut Criterion) {
    let stages = [
        (Stage::Execute, "token", 0.0),
        (Stage::Chain, "token", 0.0),
        (Stage::Receipts, "token", 0.0),
        (Stage::Digest, "token", 0.0),
        (Stage::Repair, "token-rmw", 0.9),
    ];
    let mut group = criterion.benchmark_group("parallel");
    for (stage, workload, skew) in stages {
        let mut running = Running::start(workload, skew, Mode::Optimistic);
        group.throughput(Throughput::Elements(running.calls())).sample_size(20);
        group.bench_function(BenchmarkId::new(stage.name(), running.calls()), |bencher| {
            bencher.iter_custom(|batches| running.stage(stage, batches));
        });
    }
    group.finish();
}

fn modules(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("module");
    group.throughput(Throughput::Bytes(TOKEN.len() as u64)).sample_size(20);
    group.bench_function("prepare", |bencher| {
        bencher.iter(|| prepare::prepare(TOKEN).expect("the token is accepted").wasm.len());
    });
    group.finish();
}

fn queries(criterion: &mut Criterion) {
    let running = Running::start("token", 0.0, Mode::Serial);
    let height = running.height + 1;
    let transfers =
        Batch::decode(running.workload.batch(height).expect("within the limits")).expect("the workload made it");
    let questions: Vec<BatchBytes> = (0..64).map(|index| question(&transfers, index)).collect();
    let engine = &running.engine;
    let mut group = criterion.benchmark_group("query");
    group.bench_function("batch", |bencher| {
        let question = &questions[0];
        bencher.iter(|| engine.execute_batch(question.clone()).expect("the engine runs").receipts().count());
    });
    for together in [1, questions.len()] {
        group.throughput(Throughput::Elements(together as u64));
        group.bench_function(BenchmarkId::new("tried", together), |bencher| {
            bencher.iter(|| {
                let tried = engine.try_calls(|trial| {
                    let used = |question: &BatchBytes| {
                        trial.call(question.clone()).expect("it is executed").receipt().gas_used()
                    };
                    questions[..together].iter().map(used).sum::<u64>()
                });
                tried.expect("the engine runs")
            });
        });
    }
    group.finish();
}

/// Asks for the balance of who sends a transfer.
fn question(transfers: &Batch, index: usize) -> BatchBytes {
    let transfer = transfers.call(index);
    let (contract, sender) = (*transfers.target_of(&transfer).0, *transfer.sender());
    let mut batch = BatchBuilder::new(transfers.height(), transfers.time_ms());
    let call = Call { contract, method: "balance_of", sender, arguments: &sender, gas_limit: 1_000_000 };
    batch.push(&call).expect("it fits");
    batch.finish()
}

criterion_group!(benches, engine, parallel, queries, modules);
criterion_main!(benches);
