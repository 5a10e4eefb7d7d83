//! The operating system's file system.

use rustix::fs::{Advice, fadvise};
use std::any::Any;
use std::fs::{self, DirBuilder, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::direct::DirectFile;
use super::{Access, File, FileSystem};

/// The file system of the operating system, by its paths. What is written at once and large goes past the page cache where it can.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealFileSystem;

impl FileSystem for RealFileSystem {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        let mut options = OpenOptions::new();
        options.read(true).write(access != Access::Read).create_new(access == Access::CreateNew);
        Ok(Box::new(RealFile::new(options.open(path)?)))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory)? {
            // A name that isn't UTF-8 is none of ours.
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        fs::File::open(directory)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn is_private(&self, path: &Path) -> io::Result<bool> {
        belongs_to_us_alone(&fs::metadata(path)?)
    }

    fn create_private_directory(&self, path: &Path) -> io::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        match DirBuilder::new().mode(PRIVATE_DIRECTORY).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::set_permissions(path, Permissions::from_mode(PRIVATE_DIRECTORY))
            }
            created => created,
        }
    }

    fn create_private(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(PRIVATE_FILE).open(path)?;
        Ok(Box::new(RealFile::new(file)))
    }

    fn open_private(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = fs::File::open(path)?;
        match belongs_to_us_alone(&file.metadata()?)? {
            true => Ok(Box::new(RealFile::new(file))),
            false => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }
}

const PRIVATE_DIRECTORY: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;
/// What group and others may do.
const OTHERS: u32 = 0o077;

/// The kernel says who we are through the owner of `/proc/self`: the process's effective user. (Of a process that may not
/// be traced it says root, whose files are then the only ones taken: root need not deceive us.)
fn belongs_to_us_alone(found: &Metadata) -> io::Result<bool> {
    let ours = fs::metadata("/proc/self")?.uid();
    Ok(found.uid() == ours && found.mode() & OTHERS == 0)
}

struct RealFile(DirectFile);

impl RealFile {
    fn new(file: fs::File) -> Self {
        Self(DirectFile::new(file))
    }
}

impl File for RealFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.file.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.0.file.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
        self.0.write_at(offset, parts)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.file.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.file.sync_data()
    }

    fn forget_cached(&self, range: Range<u64>) {
        if let Some(length) = NonZeroU64::new(range.end.saturating_sub(range.start)) {
            // Where the file system takes no advice, pages stay cached.
            _ = fadvise(&self.0.file, range.start, Some(length), Advice::DontNeed);
        }
    }
}
