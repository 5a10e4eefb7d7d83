//! The contract runtime: compiled modules, their instances, and the host functions they call.
//!
//! - `runtime`: the one wasmtime engine of the process, its settings, and the compiled modules.
//! - `compiler`: in one step or two, here or in processes of their own.
//! - `code_cache`: machine code in files; its `sealed` is the only file of the source that loads any.
//! - `instance`: an instance that is used for call after call and reset in between.
//! - `guest`: the only file that touches a guest's memory.
//! - `frame`: what host functions know of the running call.
//! - `host`: the host functions.
//! - `nested`: calls of contracts by contracts.

mod code_cache;
mod compiler;
mod frame;
mod guest;
mod host;
mod instance;
mod nested;
mod runtime;

pub use code_cache::{CodeCache, CodeCacheStatistics};
pub(crate) use compiler::Compiler;
pub use compiler::{CompileStep, CompilerCommand, CompilerStatistics, serve_compiler};
pub(crate) use frame::{Frame, TargetContract};
pub(crate) use instance::{InstancePool, Invocation};
pub(crate) use nested::Nested;
pub(crate) use runtime::{Code, oracle_engine, trap_outcome};
