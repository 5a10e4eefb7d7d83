//! A file system that keeps nothing but the beginning of each file: for a log that is encoded, digested and dropped.
//!
//! Opening a log reads back what creating it wrote: a header and a record. That much is kept. What is written
//! beyond reads as zeros.

use parking_lot::Mutex;
use phalanx_engine::fs::{Access, File, FileSystem};
use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes kept of each file.
const KEPT_BYTES: usize = 64 << 10;

/// Names and beginnings of files.
#[derive(Default)]
pub(crate) struct Discard {
    files: Mutex<BTreeMap<PathBuf, Arc<Mutex<Contents>>>>,
}

#[derive(Default)]
struct Contents {
    head: Vec<u8>,
    length: u64,
}

struct DiscardFile(Arc<Mutex<Contents>>);

impl FileSystem for Discard {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        let mut files = self.files.lock();
        let contents = match (files.get(path), access) {
            (Some(_), Access::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(contents), _) => Arc::clone(contents),
            (None, Access::CreateNew) => Arc::clone(files.entry(path.to_owned()).or_default()),
            (None, _) => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Box::new(DiscardFile(contents)))
    }

    fn create_directory(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let files = self.files.lock();
        let inside = files.keys().filter(|path| path.parent() == Some(directory));
        Ok(inside.filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.files.lock();
        let contents = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), contents);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.files.lock().remove(path).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_directory(&self, _directory: &Path) -> io::Result<()> {
        Ok(())
    }

    /// Nobody else can see these files.
    fn lock(&self, _path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        Ok(Box::new(()))
    }
}

impl File for DiscardFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.lock().length)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let contents = self.0.lock();
        let length = contents.length.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let kept = contents.head.get(offset.min(KEPT_BYTES as u64) as usize..).unwrap_or_default();
        let kept = &kept[..kept.len().min(length)];
        buffer[..kept.len()].copy_from_slice(kept);
        buffer[kept.len()..length].fill(0);
        Ok(length)
    }

    fn write_at(&self, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
        let mut contents = self.0.lock();
        let mut at = offset;
        for part in parts {
            if at < KEPT_BYTES as u64 {
                let start = at as usize;
                let kept = &part[..part.len().min(KEPT_BYTES - start)];
                if contents.head.len() < start + kept.len() {
                    contents.head.resize(start + kept.len(), 0);
                }
                contents.head[start..start + kept.len()].copy_from_slice(kept);
            }
            at += part.len() as u64;
        }
        contents.length = contents.length.max(at);
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut contents = self.0.lock();
        contents.head.truncate(length.min(KEPT_BYTES as u64) as usize);
        contents.length = length;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Discard, KEPT_BYTES};
    use phalanx_engine::fs::{Access, FileSystem};
    use std::path::Path;

    #[test]
    fn beginnings_are_kept_and_the_rest_is_zeros() {
        let files = Discard::default();
        let file = files.open(Path::new("log/a"), Access::CreateNew).unwrap();
        file.write_at(0, &[b"ab", b"cd"]).unwrap();
        file.write_at(KEPT_BYTES as u64 - 1, &[b"xyz"]).unwrap();
        assert_eq!(file.length().unwrap(), KEPT_BYTES as u64 + 2);
        let mut bytes = [9; 6];
        assert_eq!(file.read_at(&mut bytes, 0).unwrap(), 6);
        assert_eq!(&bytes, b"abcd\0\0");
        assert_eq!(file.read_at(&mut bytes, KEPT_BYTES as u64 - 1).unwrap(), 3);
        assert_eq!(&bytes[..3], b"x\0\0");
        file.set_length(1).unwrap();
        assert_eq!((file.read_at(&mut bytes, 0).unwrap(), bytes[0]), (1, b'a'));
    }

    #[test]
    fn names_behave_as_those_of_a_file_system() {
        let (files, a, b) = (Discard::default(), Path::new("log/a"), Path::new("log/b"));
        assert!(files.open(a, Access::Read).is_err());
        files.open(a, Access::CreateNew).unwrap();
        assert!(files.open(a, Access::CreateNew).is_err());
        files.rename(a, b).unwrap();
        assert_eq!(files.list(Path::new("log")).unwrap(), ["b"]);
        files.remove(b).unwrap();
        assert!(files.remove(b).is_err());
    }
}
