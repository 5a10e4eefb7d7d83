//! Running Cargo. What it prints goes to standard error: standard output is the result's.

use std::env;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus};

use crate::exit::Failure;

/// Cargo with a subcommand, in a crate's folder; `CARGO` may name another one, as Cargo does for its plugins.
pub(super) fn cargo(subcommand: &str, folder: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.arg(subcommand).current_dir(folder).stdout(io::stderr());
    command
}

/// The failure of a Cargo that does not start.
pub(super) fn not_started(error: &io::Error) -> Failure {
    Failure::failed(format_args!("cargo does not start: {error}"), "install Rust: https://rustup.rs")
}

/// How a Cargo ended, in words.
pub(super) fn ended(status: ExitStatus) -> String {
    format!("cargo ended with {status}")
}
