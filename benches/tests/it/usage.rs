//! What is refused before anything runs.

use super::bench;

fn refused(arguments: &str) -> String {
    let error = bench(arguments).err().unwrap_or_else(|| panic!("{arguments:?} must be refused"));
    assert_eq!(error.exit_code(), 2, "{arguments:?}: {error}");
    error.to_string()
}

#[test]
fn an_unknown_workload_is_answered_with_those_that_exist() {
    assert_eq!(refused("tokens"), "there is no workload \"tokens\"; there is: token");
}

#[test]
fn modes_that_do_not_exist_are_named() {
    for mode in ["pipe", "optimistic", "hinted"] {
        let text = refused(&format!("--mode {mode}"));
        assert_eq!(text, format!("--mode {mode} does not exist in this version; there is: auto, serial"));
    }
}

#[test]
fn numbers_that_make_no_sense_are_refused_with_the_value() {
    for (arguments, part) in [
        ("--batch-size 0", "from 1 to 65536, not 0"),
        ("--batch-size 65537", "from 1 to 65536, not 65537"),
        ("--calls 0", "--calls must be at least 1"),
        ("--accounts 0", "--accounts must be at least 1"),
        ("--workers 0", "--workers must be at least 1"),
        ("--skew -1", "-1"),
        ("--skew=-0.5", "not -0.5"),
        ("--skew nan", "not NaN"),
        ("--check=twice", "twice"),
        ("--durability often", "often"),
    ] {
        let text = refused(arguments);
        assert!(text.contains(part), "{arguments}: {text}");
    }
}
