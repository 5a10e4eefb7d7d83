//! `phalanx config show`.

use clap::{Args, Subcommand};

use super::serve::SettingsArguments;
use crate::command_line::Context;
use crate::exit::{Exit, Failure};

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Print the settings that `phalanx serve` would use with these flags, here and now
    Show(Box<ShowArguments>),
}

#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// Say where each value came from: default, file and line, environment variable, or flag
    #[arg(long)]
    origin: bool,
    #[command(flatten)]
    settings: SettingsArguments,
}

pub(crate) fn execute(verb: &ConfigVerb, context: &Context) -> Result<Exit, Failure> {
    let ConfigVerb::Show(arguments) = verb;
    let settings = arguments.settings.settings()?;
    context.output.print(&settings.shown(arguments.origin))?;
    // What could not be served with is printed, and refused as `serve` would.
    super::serve::check(&settings)?;
    Ok(Exit::Ok)
}
