//! `--equivalence`: what the engine's live check came to, and the files that it hands over.

use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::log::layout;
use phalanx_engine::{Difference, Engine, EngineError, EquivalenceCheck, LoggedError, NotSerial};
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::exit::{Exit, Failure};
use crate::hex::hex;
use crate::output::Integer;

/// What was checked while the run went on.
#[derive(Debug, Serialize)]
pub(super) struct EquivalenceReport {
    percent: u8,
    /// Batches that were executed once more, those of the log included, and their calls.
    checked_batches: Integer,
    checked_calls: Integer,
    /// Whether all of them came to the same.
    matches: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<DifferenceReport>,
}

/// A difference, and what shows it once more.
#[derive(Debug, Serialize)]
struct DifferenceReport {
    what: &'static str,
    height: Integer,
    call: Option<u32>,
    contract: Option<String>,
    key: Option<String>,
    engine: String,
    oracle: String,
    /// The folder of the calls file; `null` if it could not be written.
    reproducer: Option<PathBuf>,
    /// What to run there.
    command: String,
    /// Calls that are left of the batch.
    reproducer_calls: usize,
    /// Whether the reproducer was seen to differ from an empty state on.
    reproduces: bool,
    #[serde(skip)]
    text: String,
    /// What to do with the folder, if it was written.
    #[serde(skip)]
    advice: Option<String>,
}

impl EquivalenceReport {
    pub(super) fn new(check: EquivalenceCheck, engine: &Engine, found: Option<(&NotSerial, Option<PathBuf>)>) -> Self {
        let statistics = engine.equivalence().unwrap_or_default();
        Self {
            percent: check.percent(),
            checked_batches: Integer(statistics.checked_batches),
            checked_calls: Integer(statistics.checked_calls),
            matches: found.is_none(),
            difference: found.map(|(found, folder)| DifferenceReport::new(found, folder)),
        }
    }

    pub(super) fn row(&self) -> String {
        let (verdict, batches) = (if self.matches { "holds" } else { "BROKEN" }, self.checked_batches.0);
        format!("{verdict}, {batches} batches executed once more ({} %)", self.percent)
    }

    pub(super) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(difference) = &self.difference else { return Ok(()) };
        writeln!(out, "the live check stopped the engine: {}", difference.text)?;
        difference.advice.as_ref().map_or(Ok(()), |advice| writeln!(out, "{advice}"))
    }
}

impl DifferenceReport {
    fn new(found: &NotSerial, reproducer: Option<PathBuf>) -> Self {
        let Difference { height, what, call, key, engine, oracle } = &found.difference;
        let (contract, key) = key.as_ref().map(|(contract, key)| (hex(contract), hex(key))).unzip();
        Self {
            what: what.name(),
            height: Integer(*height),
            call: *call,
            contract,
            key,
            engine: engine.clone(),
            oracle: oracle.clone(),
            advice: reproducer.as_ref().map(|folder| found.advice(folder)),
            reproducer,
            command: found.reproducer.command(),
            reproducer_calls: found.reproducer.calls(),
            reproduces: found.reproducer.difference().is_some(),
            text: found.difference.to_string(),
        }
    }
}

/// The difference that a failure is.
pub(super) fn not_serial(error: &LoggedError) -> Option<Arc<NotSerial>> {
    match error {
        LoggedError::Engine(EngineError::NotSerial(found))
        | LoggedError::Replay { source: EngineError::NotSerial(found), .. } => Some(Arc::clone(found)),
        _ => None,
    }
}

/// Writes the reproducer into the data directory; answers its folder.
pub(super) fn write_reproducer(found: &NotSerial, data_directory: &Path) -> io::Result<PathBuf> {
    found.write_reproducer(&RealFileSystem, &data_directory.join(layout::REPRODUCERS))
}

/// The failure of a data directory whose log differs already when it is executed again.
pub(super) fn differs_at_opening(found: &NotSerial, data_directory: &Path) -> Failure {
    let fix = match write_reproducer(found, data_directory) {
        Ok(folder) => format!("report it with {}: {}", folder.display(), found.reproducer.command()),
        Err(error) => format!("report it with the log; the reproducer could not be written: {error}"),
    };
    Failure::new(Exit::Mismatch, format_args!("the logged batches are not what they are serially: {found}"), fix)
}

#[cfg(test)]
mod tests {
    use super::{EquivalenceReport, differs_at_opening, not_serial, write_reproducer};
    use crate::exit::Exit;
    use phalanx_engine::{
        Difference, Differing, Engine, EngineError, EquivalenceCheck, LoggedError, NotSerial, Options, Reproducer,
    };
    use std::path::PathBuf;
    use std::sync::Arc;

    fn found() -> NotSerial {
        let difference = Difference {
            height: 7,
            what: Differing::Gas,
            call: Some(3),
            key: Some(([1; 32], vec![2])),
            engine: "1203".to_owned(),
            oracle: "1204".to_owned(),
        };
        NotSerial { difference, reproducer: Reproducer::default() }
    }

    #[test]
    fn a_difference_is_reported_with_its_place_and_both_sides() {
        let check = EquivalenceCheck::of_percent(25).expect("a share");
        let engine = Engine::new(Options { equivalence: Some(check), ..Options::default() });
        let report = EquivalenceReport::new(check, &engine, Some((&found(), Some(PathBuf::from("folder")))));
        let json = serde_json::to_value(&report).expect("a report");
        assert_eq!((&json["percent"], &json["matches"]), (&25.into(), &false.into()));
        let difference = &json["difference"];
        let expected =
            [("what", "gas"), ("key", "0x02"), ("engine", "1203"), ("oracle", "1204"), ("reproducer", "folder")];
        expected.iter().for_each(|(field, value)| assert_eq!(difference[field], *value, "{field}"));
        assert_eq!((&difference["height"], &difference["call"]), (&7.into(), &3.into()));
        assert_eq!(difference["reproduces"], false, "nothing was executed again");
        let mut text = Vec::new();
        report.print(&mut text).expect("a vector takes everything");
        let text = String::from_utf8(text).expect("UTF-8");
        assert!(text.starts_with("the live check stopped the engine: gas at height 7, call 3, "), "{text}");
        assert!(report.row().starts_with("BROKEN, 0 batches"));
    }

    #[test]
    fn a_reproducer_is_written_once_and_a_log_that_differs_ends_with_5() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let found = found();
        for _ in 0..2 {
            let folder = write_reproducer(&found, directory.path()).expect("it is written, or there");
            assert_eq!(folder, directory.path().join("reproducers/height-7"));
            assert!(folder.join("calls.ndjson").is_file());
        }
        assert_eq!(differs_at_opening(&found, directory.path()).exit, Exit::Mismatch);
    }

    #[test]
    fn only_what_the_live_check_found_is_a_difference() {
        let found = Arc::new(found());
        let live = LoggedError::Engine(EngineError::NotSerial(Arc::clone(&found)));
        let replayed = LoggedError::Replay { height: 7, source: EngineError::NotSerial(found) };
        assert!(not_serial(&live).is_some() && not_serial(&replayed).is_some());
        assert!(not_serial(&LoggedError::Engine(EngineError::Stopped(String::new()))).is_none());
    }
}
