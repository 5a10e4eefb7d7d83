//! `verify_log` finds what is wrong, says where, and changes nothing.

use super::support::{
    Expected, HEIGHTS, data, digest, execute_to, expected, files, flipped, genesis, log_files, open, options,
    place_receipts, receipt_files, remove_receipts, shared, written,
};
use phalanx_engine::fs::FileSystem;
use phalanx_engine::fs::faulty::FaultyFileSystem;
use phalanx_engine::log::receipts::ReceiptSegments;
use phalanx_engine::log::{Log, LogError, LogReader, Record, Seal};
use phalanx_engine::{BatchBuilder, LoggedEngine, LoggedError, LoggedOptions, VerifiedLog, verify_log};
use std::path::PathBuf;
use std::sync::Arc;

/// Verifies, and checks that nothing was changed or even tried.
fn verify(fs: &FaultyFileSystem) -> Result<VerifiedLog, LoggedError> {
    let (before, operations) = (files(fs), fs.operation_count());
    let mut heights = Vec::new();
    let verified = verify_log(shared(fs), data(), options().engine, &mut |height| heights.push(height));
    assert!(files(fs) == before, "verifying changed a file");
    assert_eq!(fs.operation_count(), operations);
    if let Ok(verified) = &verified {
        assert_eq!(heights, Vec::from_iter(1..=verified.height), "progress tells each height");
    }
    verified
}

/// The damaged file and the height that the error names.
fn damaged(fs: &FaultyFileSystem) -> (PathBuf, u64) {
    match verify(fs) {
        Err(LoggedError::Log(LogError::Damaged(damage))) => (damage.file, damage.height),
        Err(error) => panic!("another error: {error}"),
        Ok(verified) => panic!("no damage: {verified:?}"),
    }
}

fn seal(height: u64) -> Seal {
    let Expected { roots, digest, .. } = &expected()[height as usize - 1];
    Seal { height, receipts_root: roots.receipts, writes_root: roots.writes, digest: *digest }
}

/// A log made without an engine: the batches, and the seals that `alter` makes of the right ones.
fn crafted(alter: impl Fn(&mut Seal)) -> FaultyFileSystem {
    let fs = FaultyFileSystem::new();
    let (log, _) = Log::open(shared(&fs), data(), genesis(), options().log).expect("opens");
    for height in 1..=HEIGHTS {
        log.append_input(height, 0, expected()[height as usize - 1].batch.shared()).expect("follows");
        let mut seal = seal(height);
        alter(&mut seal);
        log.append_seal(seal).expect("follows");
    }
    log.close().expect("closes");
    fs.restart()
}

#[test]
fn an_intact_directory_verifies_whole() {
    let verified = verify(&written(HEIGHTS, true)).expect("intact");
    assert_eq!((verified.height, verified.digest, verified.receipts), (HEIGHTS, digest(HEIGHTS), HEIGHTS));
    assert_eq!(verified.tail, None);
    let (logged, _) = open(&written(HEIGHTS, true)).expect("opens");
    assert_eq!(verified.state_digest, logged.engine().state_digest());
    // The seals that an engine writes are those that the crafted logs below begin with.
    assert_eq!(verify(&crafted(|_| {})).expect("intact").digest, digest(HEIGHTS));
}

#[test]
fn a_flipped_bit_below_the_mark_is_damage() {
    let fs = written(HEIGHTS, true);
    for path in log_files(&fs) {
        let length = fs.contents(&path).expect("it is listed").len();
        // The Close record, the last block, holds nothing; a mark covers all before it.
        let end = if Some(&path) == log_files(&fs).last() { length - 4_096 } else { length };
        for offset in (0..end).step_by(997) {
            let fs = flipped(&fs, &path, offset);
            let (file, _) = damaged(&fs);
            assert_eq!(file, path, "offset {offset}");
            assert!(matches!(open(&fs), Err(LoggedError::Log(LogError::Damaged(_)))), "offset {offset}");
        }
    }
}

