//! The modules that a calls file names.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fits_batch;

/// Reads modules, each once: many lines may deploy one.
pub(super) struct Modules<'d> {
    directory: &'d Path,
    /// A module in the place of the one that the file names.
    instead: Option<&'d Path>,
    read: HashMap<PathBuf, Arc<Vec<u8>>>,
}

impl<'d> Modules<'d> {
    /// Modules whose paths are relative to `directory`.
    pub(super) fn of(directory: &'d Path) -> Modules<'d> {
        Modules { directory, instead: None, read: HashMap::new() }
    }

    /// One module, whatever the file calls it.
    pub(super) fn replaced_by(directory: &'d Path, instead: &'d Path) -> Modules<'d> {
        Modules { instead: Some(instead), ..Modules::of(directory) }
    }

    /// The module of a line.
    pub(super) fn module(&mut self, wasm: &str) -> Result<Arc<Vec<u8>>, String> {
        let named = self.directory.join(wasm);
        if let Some(module) = self.read.get(&named) {
            return Ok(Arc::clone(module));
        }
        if self.instead.is_some() && !self.read.is_empty() {
            return Err(format!("module {}: a second one, and --module stands for one alone", named.display()));
        }
        let path = self.instead.unwrap_or(&named);
        let unreadable = |error: std::io::Error| format!("module {}: {error}", path.display());
        let metadata = fs::metadata(path).map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(format!("module {}: not a file", path.display()));
        }
        fits_batch("the module", metadata.len())?;
        let module = Arc::new(fs::read(path).map_err(unreadable)?);
        self.read.insert(named, Arc::clone(&module));
        Ok(module)
    }
}
