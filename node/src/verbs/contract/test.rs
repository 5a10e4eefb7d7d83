//! `phalanx contract test`: the native tests, then the file of calls on an engine.

use clap::Args;
use phalanx_engine::{Batch, Mode, Options, Outcome};
use serde::Serialize;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::answers::{Answer, Answers};
use super::cargo::{cargo, ended, not_started};
use super::crate_folder::{CALLS_FILE, ContractCrate, CrateFolder};
use super::in_memory::{self, BatchSize};
use crate::calls_file::{CallsFile, read as read_calls};
use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::oracle_check::{Difference, OracleCheck};
use crate::output::{Integer, Report, print_rows, printable};

#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    #[command(flatten)]
    folder: CrateFolder,
    /// The calls: NDJSON, a deploy or a call a line [default: calls.ndjson in the crate's folder]
    #[arg(long, value_name = "FILE")]
    calls: Option<PathBuf>,
    #[command(flatten)]
    cut: BatchSize,
    /// More arguments for `cargo test`, as --offline
    #[arg(last = true, value_name = "CARGO_ARGUMENTS")]
    cargo: Vec<OsString>,
}

/// Threads that execute the calls: the fewest that execute them in parallel.
const WORKERS: usize = 2;

/// Calls that are named one by one; the count says how many there are.
const NAMED_MAX: usize = 20;

#[derive(Serialize)]
struct Tested {
    package: String,
    native: &'static str,
    /// `null` if the native tests failed, or there is no module or file of calls.
    engine: Option<OnEngine>,
}

#[derive(Serialize)]
struct OnEngine {
    calls: Integer,
    outcomes: BTreeMap<&'static str, u64>,
    gas_used: Integer,
    /// Calls that ended neither done nor reverted.
    failed_calls: usize,
    /// The first of them.
    failed: Vec<FailedCall>,
    /// Calls that returned bytes, or reverted with an error.
    answered_calls: usize,
    /// The first of them.
    answers: Vec<Answer>,
    oracle_match: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Difference>,
}

#[derive(Serialize)]
struct FailedCall {
    /// Counted from 1.
    line: usize,
    what: String,
    outcome: &'static str,
    /// What the contract said, why a module is refused, or which arguments fit no ABI.
    text: Option<String>,
}

impl Report for Tested {
    const SCHEMA: &'static str = "phalanx.contract.test/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = vec![("native", self.native.to_owned())];
        if let Some(engine) = &self.engine {
            rows.push(("calls", engine.calls.0.to_string()));
            rows.extend(engine.outcomes.iter().map(|(outcome, count)| (*outcome, count.to_string())));
            rows.push(("gas used", engine.gas_used.0.to_string()));
            rows.push(("oracle", if engine.oracle_match { "agrees" } else { "differs" }.to_owned()));
        }
        print_rows(out, &rows)?;
        let Some(engine) = &self.engine else { return Ok(()) };
        for FailedCall { line, what, outcome, text } in &engine.failed {
            let text = text.iter().map(|text| format!(": {}", printable(text))).collect::<String>();
            writeln!(out, "line {line}: {what} ended as {outcome}{text}")?;
        }
        if engine.failed_calls > engine.failed.len() {
            writeln!(out, "and {} more", engine.failed_calls - engine.failed.len())?;
        }
        engine.answers.iter().try_for_each(|answer| writeln!(out, "{answer}"))?;
        if engine.answered_calls > engine.answers.len() {
            writeln!(out, "and {} more answers", engine.answered_calls - engine.answers.len())?;
        }
        engine.difference.iter().try_for_each(|difference| writeln!(out, "first difference: {difference}"))
    }
}

