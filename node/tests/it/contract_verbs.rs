//! What a contract's developer does: a new crate, its tests, its module, what its calls cost, what its next version breaks.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{Ended, module, on_directory, phalanx, run, run_file};
use crate::workload::{address, call, deploy, mixed, write_file};

/// A verb of `contract` on a crate.
fn on_crate(verb: &str, folder: &Path, rest: &[&str]) -> Ended {
    // Without debug information, and with nothing from a network.
    let mut command = phalanx();
    command.args(["contract", verb, "--path"]).arg(folder).args(rest);
    command.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_NET_OFFLINE", "true").env_remove("RUSTC");
    Ended::of(command.output().expect("the binary starts"))
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A crate without dependencies, with the token's module beside it.
fn token_crate(folder: &Path, source: &str, calls: &[Value]) {
    for made in ["src", "wasm"] {
        fs::create_dir_all(folder.join(made)).expect("a temporary folder");
    }
    let manifest = "[package]\nname = \"token\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(folder.join("Cargo.toml"), manifest).expect("a temporary file");
    fs::write(folder.join("src/lib.rs"), source).expect("a temporary file");
    fs::copy(module("token.wasm"), folder.join("wasm/token.wasm")).expect("a built contract");
    let lines: String = calls.iter().map(|line| format!("{line}\n")).collect();
    fs::write(folder.join("calls.ndjson"), lines).expect("a temporary file");
}

/// A deploy of that module, and calls.
fn token_calls() -> Vec<Value> {
    let issuer = address(0, 0xaa);
    let to = |amount: &str| json!({"to": address(1, 1), "amount": amount});
    vec![
        deploy("wasm/token.wasm", "token", &issuer),
        call("token", "mint", &issuer, to("5")),
        call("token", "transfer", &address(1, 1), json!({"to": issuer, "amount": "2"})),
        call("token", "transfer", &address(1, 1), json!({"to": issuer, "amount": "4"})),
    ]
}

/// Name, version and checksum of what a crate's lock names.
fn packages(folder: &Path) -> Vec<(String, String, Option<String>)> {
    let lock: toml::Table = toml::from_str(&text(&folder.join("Cargo.lock"))).expect("TOML");
    let packages = lock["package"].as_array().expect("a list").iter();
    let field = |package: &toml::Value, name: &str| package.get(name).and_then(toml::Value::as_str).map(str::to_owned);
    packages
        .map(|it| (field(it, "name").expect("a name"), field(it, "version").expect("a version"), field(it, "checksum")))
        .collect()
}

#[test]
fn a_new_crate_passes_its_tests_and_builds() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let folder = files.path().join("contracts/my-votes");
    let made =
        run(["contract", "new", "my-votes", "--path", folder.to_str().expect("UTF-8"), "-o", "json"]).with_code(0);
    assert!(made.stderr.contains("phalanx contract build"), "{}", made.stderr);
    let made = made.json("phalanx.contract.new/1");
    let written: Vec<&str> = made["files"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    for path in [".gitignore", "Cargo.lock", "README.md", "src/lib.rs", "tests/my-votes.rs", "phalanx/sdk/src/lib.rs"] {
        assert!(written.contains(&path), "{path}: {written:?}");
    }
    assert!(written.iter().all(|path| folder.join(path).is_file()));

    let given = packages(&folder);
    let tested = on_crate("test", &folder, &["-o", "json", "--", "--offline"]).with_code(0);
    assert!(tested.stderr.contains("3 passed"), "{}", tested.stderr);
    assert!(tested.stderr.contains("phalanx contract build"), "what is missing is said: {}", tested.stderr);
    let tested = tested.json("phalanx.contract.test/1");
    assert_eq!((&tested["native"], &tested["engine"]), (&"passed".into(), &Value::Null));
    let taken = packages(&folder);
    assert!(
        taken.len() > 10 && taken.iter().all(|package| given.contains(package)),
        "{taken:?} are not all of {given:?}"
    );

    let built = on_crate("build", &folder, &["-o", "json", "--", "--offline"]);
    if built.code == 1 && built.stderr.contains("there is no compiler for wasm32-unknown-unknown") {
        eprintln!("the module was not built: {}", built.stderr);
        return;
    }
    let built = built.with_code(0).json("phalanx.contract.build/1");
    assert_eq!(built["methods"], json!(["appoint", "credits_of", "dismiss", "grant", "spend"]));
    let module = fs::read(folder.join("wasm/my-votes.wasm")).expect("the module");
    assert_eq!(built["bytes"], module.len());
    let contains = |text: &str| module.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(!contains(files.path().to_str().expect("UTF-8")), "no path of this machine is in the module");
    let tested = on_crate("test", &folder, &["-o", "json"]).with_code(0).json("phalanx.contract.test/1");
    assert_eq!(tested["engine"]["outcomes"], json!({"ok": 5, "reverted": 1}));
    assert_eq!(tested["engine"]["oracle_match"], true);
    let gas = on_crate("gas", &folder, &["-o", "json"]).with_code(0).json("phalanx.contract.gas/1");
    assert_eq!(gas["gas_used"], tested["engine"]["gas_used"]);
    let ran = run_file(&folder.join("data"), &folder.join("calls.ndjson"), &["-o", "json"]).with_code(0);
    assert_eq!(ran.json("phalanx.run/1")["outcomes"], tested["engine"]["outcomes"]);
}

#[test]
fn a_new_crate_is_refused_whole() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let kept = files.path().join("kept");
    fs::create_dir(&kept).expect("a temporary folder");
    for (name, path, why) in [
        ("voting", "kept", "there is something already"),
        ("fn", "made/fn", "a word of Rust"),
        ("Voting", "made/v", "begin with a lower-case letter"),
        ("vote rs", "made/v", "contains ` `"),
        ("blake3", "made/b", "the name of a crate"),
    ] {
        let path = files.path().join(path).display().to_string();
        let refused = run(["contract", "new", name, "--path", &path]).with_code(2);
        assert_eq!(refused.stdout, "");
        assert!(refused.stderr.contains(why) && refused.stderr.contains("nothing was written"), "{}", refused.stderr);
    }
    assert_eq!(fs::read_dir(&kept).expect("a folder").count(), 0);
    assert!(!files.path().join("made").exists());
}

