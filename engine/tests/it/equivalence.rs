//! The engine in every mode against the oracle on generated batches: all host functions, all outcomes, workers from 1 to 16,
//! two hash seeds.
//!
//! `PHALANX_TEST_BATCHES` sets how many batches run (default 150), `PHALANX_TEST_SEED` where they start, and
//! `PHALANX_TEST_ENGINES=serial` leaves out all but the serial loop, for long runs of that alone. A failure names its seed.
//! What was covered is printed, and a zero fails.

use crate::generate::Generator;
use phalanx_engine::{BatchBytes, Engine, HashSeed, Mode, Options, Oracle, Outcome, Receipts, Statistics};
use std::collections::BTreeMap;

/// Batches before both sides start afresh, with another seed.
const BATCHES_AN_EPISODE: u64 = 50;

#[derive(Default)]
struct Covered {
    batches: u64,
    calls: u64,
    large_batches: u64,
    discarded: u64,
    events: u64,
    outcomes: BTreeMap<&'static str, u64>,
    operations: BTreeMap<&'static str, u64>,
    statistics: Statistics,
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

#[test]
fn generated_batches_equal_the_oracle() {
    let batches = from_environment("PHALANX_TEST_BATCHES", 150);
    let first_seed = from_environment("PHALANX_TEST_SEED", 1);
    let mut covered = Covered::default();
    let chosen = chosen_engines();
    let mut seed = first_seed;
    while covered.batches < batches {
        let count = BATCHES_AN_EPISODE.min(batches - covered.batches);
        episode(seed, count, chosen, &mut covered);
        seed += 1;
    }
    report(&covered, chosen);
}

fn report(covered: &Covered, chosen: &[(Mode, usize)]) {
    let Covered { batches, calls, large_batches, discarded, events, .. } = covered;
    println!(
        "{batches} batches, {calls} calls, {large_batches} batches over 4,096 calls, {discarded} discarded, {events} events"
    );
    println!("outcomes: {:?}", covered.outcomes);
    println!("operations: {:?}", covered.operations);
    println!("{:?}", covered.statistics);
    assert!(*discarded > 0 && *events > 0 && (*large_batches > 0 || *batches < 100));
    for outcome in Outcome::ALL {
        assert!(covered.outcomes.contains_key(outcome.name()), "no call ended as {}", outcome.name());
    }
    let parallel = chosen.iter().any(|(mode, _)| *mode == Mode::Optimistic);
    for (name, count) in covered.statistics.counts() {
        assert!(count > 0 || *batches < 100 || !parallel, "there were no {name}");
    }
    for operation in Generator::OPERATIONS {
        assert!(covered.operations.contains_key(operation), "no script held {operation}");
    }
}

/// Modes and workers; each pair is an engine of its own.
const ENGINES: [(Mode, usize); 9] = [
    (Mode::Serial, 1),
    (Mode::Pipe, 2),
    (Mode::Optimistic, 1),
    (Mode::Optimistic, 2),
    (Mode::Optimistic, 3),
    (Mode::Optimistic, 4),
    (Mode::Optimistic, 8),
    (Mode::Optimistic, 16),
    (Mode::Auto, 2),
];

/// The serial loop under two hash seeds.
const SERIAL_ENGINES: [(Mode, usize); 2] = [(Mode::Serial, 1); 2];

fn chosen_engines() -> &'static [(Mode, usize)] {
    match std::env::var("PHALANX_TEST_ENGINES").as_deref() {
        Err(_) => &ENGINES,
        Ok("serial") => &SERIAL_ENGINES,
        Ok(other) => panic!("PHALANX_TEST_ENGINES is {other}, not serial"),
    }
}

fn engines(chosen: &[(Mode, usize)], seed: u64) -> Vec<Engine> {
    let engine = |(at, &(mode, workers)): (usize, &(Mode, usize))| {
        Engine::new(Options {
            hash_seed: HashSeed::Fixed(if at % 2 == 0 { seed } else { !seed }),
            workers,
            mode,
            // Few instances, so that eviction and re-making happen all the time.
            instances: 3 * workers,
            pristine_check_calls: 7,
            explain: at % 2 == 1,
            ..Options::default()
        })
    };
    chosen.iter().enumerate().map(engine).collect()
}

fn episode(seed: u64, batches: u64, chosen: &[(Mode, usize)], covered: &mut Covered) {
    let mut generator = Generator::new(seed);
    let engines: Vec<Chosen> = engines(chosen, seed).into_iter().zip(chosen.iter().copied()).collect();
    let mut oracle = Oracle::new();
    for number in 0..batches {
        let height = oracle.height() + 1;
        // An execution that is not committed leaves nothing.
        if generator.chance(0.1) && height > 1 {
            let dropped = generator.batch(height);
            engines.iter().for_each(|(engine, _)| drop(engine.execute_batch(dropped.clone()).expect("executes")));
            covered.discarded += 1;
        }
        let batch = generator.batch(height);
        let calls = compare(seed, &batch, &engines, &mut oracle, covered);
        covered.batches += 1;
        covered.calls += calls;
        covered.large_batches += u64::from(calls > 4_096);
        if number % 10 == 9 || number + 1 == batches {
            let expected = oracle.state_digest();
            engines.iter().for_each(|(engine, _)| assert_eq!(engine.state_digest(), expected, "state, seed {seed}"));
        }
    }
    for (operation, count) in generator.operations() {
        *covered.operations.entry(operation).or_default() += count;
    }
}

type Chosen = (Engine, (Mode, usize));

fn compare(seed: u64, batch: &BatchBytes, engines: &[Chosen], oracle: &mut Oracle, covered: &mut Covered) -> u64 {
    let expected = oracle.execute_batch(batch.clone()).expect("executes");
    let mut calls = 0;
    for receipt in Receipts::new(&expected.receipts) {
        *covered.outcomes.entry(receipt.outcome().name()).or_default() += 1;
        covered.events += receipt.events().count() as u64;
        calls += 1;
    }
    for (engine, how) in engines {
        let executed = engine.execute_batch(batch.clone()).expect("executes");
        let height = executed.height();
        covered.statistics.add(executed.statistics());
        if executed.receipts().bytes() != expected.receipts {
            for (call, (mine, theirs)) in executed.receipts().zip(Receipts::new(&expected.receipts)).enumerate() {
                assert_eq!(
                    (mine.outcome(), mine.gas_used(), mine.record()),
                    (theirs.outcome(), theirs.gas_used(), theirs.record()),
                    "seed {seed}, {how:?}, height {height}, call {call}"
                );
            }
        }
        assert_eq!(executed.write_set().bytes(), expected.writes, "writes, seed {seed}, {how:?}, height {height}");
        assert_eq!(executed.roots(), &expected.roots, "roots, seed {seed}, {how:?}, height {height}");
        assert_eq!(executed.digest(), expected.digest, "digest, seed {seed}, {how:?}, height {height}");
        engine.commit(executed).expect("what was executed last");
    }
    calls
}
