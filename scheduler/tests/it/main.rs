//! The state against a plain map: random batches of toy programs, committed and discarded, under several hash seeds.

#![expect(clippy::disallowed_methods, reason = "the size of a long run is told by the environment")]

mod corners;
mod model;
mod progress;
mod toy;
mod turns;

use model::Run;
use phalanx_scheduler::{State, Statistics};

/// What only unit tests can look at.
fn after_close(_: &State) {}

/// `PHALANX_TEST_SEEDS` sets how many seeds run (default 12), `PHALANX_TEST_SEED` the first of them.
#[test]
fn batches_of_random_programs_equal_a_plain_map_in_every_mode() {
    let from = |name: &str, default: u64| std::env::var(name).map_or(default, |it| it.parse().expect("a number"));
    let first = from("PHALANX_TEST_SEED", 0);
    let teams = model::teams();
    let (mut cases, mut sum) = ([0; 7], Statistics::default());
    for seed in first..first + from("PHALANX_TEST_SEEDS", 12) {
        let run = Run::new(seed).execute(&teams);
        cases.iter_mut().zip(run.counts()).for_each(|(all, one)| *all += one);
        sum.add(&run.statistics);
    }
    println!("{cases:?} {sum:?}");
    model::assert_covered(cases);
    for (name, count) in sum.counts() {
        assert!(count > 0, "there were no {name}");
    }
}
