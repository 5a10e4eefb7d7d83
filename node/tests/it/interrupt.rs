//! An interrupt ends a run between two batches, with its log closed; a second one, and one of any other verb, ends at once.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::command::{Ended, on_directory, phalanx};
use crate::workload::{address, call_with_gas, deploy, write_file};

/// Calls that would take minutes.
const CALLS: usize = 600;

fn start(files: &Path, batch_size: &str) -> Child {
    let sender = address(1, 1);
    let mut lines = vec![deploy("hostile.wasm", "hostile", &sender)];
    lines.extend(std::iter::repeat_n(call_with_gas("hostile", "endless_loop", &sender, "1000000000"), CALLS));
    let calls = write_file(files, "calls.ndjson", &lines);
    phalanx()
        .args(["run", "--batch-size", batch_size, "-o", "json", "--data-dir"])
        .arg(files.join("data"))
        .arg("--calls")
        .arg(calls)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts")
}

/// Waits until a batch is done: the first one makes the receipt segment.
fn wait_for_batch(files: &Path) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let receipts = files.join("data/receipts");
    while !std::fs::read_dir(&receipts).is_ok_and(|mut entries| entries.next().is_some()) {
        assert!(Instant::now() < deadline, "no batch within a minute");
        sleep(Duration::from_millis(10));
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(sent.expect("kill is installed").success());
}

#[test]
fn an_interrupted_run_keeps_what_it_did() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let child = start(files.path(), "1");
    wait_for_batch(files.path());
    signal(&child, "-INT");
    let ended = Ended::of(child.wait_with_output().expect("the run ends")).with_code(130);
    let report = ended.json("phalanx.run/1");
    assert_eq!(report["interrupted"], true);
    let height = report["height"].as_u64().expect("a number");
    assert!(height >= 1 && height < CALLS as u64, "{height}");
    let data = files.path().join("data");
    let verified = on_directory(&["log", "verify"], &data, &["-o", "json"]).with_code(0);
    assert_eq!(verified.stderr, "", "the log was closed");
    let verified = verified.json("phalanx.log.verify/1");
    assert_eq!((&verified["height"], &verified["log_digest"]), (&report["height"], &report["log_digest"]));
}

#[test]
fn a_second_interrupt_ends_a_run_within_its_batch() {
    let files = tempfile::tempdir().expect("a temporary directory");
    // Eight calls of all the gas that a call may have: a batch of seconds.
    let run = start(files.path(), "8");
    wait_for_batch(files.path());
    signal(&run, "-TERM");
    sleep(Duration::from_millis(200));
    signal(&run, "-TERM");
    let ended = Ended::of(run.wait_with_output().expect("the run ends")).with_code(130);
    assert_eq!(ended.stdout, "", "it had no time for a report");
    on_directory(&["log", "verify"], &files.path().join("data"), &[]).with_code(0);
}

#[test]
fn a_verb_that_writes_nothing_ends_at_once() {
    let mut bench = phalanx();
    bench.args(["bench", "--calls", "1000000000", "--accounts", "1000"]).stdout(Stdio::null());
    let mut bench = bench.spawn().expect("the binary starts");
    sleep(Duration::from_millis(500));
    signal(&bench, "-INT");
    assert_eq!(bench.wait().expect("it ends").code(), Some(130));
}