pub(crate) fn execute(arguments: &TestArguments, context: &Context) -> Result<Exit, Failure> {
    let contract = arguments.folder.open()?;
    let status =
        cargo("test", &contract.folder).args(&arguments.cargo).status().map_err(|error| not_started(&error))?;
    if !status.success() {
        context.output.print(&Tested { package: contract.name, native: "failed", engine: None })?;
        return Err(Failure::failed(ended(status), "mend what it says above"));
    }
    let calls = arguments.calls.clone().unwrap_or_else(|| contract.file(CALLS_FILE));
    let engine = match missing(&contract, &calls, arguments.calls.is_some()) {
        Some(missing) => {
            context.output.note(&format!("not run on the engine: {missing}"));
            None
        }
        None => {
            if let Some(source) = newer_source(&contract) {
                let module = contract.module();
                context.output.warn(&format!("{} is older than {source}: build it again", module.display()));
            }
            Some(on_engine(&calls, &arguments.cut)?)
        }
    };
    let exit = match &engine {
        Some(engine) if !engine.oracle_match => Exit::Mismatch,
        Some(engine) if engine.failed_calls > 0 => Exit::Failed,
        _ => Exit::Ok,
    };
    context.output.print(&Tested { package: contract.name, native: "passed", engine })?;
    Ok(exit)
}

/// What there is not yet, of what the engine needs. A file that was asked for is needed.
fn missing(contract: &ContractCrate, calls: &Path, asked: bool) -> Option<String> {
    let module = contract.module();
    match (asked, module.exists(), calls.exists()) {
        (true, ..) | (false, true, true) => None,
        (false, false, _) => Some(format!("there is no {}; `phalanx contract build` makes it", module.display())),
        (false, true, false) => Some(format!("there is no {}", calls.display())),
    }
}

/// A source of the crate that was changed after its module was built.
fn newer_source(contract: &ContractCrate) -> Option<String> {
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let built = changed(&contract.module())?;
    newer(&contract.file("src"), built, &changed)
}

fn newer(folder: &Path, built: SystemTime, changed: &dyn Fn(&Path) -> Option<SystemTime>) -> Option<String> {
    let mut entries: Vec<_> = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    entries.into_iter().find_map(|path| match path.is_dir() {
        true => newer(&path, built, changed),
        false => (changed(&path)? > built).then(|| path.display().to_string()),
    })
}

/// Executes the calls in parallel, and once more by the oracle.
fn on_engine(path: &Path, cut: &BatchSize) -> Result<OnEngine, Failure> {
    let text = read_calls(path)?;
    let file = CallsFile::of(&text, path)?;
    let mut oracle = OracleCheck::from_nothing();
    let mut done = OnEngine {
        calls: Integer(file.lines.len() as u64),
        outcomes: BTreeMap::new(),
        gas_used: Integer(0),
        failed_calls: 0,
        failed: Vec::new(),
        answered_calls: 0,
        answers: Vec::new(),
        oracle_match: true,
        difference: None,
    };
    let mut answers = Answers::default();
    let options = Options { mode: Mode::Optimistic, workers: WORKERS, ..Options::default() };
    let state_digest = in_memory::execute(&file, cut, options, &mut |batch| {
        // Behind the first difference there is nothing to compare.
        if !done.oracle_match {
            return Ok(());
        }
        done.oracle_match = oracle.height(&batch.cut.bytes, batch.executed)?;
        let decoded = Batch::decode(batch.cut.bytes.clone())
            .map_err(|error| Failure::failed(error, "report it: the engine has executed these bytes"))?;
        answers.observe(&decoded, batch.executed, &file.lines, batch.first_line);
        for (index, receipt) in batch.executed.receipts().enumerate() {
            let (line, outcome) = (batch.first_line + index, receipt.outcome());
            *done.outcomes.entry(outcome.name()).or_default() += 1;
            done.gas_used.0 += receipt.gas_used();
            if matches!(outcome, Outcome::Ok | Outcome::Reverted) {
                continue;
            }
            done.failed_calls += 1;
            if done.failed.len() < NAMED_MAX {
                let texts = batch.executed.explanations().iter().chain(&batch.cut.misfits);
                let text = texts.filter(|(call, _)| *call as usize == index).map(|(_, text)| text.clone()).next();
                let what = file.lines[line].described();
                done.failed.push(FailedCall { line: line + 1, what, outcome: outcome.name(), text });
            }
        }
        Ok(())
    })?;
    (done.answered_calls, done.answers) = (answers.count, answers.told);
    done.difference = oracle.finish(&state_digest);
    done.oracle_match &= done.difference.is_none();
    Ok(done)
}
