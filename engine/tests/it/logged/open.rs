//! Who may open a data directory, and what is refused without a trace.

use super::support::{CHAIN, HEIGHTS, data, digest, execute_to, expected, files, open, options, shared, written};
use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::log::{LogError, Origin};
use phalanx_engine::{BatchBuilder, BatchError, EngineError, LoggedEngine, LoggedError, LoggedOptions};
use std::sync::Arc;

#[test]
fn another_chain_is_refused_and_nothing_changes() {
    let fs = written(3, true);
    let before = files(&fs);
    let other = LoggedOptions { chain_id: [8; 32], ..options() };
    match LoggedEngine::open(shared(&fs), data(), other).err() {
        Some(LoggedError::Log(LogError::Incompatible { what: "chain id", expected, found, .. })) => {
            assert_eq!((expected, found), (format!("0x{}", "08".repeat(32)), format!("0x{}", "07".repeat(32))));
        }
        error => panic!("{error:?}"),
    }
    assert_eq!(files(&fs), before);
    assert_eq!(open(&fs).expect("its own chain opens").1.last_input, 3);
}

#[test]
fn a_second_opener_is_refused_while_the_first_is_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let open = || LoggedEngine::open(Arc::new(RealFileSystem), directory.path(), options());
    let (first, opened) = open().expect("opens");
    assert_eq!(opened.origin, Origin::Created);
    assert!(matches!(open().err(), Some(LoggedError::Log(LogError::Held { .. }))));
    execute_to(&first, 3).expect("the first is not disturbed");
    drop(first);
    let (second, opened) = open().expect("the first is gone");
    assert_eq!((opened.last_input, second.engine().digest()), (3, digest(3)));
}

#[test]
fn a_refused_batch_is_not_logged() {
    let fs = written(4, true);
    let (logged, _) = open(&fs).expect("opens");
    let refused = |bytes: &[u8]| match logged.execute(bytes) {
        Err(LoggedError::Engine(EngineError::Batch(why))) => why,
        Err(error) => panic!("{error}"),
        Ok(executed) => panic!("height {} was executed", executed.height()),
    };
    let again = expected()[3].batch.as_slice();
    assert_eq!(refused(again), BatchError::WrongHeight { actual: 4, expected: 5 });
    let early = BatchBuilder::new(5, 3_999).finish();
    assert_eq!(refused(early.as_slice()), BatchError::TimeRunsBack { actual: 3_999, previous: 4_000 });
    assert!(matches!(refused(&again[..40]), BatchError::Malformed { .. }));
    execute_to(&logged, HEIGHTS).expect("the right batches are taken");
    logged.close().expect("closes");
    let (reopened, opened) = open(&fs).expect("opens");
    assert_eq!((opened.origin, reopened.engine().digest()), (Origin::Clean, digest(HEIGHTS)));
}

#[test]
fn opening_an_empty_directory_begins_a_log_that_opens_again() {
    let fs = written(0, true);
    let (logged, opened) = open(&fs).expect("opens");
    assert_eq!((opened.origin, opened.last_input, logged.engine().digest()), (Origin::Clean, 0, [0; 32]));
    assert_eq!(options().chain_id, CHAIN);
}
