//! The bytes of a file of machine code, and **the only place that loads machine code**.
//!
//! ```text
//! file      +----------+-----------------------------+
//!           | head 152 | machine code                |
//!           +----------+-----------------------------+
//!    0  8   "PHXCODE\n"
//!    8  4   format version: 1
//!   12  4   version of the preparation pass
//!   16  32  code hash
//!   48  32  hash of the instrumented module
//!   80  32  fingerprint of the compiler
//!  112  8   bytes of machine code
//!  120  32  tag: blake3, keyed with the secret, of bytes 0 … 119 and the machine code
//! ```
//!
//! # Why loading is sound
//!
//! [`Module::deserialize`] takes bytes on trust: with others than [`Module::serialize`] gave, it would run them as
//! machine code. It is sound here because of four facts:
//!
//! 1. A tag is made in this file alone, over what wasmtime answered here, with its identity before it: in [`seal`] what
//!    `Module::serialize` did, in [`compile`] what `Engine::precompile_module` did, which is the same. The identity has a
//!    fixed length, so that one message has one reading.
//! 2. Whoever has no secret cannot make a tag (blake3's keyed mode is a message authentication code). The secret comes from
//!    the operating system. A directory's lies in a file that is taken only if it belongs to our user and nobody else may
//!    read it. One that is used once is told to the process that the engine started, over its input (`one_time.rs`). Neither
//!    leaves the process otherwise. Who can read it runs as us already, or is root; and who can choose the program that is started
//!    can have any code executed anyway.
//! 3. Checked and loaded is the same memory: the file was read before, and what happens to it afterwards has no effect.
//!    (So the file is not mapped.)
//! 4. The identity that was sealed is that of now: the machine code is of this module, and made with the compiler's
//!    settings, the processor's features and the exact version of wasmtime that this process has. wasmtime refuses other
//!    versions and settings itself; that stays as a second check.

use super::identity::Identity;
use super::secret::Secret;
use wasmtime::{Engine, Module};

const MAGIC: &[u8; 8] = b"PHXCODE\n";
const FORMAT_VERSION: u32 = 1;
/// Bytes before the tag.
const IDENTITY_BYTES: usize = 120;
/// Bytes before the machine code.
pub(super) const HEAD_BYTES: usize = 152;

/// Head and machine code of a file; `None` if wasmtime does not give the machine code away.
pub(super) fn seal(secret: &Secret, identity: &Identity, module: &Module) -> Option<([u8; HEAD_BYTES], Vec<u8>)> {
    let code = module.serialize().ok()?;
    Some((head(secret, identity, &code), code))
}

/// Compiles an instrumented module as `engine` is set: head and machine code of a file.
///
/// # Errors
/// The compiler's text.
pub(super) fn compile(
    secret: &Secret,
    identity: &Identity,
    wasm: &[u8],
    engine: &Engine,
) -> Result<([u8; HEAD_BYTES], Vec<u8>), String> {
    let code = engine.precompile_module(wasm).map_err(|error| format!("{error:#}"))?;
    Ok((head(secret, identity, &code), code))
}

fn head(secret: &Secret, identity: &Identity, code: &[u8]) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..IDENTITY_BYTES].copy_from_slice(&encode(identity, code.len()));
    let tag = secret.tag(&head[..IDENTITY_BYTES], code);
    head[IDENTITY_BYTES..].copy_from_slice(tag.as_bytes());
    head
}

/// The module of a file's bytes; `None` unless they were sealed with this secret for this identity.
pub(super) fn load(secret: &Secret, identity: &Identity, bytes: &[u8], engine: &Engine) -> Option<Module> {
    let code = authentic_code(secret, identity, bytes)?;
    // SAFETY: the bytes are machine code that wasmtime made, for this identity, whole and unchanged: see the four facts
    // above.
    unsafe { Module::deserialize(engine, code) }.ok()
}

fn authentic_code<'a>(secret: &Secret, identity: &Identity, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (head, code) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let (sealed, tag) = head.split_first_chunk::<IDENTITY_BYTES>()?;
    let expected = encode(identity, code.len());
    // The comparison of hashes takes the same time wherever they differ.
    (*sealed == expected && secret.tag(sealed, code) == *<&[u8; 32]>::try_from(tag).ok()?).then_some(code)
}

fn encode(identity: &Identity, code_bytes: usize) -> [u8; IDENTITY_BYTES] {
    let mut bytes = [0; IDENTITY_BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&identity.pass_version.to_le_bytes());
    bytes[16..48].copy_from_slice(&identity.code_hash);
    bytes[48..80].copy_from_slice(&identity.instrumented);
    bytes[80..112].copy_from_slice(&identity.compiler);
    bytes[112..].copy_from_slice(&(code_bytes as u64).to_le_bytes());
    bytes
}
