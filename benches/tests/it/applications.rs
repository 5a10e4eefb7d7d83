//! The workloads of the applications in every mode: receipts, writes, digests and state are the oracle's, and every call that sets up
//! succeeds. And what their calls conflict on is what the contracts' docs say.

use super::bench;
use phalanx_benches::workload::{APPLICATIONS, Particulars, Shape, Workload, by_name};
use phalanx_engine::{Engine, HashSeed, Mode, Options, Oracle, Outcome, Receipts};

/// Few accounts, drawn unevenly: calls of a batch meet often.
const SHAPE: Shape = Shape { accounts: 20, calls: 1_400, batch_size: 350, skew: 0.9, seed: 7 };

fn engines() -> [Engine; 5] {
    [(Mode::Serial, 1), (Mode::Pipe, 2), (Mode::Optimistic, 3), (Mode::Hinted, 3), (Mode::Auto, 2)].map(
        |(mode, workers)| Engine::new(Options { hash_seed: HashSeed::Fixed(11), mode, workers, ..Options::default() }),
    )
}

fn compare(name: &str, workload: &dyn Workload) {
    let (engines, mut oracle) = (engines(), Oracle::new());
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
        for (index, receipt) in Receipts::new(&expected.receipts).enumerate() {
            let (outcome, sets_up) = (receipt.outcome(), height <= workload.set_up_batches());
            assert!(outcome == Outcome::Ok || !sets_up, "{name}, height {height}, call {index}: {}", outcome.name());
        }
    }
    for engine in &engines {
        assert_eq!(engine.state_digest(), oracle.state_digest(), "{name}");
        let invariant = workload.invariant(engine, &[]);
        assert!(invariant.holds, "{name}: {}", invariant.detail);
    }
}

#[test]
fn applications_equal_the_oracle_in_every_mode() {
    for name in APPLICATIONS {
        compare(name, &*by_name(name, SHAPE, &Particulars::default()).unwrap());
    }
}

/// The slots in which calls of one batch may find what earlier calls of it wrote. Roles are no such slot, nor is money where there
/// is enough.
const CONFLICTS: [(&str, &[&str]); APPLICATIONS.len()] = [
    ("evidence", &["RECORDS", "CUSTODY", "HANDOVERS"]),
    ("exchange", &["POOLS"]),
    ("smallbank", &["SAVINGS", "CHECKING"]),
    ("kv-a", &["RECORDS"]),
    ("kv-b", &["RECORDS"]),
    ("kv-c", &[]),
    ("kv-d", &["RECORDS"]),
    ("kv-e", &["ORDERED_RECORDS"]),
    ("kv-f", &["RECORDS"]),
    ("collectible", &["ITEMS", "OFFERS", "APPROVALS", "COUNTS"]),
    ("licence", &["CERTIFICATES", "CONSENTS", "REVOCATIONS"]),
    ("identity", &["IDENTITIES", "CREDENTIALS", "REVOKED"]),
    ("land", &["PARCELS", "PROPOSALS", "TITLES", "COUNTS"]),
    ("trade-finance", &["LETTERS", "CLAIMS", "SET_ASIDE"]),
    ("auction", &["AUCTIONS"]),
    ("trace", &["BATCHES", "ORIGINS", "OFFERS", "RECALLS"]),
    ("casework", &["CASES", "TRAIL"]),
    ("advisory", &["ADVISORIES"]),
    ("asset-backed", &["COLLECTED", "PAID"]),
    ("donothing", &[]),
    ("cpuheavy", &[]),
    ("ioheavy", &["VALUES"]),
];

#[test]
fn calls_conflict_on_what_the_docs_say_and_on_nothing_else() {
    for (name, expected) in CONFLICTS {
        let arguments = "--accounts 400 --calls 4000 --batch-size 2000 --mode optimistic --workers 2 --explain";
        let report = serde_json::to_value(bench(&format!("{name} {arguments}")).unwrap()).unwrap();
        let places = report["conflicts"].as_array().unwrap();
        let slots: Vec<_> = places.iter().map(|place| place["slot_name"].as_str().unwrap()).collect();
        assert!(slots.iter().all(|slot| expected.contains(slot)), "{name}: {slots:?}");
        assert_eq!(slots.is_empty(), expected.is_empty(), "{name}");
    }
}
