//! What `phalanx run` tells when it is done.

use phalanx_benches::conflicts::ConflictReport;
use phalanx_engine::{Conflicts, Digest, Engine, Executed, Outcome};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::io::{self, Write};
use std::time::Duration;

use super::equivalence::EquivalenceReport;
use crate::batches::CutBatch;
use crate::execution::{ModeAsked, ModeChosen, ModesRun, Workers};
use crate::hex::hex;
use crate::oracle_check::Difference;
use crate::output::{Integer, Report, as_hex, print_rows, printable};

/// Counts while a run goes on.
pub(super) struct Ran {
    mode: ModeAsked,
    workers: Workers,
    modes: ModesRun,
    outcomes: [u64; Outcome::ALL.len()],
    batches: u64,
    gas_used: u64,
    json_arguments: u64,
    /// Texts, if they are asked for.
    explanations: Option<Vec<Explanation>>,
    conflicts: Option<Conflicts>,
    conflict_report: Option<ConflictReport>,
    /// If the live check was on.
    pub(super) equivalence: Option<EquivalenceReport>,
    pub(super) interrupted: bool,
}

#[derive(Serialize)]
struct Explanation {
    height: Integer,
    call: u32,
    /// Of the file, counted from 1.
    line: Integer,
    text: String,
}

/// The report: counts are of this run, digests and height of the data directory.
#[derive(Serialize)]
pub(super) struct RunReport {
    height: Integer,
    calls: Integer,
    #[serde(serialize_with = "by_name")]
    outcomes: [u64; Outcome::ALL.len()],
    batches: Integer,
    gas_used: Integer,
    /// Calls whose arguments fit no ABI entry and were sent as JSON.
    json_arguments: Integer,
    #[serde(serialize_with = "as_hex")]
    log_digest: Digest,
    #[serde(serialize_with = "as_hex")]
    state_digest: Digest,
    /// Asked for, or left to the engine.
    workers: usize,
    mode: &'static str,
    /// The mode that ran; `null` if no batch did.
    mode_chosen: Option<ModeChosen>,
    /// With `--check`: whether the oracle agrees.
    oracle_match: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Difference>,
    /// With `--equivalence`: what the live check came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    equivalence: Option<EquivalenceReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanations: Option<Vec<Explanation>>,
    /// With `--explain`: the places that most calls conflicted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    conflicts: Option<ConflictReport>,
    interrupted: bool,
    elapsed_seconds: f64,
}

impl Ran {
    pub(super) fn new(mode: ModeAsked, workers: Workers, explain: bool) -> Ran {
        Ran {
            mode,
            workers,
            modes: ModesRun::default(),
            outcomes: [0; Outcome::ALL.len()],
            batches: 0,
            gas_used: 0,
            json_arguments: 0,
            explanations: explain.then(Vec::new),
            conflicts: None,
            conflict_report: None,
            equivalence: None,
            interrupted: false,
        }
    }

