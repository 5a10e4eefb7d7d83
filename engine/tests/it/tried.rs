//! Calls that are tried, beside the same calls as batches that are dropped, and beside the oracle.

use crate::episode::engines;
use crate::generate::Generator;
use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::limits::CALL_DEPTH_MAX;
use phalanx_engine::{
    Batch, BatchBuilder, BatchBytes, Call, Engine, EngineError, LoggedEngine, LoggedError, LoggedOptions, MachineCode,
    Mode, NestedEnd, Oracle, Outcome, Receipts, Trial, WriteSet,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Heights of a seed.
const HEIGHTS: u64 = 40;
/// Calls of a height that are tried in one turn.
const CALLS: usize = 24;
/// Seeds that it takes until all that is asked for has come up.
const SEEDS: u64 = 4;

/// What a call leaves.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Left {
    receipt: Vec<u8>,
    writes: Vec<u8>,
    explanation: Option<String>,
}

impl Left {
    /// What a call would leave.
    fn of(trial: &mut Trial<'_>, call: &BatchBytes) -> Left {
        let mut tried = trial.call(call.clone()).expect("it is executed");
        Left {
            receipt: tried.receipt().record().to_vec(),
            writes: tried.write_set().bytes().into_owned(),
            explanation: tried.explanation().map(str::to_owned),
        }
    }
}

/// Each of a batch's first calls as the only one of its batch.
fn alone(batch: &Batch) -> Vec<BatchBytes> {
    let single = |index| {
        let call = batch.call(index);
        let (contract, method) = batch.target_of(&call);
        let method = std::str::from_utf8(method).expect("decoding has seen to it");
        let mut single = BatchBuilder::new(batch.height(), batch.time_ms());
        let (sender, arguments) = (*call.sender(), call.arguments());
        let gas_limit = call.gas_limit().try_into().expect("it has 32 bits");
        single.push(&Call { contract: *contract, method, sender, arguments, gas_limit }).expect("it fits");
        single.finish()
    };
    (0..batch.len().min(CALLS)).map(single).collect()
}

/// What each would leave, tried in one turn.
fn tried(engine: &Engine, calls: &[BatchBytes]) -> Vec<Left> {
    let left = engine.try_calls(|trial| calls.iter().map(|call| Left::of(trial, call)).collect());
    left.expect("the engine goes on")
}

/// The same, each executed as a batch that is dropped.
fn dropped(engine: &Engine, calls: &[BatchBytes]) -> Vec<Left> {
    let each = calls.iter().map(|call| {
        let executed = engine.execute_batch(call.clone()).expect("it is executed");
        Left {
            receipt: executed.receipts().bytes().into_owned(),
            writes: executed.write_set().bytes().into_owned(),
            explanation: executed.explanations().first().map(|(_, text)| text.clone()),
        }
    });
    each.collect()
}

#[test]
fn what_a_tried_call_leaves_is_what_it_leaves_as_a_batch() {
    let (mut outcomes, mut nested, mut deploys, mut writes) = (BTreeSet::new(), BTreeSet::new(), 0, 0);
    for seed in 1..=SEEDS {
        let engines = engines(&[(Mode::Serial, 1), (Mode::Auto, 2), (Mode::Optimistic, 3)], seed);
        let (mut generator, mut oracle) = (Generator::new(seed), Oracle::new());
        for number in 0..HEIGHTS {
            let height = oracle.height() + 1;
            let bytes = generator.batch(height);
            let batch = Batch::decode(bytes.clone()).expect("it is well formed");
            let calls = alone(&batch);
            // Now and then one call is all of the batch, so that the oracle says what it leaves.
            let chosen = number as usize % calls.len();
            let (committed, is_alone) = if number % 4 == 0 { (bytes, false) } else { (calls[chosen].clone(), true) };
            let expected = oracle.execute_batch(committed.clone()).expect("it is executed");
            for (engine, how) in &engines {
                let before = engine.digest();
                let left = tried(engine, &calls);
                assert_eq!(left, dropped(engine, &calls), "seed {seed}, {how:?}, height {height}");
                if is_alone {
                    let (receipt, writes) = (&left[chosen].receipt, &left[chosen].writes);
                    let found = (receipt, writes);
                    assert_eq!(found, (&expected.receipts, &expected.writes), "seed {seed}, {how:?}, height {height}");
                }
                assert_eq!((engine.height(), engine.digest()), (height - 1, before));
                let executed = engine.execute_batch(committed.clone()).expect("it is executed");
                assert_eq!(executed.digest(), expected.digest, "seed {seed}, {how:?}, height {height}");
                engine.commit(executed).expect("what was executed last");
                for Left { receipt, writes: written, .. } in &left {
                    outcomes.extend(Receipts::new(receipt).map(|receipt| receipt.outcome().name()));
                    let written = WriteSet::new(written);
                    deploys += written.filter(|item| item.is_module_hash()).count();
                    writes += written.count();
                }
            }
            nested.extend(expected.nested.into_iter().map(|NestedEnd { depth, .. }| depth));
        }
        let state = oracle.state_digest();
        engines.iter().for_each(|(engine, how)| assert_eq!(engine.state_digest(), state, "seed {seed}, {how:?}"));
    }
    println!("{outcomes:?}, calls at depths {nested:?}, {deploys} modules and {writes} keys written");
    for outcome in Outcome::ALL.into_iter().filter(|outcome| outcome.is_in_receipts()) {
        assert!(outcomes.contains(outcome.name()), "no call ended as {}", outcome.name());
    }
    assert!(nested.contains(&CALL_DEPTH_MAX) && deploys > 0 && writes > 0);
}

