//! The load generator, against nodes that do well, stall, end, and are interfered with.

use phalanx_engine::Address;
use phalanx_proto::v1;
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::tempdir;

use super::node::*;
use super::operation::get;
use crate::command::{Ended, phalanx, run};

const SCHEMA: &str = "phalanx.load/1";
const ACCOUNTS: u64 = 300;

/// A generator's arguments: few accounts, small submissions, JSON.
fn arguments<'a>(served: &'a Served, rest: &[&'a str]) -> Vec<&'a str> {
    let small = ["--accounts", "300", "--prepared", "2000", "--endpoint", &served.endpoint, "-o", "json"];
    [&["load"], &small[..], rest].concat()
}

fn load(served: &Served, rest: &[&str]) -> Ended {
    run(arguments(served, rest))
}

fn start(served: &Served, rest: &[&str]) -> Child {
    let streams = |command: &mut Command| command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    streams(phalanx().args(arguments(served, rest))).expect("the binary starts")
}

fn ended(child: Child) -> Ended {
    Ended::of(child.wait_with_output().expect("it ends"))
}

fn signal(process: u32, name: &str) {
    let sent = Command::new("kill").args([name, &process.to_string()]).status();
    assert!(sent.expect("kill is installed").success());
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// What must hold in every report of a run that nothing went wrong in.
fn assert_sound(report: &Value) {
    let (submissions, calls) = (&report["submissions"], number(&report["calls"]));
    assert!(calls > 0, "{report}");
    assert_eq!(report["outcomes"], json!({"ok": calls}));
    assert_eq!(number(&submissions["answered"]) * number(&report["batch"]), calls);
    assert_eq!(submissions["answered"], submissions["started"]);
    for none in ["refused", "uncertain", "unanswered"] {
        assert_eq!(submissions[none], 0, "{none}");
    }
    assert!(number(&report["calls_in_time"]) <= calls);
    assert!(number(&report["gas_used"]) >= 500 * calls);
    assert_eq!((&report["violations"], &report["first_violation"]), (&json!(0), &Value::Null));
    assert_eq!(report["balances"], json!({"compared": ACCOUNTS, "summed": ACCOUNTS, "difference": null}));
    for latency in ["latency_ms", "service_ms"] {
        let at: Vec<f64> =
            ["p50", "p90", "p99", "p99.9", "max"].iter().filter_map(|name| report[latency][name].as_f64()).collect();
        assert!(at.len() == 5 && at[0] > 0.0 && at.is_sorted(), "{at:?}");
    }
    let rate = report["calls_in_time"].as_f64().expect("a number") / report["elapsed_seconds"].as_f64().expect("one");
    assert!((report["calls_per_second"].as_f64().expect("a number") - rate).abs() <= rate / 1e6);
}

#[test]
fn every_form_of_submission_loads_a_node() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &["--admin", "127.0.0.1:0"]);
    let admin = served.started["admin"].as_str().expect("text").strip_prefix("http://").expect("it is").to_owned();
    let process = served.process().to_string();
    let cases: [(&[&str], &str, &str); 6] = [
        (&["--batch", "100", "--server-pid", &process], "SubmitStream", "canonical"),
        (&["--form", "calls", "--batch", "50", "--streams", "3", "--connections", "2"], "SubmitStream", "messages"),
        (&["--batch", "100", "--in-flight", "1", "--receipts", "messages"], "SubmitStream", "messages"),
        (&["--batch", "10", "--tasks", "8", "--connections", "3", "--skew", "1.1"], "SubmitBatch", "canonical"),
        (&["--form", "calls", "--batch", "10", "--tasks", "2", "--ack", "executed"], "SubmitBatch", "messages"),
        (&["--form", "submit", "--tasks", "16", "--connections", "2", "--ids"], "Submit", "messages"),
    ];
    let mut executed = 0;
    for (rest, api, receipts) in cases {
        let report = load(&served, &[rest, &["--duration", "1", "--window", "0.25"]].concat()).with_code(0);
        let report = report.json(SCHEMA);
        assert_sound(&report);
        assert_eq!(
            (&report["api"], &report["receipts"], &report["loop"]),
            (&json!(api), &json!(receipts), &json!("closed"))
        );
        assert_eq!((report["windows"].as_array().map(Vec::len), &report["elapsed_seconds"]), (Some(4), &json!(1.0)));
        assert_eq!(report["asked_calls_per_second"], Value::Null);
        assert!(report["client_cpu_seconds"].is_f64());
        assert_eq!(report["server_cpu_seconds"].is_f64(), rest.contains(&"--server-pid"));
        executed += 1 + ACCOUNTS + number(&report["calls"]);
    }
    let metrics = get(&admin, "/metrics").1;
    let line = format!("phalanx_calls_total{{outcome=\"ok\"}} {executed}");
    assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    assert_eq!(served.end().code, 0);
    verify(&folder.path().join("data"));
}

