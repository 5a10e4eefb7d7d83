//! `phalanx completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde::Serialize;
use std::io::{self, Write};

use crate::command_line::{CommandLine, Context};
use crate::exit::{Exit, Failure};
use crate::output::Report;

#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell
    shell: Shell,
}

#[derive(Serialize)]
struct Completions {
    shell: String,
    script: String,
}

impl Report for Completions {
    const SCHEMA: &'static str = "phalanx.completions/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.script.as_bytes())
    }
}

pub(crate) fn execute(arguments: &CompletionsArguments, context: &Context) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut CommandLine::command(), "phalanx", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    context.output.print(&Completions { shell: arguments.shell.to_string(), script })?;
    Ok(Exit::Ok)
}
