//! `phalanx log`: checking, printing and exporting the log. Nothing on disk changes.

mod export;
mod show;
mod verify;

use clap::{Args, Subcommand};

use crate::command_line::{Context, DataDirectory};
use crate::execution::Workers;
use crate::exit::{Exit, Failure};

#[derive(Debug, Subcommand)]
pub(crate) enum LogVerb {
    /// Execute the whole log again and compare every digest. Exit code 4: damaged bytes, 5: another digest
    Verify(verify::VerifyArguments),
    /// Print the log's records: kind, height, bytes, digest
    Show(LogArguments),
    /// Print calls, receipts and writes as NDJSON: an object for each height, then one for each of its calls
    Export(LogArguments),
}

#[derive(Debug, Args)]
pub(crate) struct LogArguments {
    #[command(flatten)]
    data_directory: DataDirectory,
    /// The first height that is printed, or has to be verified; those below are executed all the same, since a result
    /// stands on all before it
    #[arg(long, value_name = "H", default_value_t = 0)]
    from: u64,
    #[command(flatten)]
    workers: Workers,
}

pub(crate) fn execute(verb: &LogVerb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        LogVerb::Verify(arguments) => verify::execute(arguments, context),
        LogVerb::Show(arguments) => show::execute(arguments, context),
        LogVerb::Export(arguments) => export::execute(arguments, context),
    }
}
