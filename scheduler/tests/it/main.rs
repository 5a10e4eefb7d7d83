//! The state against a plain map: random batches of toy programs, committed and discarded, under several hash seeds.

mod model;

use model::Run;
use phalanx_scheduler::Statistics;

/// `PHALANX_TEST_SEEDS` sets how many seeds run (default 6), `PHALANX_TEST_SEED` the first of them.
#[test]
fn batches_of_random_programs_equal_a_plain_map_in_every_mode() {
    let from = |name: &str, default: u64| std::env::var(name).map_or(default, |it| it.parse().expect("a number"));
    let first = from("PHALANX_TEST_SEED", 0);
    let pools: Vec<_> =
        (1..5).map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads")).collect();
    let mut sum = Statistics::default();
    for seed in first..first + from("PHALANX_TEST_SEEDS", 6) {
        let run = Run::new(seed).execute(&pools);
        run.assert_covered();
        model::add(&mut sum, &run.statistics);
    }
    println!("{sum:?}");
    let Statistics {
        optimistic_calls,
        dirty_calls,
        repaired_calls,
        reopened_calls,
        suffix_calls,
        suffixes,
        rescued_reads,
        changed_predicates,
        phantoms,
        new_writes,
        dropped_writes,
    } = sum;
    for (name, count) in [
        ("optimistic calls", optimistic_calls),
        ("dirty calls", dirty_calls),
        ("repaired calls", repaired_calls),
        ("reopened calls", reopened_calls),
        ("suffix calls", suffix_calls),
        ("suffixes", suffixes),
        ("rescued reads", rescued_reads),
        ("changed predicates", changed_predicates),
        ("phantoms", phantoms),
        ("new writes", new_writes),
        ("dropped writes", dropped_writes),
    ] {
        assert!(count > 0, "there were no {name}");
    }
}
