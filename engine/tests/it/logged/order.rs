//! Inputs and seals are chains of their own: an ordering elsewhere may be ahead of the execution here.

use super::support::{HEIGHTS, data, digest, expected, genesis, open, options, shared};
use phalanx_engine::fs::faulty::FaultyFileSystem;
use phalanx_engine::log::{self, Durability, Genesis, Log, Seal};
use phalanx_engine::{BatchBuilder, LoggedEngine, LoggedError, LoggedOptions, verify_log};

fn seal(height: u64) -> Seal {
    let right = &expected()[height as usize - 1];
    Seal { height, receipts_root: right.roots.receipts, writes_root: right.roots.writes, digest: right.digest }
}

/// All inputs, then the seals up to `sealed`, changed by `alter`.
fn inputs_then_seals(sealed: u64, alter: impl Fn(&mut Seal)) -> FaultyFileSystem {
    let fs = FaultyFileSystem::new();
    let (log, _) = Log::open(shared(&fs), data(), genesis(), options().log).expect("opens");
    for (height, right) in (1..).zip(expected()) {
        log.append_input(height, 0, right.batch.shared()).expect("follows");
    }
    for height in 1..=sealed {
        let mut seal = seal(height);
        alter(&mut seal);
        log.append_seal(seal).expect("follows");
    }
    log.close().expect("closes");
    fs.restart()
}

#[test]
fn seals_behind_later_inputs_are_compared() {
    let fs = inputs_then_seals(HEIGHTS, |seal| {
        if seal.height == 9 {
            seal.digest[0] ^= 1;
        }
    });
    let verified = verify_log(shared(&fs), data(), options().engine, &mut |_| {});
    assert!(matches!(verified, Err(LoggedError::Diverged { height: 9, .. })), "{verified:?}");
}

#[test]
fn a_log_whose_seals_come_later_opens() {
    for sealed in [0, 5, HEIGHTS] {
        let fs = inputs_then_seals(sealed, |_| {});
        let (logged, _) = open(&fs).unwrap_or_else(|error| panic!("{sealed} sealed: {error}"));
        assert_eq!(logged.engine().digest(), digest(HEIGHTS));
        logged.close().expect("closes");
        let (_, opened) = open(&fs).expect("opens again");
        assert_eq!(opened.last_seal, Some(seal(HEIGHTS)), "{sealed} sealed");
    }
}

#[test]
fn rules_that_this_engine_does_not_know_are_refused() {
    let fs = FaultyFileSystem::new();
    let (log, _) = Log::open(shared(&fs), data(), genesis(), options().log).expect("opens");
    log.append_protocol(2, genesis().protocol_version + 1).expect("follows");
    for height in 1..=2 {
        log.append_input(height, 0, expected()[height as usize - 1].batch.shared()).expect("follows");
        log.append_seal(seal(height)).expect("follows");
    }
    log.close().expect("closes");
    assert!(open(&fs.restart()).is_err(), "height 2 was executed under rules that are not its own");
    assert!(verify_log(shared(&fs), data(), options().engine, &mut |_| {}).is_err());
}

#[test]
fn a_genesis_that_this_engine_does_not_know_is_refused() {
    let fs = FaultyFileSystem::new();
    let newer = Genesis { digest_format: genesis().digest_format + 1, ..genesis() };
    Log::open(shared(&fs), data(), newer, options().log).expect("opens").0.close().expect("closes");
    assert!(verify_log(shared(&fs), data(), options().engine, &mut |_| {}).is_err());
}

/// Two callers race for each height: one executes it, and the log stays one that opens.
#[test]
fn callers_that_race_leave_a_log_that_opens() {
    const LAST: u64 = 5_000;
    let fs = FaultyFileSystem::new();
    let (log, engine) =
        (log::Options { durability: Durability::None, unsynced_batches_max: 64, ..options().log }, options());
    let options = LoggedOptions { log, receipts: false, ..engine };
    let (logged, _) = LoggedEngine::open(shared(&fs), data(), options).expect("opens");
    let race = || {
        while logged.engine().height() < LAST {
            _ = logged.execute(BatchBuilder::new(logged.engine().height() + 1, 0).finish());
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(race);
        scope.spawn(race);
    });
    let digest = logged.engine().digest();
    logged.close().expect("closes");
    let (reopened, _) = LoggedEngine::open(shared(&fs), data(), options).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(reopened.engine().digest(), digest);
}
