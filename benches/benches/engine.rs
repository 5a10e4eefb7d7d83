//! The parts of a batch's way through the engine, one at a time: `cargo bench -p phalanx-benches`.
//!
//! `decode`: framing and limits. `execute`: `execute_batch` and `commit`, everything on. `digest`: the part of it that hashes.
//! `log_append`: handing a batch to the log until it is synced.
//! All on one core, 16,384 transfers a batch between 100,000 accounts; throughput is in calls. With `-- --test` each runs once,
//! on a batch of 256.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use phalanx_benches::clock;
use phalanx_benches::workload::{Shape, Token, Workload};
use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::log::{self, Genesis, Log};
use phalanx_engine::{Batch, DIGEST_FORMAT, Engine, HashSeed, Options, PROTOCOL_VERSION, Stage};
use std::sync::Arc;
use std::time::Duration;

/// Enough heights that an engine never runs out of batches while it is measured; they are made as they are needed.
const CALLS: u64 = 1 << 40;

struct Running {
    token: Token,
    engine: Engine,
    height: u64,
}

impl Running {
    fn start() -> Self {
        let tiny = std::env::args().any(|argument| argument == "--test");
        let (accounts, batch_size) = if tiny { (1_000, 256) } else { (100_000, 16_384) };
        let token =
            Token::new(Shape { accounts, calls: CALLS, batch_size, skew: 0.0, seed: 1 }).expect("a sound shape");
        let options = Options { hash_seed: HashSeed::Fixed(1), clock: Some(clock::nanoseconds), ..Options::default() };
        let mut running = Self { token, engine: Engine::new(options), height: 0 };
        for _ in 0..running.token.set_up_batches() {
            running.next();
        }
        running
    }

    fn calls(&self) -> u64 {
        self.token.shape().batch_size as u64
    }

    /// Executes and commits the next batch. Answers the time that both took, and the part of it that hashed.
    fn next(&mut self) -> (Duration, Duration) {
        self.height += 1;
        let batch = self.token.batch(self.height).expect("within the limits");
        let start = clock::nanoseconds();
        let executed = self.engine.execute_batch(batch).and_then(|it| self.engine.commit(it)).expect("the engine runs");
        let elapsed = clock::nanoseconds() - start;
        (Duration::from_nanos(elapsed), Duration::from_nanos(executed.stages().of(Stage::Digest)))
    }
}

fn engine(criterion: &mut Criterion) {
    let mut running = Running::start();
    let calls = running.calls();
    let mut group = criterion.benchmark_group("batch");
    group.throughput(Throughput::Elements(calls)).sample_size(20);
    let bytes = running.token.batch(running.height + 1).expect("within the limits");
    group.bench_with_input(BenchmarkId::new("decode", calls), &bytes, |bencher, bytes| {
        bencher.iter(|| Batch::decode(bytes.clone()).expect("the workload made it").len());
    });
    group.bench_function(BenchmarkId::new("execute", calls), |bencher| {
        bencher.iter_custom(|batches| (0..batches).map(|_| running.next().0).sum());
    });
    group.bench_function(BenchmarkId::new("digest", calls), |bencher| {
        bencher.iter_custom(|batches| (0..batches).map(|_| running.next().1).sum());
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

criterion_group!(benches, engine);
criterion_main!(benches);
