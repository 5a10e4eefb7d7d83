//! Calls files on disk.

use std::fs;
use std::path::Path;

use super::modules::Modules;
use super::{BadLine, CallsFile};
use crate::exit::Failure;

/// The bytes of a calls file.
///
/// # Errors
/// Exit code 2: it cannot be read.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::usage(format_args!("{}: {error}", path.display()), "name a file of calls"))
}

impl<'a> CallsFile<'a> {
    /// Checks the lines of the file that stands at `path`.
    ///
    /// # Errors
    /// Exit code 2: a line is not of the forms, or names a module that cannot be read.
    pub(crate) fn of(text: &'a [u8], path: &Path) -> Result<CallsFile<'a>, Failure> {
        CallsFile::parse(text, Modules::of(directory(path))).map_err(|bad| refused(path, &bad))
    }

    /// The same, with another module in the place of the one that the file names.
    ///
    /// # Errors
    /// Exit code 2: also where the file names no module, or several.
    pub(crate) fn of_with_module(text: &'a [u8], path: &Path, module: &Path) -> Result<CallsFile<'a>, Failure> {
        let modules = Modules::replaced_by(directory(path), module);
        let file = CallsFile::parse(text, modules).map_err(|bad| refused(path, &bad))?;
        match file.lines.iter().any(|line| line.changes_code()) {
            true => Ok(file),
            false => Err(Failure::usage(
                format_args!("{}: no line names a module that --module could stand for", path.display()),
                "let the file deploy one",
            )),
        }
    }
}

/// Paths in a file are relative to its folder.
fn directory(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn refused(path: &Path, bad: &BadLine) -> Failure {
    Failure::usage(
        format_args!("{}: {bad}", path.display()),
        "a line is {\"deploy\": {wasm, name, sender, salt?}}, {\"upgrade\": {wasm, contract, sender}} or \
         {\"call\": {contract, method, sender, args or input, gas?}}; nothing ran",
    )
}
