//! What a run reports.

use super::bench;
use phalanx_benches::cli::CheckBy;
use serde_json::Value;

const FIELDS: [&str; 33] = [
    "schema",
    "workload",
    "seed",
    "accounts",
    "calls",
    "batch_size",
    "workers",
    "mode",
    "mode_chosen",
    "skew",
    "durability",
    "elapsed_seconds",
    "calls_per_second",
    "outcomes",
    "reexecutions",
    "dirty_ratio",
    "state_digest",
    "log_digest",
    "serial_match",
    "phase_seconds",
    "core_ns_per_call",
    "baselines",
    "log_bytes_per_call",
    "receipt_bytes_per_call",
    "sync_ms",
    "sync_reference_bytes_per_second",
    "batch_to_durable_ms",
    "peak_rss_bytes",
    "rss_bytes",
    "check",
    "mismatch",
    "conflicts",
    "machine",
];
const STAGES: [&str; 10] =
    ["decode", "execute", "reset", "chain", "validate", "repair", "commit", "receipts", "digest", "log"];

fn json(arguments: &str) -> Value {
    let report = bench(arguments).unwrap();
    assert_eq!(report.exit_code(), 0, "{:?} {:?}", report.mismatch, report.invariant);
    serde_json::to_value(&report).unwrap()
}

#[test]
fn every_field_of_the_schema_is_there() {
    let report = json("--accounts 20 --calls 300 --batch-size 100");
    for field in FIELDS {
        assert!(report.get(field).is_some(), "{field}");
    }
    for stage in STAGES {
        assert!(report["phase_seconds"][stage].is_number() && report["core_ns_per_call"][stage].is_number(), "{stage}");
    }
    assert_eq!(report["schema"], "phalanx.bench/1");
    assert_eq!(report["mode_chosen"]["mode"], "serial");
    assert_eq!((&report["serial_match"], &report["baselines"]), (&Value::Null, &Value::Null));
    assert!(report["calls_per_second"].as_f64().unwrap() > 0.0);
    assert!(report["phase_seconds"]["execute"].as_f64().unwrap() > 0.0);
}

#[test]
fn outcomes_sum_to_the_calls_and_one_in_a_hundred_fails() {
    let report = json("token --accounts 50 --calls 5000 --batch-size 1024 --skew 1.3");
    let outcomes = report["outcomes"].as_object().unwrap();
    assert_eq!(outcomes.values().map(|calls| calls.as_u64().unwrap()).sum::<u64>(), 5_000);
    let reverted = outcomes["reverted"].as_u64().unwrap();
    assert!((20..100).contains(&reverted), "{reverted}");
    assert_eq!(outcomes.len(), 2, "{outcomes:?}");
}

#[test]
fn a_check_compares_with_the_serial_loop_unless_the_run_was_that() {
    for (mode, check, by) in [
        ("serial", "--check", "oracle"),
        ("serial", "--check=serial", "oracle"),
        ("serial", "--check=oracle", "oracle"),
        ("pipe", "--check", "serial"),
        ("optimistic", "--check", "serial"),
        ("optimistic", "--check=serial", "serial"),
        ("optimistic", "--check=oracle", "oracle"),
        // Short batches: the engine chooses the serial mode for all of them.
        ("auto", "--check", "oracle"),
    ] {
        let shape = "--accounts 30 --calls 400 --batch-size 128 --skew 1.2 --workers 2";
        let report = json(&format!("{shape} --mode {mode} {check}"));
        assert_eq!((&report["serial_match"], &report["check"]), (&Value::Bool(true), &by.into()), "{mode} {check}");
        assert_eq!(report["mode"], mode);
    }
}

#[test]
fn baselines_have_rates() {
    let report = json("--accounts 30 --calls 400 --batch-size 128 --baselines");
    for name in ["native_serial", "native_flat", "wasm_serial", "fresh_instance"] {
        assert!(report["baselines"][name].as_f64().unwrap() > 0.0, "{name}");
    }
    assert_eq!(report["serial_match"], Value::Null);
}