#[test]
fn a_call_that_cannot_be_tried_is_refused_and_the_next_one_is_not() {
    let engine = &engines(&[(Mode::Serial, 1)], 1)[0].0;
    let batch = |height, time_ms| {
        let mut batch = BatchBuilder::new(height, time_ms);
        let call = Call { contract: [9; 32], method: "nothing", sender: [1; 32], arguments: &[], gas_limit: 1_000_000 };
        batch.push(&call).expect("it fits");
        batch.finish()
    };
    engine.commit(engine.execute_batch(batch(1, 7)).expect("it is executed")).expect("what was executed last");
    let ends = engine.try_calls(|trial| {
        assert_eq!((trial.height(), trial.time_ms()), (1, 7));
        let wrong_height = trial.call(batch(3, 7)).err();
        let earlier = trial.call(batch(2, 6)).err();
        let outcome = trial.call(batch(2, 7)).map(|tried| tried.receipt().outcome()).ok();
        (wrong_height, earlier, outcome)
    });
    let (wrong_height, earlier, outcome) = ends.expect("the engine goes on");
    assert!(matches!((wrong_height, earlier), (Some(EngineError::Batch(_)), Some(EngineError::Batch(_)))));
    assert_eq!(outcome, Some(Outcome::UnknownContract));
}

#[test]
fn a_result_that_was_not_committed_is_dropped_by_a_try() {
    let engine = &engines(&[(Mode::Serial, 1)], 1)[0].0;
    let mut generator = Generator::new(1);
    let executed = engine.execute_batch(generator.batch(1)).expect("it is executed");
    engine.try_calls(|_| ()).expect("the engine goes on");
    assert!(matches!(engine.commit(executed), Err(EngineError::Stale(1))));
}

#[test]
fn calls_that_are_tried_behind_a_batch_s_logging_see_the_height_before_it() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let options = LoggedOptions { machine_code: MachineCode::InMemory, ..LoggedOptions::default() };
    let (logged, _) = LoggedEngine::open(Arc::new(RealFileSystem), folder.path(), options).expect("it is new");
    let mut generator = Generator::new(1);
    let (plain, _) = &engines(&[(Mode::Serial, 1)], 1)[0];
    for height in 1..=6 {
        let bytes = generator.batch(height);
        let calls = alone(&Batch::decode(bytes.clone()).expect("it is well formed"));
        let (expected, mut left) = (tried(plain, &calls), Vec::new());
        // What is refused is not begun.
        let early = logged.execute_behind(calls[0].clone().as_slice()[1..].to_vec(), |_| unreachable!("it is refused"));
        assert!(matches!(early, Err(LoggedError::Engine(EngineError::Batch(_)))));
        let executed = logged.execute_behind(bytes.clone(), |trial| {
            assert_eq!(trial.height(), height - 1);
            left.extend(calls.iter().map(|call| Left::of(trial, call)));
        });
        assert_eq!(left, expected, "height {height}");
        let beside = plain.execute_batch(bytes).and_then(|executed| plain.commit(executed)).expect("it is executed");
        assert_eq!(executed.expect("it is executed").digest(), beside.digest(), "height {height}");
    }
    logged.close().expect("nothing fails");
}
