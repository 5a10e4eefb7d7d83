//! Compiling in two steps, in processes of the built command: results, limits, and what is not a compiler at all.

use phalanx_engine::{
    BatchBuilder, Call, CodeCache, CompilerCommand, CompilerStatistics, Deployment, Engine, EngineError, Options,
    Outcome, fs::RealFileSystem,
};
use std::fmt::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

const SENDER: [u8; 32] = [7; 32];

fn compiler(memory_mib: &str, seconds: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_phalanx"));
    command.args(["compiler", "--memory-mib", memory_mib, "--seconds", seconds]).env_clear();
    command.env("MIMALLOC_ARENA_EAGER_COMMIT", "0").stderr(Stdio::null());
    command
}

fn ample() -> Command {
    compiler("2048", "600")
}

fn short() -> Command {
    compiler("2048", "1")
}

fn small() -> Command {
    compiler("16", "600")
}

fn no_compiler() -> Command {
    Command::new("/there/is/no/such/program")
}

/// Ends as if memory had run out.
fn killed() -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "kill -9 $$"]);
    command
}

/// Answers with these bytes, in the escapes of `printf`, and takes in whatever is asked.
fn answering(bytes: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("printf '{bytes}'; cat > /dev/null")]);
    command
}

fn of_no_kind() -> Command {
    answering(r"\002\000\000\000\000")
}

fn too_long() -> Command {
    answering(r"\000\377\377\377\377")
}

fn unsealed() -> Command {
    answering(r"\000\003\000\000\000abc")
}

fn refusing() -> Command {
    answering(r"\001\003\000\000\000why")
}

fn silent() -> Command {
    Command::new("true")
}

/// A contract that counts and writes, and one that recurses without end; beside them so many functions that nobody calls, each of which
/// takes the optimising compiler a third of a second.
fn module(functions: usize) -> Vec<u8> {
    let (loops, locals) = (128, 128);
    let mut body = "loop ".repeat(loops);
    for local in 0..locals {
        let _ = write!(body, "(local.set {local} (i64.add (local.get {local}) (local.get {})))", (local + 1) % locals);
    }
    for _ in 0..loops {
        body += "(br_if 0 (i64.eqz (local.get 0))) end ";
    }
    let slow = format!("(func (local {}) {body})", "i64 ".repeat(locals)).repeat(functions);
    let text = format!(
        r#"(module
            (import "phalanx" "set" (func $set (param i32 i32 i32 i32)))
            (memory (export "memory") 1)
            (func (export "count") (result i32) (local i32)
                (loop (local.set 0 (i32.add (local.get 0) (i32.const 1))) (br_if 0 (i32.lt_u (local.get 0) (i32.const 5000))))
                (i32.store (i32.const 64) (local.get 0))
                (call $set (i32.const 32) (i32.const 8) (i32.const 64) (i32.const 4))
                (i32.const 0))
            (func $deep (param i32) (result i32) (i32.add (local.get 0) (call $deep (local.get 0))))
            (func (export "exhaust") (result i32) (call $deep (i32.const 1)))
            {slow})"#
    );
    wat::parse_str(text).expect("the text is WAT")
}

fn options(compiler: Option<CompilerCommand>) -> Options {
    Options { compiler, ..Options::default() }
}

/// Deploys a module and calls its methods at four heights, before and after it is optimised: the digests.
fn run(engine: &Engine, module: &[u8]) -> Result<Vec<[u8; 32]>, EngineError> {
    let deployment = Deployment::new(SENDER, [0; 32], module);
    let mut digests = Vec::new();
    for height in 1..=4 {
        let mut batch = BatchBuilder::new(height, height);
        if height == 1 {
            batch.push(&deployment.call()).expect("it fits");
        } else {
            for method in ["count", "exhaust"] {
                let call = Call {
                    contract: deployment.contract(),
                    method,
                    sender: SENDER,
                    arguments: &[],
                    gas_limit: 10_000_000,
                };
                batch.push(&call).expect("it fits");
            }
        }
        let executed = engine.commit(engine.execute_batch(batch.finish())?)?;
        let outcomes: Vec<_> = executed.receipts().map(|receipt| receipt.outcome()).collect();
        match height {
            1 => assert_eq!(outcomes, [Outcome::Ok]),
            _ => assert_eq!(outcomes, [Outcome::Ok, Outcome::StackExhausted]),
        }
        digests.push(executed.digest());
        if height == 2 {
            engine.wait_compiled();
        }
    }
    Ok(digests)
}

