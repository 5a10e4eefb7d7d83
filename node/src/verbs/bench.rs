//! `phalanx bench`: the frame around the harness, which is a library of its own.

use indicatif::{ProgressBar, ProgressStyle};
pub(crate) use phalanx_benches::cli::BenchArguments;
use phalanx_benches::progress::Progress;
use phalanx_benches::{BenchError, cli};
use std::cell::RefCell;
use std::io::{IsTerminal, stderr};

use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::output::Format;
use crate::replay::logged_failure;

pub(crate) fn execute(arguments: &BenchArguments, context: &Context) -> Result<Exit, Failure> {
    let report = cli::run(arguments, &Bars(RefCell::new(ProgressBar::hidden()))).map_err(|error| failure(&error))?;
    context.output.write(|out| match context.output.format {
        Format::Human => report.print_human(out),
        Format::Json => {
            // The report names its schema itself.
            serde_json::to_writer(&mut *out, &report)?;
            out.write_all(b"\n")
        }
    })?;
    Ok(match report.exit_code() {
        0 => Exit::Ok,
        5 => Exit::Mismatch,
        _ => Exit::Failed,
    })
}

fn failure(error: &BenchError) -> Failure {
    match error {
        BenchError::Usage(_) => Failure::usage(error, "see `phalanx bench --help`"),
        BenchError::NotSerial { .. } => Failure::new(
            Exit::Mismatch,
            error,
            "this is a fault of phalanx, not of a contract: report it with that folder",
        ),
        BenchError::Recorded { source, .. } => {
            let Failure { exit, fix, .. } = logged_failure(source);
            Failure::new(exit, error, fix)
        }
        _ => Failure::failed(
            error,
            "a measurement that was not finished says nothing: repair the cause and run it again",
        ),
    }
}

/// A bar for the stage that the harness is in.
struct Bars(RefCell<ProgressBar>);

impl Progress for Bars {
    fn begin(&self, stage: &str, total: u64) {
        if !stderr().is_terminal() {
            return;
        }
        let bar = ProgressBar::new(total).with_message(stage.to_owned());
        let styled = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len}");
        *self.0.borrow_mut() = match styled {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
    }

    fn advance(&self, steps: u64) {
        self.0.borrow().inc(steps);
    }

    fn end(&self) {
        self.0.borrow().finish_and_clear();
    }
}