#[test]
fn who_reads_beside_the_calls_sees_them_all_once() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let small = ["--batch", "100", "--duration", "1"];
    let with = |rest: &[&str]| load(&served, &[&small[..], rest].concat()).with_code(0).json(SCHEMA);
    let none = with(&[]);
    assert_eq!((&none["readers"], &none["queries"]), (&Value::Null, &Value::Null));

    let all = with(&["--readers", "2", "--reader-pause", "0.2"]);
    assert_sound(&all);
    let readers = &all["readers"];
    assert_eq!(number(&readers["calls"]), 2 * number(&all["calls"]), "{readers}");
    assert_eq!(
        (&readers["count"], &readers["senders"], &readers["pause_seconds"]),
        (&json!(2), &Value::Null, &json!(0.2))
    );
    assert_eq!((&readers["compared"], &readers["difference"]), (&json!(true), &Value::Null));
    assert!(readers["age_ms"]["max"].as_f64().is_some_and(|age| age >= 0.0), "{readers}");

    // Of the 300 accounts, ten readers have 30 each: together they read each call once.
    let shared = with(&["--readers", "10", "--reader-senders", "30", "--queries", "200"]);
    assert_sound(&shared);
    let (readers, queries) = (&shared["readers"], &shared["queries"]);
    assert_eq!(number(&readers["calls"]), number(&shared["calls"]), "{readers}");
    assert_eq!((&readers["senders"], &readers["difference"]), (&json!(30), &Value::Null));
    let (answered, missed) = (number(&queries["answered"]), number(&queries["missed"]));
    assert_eq!((answered + missed, &queries["failed"]), (200, &json!({})), "{queries}");
    assert!(answered > 0 && queries["latency_ms"]["p50"].as_f64().is_some_and(|p50| p50 > 0.0), "{queries}");
    assert_eq!((&queries["asked_per_second"], &queries["difference"]), (&json!(200.0), &Value::Null));

    let file = |name: &str, report: &Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, report.to_string()).expect("a temporary file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let files = [file("none", &none), file("all", &all), file("shared", &shared), file("again", &shared)];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let merged = run([&["load", "merge", "-o", "json"], &files[..]].concat()).with_code(0).json(SCHEMA);
    assert_eq!((&merged["readers"]["count"], &merged["readers"]["senders"]), (&json!(22), &Value::Null));
    assert_eq!(number(&merged["queries"]["answered"]), 2 * answered);
    let mut wrong = shared.clone();
    wrong["readers"]["difference"] = json!("a call is missing");
    run(["load", "merge", &file("wrong", &wrong), files[0]]).with_code(5);

    let human = [
        &["load", "--accounts", "20", "--endpoint", &served.endpoint],
        &small[..],
        &["--readers", "1", "--queries", "50"],
    ];
    let human = run(human.concat()).with_code(0).stdout;
    for line in ["1 reader of all calls", "as many calls as the receipts say", "asked 50 a second", "each a balance"] {
        assert!(human.contains(line), "{line} is not in\n{human}");
    }
}

#[test]
fn an_open_loop_starts_as_often_as_it_is_asked_to() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    for way in [&["--streams", "2"][..], &["--tasks", "20"]] {
        let open = ["--batch", "10", "--rate", "200", "--duration", "1"];
        let report = load(&served, &[&open[..], way].concat()).with_code(0).json(SCHEMA);
        assert_sound(&report);
        assert_eq!((&report["loop"], &report["asked_calls_per_second"]), (&json!("open"), &json!(200.0)));
        // One each 50 ms, the first at once. A machine that stands still may miss some at the end; those are told.
        let submissions = &report["submissions"];
        assert_eq!(number(&submissions["started"]) + number(&submissions["missed"]), 20, "{submissions}");
        let p50 = |latency: &str| report[latency]["p50"].as_f64().expect("a number");
        assert!(p50("latency_ms") >= p50("service_ms"));
    }
    let human = run([
        "load",
        "--accounts",
        "2",
        "--batch",
        "1",
        "--rate",
        "50",
        "--duration",
        "0.5",
        "--endpoint",
        &served.endpoint,
    ]);
    let human = human.with_code(0).stdout;
    for line in
        ["of it was answered", "from intent", "not asked for (--server-pid)", "2 balances are what the receipts say"]
    {
        assert!(human.contains(line), "{line} is not in\n{human}");
    }
}

