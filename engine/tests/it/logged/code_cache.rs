//! Machine code on disk: it is found again, and whatever else is found changes nothing.

use super::support::{data, digest, execute_to, expected, options, seed, shared, written};
use phalanx_engine::fs::faulty::{Fault, FaultyFileSystem, Keep};
use phalanx_engine::fs::{FileSystem, RealFileSystem};
use phalanx_engine::log::layout;
use phalanx_engine::{CodeCache, CodeCacheStatistics, Engine, LoggedEngine, LoggedOptions, MachineCode, verify_log};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Enough to deploy, mint and transfer.
const HEIGHTS: u64 = 5;
const HIT: CodeCacheStatistics = CodeCacheStatistics { hits: 1, misses: 0, unwritten: 0 };
const MISS: CodeCacheStatistics = CodeCacheStatistics { hits: 0, misses: 1, unwritten: 0 };
const UNWRITTEN: CodeCacheStatistics = CodeCacheStatistics { hits: 0, misses: 1, unwritten: 1 };

fn on_disk() -> LoggedOptions {
    LoggedOptions { machine_code: MachineCode::OnDisk, ..options() }
}

fn directory() -> PathBuf {
    data().join(layout::CODE)
}

/// The only file of machine code.
fn code_file(fs: &FaultyFileSystem) -> PathBuf {
    let names = fs.list(&directory()).expect("it was made");
    let [name] = names.iter().filter(|name| *name != "key").collect::<Vec<_>>()[..] else { panic!("{names:?}") };
    directory().join(name)
}

fn key_file() -> PathBuf {
    directory().join("key")
}

/// Opens, which replays what is there, executes up to [`HEIGHTS`], and answers what served.
fn run(fs: Arc<dyn FileSystem>, path: &Path, options: LoggedOptions) -> CodeCacheStatistics {
    let (logged, opened) = LoggedEngine::open(fs, path, options).expect("opens");
    assert_eq!(logged.engine().digest(), digest(opened.last_input));
    execute_to(&logged, HEIGHTS).expect("no faults");
    assert_eq!(logged.engine().digest(), digest(HEIGHTS));
    let statistics = logged.engine().code_cache_statistics();
    logged.close().expect("closes");
    statistics
}

fn reopen(fs: &FaultyFileSystem) -> CodeCacheStatistics {
    run(shared(fs), data(), on_disk())
}

/// A data directory with heights and machine code.
fn cached() -> FaultyFileSystem {
    let fs = FaultyFileSystem::new();
    assert_eq!(reopen(&fs), MISS);
    fs.restart()
}

/// After whatever happened: the module is compiled, with the same results, and the next opening finds it again.
fn check_recovers(fs: &FaultyFileSystem, what: &str) {
    assert_eq!(reopen(fs), MISS, "{what}");
    assert_eq!(reopen(fs), HIT, "{what}");
}

#[test]
fn reopening_compiles_nothing_and_has_the_same_digests() {
    let fs = cached();
    assert_eq!(reopen(&fs), HIT);
    assert_eq!(reopen(&fs.restart()), HIT);
}

#[test]
fn the_real_file_system_serves_as_well() {
    let temporary = tempfile::tempdir().expect("a place for files");
    let open = || run(Arc::new(RealFileSystem), temporary.path(), on_disk());
    assert_eq!([open(), open(), open()], [MISS, HIT, HIT]);
}

#[test]
fn verifying_takes_machine_code_and_changes_nothing() {
    let fs = cached();
    let untouched = |fs: &FaultyFileSystem| {
        let operations = fs.operation_count();
        let verified = verify_log(shared(fs), data(), options().engine, &mut |_| {}).expect("intact");
        assert_eq!((verified.digest, fs.operation_count()), (digest(HEIGHTS), operations));
    };
    untouched(&fs);
    fs.place(&code_file(&fs), b"broken");
    untouched(&fs);
    untouched(&written(HEIGHTS, true));
    // What `verify_log` reads with.
    let fs = cached();
    assert_eq!(execute(CodeCache::read(shared(&fs), &directory())), HIT);
}

#[test]
fn no_machine_code_is_kept_where_none_is_wanted() {
    let fs = FaultyFileSystem::new();
    for _ in 0..2 {
        assert_eq!(run(shared(&fs), data(), options()), MISS);
        assert!(fs.list(&directory()).is_err());
    }
    assert_eq!(execute(CodeCache::none()), MISS);
}

/// Every byte of a small file is tried beside the format; here whole engines run, on all of the head and some of the rest.
#[test]
fn a_damaged_file_is_compiled_again_and_replaced() {
    let fs = cached();
    let path = code_file(&fs);
    let intact = fs.contents(&path).expect("it is there");
    let offsets = (0..152).step_by(8).chain((152..intact.len()).step_by(intact.len() / 20)).chain([intact.len() - 1]);
    for offset in offsets {
        let fs = super::support::flipped(&fs, &path, offset);
        check_recovers(&fs, &format!("offset {offset}"));
        assert_eq!(fs.contents(&path).map(|bytes| bytes.len()), Some(intact.len()));
    }
    for length in [0, 1, 119, 151, 152, 153, intact.len() / 2, intact.len() - 1] {
        let fs = fs.restart();
        fs.place(&path, &intact[..length]);
        check_recovers(&fs, &format!("{length} bytes"));
    }
    let longer = fs.restart();
    longer.place(&path, &[&intact[..], &[0]].concat());
    check_recovers(&longer, "a byte too many");
}

