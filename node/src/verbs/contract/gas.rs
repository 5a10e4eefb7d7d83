//! `phalanx contract gas`: what calls cost. Gas is a part of results, so the table is the same on every machine.

use clap::Args;
use phalanx_engine::{Mode, Options, Outcome};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use super::crate_folder::{CALLS_FILE, CrateFolder};
use super::in_memory::{self, called, described};
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
    /// A module in the place of the one that the calls name: what would they cost on it?
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
}

/// Gas of the calls of one method.
#[derive(Serialize)]
struct MethodGas {
    /// As the file of calls names it.
    contract: String,
    method: String,
    calls: Integer,
    /// By outcome, in the order of their names.
    outcomes: BTreeMap<&'static str, OutcomeGas>,
}

/// Gas of those that ended in one outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
struct OutcomeGas {
    calls: Integer,
    gas_min: Integer,
    /// The value in the middle, of an even number the lower of the two.
    gas_median: Integer,
    gas_max: Integer,
}

/// By contract and method, in the order of their names. A line that brings a module is in no row: it costs by the module's length.
#[derive(Serialize)]
struct GasReport {
    /// Lines of the file.
    calls: Integer,
    /// Of all lines.
    gas_used: Integer,
    methods: Vec<MethodGas>,
}

impl OutcomeGas {
    fn of(mut gas: Vec<u64>) -> OutcomeGas {
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
                [escaped(contract), escaped(method), (*outcome).to_owned(), calls, min, median, max]
            }));
        }
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let widths: [usize; 7] = std::array::from_fn(width);
        for [contract, method, outcome, calls, min, median, max] in &rows {
            let [a, b, c, d, e, f, g] = widths;
            writeln!(out, "{contract:a$}  {method:b$}  {outcome:c$}  {calls:>d$}  {min:>e$}  {median:>f$}  {max:>g$}")?;
        }
        Ok(())
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
    in_memory::execute(&file, options, &mut |batch| {
        for (line, receipt) in (batch.first_line..).zip(batch.executed.receipts()) {
            gas_used += receipt.gas_used();
            let outcome = receipt.outcome();
            match called(&file.lines[line]) {
                Some((contract, method)) => {
                    let rows = used.entry((contract.into_owned(), method.to_owned())).or_default();
                    rows.entry(outcome.name()).or_default().push(receipt.gas_used());
                }
                None if outcome == Outcome::Ok => {}
                None => {
                    let what = described(&file.lines[line]);
                    context.output.warn(&format!("line {}: {what} ended as {}", line + 1, outcome.name()));
                    exit = Exit::Failed;
                }
            }
        }
        Ok(())
    })?;
    let methods = used.into_iter().map(|((contract, method), outcomes)| {
        let calls = outcomes.values().map(|gas| gas.len() as u64).sum();
        let outcomes = outcomes.into_iter().map(|(outcome, gas)| (outcome, OutcomeGas::of(gas))).collect();
        MethodGas { contract, method, calls: Integer(calls), outcomes }
    });
    context.output.print(&GasReport {
        calls: Integer(file.lines.len() as u64),
        gas_used: Integer(gas_used),
        methods: methods.collect(),
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
