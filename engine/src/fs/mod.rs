//! The file system as the engine sees it: few operations, behind a trait, so that tests can lose, tear and refuse
//! them ([`faulty`]). Every file (log, receipt segments, machine code) goes through here.
//!
//! What an implementation must keep: a write is visible to later reads at once, and durable only after
//! [`File::sync_data`] returned `Ok`. A created, renamed or removed name is durable only after
//! [`FileSystem::sync_directory`]. After a failed sync nothing is known about the bytes written since the last one that
//! succeeded; a later sync that succeeds doesn't bring them back.

mod direct;
pub mod faulty;
mod forgetting;
mod real;

pub(crate) use forgetting::{CACHED_BYTES, Forgetting};
pub use real::RealFileSystem;

use std::any::Any;
use std::io;
use std::ops::Range;
use std::path::Path;

/// How [`FileSystem::open`] opens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// An existing file, for reading only.
    Read,
    /// An existing file, for reading and writing.
    ReadWrite,
    /// A new file, for reading and writing; `AlreadyExists` if the name is taken.
    CreateNew,
}

/// A directory tree with explicit durability.
pub trait FileSystem: Send + Sync + 'static {
    /// Opens or creates a file.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>>;
    /// Creates a directory and its parents; one that exists is no error.
    fn create_directory(&self, path: &Path) -> io::Result<()>;
    /// Names of the files in a directory, sorted; `NotFound` if there is none.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;
    /// Renames a file within its directory.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;
    /// Holds `path` as a lock file until the answer is dropped; `WouldBlock` while another holder, of this process or
    /// another, has it. The operating system frees it when a process dies.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>>;

    /// Whether a file or directory belongs to this process's user, and nobody else may read or write it. An implementation
    /// that cannot tell answers `Unsupported`, as this one does; then no machine code is kept on it.
    fn is_private(&self, _path: &Path) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Creates a directory that is private in that sense, and its parents, which need not be. One that exists becomes so.
    fn create_private_directory(&self, _path: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Creates a private file as [`Access::CreateNew`] does. It is private from its first moment on.
    fn create_private(&self, _path: &Path) -> io::Result<Box<dyn File>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Opens a private file for reading; `PermissionDenied` if it is not private. What is looked at is the file that is
    /// opened, whatever happens to its name meanwhile.
    fn open_private(&self, _path: &Path) -> io::Result<Box<dyn File>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// An open file. Offsets and lengths are bytes.
pub trait File: Send + Sync {
    /// The file's length.
    fn length(&self) -> io::Result<u64>;
    /// Fills `buffer` from `offset` on; returns fewer bytes than asked only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes `parts` one after the other from `offset` on, whole. After an error any part of them may be written.
    fn write_at(&self, offset: u64, parts: &[&[u8]]) -> io::Result<()>;
    /// Cuts the file, or extends it by zeros.
    fn set_length(&self, length: u64) -> io::Result<()>;
    /// Makes contents and length durable.
    fn sync_data(&self) -> io::Result<()>;

    /// Says that a range that was synced will rarely be read again, so that it need not stay in memory. It is advice: nothing
    /// that can be read depends on it.
    fn forget_cached(&self, _range: Range<u64>) {}
}
