//! The applications of contracts/ on the engine: in each mode they come to the oracle's receipts, writes and digests, and each method's gas
//! is the one that is committed in `tests/golden/gas.txt`.
//!
//! The committed modules, the prices and the workloads all show there. `PHALANX_WRITE_GOLDEN=1` writes the file again.

use phalanx_benches::workload::{APPLICATIONS, Particulars, Shape, Workload, by_name};
use phalanx_engine::{Batch, Engine, HashSeed, Mode, Options, Oracle, Outcome, Receipts};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Few accounts, drawn unevenly: calls of a batch meet often.
const SHAPE: Shape = Shape { accounts: 20, calls: 1_400, batch_size: 350, skew: 0.9, seed: 7 };

fn engines() -> [Engine; 4] {
    [(Mode::Serial, 1), (Mode::Pipe, 2), (Mode::Optimistic, 3), (Mode::Auto, 2)].map(|(mode, workers)| {
        Engine::new(Options { hash_seed: HashSeed::Fixed(11), mode, workers, ..Options::default() })
    })
}

/// Gas of the calls of a method that ended with one outcome.
#[derive(Clone, Copy)]
struct Gas {
    calls: u64,
    least: u64,
    most: u64,
}

/// Runs a workload on the oracle and on all engines, compares everything, and answers with the gas of each method and outcome.
fn run(name: &str, workload: &dyn Workload) -> BTreeMap<(String, &'static str), Gas> {
    let (engines, mut oracle, mut gas) = (engines(), Oracle::new(), BTreeMap::new());
    for height in 1..=workload.set_up_batches() + workload.measured_batches() {
        let bytes = workload.batch(height).unwrap();
        let expected = oracle.execute_batch(bytes.clone()).unwrap();
        for engine in &engines {
            let executed = engine.execute_batch(bytes.clone()).unwrap();
            assert!(executed.receipts().bytes() == expected.receipts, "{name}, height {height}: receipts");
            assert!(executed.write_set().bytes() == expected.writes, "{name}, height {height}: writes");
            assert_eq!(executed.digest(), expected.digest, "{name}, height {height}");
            engine.commit(executed).unwrap();
        }
        let batch = Batch::decode(bytes).unwrap();
        for (index, receipt) in Receipts::new(&expected.receipts).enumerate() {
            let (outcome, used) = (receipt.outcome(), receipt.gas_used());
            let sets_up = height <= workload.set_up_batches();
            assert!(outcome == Outcome::Ok || !sets_up, "{name}, height {height}, call {index}: {}", outcome.name());
            let method = String::from_utf8(batch.target_of(&batch.call(index)).1.to_vec()).unwrap();
            let gas = gas.entry((method, outcome.name())).or_insert(Gas { calls: 0, least: used, most: used });
            *gas = Gas { calls: gas.calls + 1, least: gas.least.min(used), most: gas.most.max(used) };
        }
    }
    for engine in &engines {
        assert_eq!(engine.state_digest(), oracle.state_digest(), "{name}");
    }
    let invariant = workload.invariant(&engines[2]);
    assert!(invariant.holds, "{name}: {}", invariant.detail);
    gas
}

#[test]
fn applications_equal_the_oracle_in_every_mode_and_cost_what_is_committed() {
    let mut table = String::new();
    for name in APPLICATIONS {
        let workload = by_name(name, SHAPE, &Particulars::default()).unwrap();
        for ((method, outcome), Gas { calls, least, most }) in run(name, &*workload) {
            if method != "deploy" {
                writeln!(table, "{name} {method} {outcome}: {calls} calls, {least} to {most} gas").unwrap();
            }
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/gas.txt");
    if std::env::var("PHALANX_WRITE_GOLDEN").is_ok_and(|value| value == "1") {
        std::fs::write(&path, &table).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    let differing = |one: &str, other: &str| -> Vec<String> {
        one.lines().filter(|line| !other.lines().any(|known| known == *line)).map(str::to_owned).collect()
    };
    assert!(
        table == committed,
        "gas changed (PHALANX_WRITE_GOLDEN=1 writes it).\ncommitted: {:#?}\nnow: {:#?}",
        differing(&committed, &table),
        differing(&table, &committed)
    );
}
