//! Bytes that are not what was written: refused and named below the mark, cut above it, never skipped.

use std::path::PathBuf;

use phalanx_engine::fs::faulty::{FaultyFileSystem, Keep, Operation};
use phalanx_engine::log::{Damage, Durability, Located, LogError, LogReader, Opened, Options, Origin, Record, verify};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::support::{data_directory, log_file, open, options, seed, shared, written, written_densely};

fn located(fs: &FaultyFileSystem) -> Vec<Located> {
    let records = LogReader::new(shared(fs), &data_directory()).records(0).expect("reads");
    records.map(|located| located.expect("reads")).collect()
}

/// The log's files with their contents.
fn files(fs: &FaultyFileSystem) -> Vec<(PathBuf, Vec<u8>)> {
    (0..).map(log_file).map_while(|path| Some((path.clone(), fs.contents(&path)?))).collect()
}

fn image(files: &[(PathBuf, Vec<u8>)]) -> FaultyFileSystem {
    let fs = FaultyFileSystem::new();
    files.iter().for_each(|(path, bytes)| fs.place(path, bytes));
    fs
}

/// File index and offset of the first byte that no record says was synced.
fn end_of_marked(fs: &FaultyFileSystem, files: &[(PathBuf, Vec<u8>)]) -> (usize, u64) {
    let records = located(fs);
    let mark = records.iter().map(|record| record.mark).max().expect("has records");
    let last = records.iter().rev().find(|record| record.position <= mark).expect("has records");
    let index = files.iter().position(|(path, _)| **path == *last.file).expect("listed");
    (index, last.offset + mark.0 - last.position.0)
}

/// A log that was not closed, whose last group is above the mark, and with space written ahead.
fn active() -> FaultyFileSystem {
    written(60, Options { written_ahead_bytes: 32 << 10, ..options() }, false)
}

#[test]
fn a_flipped_byte_below_the_mark_is_refused_and_named() {
    let fs = active();
    let files = files(&fs);
    assert!(files.len() > 2, "several segments");
    let (last_file, last_offset) = end_of_marked(&fs, &files);
    let seed = seed();
    println!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..2_000 {
        let file = random.random_range(0..=last_file);
        let end = if file == last_file { last_offset } else { files[file].1.len() as u64 };
        let offset = random.random_range(0..end);
        let mut damaged = files.clone();
        damaged[file].1[offset as usize] ^= random.random_range(1..=255u8);
        let fs = image(&damaged);
        let context = format!("{} offset {offset}", files[file].0.display());
        let from_verify = damage_of(verify(shared(&fs), &data_directory()).map(|_| ()), &context);
        let from_open = damage_of(open(&fs, options()).map(|_| ()), &context);
        assert_eq!(from_verify, from_open, "{context}");
        check_named(&from_open, &files[file].0, offset, &located(&image(&files)));
        assert_eq!(fs.operations().iter().filter(|operation| changes(operation)).count(), 0, "{context}: changed");
    }
}

fn changes(operation: &Operation) -> bool {
    !matches!(operation, Operation::CreateDirectory { .. } | Operation::Nothing)
}

fn damage_of(result: Result<(), LogError>, context: &str) -> Damage {
    match result {
        Err(LogError::Damaged(damage)) => damage,
        other => panic!("{context}: {other:?}"),
    }
}

/// The error names the record, header or padding that holds the byte.
fn check_named(damage: &Damage, file: &PathBuf, offset: u64, records: &[Located]) {
    let context = format!("{}: byte {offset}: {damage}", file.display());
    let in_file = || records.iter().filter(|record| *record.file == **file);
    let holder = in_file().rev().find(|record| record.offset <= offset);
    // A broken segment header may be noticed where the segment before ends; it is then named itself.
    assert_eq!(&damage.file, file, "{context}");
    match holder {
        None => assert_eq!(damage.offset, 0, "{context}"),
        Some(record) => {
            assert!(damage.offset >= record.offset && damage.offset <= offset, "{context}");
            let before = records.iter().filter(|other| other.position <= record.position);
            let last_input = before.filter_map(|other| match &other.record {
                Record::Input(input) => Some(input.height),
                _ => None,
            });
            let height = record.record.height().max(last_input.max().unwrap_or(0));
            assert!(damage.height.abs_diff(height) <= 1, "{context}: in height {height}");
        }
    }
}

