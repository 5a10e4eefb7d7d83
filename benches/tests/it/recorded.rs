//! Logs that were recorded by a run, and what they are measured as.

use super::bench;
use phalanx_benches::{BenchError, Report};
use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::log::{Durability, Genesis, Log, LogReader, Options, Record, Seal};
use phalanx_engine::{BatchBuilder, BatchBytes, DIGEST_FORMAT, PROTOCOL_VERSION};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// Height 1 deploys, height 2 funds, ten more have the calls.
const LAST: u64 = 12;
const GENESIS: Genesis =
    Genesis { chain_id: [7; 32], protocol_version: PROTOCOL_VERSION, digest_format: DIGEST_FORMAT };

/// A folder with a log in `log-of-a-run`, and what the run that left it came to.
fn record(more: &str) -> (TempDir, PathBuf, Report) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("log-of-a-run");
    let shape = "token-rmw --accounts 30 --calls 2000 --batch-size 200 --skew 0.9 --seed 5 --workers 2";
    let report = bench(&format!("{shape} --data-dir {} {more}", data.display())).unwrap();
    (folder, data, report)
}

fn recorded(data: &Path, more: &str) -> Result<Report, BenchError> {
    bench(&format!("--recorded {} {more}", data.display()))
}

/// What it is refused with, and the exit code.
fn refused(data: &Path, more: &str) -> (u8, String) {
    let Err(error) = recorded(data, more) else { panic!("{} {more} must be refused", data.display()) };
    (error.exit_code(), error.to_string())
}

/// Writes the log of a folder into another one up to a height, with the seals that are left of it, and leaves it open.
fn write_again(from: &Path, to: &Path, genesis: Genesis, last: u64, seal: impl Fn(Seal) -> Option<Seal>) -> Log {
    let options = Options { durability: Durability::None, written_ahead_bytes: 0, ..Options::default() };
    let (log, _) = Log::open(Arc::new(RealFileSystem), to, genesis, options).unwrap();
    for located in LogReader::new(Arc::new(RealFileSystem), from).records(1).unwrap() {
        match located.unwrap().record {
            Record::Input(input) if input.height <= last => {
                log.append_input(input.height, 0, Arc::new(input.batch)).unwrap();
            }
            Record::Seal(found) if found.height <= last => {
                seal(found).into_iter().for_each(|seal| log.append_seal(seal).unwrap());
            }
            _ => {}
        }
    }
    log.wait_durable(last).unwrap();
    log
}

