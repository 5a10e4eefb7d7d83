//! `phalanx contract gas`: what calls cost. Gas is a part of results, so the table is the same on every machine.

use clap::Args;
use phalanx_engine::{Mode, Options, Outcome};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use super::crate_folder::{CALLS_FILE, CrateFolder};
use super::gas_snapshot::{self, Difference};
use super::in_memory::{self, BatchSize};
use crate::calls_file::{CallsFile, read as read_calls};
use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::output::{Integer, Report};

#[derive(Debug, Args)]
pub(crate) struct GasArguments {
    #[command(flatten)]
    folder: CrateFolder,
    /// The calls: NDJSON, a deploy or a call a line [default: calls.ndjson in the crate's folder]
    #[arg(long, value_name = "FILE")]
    calls: Option<PathBuf>,
    #[command(flatten)]
    cut: BatchSize,
    /// A module in the place of the one that the calls name: what would they cost on it?
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// Write the table to a file, to be compared with later
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    snapshot: Option<PathBuf>,
    /// Compare with such a file. Exit code 1: a method costs more or less than it did
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

/// Gas of the calls of one method.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct MethodGas {
    /// As the file of calls names it.
    pub(super) contract: String,
    pub(super) method: String,
    calls: Integer,
    /// By outcome, in the order of their names.
    pub(super) outcomes: BTreeMap<String, OutcomeGas>,
}

/// Gas of those that ended in one outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct OutcomeGas {
    pub(super) calls: Integer,
    pub(super) gas_min: Integer,
    /// The value in the middle, of an even number the lower of the two.
    pub(super) gas_median: Integer,
    pub(super) gas_max: Integer,
}

/// By contract and method, in the order of their names. A line that brings a module is in no row: it costs by the module's length.
#[derive(Serialize)]
struct GasReport {
    /// Lines of the file.
    calls: Integer,
    /// Of all lines.
    gas_used: Integer,
    methods: Vec<MethodGas>,
    /// Rows that differ from the snapshot, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<Vec<Difference>>,
}

impl MethodGas {
    pub(super) fn new(contract: String, method: String, outcomes: BTreeMap<String, OutcomeGas>) -> MethodGas {
        let calls = outcomes.values().map(|gas| gas.calls.0).sum();
        MethodGas { contract, method, calls: Integer(calls), outcomes }
    }
}

impl OutcomeGas {
    pub(super) fn of(mut gas: Vec<u64>) -> OutcomeGas {
        gas.sort_unstable();
        let at = |index: usize| Integer(gas.get(index).copied().unwrap_or_default());
        let last = gas.len().saturating_sub(1);
        OutcomeGas { calls: Integer(gas.len() as u64), gas_min: at(0), gas_median: at(last / 2), gas_max: at(last) }
    }
}

impl Report for GasReport {
    const SCHEMA: &'static str = "phalanx.contract.gas/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        let header = ["contract", "method", "outcome", "calls", "min", "median", "max"].map(str::to_owned);
        let mut rows = vec![header];
        for MethodGas { contract, method, outcomes, .. } in &self.methods {
            let escaped = |name: &str| name.escape_debug().to_string();
            rows.extend(outcomes.iter().map(|(outcome, gas)| {
                let numbers = [gas.calls, gas.gas_min, gas.gas_median, gas.gas_max].map(|number| number.0.to_string());
                let [calls, min, median, max] = numbers;
                [escaped(contract), escaped(method), outcome.clone(), calls, min, median, max]
            }));
        }
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let widths: [usize; 7] = std::array::from_fn(width);
        for [contract, method, outcome, calls, min, median, max] in &rows {
            let [a, b, c, d, e, f, g] = widths;
            writeln!(out, "{contract:a$}  {method:b$}  {outcome:c$}  {calls:>d$}  {min:>e$}  {median:>f$}  {max:>g$}")?;
        }
        match self.differences.as_deref() {
            None => Ok(()),
            Some([]) => writeln!(out, "as in the snapshot"),
            Some(differences) => differences.iter().try_for_each(|difference| writeln!(out, "{difference}")),
        }
    }
}

pub(crate) fn execute(arguments: &GasArguments, context: &Context) -> Result<Exit, Failure> {
    let path = arguments.calls.clone().unwrap_or_else(|| arguments.folder.file(CALLS_FILE));
    let text = read_calls(&path)?;
    let file = match &arguments.module {
        Some(module) => CallsFile::of_with_module(&text, &path, module)?,
        None => CallsFile::of(&text, &path)?,
    };
    let mut used: BTreeMap<(String, String), BTreeMap<&'static str, Vec<u64>>> = BTreeMap::new();
    let (mut gas_used, mut exit) = (0, Exit::Ok);
    let options = Options { mode: Mode::Serial, ..Options::default() };
    in_memory::execute(&file, &arguments.cut, options, &mut |batch| {
        for (line, receipt) in (batch.first_line..).zip(batch.executed.receipts()) {
            gas_used += receipt.gas_used();
            let outcome = receipt.outcome();
            match file.lines[line].called() {
                Some((contract, method)) => {
                    let rows = used.entry((contract.into_owned(), method.to_owned())).or_default();
                    rows.entry(outcome.name()).or_default().push(receipt.gas_used());
                }
                None if outcome == Outcome::Ok => {}
                None => {
                    let what = file.lines[line].described();
                    context.output.warn(&format!("line {}: {what} ended as {}", line + 1, outcome.name()));
                    exit = Exit::Failed;
                }
            }
        }
        Ok(())
    })?;
    let methods = used.into_iter().map(|((contract, method), outcomes)| {
        let outcomes = outcomes.into_iter().map(|(outcome, gas)| (outcome.to_owned(), OutcomeGas::of(gas)));
        MethodGas::new(contract, method, outcomes.collect())
    });
    let methods: Vec<MethodGas> = methods.collect();
    if let (Some(path), Exit::Ok) = (&arguments.snapshot, exit) {
        gas_snapshot::write(path, &methods)?;
    }
    let differences = match &arguments.check {
        Some(path) => Some(gas_snapshot::check(path, &methods)?),
        None => None,
    };
    if differences.as_ref().is_some_and(|differences| !differences.is_empty()) {
        exit = Exit::Failed;
    }
    context.output.print(&GasReport {
        calls: Integer(file.lines.len() as u64),
        gas_used: Integer(gas_used),
        methods,
        differences,
    })?;
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::{Integer, OutcomeGas};

    #[test]
    fn the_median_is_a_value_that_occurred() {
        let median = |gas: &[u64]| OutcomeGas::of(gas.to_vec()).gas_median;
        assert_eq!([median(&[7]), median(&[9, 1]), median(&[3, 9, 1])], [7, 1, 3].map(Integer));
        let gas = OutcomeGas::of(vec![5, 2, 9, 4]);
        assert_eq!((gas.calls, gas.gas_min, gas.gas_max), (Integer(4), Integer(2), Integer(9)));
    }
}
