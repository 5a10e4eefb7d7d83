//! Files of calls from end to end: executed, compared with the oracle, verified, exported.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::command::{on_directory, run_file};
use crate::workload::{Workload, mixed, write_file};

const CALLS: u32 = 100_000;

fn counts(outcomes: &Value) -> BTreeMap<String, u64> {
    serde_json::from_value(outcomes.clone()).expect("outcomes are counts by name")
}

#[track_caller]
fn assert_outcomes(report: &Value, workload: &Workload) {
    let expected: BTreeMap<String, u64> = workload.outcomes.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
    assert_eq!(counts(&report["outcomes"]), expected);
    assert_eq!(report["calls"], workload.lines.len());
}

/// Verifies the log of a directory against the report of the run that ended it.
#[track_caller]
fn assert_verified(directory: &Path, report: &Value) {
    let verified = on_directory(&["log", "verify"], directory, &["-o", "json"]).with_code(0);
    let verified = verified.json("phalanx.log.verify/1");
    assert_eq!(verified["status"], "verified");
    for digest in ["height", "log_digest", "state_digest"] {
        assert_eq!(verified[digest], report[digest], "{digest}");
    }
    assert_eq!(verified["receipts"], report["height"], "receipts of every height are kept");
    let root = on_directory(&["state", "root"], directory, &[]).with_code(0);
    assert_eq!(format!("{}\n", report["state_digest"].as_str().expect("hex")), root.stdout);
}

/// What an export says.
#[derive(Default)]
struct Exported {
    heights: Vec<Value>,
    calls: Vec<Value>,
    /// The state that the writes add up to: (contract, key) to value.
    state: BTreeMap<(String, String), String>,
}

fn export(directory: &Path, rest: &[&str]) -> Exported {
    let mut exported = Exported::default();
    let ended = on_directory(&["log", "export"], directory, rest).with_code(0);
    assert_eq!(ended.stderr, "");
    for line in ended.stdout.lines() {
        let value: Value = serde_json::from_str(line).expect("a JSON object a line");
        match value["schema"].as_str() {
            Some("phalanx.height/1") => exported.heights.push(value),
            Some("phalanx.call/1") => exported.add_call(value),
            other => panic!("unknown schema {other:?}"),
        }
    }
    exported
}

impl Exported {
    fn add_call(&mut self, call: Value) {
        assert_eq!(call["height"], self.heights.last().expect("a height comes before its calls")["height"]);
        let text = |value: &Value| value.as_str().expect("hex").to_owned();
        for write in call["writes"].as_array().expect("writes are a list") {
            let key = (text(&write["contract"]), text(&write["key"]));
            match &write["value"] {
                Value::Null => _ = self.state.remove(&key),
                value => _ = self.state.insert(key, text(value)),
            }
        }
        self.calls.push(call);
    }

    fn outcomes(&self, from_height: u64) -> BTreeMap<String, u64> {
        let mut outcomes = BTreeMap::new();
        for call in self.calls.iter().filter(|call| call["height"].as_u64() >= Some(from_height)) {
            *outcomes.entry(call["outcome"].as_str().expect("a name").to_owned()).or_default() += 1;
        }
        outcomes
    }

    /// Supply of a token, if it is the sum of its balances.
    fn supply(&self, token: &str) -> u128 {
        let number = |hex: &str| {
            let bytes: Vec<u8> =
                (2..hex.len()).step_by(2).filter_map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect();
            u128::from_le_bytes(bytes.try_into().expect("16 bytes"))
        };
        let of_slot = |slot: &'static str| {
            let in_slot = move |(contract, key): &(String, String)| contract == token && key.starts_with(slot);
            self.state.iter().filter(move |(key, _)| in_slot(key)).map(|(_, value)| number(value)).sum::<u128>()
        };
        assert_eq!(of_slot("0x00"), of_slot("0x01"), "supply and balances of {token}");
        of_slot("0x00")
    }

    /// Contracts that were deployed, in order.
    fn deployed(&self) -> Vec<String> {
        let deploys = self.calls.iter().filter(|call| call["method"] == "deploy" && call["outcome"] == "ok");
        deploys.map(|call| call["return"].as_str().expect("hex").to_owned()).collect()
    }
}

