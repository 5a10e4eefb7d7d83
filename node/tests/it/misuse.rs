//! Wrong usage: exit code 2, a cause and a remedy on standard error, nothing on standard output, nothing on disk.

use std::fs;
use std::path::Path;

use crate::command::{Ended, run, run_file};
use crate::workload::{address, call, deploy, write_file};

fn assert_usage(ended: Ended) -> String {
    let ended = ended.with_code(2);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.lines().count() >= 2, "{}", ended.stderr);
    ended.stderr
}

#[test]
fn every_flag_refuses_what_it_does_not_take() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let calls = write_file(files.path(), "calls.ndjson", &[]);
    let (calls, data) = (calls.display().to_string(), files.path().join("data").display().to_string());
    let run_with = |rest: &'static [&'static str]| [&["run", "--data-dir", &data, "--calls", &calls], rest].concat();
    let cases = [
        run_with(&["--workers", "0"]),
        run_with(&["--workers", "two"]),
        run_with(&["--workers", "1025"]),
        run_with(&["--mode", "fast"]),
        run_with(&["--batch-size", "0"]),
        run_with(&["--batch-size", "65537"]),
        run_with(&["--check=oracle"]),
        run_with(&["--explain=yes"]),
        run_with(&["--output", "xml"]),
        run_with(&["--color", "sometimes"]),
        run_with(&["more"]),
        run_with(&["--no-such-flag"]),
        vec!["run", "--data-dir", &data],
        vec!["run", "--calls", &calls],
        vec!["run", "--data-dir", &data, "--calls", "no such file"],
        vec!["log"],
        vec!["log", "verify"],
        vec!["log", "verify", "--data-dir", &data, "--from", "-1"],
        vec!["log", "show", "--data-dir", &data, "--workers", "0"],
        vec!["log", "export", "--data-dir"],
        vec!["log", "shorten", "--data-dir", &data],
        vec!["state", "get", "--data-dir", &data, "--contract", "token"],
        vec!["state", "get", "--data-dir", &data, "--contract", "0x12", "--key", "0x00"],
        vec!["state", "get", "--data-dir", &data, "--contract", "token", "--key", "0x"],
        vec!["state", "get", "--data-dir", &data, "--contract", "token", "--key", "00"],
        vec!["state", "root", "--data-dir", &data, "--key", "0x00"],
        vec!["state", "root", "--data-dir", &data, "--workers", "0"],
        vec!["contract", "check"],
        vec!["contract", "abi"],
        vec!["contract", "abi", "no such file"],
        vec!["contract", "new"],
        vec!["contract", "new", "two", "names"],
        vec!["contract", "new", "voting", "--path"],
        vec!["contract", "new", "../voting"],
        vec!["contract", "build", "--path", "no such folder"],
        vec!["contract", "build", "voting"],
        vec!["contract", "build", "--out"],
        vec!["contract", "build", "--rustc"],
        vec!["contract", "test", "--path", "no such folder"],
        vec!["contract", "test", "--calls"],
        vec!["contract", "test", "--offline"],
        vec!["contract", "gas", "--path", "no such folder"],
        vec!["contract", "gas", "--calls", "no such file"],
        vec!["contract", "gas", "--module"],
        vec!["contract", "gas", "--batch-size", "0"],
        vec!["contract", "test", "--batch-size", "65537"],
        vec!["contract", "diff-abi"],
        vec!["contract", "diff-abi", "one"],
        vec!["contract", "diff-abi", "two", "no such files"],
        vec!["completions", "csh"],
        vec!["version", "1"],
        vec!["bench", "no-such-workload"],
        vec!["bench", "--calls", "0"],
        vec!["bench", "--recorded", &data],
        vec!["bench", "--recorded", &data, "--calls", "5"],
        vec!["bench", "--from-height", "3"],
        vec!["rnu"],
        vec!["-o", "json"],
    ];
    for arguments in cases {
        let ended = run(&arguments);
        assert_eq!((ended.code, &*ended.stdout), (2, ""), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.lines().count() >= 2, "{arguments:?}: {}", ended.stderr);
    }
    assert!(!Path::new(&data).exists(), "nothing was created");
}

#[test]
fn a_mode_that_does_not_exist_is_answered_with_those_that_do() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let calls = write_file(files.path(), "calls.ndjson", &[]);
    let stderr = assert_usage(run_file(&files.path().join("data"), &calls, &["--mode", "fast"]));
    assert!(stderr.contains("auto, serial, pipe, optimistic, hinted"), "{stderr}");
}

#[test]
fn a_wrong_word_gets_a_suggestion() {
    assert!(run(["runn"]).stderr.contains("'run'"));
    assert!(run(["log", "verifi"]).stderr.contains("'verify'"));
}

#[test]
fn a_bad_line_is_named_and_nothing_runs() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let sender = address(1, 1);
    let good = [deploy("token.wasm", "token", &sender), call("token", "total_supply", &sender, serde_json::json!({}))];
    let path = write_file(files.path(), "calls.ndjson", &good);
    let text = fs::read_to_string(&path).expect("the file just written");
    let data = files.path().join("data");
    let garbage = [
        "\n",
        "{}\n",
        "null\n",
        "\u{0}\u{1}\n",
        "{\"call\": 1}\n",
        "{\"deploy\": {\"wasm\": \"no.wasm\", \"name\": \"x\", \"sender\": \"",
    ];
    for line in garbage {
        fs::write(&path, format!("{text}{line}")).expect("a temporary file");
        let stderr = assert_usage(run_file(&data, &path, &[]));
        assert!(stderr.contains("calls.ndjson: line 3: "), "{stderr}");
    }
    // Cut inside a line, the file is bad there.
    for cut in (1..text.len()).step_by(7).filter(|cut| !text[..*cut].ends_with('\n') && !text[*cut..].starts_with('\n'))
    {
        fs::write(&path, &text[..cut]).expect("a temporary file");
        let stderr = assert_usage(run_file(&data, &path, &[]));
        assert!(stderr.contains(&format!("line {}: ", text[..cut].lines().count())), "{stderr}");
    }
    fs::write(&path, b"\xff\xfe").expect("a temporary file");
    assert_usage(run_file(&data, &path, &[]));
    assert!(!data.exists(), "nothing was created");
}

#[test]
fn a_directory_without_a_log_is_no_result() {
    let files = tempfile::tempdir().expect("a temporary directory");
    for verb in [&["log", "verify"][..], &["log", "show"], &["log", "export"], &["state", "root"]] {
        let missing = files.path().join("missing");
        let ended = crate::command::on_directory(verb, &missing, &["-o", "json"]).with_code(1);
        assert!(ended.stderr.contains("there is no log"), "{}", ended.stderr);
        assert!(!missing.exists());
    }
}