#[test]
fn a_compiler_without_the_target_is_named_with_what_to_do() {
    let files = tempfile::tempdir().expect("a temporary directory");
    token_crate(files.path(), "", &[]);
    let missing = on_crate("build", files.path(), &["--rustc", "no such compiler"]).with_code(1);
    assert!(missing.stderr.contains("no such compiler: No such file"), "{}", missing.stderr);
    // A toolchain as rustup installs it, without targets or sources.
    let sysroot = files.path().join("toolchain");
    fs::create_dir_all(sysroot.join("lib/rustlib")).expect("a temporary folder");
    let compiler = files.path().join("rustc");
    let script = format!("#!/bin/sh\n[ \"$1\" = --print ] && echo '{}' || echo 'host: here'\n", sysroot.display());
    fs::write(&compiler, script).expect("a temporary file");
    make_executable(&compiler);
    let missing = on_crate("build", files.path(), &["--rustc", compiler.to_str().expect("UTF-8")]).with_code(1);
    assert_eq!(missing.stdout, "");
    for said in ["it has no library for wasm32-unknown-unknown", "rustup target add", "apt-get install", "--rustc"] {
        assert!(missing.stderr.contains(said), "{said}: {}", missing.stderr);
    }
    // The same through the variable that Cargo heeds.
    let mut command = phalanx();
    command.args(["contract", "build", "--path"]).arg(files.path()).env("RUSTC", &compiler);
    let missing = Ended::of(command.output().expect("the binary starts")).with_code(1);
    assert!(missing.stderr.contains(compiler.to_str().expect("UTF-8")), "{}", missing.stderr);
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a temporary file");
}