#[test]
fn a_file_and_another_one_on_the_same_directory() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let directory = files.path().join("data");
    let workload = mixed(CALLS);
    let calls = write_file(files.path(), "calls.ndjson", &workload.lines);

    let ended = run_file(&directory, &calls, &["--check", "-o", "json"]).with_code(0);
    assert_eq!(ended.stderr, "");
    let first = ended.json("phalanx.run/1");
    assert_outcomes(&first, &workload);
    assert_eq!(first["oracle_match"], true);
    // Two deploys are batches of their own.
    let batches = 2 + (workload.lines.len() as u64 - 2).div_ceil(16_384);
    assert_eq!((&first["batches"], &first["height"]), (&batches.into(), &batches.into()));
    assert_verified(&directory, &first);

    let exported = export(&directory, &[]);
    assert_eq!(exported.outcomes(0), counts(&first["outcomes"]));
    assert_eq!(exported.heights.last().map(|height| &height["digest"]), Some(&first["log_digest"]));
    let token = exported.deployed()[0].clone();
    assert_eq!(exported.supply(&token), 500 * 1_000_000_000_000_000_000_000);
    assert_decoded(&exported, &workload);

    let second_file = files.path().join("more.ndjson");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/more_calls.py");
    let python = Command::new("python3").arg(script).arg(&second_file).arg(&token).status();
    assert!(python.expect("python3 is installed").success());
    let second = run_file(&directory, &second_file, &["--check", "-o", "json"]).with_code(0).json("phalanx.run/1");
    assert_eq!(second["oracle_match"], true);
    assert_eq!(counts(&second["outcomes"]).values().sum::<u64>(), second["calls"].as_u64().expect("a number"));
    for outcome in ["ok", "reverted", "aborted", "limit_exceeded", "out_of_gas", "already_deployed", "bad_arguments"] {
        assert!(counts(&second["outcomes"]).contains_key(outcome), "{outcome}: {}", second["outcomes"]);
    }
    assert_eq!(counts(&second["outcomes"])["unknown_contract"], 1, "the call before the deploy");
    assert_verified(&directory, &second);

    let exported = export(&directory, &[]);
    assert_eq!(exported.outcomes(batches + 1), counts(&second["outcomes"]));
    let gold = &exported.deployed()[2];
    assert_eq!(exported.supply(gold), 200 * 10u128.pow(30));
    let supply = on_directory(&["state", "get"], &directory, &["--contract", "gold", "--key", "0x00"]).with_code(0);
    assert_eq!(supply.stdout.trim(), exported.state[&(gold.clone(), "0x00".to_owned())]);
    let later = export(&directory, &["--from", &(batches + 1).to_string()]);
    assert_eq!(later.calls.len() as u64, second["calls"].as_u64().expect("a number"));
    assert_eq!(later.calls[..], exported.calls[exported.calls.len() - later.calls.len()..]);
}

/// Each call's arguments are those of its line, decoded where the ABI fits and raw JSON where it does not.
#[track_caller]
fn assert_decoded(exported: &Exported, workload: &Workload) {
    assert_eq!(exported.calls.len(), workload.lines.len());
    let mut decoded = 0;
    for (call, line) in exported.calls.iter().zip(&workload.lines) {
        let Some(line) = line.get("call") else {
            assert_eq!((&call["method"], &call["writes"][0]["contract"]), (&"deploy".into(), &call["contract"]));
            continue;
        };
        assert_eq!((&call["method"], &call["sender"]), (&line["method"], &line["sender"]));
        match call["arguments_decoded"].is_null() {
            false => {
                assert_eq!(call["arguments_decoded"], line["args"]);
                decoded += 1;
            }
            true => {
                let raw: String = line["args"].to_string().bytes().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(call["arguments"], format!("0x{raw}"));
                assert!(
                    ["unknown_contract", "unknown_method", "bad_arguments"]
                        .contains(&call["outcome"].as_str().unwrap_or_default())
                );
            }
        }
        if call["method"] == "transfer" && call["outcome"] == "ok" {
            let event = &call["events"][0];
            assert_eq!(
                (&event["topic"], &event["data_decoded"]["amount"]),
                (&"Transfer".into(), &line["args"]["amount"])
            );
            assert_eq!(event["data_decoded"]["from"], line["sender"]);
        }
        match call["outcome"].as_str() {
            Some("reverted") => assert_eq!(call["return_decoded"], "InsufficientBalance"),
            Some("aborted") => assert_eq!(call["explanation"], "on \"purpose\"\n"),
            _ => {}
        }
        assert!(call["outcome"] == "ok" || call["writes"] == Value::Array(Vec::new()));
    }
    assert!(decoded > 90_000, "{decoded}");
}

