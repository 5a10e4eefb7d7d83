//! The secret that makes a file of machine code ours. Made once a directory, from the operating system's randomness; what another process
//! compiles has one of its own, which no file has.
//!
//! ```text
//! file "key"
//!    0  8   "PHXKEY\r\n"
//!    8  4   format version: 1
//!   12  32  secret
//!   44  4   CRC-32 (IEEE) of bytes 0 … 43
//! ```
//!
//! The checksum is there as nothing is synced: what a crash left, zeros for instance, must not become the secret.

use super::replace::replace;
use crate::digest::Digest;
use crate::fs::FileSystem;
use std::io;
use std::path::Path;

const NAME: &str = "key";
const MAGIC: &[u8; 8] = b"PHXKEY\r\n";
const FORMAT_VERSION: u32 = 1;
const FILE_BYTES: usize = 48;

/// 32 random bytes. There is no `Debug`: it must not reach a text.
#[derive(Clone)]
pub(super) struct Secret([u8; 32]);

impl Secret {
    /// The secret of a directory; `None` if it has none, or one that others may have read.
    pub(super) fn read(fs: &dyn FileSystem, directory: &Path) -> Option<Self> {
        let file = fs.open_private(&directory.join(NAME)).ok()?;
        // One byte more, to see that there is none.
        let mut bytes = [0; FILE_BYTES + 1];
        let length = file.read_at(&mut bytes, 0).ok()?;
        Self::decode(bytes[..length].try_into().ok()?)
    }

    /// Gives a directory a new secret, in place of any that it has.
    pub(super) fn create(fs: &dyn FileSystem, directory: &Path) -> io::Result<Self> {
        let secret = Self::random()?;
        replace(fs, directory, NAME, &[&secret.encode()])?;
        Ok(secret)
    }

    /// 32 bytes of the operating system's randomness.
    #[expect(clippy::disallowed_methods, reason = "a secret must be one; results depend on no file that it seals")]
    pub(super) fn random() -> io::Result<Self> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|_| io::Error::other("the system gives no randomness"))?;
        Ok(Self(secret))
    }

    /// One that another process made.
    pub(super) fn given(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Authenticates machine code with what comes before it, which has always the same length.
    pub(super) fn tag(&self, head: &[u8], code: &[u8]) -> blake3::Hash {
        blake3::Hasher::new_keyed(&self.0).update(head).update(code).finalize()
    }

    /// A number of a module that nobody can know who chooses the module. The message is shorter than any that has a tag.
    pub(super) fn lot(&self, code_hash: &Digest) -> Digest {
        *blake3::keyed_hash(&self.0, code_hash).as_bytes()
    }

    fn encode(&self) -> [u8; FILE_BYTES] {
        let mut bytes = [0; FILE_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[12..44].copy_from_slice(&self.0);
        let checksum = crc32fast::hash(&bytes[..44]);
        bytes[44..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; FILE_BYTES]) -> Option<Self> {
        let secret = Self(bytes[12..44].try_into().expect("32 bytes"));
        (secret.encode() == *bytes).then_some(secret)
    }
}
