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
    let folder = folder.join("phalanx-reproducers");
    match found.write_reproducer(&RealFileSystem, &folder) {
        Ok(folder) => found.advice(&folder),
        Err(error) => format!("the reproducer could not be written to {}: {error}", folder.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::hand_over;
    use crate::BenchError;
    use phalanx_engine::{Difference, Differing, EngineError, LoggedError, NotSerial, Reproducer};
    use std::sync::Arc;

    #[test]
    fn a_difference_leaves_its_files_and_ends_with_5() {
        let folder = tempfile::tempdir().unwrap();
        let difference = Difference {
            height: 9,
            what: Differing::Digest,
            call: None,
            key: None,
            engine: "0x01".to_owned(),
            oracle: "0x02".to_owned(),
        };
        let found = Arc::new(NotSerial { difference, reproducer: Reproducer::default() });
        let stopped = || BenchError::Logged(LoggedError::Engine(EngineError::NotSerial(Arc::clone(&found))));
        let error = hand_over(stopped(), Some(folder.path()));
        assert_eq!(error.exit_code(), 5);
        let left = folder.path().join("phalanx-reproducers");
        assert!(left.join("height-9/calls.ndjson").is_file());
        let text = error.to_string();
        assert!(text.starts_with("digest at height 9: 0x01, the oracle has 0x02; the batch's calls are in "), "{text}");
        // The same files are there; others get a folder of their own.
        assert_eq!(hand_over(stopped(), Some(folder.path())).to_string(), text);
        std::fs::write(left.join("height-9/calls.ndjson"), "half").unwrap();
        let text = hand_over(stopped(), Some(folder.path())).to_string();
        assert!(text.contains("height-9-2") && left.join("height-9-2/calls.ndjson").is_file(), "{text}");
        let blocked = folder.path().join("file");
        std::fs::write(&blocked, "").unwrap();
        let text = hand_over(stopped(), Some(&blocked)).to_string();
        assert!(text.contains("could not be written to"), "{text}");
    }

    #[test]
    fn other_failures_stay_what_they_are() {
        let stopped = BenchError::Engine(EngineError::Stopped("disk".to_owned()));
        assert_eq!(hand_over(stopped, None).exit_code(), 1);
    }
}
