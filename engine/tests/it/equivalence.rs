//! The engine in every mode against the oracle on generated batches: all host functions, all outcomes, workers from 1 to 16,
//! two hash seeds.
//!
//! `PHALANX_TEST_BATCHES` sets how many batches run (default 150), `PHALANX_TEST_SEED` where they start, and
//! `PHALANX_TEST_ENGINES=serial` leaves out all but the serial loop, for long runs of that alone. A failure names its seed.
//! What was covered is printed, and a zero fails.

use crate::episode::{Covered, ENGINES, Setting, episode};
use crate::generate::Generator;
use phalanx_engine::limits::CALL_DEPTH_MAX;
use phalanx_engine::{Mode, Outcome};

/// Batches before both sides start afresh, with another seed.
const BATCHES_AN_EPISODE: u64 = 50;

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

fn report(covered: &Covered, chosen: &[Setting]) {
    let Covered { batches, calls, large_batches, discarded, events, .. } = covered;
    println!(
        "{batches} batches, {calls} calls, {large_batches} batches over 4,096 calls, {discarded} discarded, {events} events"
    );
    println!("outcomes: {:?}", covered.outcomes);
    println!("operations: {:?}", covered.operations);
    println!("{:?}", covered.statistics);
    report_nested(covered);
    assert!(*discarded > 0 && *events > 0 && (*large_batches > 0 || *batches < 100));
    for outcome in Outcome::ALL.into_iter().filter(|outcome| outcome.is_in_receipts()) {
        assert!(covered.outcomes.contains_key(outcome.name()), "no call ended as {}", outcome.name());
    }
    let parallel = chosen.iter().any(|(mode, _)| *mode == Mode::Optimistic);
    for (name, count) in covered.statistics.counts() {
        // The contracts here touch what was learned of them; the scheduler's own model has calls that do not.
        let elsewhere = name == "calls that strayed from what they declared";
        assert!(count > 0 || elsewhere || *batches < 100 || !parallel, "there were no {name}");
    }
    for operation in Generator::OPERATIONS {
        assert!(covered.operations.contains_key(operation), "no script held {operation}");
    }
}

/// Calls of contracts by contracts.
fn report_nested(covered: &Covered) {
    let count = |of: &dyn Fn(usize, Outcome) -> bool| -> u64 {
        let counted = covered.nested.iter().filter(|((depth, outcome), _)| of(*depth, *outcome));
        counted.map(|(_, count)| count).sum()
    };
    let mut counts = vec![
        ("that succeeded".to_owned(), count(&|_, outcome| outcome == Outcome::Ok)),
        ("that were too deep".to_owned(), count(&|_, outcome| outcome == Outcome::TooDeep)),
        ("that were re-entrant and refused".to_owned(), count(&|_, outcome| outcome == Outcome::Reentrant)),
        ("that ran out of gas".to_owned(), count(&|_, outcome| outcome == Outcome::OutOfGas)),
        ("that exhausted the stack".to_owned(), count(&|_, outcome| outcome == Outcome::StackExhausted)),
        ("of unknown contracts".to_owned(), count(&|_, outcome| outcome == Outcome::UnknownContract)),
        ("of unknown methods".to_owned(), count(&|_, outcome| outcome == Outcome::UnknownMethod)),
    ];
    let failed = |depth| count(&|at, outcome| at == depth && outcome != Outcome::Ok);
    counts.extend((2..=CALL_DEPTH_MAX).map(|depth| (format!("that failed at depth {depth}"), failed(depth))));
    println!("nested calls: {counts:?}");
    for (what, count) in counts {
        assert!(count > 0 || covered.batches < 100, "there were no nested calls {what}");
    }
}

/// The serial loop under two hash seeds.
const SERIAL_ENGINES: [Setting; 2] = [(Mode::Serial, 1); 2];

fn chosen_engines() -> &'static [Setting] {
    match std::env::var("PHALANX_TEST_ENGINES").as_deref() {
        Err(_) => &ENGINES,
        Ok("serial") => &SERIAL_ENGINES,
        Ok(other) => panic!("PHALANX_TEST_ENGINES is {other}, not serial"),
    }
}