fn empty_batch(height: u64) -> BatchBytes {
    BatchBuilder::new(height, 1_000 * height).finish()
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

fn human(report: &Report) -> String {
    let mut text = Vec::new();
    report.print_human(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn a_log_comes_to_what_the_run_that_left_it_came_to() {
    let (folder, data, original) = record("");
    let before = files(&data.join("log"));
    assert!(original.outcomes["reverted"] > 0, "{:?}", original.outcomes);
    let elsewhere = folder.path().join("elsewhere");
    let synced = format!("--durability fsync --data-dir {}", elsewhere.display());
    for how in [
        "",
        "--mode serial --check",
        "--mode pipe --workers 2 --check=oracle",
        "--mode optimistic --workers 2 --check --explain",
        "--mode hinted --workers 2 --equivalence 100",
        &synced,
    ] {
        let report = recorded(&data, &format!("--from-height 3 {how}")).unwrap();
        assert_eq!(report.exit_code(), 0, "{how}: {:?}", report.mismatch);
        assert_eq!((report.workload, report.calls), ("recorded", 2_000));
        assert_eq!(report.state_digest, original.state_digest, "{how}");
        assert_eq!(report.log_digest, original.log_digest, "{how}");
        assert_eq!(report.outcomes, original.outcomes, "{how}");
        assert_eq!(
            (report.gas_per_call, report.input_bytes_per_call),
            (original.gas_per_call, original.input_bytes_per_call)
        );
        assert!(report.invariant.holds && report.invariant.detail.starts_with("12 of 12 heights compared"));
        assert_eq!(report.serial_match, how.contains("--check").then_some(true), "{how}");
        assert_eq!(report.conflicts.is_some(), how.contains("--explain"));
        assert_eq!(report.equivalence.map(|it| it.checked_batches), how.contains("--equi").then_some(LAST));
    }
    assert!(files(&data.join("log")) == before, "it is only read");
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 1);

    // What a synced run wrote is a log that can be measured too.
    let report = recorded(&elsewhere, "--from-height 3").unwrap();
    assert_eq!((report.exit_code(), report.log_digest), (0, original.log_digest));
}

#[test]
fn what_describes_a_generated_workload_is_null_and_not_printed() {
    let (_folder, data, _) = record("");
    let report = recorded(&data, "--from-height 3").unwrap();
    let json = serde_json::to_value(&report).unwrap();
    for field in ["seed", "accounts", "batch_size", "skew", "baselines", "mismatch"] {
        assert_eq!(json.get(field), Some(&Value::Null), "{field}");
    }
    assert_eq!(json["invariant"]["name"], "seal chain");
    let text = human(&report);
    let first = format!(
        "phalanx bench recorded: 2,000 calls of the log in {}, in 10 heights from 3 to 12, behind 2 that set up\nmode ",
        data.display()
    );
    assert!(text.starts_with(&first), "{text}");
    assert!(text.contains("seal chain holds: 12 of 12 heights compared"), "{text}");
}

#[test]
fn measuring_begins_behind_the_deploys_or_where_it_is_told() {
    let (_folder, data, original) = record("");
    let measured = |more: &str| {
        let report = recorded(&data, more).unwrap();
        assert_eq!((report.exit_code(), &report.state_digest), (0, &original.state_digest), "{more}");
        report
    };
    let report = measured("");
    assert_eq!(report.calls, 2_030, "30 accounts are funded");
    assert!(report.description.contains("in 11 heights from 2 to 12, behind 1 that sets up"), "{}", report.description);
    let report = measured("--from-height 1");
    assert_eq!((report.calls, report.outcomes.values().sum()), (2_031, 2_031));
    assert!(report.description.ends_with("in 12 heights from 1 to 12"), "{}", report.description);
    // Those that come before may fail.
    let report = measured("--from-height 8 --check");
    assert_eq!(report.calls, 1_000);
    assert!(report.outcomes["reverted"] < original.outcomes["reverted"]);
    assert_eq!(measured("--from-height 12").calls, 200);
}

#[test]
fn a_model_is_made_of_the_conflicts_that_were_recorded() {
    let (_folder, data, original) = record("");
    let report = recorded(&data, "--from-height 3 --model --check").unwrap();
    assert_eq!((report.exit_code(), report.workers, report.mode), (0, 1, "optimistic"));
    let model = report.model.as_ref().expect("it was asked for");
    assert_eq!(model.predicted.iter().map(|it| it.workers).collect::<Vec<_>>(), [1, 2, 4, 8, 16, 32, 64, 128]);
    assert!(model.predicted.iter().all(|it| it.calls_per_second > 0.0));
    assert!(model.checked.iter().all(|it| it.measured > 0.0));
    assert!(report.dirty_ratio > 0.1 && report.reexecutions > 0, "{} {}", report.dirty_ratio, report.reexecutions);
    assert_eq!((&report.state_digest, &report.outcomes), (&original.state_digest, &original.outcomes));
    assert!(human(&report).contains("128 workers"));
}

#[test]
fn a_log_that_is_in_use_is_read_up_to_where_it_was_whole() {
    let (folder, data, original) = record("");
    let used = folder.path().join("used");
    let log = write_again(&data, &used, GENESIS, LAST, |seal| (seal.height <= 9).then_some(seal));
    let report = recorded(&used, "--from-height 3 --check").unwrap();
    assert_eq!((report.exit_code(), &report.log_digest), (0, &original.log_digest));
    assert!(report.invariant.detail.starts_with("9 of 12 heights compared"), "{}", report.invariant.detail);
    log.close().unwrap();

    // A crash left half a group.
    let segment = used.join("log/0000000000.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes.resize(bytes.len().next_multiple_of(4_096), 0);
    bytes.extend_from_slice(&[0xee; 100]);
    std::fs::write(&segment, &bytes).unwrap();
    let report = recorded(&used, "--from-height 3").unwrap();
    assert_eq!((report.exit_code(), report.calls), (0, 2_000));
    assert!(report.description.contains("a tail that was not synced is left out"), "{}", report.description);
    assert!(std::fs::read(&segment).unwrap() == bytes, "it is only read");
}

#[test]
fn another_seal_is_a_mismatch() {
    let (folder, data, _) = record("");
    let wrong = folder.path().join("wrong");
    let flip = |mut seal: Seal| {
        seal.digest[0] ^= u8::from(seal.height == 7);
        Some(seal)
    };
    write_again(&data, &wrong, GENESIS, LAST, flip).close().unwrap();
    for how in ["", "--from-height 10", "--check"] {
        let report = recorded(&wrong, how).unwrap();
        assert_eq!((report.exit_code(), report.invariant.holds), (5, false));
        assert_eq!(report.serial_match, how.contains("--check").then_some(true), "the engine agrees with itself");
        let mismatch = report.mismatch.as_ref().expect("it is reported");
        assert!(mismatch.starts_with("height 7: digest 0x") && mismatch.contains("is sealed with 0x"), "{mismatch}");
        let text = human(&report);
        assert!(text.contains("seal chain BROKEN: height 7: ") && !text.contains("CHECK FAILED"), "{text}");
    }
}

#[test]
fn damage_is_named_with_file_and_height() {
    // Synced, so that the log itself says what was written.
    let (_folder, data, _) = record("--durability fsync");
    let segment = data.join("log/0000000000.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.iter().rposition(|byte| *byte != 0).unwrap() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let (code, text) = refused(&data, "");
    assert_eq!(code, 4, "{text}");
    for part in ["--recorded ", "damaged: ", "0000000000.log: offset ", "height "] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(std::fs::read(&segment).unwrap() == bytes, "it is only read");
}

#[test]
fn logs_of_other_rules_are_refused() {
    let (folder, data, _) = record("");
    let (old, changed) = (folder.path().join("old"), folder.path().join("changed"));
    let genesis = Genesis { protocol_version: PROTOCOL_VERSION - 1, ..GENESIS };
    write_again(&data, &old, genesis, LAST, Some).close().unwrap();
    let (code, text) = refused(&old, "");
    assert_eq!(code, 4, "{text}");
    assert!(
        text.contains(&format!("from height 1 on the log has rules of version {}", PROTOCOL_VERSION - 1)),
        "{text}"
    );

    let log = write_again(&data, &changed, GENESIS, 4, Some);
    log.append_protocol(5, PROTOCOL_VERSION + 1).unwrap();
    log.append_input(5, 0, empty_batch(5).shared()).unwrap();
    log.close().unwrap();
    let (code, text) = refused(&changed, "");
    assert_eq!(code, 4, "{text}");
    assert!(
        text.contains(&format!("from height 5 on the log has rules of version {}", PROTOCOL_VERSION + 1)),
        "{text}"
    );
}

#[test]
fn a_batch_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(Arc::new(RealFileSystem), folder.path(), GENESIS, Options::default()).unwrap();
    log.append_input(1, 0, Arc::new(b"no batch".to_vec())).unwrap();
    log.close().unwrap();
    let (code, text) = refused(folder.path(), "");
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("the logged batch of height 1 is refused"), "{text}");
}

#[test]
fn folders_without_anything_to_measure_are_refused() {
    let (folder, data, _) = record("");
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("empty")).unwrap();
    std::fs::create_dir_all(at("none/log")).unwrap();
    std::fs::write(at("none/log/0000000000.log"), "no log").unwrap();
    std::fs::write(at("none/log/notes.txt"), "no log").unwrap();
    for nothing in [at("empty"), at("missing"), at("none"), data.join("log")] {
        let (code, text) = refused(&nothing, "");
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(&format!("--recorded {}: there is no log", nothing.display())), "{text}");
    }
    assert!(!at("missing").exists(), "nothing was created");
    let (code, text) = refused(&at("none/log/notes.txt"), "");
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("notes.txt"), "{text}");

    write_again(&data, &at("begun"), GENESIS, 0, Some).close().unwrap();
    assert!(refused(&at("begun"), "").1.ends_with("the log has no batches yet"));
    write_again(&data, &at("deploys"), GENESIS, 1, Some).close().unwrap();
    let (code, text) = refused(&at("deploys"), "");
    assert!(code == 2 && text.contains("each height of the log deploys something"), "{text}");
    assert_eq!(recorded(&at("deploys"), "--from-height 1").unwrap().calls, 1);

    for (height, part) in [("0", "--from-height must be at least 1"), ("13", "the log ends at height 12")] {
        let (code, text) = refused(&data, &format!("--from-height {height}"));
        assert!(code == 2 && text.contains(part), "{text}");
    }
    let (code, text) = refused(&data, &format!("--data-dir {}", data.display()));
    assert!(code == 2 && text.contains("is not empty"), "{text}");
}

