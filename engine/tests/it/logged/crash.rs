//! A crash before any operation leaves a prefix that holds every acknowledged height, and execution goes on from it as
//! if nothing had happened.

use super::support::{HEIGHTS, data, digest, execute_to, expected, open, options, seed, shared};
use phalanx_engine::fs::faulty::{FaultyFileSystem, Keep};
use phalanx_engine::verify_log;

/// Heights, each with the number of operations after which it was acknowledged.
type Acknowledged = Vec<(usize, u64)>;

/// Executes all heights, with a clean close and a reopening midway; waits for some heights, not for all, so that groups
/// of several batches form.
fn run(fs: &FaultyFileSystem) -> Acknowledged {
    let mut acknowledged = Vec::new();
    for last in [HEIGHTS / 2, HEIGHTS] {
        let (logged, opened) = open(fs).expect("opens");
        for height in opened.last_input + 1..=last {
            execute_to(&logged, height).expect("no faults");
            if height % 4 != 1 {
                logged.wait_durable(height).expect("no faults");
                acknowledged.push((fs.operation_count(), height));
            }
        }
        logged.close().expect("no faults");
        acknowledged.push((fs.operation_count(), last));
    }
    acknowledged
}

fn check_crash(fs: &FaultyFileSystem, k: usize, keep: Keep, acknowledged: &Acknowledged) -> Result<(), String> {
    let must_have = acknowledged.iter().rev().find(|(count, _)| *count <= k).map_or(0, |(_, height)| *height);
    let crashed = fs.crash_before(k, keep);
    let (logged, opened) = open(&crashed).map_err(|error| format!("does not open: {error}"))?;
    let height = logged.engine().height();
    if height < must_have {
        return Err(format!("height {must_have} was acknowledged, {height} is the last: {:?}", opened.origin));
    }
    if height != opened.last_input || logged.durable_height() != height {
        return Err(format!("replayed to {height}: {opened:?}"));
    }
    if logged.engine().digest() != digest(height) {
        return Err(format!("another digest at height {height}"));
    }
    execute_to(&logged, HEIGHTS).map_err(|error| format!("does not go on from {height}: {error}"))?;
    logged.wait_durable(HEIGHTS).map_err(|error| format!("not durable: {error}"))?;
    drop(logged);
    // What came after the crash is as durable as what came before it.
    let again = crashed.crash_before(crashed.operation_count(), Keep::Nothing);
    let (logged, _) = open(&again).map_err(|error| format!("does not open again: {error}"))?;
    if (logged.engine().height(), logged.engine().digest()) != (HEIGHTS, digest(HEIGHTS)) {
        return Err(format!("after going on from {height} the last is {}", logged.engine().height()));
    }
    Ok(())
}

fn first_failure(fs: &FaultyFileSystem, keep: impl Fn(usize) -> Keep, acknowledged: &Acknowledged) -> Option<String> {
    (0..=fs.operation_count()).find_map(|k| {
        let what = check_crash(fs, k, keep(k), acknowledged).err()?;
        Some(format!("crash before operation {k} with {:?}: {what}", keep(k)))
    })
}

#[test]
fn a_crash_that_loses_all_unsynced_bytes_loses_nothing_acknowledged() {
    let fs = FaultyFileSystem::new();
    let acknowledged = run(&fs);
    assert_eq!(first_failure(&fs, |_| Keep::Nothing, &acknowledged), None);
}

#[test]
fn a_crash_that_keeps_any_unsynced_sectors_loses_nothing_acknowledged() {
    let fs = FaultyFileSystem::new();
    let acknowledged = run(&fs);
    let seed = seed();
    println!("seed {seed}");
    assert_eq!(first_failure(&fs, |k| Keep::Some(seed ^ (k as u64) << 20), &acknowledged), None);
}

#[test]
fn the_check_notices_a_disk_that_does_not_sync() {
    let fs = FaultyFileSystem::new();
    fs.ignore_syncs();
    let acknowledged = run(&fs);
    let end = fs.operation_count();
    let failure = check_crash(&fs, end, Keep::Nothing, &acknowledged);
    assert!(failure.as_ref().is_err_and(|what| what.contains("was acknowledged")), "{failure:?}");
}

/// A process that dies leaves everything to the next one. Receipts are kept behind execution, so that the last may be missing;
/// they are made again.
#[test]
fn a_process_that_dies_loses_nothing_at_all() {
    let fs = FaultyFileSystem::new();
    let (logged, _) = open(&fs).expect("opens");
    for height in 1..=HEIGHTS {
        logged.execute(expected()[height as usize - 1].batch.clone()).expect("no faults");
    }
    logged.wait_durable(HEIGHTS).expect("no faults");
    let image = fs.restart();
    drop(logged);
    let verify = || verify_log(shared(&image), data(), options().engine, &mut |_| {}).expect("intact");
    let left = verify();
    assert_eq!((left.height, left.digest), (HEIGHTS, digest(HEIGHTS)));
    let (logged, _) = open(&image).expect("opens");
    logged.close().expect("closes");
    let verified = verify();
    assert_eq!((verified.height, verified.digest, verified.receipts), (HEIGHTS, digest(HEIGHTS), HEIGHTS));
}
