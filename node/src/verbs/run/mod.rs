//! `phalanx run`.

mod equivalence;
mod report;

use clap::Args;
use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::limits::BATCH_CALLS_MAX;
use phalanx_engine::log::Origin;
use phalanx_engine::{
    Batch, Engine, EngineError, EquivalenceCheck, Executed, HashSeed, LoggedEngine, Mode, Options, Outcome, Receipt,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::batches::{Batches, CutBatch};
use crate::calls_file::{CallsFile, read as read_calls};
use crate::command_line::{Context, DataDirectory};
use crate::execution::{ModeAsked, Workers, logged_options};
use crate::exit::{Exit, Failure};
use crate::hex::hex;
use crate::oracle_check::OracleCheck;
use crate::progress::Progress;
use crate::replay::{log_failure, logged_failure};
use equivalence::{EquivalenceReport, differs_at_opening, not_serial, write_reproducer};
use report::Ran;

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    data_directory: DataDirectory,
    /// The calls: NDJSON, a deploy or a call a line
    #[arg(long, value_name = "FILE")]
    calls: PathBuf,
    /// Calls a batch
    #[arg(long, value_name = "N", default_value_t = 16_384, value_parser = batch_size)]
    batch_size: usize,
    #[command(flatten)]
    workers: Workers,
    /// How calls are executed; results never depend on it
    #[arg(long, value_enum, default_value = "auto")]
    mode: ModeAsked,
    /// Execute the same batches in the oracle too, and compare receipts, write sets and digests
    #[arg(long)]
    check: bool,
    /// Execute this share of the batches once more, in percent, on a thread of its own beside the run, and stop at the first
    /// that differs; what shows the difference once more is written into the data directory
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    equivalence: Option<EquivalenceCheck>,
    /// Key of the hash tables, to repeat exactly what a live check found; results never depend on it, but who knows it can make
    /// tables slow [default: a fresh one]
    #[arg(long, value_name = "N")]
    hash_seed: Option<u64>,
    /// Print why calls failed, with the errors of those that reverted, which arguments fit no ABI, and what calls that were
    /// executed in parallel conflicted on
    #[arg(long)]
    explain: bool,
}

pub(crate) fn batch_size(text: &str) -> Result<usize, String> {
    let size: usize = text.parse().map_err(|_| "not a number".to_owned())?;
    match (1..=BATCH_CALLS_MAX).contains(&size) {
        true => Ok(size),
        false => Err(format!("a batch has 1 to {BATCH_CALLS_MAX} calls")),
    }
}

fn percent(text: &str) -> Result<EquivalenceCheck, String> {
    let percent = text.parse().ok().and_then(EquivalenceCheck::of_percent);
    percent.ok_or_else(|| "a share is from 1 to 100 percent, a whole number".to_owned())
}

pub(crate) fn execute(arguments: &RunArguments, context: &Context) -> Result<Exit, Failure> {
    let mode = arguments.mode.of_engine();
    let text = read_calls(&arguments.calls)?;
    let file = CallsFile::of(&text, &arguments.calls)?;
    run(arguments, mode, &file, context)
}

