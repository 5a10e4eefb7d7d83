//! What machine code is a function of: the instrumented module and the compiler.

use crate::digest::Digest;
use crate::prepare::PASS_VERSION;
use std::hash::{Hash, Hasher};
use wasmtime::Engine;

/// Says which machine code a file has to hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Identity {
    /// Version of the preparation pass.
    pub(super) pass_version: u32,
    /// Hash of the module as it was deployed; the file is named by it.
    pub(super) code_hash: Digest,
    /// Hash of what the pass made of it. The pass runs at every deploy anyway, and so a change of the pass that forgot
    /// to raise its version finds no old machine code.
    pub(super) instrumented: Digest,
    /// Fingerprint of the compiler.
    pub(super) compiler: Digest,
}

impl Identity {
    /// That of an instrumented module, compiled as `engine` is set.
    pub(super) fn new(code_hash: Digest, wasm: &[u8], engine: &Engine) -> Self {
        Self {
            pass_version: PASS_VERSION,
            code_hash,
            instrumented: *blake3::hash(wasm).as_bytes(),
            compiler: fingerprint(engine),
        }
    }
}

/// Hash of all that wasmtime says its machine code depends on: target, compiler settings, features of the processor, and
/// wasmtime's exact version.
fn fingerprint(engine: &Engine) -> Digest {
    let mut hasher = Blake3Hasher(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    *hasher.0.finalize().as_bytes()
}

/// Hands what is hashed to blake3: the 64 bits of an ordinary hasher would not tell settings apart for sure.
struct Blake3Hasher(blake3::Hasher);

impl Hasher for Blake3Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        u64::from_le_bytes(*self.0.finalize().as_bytes().first_chunk().expect("32 bytes"))
    }
}