#[test]
fn damage_names_the_height_of_the_batch() {
    let fs = written(HEIGHTS, true);
    for located in LogReader::new(shared(&fs), data()).records(0).expect("intact") {
        let located = located.expect("intact");
        if let Record::Input(input) = located.record {
            let fs = flipped(&fs, &located.file, located.offset as usize + 64 + 40);
            assert_eq!(damaged(&fs), (located.file.to_path_buf(), input.height));
        }
    }
}

#[test]
fn an_intact_log_that_executes_to_something_else_diverged() {
    type Alter = fn(&mut Seal) -> &mut [u8; 32];
    let fields: [(&str, Alter); 3] = [
        ("receipts root", |seal| &mut seal.receipts_root),
        ("writes root", |seal| &mut seal.writes_root),
        ("digest", |seal| &mut seal.digest),
    ];
    for (name, field) in fields {
        for wrong in [1, 9, HEIGHTS] {
            let fs = crafted(|seal| {
                if seal.height == wrong {
                    field(seal)[31] ^= 1;
                }
            });
            let mut right = seal(wrong);
            for error in [verify(&fs).err(), open(&fs).err()] {
                let Some(LoggedError::Diverged { height, what, logged, now }) = error else { panic!("{error:?}") };
                assert_eq!((height, what, now), (wrong, name, *field(&mut right)));
                assert_eq!(logged[..31], now[..31]);
                assert_eq!(logged[31], now[31] ^ 1);
            }
        }
    }
}

#[test]
fn a_logged_batch_that_cannot_be_executed_is_named() {
    let fs = FaultyFileSystem::new();
    let (log, _) = Log::open(shared(&fs), data(), genesis(), options().log).expect("opens");
    log.append_input(1, 0, expected()[0].batch.shared()).expect("follows");
    log.append_input(2, 0, Arc::new(vec![9; 40])).expect("the log does not look into batches");
    log.close().expect("closes");
    let fs = fs.restart();
    for error in [verify(&fs).err(), open(&fs).err()] {
        assert!(matches!(error, Some(LoggedError::Replay { height: 2, .. })), "{error:?}");
    }
}

/// A log that was not closed, cut inside the Input of its last height.
fn torn() -> FaultyFileSystem {
    let fs = FaultyFileSystem::new();
    let (log, _) = Log::open(shared(&fs), data(), genesis(), options().log).expect("opens");
    for height in 1..=9 {
        log.append_input(height, 0, expected()[height as usize - 1].batch.shared()).expect("follows");
        log.wait_durable(height).expect("no faults");
        if height < 9 {
            log.append_seal(seal(height)).expect("follows");
        }
    }
    drop(log);
    let last = LogReader::new(shared(&fs), data()).records(9).expect("intact").last();
    let last = last.expect("height 9 is there").expect("intact");
    let mut bytes = fs.contents(&last.file).expect("it is listed");
    bytes.truncate(last.offset as usize + 512);
    fs.place(&last.file, &bytes);
    fs.restart()
}

#[test]
fn a_torn_tail_is_reported_and_left_for_opening_to_cut() {
    let fs = torn();
    let verified = verify(&fs).expect("a torn tail is no damage");
    assert_eq!((verified.height, verified.digest), (8, digest(8)));
    let tail = verified.tail.expect("it is reported");
    assert_eq!((tail.inputs, tail.seals, tail.set_aside), (vec![9], vec![], vec![]));
    let (logged, _) = open(&fs).expect("opens");
    assert_eq!((logged.engine().height(), logged.engine().digest()), (8, digest(8)));
    logged.close().expect("closes");
    assert_eq!(verify(&fs).expect("intact").tail, None);
}

#[test]
fn damaged_receipts_are_found_and_opening_makes_them_again() {
    let fs = written(HEIGHTS, true);
    let [path] = &receipt_files(&fs)[..] else { panic!("one segment") };
    let length = fs.contents(path).expect("it is listed").len();
    for offset in (0..length).step_by(509) {
        let fs = flipped(&fs, path, offset);
        assert_eq!(damaged(&fs).0, *path, "offset {offset}");
        reopened_with_all_receipts(&fs);
    }
}

