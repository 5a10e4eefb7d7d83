//! The committed modules are those of the manifest, and of the sources: seconds, and no toolchain. That the sources give these
//! bytes is what `contracts/build.sh --check` proves.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

fn contracts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn manifest_of(folder: &str) -> Value {
    let path = contracts().join(folder).join("MANIFEST.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Files below `folder`, as paths relative to `contracts`.
fn files(folder: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(contracts().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Contracts whose handles a contract uses: its dependencies with the feature `library`.
fn libraries(contract: &str) -> Vec<String> {
    let manifest = std::fs::read_to_string(contracts().join(contract).join("Cargo.toml")).unwrap();
    let with_feature = manifest.lines().filter(|line| line.contains("\"library\""));
    let name = |line: &str| Some(line.strip_prefix("phalanx-")?.split_once(" = ")?.0.to_owned());
    with_feature.filter_map(name).collect()
}

/// The digest that `source_digest` in `build.sh` computes.
fn source_digest(contract: &str) -> String {
    let mut paths = vec!["token/build.rs".to_owned()];
    let called = libraries(contract);
    let folders = [contract, "sdk", "macros"].into_iter().chain(called.iter().map(String::as_str));
    folders.for_each(|folder| files(folder, &mut paths));
    paths.retain(|path| path.contains("/src/") || path.ends_with("/build.rs") || path.ends_with("/Cargo.toml"));
    digest_of(paths, "")
}

/// The digest of what `sha256sum` prints for files of `folder` of `contracts`, in the order of their paths.
fn digest_of(mut paths: Vec<String>, folder: &str) -> String {
    paths.sort();
    paths.dedup();
    let lines = paths.iter().fold(String::new(), |mut lines, path| {
        let bytes = std::fs::read(contracts().join(folder).join(path)).unwrap();
        writeln!(lines, "{}  {path}", sha256(&bytes)).unwrap();
        lines
    });
    sha256(lines.as_bytes())
}

/// Digests and lengths of the modules in `folder`, which are all that its manifest names, and the digests of their sources.
fn check_manifest(folder: &str, source_digest: impl Fn(&str) -> String) {
    let manifest = manifest_of(folder);
    let modules = manifest["modules"].as_object().unwrap();
    let mut committed: Vec<String> = std::fs::read_dir(contracts().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".wasm"))
        .collect();
    committed.sort();
    assert_eq!(modules.keys().collect::<Vec<_>>(), committed.iter().collect::<Vec<_>>());
    for (name, entry) in modules {
        let bytes = std::fs::read(contracts().join(folder).join(name)).unwrap();
        assert_eq!(entry["sha256"], sha256(&bytes), "{name}");
        assert_eq!(entry["bytes"], bytes.len(), "{name}");
        let contract = name.strip_suffix(".wasm").unwrap();
        assert_eq!(entry["source_sha256"], source_digest(contract), "{name}: run the build.sh of {folder}");
    }
}

#[test]
fn modules_are_those_of_the_manifest_and_the_sources() {
    check_manifest("wasm", source_digest);
}

#[test]
fn modules_in_other_languages_are_those_of_their_manifest_and_sources() {
    let sources = |module: &str| {
        let mut paths = vec!["languages/token.abi".to_owned()];
        files(&format!("languages/{}", module.strip_prefix("token-").unwrap()), &mut paths);
        let is_source = |path: &String| {
            [".c", ".h", ".ts", ".json", ".abi"].iter().any(|end| path.ends_with(end))
                && !path.contains("/node_modules/")
        };
        paths.retain(is_source);
        let paths = paths.iter().map(|path| path.strip_prefix("languages/").unwrap().to_owned());
        digest_of(paths.collect(), "languages")
    };
    check_manifest("languages/wasm", sources);
}

#[test]
fn the_token_is_small() {
    let source = std::fs::read_to_string(contracts().join("token/src/lib.rs")).unwrap();
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    let lines = source.lines().filter(is_code).count();
    assert!(lines <= 80, "{lines} lines without comments");
    let bytes = std::fs::read(contracts().join("wasm/token.wasm")).unwrap();
    assert!(bytes.len() <= 12 << 10, "{} bytes", bytes.len());
    let abi = abi(&bytes);
    let names = |kind: &str| -> Vec<String> {
        abi.iter()
            .filter_map(|line| line[kind].as_str().or(line["name"].as_str().filter(|_| line[kind].is_u64())))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(
        names("fn"),
        [
            "transfer",
            "mint",
            "approve",
            "transfer_from",
            "freeze",
            "unfreeze",
            "balance_of",
            "is_frozen",
            "allowance",
            "total_supply"
        ]
    );
    let mut slots = names("slot");
    slots.sort();
    assert_eq!(slots, ["ALLOWANCES", "BALANCES", "SUPPLY"]);
}

/// A client knows no constants and no aliases of the sources: what an ABI names must be in it, or the SDK's.
#[test]
fn abis_name_types_of_their_own_or_the_sdks() {
    const SDK: [&str; 17] = [
        "Address",
        "Bytes",
        "Item",
        "Journal",
        "List",
        "Map",
        "Option",
        "Vec",
        "String",
        "OrderedMap",
        "Refused",
        "Result",
        "Roles",
        "Set",
        "Text",
        "bool",
        "str",
    ];
    for name in manifest_of("wasm")["modules"].as_object().unwrap().keys().filter(|name| *name != "exerciser.wasm") {
        let abi = abi(&std::fs::read(contracts().join("wasm").join(name)).unwrap());
        let texts = |key: &str| abi.iter().filter_map(|line| line[key].as_str()).collect::<Vec<_>>();
        let own = [texts("struct"), texts("enum")].concat();
        let lists = |line: &Value| -> Vec<Value> {
            let variants = line["variants"].as_array().cloned().unwrap_or_default();
            let fields = |of: &Value, key: &str| of[key].as_array().cloned().unwrap_or_default();
            let of_variants = variants.iter().flat_map(|variant| fields(variant, "fields"));
            fields(line, "args").into_iter().chain(fields(line, "fields")).chain(of_variants).collect()
        };
        let fields: Vec<Value> = abi.iter().flat_map(lists).collect();
        let types =
            fields.iter().filter_map(|field| field["type"].as_str()).chain(texts("returns")).chain(texts("type"));
        for ty in types {
            // The length of bounded bytes and texts is the contract's to check.
            let mut bounded = ty.to_owned();
            for kind in ["Bytes<", "Text<"] {
                while let Some((before, rest)) = bounded.split_once(kind) {
                    bounded = format!("{before}u8{}", rest.split_once('>').unwrap().1);
                }
            }
            let words = bounded.split(|character: char| !character.is_alphanumeric() && character != '_');
            for word in words.filter(|word| !word.is_empty()) {
                let is_number = word.trim_start_matches(['u', 'i']).parse::<u64>().is_ok();
                assert!(is_number || SDK.contains(&word) || own.contains(&word), "{name}: {word} in {ty}");
            }
        }
    }
}

/// The lines of a module's custom section `abi`.
fn abi(module: &[u8]) -> Vec<Value> {
    let leb = |at: &mut usize| {
        let (mut number, mut shift) = (0usize, 0);
        loop {
            let byte = module[*at];
            *at += 1;
            number |= usize::from(byte & 127) << shift;
            shift += 7;
            if byte < 128 {
                return number;
            }
        }
    };
    let mut at = 8;
    while at < module.len() {
        let id = module[at];
        at += 1;
        let len = leb(&mut at);
        let end = at + len;
        if id == 0 {
            let name = leb(&mut at);
            if &module[at..at + name] == b"abi" {
                let text = std::str::from_utf8(&module[at + name..end]).unwrap();
                return text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            }
        }
        at = end;
    }
    panic!("the module has no ABI")
}
