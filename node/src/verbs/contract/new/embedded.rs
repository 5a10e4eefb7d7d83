//! The contract SDK, as the command carries it: a new crate has no registry to get it from.

/// Files of `contracts/`, by their path there.
macro_rules! embedded {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../../contracts/", $path)))),*]
    };
}

/// The SDK and its macros without their own tests, and what is written about them.
pub(super) const SDK: &[(&str, &str)] = embedded![
    "HOST.md",
    "README.md",
    "macros/Cargo.toml",
    "macros/src/abi.rs",
    "macros/src/contract.rs",
    "macros/src/handle.rs",
    "macros/src/lib.rs",
    "macros/src/slot.rs",
    "macros/src/tests.rs",
    "macros/src/wire.rs",
    "sdk/Cargo.toml",
    "sdk/src/abort.rs",
    "sdk/src/access.rs",
    "sdk/src/address.rs",
    "sdk/src/allocator.rs",
    "sdk/src/context.rs",
    "sdk/src/entry.rs",
    "sdk/src/event.rs",
    "sdk/src/hash.rs",
    "sdk/src/host.rs",
    "sdk/src/host/imports.rs",
    "sdk/src/host/ledger.rs",
    "sdk/src/host/raw.rs",
    "sdk/src/journal.rs",
    "sdk/src/lib.rs",
    "sdk/src/list.rs",
    "sdk/src/nested.rs",
    "sdk/src/ordered.rs",
    "sdk/src/signature.rs",
    "sdk/src/state.rs",
    "sdk/src/test.rs",
    "sdk/src/test/ledger.rs",
    "sdk/src/test/nested.rs",
    "sdk/src/wire.rs",
    "sdk/src/wire/bounded.rs",
    "sdk/src/wire/owned.rs",
    "sdk/src/wire/primitives.rs",
];

/// The lock that the SDK is tested with.
pub(super) const LOCK: &str = include_str!("../../../../../Cargo.lock");

#[cfg(test)]
mod tests {
    use super::SDK;
    use std::fs;
    use std::path::Path;

    /// Files below a folder of `contracts/`, sorted, by their path there.
    fn files(folder: &str, found: &mut Vec<String>) {
        let contracts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts");
        for entry in fs::read_dir(contracts.join(folder)).expect("a folder of the SDK") {
            let entry = entry.expect("an entry");
            let path = format!("{folder}/{}", entry.file_name().to_str().expect("UTF-8"));
            match entry.file_type().expect("a type").is_dir() {
                true => files(&path, found),
                false => found.push(path),
            }
        }
    }

    #[test]
    fn the_list_is_the_folders() {
        let mut found = vec!["HOST.md".to_owned(), "README.md".to_owned()];
        files("macros", &mut found);
        files("sdk", &mut found);
        found.retain(|path| !path.starts_with("sdk/tests/"));
        found.sort();
        assert_eq!(SDK.iter().map(|(path, _)| *path).collect::<Vec<_>>(), found);
    }
}