#[test]
fn both_steps_and_one_lead_to_the_same_digests() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let cache = || CodeCache::open(Arc::new(RealFileSystem), &folder.path().join("code"));
    let module = module(0);
    let expected = run(&Engine::new(options(None)), &module).expect("it goes on");

    let two_steps = Engine::with_code_cache(options(Some(ample)), cache());
    assert_eq!(run(&two_steps, &module).expect("it goes on"), expected);
    let once = CompilerStatistics { quick: 1, optimised: 1, ..CompilerStatistics::default() };
    assert_eq!(two_steps.compiler_statistics(), once);

    // What was optimised is in a file, for whoever opens it next, in two steps or in one.
    for compiler in [Some(ample as CompilerCommand), None] {
        let again = Engine::with_code_cache(options(compiler), cache());
        assert_eq!(run(&again, &module).expect("it goes on"), expected);
        assert_eq!((again.code_cache_statistics().hits, again.code_cache_statistics().misses), (1, 0));
        assert_eq!(again.compiler_statistics(), CompilerStatistics::default());
    }
}

#[test]
fn what_takes_too_long_to_optimise_runs_as_the_quick_step_made_it() {
    let engine = Engine::new(options(Some(short)));
    run(&engine, &module(15)).expect("it goes on");
    let failed = CompilerStatistics { quick: 1, failed: 1, ..CompilerStatistics::default() };
    assert_eq!(engine.compiler_statistics(), failed);
    // The next module finds a process with all of its time.
    let mut deploy = BatchBuilder::new(5, 5);
    deploy.push(&Deployment::new(SENDER, [0; 32], &module(0)).call()).expect("it fits");
    engine.commit(engine.execute_batch(deploy.finish()).expect("it goes on")).expect("it is the last");
    engine.wait_compiled();
    assert_eq!(engine.compiler_statistics(), CompilerStatistics { quick: 2, optimised: 1, ..failed });
}

#[test]
fn an_engine_that_ends_does_not_wait_for_what_is_optimised() {
    let engine = Engine::new(options(Some(ample)));
    let mut batch = BatchBuilder::new(1, 1);
    batch.push(&Deployment::new(SENDER, [0; 32], &module(15)).call()).expect("it fits");
    drop(engine.execute_batch(batch.finish()).expect("it goes on"));
    assert_eq!(engine.compiler_statistics().waiting, 1, "the machine optimises in no time: make the module slower");
    drop(engine);
}

#[test]
fn without_a_process_the_quick_step_is_made_here() {
    let module = module(0);
    let expected = run(&Engine::new(options(None)), &module).expect("it goes on");
    for compiler in [no_compiler as CompilerCommand, killed] {
        let engine = Engine::new(options(Some(compiler)));
        assert_eq!(run(&engine, &module).expect("it goes on"), expected);
        let failed = CompilerStatistics { quick: 1, failed: 1, ..CompilerStatistics::default() };
        assert_eq!(engine.compiler_statistics(), failed);
    }
}

#[test]
fn an_engine_whose_module_compiles_in_neither_step_stops_and_says_why() {
    for (compiler, functions, why) in [
        (small as CompilerCommand, 15, "the process that compiled ended: signal"),
        (of_no_kind, 0, "the process that compiled is none: an answer of kind 2, the last is 1"),
        (too_long, 0, "the process that compiled is none: a message of 4294967295 bytes, the limit is 268435456"),
        (unsealed, 0, "the process answered with what it was not asked for"),
        (refusing, 0, "quick: why; optimised: why"),
        (silent, 0, "the process that compiled ended: exit status: 0"),
    ] {
        let engine = Engine::new(options(Some(compiler)));
        let stopped = run(&engine, &module(functions)).expect_err("there is no machine code");
        let text = stopped.to_string();
        assert!(matches!(stopped, EngineError::Stopped(_)), "{text}");
        assert!(text.contains("a module compiles in neither step: quick: ") && text.contains(why), "{text}");
        assert_eq!(engine.height(), 0);
    }
}
