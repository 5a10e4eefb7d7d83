//! Backups of a node that is under load, and measuring what it executes.

use phalanx_proto::v1;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tempfile::tempdir;

use super::node::*;
use crate::command::{Ended, on_directory, run};

/// Eight clients that mint until they are told to stop; each counts the calls that it knows to be durable.
struct Load {
    stop: Arc<AtomicBool>,
    durable: Arc<Vec<AtomicU64>>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

fn account(client: usize) -> [u8; 32] {
    [100 + client as u8; 32]
}

impl Load {
    fn start(served: &Served, token: &[u8]) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let durable: Arc<Vec<AtomicU64>> = Arc::new((0..8).map(|_| AtomicU64::new(0)).collect());
        let client = |client: usize| {
            let (mut execution, token) = (served.execution(), token.to_owned());
            let (stop, durable) = (Arc::clone(&stop), Arc::clone(&durable));
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let call = Some(token_call(&token, "mint", ISSUER, account(client), 1));
                    let request = v1::SubmitRequest { call, ..v1::SubmitRequest::default() };
                    let answer = execution.submit(request).await.expect("it is taken in").into_inner();
                    assert_eq!(outcome(answer.receipt.as_ref()), v1::Outcome::Ok);
                    durable[client].fetch_add(1, Ordering::SeqCst);
                }
            })
        };
        Load { clients: (0..8).map(client).collect(), stop, durable }
    }

    fn durable(&self) -> Vec<u64> {
        self.durable.iter().map(|count| count.load(Ordering::SeqCst)).collect()
    }

    async fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        for client in self.clients {
            client.await.expect("it does not panic");
        }
    }
}

fn back_up(data: &Path, to: &Path) -> Ended {
    on_directory(&["backup"], data, &["--to", to.to_str().expect("UTF-8"), "-o", "json"])
}

