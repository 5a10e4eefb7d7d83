//! Receipt segments: read back, torn by crashes, damaged, rebuilt.

use phalanx_engine::fs::faulty::{Fault, FaultyFileSystem, Keep};
use phalanx_engine::log::LogError;
use phalanx_engine::log::receipts::{ReceiptSegments, ReceiptsOpened, verify};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::support::{batch, data_directory, seed, shared};

const SEGMENT_BYTES: u64 = 16 << 10;

fn open(fs: &FaultyFileSystem) -> (ReceiptSegments, ReceiptsOpened) {
    ReceiptSegments::open(shared(fs), &data_directory(), SEGMENT_BYTES).expect("opens")
}

fn parts(height: u64) -> (Vec<u8>, Vec<u8>) {
    (batch(height % 5), batch(height % 7 + 7))
}

fn append(segments: &ReceiptSegments, heights: std::ops::RangeInclusive<u64>) {
    for height in heights {
        let (receipts, writes) = parts(height);
        segments.append(height, &receipts, &writes).expect("no faults");
    }
}

fn check(segments: &ReceiptSegments, heights: std::ops::RangeInclusive<u64>) {
    for height in heights {
        assert_eq!(segments.receipts(height).expect("reads"), Some(parts(height)), "height {height}");
    }
}

fn files(fs: &FaultyFileSystem) -> Vec<std::path::PathBuf> {
    use phalanx_engine::fs::FileSystem;
    let directory = data_directory().join("receipts");
    fs.list(&directory).expect("lists").into_iter().map(|name| directory.join(name)).collect()
}

#[test]
fn receipts_are_found_by_height_also_after_reopening() {
    let fs = FaultyFileSystem::new();
    let (segments, opened) = open(&fs);
    assert_eq!(opened, ReceiptsOpened::default());
    append(&segments, 1..=60);
    check(&segments, 1..=60);
    assert_eq!(segments.receipts(61).expect("reads"), None);
    assert!(matches!(segments.append(60, b"", b""), Err(LogError::OutOfOrder { expected: 61, actual: 60, .. })));
    // A gap: a node that started at a checkpoint.
    append(&segments, 70..=80);
    drop(segments);
    let (segments, opened) = open(&fs.restart());
    assert_eq!(opened, ReceiptsOpened { heights: Some(1..=80), damage: vec![] });
    check(&segments, 1..=60);
    check(&segments, 70..=80);
    assert_eq!(segments.receipts(65).expect("reads"), None);
    let earliest = segments.drop_below(40).expect("drops").expect("some are kept");
    assert!(earliest > 1 && earliest <= 40, "{earliest}");
    assert_eq!(segments.receipts(earliest - 1).expect("reads"), None);
    check(&segments, earliest..=60);
    assert!(fs.operation_count() > 60);
}

#[test]
fn a_crash_loses_at_most_what_was_not_synced() {
    let fs = FaultyFileSystem::new();
    let (segments, _) = open(&fs);
    append(&segments, 1..=40);
    segments.sync().expect("no faults");
    let synced = fs.operation_count();
    append(&segments, 41..=60);
    let seed = seed();
    println!("seed {seed}");
    for k in 0..=fs.operation_count() {
        for keep in [Keep::Nothing, Keep::Everything, Keep::Some(seed ^ k as u64)] {
            let crashed = fs.crash_before(k, keep);
            let (segments, opened) = open(&crashed);
            let last = opened.heights.as_ref().map_or(0, |heights| *heights.end());
            assert!(k < synced || last >= 40, "crash before {k} with {keep:?}: {last}");
            // A full segment was synced before the next began, so nothing but the end is ever torn.
            assert_eq!(opened.damage, vec![], "crash before {k} with {keep:?}");
            append(&segments, last + 1..=62);
            check(&segments, 1..=62);
            drop(segments);
            let (segments, opened) = open(&crashed);
            assert_eq!(opened, ReceiptsOpened { heights: Some(1..=62), damage: vec![] });
            segments.truncate_from(1).expect("no faults");
            append(&segments, 1..=62);
            check(&segments, 1..=62);
            assert_eq!(verify(&crashed, &data_directory()).expect("verifies"), Some(1..=62));
        }
    }
}

#[test]
fn damage_is_named_until_rebuilt() {
    let fs = FaultyFileSystem::new();
    let (segments, _) = open(&fs);
    append(&segments, 1..=60);
    segments.sync().expect("no faults");
    // One more, so that a header says that the others were synced.
    append(&segments, 61..=61);
    drop(segments);
    let files = files(&fs);
    assert!(files.len() > 2);
    let seed = seed();
    println!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for round in 0..500 {
        let damaged = fs.restart();
        let file = &files[random.random_range(0..files.len())];
        let mut bytes = damaged.contents(file).expect("is there");
        let is_last = Some(file) == files.last();
        // The last record is above the mark: 64 bytes of header, and its payload.
        let (receipts, writes) = parts(61);
        let last_record = 64 + (receipts.len() + writes.len()).next_multiple_of(64);
        let offset = random.random_range(0..bytes.len() - if is_last { last_record } else { 0 });
        bytes[offset] ^= random.random_range(1..=255u8);
        damaged.place(file, &bytes);
        let LogError::Damaged(damage) = verify(&damaged, &data_directory()).expect_err("damaged") else { panic!() };
        assert_eq!(&damage.file, file, "round {round}");
        assert!(damage.offset <= offset as u64, "round {round}: {damage}, byte {offset}");
        let (segments, _) = open(&damaged);
        let broken: Vec<u64> = (1..=60).filter(|height| segments.receipts(*height).is_err()).collect();
        assert_eq!(broken.first(), Some(&damage.height), "round {round}: {damage}");
        (1..damage.height).for_each(|height| check(&segments, height..=height));
        segments.truncate_from(damage.height).expect("no faults");
        append(&segments, damage.height..=61);
        check(&segments, 1..=61);
        assert_eq!(verify(&damaged, &data_directory()).expect("verifies"), Some(1..=61), "round {round}");
    }
}

#[test]
fn a_failed_append_can_be_repeated() {
    let count = {
        let fs = FaultyFileSystem::new();
        append(&open(&fs).0, 1..=30);
        fs.operation_count()
    };
    for k in 1..count {
        let fs = FaultyFileSystem::new();
        let (segments, _) = open(&fs);
        fs.fail(k, Fault::StorageFull);
        let mut failures = 0;
        for height in 1..=30 {
            let (receipts, writes) = parts(height);
            while let Err(error) = segments.append(height, &receipts, &writes) {
                assert!(matches!(error, LogError::Io { .. }), "{error}");
                failures += 1;
                assert!(failures < 3, "operation {k}: {error}");
            }
        }
        assert_eq!(failures, 1, "operation {k}");
        check(&segments, 1..=30);
        assert_eq!(verify(&fs, &data_directory()).expect("verifies"), Some(1..=30), "operation {k}");
    }
}
