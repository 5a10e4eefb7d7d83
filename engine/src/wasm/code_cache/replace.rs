//! A file comes whole or not at all: it is written under another name and then renamed.
//!
//! Nothing is synced. After a crash of the machine the name may lead to an old file, a new one or a broken one; what is
//! broken does not pass its check and is made again.

use crate::fs::FileSystem;
use std::io;
use std::path::Path;

/// Ends the name of a file that is being written. One that a crash left is never read.
pub(super) const UNFINISHED: &str = ".new";

/// Puts a private file in place of whatever has this name.
pub(super) fn replace(fs: &dyn FileSystem, directory: &Path, name: &str, parts: &[&[u8]]) -> io::Result<()> {
    let unfinished = directory.join(format!("{name}{UNFINISHED}"));
    let written = write(fs, &unfinished, parts).and_then(|()| fs.rename(&unfinished, &directory.join(name)));
    if written.is_err() {
        // It takes space, which may be what there is too little of. If it stays, the next writer of this name removes it.
        _ = fs.remove(&unfinished);
    }
    written
}

fn write(fs: &dyn FileSystem, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let file = match fs.create_private(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs.remove(path)?;
            fs.create_private(path)?
        }
        created => created?,
    };
    file.write_at(0, parts)
}
