//! A log of version 2 of the rules, committed with the digests that it had on the day it was written. A change of any rule, price or
//! format shows here.
//!
//! It stays as it is: who changes a rule on purpose raises the protocol version, writes another log beside it, and keeps the old one,
//! which is refused by its version from then on.
//! `PHALANX_WRITE_GOLDEN=1` writes it, and prints what is to be pinned.

mod batches;

use super::support::{data, shared};
use phalanx_engine::fs::faulty::FaultyFileSystem;
use phalanx_engine::fs::{FileSystem, RealFileSystem};
use phalanx_engine::log::{LogReader, Record};
use phalanx_engine::{
    Digest, Engine, HashSeed, LoggedEngine, LoggedOptions, MachineCode, Options, Outcome, PROTOCOL_VERSION, verify_log,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The log of the rules before: traps had no price.
const OLDER: &str = "tests/golden/log-v1";
/// Digests of heights 1, 2, 3 …
const DIGESTS: [&str; 10] = [
    "ebf83d0d26d284570b18ad9e69a1f06f4aa43a823e69c3e47522787c3fc8bc6b",
    "d00570fc19a2f53dd67210f36a5986057cb66ff716082ab93241d52c9ad35c5a",
    "48ed1c647ec4130fef9fa773b874e9cdbce489677ef4d8a573f931f22051dddf",
    "6881220b3d703c1dca96c2437f9cab16186c35d3c75c5e17ce179051e04aafb3",
    "ff768c319404c12cc7be0ad3abebd71656ec2a3f73476f0ab03b4946e39d6ac1",
    "a8cfe8a8e12927ff827fde93fc37d49277490f72e57f0c34d652a041ce820410",
    "4fc7f38d59d2d8fd0cf81a6c8e017f296e7bb1f0254820237876a8c21d779cd7",
    "4c3b907c12e726f530d04a375d29e9e83e829cc91cd49abfeab578917dda429d",
    "a98f51efa441b7197bb708259a9cb817ce10fa45b148e2d5255efaa14cd48133",
    "364b909243f935067fbddfb5796a6b7f0bcbf5c1c7897abd6c282dcb8abc1a81",
];
/// Root of the state after the last.
const STATE_DIGEST: &str = "858d224f852cc131911c62cddb60450524834cea43128111fd8f8ae33d46a69a";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/log-v2")
}

fn options(seed: u64) -> LoggedOptions {
    LoggedOptions {
        engine: Options { hash_seed: HashSeed::Fixed(seed), ..Options::default() },
        chain_id: *b"phalanx golden log of version 2\0",
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
    copy_of(&written())
}

fn copy_of(directory: &Path) -> FaultyFileSystem {
    let fs = FaultyFileSystem::new();
    for name in ["log", "receipts"] {
        for file in RealFileSystem.list(&directory.join(name)).expect("it is committed") {
            let bytes = std::fs::read(directory.join(name).join(&file)).expect("it is listed");
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

#[test]
fn a_log_of_older_rules_is_refused_by_its_version_and_left_alone() {
    let older = Path::new(env!("CARGO_MANIFEST_DIR")).join(OLDER);
    let verified = verify_log(Arc::new(RealFileSystem), &older, options(1).engine, &mut |_| {});
    let text = verified.expect_err("its rules are older").to_string();
    assert!(text.contains("version 1") && text.contains(&PROTOCOL_VERSION.to_string()), "{text}");

    let fs = copy_of(&older);
    let before = fs.contents(&data().join("log/0000000000.log"));
    let same_chain = LoggedOptions { chain_id: *b"phalanx golden log of version 1\0", ..options(1) };
    let text = LoggedEngine::open(shared(&fs), data(), same_chain).err().expect("its rules are older").to_string();
    assert!(text.contains("version at genesis is 1, expected 2"), "{text}");
    assert!(before == fs.contents(&data().join("log/0000000000.log")), "a refused log is written to");
}
