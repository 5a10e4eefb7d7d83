//! A disk that refuses: the error surfaces, nothing goes on, and the log opens again with all that was acknowledged.

use std::sync::Arc;

use phalanx_engine::fs::faulty::{Fault, FaultyFileSystem, Keep};
use phalanx_engine::log::{LogError, Options};

use crate::support::{append, batch, check_prefix, open, options, seal, seed};

const HEIGHTS: u64 = 40;

/// Runs until the fault; answers the last acknowledged height and the error.
fn run(fs: &FaultyFileSystem, options: Options) -> (u64, Option<LogError>) {
    let mut durable = 0;
    let log = match open(fs, options) {
        Ok((log, _)) => log,
        Err(error) => return (0, Some(error)),
    };
    if let Err(error) = append(&log, 1..=HEIGHTS, |height| durable = height) {
        check_stopped(&log, durable);
        return (durable, Some(error));
    }
    match log.close() {
        Ok(()) => (durable, None),
        Err(error) => (durable, Some(error)),
    }
}

/// After the error every operation answers with it, and the durable height stays.
fn check_stopped(log: &phalanx_engine::log::Log, durable: u64) {
    let height = log.durable_height();
    assert!(height >= durable);
    let stopped = |result: Result<(), LogError>| matches!(result, Err(LogError::Stopped(_)));
    assert!(stopped(log.append_input(height + 1, 0, Arc::new(batch(1)))));
    assert!(stopped(log.append_seal(seal(height))));
    assert!(stopped(log.append_protocol(height + 100, 9)));
    assert!(stopped(log.wait_durable(height + 1)));
    assert!(stopped(log.wait_written_ahead()));
    assert!(log.wait_durable(height).is_ok());
    assert_eq!(log.durable_height(), height);
}

/// Whether this error is the injected one, not one made up on the way.
fn is_injected(error: &LogError, fault: Fault) -> bool {
    let text = error.to_string();
    match fault {
        Fault::Io => text.contains("injected device error"),
        Fault::StorageFull => text.contains("no storage space"),
    }
}

#[test]
fn a_fault_at_any_operation_surfaces_and_loses_nothing_acknowledged() {
    let whole = FaultyFileSystem::new();
    assert!(run(&whole, options()).1.is_none());
    let seed = seed();
    println!("seed {seed}");
    let mut surfaced = 0;
    // Groups form by timing, so the number of operations differs a little from run to run.
    for k in 0..whole.operation_count() {
        for fault in [Fault::Io, Fault::StorageFull] {
            let fs = FaultyFileSystem::new();
            fs.fail(k, fault);
            let (durable, error) = run(&fs, options());
            let was_hit = fs.operation_count() > k;
            assert_eq!(error.is_some(), was_hit, "{fault:?} at operation {k}");
            surfaced += usize::from(was_hit);
            if !was_hit {
                // This run had fewer operations than the first; the fault still waits, and would hit the opening below.
                continue;
            }
            assert!(error.is_none_or(|error| is_injected(&error, fault)), "{fault:?} at operation {k}");
            // The process goes on with the page cache, the process dies, or the machine does.
            let images = [fs.clone(), fs.restart(), fs.crash_before(fs.operation_count(), Keep::Some(seed ^ k as u64))];
            for image in images {
                check_reopened(&image, durable).unwrap_or_else(|what| panic!("{fault:?} at operation {k}: {what}"));
            }
        }
    }
    assert!(surfaced > whole.operation_count());
}

/// Opens after a fault; then what it holds must survive a crash, although a sync before had failed.
fn check_reopened(fs: &FaultyFileSystem, durable: u64) -> Result<(), String> {
    let (log, opened) = open(fs, options()).map_err(|error| error.to_string())?;
    drop(log);
    if opened.last_input < durable {
        return Err(format!("{durable} was acknowledged, {} is the last", opened.last_input));
    }
    let crashed = fs.crash_before(fs.operation_count(), Keep::Nothing);
    let (log, again) = open(&crashed, options()).map_err(|error| error.to_string())?;
    drop(log);
    if again.last_input != opened.last_input {
        return Err(format!("opening answered {}, after a crash it is {}", opened.last_input, again.last_input));
    }
    check_prefix(&crashed).map(|_| ())
}

#[test]
fn a_disk_too_full_for_space_ahead_still_takes_batches() {
    let fs = FaultyFileSystem::new();
    let ahead = Options { written_ahead_bytes: 16 << 10, ..options() };
    let (log, _) = open(&fs, ahead).expect("opens");
    log.wait_written_ahead().expect("no faults");
    let created = fs.operation_count();
    drop(log);
    // The write of zeros comes last while nothing is appended: its sync is the operation before `created`.
    let fs = FaultyFileSystem::new();
    fs.fail(created - 2, Fault::StorageFull);
    let (log, _) = open(&fs, ahead).expect("opens");
    log.wait_written_ahead().expect("no room for zeros is no failure");
    append(&log, 1..=5, |_| {}).expect("the log goes on");
    log.close().expect("and closes");
    assert_eq!(check_prefix(&fs), Ok(5));
}