/// Runs a file in a mode, compares it with the oracle, and verifies its log on other numbers of workers.
fn run_in_mode(directory: &Path, calls: &Path, mode: &str, workers: u32) -> Value {
    let workers = workers.to_string();
    let arguments = ["--mode", mode, "--workers", &workers, "--check", "-o", "json"];
    let report = run_file(directory, calls, &arguments).with_code(0).json("phalanx.run/1");
    assert_eq!(report["oracle_match"], true, "{mode}");
    assert_eq!((&report["mode"], &report["workers"].to_string()), (&mode.into(), &workers));
    assert_eq!(report["mode_chosen"]["mode"], mode);
    assert_eq!(report["mode_chosen"]["batches"], serde_json::json!({ mode: report["batches"] }));
    for workers in ["1", "3", "8"] {
        let verified = on_directory(&["log", "verify"], directory, &["--workers", workers, "-o", "json"]).with_code(0);
        let verified = verified.json("phalanx.log.verify/1");
        for digest in ["height", "log_digest", "state_digest"] {
            assert_eq!(verified[digest], report[digest], "{digest}, {workers} workers");
        }
    }
    report
}

#[test]
fn a_large_file_comes_to_the_same_in_every_mode() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let workload = mixed(CALLS);
    let calls = write_file(files.path(), "calls.ndjson", &workload.lines);
    let in_mode = |mode: &str| run_in_mode(&files.path().join(mode), &calls, mode, 4);
    let reports = ["optimistic", "pipe", "serial", "hinted"].map(in_mode);
    for report in &reports {
        assert_outcomes(report, &workload);
        for field in ["height", "gas_used", "log_digest", "state_digest"] {
            assert_eq!(report[field], reports[0][field], "{field} in mode {}", report["mode"]);
        }
    }
}

#[test]
fn results_do_not_depend_on_how_a_file_is_run() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let calls = write_file(files.path(), "calls.ndjson", &mixed(2_000).lines);
    let digests = |directory: &str, rest: &[&str]| {
        let rest = [rest, &["-o", "json", "--batch-size", "300"]].concat();
        let report = run_file(&files.path().join(directory), &calls, &rest).with_code(0).json("phalanx.run/1");
        [report["log_digest"].clone(), report["state_digest"].clone()]
    };
    let plain = digests("plain", &[]);
    assert_eq!(plain, digests("one worker", &["--workers", "1"]));
    assert_eq!(plain, digests("optimistic", &["--mode", "optimistic", "--workers", "3"]));
    assert_eq!(plain, digests("hinted", &["--mode", "hinted", "--workers", "3"]));
    assert_eq!(plain, digests("pipe", &["--mode", "pipe", "--workers", "2"]));
    assert_eq!(plain, digests("serial", &["--mode", "serial", "--workers", "7"]));
    assert_eq!(plain, digests("auto", &["--mode", "auto", "--explain", "--check"]));
}

#[test]
fn an_empty_file_makes_an_empty_log() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let calls = write_file(files.path(), "calls.ndjson", &[]);
    let directory = files.path().join("data");
    let report = run_file(&directory, &calls, &["-o", "json"]).with_code(0).json("phalanx.run/1");
    assert_eq!((&report["height"], &report["calls"]), (&0.into(), &0.into()));
    assert_verified(&directory, &report);
}
