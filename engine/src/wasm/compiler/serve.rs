//! A process that compiles, from within.

use super::CompileStep;
use super::message::{read_job, write_answer};
use crate::wasm::code_cache::compile_sealed;
use std::io::{self, Read, Write};

/// Compiles what an engine asks for, until it asks no more: the body of the program that a
/// [`CompilerCommand`](crate::CompilerCommand) starts, with its standard input and output.
///
/// The program sets its own limits of memory and time, by `before`, which is told the step of each module before it is compiled. What
/// goes beyond ends the process; the engine sees to the rest. Nothing else may be written to the output.
///
/// ```no_run
/// use phalanx_engine::{CompilerCommand, Engine, Options, serve_compiler};
/// use std::process::Command;
///
/// if std::env::args().nth(1).as_deref() == Some("compiler") {
///     // Here the program sets limits to itself, with `setrlimit` for instance.
///     serve_compiler(std::io::stdin(), std::io::stdout(), |_step| {}).expect("an engine asks");
///     return;
/// }
/// let compiler: CompilerCommand = || {
///     let mut command = Command::new("/proc/self/exe");
///     command.arg("compiler");
///     command
/// };
/// let engine = Engine::new(Options { compiler: Some(compiler), ..Options::default() });
/// # drop(engine);
/// ```
///
/// # Errors
/// What reading or writing failed with, and messages that no engine of this version sends.
pub fn serve_compiler(mut from: impl Read, mut to: impl Write, mut before: impl FnMut(CompileStep)) -> io::Result<()> {
    while let Some(job) = read_job(&mut from)? {
        before(job.step);
        let sealed = compile_sealed(job.secret, job.step, job.code_hash, &job.wasm);
        let answer = sealed.as_ref().map(|(head, code)| [&head[..], code]).map_err(String::as_str);
        write_answer(&mut to, &answer)?;
    }
    Ok(())
}
