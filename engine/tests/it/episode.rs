//! Generated batches on engines of all modes beside the oracle.

use crate::generate::Generator;
use phalanx_engine::{
    AccessLists, BatchBytes, Engine, HashSeed, Mode, NestedEnd, Options, Oracle, Outcome, Receipts, Statistics,
};
use std::collections::BTreeMap;

/// What came up.
#[derive(Default)]
pub(crate) struct Covered {
    pub(crate) batches: u64,
    pub(crate) calls: u64,
    pub(crate) large_batches: u64,
    pub(crate) discarded: u64,
    pub(crate) events: u64,
    pub(crate) outcomes: BTreeMap<&'static str, u64>,
    pub(crate) operations: BTreeMap<&'static str, u64>,
    /// Calls of contracts by contracts, by depth and outcome.
    pub(crate) nested: BTreeMap<(usize, Outcome), u64>,
    pub(crate) statistics: Statistics,
}

/// Mode and workers of an engine.
pub(crate) type Setting = (Mode, usize);

/// Every mode, on many workers; each setting is an engine of its own.
pub(crate) const ENGINES: [Setting; 12] = [
    (Mode::Serial, 1),
    (Mode::Pipe, 2),
    (Mode::Optimistic, 1),
    (Mode::Optimistic, 2),
    (Mode::Optimistic, 3),
    (Mode::Optimistic, 4),
    (Mode::Optimistic, 8),
    (Mode::Optimistic, 16),
    (Mode::Hinted, 1),
    (Mode::Hinted, 2),
    (Mode::Hinted, 5),
    (Mode::Auto, 2),
];

pub(crate) fn engines(settings: &[Setting], seed: u64) -> Vec<(Engine, Setting)> {
    let engine = |(at, &(mode, workers)): (usize, &Setting)| {
        let engine = Engine::new(Options {
            hash_seed: HashSeed::Fixed(if at % 2 == 0 { seed } else { !seed }),
            workers,
            mode,
            // Few instances, so that eviction and re-making happen all the time.
            instances: 3 * workers,
            pristine_check_calls: 7,
            explain: at % 2 == 1,
            ..Options::default()
        });
        (engine, (mode, workers))
    };
    settings.iter().enumerate().map(engine).collect()
}

/// Executes this many batches on fresh engines, and compares everything.
pub(crate) fn episode(seed: u64, batches: u64, settings: &[Setting], covered: &mut Covered) {
    let mut generator = Generator::new(seed);
    let engines = engines(settings, seed);
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
        let calls = compare(seed, &batch, None, &engines, &mut oracle, covered);
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

pub(crate) fn compare(
    seed: u64,
    batch: &BatchBytes,
    lists: Option<&AccessLists>,
    engines: &[(Engine, Setting)],
    oracle: &mut Oracle,
    covered: &mut Covered,
) -> u64 {
    let expected = oracle.execute_batch(batch.clone()).expect("executes");
    let mut calls = 0;
    for receipt in Receipts::new(&expected.receipts) {
        *covered.outcomes.entry(receipt.outcome().name()).or_default() += 1;
        covered.events += receipt.events().count() as u64;
        calls += 1;
    }
    for NestedEnd { depth, outcome } in expected.nested {
        *covered.nested.entry((depth, outcome)).or_default() += 1;
    }
    for (engine, how) in engines {
        let executed = match lists {
            None => engine.execute_batch(batch.clone()),
            Some(lists) => engine.execute_declared(batch.clone(), lists),
        };
        let executed = executed.expect("executes");
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
