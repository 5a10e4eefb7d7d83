//! Logs that are not what was written: exit code 4 for bytes, 5 for digests, 0 and a warning for a torn tail.

use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::log::{Genesis, Log, Options, Seal};
use phalanx_engine::{BatchBuilder, Call, DIGEST_FORMAT, PROTOCOL_VERSION};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::command::{Ended, on_directory, run, run_file};
use crate::workload::{mixed, write_file};

/// A directory with a log of some heights, and a file of calls to continue it with.
fn logged(files: &Path) -> (PathBuf, PathBuf) {
    let data = files.join("data");
    let calls = write_file(files, "calls.ndjson", &mixed(500).lines);
    run_file(&data, &calls, &["--batch-size", "100"]).with_code(0);
    (data, calls)
}

fn measured(data: &Path) -> Ended {
    run(["bench", "--recorded", data.to_str().expect("a temporary path is UTF-8"), "-o", "json"])
}

fn only_file(directory: PathBuf) -> PathBuf {
    let names: Vec<_> =
        fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
    let segments: Vec<_> = names.into_iter().filter(|path| path.extension().is_some()).collect();
    assert_eq!(segments.len(), 1, "{segments:?}");
    segments[0].clone()
}

#[test]
fn a_changed_byte_is_found_and_named() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let (data, calls) = logged(files.path());
    let segment = only_file(data.join("log"));
    let intact = fs::read(&segment).expect("a segment");
    let mut damaged = intact.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&segment, &damaged).expect("a temporary file");

    let ended = on_directory(&["log", "verify"], &data, &["-o", "json"]).with_code(4);
    let report = ended.json("phalanx.log.verify/1");
    assert_eq!(report["status"], "damaged");
    let error = report["error"].as_str().expect("what is wrong");
    for part in [&*segment.display().to_string(), "offset ", "height "] {
        assert!(error.contains(part) && ended.stderr.contains(part), "{part}: {error}");
    }
    for verb in [&["log", "export"][..], &["state", "root"], &["log", "show"]] {
        on_directory(verb, &data, &[]).with_code(4);
    }
    let ended = measured(&data).with_code(4);
    assert!(ended.stderr.contains("offset ") && ended.stderr.contains("restore the file"), "{}", ended.stderr);
    run_file(&data, &calls, &[]).with_code(4);
    assert_eq!(fs::read(&segment).expect("a segment"), damaged, "nothing was changed");
    fs::write(&segment, &intact).expect("a temporary file");
    on_directory(&["log", "verify"], &data, &[]).with_code(0);
}

#[test]
fn a_changed_receipt_is_found() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let (data, calls) = logged(files.path());
    let segment = only_file(data.join("receipts"));
    let mut bytes = fs::read(&segment).expect("a segment");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, &bytes).expect("a temporary file");
    let ended = on_directory(&["log", "verify"], &data, &[]).with_code(4);
    assert!(ended.stderr.contains(&segment.display().to_string()), "{}", ended.stderr);
    // Receipts are derived: the export does not need them, and the next run makes them again.
    on_directory(&["log", "export"], &data, &[]).with_code(0);
    run_file(&data, &calls, &[]).with_code(0);
    on_directory(&["log", "verify"], &data, &[]).with_code(0);
}

/// Of machine code nobody needs to know: verbs that only read compile what is broken, and the next run makes it again.
#[test]
fn broken_machine_code_is_no_failure() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let (data, calls) = logged(files.path());
    let mut names = fs::read_dir(data.join("code")).expect("a directory").map(|entry| entry.expect("an entry").path());
    let code = names.find(|path| path.extension().is_some()).expect("the file of a module");
    let intact = fs::read(&code).expect("a file of machine code");
    let root = || on_directory(&["state", "root"], &data, &[]).with_code(0).stdout;
    let expected = root();
    let middle = intact.len() / 2;
    for broken in [&[&intact[..middle], &[!intact[middle]], &intact[middle + 1..]].concat()[..], &intact[..middle], b""]
    {
        fs::write(&code, broken).expect("a temporary file");
        assert_eq!(root(), expected);
        on_directory(&["log", "verify"], &data, &[]).with_code(0);
        assert!(fs::read(&code).expect("it is still there") == broken, "reading verbs change nothing");
    }
    run_file(&data, &calls, &[]).with_code(0);
    assert!(fs::read(&code).expect("it was made again").len() > middle);
    on_directory(&["log", "verify"], &data, &[]).with_code(0);
}

