//! A crash before any operation leaves a prefix that holds every acknowledged height.

use phalanx_engine::fs::faulty::{FaultyFileSystem, Keep, Operation};
use phalanx_engine::log::{Durability, Options, Origin};

use crate::support::{append, check_prefix, open, options, seed};

/// Heights with the number of operations after which they were acknowledged.
type Acknowledged = Vec<(usize, u64)>;

/// Two openings, so that a crash also meets a log that was reopened; the second with space written ahead.
fn run(fs: &FaultyFileSystem, heights: u64) -> Acknowledged {
    let mut acknowledged = Vec::new();
    let (log, _) = open(fs, options()).expect("an empty disk opens");
    append(&log, 1..=heights / 2, |height| acknowledged.push((fs.operation_count(), height))).expect("no faults");
    log.close().expect("no faults");
    let ahead = Options { written_ahead_bytes: 32 << 10, ..options() };
    let (log, opened) = open(fs, ahead).expect("a closed log opens");
    assert_eq!((opened.origin, opened.last_input), (Origin::Clean, heights / 2));
    append(&log, heights / 2 + 1..=heights, |height| acknowledged.push((fs.operation_count(), height)))
        .expect("no faults");
    drop(log);
    acknowledged
}

/// Crashes before operation `k`, reopens, appends, reopens: what every test here asks.
fn check_crash(fs: &FaultyFileSystem, k: usize, keep: Keep, acknowledged: &Acknowledged) -> Result<(), String> {
    let must_have = acknowledged.iter().rev().find(|(operations, _)| *operations <= k).map_or(0, |(_, height)| *height);
    let crashed = fs.crash_before(k, keep);
    let (log, opened) = open(&crashed, options()).map_err(|error| format!("does not open: {error}"))?;
    if opened.last_input < must_have {
        return Err(format!(
            "height {must_have} was acknowledged, {} is the last: {:?}",
            opened.last_input, opened.origin
        ));
    }
    let sealed = opened.last_seal.map_or(0, |seal| seal.height);
    (sealed + 1..=opened.last_input)
        .try_for_each(|height| log.append_seal(crate::support::seal(height)))
        .and_then(|()| append(&log, opened.last_input + 1..=opened.last_input + 2, |_| {}))
        .map_err(|error| format!("does not go on: {error}"))?;
    drop(log);
    // What opening settled and what was appended since survives the next crash whole.
    let again = crashed.crash_before(crashed.operation_count(), Keep::Nothing);
    let (log, reopened) = open(&again, options()).map_err(|error| format!("does not open again: {error}"))?;
    drop(log);
    if matches!(reopened.origin, Origin::Cut(_)) || reopened.last_input != opened.last_input + 2 {
        return Err(format!("after going on: {reopened:?}"));
    }
    check_prefix(&again).map(|_| ())
}

fn first_failure(fs: &FaultyFileSystem, keep: impl Fn(usize) -> Keep, acknowledged: &Acknowledged) -> Option<String> {
    (0..=fs.operation_count()).find_map(|k| {
        let what = check_crash(fs, k, keep(k), acknowledged).err()?;
        Some(format!("crash before operation {k} with {:?}: {what}", keep(k)))
    })
}

#[test]
fn nothing_acknowledged_is_lost_when_all_unsynced_bytes_are() {
    let fs = FaultyFileSystem::new();
    let acknowledged = run(&fs, 300);
    assert_eq!(first_failure(&fs, |_| Keep::Nothing, &acknowledged), None);
}

#[test]
fn nothing_acknowledged_is_lost_when_any_sectors_survive() {
    let fs = FaultyFileSystem::new();
    let acknowledged = run(&fs, 300);
    let seed = seed();
    println!("seed {seed}");
    assert_eq!(first_failure(&fs, |k| Keep::Some(seed ^ (k as u64) << 20), &acknowledged), None);
    assert_eq!(first_failure(&fs, |_| Keep::Everything, &acknowledged), None);
}

#[test]
fn the_checker_notices_a_disk_that_does_not_sync() {
    let fs = FaultyFileSystem::new();
    fs.ignore_syncs();
    let acknowledged = run(&fs, 60);
    let failure = first_failure(&fs, |_| Keep::Nothing, &acknowledged);
    assert!(failure.as_deref().is_some_and(|what| what.contains("was acknowledged")), "{failure:?}");
}

/// At the moment of an acknowledgement the synced bytes alone hold the height, also without reopening anything.
#[test]
fn every_acknowledgement_comes_after_its_sync() {
    let fs = FaultyFileSystem::new();
    let acknowledged = run(&fs, 40);
    let operations = fs.operations();
    for (count, height) in acknowledged {
        let last_change =
            operations[..count].iter().rposition(|operation| matches!(operation, Operation::Write { .. }));
        let last_sync = operations[..count].iter().rposition(|operation| matches!(operation, Operation::Sync { .. }));
        assert!(last_sync.is_some(), "height {height}");
        // With one caller there is nothing to write between the sync and the answer but zeros ahead.
        let on_disk = fs.crash_before(count, Keep::Nothing);
        let (_log, opened) = open(&on_disk, options()).expect("opens");
        assert!(opened.last_input >= height, "height {height}: {last_change:?} {last_sync:?}");
    }
}

/// Without syncs nothing is promised, but what is left must still be a prefix, and only the machine's crash harms it.
#[test]
fn without_syncs_a_crash_leaves_a_prefix_and_a_restart_leaves_all() {
    let fs = FaultyFileSystem::new();
    let unsynced = Options { durability: Durability::None, ..options() };
    let (log, _) = open(&fs, unsynced).expect("opens");
    append(&log, 1..=60, |_| {}).expect("no faults");
    drop(log);
    let (_, opened) = open(&fs.restart(), unsynced).expect("opens");
    assert_eq!((opened.origin, opened.last_input), (Origin::Unclean, 60));
    let seed = seed();
    println!("seed {seed}");
    for k in 0..=fs.operation_count() {
        for keep in [Keep::Nothing, Keep::Some(seed ^ k as u64), Keep::Some(seed ^ (k as u64) << 32)] {
            assert_eq!(check_crash(&fs, k, keep, &Vec::new()), Ok(()), "crash before operation {k} with {keep:?}");
        }
    }
}