#[test]
fn a_tail_cut_at_any_byte_opens_and_keeps_every_whole_record() {
    let fs = written_densely(25, false);
    let whole = files(&fs);
    let records = located(&fs);
    assert!(records.len() == 51 && whole.len() == 1);
    let last = &whole[0].1;
    // Nothing behind a cut says that what was cut had been synced; the group before is known only from later records.
    for length in 0..last.len() {
        let image = image(&[(whole[0].0.clone(), last[..length].to_vec())]);
        let (log, opened) = open(&image, options()).unwrap_or_else(|error| panic!("cut at {length}: {error}"));
        drop(log);
        let is_whole = |record: &&Located| record_end(record) <= length as u64;
        let kept: Vec<_> = records.iter().filter(is_whole).map(|record| &record.record).collect();
        let heights = kept.iter().filter(|record| matches!(record, Record::Input(_))).count() as u64;
        assert_eq!(opened.last_input, heights, "cut at {length}: {opened:?}");
        let seals = kept.iter().filter(|record| matches!(record, Record::Seal(_))).count() as u64;
        assert_eq!(opened.last_seal.map_or(0, |seal| seal.height), seals, "cut at {length}");
        check_reported(&opened.origin, length as u64, &records, last);
        let reread = located(&image);
        let reread: Vec<_> = reread.iter().map(|record| &record.record).filter(|record| !is_genesis(record)).collect();
        let kept: Vec<_> = kept.into_iter().filter(|record| !is_genesis(record)).collect();
        assert_eq!(reread, kept, "cut at {length}");
    }
}

fn is_genesis(record: &Record) -> bool {
    matches!(record, Record::Genesis(_))
}

/// End of a record with its padding to the record alignment.
fn record_end(record: &Located) -> u64 {
    let payload = match &record.record {
        Record::Genesis(_) => 40,
        Record::Input(input) => 40 + input.batch.len(),
        Record::Seal(_) => 96,
        Record::Protocol { .. } => 4,
        Record::Close => 0,
    };
    record.offset + 64 + payload.next_multiple_of(64) as u64
}

/// Whatever is torn is reported with its place; a file that ends in whole groups isn't torn.
fn check_reported(origin: &Origin, length: u64, records: &[Located], bytes: &[u8]) {
    let torn = records.iter().find(|record| record.offset < length && record_end(record) > length);
    match (origin, torn) {
        (Origin::Cut(cut), Some(record)) => {
            let header_is_zero = bytes[record.offset as usize..length as usize].iter().all(|byte| *byte == 0);
            assert!(cut.at.offset == record.offset || header_is_zero, "cut at {length}: {cut}");
            let set_aside = cut.set_aside.len();
            assert_eq!(set_aside, 1, "cut at {length}: {cut}");
            if length >= record.offset + 64 {
                let height = record.record.height();
                let named = cut.inputs.contains(&height) || cut.seals.contains(&height);
                assert!(named || matches!(record.record, Record::Genesis(_)), "cut at {length}: {cut}");
            }
        }
        (Origin::Cut(cut), None) => {
            // Inside the segment header, or right behind a record whose group went on.
            assert!(length < 4096 || cut.at.offset == length, "cut at {length}: {cut}");
        }
        (_, Some(record)) => panic!("cut at {length}: {:?} was torn and not reported", record.record.height()),
        (_, None) => {}
    }
}

#[test]
fn what_is_cut_is_set_aside_whole() {
    let fs = written(10, options(), false);
    let mut files = files(&fs);
    let last = files.len() - 1;
    let records = located(&fs);
    let torn = records.iter().rev().find(|record| matches!(record.record, Record::Seal(_))).expect("has seals");
    let (offset, bytes) = (torn.offset as usize, files[last].1.clone());
    files[last].1[offset + 70] ^= 1;
    let image = image(&files);
    for round in 0..2 {
        let (_, opened) = open(&image, options()).expect("opens");
        let Origin::Cut(cut) = opened.origin else { panic!("{:?}", opened.origin) };
        let aside = image.contents(&cut.set_aside[0]).expect("is there");
        assert!(aside[..70] == bytes[offset..offset + 70] && aside[70] == bytes[offset + 70] ^ 1, "round {round}");
        assert_eq!((cut.seals, cut.inputs), (vec![10], vec![]));
        // The same crash at the same place again: the first copy stays.
        image.place(&log_file(last as u64), &files[last].1);
    }
    assert!(image.contents(&data_directory().join(format!("log/{last:010}-{offset}.1.cut"))).is_some());
}

