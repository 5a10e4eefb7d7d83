//! What is refused before anything runs.

use super::bench;

fn refused(arguments: &str) -> String {
    let error = bench(arguments).err().unwrap_or_else(|| panic!("{arguments:?} must be refused"));
    assert_eq!(error.exit_code(), 2, "{arguments:?}: {error}");
    error.to_string()
}

#[test]
fn an_unknown_workload_is_answered_with_those_that_exist() {
    let text = refused("tokens");
    assert!(text.starts_with("there is no workload \"tokens\"; there is: token, token-lowbal, token-rmw, "), "{text}");
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
        ("--equivalence 0", "--equivalence must be from 1 to 100, not 0"),
        ("--equivalence 101", "--equivalence must be from 1 to 100, not 101"),
        ("--equivalence abc", "abc"),
        ("--equivalence 256", "256"),
        ("--skew=-0.5", "not -0.5"),
        ("--skew nan", "not NaN"),
        ("--check=twice", "twice"),
        ("--durability often", "often"),
        ("read-mostly --write-every 0", "--write-every must be at least 1, not 0"),
        ("pools --pools 0", "--pools must be from 1 to 10000000, not 0"),
        ("pools --pools 10000001", "--pools must be from 1 to 10000000, not 10000001"),
        ("pools --skew nan", "not NaN"),
        ("many-contracts --contracts 0", "--contracts must be from 1 to 1000000, not 0"),
        (
            "many-contracts --contracts 18446744073709551615",
            "--contracts must be from 1 to 1000000, not 18446744073709551615",
        ),
        ("many-contracts --codes 0", "--codes must be from 1 to 10000, not 0"),
        ("many-contracts --contracts 3 --codes 4", "--codes must be from 1 to 3, not 4"),
        ("many-contracts --accounts 18446744073709551615", "--accounts must be at most 1000000000000"),
        ("many-contracts --accounts 0", "--accounts must be at least 1"),
        ("long-call --long-every 0", "--long-every must be at least 1, not 0"),
        ("switch --switch-every 0", "--switch-every must be at least 1, not 0"),
        ("evidence --side-by-side 0", "--side-by-side must be from 1 to 1000000000000, not 0"),
        ("switch --write-every 0", "--write-every must be at least 1, not 0"),
        ("switch --write-every -1", "-1"),
    ] {
        let text = refused(arguments);
        assert!(text.contains(part), "{arguments}: {text}");
    }
}

#[test]
fn arguments_that_a_workload_does_not_use_are_refused() {
    let particulars =
        ["--write-every", "--pools", "--contracts", "--codes", "--long-every", "--switch-every"].map(|name| (name, 1));
    for (workload, used) in [
        ("", &[][..]),
        ("token", &[]),
        ("token-lowbal", &[]),
        ("token-rmw", &[]),
        ("read-mostly", &["--write-every"]),
        ("counter-rmw", &[]),
        ("counter-add", &[]),
        ("pools", &["--pools"]),
        ("many-contracts", &["--contracts", "--codes"]),
        ("flood", &[]),
        ("long-call", &["--long-every"]),
        ("switch", &["--switch-every", "--write-every"]),
    ] {
        for (name, value) in particulars.iter().filter(|(name, _)| !used.contains(name)) {
            let text = refused(&format!("{workload} {name} {value}"));
            let workload = if workload.is_empty() { "token" } else { workload };
            assert_eq!(text, format!("{name} means nothing to the workload {workload}"));
        }
    }
}

#[test]
fn long_calls_that_a_batch_has_no_gas_for_are_refused() {
    let text = refused("long-call --long-every 10");
    assert!(text.contains("1639 long calls in a batch of 16384"), "{text}");
}

#[test]
fn batches_that_could_pass_a_limit_are_refused_with_the_size_that_fits() {
    for (arguments, parts) in [
        ("cpuheavy --batch-size 65536", ["26214400000 gas", "a --batch-size of 20000 fits"]),
        ("evidence --batch-size 65536", ["65536000 bytes", "a --batch-size of 16777 fits"]),
    ] {
        let text = refused(arguments);
        assert!(parts.iter().all(|part| text.contains(part)), "{arguments}: {text}");
    }
    assert_eq!(refused("asset-backed --pools 3"), "--pools means nothing to the workload asset-backed");
    assert_eq!(refused("auction --side-by-side 3"), "--side-by-side means nothing to the workload auction");
}

#[test]
fn the_model_takes_nothing_that_it_could_not_predict() {
    for flag in ["--workers 2", "--mode serial", "--durability none", "--data-dir d", "--equivalence 5", "--explain"] {
        let text = refused(&format!("--model {flag}"));
        assert!(text.contains("cannot be used with"), "{flag}: {text}");
    }
}

#[test]
fn help_names_all_workloads() {
    let help = <super::Command as clap::CommandFactory>::command().render_long_help().to_string();
    let words: String = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let names = phalanx_benches::workload::NAMES;
    let list = format!("{} or {}", names[..names.len() - 1].join(", "), names[names.len() - 1]);
    assert!(words.contains(&list), "{words}");
}
