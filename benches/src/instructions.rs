//! Counted instructions of single phases, beside those that were counted before: unlike time, they are the same on a busy machine.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Name and version of the file's schema.
const SCHEMA: &str = "phalanx.instructions/1";

/// Share by which a count may differ from the one before: what threads do while they wait for each other is not the same in every run.
pub const TOLERANCE: f64 = 0.005;

/// Instructions by phase.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    schema: String,
    /// Instructions of one repeat of each phase.
    pub phases: BTreeMap<String, u64>,
}

/// A phase whose count is another one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Change<'a> {
    /// The phase.
    pub phase: &'a str,
    /// Before; `None` if it is new.
    pub before: Option<u64>,
    /// Now; `None` if it is gone.
    pub now: Option<u64>,
}

impl Counts {
    /// Of these phases.
    pub fn new(phases: BTreeMap<String, u64>) -> Self {
        Self { schema: SCHEMA.to_owned(), phases }
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let counts: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match counts.schema == SCHEMA {
            true => Ok(counts),
            false => Err(format!("schema {}, this version reads {SCHEMA}", counts.schema)),
        }
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings and integers have a JSON form") + "\n"
    }

    /// Phases that changed by more than [`TOLERANCE`] since `before`, fewer instructions too: a file that is not kept up hides the
    /// next change.
    pub fn changes<'a>(&'a self, before: &'a Counts) -> Vec<Change<'a>> {
        let names: std::collections::BTreeSet<&String> = self.phases.keys().chain(before.phases.keys()).collect();
        let change = |phase: &'a String| Change {
            phase,
            before: before.phases.get(phase).copied(),
            now: self.phases.get(phase).copied(),
        };
        names.into_iter().map(change).filter(|change| !change.is_within(TOLERANCE)).collect()
    }
}

impl Change<'_> {
    fn is_within(&self, tolerance: f64) -> bool {
        match (self.before, self.now) {
            (Some(before), Some(now)) => now.abs_diff(before) as f64 <= before as f64 * tolerance,
            _ => false,
        }
    }
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.before, self.now) {
            (Some(before), Some(now)) => {
                let percent = 100.0 * (now as f64 / before as f64 - 1.0);
                write!(f, "{}: {now} instructions, {before} before ({percent:+.2} %)", self.phase)
            }
            (None, Some(now)) => write!(f, "{}: {now} instructions, not counted before", self.phase),
            (_, None) => write!(f, "{}: not counted any more", self.phase),
        }
    }
}

/// The total of a file that callgrind left.
pub fn callgrind_total(file: &str) -> Option<u64> {
    let of = |name: &str| file.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    of("totals:").or_else(|| of("summary:"))
}

#[cfg(test)]
mod tests {
    use super::{Counts, callgrind_total};

    fn counts(phases: &[(&str, u64)]) -> Counts {
        Counts::new(phases.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect())
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let written = counts(&[("decode", 12), ("serial", u64::MAX)]);
        assert_eq!(Counts::parse(&written.to_text()), Ok(written.clone()));
        let other = written.to_text().replace("instructions/1", "instructions/2");
        assert!(Counts::parse(&other).is_err_and(|what| what.contains("instructions/2")));
        assert!(Counts::parse("{}").is_err());
    }

    #[test]
    fn more_and_fewer_instructions_are_changes_above_the_tolerance() {
        let before = counts(&[("same", 1_000), ("a little", 1_000), ("more", 1_000), ("fewer", 1_000), ("gone", 1)]);
        let now = counts(&[("same", 1_000), ("a little", 1_005), ("more", 1_006), ("fewer", 994), ("new", 1)]);
        let changes = now.changes(&before);
        let names: Vec<&str> = changes.iter().map(|change| change.phase).collect();
        assert_eq!(names, ["fewer", "gone", "more", "new"]);
        assert_eq!(changes[2].to_string(), "more: 1006 instructions, 1000 before (+0.60 %)");
        assert!(now.changes(&now).is_empty());
    }

    #[test]
    fn the_total_is_read_from_what_callgrind_leaves() {
        let file = "events: Ir\nfn=(1)\n16 400\n\ntotals: 123456\n";
        assert_eq!(callgrind_total(file), Some(123_456));
        assert_eq!(callgrind_total("summary: 7\n"), Some(7));
        assert_eq!(callgrind_total("events: Ir\n"), None);
    }
}
