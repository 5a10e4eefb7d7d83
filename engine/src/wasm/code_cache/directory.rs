//! The directory of a cache of machine code: a file a module, and not more than a bound allows.
//!
//! Past the bound the files with the lowest *lots* go, the new one among them: a lot is a number that a module's hash and
//! the secret give. So what is kept does not depend on the order in which modules come. A log replays them in one
//! order, every time; were the oldest file to go, a log of more modules than there is room for would find none of
//! them, having dropped each just before it is wanted. And no stranger can make modules that stay.

use super::replace::{UNFINISHED, replace};
use super::secret::Secret;
use crate::digest::Digest;
use crate::fs::{Access, FileSystem};
use crate::limits::{CODE_CACHE_BYTES_MAX, CODE_CACHE_FILES_MAX, CODE_FILE_BYTES_MAX};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const EXTENSION: &str = ".code";

/// How much a directory may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) files: usize,
    pub(super) bytes: u64,
    pub(super) file_bytes: u64,
}

impl Bound {
    pub(super) fn of_a_node() -> Self {
        Self { files: CODE_CACHE_FILES_MAX, bytes: CODE_CACHE_BYTES_MAX, file_bytes: CODE_FILE_BYTES_MAX }
    }
}

/// A private directory with its secret.
pub(super) struct CodeDirectory {
    fs: Arc<dyn FileSystem>,
    path: PathBuf,
    secret: Secret,
    bound: Bound,
    /// `None` if the directory is only read.
    files: Option<Mutex<Listed>>,
}

/// The files that are there; `None` until they are listed, and after a failure, which may leave any of them.
type Listed = Option<Files>;

/// Files by their lots.
#[derive(Default)]
struct Files {
    by_lot: BTreeMap<Digest, (Digest, u64)>,
    bytes: u64,
}

impl CodeDirectory {
    /// Opens a directory for reading and writing; `None` if it cannot be ours alone. If others could use it, its secret is
    /// theirs too, and it gets a new one.
    pub(super) fn open(fs: Arc<dyn FileSystem>, path: &Path, bound: Bound) -> Option<Self> {
        let secret = private_secret(fs.as_ref(), path).or_else(|| begin(fs.as_ref(), path))?;
        Some(Self { fs, path: path.to_owned(), secret, bound, files: Some(Mutex::new(None)) })
    }

    /// Opens a directory for reading; `None` if there is nothing that could be trusted.
    pub(super) fn read(fs: Arc<dyn FileSystem>, path: &Path) -> Option<Self> {
        let secret = private_secret(fs.as_ref(), path)?;
        Some(Self { fs, path: path.to_owned(), secret, bound: Bound::of_a_node(), files: None })
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.secret
    }

    pub(super) fn is_writable(&self) -> bool {
        self.files.is_some()
    }

    /// The bytes of a module's file, whatever they are; `None` if there are none, or more than a file may have.
    pub(super) fn load(&self, code_hash: &Digest) -> Option<Vec<u8>> {
        let file = self.fs.open_private(&self.path.join(file_name(code_hash))).ok()?;
        let length = file.length().ok().filter(|length| *length <= self.bound.file_bytes)?;
        let mut bytes = vec![0; usize::try_from(length).ok()?];
        (file.read_at(&mut bytes, 0).ok()? == bytes.len()).then_some(bytes)
    }

    /// Writes a module's file, in place of one that is there, unless the bound forbids it.
    pub(super) fn keep(&self, code_hash: Digest, parts: &[&[u8]]) -> io::Result<()> {
        let Some(files) = &self.files else { return Ok(()) };
        let mut files = files.lock();
        let kept = self.keep_among(&mut files, code_hash, parts);
        if kept.is_err() {
            *files = None;
        }
        kept
    }

    fn keep_among(&self, listed: &mut Listed, code_hash: Digest, parts: &[&[u8]]) -> io::Result<()> {
        let length: u64 = parts.iter().map(|part| part.len() as u64).sum();
        if length > self.bound.file_bytes {
            return Ok(());
        }
        let files = match listed {
            Some(files) => files,
            None => listed.insert(self.list()?),
        };
        files.add(self.secret.lot(&code_hash), code_hash, length);
        let mut stays = true;
        while let Some(dropped) = files.drop_beyond(&self.bound) {
            self.remove(&file_name(&dropped))?;
            stays &= dropped != code_hash;
        }
        match stays {
            true => replace(self.fs.as_ref(), &self.path, &file_name(&code_hash), parts),
            false => Ok(()),
        }
    }

    /// Lists what is there, and removes what a crash left unfinished.
    fn list(&self) -> io::Result<Files> {
        let mut files = Files::default();
        for name in self.fs.list(&self.path)? {
            if let Some(code_hash) = code_hash_of(&name) {
                // A file that cannot be read takes space that nobody can tell; it is replaced when its module comes.
                let length = self.fs.open(&self.path.join(&name), Access::Read).and_then(|file| file.length());
                files.add(self.secret.lot(&code_hash), code_hash, length.unwrap_or(0));
            } else if name.strip_suffix(UNFINISHED).is_some_and(|name| code_hash_of(name).is_some()) {
                self.remove(&name)?;
            }
        }
        Ok(files)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match self.fs.remove(&self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Files {
    /// Adds a file, in place of one with this lot.
    fn add(&mut self, lot: Digest, code_hash: Digest, length: u64) {
        self.bytes += length;
        if let Some((_, replaced)) = self.by_lot.insert(lot, (code_hash, length)) {
            self.bytes -= replaced;
        }
    }

    /// Forgets the file with the lowest lot if there are more than may be.
    fn drop_beyond(&mut self, bound: &Bound) -> Option<Digest> {
        if self.by_lot.len() <= bound.files && self.bytes <= bound.bytes {
            return None;
        }
        let (_, (code_hash, length)) = self.by_lot.pop_first()?;
        self.bytes -= length;
        Some(code_hash)
    }
}

fn private_secret(fs: &dyn FileSystem, path: &Path) -> Option<Secret> {
    fs.is_private(path).ok().filter(|private| *private).and_then(|_| Secret::read(fs, path))
}

fn begin(fs: &dyn FileSystem, path: &Path) -> Option<Secret> {
    fs.create_private_directory(path).ok()?;
    fs.is_private(path).ok().filter(|private| *private)?;
    Secret::create(fs, path).ok()
}

/// The hash in hex, and the extension.
fn file_name(code_hash: &Digest) -> String {
    let mut name = String::with_capacity(2 * code_hash.len() + EXTENSION.len());
    for byte in code_hash {
        name.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])));
    }
    name + EXTENSION
}

fn code_hash_of(name: &str) -> Option<Digest> {
    let digits = name.strip_suffix(EXTENSION)?;
    let mut hash = Digest::default();
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().as_chunks::<2>().0) {
        *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    (file_name(&hash) == name).then_some(hash)
}