#[test]
fn calls_run_on_the_engine_behind_the_native_tests() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let folder = files.path();
    token_crate(folder, "#[test]\nfn passes() {}\n", &token_calls());
    let tested = on_crate("test", folder, &["-o", "json"]).with_code(0);
    assert!(tested.stderr.contains("1 passed"), "{}", tested.stderr);
    let engine = &tested.json("phalanx.contract.test/1")["engine"];
    assert_eq!(engine["outcomes"], json!({"ok": 3, "reverted": 1}));
    assert_eq!(
        (&engine["calls"], &engine["failed_calls"], &engine["oracle_match"]),
        (&4.into(), &0.into(), &true.into())
    );

    let answers = json!([
        {"line": 4, "what": "token.transfer", "outcome": "reverted", "answer": "InsufficientBalance"},
    ]);
    assert_eq!((&engine["answered_calls"], &engine["answers"]), (&1.into(), &answers));

    let mut calls = token_calls();
    calls.push(call("token", "balance_of", &address(1, 1), json!({"owner": address(1, 1)})));
    token_crate(folder, "", &calls);
    let told = on_crate("test", folder, &[]).with_code(0).stdout;
    assert!(told.contains("line 4: token.transfer reverted \"InsufficientBalance\"\n"), "{told}");
    assert!(told.contains("line 5: token.balance_of answered \"3\"\n"), "{told}");
    calls.pop();
    calls.push(call("token", "teleport", &address(1, 1), json!({})));
    calls.push(call("token", "transfer", &address(1, 1), json!({"to": address(2, 1), "amount": "-1"})));
    token_crate(folder, "", &calls);
    let failed = on_crate("test", folder, &[]).with_code(1).stdout;
    assert!(failed.contains("line 5: token.teleport ended as unknown_method"), "{failed}");
    assert!(failed.contains("line 6: token.transfer ended as bad_arguments: `amount`: -1 is no u128"), "{failed}");
    // Another file of calls, on the same module.
    let other = write_file(folder, "other.ndjson", &[deploy("token.wasm", "token", &address(0, 0xaa))]);
    on_crate("test", folder, &["--calls", other.to_str().expect("UTF-8")]).with_code(0);
    on_crate("test", folder, &["--calls", "no such file"]).with_code(2);

    token_crate(folder, "#[test]\nfn fails() { panic!() }\n", &token_calls());
    let failed = on_crate("test", folder, &["-o", "json"]).with_code(1);
    assert!(failed.stderr.contains("error: cargo ended with exit status: 101"), "{}", failed.stderr);
    let failed = failed.json("phalanx.contract.test/1");
    assert_eq!((&failed["native"], &failed["engine"]), (&"failed".into(), &Value::Null));
}

#[test]
fn a_module_older_than_its_sources_is_told() {
    let files = tempfile::tempdir().expect("a temporary directory");
    token_crate(files.path(), "", &token_calls());
    let module = fs::File::options().append(true).open(files.path().join("wasm/token.wasm")).expect("the module");
    let told = |seconds: u64| {
        let changed = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        module.set_modified(changed).expect("a temporary file");
        on_crate("test", files.path(), &[]).with_code(0).stderr.contains("is older than")
    };
    assert!(told(1));
    assert!(!told(u64::from(u32::MAX)));
}

/// Gas of every call in an export of the log, by method and outcome, sorted.
fn exported_gas(directory: &Path) -> BTreeMap<(String, String), Vec<u64>> {
    let mut gas: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for line in on_directory(&["log", "export"], directory, &[]).with_code(0).stdout.lines() {
        let line: Value = serde_json::from_str(line).expect("a JSON object a line");
        if line["schema"] == "phalanx.call/1" && line["method"] != "deploy" {
            let name = |key: &str| line[key].as_str().expect("a name").to_owned();
            gas.entry((name("method"), name("outcome")))
                .or_default()
                .push(line["gas_used"].as_u64().expect("a number"));
        }
    }
    gas.values_mut().for_each(|gas| gas.sort_unstable());
    gas
}

#[test]
fn gas_is_that_of_the_receipts() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let calls = write_file(files.path(), "calls.ndjson", &mixed(2_000).lines);
    let arguments = ["contract", "gas", "--calls", calls.to_str().expect("UTF-8")];
    let ended = run(arguments.iter().chain(&["-o", "json"])).with_code(0);
    assert_eq!(ended.stdout, run(arguments.iter().chain(&["-o", "json"])).stdout);
    let report = ended.json("phalanx.contract.gas/1");
    let data = files.path().join("data");
    let ran = run_file(&data, &calls, &["-o", "json"]).with_code(0).json("phalanx.run/1");
    assert_eq!((&report["calls"], &report["gas_used"]), (&ran["calls"], &ran["gas_used"]));

    let mut expected = exported_gas(&data);
    assert!(expected.len() > 10, "{expected:?}");
    for row in report["methods"].as_array().expect("a list") {
        let mut calls = 0;
        // Transfers to nobody's contract are a row of their own here.
        for (outcome, gas) in row["outcomes"].as_object().expect("outcomes by name") {
            let method = row["method"].as_str().expect("a name").to_owned();
            let exported = expected.remove(&(method, outcome.clone())).expect("an outcome of the log");
            let (last, at) = (exported.len() - 1, |index: usize| json!(exported[index]));
            assert_eq!(
                *gas,
                json!({"calls": exported.len(), "gas_min": at(0), "gas_median": at(last / 2), "gas_max": at(last)})
            );
            calls += exported.len();
        }
        assert_eq!(row["calls"], calls);
    }
    assert!(expected.is_empty(), "{expected:?}");
    let table = run(arguments).with_code(0).stdout;
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["contract", "method", "outcome", "calls", "min", "median", "max"]);
    assert!(rows.iter().any(|row| row[..3] == ["token", "transfer", "reverted"]), "{table}");
}