#[test]
fn a_torn_tail_is_a_warning() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let (data, calls) = logged(files.path());
    let segment = only_file(data.join("log"));
    let mut bytes = fs::read(&segment).expect("a segment");
    bytes.resize(bytes.len().next_multiple_of(4_096), 0);
    bytes.extend_from_slice(&[0xee; 100]);
    fs::write(&segment, &bytes).expect("a temporary file");
    let ended = on_directory(&["log", "verify"], &data, &["-o", "json"]).with_code(0);
    assert!(ended.json("phalanx.log.verify/1")["tail"].is_string());
    assert!(ended.stderr.starts_with("warning: tail that was not synced"), "{}", ended.stderr);
    assert_eq!(fs::read(&segment).expect("a segment"), bytes, "nothing was changed");
    let ended = run_file(&data, &calls, &[]).with_code(0);
    assert!(ended.stderr.contains("set aside"), "{}", ended.stderr);
    assert_eq!(on_directory(&["log", "verify"], &data, &[]).with_code(0).stderr, "");
}

#[test]
fn another_digest_is_a_mismatch() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let data = files.path().join("data");
    let genesis = Genesis { chain_id: [0; 32], protocol_version: PROTOCOL_VERSION, digest_format: DIGEST_FORMAT };
    let (log, _) = Log::open(Arc::new(RealFileSystem), &data, genesis, Options::default()).expect("a new log");
    let mut builder = BatchBuilder::new(1, 1_000);
    let call = Call { contract: [1; 32], method: "m", sender: [2; 32], arguments: &[], gas_limit: 1_000 };
    builder.push(&call).expect("a call fits");
    log.append_input(1, 0, builder.finish().shared()).expect("the first input");
    let seal = Seal { height: 1, receipts_root: [0; 32], writes_root: [0; 32], digest: [0xdd; 32] };
    log.append_seal(seal).expect("its seal");
    log.close().expect("an open log");

    let ended = on_directory(&["log", "verify"], &data, &["-o", "json"]).with_code(5);
    assert_eq!(ended.json("phalanx.log.verify/1")["status"], "mismatch");
    assert!(ended.stderr.contains("height 1"), "{}", ended.stderr);
    on_directory(&["state", "root"], &data, &[]).with_code(5);
    on_directory(&["log", "export"], &data, &[]).with_code(5);
    let report = measured(&data).with_code(5).json("phalanx.bench/1");
    assert!(report["mismatch"].as_str().is_some_and(|what| what.starts_with("height 1: digest 0x")), "{report}");
    let calls = write_file(files.path(), "calls.ndjson", &[]);
    run_file(&data, &calls, &[]).with_code(5);
}

#[test]
fn a_log_of_another_chain_is_refused() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let data = files.path().join("data");
    let genesis = Genesis { chain_id: [9; 32], protocol_version: PROTOCOL_VERSION, digest_format: DIGEST_FORMAT };
    let (log, _) = Log::open(Arc::new(RealFileSystem), &data, genesis, Options::default()).expect("a new log");
    log.close().expect("an open log");
    let calls = write_file(files.path(), "calls.ndjson", &[]);
    run_file(&data, &calls, &[]).with_code(4);
}

#[test]
fn a_directory_in_use_is_refused() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let (data, calls) = logged(files.path());
    let genesis = Genesis { chain_id: [0; 32], protocol_version: PROTOCOL_VERSION, digest_format: DIGEST_FORMAT };
    let held = Log::open(Arc::new(RealFileSystem), &data, genesis, Options::default()).expect("a closed log");
    let ended = run_file(&data, &calls, &[]).with_code(1);
    assert!(ended.stderr.contains("held by another process"), "{}", ended.stderr);
    drop(held);
}
