//! A contract's crate on disk: what it is called, and where its parts stand.

use clap::Args;
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// The SDK, in a crate's folder.
pub(super) const SDK_FOLDER: &str = "phalanx";
/// The file of calls, in a crate's folder.
pub(super) const CALLS_FILE: &str = "calls.ndjson";
/// Built modules, in a crate's folder.
const MODULE_FOLDER: &str = "wasm";

/// The crate that a verb works on.
#[derive(Debug, Args)]
pub(crate) struct CrateFolder {
    /// The crate's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    path: PathBuf,
}

/// A crate that was found.
#[derive(Debug)]
pub(super) struct ContractCrate {
    pub(super) folder: PathBuf,
    /// The package's name.
    pub(super) name: String,
}

#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

impl CrateFolder {
    /// Reads which crate stands there.
    ///
    /// # Errors
    /// Exit code 2 for a folder without a package's manifest.
    pub(super) fn open(&self) -> Result<ContractCrate, Failure> {
        let manifest = self.path.join("Cargo.toml");
        let refused = |what: &dyn std::fmt::Display| {
            Failure::usage(
                format_args!("{}: {what}", manifest.display()),
                "name the folder of a contract's crate with --path; `phalanx contract new` makes one",
            )
        };
        let text = fs::read_to_string(&manifest).map_err(|error| refused(&error))?;
        let read: Manifest = toml::from_str(&text).map_err(|error| refused(&error.message()))?;
        Ok(ContractCrate { folder: self.path.clone(), name: read.package.name })
    }

    /// A file in the folder, whatever else stands there.
    pub(super) fn file(&self, path: &str) -> PathBuf {
        below(&self.path, path)
    }
}

impl ContractCrate {
    /// Where the built module stands.
    pub(super) fn module(&self) -> PathBuf {
        self.file(&format!("{MODULE_FOLDER}/{}.wasm", self.name))
    }

    /// A file or folder of the crate.
    pub(super) fn file(&self, path: &str) -> PathBuf {
        below(&self.folder, path)
    }
}

/// A path below a folder, as people write it: without a dot in front.
fn below(folder: &Path, path: &str) -> PathBuf {
    match folder == Path::new(".") {
        true => path.into(),
        false => folder.join(path),
    }
}
