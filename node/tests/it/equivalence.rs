//! The live check of a run, and the files that such a check hands over.

use std::fs;
use std::path::Path;

use crate::command::run_file;
use crate::workload::{mixed, write_file};

#[test]
fn a_run_reports_what_was_executed_once_more_meanwhile() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let directory = files.path().join("data");
    let calls = write_file(files.path(), "calls.ndjson", &mixed(3_000).lines);
    let run = |rest: &[&str]| run_file(&directory, &calls, rest);

    let more = ["--equivalence", "100", "--batch-size", "500", "--workers", "2", "--mode", "optimistic", "-o", "json"];
    let report = run(&more).with_code(0).json("phalanx.run/1");
    assert_eq!(report["equivalence"]["percent"], 100);
    assert_eq!(report["equivalence"]["matches"], true);
    assert_eq!(report["equivalence"]["checked_batches"], report["batches"]);
    assert_eq!(report["equivalence"]["checked_calls"], report["calls"]);
    assert!(report["batches"].as_u64() > Some(5));

    // The second run's check begins with the log.
    let again = run(&more).with_code(0).json("phalanx.run/1");
    assert_eq!(again["equivalence"]["checked_batches"], again["height"]);

    let human = run(&["--equivalence", "1"]).with_code(0);
    assert!(human.stdout.contains("equivalence"), "{}", human.stdout);
    assert!(run(&[]).with_code(0).stdout.lines().all(|line| !line.contains("equivalence")));
    for wrong in ["0", "101", "-1", "half"] {
        let refused = run(&[&format!("--equivalence={wrong}")]).with_code(2);
        assert!(refused.stderr.contains("from 1 to 100 percent"), "{}", refused.stderr);
    }
}

/// Reproducers of planted bugs, made by the tests of `engine/planted`. This engine has no such bug, so the check agrees; the digest
/// says that the batches are those that were meant.
#[test]
fn reproducers_are_read_as_they_were_meant() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/planted/tests/golden");
    let mut upgraded = 0;
    for entry in fs::read_dir(&golden).expect("reproducers are committed") {
        let reproducer = entry.expect("an entry").path();
        let files = tempfile::tempdir().expect("a temporary directory");
        let more = ["--check", "--mode", "optimistic", "--workers", "2", "--hash-seed", "0", "-o", "json"];
        let calls = reproducer.join("calls.ndjson");
        let report = run_file(&files.path().join("data"), &calls, &more).with_code(0).json("phalanx.run/1");
        assert_eq!(report["oracle_match"], true);
        let digest = fs::read_to_string(reproducer.join("digest")).expect("a digest");
        assert_eq!(report["log_digest"].as_str(), Some(digest.trim_end()), "{}", reproducer.display());
        upgraded += fs::read_to_string(calls).expect("a file").matches(r#"{"upgrade""#).count();
    }
    assert!(upgraded >= 2, "one of them puts state back: to a module that does it, and to its own");
}
