//! The live equivalence check on an engine without faults: what it covers, how it follows, and that it is invisible.

use crate::generate::Generator;
use phalanx_engine::{
    BatchBytes, Engine, EquivalenceCheck, EquivalenceStatistics, HashSeed, Mode, Options, Oracle, Receipts,
};

fn options(percent: u8, mode: Mode) -> Options {
    Options {
        hash_seed: HashSeed::Fixed(1),
        workers: 2,
        mode,
        equivalence: EquivalenceCheck::of_percent(percent),
        ..Options::default()
    }
}

fn commit(engine: &Engine, batch: &BatchBytes) {
    let executed = engine.execute_batch(batch.clone()).expect("executes");
    engine.commit(executed).expect("what was executed last");
}

/// Scripts, tokens, attacks, deploys and upgrades: what is not executed again is taken over from write sets, with modules and
/// removed keys, or the batches that are executed would differ.
#[test]
fn a_share_is_executed_again_on_a_state_that_write_sets_feed() {
    const BATCHES: u64 = 40;
    for (percent, mode) in [(100, Mode::Optimistic), (30, Mode::Pipe), (7, Mode::Auto)] {
        let mut generator = Generator::new(u64::from(percent));
        let engine = Engine::new(options(percent, mode));
        let mut oracle = Oracle::new();
        let (mut checked_calls, mut checked_batches) = (0, 0);
        for height in 1..=BATCHES {
            // An execution that is not committed is nobody's business.
            drop((height > 1).then(|| engine.execute_batch(generator.batch(height)).expect("executes")));
            let batch = generator.batch(height);
            commit(&engine, &batch);
            let outcome = oracle.execute_batch(batch).expect("executes");
            if engine_covers(percent, height) {
                checked_batches += 1;
                checked_calls += Receipts::new(&outcome.receipts).count() as u64;
            }
        }
        engine.wait_checked().expect("nothing differs");
        let expected = EquivalenceStatistics {
            checked_batches,
            checked_calls,
            followed_batches: BATCHES - checked_batches,
            waiting_batches: 0,
        };
        assert_eq!(engine.equivalence(), Some(expected), "{percent} %");
        assert_eq!((engine.digest(), engine.state_digest()), (oracle.digest(), oracle.state_digest()));
    }
}

fn engine_covers(percent: u8, height: u64) -> bool {
    EquivalenceCheck::of_percent(percent).is_some_and(|check| check.covers(height))
}

/// The queue is bounded: with everything checked, commits are held up, and nothing is lost.
#[test]
fn commits_wait_for_the_check() {
    let engine = Engine::new(options(100, Mode::Serial));
    let mut generator = Generator::new(3);
    let mut most_waiting = 0;
    for height in 1..=100 {
        commit(&engine, &generator.batch(height));
        most_waiting = most_waiting.max(engine.equivalence().expect("it is checked").waiting_batches);
    }
    // One more is under way, and one was pushed after the wait.
    let bound = phalanx_engine::limits::UNCHECKED_BATCHES_MAX as u64 + 1;
    assert!((1..=bound).contains(&most_waiting), "{most_waiting} waited");
    engine.wait_checked().expect("nothing differs");
    assert_eq!(engine.equivalence().map(|it| (it.checked_batches, it.waiting_batches)), Some((100, 0)));
}

#[test]
fn an_engine_without_it_has_nothing_to_wait_for() {
    let engine = Engine::default();
    engine.wait_checked().expect("there is no check");
    assert_eq!(engine.equivalence(), None);
}
