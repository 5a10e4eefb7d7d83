//! What is left behind when the engine's live check stops a run.

use crate::BenchError;
use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::{EngineError, LoggedError, NotSerial};
use std::path::Path;
use std::sync::Arc;

/// Writes the reproducer of a difference into a folder under the data directory, or the current one. Other errors stay.
pub(crate) fn hand_over(error: BenchError, data_directory: Option<&Path>) -> BenchError {
    let found = match error {
        BenchError::Engine(EngineError::NotSerial(found))
        | BenchError::Logged(LoggedError::Engine(EngineError::NotSerial(found))) => found,
        other => return other,
    };
    let folder = data_directory.unwrap_or(Path::new("."));
    let what_to_do = write(&found, folder);
    BenchError::NotSerial { found, what_to_do }
}

fn write(found: &Arc<NotSerial>, folder: &Path) -> String {
    let folder = folder.join(format!("phalanx-reproducer-height-{}", found.difference.height));
    match found.reproducer.write(&RealFileSystem, &folder) {
        Ok(()) => format!("to see it once more: cd {} && {}", folder.display(), found.reproducer.command()),
        Err(error) => format!("the reproducer could not be written to {}: {error}", folder.display()),
    }
}
