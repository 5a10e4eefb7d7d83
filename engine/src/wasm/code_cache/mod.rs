//! Machine code that is kept in files, so that opening a data directory need not compile its modules again.
//!
//! - `identity`: what machine code is a function of.
//! - `sealed`: the bytes of a file, and the only place that loads machine code.
//! - `one_time`: the same bytes from a process that compiles, which become no file.
//! - `secret`: the key that makes a file ours.
//! - `directory`: the files, and how many there may be.
//! - `replace`: a file comes whole or not at all.
//!
//! A file is *taken* when it is found under the module's hash, is private, has the tag that only our secret makes, and was
//! made of the same instrumented module by the same compiler. Otherwise the module is compiled, as if the file were not
//! there, and the file is replaced. So no file, whatever is in it, is an error or changes a result: machine code that is
//! taken is what the compiler would make again.

mod directory;
mod identity;
mod one_time;
mod replace;
mod sealed;
mod secret;
#[cfg(test)]
mod tests;

pub(super) use one_time::{OneTimeSecret, compile_here, compile_sealed};

use super::runtime::{Compiled, Runtime};
use crate::digest::Digest;
use crate::fs::FileSystem;
use crate::prepare::Prepared;
use directory::{Bound, CodeDirectory};
use identity::Identity;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::Module;

/// Where an engine looks for machine code before it compiles a module.
///
/// The files are derived data: they are not synced, and may be deleted at any time. `FORMAT.md` draws them. No result
/// depends on them.
pub struct CodeCache {
    files: Files,
    hits: AtomicU64,
    misses: AtomicU64,
    unwritten: AtomicU64,
}

enum Files {
    /// None are wanted.
    None,
    /// They are wanted, and the directory cannot be ours.
    Refused,
    In(CodeDirectory),
}

/// How often a [`CodeCache`] served, since it was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CodeCacheStatistics {
    /// Modules whose machine code was taken from a file.
    pub hits: u64,
    /// Modules that were compiled, as no file could be taken.
    pub misses: u64,
    /// Modules among those whose machine code should have been written, and could not be: a full disk, a directory that
    /// cannot be written.
    pub unwritten: u64,
}

impl CodeCache {
    /// No files: every module is compiled.
    pub fn none() -> Self {
        Self::of(Files::None)
    }

    /// Keeps machine code in a directory of its own, which is made private (mode 0700) to this process's user. It takes at
    /// most [`CODE_CACHE_BYTES_MAX`](crate::limits::CODE_CACHE_BYTES_MAX). If that cannot be, every module is
    /// compiled.
    ///
    /// Whoever can write to the directory as this user can make the engine execute any code: it is as trusted as the
    /// program itself.
    pub fn open(fs: Arc<dyn FileSystem>, directory: &Path) -> Self {
        Self::of(CodeDirectory::open(fs, directory, Bound::of_a_node()).map_or(Files::Refused, Files::In))
    }

    /// Takes what is in such a directory, and changes nothing.
    pub fn read(fs: Arc<dyn FileSystem>, directory: &Path) -> Self {
        Self::of(CodeDirectory::read(fs, directory).map_or(Files::None, Files::In))
    }

    fn of(files: Files) -> Self {
        Self { files, hits: AtomicU64::new(0), misses: AtomicU64::new(0), unwritten: AtomicU64::new(0) }
    }

    /// How often it served so far.
    pub fn statistics(&self) -> CodeCacheStatistics {
        // Relaxed: each is a count of its own, and nothing else is read because of it.
        CodeCacheStatistics {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            unwritten: self.unwritten.load(Ordering::Relaxed),
        }
    }

    /// Machine code of a module from its file, if there is one that can be taken.
    pub(super) fn take(&self, code_hash: Digest, prepared: &Prepared) -> Option<Compiled> {
        let runtime = Runtime::shared();
        let taken = match &self.files {
            Files::In(directory) => {
                take(directory, runtime, &Identity::new(code_hash, &prepared.wasm, runtime.engine()))
            }
            Files::None | Files::Refused => None,
        };
        let counted = if taken.is_some() { &self.hits } else { &self.misses };
        counted.fetch_add(1, Ordering::Relaxed);
        taken
    }

    /// Keeps a module's machine code in a file, where files are wanted: what the optimising compiler made.
    pub(super) fn keep(&self, code_hash: Digest, prepared: &Prepared, module: &Module) {
        let written = match &self.files {
            Files::None => true,
            Files::Refused => false,
            Files::In(directory) => {
                let identity = Identity::new(code_hash, &prepared.wasm, Runtime::shared().engine());
                keep(directory, &identity, module)
            }
        };
        self.unwritten.fetch_add(u64::from(!written), Ordering::Relaxed);
    }
}

fn take(directory: &CodeDirectory, runtime: &Runtime, identity: &Identity) -> Option<Compiled> {
    let bytes = directory.load(&identity.code_hash)?;
    let module = sealed::load(directory.secret(), identity, &bytes, runtime.engine())?;
    runtime.link(&module).ok()
}

/// Whether all is well: the file is written, or need not be.
fn keep(directory: &CodeDirectory, identity: &Identity, module: &Module) -> bool {
    if !directory.is_writable() {
        return true;
    }
    let sealed = sealed::seal(directory.secret(), identity, module);
    sealed.is_some_and(|(head, code)| directory.keep(identity.code_hash, &[&head, &code]).is_ok())
}
