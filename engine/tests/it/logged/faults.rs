//! A disk that refuses: the caller gets the disk's error, nothing goes on after it, and opening again finds all that was
//! acknowledged.

use super::support::{data, digest, execute_to, expected, genesis, open, options, seed, shared};
use phalanx_engine::fs::faulty::{Fault, FaultyFileSystem, Keep};
use phalanx_engine::log::{Log, LogError};
use phalanx_engine::{LoggedEngine, LoggedError, LoggedOptions};

const HEIGHTS: u64 = 8;

fn without_receipts() -> LoggedOptions {
    LoggedOptions { receipts: false, ..options() }
}

/// Runs until the fault; answers the last acknowledged height and the error.
fn run(fs: &FaultyFileSystem, options: LoggedOptions) -> (u64, Option<LoggedError>) {
    let mut durable = 0;
    let logged = match LoggedEngine::open(shared(fs), data(), options) {
        Ok((logged, _)) => logged,
        Err(error) => return (0, Some(error)),
    };
    for height in 1..=HEIGHTS {
        let done = execute_to(&logged, height).and_then(|()| match height % 3 {
            0 => Ok(()),
            _ => Ok(logged.wait_durable(height).map(|()| durable = height)?),
        });
        if let Err(error) = done {
            check_stopped(&logged, durable);
            return (durable, Some(error));
        }
    }
    match logged.wait_durable(HEIGHTS).map(|()| durable = HEIGHTS).and_then(|()| logged.close()) {
        Ok(()) => (durable, None),
        Err(error) => (durable, Some(error.into())),
    }
}

/// After the error nothing is taken and nothing becomes durable; what is durable can still be asked for.
fn check_stopped(logged: &LoggedEngine, durable: u64) {
    let height = logged.durable_height();
    assert!(height >= durable);
    let next = logged.engine().height() + 1;
    let batch = expected()[next as usize - 1].batch.clone();
    assert!(matches!(logged.execute(batch), Err(LoggedError::Log(LogError::Stopped(_)))));
    assert!(matches!(logged.wait_durable(height + 1), Err(LogError::Stopped(_))));
    assert!(logged.wait_durable(height).is_ok());
    assert_eq!((logged.durable_height(), logged.engine().height()), (height, next - 1));
}

/// Whether it is the injected error, by its type and by what the disk said.
fn is_injected(error: &LoggedError, fault: Fault) -> bool {
    let LoggedError::Log(error) = error else { return false };
    let cause = if let LogError::Stopped(cause) = error { cause } else { error };
    let LogError::Io { source, .. } = cause else { return false };
    match fault {
        Fault::Io => source.to_string() == "injected device error",
        Fault::StorageFull => source.kind() == std::io::ErrorKind::StorageFull,
    }
}

/// Opens after a fault, and again after a crash: a sync that failed before must not have been believed.
fn check_reopened(fs: &FaultyFileSystem, durable: u64) -> Result<(), String> {
    let (logged, _) = open(fs).map_err(|error| format!("does not open: {error}"))?;
    let height = logged.engine().height();
    if height < durable || logged.engine().digest() != digest(height) {
        return Err(format!("{durable} was acknowledged, {height} is the last"));
    }
    drop(logged);
    let crashed = fs.crash_before(fs.operation_count(), Keep::Nothing);
    let (logged, _) = open(&crashed).map_err(|error| format!("does not open after a crash: {error}"))?;
    if (logged.engine().height(), logged.engine().digest()) != (height, digest(height)) {
        return Err(format!("opening found {height}, after a crash it is {}", logged.engine().height()));
    }
    execute_to(&logged, HEIGHTS).map_err(|error| format!("does not go on: {error}"))
}

#[test]
fn a_fault_at_any_operation_of_the_log_stops_the_engine_and_loses_nothing_acknowledged() {
    let whole = FaultyFileSystem::new();
    assert!(run(&whole, without_receipts()).1.is_none());
    let seed = seed();
    println!("seed {seed}");
    let mut surfaced = 0;
    // Groups form by timing, so the number of operations differs a little from run to run.
    for k in 0..whole.operation_count() {
        for fault in [Fault::Io, Fault::StorageFull] {
            let fs = FaultyFileSystem::new();
            fs.fail(k, fault);
            let (durable, error) = run(&fs, without_receipts());
            let was_hit = fs.operation_count() > k;
            assert_eq!(error.is_some(), was_hit, "{fault:?} at operation {k}");
            assert!(error.is_none_or(|error| is_injected(&error, fault)), "{fault:?} at operation {k}");
            surfaced += usize::from(was_hit);
            for image in [fs.restart(), fs.crash_before(fs.operation_count(), Keep::Some(seed ^ k as u64))] {
                check_reopened(&image, durable).unwrap_or_else(|what| panic!("{fault:?} at operation {k}: {what}"));
            }
        }
    }
    assert!(surfaced > whole.operation_count(), "{surfaced} faults of {} operations", whole.operation_count());
}

/// Also operations of the receipt segments may fail. No acknowledgement depends on them, but the caller must know.
#[test]
fn a_fault_at_any_operation_surfaces_and_loses_nothing_acknowledged() {
    let whole = FaultyFileSystem::new();
    assert!(run_to_first_error(&whole).1.is_none());
    for k in 0..whole.operation_count() {
        let fs = FaultyFileSystem::new();
        fs.fail(k, Fault::Io);
        let (durable, error) = run_to_first_error(&fs);
        assert_eq!(error.is_some(), fs.operation_count() > k, "operation {k}");
        assert!(error.is_none_or(|error| is_injected(&error, Fault::Io)), "operation {k}");
        check_reopened(&fs.restart(), durable).unwrap_or_else(|what| panic!("operation {k}: {what}"));
    }
}

fn run_to_first_error(fs: &FaultyFileSystem) -> (u64, Option<LoggedError>) {
    let logged = match open(fs) {
        Ok((logged, _)) => logged,
        Err(error) => return (0, Some(error)),
    };
    let done = execute_to(&logged, HEIGHTS).and_then(|()| Ok(logged.wait_durable(HEIGHTS)?));
    let durable = logged.durable_height();
    match done.and_then(|()| Ok(logged.close()?)) {
        Ok(()) => (durable, None),
        Err(error) => (durable, Some(error)),
    }
}

/// Replaying a log whose last seal a crash took writes that seal; a disk that refuses it is found at the next wait.
#[test]
fn a_fault_while_replaying_surfaces() {
    let fs = FaultyFileSystem::new();
    let (log, _) = Log::open(shared(&fs), data(), genesis(), options().log).expect("opens");
    log.append_input(1, 0, expected()[0].batch.shared()).expect("no faults");
    log.wait_durable(1).expect("no faults");
    drop(log);
    let opening = fs.restart();
    drop(LoggedEngine::open(shared(&opening), data(), without_receipts()).expect("opens"));
    let (seal, fs) = (opening.operation_count() - 2, fs.restart());
    fs.fail(seal, Fault::Io);
    let (logged, opened) = LoggedEngine::open(shared(&fs), data(), without_receipts()).expect("the input is there");
    assert_eq!((opened.last_input, opened.last_seal, logged.engine().digest()), (1, None, digest(1)));
    let closed = logged.close();
    assert!(closed.is_err_and(|error| is_injected(&error.into(), Fault::Io)));
}
