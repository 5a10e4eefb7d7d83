//! The template fits the workspace that the SDK is tested in.

use super::*;
use toml::{Table, Value};

fn workspace() -> Table {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    toml::from_str(&fs::read_to_string(root).expect("the workspace's manifest")).expect("TOML")
}

fn locked() -> Locked {
    Locked::of_contracts().expect("Cargo's own lock")
}

/// A file of a crate of this name.
fn file(name: &str, path: &str) -> String {
    let files = files(name, locked());
    files.into_iter().find(|(found, _)| found == path).expect("a file of the template").1
}

#[test]
fn the_sdk_is_built_as_in_the_workspace() {
    let (own, root): (Table, _) = (toml::from_str(SDK_WORKSPACE).expect("TOML"), workspace());
    let (own, root) = (&own["workspace"], &root["workspace"]);
    for shared in ["resolver", "package", "lints"] {
        assert_eq!(own[shared], root[shared], "{shared}");
    }
    let dependencies = own["dependencies"].as_table().expect("a table");
    for (name, given) in dependencies.iter().filter(|(name, _)| *name != "phalanx-contract-macros") {
        assert_eq!(*given, root["dependencies"][name], "{name}");
    }
    // Both manifests take all that they share from this workspace.
    for path in ["sdk/Cargo.toml", "macros/Cargo.toml"] {
        let manifest = SDK.iter().find(|(found, _)| *found == path).expect("a manifest").1;
        let manifest: Table = toml::from_str(manifest).expect("TOML");
        let targets = manifest.get("target").and_then(Value::as_table).into_iter().flatten();
        let tables = [&manifest].into_iter().chain(targets.filter_map(|(_, target)| target.as_table()));
        for table in tables.flat_map(|table| [table.get("dependencies"), table.get("dev-dependencies")]).flatten() {
            for (name, given) in table.as_table().expect("a table") {
                let inherits = given.get("workspace").is_some();
                assert!(!inherits || dependencies.contains_key(name), "{path}: {name}");
            }
        }
    }
}

#[test]
fn the_module_is_built_as_the_committed_ones() {
    let manifest: Table = toml::from_str(&file("voting", "Cargo.toml")).expect("TOML");
    assert_eq!(manifest["profile"]["contract"], workspace()["profile"]["contract"]);
    let committed = include_str!("../../../../../contracts/token/build.rs");
    let arguments = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.contains("rustc-link-arg")).map(|line| line.trim().to_owned()).collect()
    };
    assert_eq!(arguments(&file("voting", "build.rs")), arguments(committed));
    assert_eq!(arguments(committed).len(), 3);
}

#[test]
fn names_are_filled_in_everywhere() {
    for (path, text) in files("my-vote", locked()).iter().filter(|(path, _)| !path.starts_with(SDK_FOLDER)) {
        assert!(!path.contains("{{") && !text.contains("{{name") && !text.contains("{{crate"), "{path}");
    }
    assert!(file("my-vote", "tests/my-vote.rs").contains("use my_vote::"));
    assert!(file("my-vote", "calls.ndjson").contains("wasm/my-vote.wasm"));
}

#[test]
fn names_that_no_crate_may_have_are_refused() {
    for name in ["voting", "a", "my-vote_2", &"a".repeat(64)] {
        assert_eq!(name::check(name, &locked()), Ok(()), "{name}");
    }
    let refusals = [
        ("", "begin"),
        ("2votes", "begin"),
        ("-x", "begin"),
        ("Voting", "begin"),
        ("_x", "begin"),
        ("vote.rs", "`.`"),
        ("../vote", "begin"),
        ("a/b", "`/`"),
        ("vöte", "`ö`"),
        ("a\nb", "`\\n`"),
        ("fn", "word"),
        ("proc-macro", "word"),
        ("test", "word"),
        ("phalanx", "word"),
        ("phalanx_contract", "built with"),
        ("blake3", "built with"),
        (&"a".repeat(65), "65 bytes, the limit is 64"),
    ];
    for (name, why) in refusals {
        let refused = name::check(name, &locked()).expect_err(name);
        assert!(refused.contains(why), "{name}: {refused}");
    }
}