#[test]
fn gas_is_compared_with_a_snapshot() {
    let files = tempfile::tempdir().expect("a temporary directory");
    token_crate(files.path(), "", &token_calls());
    let snapshot = files.path().join("gas.json").display().to_string();
    let gas = |rest: &[&str]| on_crate("gas", files.path(), rest);
    gas(&["--snapshot", &snapshot]).with_code(0);
    let written = text(Path::new(&snapshot));
    assert!(gas(&["--check", &snapshot]).with_code(0).stdout.ends_with("as in the snapshot\n"));
    assert_eq!(text(Path::new(&snapshot)), written);

    // One transfer more, and the other one for another price.
    let methods = |json: &Value| json["methods"].as_array().expect("a list").clone();
    let mut changed: Value = serde_json::from_str(&written).expect("JSON");
    let transfer = methods(&changed).iter().position(|row| row["method"] == "transfer").expect("a row");
    let median = changed["methods"][transfer]["outcomes"]["ok"]["gas_median"].as_u64().expect("a number");
    changed["methods"][transfer]["outcomes"]["ok"]["gas_median"] = (median - 3).into();
    changed["methods"][transfer]["outcomes"].as_object_mut().expect("outcomes").remove("reverted");
    fs::write(&snapshot, changed.to_string()).expect("a temporary file");
    let told = gas(&["--check", &snapshot]).with_code(1).stdout;
    assert!(told.contains(&format!("token.transfer ok: median {} -> {median} (+3)\n", median - 3)), "{told}");
    assert!(told.contains("token.transfer reverted: not in the snapshot\n"), "{told}");
    let report = gas(&["--check", &snapshot, "-o", "json"]).with_code(1).json("phalanx.contract.gas/1");
    assert_eq!(report["differences"].as_array().map(Vec::len), Some(2));
    assert_eq!(report["differences"][0]["now"]["gas_median"], median);

    gas(&["--check", "no such file"]).with_code(2);
    gas(&["--check", &snapshot, "--snapshot", &snapshot]).with_code(2);
    fs::write(&snapshot, written.replace("gas_snapshot/1", "gas_snapshot/2")).expect("a temporary file");
    let refused = gas(&["--check", &snapshot]).with_code(2);
    assert!(refused.stderr.contains("schema `phalanx.contract.gas_snapshot/2` is not"), "{}", refused.stderr);
}

#[test]
fn gas_of_another_module_on_the_same_calls() {
    let files = tempfile::tempdir().expect("a temporary directory");
    token_crate(files.path(), "", &token_calls());
    let gas = |rest: &[&str]| on_crate("gas", files.path(), &[rest, &["-o", "json"]].concat());
    let own = gas(&[]).with_code(0).stdout;
    let token = module("token.wasm").display().to_string();
    assert_eq!(gas(&["--module", &token]).with_code(0).stdout, own);
    assert_eq!(gas(&["--batch-size", "1"]).with_code(0).stdout, own, "no call of these sees its height");
    let hostile = module("hostile.wasm").display().to_string();
    let other = gas(&["--module", &hostile]).with_code(0).json("phalanx.contract.gas/1");
    assert_eq!(other["methods"][0]["method"], "mint");
    assert_eq!(other["methods"][0]["outcomes"]["unknown_method"]["calls"], 1);

    gas(&["--module", "no such file"]).with_code(2);
    let refused = files.path().join("refused.wasm").display().to_string();
    fs::write(&refused, "no module").expect("a temporary file");
    let ended = gas(&["--module", &refused]).with_code(1);
    assert!(ended.stderr.contains("line 1: deploy ended as module_refused"), "{}", ended.stderr);
    // Which of two would it stand for, and for what where there is none?
    let calls = |name: &str, lines: &[Value]| write_file(files.path(), name, lines).display().to_string();
    let issuer = address(0, 0xaa);
    let two = calls("two.ndjson", &[deploy("token.wasm", "a", &issuer), deploy("hostile.wasm", "b", &issuer)]);
    let none = calls("none.ndjson", &[call("a", "b", &issuer, json!({}))]);
    let ended = gas(&["--module", &token, "--calls", &two]).with_code(2);
    assert!(ended.stderr.contains("line 2: ") && ended.stderr.contains("stands for one alone"), "{}", ended.stderr);
    assert!(gas(&["--module", &token, "--calls", &none]).with_code(2).stderr.contains("no line names a module"));
}

