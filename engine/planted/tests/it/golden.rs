//! Reproducers as files in `tests/golden`, beside the digest that their batches must have: the tests of the command give them to
//! `phalanx run --check`, so that what is handed over is known to be read there as it was meant here.
//!
//! `PHALANX_TEST_GOLDEN=write` makes them again.

use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::{Oracle, Reproducer};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Compares a reproducer with its files.
pub(crate) fn compare(name: &str, reproducer: &Reproducer) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let digest = format!("{}\n", digest(reproducer));
    if std::env::var("PHALANX_TEST_GOLDEN").is_ok_and(|value| value == "write") {
        _ = fs::remove_dir_all(&directory);
        reproducer.write(&RealFileSystem, &directory).expect("the files are written");
        fs::write(directory.join("digest"), &digest).expect("the digest is written");
    }
    let mut expected = reproducer.files();
    expected.insert("digest".to_owned(), digest.into_bytes());
    assert_eq!(files(&directory), expected, "{name}: PHALANX_TEST_GOLDEN=write makes the files again");
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).expect("the golden files are there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let named = |path: PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        (name, fs::read(path).expect("a file"))
    };
    paths.map(named).collect()
}

/// Digest of the last height, as hex.
fn digest(reproducer: &Reproducer) -> String {
    let mut oracle = Oracle::new();
    for batch in reproducer.batches().expect("they can be cut") {
        oracle.execute_batch(batch).expect("executes");
    }
    oracle.digest().iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
