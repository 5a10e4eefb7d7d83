//! The contract runtime: compiled modules, their instances, and the host functions they call.
//!
//! - `runtime`: the one wasmtime engine of the process, its settings, and the compiled modules.
//! - `instance`: an instance that is used for call after call and reset in between.
//! - `guest`: the only file that touches a guest's memory.
//! - `frame`: what host functions know of the running call.
//! - `host`: the host functions.

mod frame;
mod guest;
mod host;
mod instance;
mod runtime;

pub(crate) use frame::{Frame, TargetContract};
pub(crate) use instance::{InstancePool, Invocation};
pub(crate) use runtime::{Code, oracle_engine, trap_outcome};
