//! The model of a page cache above a disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Fault;

/// Bytes that a disk writes whole or not at all.
pub const SECTOR_BYTES: u64 = 512;

/// One recorded operation that changes something. Inodes count from 0 in order of creation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operation {
    /// A new, empty file.
    Create {
        /// Its name.
        path: PathBuf,
    },
    /// A new directory; durable at once, since nothing here depends on a lost one.
    CreateDirectory {
        /// Its name.
        path: PathBuf,
    },
    /// A write into the page cache.
    Write {
        /// The file.
        inode: usize,
        /// Where it begins.
        offset: u64,
        /// What is written.
        bytes: Arc<[u8]>,
    },
    /// A cut, or an extension by zeros.
    SetLength {
        /// The file.
        inode: usize,
        /// Its new length.
        length: u64,
    },
    /// Contents and length of a file become durable.
    Sync {
        /// The file.
        inode: usize,
    },
    /// A sync that failed: what it should have made durable never will be.
    FailedSync {
        /// The file.
        inode: usize,
    },
    /// A new name for a file.
    Rename {
        /// The name that goes.
        from: PathBuf,
        /// The name that comes.
        to: PathBuf,
    },
    /// A name that goes.
    Remove {
        /// The name.
        path: PathBuf,
    },
    /// The names in a directory become durable.
    SyncDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// An operation that failed without effect, or a sync that a broken disk ignored.
    Nothing,
}

impl Operation {
    /// What remains of this operation when it fails.
    pub(super) fn failed(self, fault: Fault) -> Operation {
        match self {
            Operation::Write { inode, offset, bytes } => {
                Operation::Write { inode, offset, bytes: bytes[..bytes.len() / 2].into() }
            }
            Operation::Sync { inode } if fault == Fault::Io => Operation::FailedSync { inode },
            _ => Operation::Nothing,
        }
    }
}

/// What a crash leaves of that which was not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// Nothing.
    Nothing,
    /// All of it.
    Everything,
    /// Any sectors of any writes, chosen by this seed; of the directory changes the first few.
    Some(u64),
}

/// What happened to a file since its last sync.
#[derive(Clone)]
enum Change {
    Write { offset: u64, bytes: Arc<[u8]> },
    SetLength(u64),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Write { offset, bytes: new } => {
                let (start, end) = (*offset as usize, *offset as usize + new.len());
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[start..end].copy_from_slice(new);
            }
            Change::SetLength(length) => bytes.resize(*length as usize, 0),
        }
    }

    /// The change cut at sector boundaries: the pieces that a crash keeps or loses one by one.
    fn sectors(&self) -> Vec<Change> {
        let Change::Write { offset, bytes } = self else { return vec![self.clone()] };
        let mut pieces = Vec::new();
        let mut start = 0;
        while start < bytes.len() {
            let at = *offset + start as u64;
            let end = bytes.len().min(start + (SECTOR_BYTES - at % SECTOR_BYTES) as usize);
            pieces.push(Change::Write { offset: at, bytes: bytes[start..end].into() });
            start = end;
        }
        pieces
    }
}

#[derive(Clone, Default)]
struct Inode {
    visible: Vec<u8>,
    synced: Vec<u8>,
    pending: Vec<Change>,
}

impl Inode {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.visible);
        self.pending.push(change);
    }
}

#[derive(Clone)]
enum NameChange {
    Set(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            NameChange::Set(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            NameChange::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
            NameChange::Remove(path) => {
                names.remove(path);
            }
        }
    }

    fn directory(&self) -> Option<&Path> {
        match self {
            NameChange::Set(path, _) | NameChange::Rename(path, _) | NameChange::Remove(path) => path.parent(),
        }
    }
}

/// Files and names, each as reads see them and as the disk has them.
#[derive(Clone, Default)]
pub(super) struct Disk {
    inodes: Vec<Inode>,
    directories: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    pending_names: Vec<NameChange>,
}

impl Disk {
    pub(super) fn find(&self, path: &Path) -> Option<usize> {
        self.names.get(path).copied()
    }

    pub(super) fn next_inode(&self) -> usize {
        self.inodes.len()
    }

    pub(super) fn visible(&self, inode: usize) -> &[u8] {
        &self.inodes[inode].visible
    }

    pub(super) fn synced(&self, inode: usize) -> &[u8] {
        &self.inodes[inode].synced
    }

    pub(super) fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        if !self.directories.contains(directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = self.names.keys().filter(|path| path.parent() == Some(directory));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    pub(super) fn place(&mut self, path: &Path, bytes: &[u8]) {
        self.directories.extend(path.ancestors().skip(1).map(Path::to_owned));
        let inode = Inode { visible: bytes.to_vec(), synced: bytes.to_vec(), pending: Vec::new() };
        match self.find(path) {
            Some(existing) => self.inodes[existing] = inode,
            None => {
                self.names.insert(path.to_owned(), self.inodes.len());
                self.synced_names.insert(path.to_owned(), self.inodes.len());
                self.inodes.push(inode);
            }
        }
    }

    pub(super) fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Create { path } => {
                let inode = self.inodes.len();
                self.inodes.push(Inode::default());
                self.rename(NameChange::Set(path.clone(), inode));
            }
            Operation::CreateDirectory { path } => self.directories.extend(path.ancestors().map(Path::to_owned)),
            Operation::Write { inode, offset, bytes } => {
                self.inodes[*inode].change(Change::Write { offset: *offset, bytes: bytes.clone() });
            }
            Operation::SetLength { inode, length } => self.inodes[*inode].change(Change::SetLength(*length)),
            Operation::Sync { inode } => {
                let Inode { synced, pending, .. } = &mut self.inodes[*inode];
                pending.drain(..).for_each(|change| change.apply(synced));
            }
            Operation::FailedSync { inode } => self.inodes[*inode].pending.clear(),
            Operation::Rename { from, to } => self.rename(NameChange::Rename(from.clone(), to.clone())),
            Operation::Remove { path } => self.rename(NameChange::Remove(path.clone())),
            Operation::SyncDirectory { path } => {
                let (inside, outside) =
                    self.pending_names.drain(..).partition(|change| change.directory() == Some(path.as_path()));
                let inside: Vec<NameChange> = inside;
                inside.iter().for_each(|change| change.apply(&mut self.synced_names));
                self.pending_names = outside;
            }
            Operation::Nothing => {}
        }
    }

    fn rename(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }

    /// The disk after the power came back.
    pub(super) fn crash(mut self, keep: Keep) -> Disk {
        let mut coin = Coin(match keep {
            Keep::Some(seed) => seed,
            Keep::Nothing | Keep::Everything => 0,
        });
        let mut kept = |keep: Keep| match keep {
            Keep::Nothing => false,
            Keep::Everything => true,
            Keep::Some(_) => coin.flip(),
        };
        for inode in &mut self.inodes {
            for change in inode.pending.drain(..).flat_map(|change| change.sectors()) {
                if kept(keep) {
                    change.apply(&mut inode.synced);
                }
            }
            inode.visible = inode.synced.clone();
        }
        // File systems journal names: what survives is a prefix, not any subset.
        for change in self.pending_names.drain(..) {
            if !kept(keep) {
                break;
            }
            change.apply(&mut self.synced_names);
        }
        self.names = self.synced_names.clone();
        self
    }
}

/// The splitmix64 sequence: reproducible from the seed that a failing test prints.
struct Coin(u64);

impl Coin {
    fn flip(&mut self) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) & 1 == 1
    }
}
