//! `phalanx contract diff-abi`: what an upgrade would break.

use clap::Args;
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;

use super::abi::read;
use crate::abi::diff::{Difference, Kind, differences};
use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::output::Report;

#[derive(Debug, Args)]
pub(crate) struct DiffAbiArguments {
    /// The module that is known
    old: PathBuf,
    /// The module that would take its place
    new: PathBuf,
}

#[derive(Serialize)]
struct DiffReport {
    old: String,
    new: String,
    compatible: bool,
    /// By kind and name.
    differences: Vec<Difference>,
}

impl Report for DiffReport {
    const SCHEMA: &'static str = "phalanx.contract.diff-abi/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        for Difference { kind, name, breaking, what, .. } in &self.differences {
            let effect = if *breaking { "breaks" } else { "fits  " };
            let kind = match kind {
                Kind::Method => "method",
                Kind::Struct => "struct",
                Kind::Enum => "enum",
                Kind::Slot => "slot",
            };
            writeln!(out, "{effect}  {kind} {}: {}", name.escape_debug(), what.escape_debug())?;
        }
        let breaking = self.differences.iter().filter(|difference| difference.breaking).count();
        match (breaking, self.differences.len()) {
            (0, 0) => writeln!(out, "same ABI"),
            (0, all) => writeln!(out, "compatible: {all} differences, none of them breaks"),
            (breaking, all) => writeln!(out, "not compatible: {breaking} of {all} differences break"),
        }
    }
}

pub(crate) fn execute(arguments: &DiffAbiArguments, context: &Context) -> Result<Exit, Failure> {
    let (old, new) = (read(&arguments.old)?, read(&arguments.new)?);
    for (abi, file) in [(&old, &arguments.old), (&new, &arguments.new)] {
        if abi.lines().unknown > 0 {
            let unknown = abi.lines().unknown;
            context.output.warn(&format!("{}: {unknown} lines of the ABI are not understood", file.display()));
        }
    }
    let differences = differences(old.lines(), new.lines());
    let compatible = !differences.iter().any(|difference| difference.breaking);
    context.output.print(&DiffReport {
        old: arguments.old.display().to_string(),
        new: arguments.new.display().to_string(),
        compatible,
        differences,
    })?;
    Ok(if compatible { Exit::Ok } else { Exit::Failed })
}
