//! Machine code that comes from another process, or from this one's other settings: sealed like a file, with a secret that is used once.
//!
//! The secret goes to the process over its input and the sealed machine code comes back over its output, so that what has its
//! tag was made by whoever was asked, of the module that was meant, and came whole. A program that is not ours, or prints
//! something else between, is found out instead of executed.

use super::identity::Identity;
use super::sealed::{self, HEAD_BYTES};
use super::secret::Secret;
use crate::digest::Digest;
use crate::wasm::compiler::CompileStep;
use crate::wasm::runtime::Runtime;
use std::io;
use wasmtime::Module;

/// A secret for machine code that one process is asked for.
pub(in crate::wasm) struct OneTimeSecret(Secret);

impl OneTimeSecret {
    pub(in crate::wasm) fn new() -> io::Result<Self> {
        Secret::random().map(Self)
    }

    /// For the process that is asked, and nobody else.
    pub(in crate::wasm) fn bytes(&self) -> &[u8; 32] {
        self.0.bytes()
    }

    /// The module of what the process answered; `None` unless it is what was asked for.
    pub(in crate::wasm) fn load(
        &self,
        step: CompileStep,
        code_hash: Digest,
        wasm: &[u8],
        bytes: &[u8],
    ) -> Option<Module> {
        let identity = Identity::new(code_hash, wasm, step.engine());
        sealed::load(&self.0, &identity, bytes, Runtime::shared().engine())
    }
}

/// Compiles an instrumented module for whoever gave the secret: head and machine code.
///
/// # Errors
/// The compiler's text.
pub(in crate::wasm) fn compile_sealed(
    secret: [u8; 32],
    step: CompileStep,
    code_hash: Digest,
    wasm: &[u8],
) -> Result<([u8; HEAD_BYTES], Vec<u8>), String> {
    let identity = Identity::new(code_hash, wasm, step.engine());
    sealed::compile(&Secret::given(secret), &identity, wasm, step.engine())
}

/// Compiles in this process with the settings of a step.
///
/// # Errors
/// The compiler's text.
pub(in crate::wasm) fn compile_here(step: CompileStep, code_hash: Digest, wasm: &[u8]) -> Result<Module, String> {
    let secret = OneTimeSecret::new().map_err(|error| error.to_string())?;
    let (head, code) = compile_sealed(*secret.bytes(), step, code_hash, wasm)?;
    let loaded = secret.load(step, code_hash, wasm, &[&head[..], &code].concat());
    loaded.ok_or_else(|| "machine code that was just made does not load".to_owned())
}
