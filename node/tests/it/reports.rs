//! What verbs print: one JSON object with a schema, help with exit codes, colour where it is asked for.

use std::fs;

use crate::command::{module, on_directory, phalanx, run, run_file};
use crate::workload::{address, call, deploy, mixed, write_file};

#[test]
fn every_verb_prints_json_with_a_schema() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let data = files.path().join("data");
    let calls = write_file(files.path(), "calls.ndjson", &mixed(200).lines);
    run_file(&data, &calls, &["-o", "json"]).with_code(0).json("phalanx.run/1");
    let json = ["-o", "json"];
    on_directory(&["log", "verify"], &data, &json).with_code(0).json("phalanx.log.verify/1");
    let shown = on_directory(&["log", "show"], &data, &json).with_code(0).json("phalanx.log.show/1");
    let kinds: Vec<_> = shown["records"].as_array().expect("a list").iter().map(|record| &record["kind"]).collect();
    assert_eq!(kinds, ["genesis", "input", "seal", "input", "seal", "input", "seal", "close"]);
    for line in on_directory(&["log", "export"], &data, &json).with_code(0).stdout.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("a JSON object a line");
        assert!(line["schema"].is_string());
    }
    let root = on_directory(&["state", "root"], &data, &json).with_code(0).json("phalanx.state.root/1");
    let log = data.display().to_string();
    let recorded = run(["bench", "--recorded", &log, "-o", "json"]).with_code(0).json("phalanx.bench/1");
    assert_eq!((&recorded["workload"], &recorded["state_digest"]), (&"recorded".into(), &root["state_digest"]));
    let key = [&["--contract", "token", "--key", "0x00"][..], &json].concat();
    on_directory(&["state", "get"], &data, &key).with_code(0).json("phalanx.state.get/1");
    let absent = [&["--contract", "token", "--key", "0xff"][..], &json].concat();
    let absent = on_directory(&["state", "get"], &data, &absent).with_code(1).json("phalanx.state.get/1");
    assert!(absent["value"].is_null());
    let token = module("token.wasm").display().to_string();
    run(["contract", "check", &token, "-o", "json"]).with_code(0).json("phalanx.contract.check/1");
    let abi = run(["contract", "abi", &token, "-o", "json"]).with_code(0).json("phalanx.contract.abi/1");
    assert_eq!(abi["methods"].as_array().map(Vec::len), Some(10));
    let version = run(["version", "-o", "json"]).with_code(0).json("phalanx.version/1");
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    run(["completions", "bash", "-o", "json"]).with_code(0).json("phalanx.completions/1");
    run(["bench", "--calls", "2000", "--accounts", "100", "--check", "-o", "json"])
        .with_code(0)
        .json("phalanx.bench/1");
}

#[test]
fn modules_are_accepted_refused_or_unreadable() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| {
        let path = files.path().join(name);
        fs::write(&path, wat::parse_str(text).expect("the test's module")).expect("a temporary file");
        path.display().to_string()
    };
    let all = fs::read_dir(module("")).expect("built contracts").map(|entry| entry.expect("an entry").path());
    let all: Vec<_> = all.filter(|path| path.extension().is_some_and(|extension| extension == "wasm")).collect();
    assert!(all.len() >= 3);
    let check = [std::path::PathBuf::from("contract"), "check".into()];
    let accepted = run(check.iter().chain(&all)).with_code(0).stdout;
    assert_eq!(accepted.matches(": accepted, ").count(), all.len());
    let token = module("token.wasm").display().to_string();
    assert_eq!(run(["contract", "check", "--require-abi", &token]).with_code(0).stderr, "");

    let bare =
        write("bare.wasm", r#"(module (memory (export "memory") 1) (func (export "m") (result i32) (i32.const 0)))"#);
    let ended = run(["contract", "check", &bare]).with_code(0);
    assert!(ended.stderr.contains("there is no ABI"));
    let ended = run(["contract", "check", "--require-abi", &bare]).with_code(1);
    assert!(ended.stdout.contains("MissingAbi"));
    run(["contract", "abi", &bare]).with_code(1);

    let bad = write(
        "bad.wasm",
        r#"(module (import "env" "f" (func)) (memory (export "memory") 300)
            (func (export "m") (result i32) (f32.const 1) drop (i32.const 0)))"#,
    );
    let checked = run(["contract", "check", &bare, &bad, "-o", "json"]).with_code(1).json("phalanx.contract.check/1");
    let verdicts: Vec<_> = checked["files"].as_array().expect("a list").iter().map(|file| &file["verdict"]).collect();
    assert_eq!(verdicts, ["accepted", "refused"]);
    let reasons = checked["files"][1]["reasons"].as_array().expect("a list");
    let named = |name: &str| {
        reasons.iter().find(|reason| reason["name"] == name).unwrap_or_else(|| panic!("{name}: {reasons:?}"))
    };
    assert_eq!((&named("MemoryPages")["actual"], &named("MemoryPages")["limit"]), (&300.into(), &256.into()));
    named("UnknownImport");
    named("Floats");
    run(["contract", "check", &bad, "no such file"]).with_code(2);
}

