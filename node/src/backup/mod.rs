//! Backups of a data directory.
//!
//! A backup is a folder with a copy of the log, which is all that a data directory cannot make again, and a manifest with a
//! hash of each piece. The manifest is written last: a folder without one is no backup.
//!
//! ```text
//! BACKUP/
//!   backup.json            what is in it: heights, digests, and a hash of each 64 KiB of each file
//!   log/0000000000.log …   the replay log up to the height that the manifest names
//! ```

mod manifest;
mod restore;

use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::log::{self, COPY_BYTES, Surveyed};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use self::manifest::{BackedUpFile, Piece};
pub(crate) use self::manifest::{FILE, Manifest};
pub(crate) use self::restore::restore;
use crate::exit::Failure;
use crate::output::Integer;
use crate::replay::{log_failure, no_log};

/// Backs up a data directory, which a node may be using, into a folder that is not there yet, or empty.
///
/// # Errors
/// Exit code 1 where there is nothing to back up or no place for it, 2 for a folder that holds something, 4 for a damaged log.
pub(crate) fn back_up(data_directory: &Path, to: &Path) -> Result<Manifest, Failure> {
    make_empty_folder(to)?;
    let fs: Arc<dyn phalanx_engine::fs::FileSystem> = Arc::new(RealFileSystem);
    let mut files: Vec<BackedUpFile> = Vec::new();
    let copied = log::copy(&fs, data_directory, to, &mut |name, offset, bytes| {
        if offset == 0 {
            files.push(BackedUpFile::new(format!("{}/{name}", log::layout::LOG)));
        }
        let file = files.last_mut().expect("the first piece of a file begins it");
        file.add(Piece::of(bytes), bytes.len());
    });
    let copied = copied.map_err(|error| log_failure(&error))?.ok_or_else(|| no_log(data_directory))?;
    check_copy(&fs, to, &copied)?;
    let manifest = Manifest {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        height: Integer(copied.last_input),
        first_height: Integer(copied.first_input),
        sealed_height: Integer(copied.last_seal.0),
        log_digest: copied.last_seal.1,
        chain_id: copied.genesis.chain_id,
        protocol_version: copied.genesis.protocol_version,
        piece_bytes: COPY_BYTES as u64,
        files,
    };
    manifest.write(to)?;
    Ok(manifest)
}

/// Reads the copy as it came to the disk.
fn check_copy(fs: &Arc<dyn phalanx_engine::fs::FileSystem>, to: &Path, copied: &Surveyed) -> Result<(), Failure> {
    let verified = log::verify(Arc::clone(fs), to).map_err(|error| log_failure(&error))?;
    let last = verified.inputs.map_or(copied.first_input - 1, |(_, last)| last);
    match verified.tail {
        None if last == copied.last_input => Ok(()),
        _ => Err(Failure::failed(
            format_args!("{}: the copy ends at height {last}, not at {}", to.display(), copied.last_input),
            "look after the disk that it is on, and back up to another one",
        )),
    }
}

/// Makes a folder, which must not hold anything.
fn make_empty_folder(path: &Path) -> Result<(), Failure> {
    let failure =
        |error| Failure::failed(format_args!("{}: {error}", path.display()), "name a folder that can be made");
    make_durably(path).map_err(failure)?;
    match fs::read_dir(path).map_err(failure)?.next() {
        None => Ok(()),
        Some(_) => Err(Failure::usage(
            format_args!("{}: there is something in it already", path.display()),
            "name a folder that is empty, or not there",
        )),
    }
}

/// Makes a folder with those that hold it, as far as they are not there. Their names survive a crash: a folder's stands in the one
/// that holds it.
fn make_durably(path: &Path) -> io::Result<()> {
    let absolute = std::path::absolute(path)?;
    let missing = absolute.ancestors().take_while(|folder| !folder.exists()).count();
    fs::create_dir_all(&absolute)?;
    absolute.ancestors().skip(1).take(missing).try_for_each(|folder| File::open(folder)?.sync_all())
}
