//! A log of version 1, committed with the digests that it had on the day it was written. A change of any rule, price or
//! format shows here.
//!
//! It stays as it is: who changes a rule on purpose raises the protocol version and adds another log beside it.
//! `PHALANX_WRITE_GOLDEN=1` writes it, and prints what is to be pinned.

mod batches;

use super::support::{data, shared};
use phalanx_engine::fs::faulty::FaultyFileSystem;
use phalanx_engine::fs::{FileSystem, RealFileSystem};
use phalanx_engine::log::{LogReader, Record};
use phalanx_engine::{
    Digest, Engine, HashSeed, LoggedEngine, LoggedOptions, MachineCode, Options, Outcome, verify_log,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Digests of heights 1, 2, 3 …
const DIGESTS: [&str; 10] = [
    "835effb753c3993416b0dbb15e192945d802735b31a3a74d6e3397a4129380fd",
    "4b7054ba00622257900354a9cefbd7d75ad35a923139c87fcd4902727a5dc852",
    "c6ce7b0141c3079c758bcc1dafceda542ebe561f552ce2db01c089818f5a0378",
    "7e3cbd0a393b368f77a12bf5f7aaeba6c2e523a7a7a42a1aeb632e88d0123add",
    "55fd7b5c1d9b0ab898b33963bc24cebd160464c41055b012e5039fff3a8b2717",
    "2ab8feca2550443bcd0522cc11e25b24a2a1b9c633528fba22f641df45a309c9",
    "f1a38c02c629def80642d9e2d32698b992ce2886001c1ef159860abe9e901ce2",
    "ec115b1c97bc6483d2b75aada4552884ca2c9cbef7dc41ae8a83d01d1c420b8d",
    "35ebfa38f2f6bb7a1cf275b78f605bf5c97d08adfb2bcc0eb35916a4d59d23b0",
    "9d90630c4b9b47a18304b3b0f37a2b313bb8257d188e7adb1a872ed46a265a6e",
];
/// Root of the state after the last.
const STATE_DIGEST: &str = "58d2b1c919feaa79cb54e03a64e248a16d87a791651350e4767d6f686e144e48";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/log-v1")
}

fn options(seed: u64) -> LoggedOptions {
    LoggedOptions {
        engine: Options { hash_seed: HashSeed::Fixed(seed), ..Options::default() },
        chain_id: *b"phalanx golden log of version 1\0",
        receipts: true,
        // No machine code beside the files that are committed.
        machine_code: MachineCode::InMemory,
        ..LoggedOptions::default()
    }
}

fn hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the log when asked to; before that, nothing reads it.
#[expect(clippy::disallowed_methods, reason = "an order to whoever runs the test, not to the engine")]
fn written() -> PathBuf {
    static WRITTEN: std::sync::Once = std::sync::Once::new();
    WRITTEN.call_once(|| {
        if std::env::var("PHALANX_WRITE_GOLDEN").is_ok_and(|value| value == "1") {
            write();
        }
    });
    directory()
}

fn write() {
    // There may be none yet.
    _ = std::fs::remove_dir_all(directory());
    let (logged, _) = LoggedEngine::open(Arc::new(RealFileSystem), &directory(), options(1)).expect("opens");
    println!("const DIGESTS: [&str; 10] = [");
    for batch in batches::batches() {
        let executed = logged.execute(batch).expect("executes");
        println!("    \"{}\",", hex(&executed.digest()));
    }
    println!("];\nconst STATE_DIGEST: &str = \"{}\";", hex(&logged.engine().state_digest()));
    logged.close().expect("closes");
    std::fs::remove_file(directory().join("log/LOCK")).expect("the log had a lock");
}

/// A copy to open and write to.
fn copy() -> FaultyFileSystem {
    let fs = FaultyFileSystem::new();
    for name in ["log", "receipts"] {
        for file in RealFileSystem.list(&written().join(name)).expect("it is committed") {
            let bytes = std::fs::read(directory().join(name).join(&file)).expect("it is listed");
            fs.place(&data().join(name).join(file), &bytes);
        }
    }
    fs
}

fn records(fs: &FaultyFileSystem) -> Vec<Record> {
    let records = LogReader::new(shared(fs), data()).records(0).expect("reads");
    records.map(|located| located.expect("intact").record).collect()
}

fn logged_batches(fs: &FaultyFileSystem) -> Vec<Vec<u8>> {
    let inputs = records(fs).into_iter().filter_map(|record| match record {
        Record::Input(input) => Some(input.batch),
        Record::Genesis(_) | Record::Seal(_) | Record::Protocol { .. } | Record::Close => None,
    });
    inputs.collect()
}

#[test]
fn the_log_executes_to_the_digests_it_had() {
    let fs = copy();
    let mut outcomes = BTreeSet::new();
    for seed in [1, !1] {
        let engine = Engine::new(options(seed).engine);
        for (batch, expected) in logged_batches(&fs).into_iter().zip(DIGESTS) {
            let executed = engine.execute_batch(batch).expect("executes");
            assert_eq!(hex(&executed.digest()), expected, "height {}, hash seed {seed}", executed.height());
            outcomes.extend(executed.receipts().map(|receipt| receipt.outcome()));
            engine.commit(executed).expect("what was executed last");
        }
        assert_eq!(engine.height(), DIGESTS.len() as u64);
        assert_eq!(hex(&engine.state_digest()), STATE_DIGEST, "hash seed {seed}");
    }
    let all = Outcome::ALL.into_iter().filter(|outcome| outcome.is_in_receipts());
    assert!(outcomes.into_iter().eq(all), "the log has every outcome");
}

#[test]
fn the_files_verify_and_open_as_they_are() {
    let verified = verify_log(Arc::new(RealFileSystem), &written(), options(1).engine, &mut |_| {}).expect("intact");
    let height = DIGESTS.len() as u64;
    assert_eq!((verified.height, verified.receipts, verified.tail), (height, height, None));
    assert_eq!(hex(&verified.state_digest), STATE_DIGEST);
    let fs = copy();
    let (logged, opened) = LoggedEngine::open(shared(&fs), data(), options(2)).expect("opens");
    assert_eq!(opened.last_seal.map(|seal| hex(&seal.digest)).as_deref(), DIGESTS.last().copied());
    assert_eq!(hex(&logged.engine().digest()), hex(&verified.digest));
}

/// Formats are pinned in both directions: the same batches give the same records and the same receipt files today.
#[test]
fn what_is_written_today_is_what_was_written_then() {
    let then = copy();
    let today = FaultyFileSystem::new();
    let (logged, _) = LoggedEngine::open(shared(&today), data(), options(1)).expect("opens");
    logged_batches(&then).into_iter().for_each(|batch| drop(logged.execute(batch).expect("executes")));
    logged.close().expect("closes");
    assert!(records(&then) == records(&today), "other records");
    let [then, today] = [then, today].map(|fs| {
        super::support::receipt_files(&fs).into_iter().map(move |path| fs.contents(&path)).collect::<Vec<_>>()
    });
    assert!(!then.is_empty() && then == today, "other receipt files");
}
