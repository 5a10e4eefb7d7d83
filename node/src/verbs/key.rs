//! `phalanx key`: keys that sign calls.

use clap::{Args, Subcommand};
use phalanx_client::Signer;
use phalanx_engine::Address;
use serde::Serialize;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::hex::{hex, parse_address};
use crate::output::{Report, print_rows};

/// Nobody but its owner may read or write a key.
const PRIVATE: u32 = 0o600;

#[derive(Debug, Subcommand)]
pub(crate) enum KeyVerb {
    /// Make a key, write it to a file that only its owner may read, and print the address of its sender
    New(KeyArguments),
    /// Print the address of a key's sender
    Show(KeyArguments),
}

#[derive(Debug, Args)]
pub(crate) struct KeyArguments {
    /// The key's file: one line, 0x and 64 hex digits, the secret of an ed25519 key
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Serialize)]
struct Shown {
    /// The sender of what the key signs: its public key.
    address: String,
}

impl Report for Shown {
    const SCHEMA: &'static str = "phalanx.key/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        print_rows(out, &[("address", self.address.clone())])
    }
}

pub(crate) fn execute(verb: &KeyVerb, context: &Context) -> Result<Exit, Failure> {
    let secret = match verb {
        KeyVerb::New(arguments) => new(&arguments.file)?,
        KeyVerb::Show(arguments) => read(&arguments.file)?,
    };
    context.output.print(&Shown { address: hex(&address(&secret)) })?;
    Ok(Exit::Ok)
}

/// The sender of what a secret signs. Which chain it signs for makes no difference to that.
fn address(secret: &[u8; 32]) -> Address {
    Signer::new(secret, [0; 32]).address()
}

fn new(file: &Path) -> Result<[u8; 32], Failure> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| Failure::failed(format_args!("no randomness for a key: {error}"), "report it"))?;
    let failure = |error| Failure::usage(unreadable(file, &error), "name a file that does not exist yet");
    // A key that is there is never written over: what it signed for would be lost.
    let mut opened = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(file).map_err(failure)?;
    writeln!(opened, "{}", hex(&secret)).and_then(|()| opened.sync_all()).map_err(failure)?;
    Ok(secret)
}

/// Reads the secret of a key that nobody else can read.
pub(crate) fn read(file: &Path) -> Result<[u8; 32], Failure> {
    let failure = |error| Failure::usage(unreadable(file, &error), "name a file that `phalanx key new` made");
    let mode = fs::metadata(file).map_err(failure)?.permissions().mode();
    if mode & 0o077 != 0 {
        let cause = format_args!("{}: others may read or write this key", file.display()).to_string();
        return Err(Failure::usage(cause, format_args!("chmod 600 {}", file.display())));
    }
    let text = fs::read_to_string(file).map_err(failure)?;
    // What is wrong with a secret is not said with its text.
    parse_address(text.trim()).map_err(|_| {
        Failure::usage(
            format_args!("{}: a key is one line of 0x and 64 hex digits", file.display()),
            "name a file that `phalanx key new` made",
        )
    })
}

fn unreadable(file: &Path, error: &io::Error) -> String {
    format!("{}: {error}", file.display())
}
