//! Every workload, tiny: executed, compared with the oracle, its invariant checked.

use super::bench;
use phalanx_benches::Report;
use phalanx_benches::workload::{APPLICATIONS, NAMES, Particulars, Shape, by_name};
use phalanx_engine::{BatchBuilder, Deployment, Engine, HashSeed, Options};

/// Runs, and requires that the oracle agrees and the invariant holds.
fn checked(arguments: &str) -> Report {
    let report = bench(&format!("{arguments} --check=oracle")).unwrap_or_else(|error| panic!("{arguments}: {error}"));
    assert_eq!(report.exit_code(), 0, "{arguments}: {:?} {:?}", report.mismatch, report.invariant);
    assert_eq!((report.serial_match, report.invariant.holds), (Some(true), true), "{arguments}");
    assert_eq!(report.outcomes.values().sum::<u64>(), report.calls, "{arguments}");
    report
}

fn reverted(report: &Report) -> u64 {
    let others: Vec<_> = report.outcomes.keys().filter(|name| !["ok", "reverted"].contains(name)).collect();
    assert!(others.is_empty(), "{}: {others:?}", report.workload);
    report.outcomes.get("reverted").copied().unwrap_or(0)
}

#[test]
fn every_workload_comes_to_the_results_of_the_oracle() {
    for name in NAMES {
        let contracts = if name == "many-contracts" { "--contracts 20" } else { "" };
        // Every hundredth call of an application is refused; others draw which are.
        let calls = if APPLICATIONS.contains(&name) { 1_100 } else { 3_000 };
        let report = checked(&format!("{name} --accounts 60 --calls {calls} --batch-size 256 --skew 0.9 {contracts}"));
        assert_eq!(report.workload, name);
        assert!(report.description.len() > 20, "{name}");
        let refused = reverted(&report);
        match name {
            // What does nothing cannot fail.
            "donothing" => assert_eq!(refused, 0),
            // Payments of those who have nothing left, and claims where nothing is due.
            "smallbank" | "asset-backed" => assert!(refused >= calls / 100, "{name}: {refused}"),
            _ if APPLICATIONS.contains(&name) => assert_eq!(refused, calls / 100, "{name}"),
            _ => assert!(refused >= 10, "{name}: {refused}"),
        }
    }
}

#[test]
fn every_workload_runs_with_one_account_one_call_and_batches_of_one() {
    for name in NAMES {
        let contracts = if name == "many-contracts" { "--contracts 3" } else { "" };
        for size in ["--accounts 1 --calls 1", "--accounts 2 --calls 5 --batch-size 1"] {
            checked(&format!("{name} {size} {contracts}"));
        }
    }
}

/// A second party is there even where there is one account; and whoever pays again and again has enough.
#[test]
fn applications_run_with_one_account_and_with_few() {
    for name in APPLICATIONS {
        for accounts in 1..=3 {
            let report = checked(&format!("{name} --accounts {accounts} --calls 300 --batch-size 100"));
            let refused = reverted(&report);
            match name {
                "donothing" => assert_eq!(refused, 0),
                "smallbank" | "asset-backed" => assert!(refused >= 3, "{name}, {accounts} accounts: {refused}"),
                _ => assert_eq!(refused, 3, "{name}, {accounts} accounts"),
            }
        }
    }
}

#[test]
fn one_call_in_a_hundred_fails() {
    for name in ["token-rmw", "read-mostly", "counter-rmw", "counter-add", "pools", "flood"] {
        // Written often, so that the limits of read-mostly average out.
        let writes = if name == "read-mostly" { "--write-every 50" } else { "" };
        let report = bench(&format!("{name} --accounts 100 --calls 10000 --batch-size 1000 {writes}")).unwrap();
        let reverted = reverted(&report);
        assert!((50..200).contains(&reverted), "{name}: {reverted}");
    }
}

#[test]
fn nearly_empty_accounts_are_refused_often_and_for_good() {
    let reverted = |calls: u64| {
        let report = bench(&format!("token-lowbal --accounts 40 --calls {calls} --batch-size 500")).unwrap();
        reverted(&report) as f64 / calls as f64
    };
    assert!(reverted(1_000) > 0.05 && reverted(50_000) > 0.1, "{} {}", reverted(1_000), reverted(50_000));
}

#[test]
fn two_accounts_are_enough_for_conflicts_in_every_call() {
    let report = checked("token-rmw --accounts 2 --calls 2000 --batch-size 500");
    assert!(reverted(&report) > 0);
}

#[test]
fn configuration_may_be_written_in_every_call_or_never() {
    assert_eq!(reverted(&checked("read-mostly --accounts 50 --calls 600 --batch-size 100 --write-every 1")), 0);
    checked("read-mostly --accounts 50 --calls 600 --batch-size 100 --write-every 7");
    checked("read-mostly --accounts 50 --calls 600 --batch-size 100 --write-every 18446744073709551615");
}

