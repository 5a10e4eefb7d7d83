//! Looking for a bug that is planted.

use crate::chains::Chains;
use crate::episode::{Covered, ENGINES, episode};
use phalanx_engine::{
    Batch, Bug, Difference, Engine, EngineError, EquivalenceCheck, HashSeed, Mode, NotSerial, Options, Oracle,
    Reproducer,
};
use phalanx_scheduler::Bug as InScheduler;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What is planted: of the scheduler's bugs those that a batch of calls meets soon. Its own tests find all of them.
pub(crate) const BUGS: [Bug; 6] = [
    Bug::GasOffByOne,
    Bug::EventOrder,
    Bug::Scheduler(InScheduler::WrongBase),
    Bug::Scheduler(InScheduler::DroppedReader),
    Bug::Scheduler(InScheduler::LateDelta),
    Bug::Scheduler(InScheduler::FrontierOffByOne),
];

pub(crate) fn options() -> Options {
    Options { hash_seed: HashSeed::Fixed(1), workers: 2, mode: Mode::Optimistic, ..Options::default() }
}

/// What the live check finds within some generated batches.
pub(crate) fn live_check_finds(seed: u64, batches: u64) -> Option<Arc<NotSerial>> {
    let mut chains = Chains::new(seed);
    let engine = Engine::new(Options { equivalence: EquivalenceCheck::of_percent(100), ..options() });
    let stopped = (1..=batches).find_map(|height| {
        let batch = chains.batch(height);
        engine.execute_batch(batch).and_then(|executed| engine.commit(executed)).err()
    });
    match stopped.or_else(|| engine.wait_checked().err())? {
        EngineError::NotSerial(found) => {
            stays_stopped(&engine, &mut chains);
            Some(found)
        }
        other => panic!("{other}"),
    }
}

/// An engine that has stopped refuses everything, with the same error.
fn stays_stopped(engine: &Engine, chains: &mut Chains) {
    let next = chains.batch(engine.height() + 1);
    assert!(matches!(engine.execute_batch(next), Err(EngineError::NotSerial(_))));
    assert!(matches!(engine.wait_checked(), Err(EngineError::NotSerial(_))));
}

/// What differs when a reproducer's batches are executed; in the last one, or the test fails.
pub(crate) fn shows(reproducer: &Reproducer) -> Option<Difference> {
    let hash_seed = HashSeed::Fixed(reproducer.hash_seed());
    let (engine, mut oracle) = (Engine::new(Options { hash_seed, ..options() }), Oracle::new());
    let batches = reproducer.batches().expect("they can be cut");
    for (index, bytes) in batches.iter().enumerate() {
        let executed = engine.execute_batch(bytes.clone()).expect("executes");
        let outcome = oracle.execute_batch(bytes.clone()).expect("executes");
        let batch = Batch::decode(bytes.clone()).expect("decodes");
        if let Some(difference) = Difference::between(&batch, &executed, &outcome) {
            assert_eq!(index + 1, batches.len(), "only the last batch differs");
            return Some(difference);
        }
        engine.commit(executed).expect("what was executed last");
    }
    None
}

/// Whether the equivalence tests fail.
pub(crate) fn equivalence_finds(seed: u64) -> bool {
    (seed..seed + 2).any(|seed| {
        let compared = catch_unwind(AssertUnwindSafe(|| episode(seed, 30, &ENGINES, &mut Covered::default())));
        // What a comparison says names the seed; whatever else panics has found nothing.
        let says = |found: Box<dyn Any + Send>| found.downcast::<String>().map_or(String::new(), |text| *text);
        compared.is_err_and(|found| says(found).contains(&format!("seed {seed}")))
    })
}