#[test]
fn empty_heights_are_no_calls_and_no_trouble() {
    let (folder, data, _) = record("");
    let idle = folder.path().join("idle");
    let log = write_again(&data, &idle, GENESIS, 4, Some);
    for height in 5..=6 {
        log.append_input(height, 0, empty_batch(height).shared()).unwrap();
    }
    log.close().unwrap();
    let (code, text) = refused(&idle, "--from-height 5");
    assert!(code == 2 && text.contains("there are no calls in the heights from 5 to 6"), "{text}");
    for how in ["--mode optimistic --workers 2 --check", "--model"] {
        let report = recorded(&idle, &format!("--from-height 3 {how}")).unwrap();
        assert_eq!((report.exit_code(), report.calls), (0, 400), "{how}");
    }
}

#[test]
fn arguments_of_generated_workloads_are_refused() {
    let folder = Path::new("any");
    for other in [
        "token",
        "--accounts 5",
        "--calls 5",
        "--batch-size 5",
        "--skew 0.5",
        "--seed 5",
        "--baselines",
        "--write-every 5",
        "--pools 5",
        "--contracts 5",
        "--codes 5",
        "--long-every 5",
        "--switch-every 5",
        "--side-by-side 5",
    ] {
        let (code, text) = refused(folder, other);
        let name = if other == "token" { "[WORKLOAD]" } else { other.split(' ').next().unwrap() };
        assert_eq!(code, 2, "{text}");
        let begins = format!("error: the argument '--recorded <DIR>' cannot be used with '{name}");
        assert!(text.starts_with(&begins), "{other}: {text}");
    }
    for (arguments, part) in [
        ("--from-height 3", "--recorded <DIR>"),
        ("--recorded", "a value is required for '--recorded <DIR>'"),
        ("--recorded any --from-height -1", "-1"),
        ("--recorded any --model --explain", "cannot be used with"),
        ("--recorded any --workers 0", "--workers must be at least 1"),
    ] {
        let error = bench(arguments).err().unwrap_or_else(|| panic!("{arguments} must be refused"));
        assert!(error.exit_code() == 2 && error.to_string().contains(part), "{arguments}: {error}");
    }
}