#[test]
fn kept_receipts_that_are_not_those_of_the_log_diverged() {
    for (height, what) in [(4, "kept receipts"), (9, "kept write set")] {
        let fs = written(HEIGHTS, true);
        remove_receipts(&fs);
        let (segments, _) = ReceiptSegments::open(shared(&fs), data(), 1 << 20).expect("opens");
        for (right, number) in expected().iter().zip(1..) {
            let (mut receipts, mut writes) = (right.receipts.clone(), right.writes.clone());
            if number == height {
                // The checksums are made of these bytes: only executing the batch again can tell.
                if what == "kept receipts" { receipts[4] ^= 1 } else { writes[0] ^= 1 }
            }
            segments.append(number, &receipts, &writes).expect("appends");
        }
        let error = verify(&fs).err();
        let named =
            matches!(&error, Some(LoggedError::Diverged { height: h, what: w, .. }) if (*h, *w) == (height, what));
        assert!(named, "{error:?}");
    }
}

/// Opens, closes, and finds the receipts of every height.
fn reopened_with_all_receipts(fs: &FaultyFileSystem) {
    let (logged, _) = open(fs).expect("derived files never keep an engine from opening");
    logged.close().expect("closes");
    assert_eq!(verify(fs).expect("intact").receipts, HEIGHTS);
}

#[test]
fn missing_receipts_are_made_again() {
    let fs = written(HEIGHTS, true);
    let whole = files(&fs);
    remove_receipts(&fs);
    assert_eq!(verify(&fs).expect("intact").receipts, 0);
    reopened_with_all_receipts(&fs);
    for (path, bytes) in whole.iter().filter(|(path, _)| path.starts_with(data().join("receipts"))) {
        assert_eq!(fs.contents(path).map(|now| now.len()), Some(bytes.len()));
    }
}

#[test]
fn the_last_of_several_segments_of_receipts_is_made_again() {
    let fs = written(HEIGHTS, true);
    place_receipts(&fs, 4_096);
    let paths = receipt_files(&fs);
    assert!(paths.len() > 2, "{paths:?}");
    assert_eq!(verify(&fs).expect("intact").receipts, HEIGHTS);
    fs.remove(&paths[paths.len() - 1]).expect("it is listed");
    assert!(verify(&fs).expect("intact").receipts < HEIGHTS);
    reopened_with_all_receipts(&fs);
}

#[test]
fn damage_in_the_middle_of_the_receipts_is_made_again() {
    let fs = written(HEIGHTS, true);
    place_receipts(&fs, 4_096);
    let paths = receipt_files(&fs);
    for path in &paths[..paths.len() - 1] {
        let length = fs.contents(path).expect("it is listed").len();
        let fs = flipped(&fs, path, length - 70);
        assert_eq!(damaged(&fs).0, *path);
        reopened_with_all_receipts(&fs);
    }
}

#[test]
fn receipts_ahead_of_the_log_are_dropped() {
    let fs = torn();
    place_receipts(&fs, 1 << 20);
    let (logged, _) = open(&fs).expect("opens");
    // What follows is not what was torn, so that receipts of what was would be wrong.
    let other = BatchBuilder::new(9, 1_000_000).finish();
    logged.execute(other).expect("follows");
    logged.close().expect("closes");
    assert_eq!(verify(&fs).expect("intact").receipts, 9);
}

#[test]
fn who_keeps_no_receipts_leaves_none() {
    let fs = FaultyFileSystem::new();
    let without = LoggedOptions { receipts: false, ..options() };
    let (logged, _) = LoggedEngine::open(shared(&fs), data(), without).expect("opens");
    execute_to(&logged, 5).expect("no faults");
    logged.close().expect("closes");
    assert_eq!(receipt_files(&fs), Vec::<PathBuf>::new());
    assert_eq!(verify(&fs).expect("intact").receipts, 0);
}
