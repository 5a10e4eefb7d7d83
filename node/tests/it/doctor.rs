//! `phalanx doctor`: a machine, a directory, and ports that are as they should be, or not.

use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use tempfile::tempdir;

use crate::command::{Ended, on_directory, run_file};
use crate::workload::{mixed, write_file};

fn examine(data: &Path, rest: &[&str]) -> Ended {
    on_directory(&["doctor"], data, &[&["-o", "json"], rest].concat())
}

fn finding<'a>(report: &'a Value, check: &str) -> (&'a str, &'a str) {
    let checks = report["checks"].as_array().expect("a list");
    let found =
        checks.iter().find(|finding| finding["check"] == check).unwrap_or_else(|| panic!("no {check}: {report}"));
    (found["status"].as_str().expect("text"), found["measured"].as_str().expect("text"))
}

#[test]
fn a_directory_in_each_of_its_states() {
    let folder = tempdir().expect("a temporary directory");
    let data = folder.path().join("data");
    let port = ["--listen", "127.0.0.1:0"];
    let report = examine(&data, &port).with_code(0).json("phalanx.doctor/1");
    assert_eq!(finding(&report, "log"), ("ok", "none yet; `phalanx serve` begins one"));
    for check in
        ["cores", "frequency governor", "memory mappings", "open files", "file system", "free space", "sync latency"]
    {
        let (status, measured) = finding(&report, check);
        assert!(status != "fail" && !measured.is_empty(), "{check}: {measured}");
    }
    assert!(finding(&report, "sync latency").1.contains(" ms of 32 synced writes"), "{report}");
    assert!(finding(&report, "settings").1.starts_with("fit together; "), "{report}");
    assert_eq!(finding(&report, "chain"), ("ok", "no chain_id: zeros, of the log that begins"));
    assert!(!data.exists(), "looking makes nothing");

    let calls = write_file(folder.path(), "calls.ndjson", &mixed(500).lines);
    run_file(&data, &calls, &["--batch-size", "100"]).with_code(0);
    let before: Vec<_> =
        fs::read_dir(&data).expect("it is there").map(|entry| entry.expect("an entry").file_name()).collect();
    let report = examine(&data, &port).with_code(0).json("phalanx.doctor/1");
    let (status, log) = finding(&report, "log");
    let last = log.strip_prefix("heights 1 to ").and_then(|rest| rest.split(',').next()).expect("it has heights");
    assert!(status == "ok" && log.ends_with("; closed"), "{log}");
    assert_eq!(finding(&report, "receipts"), ("ok", &*format!("of heights 1 to {last}; the log has {last}")));
    assert!(finding(&report, "code cache").1.starts_with("writable and private; "), "{report}");
    let after: Vec<_> =
        fs::read_dir(&data).expect("it is there").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(before, after, "nothing is left behind");

    // Receipts that are gone are made again; a torn tail is cut.
    fs::remove_dir_all(data.join("receipts")).expect("they are there");
    let segment = data.join("log/0000000000.log");
    let intact = fs::read(&segment).expect("a segment");
    let close = intact.chunks(64).rposition(|record| record.iter().any(|byte| *byte != 0)).expect("it holds something");
    let mut torn = intact.clone();
    torn[64 * close..].fill(0);
    torn[64 * close..64 * close + 40].fill(0x77);
    fs::write(&segment, &torn).expect("it is writable");
    let report = examine(&data, &port).with_code(0).json("phalanx.doctor/1");
    assert_eq!((finding(&report, "receipts").0, finding(&report, "log").0), ("warn", "warn"));
    assert_eq!(report["status"], "warn");

    // Damage is not.
    let mut damaged = intact.clone();
    damaged[intact.len() / 2] ^= 1;
    fs::write(&segment, &damaged).expect("it is writable");
    let report = examine(&data, &port).with_code(4).json("phalanx.doctor/1");
    let (status, measured) = finding(&report, "log");
    assert!(status == "fail" && measured.contains("0000000000.log: offset "), "{measured}");
    assert_eq!(fs::read(&segment).expect("a segment"), damaged, "nothing was changed");
}

#[test]
fn settings_that_a_node_would_refuse() {
    let folder = tempdir().expect("a temporary directory");
    let data = folder.path().join("data");
    let (chain, other) = (format!("0x{}", "ab".repeat(32)), format!("0x{}", "cd".repeat(32)));
    let with = |rest: &[&str]| examine(&data, &[&["--listen", "127.0.0.1:0"], rest].concat());
    let report = with(&["--require-signatures"]).with_code(1).json("phalanx.doctor/1");
    let (status, measured) = finding(&report, "settings");
    assert!(status == "fail" && measured.starts_with("require_signatures needs a chain_id"), "{measured}");
    let report = with(&["--require-signatures", "--chain-id", &chain]).with_code(0).json("phalanx.doctor/1");
    assert_eq!(finding(&report, "chain"), ("ok", &*format!("{chain}, of the log that begins")));

    let served = crate::serve::node::Served::start(folder.path(), &["--chain-id", &chain]);
    assert_eq!(served.end().code, 0);
    for same in [&[][..], &["--chain-id", &chain]] {
        let report = with(same).with_code(0).json("phalanx.doctor/1");
        assert_eq!(finding(&report, "chain"), ("ok", &*chain));
    }
    let report = with(&["--chain-id", &other]).with_code(1).json("phalanx.doctor/1");
    assert_eq!(finding(&report, "chain"), ("fail", &*format!("chain_id is {other}, the log is of {chain}")));
}

#[test]
fn ports_that_others_hold() {
    let folder = tempdir().expect("a temporary directory");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it is bound").to_string();
    let data = folder.path().join("data");
    let report = examine(&data, &["--listen", "127.0.0.1:0", "--admin", &address]).with_code(1);
    let report = report.json("phalanx.doctor/1");
    assert_eq!((finding(&report, "port").0, finding(&report, "admin port").0), ("ok", "fail"));

    let served = crate::serve::node::Served::start(folder.path(), &[]);
    let listen = served.endpoint.strip_prefix("http://").expect("it is").to_owned();
    let report = examine(&served.data, &["--listen", &listen]).with_code(0).json("phalanx.doctor/1");
    assert!(finding(&report, "log").1.ends_with("; a process has it open"), "{report}");
    assert_eq!(finding(&report, "port").0, "ok");
    assert_eq!(served.end().code, 0);

    let human = on_directory(&["doctor"], &data, &["--listen", &address]).with_code(1);
    assert!(human.stdout.lines().any(|line| line.starts_with("fail  port ")), "{}", human.stdout);
    assert!(human.stdout.contains("listen on another address"), "{}", human.stdout);
}
