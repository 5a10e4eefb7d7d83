//! `phalanx contract`: looking at modules without running them.

use clap::{Args, Subcommand};
use phalanx_engine::prepare::{Reason, prepare};
use serde::Serialize;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::abi::Abi;
use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::output::{Integer, Report, print_json};

#[derive(Debug, Subcommand)]
pub(crate) enum ContractVerb {
    /// Tell whether modules would be accepted; nothing is compiled. Exit code 0: all are, 1: some are refused, 2: some
    /// cannot be read
    Check(CheckArguments),
    /// Print a module's ABI as one JSON document
    Abi(AbiArguments),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Modules
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Refuse a module without an ABI
    #[arg(long)]
    require_abi: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AbiArguments {
    /// The module
    file: PathBuf,
}

pub(crate) fn execute(verb: &ContractVerb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        ContractVerb::Check(arguments) => check(arguments, context),
        ContractVerb::Abi(arguments) => abi(arguments, context),
    }
}

#[derive(Serialize)]
struct Checked {
    files: Vec<CheckedFile>,
}

#[derive(Serialize)]
struct CheckedFile {
    file: String,
    verdict: Verdict,
    bytes: usize,
    /// Bytes after the preparation pass; 0 if refused.
    instrumented_bytes: usize,
    methods: Vec<String>,
    abi: bool,
    reasons: Vec<RefusalReason>,
    warnings: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Accepted,
    Refused,
    Unreadable,
}

#[derive(Serialize)]
struct RefusalReason {
    name: &'static str,
    text: String,
    /// Where a limit is passed: the greatest value that passes, and the module's.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Integer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actual: Option<Integer>,
}

impl From<&Reason> for RefusalReason {
    fn from(reason: &Reason) -> RefusalReason {
        let (limit, actual) = match reason {
            Reason::Limit { limit, actual, .. } => (Some(Integer(limit.max())), Some(Integer(*actual))),
            _ => (None, None),
        };
        RefusalReason { name: reason.name(), text: on_one_line(&reason.to_string()), limit, actual }
    }
}

/// The parser's texts have lines of their own.
fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Report for Checked {
    const SCHEMA: &'static str = "phalanx.contract.check/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        for file in &self.files {
            match file.verdict {
                Verdict::Accepted => writeln!(
                    out,
                    "{}: accepted, {} methods, {} bytes, {} after the pass",
                    file.file,
                    file.methods.len(),
                    file.bytes,
                    file.instrumented_bytes
                )?,
                Verdict::Refused => writeln!(out, "{}: refused", file.file)?,
                Verdict::Unreadable => writeln!(out, "{}: unreadable", file.file)?,
            }
            for reason in &file.reasons {
                writeln!(out, "    {}", reason.text)?;
            }
        }
        Ok(())
    }
}

fn check(arguments: &CheckArguments, context: &Context) -> Result<Exit, Failure> {
    let checked =
        Checked { files: arguments.files.iter().map(|file| check_file(file, arguments.require_abi)).collect() };
    for file in &checked.files {
        for warning in &file.warnings {
            context.output.warn(&format!("{}: {warning}", file.file));
        }
    }
    context.output.print(&checked)?;
    let any = |verdict| checked.files.iter().any(|file| file.verdict == verdict);
    Ok(match (any(Verdict::Unreadable), any(Verdict::Refused)) {
        (true, _) => Exit::Usage,
        (false, true) => Exit::Failed,
        (false, false) => Exit::Ok,
    })
}

fn check_file(path: &Path, require_abi: bool) -> CheckedFile {
    let mut checked = CheckedFile {
        file: path.display().to_string(),
        verdict: Verdict::Unreadable,
        bytes: 0,
        instrumented_bytes: 0,
        methods: Vec::new(),
        abi: false,
        reasons: Vec::new(),
        warnings: Vec::new(),
    };
    let module = match fs::read(path) {
        Ok(module) => module,
        Err(error) => {
            let text = format!("Unreadable: {error}");
            checked.reasons.push(RefusalReason { name: "Unreadable", text, limit: None, actual: None });
            return checked;
        }
    };
    checked.bytes = module.len();
    match prepare(&module) {
        Ok(prepared) => {
            checked.verdict = Verdict::Accepted;
            checked.instrumented_bytes = prepared.wasm.len();
            checked.methods = prepared.methods;
        }
        Err(refused) => {
            checked.verdict = Verdict::Refused;
            checked.reasons.extend(refused.reasons.iter().map(RefusalReason::from));
        }
    }
    // What is no module at all has no place for an ABI.
    if !checked.reasons.iter().any(|reason| reason.name == "Invalid") {
        check_abi(&module, require_abi, &mut checked);
    }
    checked
}

fn check_abi(module: &[u8], require_abi: bool, checked: &mut CheckedFile) {
    let abi = Abi::of_module(module);
    checked.abi = abi.is_some();
    match abi {
        Some(abi) if abi.lines().unknown > 0 => {
            checked.warnings.push(format!("{} lines of the ABI are not understood", abi.lines().unknown));
        }
        Some(_) => {}
        None if require_abi => {
            let text = "MissingAbi: there is no custom section `abi`".to_owned();
            checked.verdict = Verdict::Refused;
            checked.reasons.push(RefusalReason { name: "MissingAbi", text, limit: None, actual: None });
        }
        None => checked.warnings.push("there is no ABI: arguments are sent to it as JSON".to_owned()),
    }
}

fn abi(arguments: &AbiArguments, context: &Context) -> Result<Exit, Failure> {
    let file = arguments.file.display();
    let module = fs::read(&arguments.file)
        .map_err(|error| Failure::usage(format_args!("{file}: {error}"), "name the file of a module"))?;
    let abi = Abi::of_module(&module).ok_or_else(|| {
        Failure::failed(
            format_args!("{file}: the module has no custom section `abi`"),
            "build it with the contract SDK, or keep custom sections when it is stripped",
        )
    })?;
    // One document in either format: an ABI is JSON already.
    context.output.write(|out| print_json(out, "phalanx.contract.abi/1", abi.lines()))?;
    Ok(Exit::Ok)
}