#[test]
fn directories_share_nothing() {
    let [here, there] = [cached(), cached()];
    let (path, key) = (code_file(&here), key_file());
    let moved = here.restart();
    moved.place(&path, &there.contents(&path).expect("the same module"));
    check_recovers(&moved, "the file of another directory");
    let moved = here.restart();
    moved.place(&key, &there.contents(&key).expect("it is there"));
    check_recovers(&moved, "the key of another directory");
    // Together they are a copy of the directory.
    let moved = here.restart();
    [path, key].iter().for_each(|path| moved.place(path, &there.contents(path).expect("it is there")));
    assert_eq!(reopen(&moved), HIT);
}

#[test]
fn a_lost_or_broken_key_makes_every_file_worthless() {
    let fs = cached();
    let lost = fs.restart();
    lost.remove(&key_file()).expect("it is there");
    check_recovers(&lost, "no key");
    for bytes in [&b""[..], &[0; 48], &[7; 48], &[7; 47]] {
        let fs = fs.restart();
        fs.place(&key_file(), bytes);
        check_recovers(&fs, "a broken key");
    }
}

#[test]
fn what_others_can_use_is_not_taken() {
    let fs = cached();
    for public in [directory(), key_file(), code_file(&fs)] {
        let fs = fs.restart();
        fs.make_public(&public);
        check_recovers(&fs, &public.display().to_string());
    }
}

#[test]
fn what_cannot_be_read_is_replaced() {
    let fs = cached();
    for unreadable in [key_file(), code_file(&fs)] {
        let fs = fs.restart();
        fs.make_unreadable(&unreadable);
        check_recovers(&fs, &unreadable.display().to_string());
    }
}

/// A file stands where the directory should be.
#[test]
fn a_directory_that_cannot_be_had_costs_compiling_alone() {
    let temporary = tempfile::tempdir().expect("a place for files");
    std::fs::write(temporary.path().join(layout::CODE), b"in the way").expect("writes");
    let open = || run(Arc::new(RealFileSystem), temporary.path(), on_disk());
    assert_eq!([open(), open()], [UNWRITTEN, UNWRITTEN]);
    assert_eq!(std::fs::read(temporary.path().join(layout::CODE)).expect("it is there"), b"in the way");
}

/// Executes the heights without a log, so that every operation of the disk is one of the cache.
fn execute(cache: CodeCache) -> CodeCacheStatistics {
    let engine = Engine::with_code_cache(options().engine, cache);
    for height in &expected()[..HEIGHTS as usize] {
        let executed = engine.execute_batch(height.batch.clone()).expect("executes");
        assert_eq!(executed.digest(), height.digest);
        engine.commit(executed).expect("what was executed last");
    }
    engine.code_cache_statistics()
}

fn execute_on(fs: &FaultyFileSystem) -> CodeCacheStatistics {
    execute(CodeCache::open(shared(fs), &directory()))
}

#[test]
fn a_fault_at_any_operation_costs_compiling_alone() {
    let whole = FaultyFileSystem::new();
    assert_eq!(execute_on(&whole), MISS);
    assert!(whole.operation_count() > 5);
    for k in 0..whole.operation_count() {
        for fault in [Fault::Io, Fault::StorageFull] {
            let fs = FaultyFileSystem::new();
            fs.fail(k, fault);
            let statistics = execute_on(&fs);
            assert_eq!(statistics, UNWRITTEN, "{fault:?} at operation {k}");
            assert_eq!(execute_on(&fs.restart()), MISS, "{fault:?} at operation {k}");
            assert!(fs.list(&directory()).is_err() || leftovers(&fs).is_empty(), "{fault:?} at operation {k}");
        }
    }
}

fn leftovers(fs: &FaultyFileSystem) -> Vec<String> {
    fs.list(&directory()).expect("it was made").into_iter().filter(|name| name.ends_with(".new")).collect()
}

#[test]
fn a_crash_before_any_operation_leaves_nothing_that_harms() {
    let whole = FaultyFileSystem::new();
    execute_on(&whole);
    let seed = seed();
    println!("seed {seed}");
    for k in 0..=whole.operation_count() {
        for keep in [Keep::Nothing, Keep::Everything, Keep::Some(seed ^ k as u64), Keep::Some(!seed ^ k as u64)] {
            let fs = whole.crash_before(k, keep);
            let statistics = execute_on(&fs);
            assert!([HIT, MISS].contains(&statistics), "crash before {k} with {keep:?}: {statistics:?}");
            assert_eq!(execute_on(&fs), HIT, "crash before {k} with {keep:?}");
            assert!(leftovers(&fs).is_empty(), "crash before {k} with {keep:?}");
        }
    }
}
