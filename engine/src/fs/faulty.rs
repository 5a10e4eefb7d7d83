//! A file system in memory that loses, tears and refuses, **for tests only**: it models a page cache above a disk.
//!
//! Every operation is recorded. A test runs a program once, then asks for the disk as a crash before operation `k`
//! would have left it ([`FaultyFileSystem::crash_before`]), for every `k`. Other faults are injected while the program
//! runs ([`FaultyFileSystem::fail`]): the operation that fails does what real ones do, so a write leaves its first
//! half, and a failed sync drops the bytes for good while reads still show them and the next sync succeeds.

mod disk;

pub use disk::{Keep, Operation, SECTOR_BYTES};

use std::any::Any;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use self::disk::Disk;
use super::{Access, File, FileSystem};

/// What an injected fault looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// No space left: a write leaves its first half.
    StorageFull,
    /// The device failed: a write leaves its first half, a sync drops what it should have kept.
    Io,
}

/// The file system in memory; clones share one disk.
#[derive(Clone, Default)]
pub struct FaultyFileSystem(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    start: Disk,
    disk: Disk,
    operations: Vec<Operation>,
    fault: Option<(usize, Fault)>,
    ignores_sync: bool,
    locks: BTreeSet<PathBuf>,
    /// Files and directories that others may use too.
    public: BTreeSet<PathBuf>,
    unreadable: BTreeSet<PathBuf>,
}

impl FaultyFileSystem {
    /// An empty disk.
    pub fn new() -> FaultyFileSystem {
        FaultyFileSystem::default()
    }

    fn with(disk: Disk) -> FaultyFileSystem {
        FaultyFileSystem(Arc::new(Mutex::new(State { start: disk.clone(), disk, ..State::default() })))
    }

    /// Makes the operation with this number (they count from 0, see [`operation_count`](Self::operation_count)) fail.
    pub fn fail(&self, operation: usize, fault: Fault) {
        self.0.lock().fault = Some((operation, fault));
    }

    /// From now on a sync answers `Ok` and keeps nothing: a broken disk, to show that a checker notices one.
    pub fn ignore_syncs(&self) {
        self.0.lock().ignores_sync = true;
    }

    /// From now on others may use this file or directory too: it is not private. All else is.
    pub fn make_public(&self, path: &Path) {
        self.0.lock().public.insert(path.to_owned());
    }

    /// From now on this file cannot be opened.
    pub fn make_unreadable(&self, path: &Path) {
        self.0.lock().unreadable.insert(path.to_owned());
    }

    /// Operations so far.
    pub fn operation_count(&self) -> usize {
        self.0.lock().operations.len()
    }

    /// The operations so far, in order.
    pub fn operations(&self) -> Vec<Operation> {
        self.0.lock().operations.clone()
    }

    /// The disk as a machine finds it that lost power just before operation `k`: what was synced is there, of the rest
    /// what `keep` says.
    pub fn crash_before(&self, k: usize, keep: Keep) -> FaultyFileSystem {
        let state = self.0.lock();
        let mut disk = state.start.clone();
        for operation in &state.operations[..k] {
            disk.apply(operation);
        }
        FaultyFileSystem::with(disk.crash(keep))
    }

    /// The disk as another process finds it now: the page cache survives.
    pub fn restart(&self) -> FaultyFileSystem {
        FaultyFileSystem::with(self.0.lock().disk.clone())
    }

    /// A file's bytes as reads see them.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.0.lock();
        state.disk.find(path).map(|inode| state.disk.visible(inode).to_vec())
    }

    /// Puts a file on the disk, durably and outside the record of operations, in place of any of this name.
    pub fn place(&self, path: &Path, bytes: &[u8]) {
        let mut guard = self.0.lock();
        let state = &mut *guard;
        for disk in [&mut state.start, &mut state.disk] {
            disk.place(path, bytes);
        }
    }

    /// Bytes of a file that a crash at this moment can't take away.
    pub fn synced_length(&self, path: &Path) -> u64 {
        let state = self.0.lock();
        state.disk.find(path).map_or(0, |inode| state.disk.synced(inode).len() as u64)
    }
}

impl State {
    /// Records and applies an operation, or its failed form with the error.
    fn perform(&mut self, operation: Operation) -> io::Result<()> {
        let number = self.operations.len();
        let fault = self.fault.and_then(|(at, fault)| (at == number).then_some(fault));
        let done = match (&operation, fault) {
            (_, Some(fault)) => operation.failed(fault),
            (Operation::Sync { .. } | Operation::SyncDirectory { .. }, None) if self.ignores_sync => Operation::Nothing,
            (_, None) => operation,
        };
        self.disk.apply(&done);
        self.operations.push(done);
        match fault {
            None => Ok(()),
            Some(Fault::StorageFull) => Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::Io) => Err(io::Error::other("injected device error")),
        }
    }
}

impl FileSystem for FaultyFileSystem {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        let mut state = self.0.lock();
        if state.unreadable.contains(path) {
            return Err(io::Error::other("injected device error"));
        }
        let inode = match (state.disk.find(path), access) {
            (Some(_), Access::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (None, Access::Read | Access::ReadWrite) => return Err(io::ErrorKind::NotFound.into()),
            (Some(inode), Access::Read | Access::ReadWrite) => inode,
            (None, Access::CreateNew) => {
                let inode = state.disk.next_inode();
                state.perform(Operation::Create { path: path.to_owned() })?;
                inode
            }
        };
        Ok(Box::new(FaultyFile { file_system: self.clone(), inode }))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.0.lock().perform(Operation::CreateDirectory { path: path.to_owned() })
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.0.lock().disk.list(directory)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.disk.find(from).is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.perform(Operation::Rename { from: from.to_owned(), to: to.to_owned() })?;
        // The marks were those of the file that had this name.
        state.public.remove(to);
        state.unreadable.remove(to);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.disk.find(path).is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.perform(Operation::Remove { path: path.to_owned() })
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.0.lock().perform(Operation::SyncDirectory { path: directory.to_owned() })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        if !self.0.lock().locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Held { file_system: self.clone(), path: path.to_owned() }))
    }

    fn is_private(&self, path: &Path) -> io::Result<bool> {
        let state = self.0.lock();
        match state.disk.find(path).is_some() || state.disk.list(path).is_ok() {
            true => Ok(!state.public.contains(path)),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn create_private_directory(&self, path: &Path) -> io::Result<()> {
        self.create_directory(path)?;
        self.0.lock().public.remove(path);
        Ok(())
    }

    fn create_private(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.open(path, Access::CreateNew)
    }

    fn open_private(&self, path: &Path) -> io::Result<Box<dyn File>> {
        match self.is_private(path)? {
            true => self.open(path, Access::Read),
            false => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }
}

struct Held {
    file_system: FaultyFileSystem,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.file_system.0.lock().locks.remove(&self.path);
    }
}

struct FaultyFile {
    file_system: FaultyFileSystem,
    inode: usize,
}

impl File for FaultyFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.file_system.0.lock().disk.visible(self.inode).len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.file_system.0.lock();
        let bytes = state.disk.visible(self.inode);
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let count = buffer.len().min(bytes.len() - start);
        buffer[..count].copy_from_slice(&bytes[start..start + count]);
        Ok(count)
    }

    fn write_at(&self, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
        let bytes = parts.concat().into();
        self.file_system.0.lock().perform(Operation::Write { inode: self.inode, offset, bytes })
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.file_system.0.lock().perform(Operation::SetLength { inode: self.inode, length })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file_system.0.lock().perform(Operation::Sync { inode: self.inode })
    }
}