/// Waits until a generator's calls are executed, by the node's own count.
fn wait_for_calls(admin: &str, calls: u64) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let ok = |line: &str| line.strip_prefix("phalanx_calls_total{outcome=\"ok\"} ")?.parse::<u64>().ok();
    while get(admin, "/metrics").1.lines().find_map(ok).is_none_or(|there| there < calls) {
        assert!(Instant::now() < deadline, "no calls within a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_stall_is_in_the_latencies_of_all_that_was_meant_to_start_in_it() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &["--admin", "127.0.0.1:0"]);
    let admin = served.started["admin"].as_str().expect("text").strip_prefix("http://").expect("it is").to_owned();
    let child = start(&served, &["--batch", "1", "--in-flight", "1", "--rate", "100", "--duration", "6"]);
    wait_for_calls(&admin, 1 + ACCOUNTS + 1);
    signal(served.process(), "-STOP");
    std::thread::sleep(Duration::from_secs(2));
    signal(served.process(), "-CONT");
    let report = ended(child).with_code(0).json(SCHEMA);
    assert_sound(&report);
    // Of 600 starts, 200 fall into the stall, 100 of them into its first second. One of them alone is on its way in it.
    assert!(report["latency_ms"]["p90"].as_f64().is_some_and(|p90| p90 >= 900.0), "{}", report["latency_ms"]);
    assert!(report["latency_ms"]["max"].as_f64().is_some_and(|max| max >= 1_900.0), "{}", report["latency_ms"]);
}

#[test]
fn a_missed_threshold_has_an_exit_code_of_its_own() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let short = ["--duration", "0.5", "--batch", "20"];
    let with = |rest: &[&'static str]| load(&served, &[&short[..], rest].concat());
    let met = with(&["--min-rate", "0.001", "--max-p99", "86400000"]).with_code(0).json(SCHEMA);
    let verdicts = |report: &Value| -> Vec<(String, bool)> {
        let thresholds = report["thresholds"].as_array().expect("a list");
        let verdict = |threshold: &Value| (threshold["name"].to_string(), threshold["met"] == true);
        thresholds.iter().map(verdict).collect()
    };
    assert_eq!(verdicts(&met), [("\"min-rate\"".to_owned(), true), ("\"max-p99\"".to_owned(), true)]);
    let slow = with(&["--min-rate", "100000000"]).with_code(99);
    assert_eq!(verdicts(&slow.json(SCHEMA)), [("\"min-rate\"".to_owned(), false)]);
    assert!(slow.stderr.contains("--min-rate 100000000"), "{}", slow.stderr);
    let late = with(&["--max-p99", "0.000001"]).with_code(99);
    assert_eq!(verdicts(&late.json(SCHEMA)), [("\"max-p99\"".to_owned(), false)]);
}

#[test]
fn reports_of_several_generators_add_up() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let file = |name: &str, rest: &[&str]| {
        let ended = load(&served, &[&["--duration", "0.5", "--batch", "20"], rest].concat()).with_code(0);
        let path = folder.path().join(name);
        std::fs::write(&path, &ended.stdout).expect("a temporary file");
        (path.to_str().expect("UTF-8").to_owned(), ended.json(SCHEMA))
    };
    let (one_path, one) = file("one", &[]);
    let (other_path, other) = file("other", &["--seed", "2"]);
    let merge = |rest: &[&str]| run([&["load", "merge", "-o", "json"], rest].concat());
    let merged = merge(&[&one_path, &other_path]).with_code(0);
    // They ran one after the other, which is not what merging is for.
    assert!(merged.stderr.contains("ran together for 0 %"), "{}", merged.stderr);
    let merged = merged.json(SCHEMA);
    for sum in ["calls", "calls_in_time", "gas_used", "processes", "streams", "connections"] {
        assert_eq!(number(&merged[sum]), number(&one[sum]) + number(&other[sum]), "{sum}");
    }
    assert_eq!(merged["balances"]["compared"], 2 * ACCOUNTS);
    let at = |report: &Value, name: &str| report["latency_ms"][name].as_f64().expect("a number");
    assert_eq!(at(&merged, "max"), at(&one, "max").max(at(&other, "max")));
    let between = at(&one, "p50").min(at(&other, "p50"))..=at(&one, "p50").max(at(&other, "p50"));
    assert!(between.contains(&at(&merged, "p50")), "{between:?}");
    assert!(merged["elapsed_seconds"].as_f64().is_some_and(|seconds| seconds >= 1.0));
    merge(&[&one_path, &other_path, "--min-rate", "100000000"]).with_code(99);

    // Of one, it is the same.
    let same = merge(&[&one_path]).with_code(0).json(SCHEMA);
    assert_eq!(same, one);
    let (executed, _) = file("executed", &["--ack", "executed"]);
    let text = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a temporary file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let mut damaged = one.clone();
    damaged["latency_histogram"] = json!("AAAA");
    let cases = [
        (executed, "its ack is executed, that of the first file durable"),
        (text("damaged", damaged.to_string()), "its histogram"),
        (text("other schema", json!({"schema": "phalanx.bench/1"}).to_string()), "its schema is \"phalanx.bench/1\""),
        (text("no field", json!({"schema": SCHEMA}).to_string()), "missing field"),
        (text("no json", "phalanx load".to_owned()), "expected"),
        ("no such file".to_owned(), "no such file"),
    ];
    for (path, expected) in cases {
        let ended = merge(&[&one_path, &path]).with_code(2);
        assert!(ended.stderr.contains(expected) && ended.stdout.is_empty(), "{}", ended.stderr);
    }
}