fn run(arguments: &RunArguments, mode: Mode, file: &CallsFile<'_>, context: &Context) -> Result<Exit, Failure> {
    let path = &arguments.data_directory.path;
    let started = Instant::now();
    let mut check = arguments.check.then(|| OracleCheck::after_log(path)).transpose()?;
    let options = logged_options(Options {
        mode,
        explain: arguments.explain,
        equivalence: arguments.equivalence,
        hash_seed: arguments.hash_seed.map_or(HashSeed::Random, HashSeed::Fixed),
        ..arguments.workers.options()
    });
    let (logged, opened) =
        LoggedEngine::open(Arc::new(RealFileSystem), path, options).map_err(|error| match not_serial(&error) {
            Some(found) => differs_at_opening(&found, path),
            None => logged_failure(&error),
        })?;
    if let Origin::Cut(tail) = &opened.origin {
        context.output.warn(&tail.to_string());
    }
    context.interrupt.hold();
    let progress = Progress::of_calls(file.lines.len() as u64);
    let mut ran = Ran::new(arguments.mode, arguments.workers, arguments.explain);
    let mut batches = Batches::new(file, arguments.batch_size);
    let mut found = None;
    while !context.interrupt.asked() {
        let height = logged.engine().height() + 1;
        let next = batches.next(height, logged.engine()).map_err(|error| {
            Failure::failed(format_args!("height {height}: {error}"), "make the line's arguments or module smaller")
        })?;
        let Some(cut) = next else { break };
        let executed = match logged.execute(cut.bytes.clone()) {
            Ok(executed) => executed,
            Err(error) => {
                found = Some(not_serial(&error).ok_or_else(|| logged_failure(&error))?);
                break;
            }
        };
        let reverts = match arguments.explain {
            true => reverts(&mut batches, file, &cut, &executed, ran.calls(), logged.engine())?,
            false => Vec::new(),
        };
        ran.add(&cut, &executed, ran.calls(), reverts);
        progress.at(ran.calls());
        if let Some(check) = &mut check
            && !check.height(&cut.bytes, &executed)?
        {
            break;
        }
    }
    ran.interrupted = context.interrupt.asked();
    let engine = logged.engine();
    if let (None, Err(error)) = (&found, engine.wait_checked()) {
        match error {
            EngineError::NotSerial(late) => found = Some(late),
            error => return Err(logged_failure(&error.into())),
        }
    }
    let folder = found.as_ref().and_then(|found| {
        let written = write_reproducer(found, path);
        written.inspect_err(|error| context.output.warn(&format!("the reproducer could not be written: {error}"))).ok()
    });
    let equivalence = arguments.equivalence;
    ran.equivalence =
        equivalence.map(|check| EquivalenceReport::new(check, engine, found.as_deref().map(|found| (found, folder))));
    let (height, log_digest, state_digest) = (engine.height(), engine.digest(), engine.state_digest());
    ran.name_conflicts(engine);
    logged.wait_durable(height).and_then(|()| logged.close()).map_err(|error| log_failure(&error))?;
    drop(progress);
    let difference = check.and_then(|check| check.finish(&state_digest));
    let exit = match (difference.is_some() || found.is_some(), ran.interrupted) {
        (true, _) => Exit::Mismatch,
        (false, true) => Exit::Interrupted,
        (false, false) => Exit::Ok,
    };
    let checked = arguments.check.then_some(difference);
    context.output.print(&ran.finish(height, &log_digest, &state_digest, checked, started.elapsed()))?;
    Ok(exit)
}

/// What the calls of a batch answered that reverted, in the words of their contract's ABI.
fn reverts(
    batches: &mut Batches<'_>,
    file: &CallsFile<'_>,
    cut: &CutBatch,
    executed: &Executed,
    first_line: u64,
    engine: &Engine,
) -> Result<Vec<(u32, String)>, Failure> {
    let batch = Batch::decode(cut.bytes.clone())
        .map_err(|error| Failure::failed(error, "report it: the engine has executed these bytes"))?;
    let reverted = (0..).zip(executed.receipts()).filter(|(_, receipt)| receipt.outcome() == Outcome::Reverted);
    let text = |(call, receipt): (u32, Receipt<'_>)| {
        let (contract, method) = batch.target_of(&batch.call(call as usize));
        let bytes = receipt.return_bytes();
        let abi = batches.abi(contract, engine);
        let decoded = abi.and_then(|abi| abi.decode_return(method, Outcome::Reverted, bytes));
        let answer = decoded.unwrap_or_else(|| hex(bytes).into());
        let what = file.lines[first_line as usize + call as usize].described();
        (call, format!("{what} reverted {answer}"))
    };
    Ok(reverted.map(text).collect())
}
