//! What a log takes, what it refuses, and how it is read while it grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::fs::faulty::FaultyFileSystem;
use phalanx_engine::limits::BATCH_BYTES_MAX;
use phalanx_engine::log::{
    Durability, Genesis, Input, Log, LogError, LogReader, Options, Origin, Record, input_hash, verify,
};

use crate::support::{
    GENESIS, append, batch, check_prefix, check_prefix_in, data_directory, log_file, open, options, seal, shared,
    written,
};

#[test]
fn another_genesis_is_refused_by_name_and_changes_nothing() {
    let fs = written(3, options(), true);
    let bytes = fs.contents(&log_file(0));
    let others = [
        (Genesis { chain_id: [8; 32], ..GENESIS }, "chain id"),
        (Genesis { protocol_version: 2, ..GENESIS }, "protocol version at genesis"),
        (Genesis { digest_format: 2, ..GENESIS }, "digest format"),
    ];
    for (genesis, name) in others {
        match Log::open(shared(&fs), &data_directory(), genesis, options()).map(|_| ()) {
            Err(LogError::Incompatible { what, expected, found, .. }) => {
                assert_eq!(what, name);
                assert_ne!(expected, found);
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(fs.contents(&log_file(0)), bytes);
}

#[test]
fn another_format_version_is_refused() {
    let fs = written(3, options(), true);
    let mut bytes = fs.contents(&log_file(0)).expect("is there");
    bytes[8] = 2;
    let crc = crc32fast::hash(&bytes[..4092]).to_le_bytes();
    bytes[4092..4096].copy_from_slice(&crc);
    fs.place(&log_file(0), &bytes);
    let refused =
        |result: Result<(), LogError>| matches!(result, Err(LogError::Incompatible { what: "log format version", .. }));
    assert!(refused(open(&fs, options()).map(|_| ())));
    assert!(refused(verify(shared(&fs), &data_directory()).map(|_| ())));
}

#[test]
fn heights_follow_one_another() {
    let fs = FaultyFileSystem::new();
    let (log, _) = open(&fs, options()).expect("opens");
    let out_of_order = |result: Result<(), LogError>| match result {
        Err(LogError::OutOfOrder { expected, actual, .. }) => (expected, actual),
        other => panic!("{other:?}"),
    };
    let input = |height| log.append_input(height, 0, Arc::new(batch(height)));
    assert_eq!(out_of_order(input(0)), (1, 0));
    assert_eq!(out_of_order(input(2)), (1, 2));
    assert_eq!(out_of_order(log.append_seal(seal(1))), (1, 0));
    assert_eq!(out_of_order(log.wait_durable(1)), (0, 1));
    input(1).expect("follows");
    assert_eq!(out_of_order(input(1)), (2, 1));
    log.append_seal(seal(1)).expect("follows");
    assert_eq!(out_of_order(log.append_seal(seal(1))), (2, 1));
    assert_eq!(out_of_order(log.append_protocol(1, 2)), (2, 1));
    assert_eq!(out_of_order(log.append_protocol(2, 1)), (2, 1));
    log.append_protocol(2, 2).expect("follows");
    input(2).expect("follows");
    log.close().expect("closes");
    let (_, opened) = open(&fs, options()).expect("opens");
    assert_eq!((opened.last_input, opened.protocol_version, opened.last_seal), (2, 2, Some(seal(1))));
    let hash = input_hash(&input_hash(&GENESIS.hash(), 0, 1, &batch(1)), 0, 2, &batch(2));
    assert_eq!(opened.last_input_hash, hash);
}

#[test]
fn a_batch_above_the_limit_is_refused_and_one_at_it_is_kept() {
    let fs = FaultyFileSystem::new();
    let (log, _) = open(&fs, options()).expect("opens");
    let largest = vec![5; BATCH_BYTES_MAX];
    match log.append_input(1, 0, Arc::new(vec![5; BATCH_BYTES_MAX + 1])) {
        Err(LogError::TooLarge { limit: "BATCH_BYTES_MAX", actual, .. }) => {
            assert_eq!(actual, BATCH_BYTES_MAX as u64 + 1);
        }
        other => panic!("{other:?}"),
    }
    log.append_input(1, 0, Arc::new(largest.clone())).expect("fits");
    log.close().expect("closes");
    let records = LogReader::new(shared(&fs), &data_directory()).records(1).expect("reads");
    let inputs: Vec<Input> = records
        .filter_map(|located| match located.expect("reads").record {
            Record::Input(input) => Some(input),
            _ => None,
        })
        .collect();
    assert!(inputs.len() == 1 && inputs[0].batch == largest);
}

#[test]
fn a_log_has_one_holder() {
    let fs = FaultyFileSystem::new();
    let (log, _) = open(&fs, options()).expect("opens");
    assert!(matches!(open(&fs, options()).map(|_| ()), Err(LogError::Held { .. })));
    drop(log);
    assert!(open(&fs, options()).is_ok());
}

/// No more batches are un-synced than the options allow, and the caller isn't held up before.
#[test]
fn unsynced_batches_are_bounded() {
    let fs = FaultyFileSystem::new();
    let (log, _) = open(&fs, Options { unsynced_batches_max: 3, ..options() }).expect("opens");
    let ahead = AtomicU64::new(0);
    for height in 1..=200 {
        log.append_input(height, 0, Arc::new(batch(height))).expect("no faults");
        ahead.fetch_max(height - log.durable_height(), Ordering::Relaxed);
    }
    assert!(ahead.into_inner() <= 3);
}

#[test]
fn a_reader_follows_what_becomes_durable() {
    let fs = FaultyFileSystem::new();
    let (log, _) = open(&fs, Options { written_ahead_bytes: 8 << 10, ..options() }).expect("opens");
    let mut records = log.records(2).expect("reads");
    let mut read = Vec::new();
    for round in 0..20 {
        let heights = round * 5 + 1..=round * 5 + 5;
        append(&log, heights.clone(), |_| {}).expect("no faults");
        for located in &mut records {
            if let Record::Input(input) = located.expect("reads").record {
                assert_eq!(input.batch, batch(input.height));
                read.push(input.height);
            }
        }
        assert_eq!(read.last(), Some(heights.end()));
    }
    assert_eq!(read, (2..=100).collect::<Vec<u64>>());
    assert!(fs.contents(&log_file(3)).is_some(), "several segments were followed");
}

/// What a reader of a log that is being written begins with is not read from its segment's beginning: who falls behind goes on soon.
#[test]
fn a_reader_begins_near_its_height() {
    const HEIGHTS: u64 = 60;
    let long = |height: u64| (0..500_000).map(|index: u64| (index * height + index / 251) as u8).collect::<Vec<_>>();
    let fs = FaultyFileSystem::new();
    let (log, _) = open(&fs, Options { segment_bytes: 12 << 20, ..options() }).expect("opens");
    for height in 1..=HEIGHTS {
        log.append_input(height, 0, Arc::new(long(height))).expect("no faults");
        log.wait_durable(height).expect("no faults");
    }
    assert!(fs.contents(&log_file(2)).is_some() && fs.contents(&log_file(3)).is_none(), "three segments");
    for height in 1..=HEIGHTS {
        let records = log.records(height).expect("reads").map(|located| located.expect("reads").record);
        let mut heights = height..;
        let inputs = records.filter_map(|record| if let Record::Input(input) = record { Some(input) } else { None });
        inputs.for_each(|input| {
            assert_eq!(Some(input.height), heights.next());
            assert!(input.batch == long(input.height));
        });
        assert_eq!(heights.start, HEIGHTS + 1);
    }
    // A height that can no longer be read stands in the way of those who come by it alone.
    let mut damaged = fs.contents(&log_file(0)).expect("it is there");
    damaged[1 << 20] ^= 1;
    fs.place(&log_file(0), &damaged);
    let first = |height| log.records(height).expect("reads").next().expect("is there").map(|located| located.record);
    assert!(matches!(first(3), Err(LogError::Damaged(_))));
    assert!(matches!(first(20), Ok(Record::Input(input)) if input.height == 20));
}

#[test]
fn old_segments_are_dropped_whole() {
    let fs = written(100, options(), false);
    let (log, opened) = open(&fs, options()).expect("opens");
    assert_eq!(opened.first_input, 1);
    let kept = log.drop_below(60).expect("drops");
    assert!(kept > 1 && kept <= 60, "{kept}");
    drop(log);
    let (log, opened) = open(&fs, options()).expect("opens");
    assert_eq!((opened.first_input, opened.last_input), (kept, 100));
    append(&log, 101..=103, |_| {}).expect("goes on");
    match log.records(kept - 1).map(|_| ()) {
        Err(LogError::BelowRetention { height, earliest }) => assert_eq!((height, earliest), (kept - 1, kept)),
        other => panic!("{other:?}"),
    }
    let verified = verify(shared(&fs), &data_directory()).expect("verifies");
    assert_eq!(verified.inputs, Some((kept, 103)));
}

#[test]
fn a_clean_close_trims_and_is_verified() {
    let ahead = Options { written_ahead_bytes: 64 << 10, ..options() };
    let fs = FaultyFileSystem::new();
    let (log, opened) = open(&fs, ahead).expect("opens");
    assert_eq!((opened.origin, opened.last_seal), (Origin::Created, None));
    log.wait_written_ahead().expect("no faults");
    assert_eq!(fs.contents(&log_file(0)).map(|bytes| bytes.len()), Some(48 << 10), "up to the segment's end");
    append(&log, 1..=7, |_| {}).expect("no faults");
    let before = verify(shared(&fs), &data_directory()).expect("verifies");
    log.close().expect("closes");
    let verified = verify(shared(&fs), &data_directory()).expect("verifies");
    assert_eq!((before.closed, verified.closed), (false, true));
    assert_eq!((verified.inputs, verified.last_seal, verified.tail), (Some((1, 7)), Some(seal(7)), None));
    // How groups form decides whether the Close record is in the first segment; positions count through all of them.
    let bytes: usize = (0..).map_while(|number| fs.contents(&log_file(number))).map(|bytes| bytes.len()).sum();
    assert_eq!(verified.mark.0 + 4096, bytes as u64, "the mark is where the Close record begins");
}

#[test]
fn the_real_file_system_keeps_a_log() {
    let directory = tempfile::tempdir().expect("has a directory");
    for (durability, heights) in [(Durability::Sync, 1..=40), (Durability::None, 41..=80), (Durability::Sync, 81..=90)]
    {
        let options = Options { durability, written_ahead_bytes: 16 << 10, ..options() };
        let (log, opened) = Log::open(Arc::new(RealFileSystem), directory.path(), GENESIS, options).expect("opens");
        assert_eq!(opened.last_input + 1, *heights.start());
        assert!(matches!(
            Log::open(Arc::new(RealFileSystem), directory.path(), GENESIS, options).map(|_| ()),
            Err(LogError::Held { .. })
        ));
        append(&log, heights, |_| {}).expect("appends");
        log.close().expect("closes");
    }
    assert_eq!(check_prefix_in(Arc::new(RealFileSystem), directory.path()), Ok(90));
}

#[test]
fn reading_changes_nothing_and_finds_no_log_where_there_is_none() {
    let fs = FaultyFileSystem::new();
    let verified = verify(shared(&fs), &data_directory()).expect("verifies");
    assert_eq!((verified.genesis, verified.records), (None, 0));
    assert_eq!(fs.operation_count(), 0);
    assert_eq!(check_prefix(&fs), Ok(0));
}