/// Address of a generator's account, as `phalanx bench` makes them.
fn account(seed: u64, index: u64) -> Address {
    *blake3::hash(&[seed.to_le_bytes(), index.to_le_bytes()].concat()).as_bytes()
}

/// Moves 5 from a generator's account, behind its back, as soon as there is one.
async fn interfere(served: &Served) {
    let token = loop {
        let request = v1::ListContractsRequest::default();
        let page = served.query().list_contracts(request).await.expect("it is answered").into_inner();
        match page.contracts.first() {
            Some(contract) => break contract.contract.to_vec(),
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    loop {
        let answer = submit(served, token_call(&token, "transfer", account(1, 0), BOB, 5)).await;
        match outcome(answer.receipt.as_ref()) {
            v1::Outcome::Ok => break,
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

#[tokio::test]
async fn a_state_that_is_not_what_the_receipts_say_is_a_mismatch() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let child = start(&served, &["--batch", "20", "--rate", "400", "--duration", "3"]);
    interfere(&served).await;
    let ended = tokio::task::spawn_blocking(|| ended(child)).await.expect("it does not panic").with_code(5);
    let report = ended.json(SCHEMA);
    let difference = report["balances"]["difference"].as_str().expect("there is one");
    assert!(difference.contains("by its receipts account 0 has"), "{difference}");
}

#[test]
fn a_node_that_goes_away_leaves_a_report_and_exit_code_3() {
    for way in [&["--streams", "2"][..], &["--tasks", "2"]] {
        let folder = tempdir().expect("a temporary directory");
        let served = Served::start(folder.path(), &["--admin", "127.0.0.1:0"]);
        let admin = served.started["admin"].as_str().expect("text").strip_prefix("http://").expect("it is").to_owned();
        let child = start(&served, &[&["--batch", "10", "--duration", "60"], way].concat());
        // More than can be unanswered: some were answered.
        wait_for_calls(&admin, 1 + ACCOUNTS + 1_000);
        served.kill();
        let ended = ended(child).with_code(3);
        let report = ended.json(SCHEMA);
        assert!(number(&report["calls"]) > 0 && number(&report["uncertain"]["CONNECTION"]) > 0, "{report}");
        assert!(report["elapsed_seconds"].as_f64().is_some_and(|seconds| seconds < 60.0));
        assert_eq!(report["balances"], Value::Null);
        assert!(ended.stderr.contains("connection"), "{}", ended.stderr);
    }
}

#[test]
fn an_interrupted_generator_reports_what_there_was() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &["--admin", "127.0.0.1:0"]);
    let admin = served.started["admin"].as_str().expect("text").strip_prefix("http://").expect("it is").to_owned();
    let child = start(&served, &["--batch", "10", "--duration", "60", "--min-rate", "100000000"]);
    wait_for_calls(&admin, 1 + ACCOUNTS + 100);
    signal(child.id(), "-INT");
    let report = ended(child).with_code(130).json(SCHEMA);
    assert_sound(&report);
    assert!(report["elapsed_seconds"].as_f64().is_some_and(|seconds| seconds < 60.0));
}

#[test]
fn a_queue_that_is_full_refuses_and_what_was_taken_in_is_told_apart() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    // 120 submissions of 1.4 MB at once; the queue holds 64 MiB.
    let flood = ["--batch", "16384", "--tasks", "120", "--rate", "10000000", "--duration", "2"];
    let report = load(&served, &flood).with_code(0).json(SCHEMA);
    let submissions = &report["submissions"];
    let refused = number(&submissions["refused"]);
    assert_eq!(report["refused"], json!({"QUEUE_FULL": refused}));
    assert!(refused > 0 && number(&submissions["answered"]) > 0, "{submissions}");
    assert_eq!(number(&submissions["answered"]) + refused, number(&submissions["started"]));
    assert_eq!(report["balances"], json!({"compared": ACCOUNTS, "summed": ACCOUNTS, "difference": null}));
    let again =
        load(&served, &[&flood[..], &["--retries", "1000", "--timeout", "120"]].concat()).with_code(0).json(SCHEMA);
    assert_eq!(again["submissions"]["refused"], 0);
    assert!(number(&again["retries"]["QUEUE_FULL"]) > 0, "{again}");
    assert_sound(&again);
    served.end();
    verify(&folder.path().join("data"));
}