/// The token's module with one text of its ABI in the place of another.
fn with_abi(files: &Path, from: &str, to: &str) -> PathBuf {
    assert_eq!(from.len(), to.len(), "sections keep their lengths");
    let mut module = fs::read(module("token.wasm")).expect("a built contract");
    let found: Vec<usize> = (0..module.len()).filter(|at| module[*at..].starts_with(from.as_bytes())).collect();
    assert_eq!(found.len(), 1, "{from}");
    module[found[0]..found[0] + to.len()].copy_from_slice(to.as_bytes());
    let path = files.join(format!("{}.wasm", to.len()));
    fs::write(&path, module).expect("a temporary file");
    path
}

#[test]
fn what_an_upgrade_would_break_is_listed() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let token = module("token.wasm").display().to_string();
    let diff = |new: &Path, rest: &[&str]| {
        run([&["contract", "diff-abi", &token, new.to_str().expect("UTF-8")], rest].concat())
    };
    let same = diff(Path::new(&token), &[]).with_code(0);
    assert_eq!((&*same.stdout, &*same.stderr), ("same ABI\n", ""));

    let renamed = with_abi(files.path(), "\"name\":\"BALANCES\"", "\"name\":\"HOLDINGS\"");
    let fits = diff(&renamed, &["-o", "json"]).with_code(0).json("phalanx.contract.diff-abi/1");
    assert_eq!(fits["compatible"], true);
    let what = "was called BALANCES, is HOLDINGS";
    let difference = json!({"kind": "slot", "name": "1", "change": "changed", "breaking": false, "what": what});
    assert_eq!(fits["differences"], json!([difference]));

    let answer = "\"returns\":\"u128\",\"doc\":\"Tokens of `owner`.\"";
    let changed = with_abi(files.path(), answer, &answer.replace("u128", "i128"));
    let breaks = diff(&changed, &[]).with_code(1).stdout;
    assert!(breaks.contains("breaks  method balance_of: the answer was u128, is i128\n"), "{breaks}");
    assert!(breaks.ends_with("not compatible: 1 of 1 differences break\n"), "{breaks}");

    let other = diff(&module("hostile.wasm"), &["-o", "json"]).with_code(1).json("phalanx.contract.diff-abi/1");
    let removed = |name: &str| {
        let mut found = other["differences"].as_array().expect("a list").iter();
        found.any(|one| one["name"] == name && one["change"] == "removed" && one["breaking"] == true)
    };
    assert!(["transfer", "Transfer", "Error", "2"].into_iter().all(removed), "{other}");

    let bare = files.path().join("bare.wasm");
    fs::write(&bare, wat::parse_str("(module)").expect("a module")).expect("a temporary file");
    assert!(diff(&bare, &[]).with_code(1).stderr.contains("no custom section `abi`"));
    diff(Path::new("no such file"), &[]).with_code(2);
}

#[test]
fn slots_of_one_number_and_what_is_no_module_are_named() {
    let files = tempfile::tempdir().expect("a temporary directory");
    let shared = with_abi(files.path(), "\"slot\":2,\"name\":\"ALLOWANCES\"", "\"slot\":1,\"name\":\"ALLOWANCES\"");
    let checked = run(["contract", "check", shared.to_str().expect("UTF-8")]).with_code(0);
    assert!(checked.stderr.contains("slot 1 is that of ALLOWANCES and BALANCES: they share"), "{}", checked.stderr);
    let token = module("token.wasm");
    assert_eq!(run(["contract", "check", token.to_str().expect("UTF-8")]).with_code(0).stderr, "");

    let calls = write_file(files.path(), "calls.ndjson", &token_calls());
    let ended = run(["contract", "abi", calls.to_str().expect("UTF-8")]).with_code(1);
    assert!(ended.stderr.contains("not a Wasm module"), "{}", ended.stderr);
}
