//! `phalanx contract new`: a crate that tests, builds and runs as it is.

mod embedded;
mod lock;
mod name;

use clap::Args;
use serde::Serialize;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::crate_folder::{CALLS_FILE, SDK_FOLDER};
use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::output::Report;
use embedded::SDK;
use lock::Locked;

#[derive(Debug, Args)]
pub(crate) struct NewArguments {
    /// Name of the crate: lower-case letters, digits, - and _
    name: String,
    /// Folder that is made for it [default: one of its name in the current folder]
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

/// The crate's files, by their path in it. `{{name}}` stands for its name, `{{crate}}` for the name that Rust code calls it by,
/// `{{version}}` for that of the SDK.
const TEMPLATE: [(&str, &str); 8] = [
    (".gitignore", include_str!("template/gitignore")),
    ("Cargo.toml", include_str!("template/manifest.toml")),
    ("README.md", include_str!("template/README.md")),
    ("build.rs", include_str!("template/build.rs")),
    (CALLS_FILE, include_str!("template/calls.ndjson")),
    ("src/lib.rs", include_str!("template/lib.rs")),
    ("tests/{{name}}.rs", include_str!("template/test.rs")),
    ("phalanx/Cargo.toml", SDK_WORKSPACE),
];

/// The workspace of the SDK's crates, whose manifests take from it what they share.
const SDK_WORKSPACE: &str = include_str!("template/sdk_workspace.toml");

/// Version of a new crate.
const CRATE_VERSION: &str = "0.1.0";

#[derive(Serialize)]
struct Made {
    name: String,
    path: String,
    files: Vec<String>,
}

impl Report for Made {
    const SCHEMA: &'static str = "phalanx.contract.new/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        let own = |file: &&String| !file.starts_with(SDK_FOLDER);
        writeln!(out, "{}: made, the SDK in {}/{SDK_FOLDER}", self.path, self.path)?;
        self.files.iter().filter(own).try_for_each(|file| writeln!(out, "    {file}"))
    }
}

pub(crate) fn execute(arguments: &NewArguments, context: &Context) -> Result<Exit, Failure> {
    let name = &arguments.name;
    let locked = Locked::of_contracts().map_err(|error| {
        Failure::failed(format_args!("the lock in this binary: {error}"), "this is a fault of phalanx: report it")
    })?;
    name::check(name, &locked).map_err(|refused| {
        Failure::usage(
            format_args!("`{}` cannot be a contract's name: {refused}", name.escape_debug()),
            "choose another one, of lower-case letters, digits, - and _, a letter first; nothing was written",
        )
    })?;
    let folder = arguments.path.clone().unwrap_or_else(|| name.into());
    let files = files(name, locked);
    make_folder(&folder)?;
    if let Err((path, error)) = write_all(&folder, &files) {
        // The folder was made a moment ago, by this command.
        let left = fs::remove_dir_all(&folder).is_err();
        return Err(Failure::failed(
            format_args!("{}: {error}", path.display()),
            if left { "make room, and remove the folder" } else { "make room; the folder is removed again" },
        ));
    }
    let mut files: Vec<_> = files.into_iter().map(|(path, _)| path).collect();
    files.sort();
    let path = folder.display().to_string();
    context.output.note(&format!("next: cd {path}, phalanx contract build, phalanx contract test"));
    context.output.print(&Made { name: name.clone(), path, files })?;
    Ok(Exit::Ok)
}

/// Every file of a new crate: its path, and its text.
fn files(name: &str, locked: Locked) -> Vec<(String, String)> {
    let fill = |text: &str| {
        text.replace("{{name}}", name)
            .replace("{{crate}}", &name.replace('-', "_"))
            .replace("{{version}}", env!("CARGO_PKG_VERSION"))
    };
    let own = TEMPLATE.iter().map(|(path, text)| (fill(path), fill(text)));
    let sdk = SDK.iter().map(|(path, text)| (format!("{SDK_FOLDER}/{path}"), (*text).to_owned()));
    let lock = ("Cargo.lock".to_owned(), locked.with_crate(name, CRATE_VERSION));
    own.chain(sdk).chain([lock]).collect()
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    let parents = folder.parent().map_or(Ok(()), fs::create_dir_all);
    parents.and_then(|()| fs::create_dir(folder)).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::usage(
            format_args!("{}: there is something already", folder.display()),
            "name a folder that does not exist with --path; nothing was written",
        ),
        _ => Failure::failed(format_args!("{}: {error}", folder.display()), "check the path and its permissions"),
    })
}

fn write_all(folder: &Path, files: &[(String, String)]) -> Result<(), (PathBuf, io::Error)> {
    for (path, text) in files {
        let path = folder.join(path);
        let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
        parent.and_then(|()| fs::write(&path, text)).map_err(|error| (path, error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