fn restore(from: &Path, data: &Path) -> Ended {
    on_directory(&["restore"], data, &["--from", from.to_str().expect("UTF-8"), "-o", "json"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_backup_under_load_holds_every_call_that_was_durable() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    let load = Load::start(&served, &token);
    let mut backups = Vec::new();
    for round in 0..2 {
        // However slow the machine is: something happens before and meanwhile.
        let enough = 40 * (round + 1);
        while load.durable().iter().sum::<u64>() < enough {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let before = load.durable();
        let (data, to) = (served.data.clone(), folder.path().join(format!("backup-{round}")));
        let backed_up = tokio::task::spawn_blocking(move || (back_up(&data, &to).with_code(0), to));
        let (ended, to) = backed_up.await.expect("it does not panic");
        let height = ended.json("phalanx.backup/1")["height"].as_u64().expect("a number");
        backups.push((before, to, height));
    }
    load.end().await;
    assert_eq!(served.end().code, 0);
    for (round, (before, backup, height)) in backups.into_iter().enumerate() {
        let elsewhere = folder.path().join(format!("elsewhere-{round}"));
        let data = elsewhere.join("data");
        let restored = restore(&backup, &data).with_code(0).json("phalanx.restore/1");
        assert_eq!(restored["height"], height);
        let verified = verify(&data);
        assert_eq!(verified["height"], height);
        // A backup is a log that can be verified where it lies.
        assert_eq!(verify(&backup)["log_digest"], verified["log_digest"]);
        let served = Served::start(&elsewhere, &[]);
        assert_eq!(served.started["height"], height);
        for (client, minted) in before.iter().enumerate() {
            let there = balance(&served, &token, account(client)).await;
            assert!(there >= u128::from(*minted), "round {round}, client {client}: {there} of {minted}");
        }
        assert_eq!(served.end().code, 0);
    }
}

#[test]
fn a_damaged_backup_is_refused_with_file_and_offset() {
    let folder = tempdir().expect("a temporary directory");
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    let calls = crate::workload::write_file(folder.path(), "calls.ndjson", &crate::workload::mixed(2_000).lines);
    crate::command::run_file(&data, &calls, &["--batch-size", "100"]).with_code(0);
    back_up(&data, &backup).with_code(0);
    // Into a folder that holds something, nothing is backed up or restored.
    back_up(&data, &backup).with_code(2);
    restore(&backup, &data).with_code(2);

    let segment = backup.join("log/0000000000.log");
    let intact = fs::read(&segment).expect("a segment");
    assert!(intact.len() > 3 << 16, "several pieces");
    let to = folder.path().join("restored");
    let check = |offset: usize| {
        let ended = restore(&backup, &to).with_code(4);
        let expected = format!("{}: offset {offset}: ", segment.display());
        assert!(ended.stderr.contains(&expected), "{expected}: {}", ended.stderr);
        assert!(!to.exists(), "nothing was written");
    };
    for place in [0, 70_000, intact.len() - 1] {
        let mut damaged = intact.clone();
        damaged[place] ^= 1;
        fs::write(&segment, &damaged).expect("it is writable");
        check(place >> 16 << 16);
    }
    for length in [0, 100_000, intact.len() - 4_096] {
        fs::write(&segment, &intact[..length]).expect("it is writable");
        check(length);
    }
    // More than was backed up, by any length: the last piece is no longer the end.
    for more in [1, 4_096, 1 << 16] {
        fs::write(&segment, [&intact[..], &vec![0; more]].concat()).expect("it is writable");
        check(intact.len());
    }
    fs::write(&segment, &intact).expect("it is writable");

    let manifest = backup.join("backup.json");
    let text = fs::read_to_string(&manifest).expect("a manifest");
    for (from, to_text) in [
        ("\"height\":", "\"height\":1"),
        ("\"bytes\":", "\"bytes\":9"),
        ("log/0000000000.log", "log/../../../0.log"),
        ("manifest/1", "manifest/2"),
        ("}]", "}"),
    ] {
        fs::write(&manifest, text.replacen(from, to_text, 1)).expect("it is writable");
        let ended = restore(&backup, &to).with_code(4);
        let names_manifest = ["backup.json", "the manifest says"].iter().any(|said| ended.stderr.contains(said));
        assert!(names_manifest, "{from}: {}", ended.stderr);
        assert!(!to.exists(), "{from}: nothing was written");
    }
    fs::remove_file(&manifest).expect("it is there");
    let ended = restore(&backup, &to).with_code(1);
    assert!(ended.stderr.contains("backup.json"), "{}", ended.stderr);
    fs::write(&manifest, text).expect("it is writable");
    restore(&backup, &to).with_code(0);
    let digest = |data: &Path| on_directory(&["state", "root"], data, &[]).with_code(0).stdout;
    assert_eq!(digest(&to), digest(&data));
}

#[test]
fn nothing_and_damage_are_not_backed_up() {
    let folder = tempdir().expect("a temporary directory");
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    let ended = back_up(&data, &backup).with_code(1);
    assert!(ended.stderr.contains("there is no log"), "{}", ended.stderr);
    let calls = crate::workload::write_file(folder.path(), "calls.ndjson", &crate::workload::mixed(500).lines);
    crate::command::run_file(&data, &calls, &["--batch-size", "100"]).with_code(0);
    let segment = data.join("log/0000000000.log");
    let mut bytes = fs::read(&segment).expect("a segment");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).expect("it is writable");
    let ended = back_up(&data, &backup).with_code(4);
    assert!(ended.stderr.contains(&format!("{}: offset ", segment.display())), "{}", ended.stderr);
    assert!(!backup.join("backup.json").exists(), "it is no backup");
    run(["backup", "--data-dir", "x"]).with_code(2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_log_is_measured_while_its_node_writes_it() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    let load = Load::start(&served, &token);
    let mut calls = Vec::new();
    for round in 1..=2 {
        while load.durable().iter().sum::<u64>() < 40 * round {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let durable: u64 = load.durable().iter().sum();
        let data = served.data.to_str().expect("UTF-8").to_owned();
        let measure = move || run(["bench", "--recorded", &data, "--check", "-o", "json"]).with_code(0);
        let ended = tokio::task::spawn_blocking(measure).await.expect("it does not panic");
        let report = ended.json("phalanx.bench/1");
        assert_eq!((&report["serial_match"], &report["invariant"]["holds"]), (&true.into(), &true.into()), "{report}");
        calls.push(report["calls"].as_u64().expect("a number"));
        assert!(calls[calls.len() - 1] >= durable, "{calls:?}, {durable} of them durable before");
    }
    assert!(calls[0] < calls[1], "the node went on: {calls:?}");
    load.end().await;
    assert_eq!(served.end().code, 0);
}