#[test]
fn every_bit_of_a_small_log_may_flip() {
    let fs = written_densely(9, true);
    let files = files(&fs);
    let records = located(&fs);
    assert_eq!((records.len(), files.len()), (20, 1));
    let close = records.last().expect("has records").offset;
    for bit in 0..files[0].1.len() * 8 {
        let mut flipped = files.clone();
        flipped[0].1[bit / 8] ^= 1 << (bit % 8);
        let fs = image(&flipped);
        let verified = verify(shared(&fs), &data_directory());
        // Opening starts a thread, so of each byte it is asked for one bit; it reads by the same code.
        let opens = bit % 8 == bit / 8 % 8;
        let opened = opens.then(|| open(&fs, options()).map(|(_, opened)| opened));
        if (bit as u64) / 8 < close {
            // The clean close says that everything before it was synced.
            assert!(matches!(verified, Err(LogError::Damaged(_))), "bit {bit}: {verified:?}");
            assert!(matches!(opened, None | Some(Err(LogError::Damaged(_)))), "bit {bit}: {opened:?}");
        } else {
            // The mark itself is above the mark: without it all records are there, and the flip is reported.
            assert!(verified.is_ok_and(|verified| verified.tail.is_some() && !verified.closed), "bit {bit}");
            let is_cut = |opened: &Opened| matches!(opened.origin, Origin::Cut(_)) && opened.last_input == 9;
            assert!(opened.is_none_or(|opened| opened.is_ok_and(|opened| is_cut(&opened))), "bit {bit}");
        }
    }
}

/// A log kept without syncs is synced when it is closed: the Close record then protects all of it.
#[test]
fn a_clean_close_protects_a_log_that_was_not_synced() {
    let fs = written(40, Options { durability: Durability::None, ..options() }, true);
    let (log, opened) = open(&fs.crash_before(fs.operation_count(), Keep::Nothing), options()).expect("opens");
    assert_eq!((opened.origin, opened.last_input), (Origin::Clean, 40));
    drop(log);
    let files = files(&fs);
    assert!(files.len() > 1);
    for (file, (path, bytes)) in files.iter().enumerate() {
        let mut damaged = files.clone();
        damaged[file].1[bytes.len() - 5000] ^= 1;
        let damage = damage_of(open(&image(&damaged), options()).map(|_| ()), "open");
        assert_eq!(&damage.file, path);
    }
}

#[test]
fn a_missing_segment_is_damage() {
    let fs = active();
    let files = files(&fs);
    for missing in 1..files.len() - 1 {
        let mut rest = files.clone();
        rest.remove(missing);
        let damage = damage_of(open(&image(&rest), options()).map(|_| ()), "open");
        assert_eq!(damage.file, log_file(missing as u64 + 1));
    }
}

/// A zeroed block looks like space written ahead, or like padding; it is neither if something later says so.
#[test]
fn a_zeroed_sector_below_the_mark_is_damage() {
    let fs = active();
    let files = files(&fs);
    let (last_file, last_offset) = end_of_marked(&fs, &files);
    for size in [512, 4096] {
        for (file, (path, bytes)) in files.iter().enumerate().take(last_file + 1) {
            let end = if file == last_file { last_offset as usize } else { bytes.len() };
            for start in (0..end).step_by(size) {
                if bytes[start..start + size].iter().all(|byte| *byte == 0) {
                    continue;
                }
                let mut zeroed = files.clone();
                zeroed[file].1[start..start + size].fill(0);
                let result = open(&image(&zeroed), options()).map(|(_, opened)| opened);
                assert!(matches!(result, Err(LogError::Damaged(_))), "{} {start}: {result:?}", path.display());
            }
        }
    }
}