    /// Calls so far.
    pub(super) fn calls(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// Counts a batch, whose first call stands on line `first_line`, counted from 0. `reverts`: what calls answered that reverted.
    pub(super) fn add(&mut self, cut: &CutBatch, executed: &Executed, first_line: u64, reverts: Vec<(u32, String)>) {
        for receipt in executed.receipts() {
            self.outcomes[usize::from(receipt.outcome().code())] += 1;
            self.gas_used += receipt.gas_used();
        }
        self.batches += 1;
        self.modes.add(executed);
        if let Some(conflicts) = executed.conflicts() {
            self.conflicts.get_or_insert_default().add(conflicts);
        }
        self.json_arguments += cut.misfits.len() as u64;
        if let Some(explanations) = &mut self.explanations {
            let height = Integer(executed.height());
            let misfits = cut.misfits.iter().map(|(call, why)| (*call, format!("arguments sent as JSON: {why}")));
            let texts = misfits.chain(executed.explanations().iter().cloned()).chain(reverts);
            let from = explanations.len();
            let line = |call: u32| Integer(first_line + u64::from(call) + 1);
            explanations.extend(texts.map(|(call, text)| Explanation { height, call, line: line(call), text }));
            explanations[from..].sort_by_key(|explanation| explanation.call);
        }
    }

    /// Makes the report of conflicts, with the names that the engine's contracts have for their slots.
    pub(super) fn name_conflicts(&mut self, engine: &Engine) {
        let conflicts = self.conflicts.take();
        self.conflict_report =
            conflicts.map(|conflicts| ConflictReport::new(&conflicts, &|contract| engine.module(contract)));
    }

    /// The report. `checked`: the difference that a check found, if one was asked for.
    pub(super) fn finish(
        self,
        height: u64,
        log_digest: &Digest,
        state_digest: &Digest,
        checked: Option<Option<Difference>>,
        elapsed: Duration,
    ) -> RunReport {
        RunReport {
            height: Integer(height),
            calls: Integer(self.calls()),
            outcomes: self.outcomes,
            batches: Integer(self.batches),
            gas_used: Integer(self.gas_used),
            json_arguments: Integer(self.json_arguments),
            log_digest: *log_digest,
            state_digest: *state_digest,
            workers: self.workers.count(),
            mode: self.mode.name(),
            mode_chosen: self.modes.chosen(),
            oracle_match: checked.as_ref().map(Option::is_none),
            difference: checked.flatten(),
            equivalence: self.equivalence,
            explanations: self.explanations,
            conflicts: self.conflict_report,
            interrupted: self.interrupted,
            elapsed_seconds: elapsed.as_secs_f64(),
        }
    }
}

/// Outcomes that occurred, by name, in the order of their codes.
fn by_name<S: Serializer>(outcomes: &[u64; Outcome::ALL.len()], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (outcome, count) in Outcome::ALL.iter().zip(outcomes).filter(|(_, count)| **count > 0) {
        map.serialize_entry(outcome.name(), &Integer(*count))?;
    }
    map.end()
}

impl Report for RunReport {
    const SCHEMA: &'static str = "phalanx.run/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = vec![
            ("height", self.height.0.to_string()),
            ("batches", self.batches.0.to_string()),
            ("calls", self.calls.0.to_string()),
        ];
        let occurred = Outcome::ALL.iter().zip(self.outcomes).filter(|(_, count)| *count > 0);
        rows.extend(occurred.map(|(outcome, count)| (outcome.name(), count.to_string())));
        let chosen = self.mode_chosen.as_ref();
        rows.extend(chosen.map(|chosen| ("mode", format!("{} ({})", chosen.mode, chosen.reason))));
        if self.json_arguments.0 > 0 {
            let why = if self.explanations.is_some() { "" } else { "; --explain says why" };
            rows.push(("sent as JSON", format!("{}, as the arguments fit no ABI{why}", self.json_arguments.0)));
        }
        rows.extend([
            ("gas used", self.gas_used.0.to_string()),
            ("log digest", hex(&self.log_digest)),
            ("state digest", hex(&self.state_digest)),
            ("elapsed", format!("{:.3} s", self.elapsed_seconds)),
        ]);
        match self.oracle_match {
            Some(true) => rows.push(("oracle", "agrees".to_owned())),
            Some(false) => rows.push(("oracle", "differs".to_owned())),
            None => {}
        }
        rows.extend(self.equivalence.as_ref().map(|equivalence| ("equivalence", equivalence.row())));
        print_rows(out, &rows)?;
        if let Some(difference) = &self.difference {
            writeln!(out, "first difference: {difference}")?;
        }
        self.equivalence.iter().try_for_each(|equivalence| equivalence.print(out))?;
        for Explanation { height, call, line, text } in self.explanations.iter().flatten() {
            writeln!(out, "height {} call {call} (line {}): {}", height.0, line.0, printable(text))?;
        }
        self.conflicts.iter().try_for_each(|conflicts| conflicts.print(out))?;
        match self.interrupted {
            true => writeln!(out, "interrupted: the calls counted here are done and durable"),
            false => Ok(()),
        }
    }
}
