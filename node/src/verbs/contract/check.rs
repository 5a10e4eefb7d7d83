//! `phalanx contract check`: whether modules would be accepted.

use clap::Args;
use phalanx_engine::prepare::{Reason, prepare};
use serde::Serialize;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::abi::Abi;
use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::output::{Integer, Report};

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Modules
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Refuse a module without an ABI
    #[arg(long)]
    require_abi: bool,
}

#[derive(Serialize)]
struct Checked {
    files: Vec<CheckedFile>,
}

/// What is to be said of a module.
#[derive(Serialize)]
pub(super) struct CheckedFile {
    pub(super) file: String,
    pub(super) verdict: Verdict,
    pub(super) bytes: usize,
    /// Bytes after the preparation pass; 0 if refused.
    pub(super) instrumented_bytes: usize,
    pub(super) methods: Vec<String>,
    abi: bool,
    pub(super) reasons: Vec<RefusalReason>,
    pub(super) warnings: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Accepted,
    Refused,
    Unreadable,
}

#[derive(Serialize)]
pub(super) struct RefusalReason {
    name: &'static str,
    pub(super) text: String,
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
                    "{}: accepted, {} methods, {} bytes, {} with metering",
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

pub(super) fn execute(arguments: &CheckArguments, context: &Context) -> Result<Exit, Failure> {
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

/// Reads a module and passes it through the preparation.
pub(super) fn check_file(path: &Path, require_abi: bool) -> CheckedFile {
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
    for (slot, names) in abi.iter().flat_map(Abi::shared_slots) {
        checked.warnings.push(format!("slot {slot} is that of {}: they share their keys", names.join(" and ")));
    }
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
