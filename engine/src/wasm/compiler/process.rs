//! A process that compiles, as the engine sees it.

use super::CompileStep;
use super::message::{Answer, read_answer, write_job};
use crate::digest::Digest;
use crate::wasm::code_cache::OneTimeSecret;
use parking_lot::Mutex;
use std::io::{self, ErrorKind};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use wasmtime::Module;

/// Makes the command that starts a process which compiles, by [`serve_compiler`](crate::serve_compiler): the embedder's own program, with an
/// argument that leads there, and limits that the program sets itself. The engine takes its standard input and output.
pub type CompilerCommand = fn() -> Command;

/// How the system ends a process when memory runs out. A compiler that crashes or passes its limits ends otherwise.
const SIGKILL: i32 = 9;

/// Why there is no machine code.
pub(super) enum Failure {
    /// The system gave no process, or took it away.
    NoProcess(String),
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
        let no_process = |error: io::Error| Failure::NoProcess(error.to_string());
        let secret = OneTimeSecret::new().map_err(no_process)?;
        loop {
            let is_fresh = self.pipes.is_none();
            if is_fresh {
                self.start().map_err(no_process)?;
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
                    // Its pipes are closed as it ended; otherwise it went mad.
                    let has_ended = matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe);
                    let Some(status) = self.wait(has_ended) else {
                        return Err(Failure::Compiler(format!("the process that compiled is none: {error}")));
                    };
                    let text = format!("the process that compiled ended: {status}");
                    if status.signal() == Some(SIGKILL) {
                        return Err(Failure::NoProcess(text));
                    }
                    if is_fresh {
                        return Err(Failure::Compiler(text));
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

    /// Ends the process, if there is one.
    pub(super) fn end(&mut self) {
        self.wait(false);
    }

    /// Waits for the end of a process, and says how it ended if that was its own doing: one that has not ended is made to.
    fn wait(&mut self, has_ended: bool) -> Option<ExitStatus> {
        self.pipes = None;
        let mut child = self.child.lock().child.take()?;
        if !has_ended {
            // It has nothing to lose. It may have ended by itself.
            _ = child.kill();
        }
        child.wait().ok().filter(|_| has_ended)
    }
}

impl Drop for CompilerProcess {
    fn drop(&mut self) {
        self.end();
    }
}
