//! `phalanx contract build`: a crate's module, as the engine takes it.

use clap::Args;
use serde::{Deserialize, Serialize};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::cargo::{cargo, ended, not_started};
use super::check::{CheckedFile, Verdict, check_file};
use super::crate_folder::{ContractCrate, CrateFolder};
use super::toolchain::{Library, TARGET, Toolchain};
use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::output::{Report, print_rows};

#[derive(Debug, Args)]
pub(crate) struct BuildArguments {
    #[command(flatten)]
    folder: CrateFolder,
    /// Where the module is written [default: wasm/NAME.wasm in the crate's folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The compiler [default: RUSTC, or the first that has the target: rustc, /usr/bin/rustc]
    #[arg(long, value_name = "FILE")]
    rustc: Option<PathBuf>,
    /// More arguments for `cargo rustc`, as --offline
    #[arg(last = true, value_name = "CARGO_ARGUMENTS")]
    cargo: Vec<OsString>,
}

/// Variables that would change the module's bytes.
const FLAGS: [&str; 3] = ["RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"];

/// Between arguments of the compiler in Cargo's variable.
const SEPARATOR: &str = "\x1f";

#[derive(Serialize)]
struct Built {
    package: String,
    compiler: String,
    /// Whether the standard library was compiled with the module.
    library_from_source: bool,
    /// Of the module; `file` is where it was written, or, refused, where Cargo left it.
    #[serde(flatten)]
    module: CheckedFile,
}

impl Report for Built {
    const SCHEMA: &'static str = "phalanx.contract.build/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        let module = &self.module;
        let library = if self.library_from_source { ", standard library from source" } else { "" };
        let mut rows = vec![("module", module.file.clone()), ("compiler", format!("{}{library}", self.compiler))];
        match module.verdict {
            Verdict::Accepted => rows.extend([
                ("bytes", format!("{}, {} with metering", module.bytes, module.instrumented_bytes)),
                ("methods", module.methods.join(", ")),
            ]),
            Verdict::Refused | Verdict::Unreadable => rows.push(("verdict", "refused".to_owned())),
        }
        print_rows(out, &rows)?;
        module.reasons.iter().try_for_each(|reason| writeln!(out, "    {}", reason.text))
    }
}

pub(crate) fn execute(arguments: &BuildArguments, context: &Context) -> Result<Exit, Failure> {
    let contract = arguments.folder.open()?;
    let toolchain = Toolchain::find(arguments.rustc.as_deref(), &contract.folder)?;
    let built = build(&contract, &toolchain, &arguments.cargo)?;
    let mut module = check_file(&built, false);
    for warning in &module.warnings {
        context.output.warn(warning);
    }
    let exit = match module.verdict {
        Verdict::Accepted => {
            let out = arguments.out.clone().unwrap_or_else(|| contract.module());
            write(&built, &out)?;
            module.file = out.display().to_string();
            Exit::Ok
        }
        Verdict::Refused | Verdict::Unreadable => Exit::Failed,
    };
    context.output.print(&Built {
        package: contract.name,
        compiler: toolchain.version,
        library_from_source: toolchain.library == Library::FromSource,
        module,
    })?;
    Ok(exit)
}

/// Copies a module to its place.
fn write(built: &Path, out: &Path) -> Result<(), Failure> {
    let parent = out.parent().map_or(Ok(()), fs::create_dir_all);
    parent.and_then(|()| fs::copy(built, out)).map(|_| ()).map_err(|error| {
        Failure::failed(format_args!("{}: {error}", out.display()), "name a file that can be written with --out")
    })
}

/// Runs Cargo and answers where the module is.
fn build(contract: &ContractCrate, toolchain: &Toolchain, more: &[OsString]) -> Result<PathBuf, Failure> {
    let mut command = command(contract, toolchain);
    let mut running = command.args(more).stdout(Stdio::piped()).spawn().map_err(|error| not_started(&error))?;
    // Standard output is a pipe, so it is there. It is read to its end even if a line is none: Cargo waits for its reader.
    let messages = running.stdout.take().map(BufReader::new);
    let module =
        messages.and_then(|messages| messages.lines().map_while(Result::ok).filter_map(|line| module_of(&line)).last());
    let status = running.wait().map_err(|error| not_started(&error))?;
    if !status.success() {
        return Err(Failure::failed(ended(status), "mend what it says above"));
    }
    module.ok_or_else(|| {
        Failure::failed(
            format_args!("`{}` makes no module", contract.name),
            "let Cargo.toml have [lib] with crate-type = [\"cdylib\", \"rlib\"]",
        )
    })
}

fn command(contract: &ContractCrate, toolchain: &Toolchain) -> Command {
    let mut command = cargo("rustc", &contract.folder);
    command.args(["--profile", "contract", "--target", TARGET, "--lib", "--crate-type", "cdylib"]);
    command.args(["--message-format", "json-render-diagnostics"]);
    command.env("RUSTC", &toolchain.rustc).env("CARGO_ENCODED_RUSTFLAGS", remapped(contract, toolchain));
    for flags in FLAGS {
        command.env_remove(flags);
    }
    if let Some(linker) = toolchain.linker {
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    if toolchain.library == Library::FromSource {
        // Cargo builds the library on its nightlies alone, unless it is told to.
        command.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=core,alloc,panic_abort");
    }
    command
}

/// Arguments of the compiler that keep this machine's paths out of the module: panics tell where they are.
fn remapped(contract: &ContractCrate, toolchain: &Toolchain) -> OsString {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let folder = fs::canonicalize(&contract.folder).ok();
    let places = [(folder, &*contract.name), (cargo_home, "cargo"), (Some(toolchain.library_source.clone()), "rust")];
    let mut flags = OsString::new();
    for (path, name) in places.into_iter().filter_map(|(path, name)| Some((path?, name))) {
        if !flags.is_empty() {
            flags.push(SEPARATOR);
        }
        flags.push("--remap-path-prefix=");
        flags.push(path);
        flags.push(format!("={name}"));
    }
    flags
}

/// A line of Cargo's messages.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// The module that a message tells of.
fn module_of(line: &str) -> Option<PathBuf> {
    let message: Message = serde_json::from_str(line).ok()?;
    let is_module = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "wasm");
    message.filenames.into_iter().find(is_module).filter(|_| message.reason == "compiler-artifact")
}