#[test]
fn help_documents_the_exit_codes() {
    let help = run(["--help"]).with_code(0).stdout;
    for code in ["0  done", "1  the operation failed", "4  data is damaged", "5  results differ", "130  interrupted"] {
        assert!(help.contains(code), "{code}");
    }
    assert!(run(["--version"]).with_code(0).stdout.starts_with("phalanx "));
}

#[test]
fn completions_name_the_verbs() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(["completions", shell]).with_code(0).stdout;
        assert!(script.contains("phalanx") && script.contains("export"), "{shell}");
    }
}

#[test]
fn messages_are_coloured_only_where_it_is_asked_for() {
    let arguments = ["log", "show", "--data-dir", "no such directory"];
    assert!(!run(arguments).with_code(1).stderr.contains('\x1b'));
    assert!(run(arguments.iter().chain(&["--color", "always"])).with_code(1).stderr.contains('\x1b'));
    assert!(run(["--color=always", "rnu"]).with_code(2).stderr.contains('\x1b'));
    let stderr_with = |name: &str| {
        let output = phalanx().args(arguments).env("CLICOLOR_FORCE", "1").env(name, "1").output().expect("it starts");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    assert!(stderr_with("CLICOLOR_FORCE").contains('\x1b'));
    assert!(!stderr_with("NO_COLOR").contains('\x1b'));
}

#[test]
fn explanations_are_printed_where_they_are_asked_for() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let calls = write_file(files.path(), "calls.ndjson", &mixed(100).lines);
    let plain = run_file(&files.path().join("plain"), &calls, &[]).with_code(0).stdout;
    assert!(!plain.contains("purpose") && !plain.contains("reverted \""));
    assert!(plain.contains("as the arguments fit no ABI; --explain says why"), "{plain}");
    let explained = run_file(&files.path().join("explained"), &calls, &["--explain"]).with_code(0).stdout;
    assert!(explained.contains("height 3 call 570 (line 573): on \"purpose\"\\n"), "{explained}");
    assert!(explained.contains("arguments sent as JSON: `amount`: -1 is no u128"));
    assert!(explained.contains("arguments sent as JSON: the ABI has no method `teleport`"));
    assert!(explained.contains("): token.transfer reverted \"InsufficientBalance\"\n"), "{explained}");
    assert!(explained.contains("What calls conflicted on"), "{explained}");
    let unknown = [call("tokn", "transfer", &address(1, 1), serde_json::json!({}))];
    let unknown = write_file(files.path(), "unknown.ndjson", &unknown);
    let explained = run_file(&files.path().join("unknown"), &unknown, &["--explain"]).with_code(0).stdout;
    assert!(explained.contains("(line 1): arguments sent as JSON: no line of the file deploys `tokn`"), "{explained}");
}

#[test]
fn conflicts_are_named_where_it_is_asked_for() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let sender = address(1, 1);
    let mut lines = vec![deploy("token.wasm", "token", &sender)];
    // The first transfer is refused in parallel, where the mint has not happened yet.
    let to = address(2, 1);
    lines.push(call("token", "mint", &sender, serde_json::json!({"to": sender, "amount": "9"})));
    lines.extend((0..9).map(|_| call("token", "transfer", &sender, serde_json::json!({"to": to, "amount": "1"}))));
    let calls = write_file(files.path(), "calls.ndjson", &lines);
    let run = |directory: &str, rest: &[&str]| {
        let rest = [&["--mode", "optimistic", "--workers", "2", "-o", "json", "--check"], rest].concat();
        run_file(&files.path().join(directory), &calls, &rest).with_code(0).json("phalanx.run/1")
    };
    assert!(run("plain", &[])["conflicts"].is_null());
    let report = run("explained", &["--explain"]);
    let place = &report["conflicts"][0];
    assert_eq!(
        (&place["method"], &place["slot"], &place["cause"]),
        (&"transfer".into(), &"0x01".into(), &"answer".into())
    );
    assert_eq!((&place["dirty_calls"], &place["slot_name"]), (&9.into(), &"BALANCES".into()), "{place}");
}
