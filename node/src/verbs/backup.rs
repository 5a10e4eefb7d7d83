//! `phalanx backup` and `phalanx restore`.

use clap::Args;
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::backup::{self, FILE, Manifest};
use crate::command_line::{Context, DataDirectory};
use crate::exit::{Exit, Failure};
use crate::output::{Integer, Report, as_hex, print_rows};

#[derive(Debug, Args)]
pub(crate) struct BackupArguments {
    #[command(flatten)]
    data_directory: DataDirectory,
    /// Folder that the backup is made in; it must be empty, or not there
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    /// Folder that `phalanx backup` made
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    #[command(flatten)]
    data_directory: DataDirectory,
}

/// What is in a backup.
#[derive(Serialize)]
struct Contents {
    /// The last height that is in it, with all its calls.
    height: Integer,
    /// The last height whose digest is in it.
    sealed_height: Integer,
    /// Its digest.
    #[serde(serialize_with = "as_hex")]
    log_digest: [u8; 32],
    files: usize,
    bytes: Integer,
}

impl Contents {
    fn of(manifest: &Manifest) -> Contents {
        Contents {
            height: manifest.height,
            sealed_height: manifest.sealed_height,
            log_digest: manifest.log_digest,
            files: manifest.files.len(),
            bytes: Integer(manifest.bytes()),
        }
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        vec![
            ("height", self.height.0.to_string()),
            ("log digest", format!("{} of height {}", crate::hex::hex(&self.log_digest), self.sealed_height.0)),
            ("size", format!("{} bytes in {} files", self.bytes.0, self.files)),
        ]
    }
}

/// Result of `backup`.
#[derive(Serialize)]
struct BackedUp {
    #[serde(flatten)]
    contents: Contents,
    backup: PathBuf,
}

impl Report for BackedUp {
    const SCHEMA: &'static str = "phalanx.backup/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = vec![("backed up", format!("to {}, with its manifest {FILE}", self.backup.display()))];
        rows.extend(self.contents.rows());
        print_rows(out, &rows)
    }
}

/// Result of `restore`.
#[derive(Serialize)]
struct Restored {
    #[serde(flatten)]
    contents: Contents,
    data_directory: PathBuf,
}

impl Report for Restored {
    const SCHEMA: &'static str = "phalanx.restore/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = vec![("restored", format!("to {}", self.data_directory.display()))];
        rows.extend(self.contents.rows());
        print_rows(out, &rows)
    }
}

pub(crate) fn back_up(arguments: &BackupArguments, context: &Context) -> Result<Exit, Failure> {
    let manifest = backup::back_up(&arguments.data_directory.path, &arguments.to)?;
    let backup = arguments.to.clone();
    context.output.print(&BackedUp { contents: Contents::of(&manifest), backup })?;
    Ok(Exit::Ok)
}

pub(crate) fn restore(arguments: &RestoreArguments, context: &Context) -> Result<Exit, Failure> {
    let data_directory = arguments.data_directory.path.clone();
    let manifest = backup::restore(&arguments.from, &data_directory)?;
    context.output.print(&Restored { contents: Contents::of(&manifest), data_directory })?;
    Ok(Exit::Ok)
}
