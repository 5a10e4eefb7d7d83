//! `phalanx receipt`.

use clap::Args;
use serde::Serialize;
use std::io::{self, Write};

use super::{PrintedReceipt, Remote, failure};
use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::output::{Integer, Report, print_rows};

#[derive(Debug, Args)]
pub(crate) struct ReceiptArguments {
    #[command(flatten)]
    remote: Remote,
    /// The height
    #[arg(value_name = "HEIGHT")]
    height: u64,
    /// The call's index in it
    #[arg(value_name = "INDEX")]
    index: u32,
}

#[derive(Serialize)]
struct Kept {
    height: Integer,
    index: u32,
    #[serde(flatten)]
    receipt: PrintedReceipt,
}

impl Report for Kept {
    const SCHEMA: &'static str = "phalanx.receipt/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        print_rows(out, &self.receipt.rows())
    }
}

/// Prints a receipt. Exits 0 whatever it says: it was asked for, and is there.
pub(crate) fn execute(arguments: &ReceiptArguments, context: &Context) -> Result<Exit, Failure> {
    let ReceiptArguments { remote, height, index } = arguments;
    let receipt = remote.ask(async |client| {
        let answer = client.receipt(*height, *index).await.map_err(|error| failure(&error))?;
        PrintedReceipt::new(answer.receipt.as_ref(), "", None)
    })?;
    context.output.print(&Kept { height: Integer(*height), index: *index, receipt })?;
    Ok(Exit::Ok)
}