#[test]
fn pools_may_be_one_or_many() {
    for (pools, skew) in [(1, "0"), (2, "50"), (1_000, "1.2")] {
        checked(&format!("pools --accounts 50 --calls 600 --batch-size 100 --pools {pools} --skew {skew}"));
    }
}

#[test]
fn contracts_may_share_codes_and_accounts() {
    for given in ["--contracts 1", "--contracts 7 --codes 3", "--contracts 200 --codes 2", "--contracts 2 --codes 2"] {
        checked(&format!("many-contracts --accounts 50 --calls 600 --batch-size 100 {given}"));
    }
}

#[test]
fn long_calls_use_more_gas_than_all_others() {
    let gas = |every: u64| {
        let report = checked(&format!("long-call --accounts 50 --calls 20 --batch-size 10 --long-every {every}"));
        assert!(reverted(&report) < 20);
        report.gas_per_call * 20.0
    };
    let (two, ten) = (gas(10), gas(2));
    assert!((4.9..5.1).contains(&(ten / two)) && two > 2e6, "{two} {ten}");
}

#[test]
fn a_switched_workload_takes_turns() {
    let report = checked("switch --accounts 50 --calls 2000 --batch-size 100 --switch-every 3 --write-every 30");
    assert!(report.invariant.detail.contains("the counter shows") && report.invariant.detail.contains("limit set"));
    let events = |switch_every: u64| {
        let shape = Shape { accounts: 10, calls: 60, batch_size: 10, skew: 0.0, seed: 1 };
        let particulars = Particulars { switch_every: Some(switch_every), ..Particulars::default() };
        let workload = by_name("switch", shape, &particulars).unwrap();
        let first = workload.set_up_batches() + 1;
        (first..first + 6)
            .map(|height| {
                let batch = phalanx_engine::Batch::decode(workload.batch(height).unwrap()).unwrap();
                let method = batch.target_of(&batch.call(0)).1.to_vec();
                String::from_utf8(method).unwrap()
            })
            .collect::<Vec<_>>()
    };
    let [rmw, count, read] = ["transfer_rmw", "count_set", "transfer_below_limit"];
    assert_eq!(events(1), [rmw, count, read, rmw, count, read]);
    assert_eq!(events(2), [rmw, rmw, count, count, read, read]);
}

/// Invariants hold after any prefix, and say so when the state is another.
#[test]
fn invariants_hold_after_every_batch_and_notice_what_is_missing() {
    for name in NAMES {
        let contracts = (name == "many-contracts").then_some(4);
        let particulars = Particulars { contracts, ..Particulars::default() };
        let calls = if APPLICATIONS.contains(&name) { 1_200 } else { 3_000 };
        let shape = Shape { accounts: 30, calls, batch_size: 200, skew: 0.5, seed: 3 };
        let workload = by_name(name, shape, &particulars).unwrap();
        let engine = Engine::new(Options { hash_seed: HashSeed::Fixed(1), ..Options::default() });
        for height in 1..=workload.set_up_batches() + workload.measured_batches() {
            engine.commit(engine.execute_batch(workload.batch(height).unwrap()).unwrap()).unwrap();
            if height >= workload.set_up_batches() {
                let invariant = workload.invariant(&engine, &[]);
                assert!(invariant.holds, "{name}, height {height}: {}", invariant.detail);
            }
        }
        // These keep no state, under no seed: what they notice is that there is some.
        if ["donothing", "cpuheavy"].contains(&name) {
            let height = engine.height() + 1;
            let mut batch = BatchBuilder::new(height, 1_000 * height);
            let module = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../contracts/wasm/token.wasm")).unwrap();
            batch.push(&Deployment::new([1; 32], [1; 32], &module).call()).unwrap();
            engine.commit(engine.execute_batch(batch.finish()).unwrap()).unwrap();
            let invariant = workload.invariant(&engine, &[]);
            assert!(!invariant.holds, "{name}: {}", invariant.detail);
            continue;
        }
        // Another seed has other accounts and counts; pools look alike under any seed, so there one more is asked for.
        let pools = (name == "pools").then_some(101);
        let other = by_name(name, Shape { seed: 4, ..shape }, &Particulars { pools, ..particulars }).unwrap();
        let invariant = other.invariant(&engine, &[]);
        assert!(!invariant.holds, "{name}: {}", invariant.detail);
    }
}

#[test]
fn workloads_without_baselines_report_none_and_say_so() {
    let report = bench("token-rmw --accounts 20 --calls 100 --baselines").unwrap();
    assert_eq!((report.exit_code(), report.baselines), (0, None));
    let mut text = Vec::new();
    report.print_human(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("No baselines: they know the workload token alone."), "{text}");
}
