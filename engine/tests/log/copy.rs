//! A copy holds what was durable, whole, also when the log is written meanwhile.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use phalanx_engine::fs::faulty::{FaultyFileSystem, Keep};
use phalanx_engine::log::{COPY_BYTES, Durability, LogError, Options, Surveyed, copy, survey, verify};

use crate::support::{
    append, check_prefix, check_prefix_in, data_directory, log_file, open, options, shared, written, written_densely,
};

fn copied(fs: &FaultyFileSystem, to: &Path) -> Result<Surveyed, LogError> {
    let mut end = (String::new(), 0);
    let copied = copy(&shared(fs), &data_directory(), to, &mut |name, offset, bytes| {
        // One piece after the other, none left out.
        assert_eq!(offset, if end.0 == name { end.1 } else { 0 });
        assert!(bytes.len() <= COPY_BYTES);
        end = (name.to_owned(), offset + bytes.len() as u64);
    })?;
    Ok(copied.expect("there is a log"))
}

/// The copy opens without a cut, and holds what it says.
fn check(fs: &FaultyFileSystem, to: &Path, copied: &Surveyed) {
    assert_eq!(check_prefix_in(shared(fs), to), Ok(copied.last_input));
    let verified = verify(shared(fs), to).expect("it is whole");
    assert_eq!(verified.tail, None);
    assert_eq!(verified.last_seal.map_or(0, |seal| seal.height), copied.last_seal.0);
    assert_eq!((verified.genesis, verified.inputs.map(|(first, _)| first)), (Some(copied.genesis), Some(1)));
    for segment in &copied.segments {
        let contents = fs.contents(&to.join("log").join(&segment.name)).expect("it is there");
        assert_eq!(contents.len() as u64, segment.bytes);
    }
}

#[test]
fn a_log_that_is_being_written_is_copied_with_all_that_was_durable() {
    let fs = FaultyFileSystem::new();
    let (log, _) = open(&fs, options()).expect("an empty disk opens");
    append(&log, 1..=5, |_| {}).expect("no faults");
    let acknowledged = Arc::new(AtomicU64::new(5));
    let writer = {
        let acknowledged = Arc::clone(&acknowledged);
        thread::spawn(move || {
            append(&log, 6..=400, |height| acknowledged.store(height, Ordering::SeqCst)).expect("no faults");
            log
        })
    };
    let mut copies = 0;
    while !writer.is_finished() || copies == 0 {
        let to = PathBuf::from(format!("/copy-{copies}"));
        let durable = acknowledged.load(Ordering::SeqCst);
        let copied = copied(&fs, &to).expect("it can be copied");
        assert!(copied.last_input >= durable, "{} of {durable}", copied.last_input);
        check(&fs, &to, &copied);
        copies += 1;
    }
    println!("{copies} copies");
    let log = writer.join().expect("it does not panic");
    let end = copied(&fs, Path::new("/copy-at-the-end")).expect("it can be copied");
    assert_eq!(end.last_input, 400);
    // The last seal may still be on its way through the log's thread: nobody waited for it.
    assert!((399..=400).contains(&end.last_seal.0), "{:?}", end.last_seal);
    drop(log);
}

#[test]
fn a_copy_holds_nothing_that_its_source_may_lose() {
    // Here nothing was synced before it was copied.
    let fs = FaultyFileSystem::new();
    let unsynced = Options { durability: Durability::None, ..options() };
    let (log, _) = open(&fs, unsynced).expect("an empty disk opens");
    append(&log, 1..=40, |_| {}).expect("no faults");
    let copied = copied(&fs, Path::new("/copy")).expect("it can be copied");
    let crashed = fs.crash_before(fs.operation_count(), Keep::Nothing);
    assert!(check_prefix(&crashed).expect("it is a prefix") >= copied.last_input);
    assert_eq!(copied.last_input, 40);
    drop(log);
}

#[test]
fn a_torn_tail_is_left_out() {
    let fs = written_densely(25, false);
    let whole = fs.contents(&log_file(0)).expect("it is there");
    let mut tails = 0;
    for length in (4_096..whole.len()).step_by(37) {
        let image = FaultyFileSystem::new();
        image.place(&log_file(0), &whole[..length]);
        let Some(copied) = copy(&shared(&image), &data_directory(), Path::new("/copy"), &mut |_, _, _| {})
            .expect("it is torn, not damaged")
        else {
            continue;
        };
        tails += 1;
        let surveyed =
            survey(&shared(&image), &data_directory()).expect("it is torn, not damaged").expect("it is there");
        assert_eq!(Surveyed { tail: None, ..surveyed }, copied, "cut at {length}");
        let verified = verify(shared(&image), Path::new("/copy")).expect("it is whole");
        assert_eq!(verified.tail, None, "cut at {length}");
        assert_eq!(verified.inputs.map_or(0, |(_, last)| last), copied.last_input, "cut at {length}");
    }
    assert!(tails > 10, "{tails}");
}

#[test]
fn a_damaged_log_is_not_copied() {
    let fs = written(60, options(), true);
    let path = log_file(1);
    let mut bytes = fs.contents(&path).expect("there are several segments");
    bytes[5_000] ^= 1;
    fs.place(&path, &bytes);
    let Err(LogError::Damaged(damage)) = copied(&fs, Path::new("/copy")) else { panic!("it is copied") };
    assert_eq!(damage.file, path);
    assert!(damage.offset <= 5_000 && damage.offset + 1_000 > 5_000, "{damage}");
    let none = copy(&shared(&FaultyFileSystem::new()), &data_directory(), Path::new("/copy"), &mut |_, _, _| {});
    assert_eq!(none.expect("that is no error"), None);
}
