//! A process that compiles, as the engine sees it.

use super::CompileStep;
use super::message::{Answer, read_answer, write_job};
use crate::digest::Digest;
use crate::wasm::code_cache::OneTimeSecret;
use parking_lot::Mutex;
use std::io;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use wasmtime::Module;

/// Makes the command that starts a process which compiles, by [`serve_compiler`](crate::serve_compiler): the embedder's own program, with an
/// argument that leads there, and limits that the program sets itself. The engine takes its standard input and output.
pub type CompilerCommand = fn() -> Command;

/// Why there is no machine code.
pub(super) enum Failure {
    /// The system gave no process.
    NotStarted(io::Error),
    /// The compiler refused, crashed, or went beyond a limit.
    Compiler(String),
}

/// A process that is started when it is first needed, and again when it ended.
pub(super) struct CompilerProcess {
    command: CompilerCommand,
    pipes: Option<(ChildStdin, ChildStdout)>,
    child: Arc<Mutex<Slot>>,
}

/// Where the process is found by who ends it.
#[derive(Default)]
struct Slot {
    child: Option<Child>,
    closed: bool,
}

/// Ends a [`CompilerProcess`] from another thread, for good.
pub(super) struct Ender(Arc<Mutex<Slot>>);

impl Ender {
    pub(super) fn close(&self) {
        let mut slot = self.0.lock();
        slot.closed = true;
        if let Some(child) = &mut slot.child {
            // It may have ended by itself.
            _ = child.kill();
        }
    }
}

impl CompilerProcess {
    pub(super) fn new(command: CompilerCommand) -> Self {
        Self { command, pipes: None, child: Arc::default() }
    }

    pub(super) fn ender(&self) -> Ender {
        Ender(Arc::clone(&self.child))
    }

    /// Compiles an instrumented module. What fails in a process that has compiled before is tried in a fresh one: its limits
    /// may be used up.
    pub(super) fn compile(&mut self, step: CompileStep, code_hash: Digest, wasm: &[u8]) -> Result<Module, Failure> {
        let secret = OneTimeSecret::new().map_err(Failure::NotStarted)?;
        loop {
            let is_fresh = self.pipes.is_none();
            if is_fresh {
                self.start().map_err(Failure::NotStarted)?;
            }
            match self.ask(step, &secret, code_hash, wasm) {
                Ok(Ok(sealed)) => {
                    return secret.load(step, code_hash, wasm, &sealed).ok_or_else(|| {
                        self.end();
                        Failure::Compiler("the process answered with what it was not asked for".to_owned())
                    });
                }
                Ok(Err(text)) => return Err(Failure::Compiler(text)),
                Err(error) => {
                    let status = self.end();
                    if is_fresh {
                        return Err(Failure::Compiler(format!("the process that compiled ended: {status} ({error})")));
                    }
                }
            }
        }
    }

    fn start(&mut self) -> io::Result<()> {
        let mut slot = self.child.lock();
        if slot.closed {
            return Err(io::Error::other("the engine ends"));
        }
        let mut child = (self.command)().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        self.pipes = child.stdin.take().zip(child.stdout.take());
        slot.child = Some(child);
        Ok(())
    }

    fn ask(&mut self, step: CompileStep, secret: &OneTimeSecret, code_hash: Digest, wasm: &[u8]) -> io::Result<Answer> {
        let (to, from) = self.pipes.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        write_job(to, step, secret.bytes(), &code_hash, wasm)?;
        read_answer(from)
    }

    /// Ends the process, if there is one, and says how it ended.
    pub(super) fn end(&mut self) -> String {
        self.pipes = None;
        let Some(mut child) = self.child.lock().child.take() else { return "there was none".to_owned() };
        // One that crashed has ended already, and this changes nothing; one that waits for more has nothing to lose.
        _ = child.kill();
        child.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}

impl Drop for CompilerProcess {
    fn drop(&mut self) {
        self.end();
    }
}
