//! A reproducible log, and what every reopened log must be.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use phalanx_engine::fs::FileSystem;
use phalanx_engine::fs::faulty::FaultyFileSystem;
use phalanx_engine::log::{
    Durability, Genesis, Input, Log, LogError, LogReader, Opened, Options, Record, Seal, input_hash,
};

pub(crate) const GENESIS: Genesis = Genesis { chain_id: [7; 32], protocol_version: 1, digest_format: 1 };

/// Small segments, so that short runs roll over several; a little space ahead, so that some groups overwrite zeros.
pub(crate) fn options() -> Options {
    Options {
        durability: Durability::Sync,
        segment_bytes: 48 << 10,
        written_ahead_bytes: 0,
        unsynced_batches_max: 4,
        salt: [9; 16],
    }
}

pub(crate) fn data_directory() -> PathBuf {
    PathBuf::from("/data")
}

pub(crate) fn log_file(number: u64) -> PathBuf {
    data_directory().join("log").join(format!("{number:010}.log"))
}

/// The batch of a height: lengths from 0 to beyond several blocks, contents without pattern.
pub(crate) fn batch(height: u64) -> Vec<u8> {
    let length = match height % 7 {
        0 => 0,
        1 => 1,
        2 => 24,
        3 => 700,
        4 => 4_096,
        5 => 40 + height as usize,
        // Long enough not to be copied into the group's buffer.
        _ if height.is_multiple_of(4) => 18_000,
        _ => 300,
    };
    (0..length as u64).map(|index| (index * index + height * 31 + index / 7) as u8).collect()
}

pub(crate) fn seal(height: u64) -> Seal {
    let fill = |salt: u8| [(height as u8) ^ salt; 32];
    Seal { height, receipts_root: fill(1), writes_root: fill(2), digest: fill(3) }
}

pub(crate) fn open(fs: &FaultyFileSystem, options: Options) -> Result<(Log, Opened), LogError> {
    Log::open(Arc::new(fs.clone()), &data_directory(), GENESIS, options)
}

pub(crate) fn shared(fs: &FaultyFileSystem) -> Arc<dyn FileSystem> {
    Arc::new(fs.clone())
}

/// Appends heights in groups of different sizes; each seal one height late, as an engine does. `acknowledged` is told
/// each height that became durable.
pub(crate) fn append(
    log: &Log,
    heights: std::ops::RangeInclusive<u64>,
    mut acknowledged: impl FnMut(u64),
) -> Result<(), LogError> {
    for height in heights.clone() {
        log.append_input(height, height / 10, Arc::new(batch(height)))?;
        if height > *heights.start() {
            log.append_seal(seal(height - 1))?;
        }
        if height % 5 != 3 {
            log.wait_durable(height)?;
            acknowledged(height);
        }
    }
    log.append_seal(seal(*heights.end()))?;
    log.wait_durable(*heights.end())?;
    acknowledged(*heights.end());
    Ok(())
}

/// What a reopened log holds, read back and compared with what was appended. Answers the last height, or says what is
/// not as it must be.
pub(crate) fn check_prefix(fs: &FaultyFileSystem) -> Result<u64, String> {
    check_prefix_in(shared(fs), &data_directory())
}

pub(crate) fn check_prefix_in(fs: Arc<dyn FileSystem>, directory: &Path) -> Result<u64, String> {
    let mut records = LogReader::new(fs, directory).records(0).map_err(|error| error.to_string())?;
    let (mut last, mut sealed, mut previous) = (0, 0, GENESIS.hash());
    for located in &mut records {
        match located.map_err(|error| error.to_string())?.record {
            Record::Genesis(genesis) if genesis == GENESIS => {}
            Record::Input(input) => {
                let height = last + 1;
                let expected = Input { epoch: height / 10, height, previous, batch: batch(height) };
                if input != expected {
                    return Err(format!("input {height} differs"));
                }
                previous = input_hash(&previous, height / 10, height, &batch(height));
                last = height;
            }
            Record::Seal(found) if found == seal(sealed + 1) && found.height <= last => sealed += 1,
            Record::Close => {}
            other => return Err(format!("unexpected {other:?}")),
        }
    }
    match records.tail() {
        None => Ok(last),
        Some(cut) => Err(format!("a tail is left: {cut}")),
    }
}

/// A log of `count` heights that was closed, or not; each group synced.
pub(crate) fn written(count: u64, options: Options, closed: bool) -> FaultyFileSystem {
    let fs = FaultyFileSystem::new();
    let (log, _) = open(&fs, options).expect("an empty disk opens");
    append(&log, 1..=count, |_| {}).expect("a disk without faults takes all");
    if closed {
        log.close().expect("a disk without faults closes");
    }
    fs
}

/// A log of `count` heights with short batches, in few groups, so that it is small: for tests that touch every byte.
pub(crate) fn written_densely(count: u64, closed: bool) -> FaultyFileSystem {
    let fs = FaultyFileSystem::new();
    let (log, _) = open(&fs, Options { unsynced_batches_max: 2 * count, ..options() }).expect("an empty disk opens");
    for height in 1..=count {
        log.append_input(height, 0, Arc::new(short_batch(height))).expect("no faults");
        log.append_seal(seal(height)).expect("no faults");
    }
    log.wait_durable(count).expect("no faults");
    if closed {
        log.close().expect("no faults");
    }
    fs
}

fn short_batch(height: u64) -> Vec<u8> {
    vec![height as u8; (height * 7 % 100) as usize]
}

/// Seeds of the random tests; another run's can be asked for, to repeat a failure or to search longer.
pub(crate) fn seed() -> u64 {
    std::env::var("PHALANX_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_123)
}
