//! `phalanx doctor`.

use clap::Args;
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;

use super::serve::SettingsArguments;
use crate::command_line::Context;
use crate::doctor::{self, Finding, Status};
use crate::exit::{Exit, Failure};
use crate::output::Report;
use crate::serve::settings::Settings;

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    settings: SettingsArguments,
}

#[derive(Serialize)]
struct Examined {
    data_directory: PathBuf,
    /// The worst of all checks.
    status: Status,
    checks: Vec<Finding>,
}

impl Report for Examined {
    const SCHEMA: &'static str = "phalanx.doctor/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        let width = self.checks.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
        for Finding { check, status, measured, advice, .. } in &self.checks {
            let status = match status {
                Status::Ok => "ok",
                Status::Warn => "warn",
                Status::Fail => "fail",
            };
            writeln!(out, "{status:4}  {check:width$}  {measured}")?;
            advice.iter().try_for_each(|advice| writeln!(out, "{:6}{:width$}  {advice}", "", ""))?;
        }
        Ok(())
    }
}

/// Whether `serve` would take the settings.
fn of_settings(settings: &Settings) -> Finding {
    const CHECK: &str = "settings";
    match super::serve::check(settings) {
        Ok(()) => {
            let files: Vec<_> = settings.files().iter().map(|file| file.display().to_string()).collect();
            let files = if files.is_empty() { "no configuration file".to_owned() } else { files.join(", ") };
            Finding::ok(CHECK, format!("fit together; {files}"))
        }
        Err(failure) => Finding::new(CHECK, Status::Fail, failure.cause, failure.fix),
    }
}

pub(crate) fn execute(arguments: &DoctorArguments, context: &Context) -> Result<Exit, Failure> {
    let settings = arguments.settings.settings()?;
    let data_directory = settings.data_directory()?.to_owned();
    let mut checks = vec![of_settings(&settings)];
    // What is not whole has been found above.
    let tls = settings.tls().ok().flatten();
    let (listen, admin, chain_id) = (settings.listen(), settings.admin(), settings.chain_id());
    checks.extend(doctor::examine(&data_directory, listen, admin, chain_id, tls.as_ref()));
    let status = checks.iter().map(|finding| finding.status).max().unwrap_or(Status::Ok);
    let damaged = checks.iter().any(|finding| finding.damaged);
    context.output.print(&Examined { data_directory, status, checks })?;
    Ok(match status {
        Status::Ok | Status::Warn => Exit::Ok,
        Status::Fail if damaged => Exit::Damaged,
        Status::Fail => Exit::Failed,
    })
}
