//! `phalanx contract abi`.

use clap::Args;
use std::path::{Path, PathBuf};

use crate::abi::Abi;
use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::output::print_json;

#[derive(Debug, Args)]
pub(crate) struct AbiArguments {
    /// The module
    file: PathBuf,
}

pub(super) fn execute(arguments: &AbiArguments, context: &Context) -> Result<Exit, Failure> {
    let abi = read(&arguments.file)?;
    // One document in either format: an ABI is JSON already.
    context.output.write(|out| print_json(out, "phalanx.contract.abi/1", abi.lines()))?;
    Ok(Exit::Ok)
}

/// The ABI of a module's file.
///
/// # Errors
/// Exit code 2 for a file that cannot be read, 1 for a module that carries no ABI.
pub(super) fn read(path: &Path) -> Result<Abi, Failure> {
    let file = path.display();
    let module = std::fs::read(path)
        .map_err(|error| Failure::usage(format_args!("{file}: {error}"), "name the file of a module"))?;
    if !module.starts_with(b"\0asm") {
        return Err(Failure::failed(format_args!("{file}: not a Wasm module"), "name the file of a module"));
    }
    Abi::of_module(&module).ok_or_else(|| {
        Failure::failed(
            format_args!("{file}: the module has no custom section `abi`"),
            "build it with the contract SDK, or keep custom sections when it is stripped",
        )
    })
}
