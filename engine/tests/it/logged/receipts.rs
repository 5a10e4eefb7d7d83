//! Receipts are derived: whatever is missing, stale or damaged is made again by opening, and nothing waits for them.

use super::support::{
    HEIGHTS, data, execute_to, expected, flipped, open, options, place_receipts, receipt_files, remove_receipts,
    shared, written,
};
use phalanx_engine::fs::FileSystem;
use phalanx_engine::fs::faulty::{Fault, FaultyFileSystem, Keep, Operation};
use phalanx_engine::log::LogError;
use phalanx_engine::log::receipts::ReceiptSegments;
use phalanx_engine::{BatchBuilder, LoggedEngine, LoggedOptions, VerifiedLog, verify_log};

fn verify(fs: &FaultyFileSystem) -> VerifiedLog {
    verify_log(shared(fs), data(), options().engine, &mut |_| {}).expect("intact")
}

/// Opens, closes, and finds the right receipts of every height.
fn reopened_with_all_receipts(fs: &FaultyFileSystem) {
    let (logged, _) = open(fs).expect("derived files never keep an engine from opening");
    let height = logged.engine().height();
    logged.close().expect("closes");
    assert_eq!(verify(fs).receipts, height);
}

#[test]
fn receipts_that_a_crash_took_are_no_damage() {
    let fs = FaultyFileSystem::new();
    let (logged, _) = open(&fs).expect("opens");
    execute_to(&logged, HEIGHTS).expect("no faults");
    logged.wait_durable(HEIGHTS).expect("no faults");
    // Names are durable before contents: as a full segment's sync leaves them when the power goes between the two.
    fs.sync_directory(&data().join("receipts")).expect("no faults");
    let crashed = fs.crash_before(fs.operation_count(), Keep::Nothing);
    assert_eq!(verify(&crashed).height, HEIGHTS);
}

#[test]
fn a_first_segment_that_is_missing_is_made_again() {
    let fs = written(HEIGHTS, true);
    place_receipts(&fs, 4_096);
    fs.remove(&receipt_files(&fs)[0]).expect("it is listed");
    reopened_with_all_receipts(&fs);
}

#[test]
fn a_segment_that_is_missing_in_the_middle_is_made_again() {
    let fs = written(HEIGHTS, true);
    place_receipts(&fs, 4_096);
    fs.remove(&receipt_files(&fs)[1]).expect("it is listed");
    reopened_with_all_receipts(&fs);
}

#[test]
fn receipts_of_a_history_that_was_cut_are_not_kept() {
    // Receipts of 30 heights, of which the log lost all but 10; what followed then was not what had been.
    let fs = written(10, true);
    let without = LoggedOptions { receipts: false, ..options() };
    remove_receipts(&fs);
    let (segments, _) = ReceiptSegments::open(shared(&fs), data(), 1 << 20).expect("opens");
    for (height, right) in (1..).zip(&expected()[..12]) {
        segments.append(height, &right.receipts, &right.writes).expect("appends");
    }
    segments.sync().expect("syncs");
    let (logged, _) = LoggedEngine::open(shared(&fs), data(), without).expect("opens");
    for height in 11..=12 {
        logged.execute(BatchBuilder::new(height, 50_000).finish()).expect("executes");
    }
    logged.close().expect("closes");
    reopened_with_all_receipts(&fs);
}

#[test]
fn damage_below_the_mark_of_the_receipts_is_made_again() {
    let fs = written(HEIGHTS, true);
    remove_receipts(&fs);
    let (segments, _) = ReceiptSegments::open(shared(&fs), data(), 1 << 20).expect("opens");
    for (height, right) in (1..).zip(expected()) {
        segments.append(height, &right.receipts, &right.writes).expect("appends");
        segments.sync().expect("syncs");
    }
    let path = receipt_files(&fs).remove(0);
    let length = fs.contents(&path).expect("it is listed").len();
    for offset in (0..length).step_by(509) {
        reopened_with_all_receipts(&flipped(&fs, &path, offset));
    }
}

/// "After any other failure nothing goes on", also when it was the receipts' disk that failed.
#[test]
fn receipts_that_cannot_be_written_stop_the_engine_or_leave_no_hole() {
    let fs = FaultyFileSystem::new();
    let (logged, _) = open(&fs).expect("opens");
    execute_to(&logged, 4).expect("no faults");
    logged.wait_durable(4).expect("no faults");
    logged.close().expect("no faults");
    // The log's own operations fall before or after the write of the receipts, by timing: one of many tries hits it.
    let receipts = receipts_inode(&fs);
    let hit = (0..300).any(|attempt| {
        let image = fs.restart();
        let (logged, _) = open(&image).expect("opens");
        let k = image.operation_count() + attempt % 6;
        image.fail(k, Fault::Io);
        // Receipts are kept behind execution: who looks them up, or goes on, is told.
        _ = execute_to(&logged, 5);
        let kept = logged.receipts(5);
        let of_receipts =
            matches!(image.operations().get(k), Some(Operation::Write { inode, .. }) if *inode == receipts);
        if of_receipts {
            assert!(matches!(kept, Err(LogError::Stopped(_))), "receipts that could not be written: {kept:?}");
            assert!(execute_to(&logged, 8).is_err(), "the engine went on after a failure");
            drop(logged);
            reopened_with_all_receipts(&image);
        }
        of_receipts
    });
    assert!(hit, "no fault hit the receipts");
}

/// Inodes count from 0 in order of creation.
fn receipts_inode(fs: &FaultyFileSystem) -> usize {
    let operations = fs.operations();
    let mut created = operations.iter().filter_map(|operation| match operation {
        Operation::Create { path } => Some(path),
        _ => None,
    });
    created.position(|path| path.starts_with(data().join("receipts"))).expect("there are receipts")
}

#[test]
fn a_hole_in_the_receipts_is_filled() {
    let fs = written(HEIGHTS, true);
    remove_receipts(&fs);
    let (segments, _) = ReceiptSegments::open(shared(&fs), data(), 1 << 20).expect("opens");
    for (height, right) in (1..).zip(expected()).filter(|(height, _)| *height != 5) {
        segments.append(height, &right.receipts, &right.writes).expect("appends");
    }
    segments.sync().expect("syncs");
    reopened_with_all_receipts(&fs);
}