#[test]
fn results_depend_on_the_seed_and_not_on_the_repetition() {
    let digests = |seed: u64| {
        let report = json(&format!("--accounts 20 --calls 200 --seed {seed}"));
        (report["state_digest"].clone(), report["log_digest"].clone())
    };
    let first = digests(1);
    assert_eq!(first, digests(1));
    assert_ne!(first, digests(2));
    assert!(first.0.as_str().is_some_and(|digest| digest.len() == 66 && digest.starts_with("0x")));
}

#[test]
fn an_integer_that_json_cannot_hold_is_a_string() {
    assert_eq!(json("--accounts 2 --calls 1 --seed 18446744073709551615")["seed"], "18446744073709551615");
    assert_eq!(json("--accounts 2 --calls 1 --seed 9007199254740992")["seed"], 9_007_199_254_740_992_u64);
}

#[test]
fn people_read_rate_check_and_projection() {
    let mut text = Vec::new();
    bench("--accounts 30 --calls 400 --check --baselines --explain").unwrap().print_human(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    for part in
        ["calls a second", "checked by the oracle", "Projection, not measured", "wasm_serial", "How the figures"]
    {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}

#[test]
fn the_counter_that_every_call_reads_and_writes_is_named_with_advice() {
    let shape = "--accounts 50 --calls 6000 --batch-size 2048 --mode optimistic --workers 2";
    let report = bench(&format!("counter-rmw {shape} --explain")).unwrap();
    let place = &serde_json::to_value(&report).unwrap()["conflicts"][0];
    for (field, value) in
        [("method", "count_set"), ("slot", "0x03"), ("prefix", "0x03"), ("slot_name", "COUNT"), ("cause", "counted")]
    {
        assert_eq!(place[field], value, "{place}");
    }
    assert!(place["share"].as_f64().unwrap() > 0.9 && place["longest_chain"].as_u64().unwrap() > 200, "{place}");
    assert!(place["executed_again"].as_u64() >= place["dirty_calls"].as_u64(), "{place}");
    let mut text = Vec::new();
    report.print_human(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let advice = text.lines().find(|line| line.contains("make it an add")).expect("there is advice").trim();
    assert!(advice.starts_with("`COUNT` slot 0x03 is read and written by 9"), "{advice}");

    let report = bench(&format!("counter-rmw {shape}")).unwrap();
    assert_eq!(serde_json::to_value(&report).unwrap()["conflicts"], Value::Null, "nobody asked");
}

#[test]
fn transfers_between_many_accounts_are_found_not_to_conflict() {
    let shape = "--accounts 50000 --calls 6000 --batch-size 2048 --mode optimistic --workers 2";
    let report = bench(&format!("token {shape} --explain")).unwrap();
    assert_eq!(serde_json::to_value(&report).unwrap()["conflicts"], Value::Array(Vec::new()));
    let mut text = Vec::new();
    report.print_human(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("Nothing conflicts: all 6,000 calls that were executed in parallel stand."), "{text}");
}

#[test]
fn synced_runs_report_syncs_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger");
    let report =
        json(&format!("--accounts 30 --calls 400 --batch-size 50 --durability fsync --data-dir {}", ledger.display()));
    for percentiles in ["sync_ms", "batch_to_durable_ms"] {
        let (p50, p99) = (&report[percentiles]["p50"], &report[percentiles]["p99"]);
        assert!(p50.as_f64().unwrap() > 0.0 && p99.as_f64() >= p50.as_f64(), "{percentiles}: {p50} {p99}");
    }
    assert!(report["sync_reference_bytes_per_second"].as_f64().unwrap() > 0.0);
    assert!(!ledger.join("reference").exists());

    // What is left is a ledger like any other: it opens, replays, and has the digest that was reported.
    let options = phalanx_engine::Options::default();
    let files = std::sync::Arc::new(phalanx_engine::fs::RealFileSystem);
    let verified = phalanx_engine::verify_log(files, &ledger, options, &mut |_| {}).unwrap();
    let digest = verified.digest.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"));
    assert_eq!(report["log_digest"], digest);
    assert!(verified.tail.is_none());

    let Err(again) = bench(&format!("--calls 1 --data-dir {}", ledger.display())) else {
        panic!("the folder is taken")
    };
    assert_eq!(again.exit_code(), 2);
    assert!(again.to_string().contains("is not empty"), "{again}");
}

#[test]
fn a_log_without_sync_has_the_same_bytes_dropped_or_written() {
    let folder = tempfile::tempdir().unwrap();
    let shape = "--accounts 30 --calls 400 --batch-size 50";
    let dropped = json(shape);
    let written = json(&format!("{shape} --data-dir {}", folder.path().display()));
    assert_eq!(dropped["log_digest"], written["log_digest"]);
    assert!(std::fs::read_dir(folder.path().join("log")).unwrap().count() > 0);
    assert_eq!((&dropped["sync_ms"], &written["sync_ms"]), (&Value::Null, &Value::Null));
    for report in [dropped, written] {
        let (log, input) =
            (report["log_bytes_per_call"].as_f64().unwrap(), report["input_bytes_per_call"].as_f64().unwrap());
        assert!(log > input && input >= 92.0, "{log} {input}");
    }
}

#[test]
fn exit_codes_tell_a_mismatch_from_a_broken_invariant() {
    let mut report = bench("--accounts 2 --calls 4").unwrap();
    assert_eq!(report.exit_code(), 0);
    report.invariant.holds = false;
    assert_eq!(report.exit_code(), 1);
    (report.check, report.serial_match) = (Some(CheckBy::Oracle), Some(false));
    report.mismatch = Some("height 3, call 7: …".into());
    assert_eq!(report.exit_code(), 5);
    let mut text = Vec::new();
    report.print_human(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains("CHECK FAILED against the oracle: height 3, call 7") && text.contains("total supply BROKEN"),
        "{text}"
    );
}

#[test]
fn the_live_check_is_reported_with_what_it_executed() {
    let report =
        bench("--accounts 30 --calls 400 --batch-size 20 --workers 2 --mode optimistic --equivalence 50").unwrap();
    let equivalence = report.equivalence.expect("it was asked for");
    // Every second batch of the 20, and of those before them.
    assert_eq!(equivalence.percent, 50);
    assert!((10..=13).contains(&equivalence.checked_batches), "{equivalence:?}");
    assert!(equivalence.checked_calls >= 200, "{equivalence:?}");
    let mut text = Vec::new();
    report.print_human(&mut text).unwrap();
    assert!(String::from_utf8(text).unwrap().contains("executed once more by the oracle meanwhile, no difference"));
    assert!(bench("--accounts 30 --calls 20 --workers 1").unwrap().equivalence.is_none());
}

#[test]
fn a_model_predicts_from_one_worker_and_is_checked() {
    let report = bench("token-rmw --accounts 30 --calls 2000 --batch-size 1000 --model").unwrap();
    assert_eq!((report.workers, report.mode), (1, "optimistic"));
    let model = report.model.as_ref().expect("it was asked for");
    let workers: Vec<usize> = model.predicted.iter().map(|it| it.workers).collect();
    assert_eq!(workers, [1, 2, 4, 8, 16, 32, 64, 128]);
    assert!(model.predicted.iter().all(|it| it.calls_per_second > 0.0 && it.efficiency > 0.0));
    assert_eq!((model.checked[0].workers, model.checked[0].measured), (1, report.calls_per_second));
    for (checked, predicted) in model.checked.iter().zip(&model.predicted) {
        assert_eq!((checked.workers, checked.predicted), (predicted.workers, predicted.calls_per_second));
        assert!(checked.measured > 0.0);
    }
    let mut text = Vec::new();
    report.print_human(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("128 workers") && text.contains("Taken for granted"), "{text}");
    assert!(bench("--accounts 30 --calls 20").unwrap().model.is_none());
}
