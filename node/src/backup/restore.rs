//! From a backup to a data directory. Everything is checked before anything is written.

use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::log;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use super::make_empty_folder;
use super::manifest::{BackedUpFile, Manifest, Piece};
use crate::exit::{Exit, Failure};
use crate::hex::hex;
use crate::replay::log_failure;

/// Makes a data directory, which must not be there yet, or empty, from a backup.
///
/// # Errors
/// Exit code 4 for a backup that is not what was written, with file and offset; 1 and 2 for folders that cannot be used.
pub(crate) fn restore(backup: &Path, data_directory: &Path) -> Result<Manifest, Failure> {
    let manifest = Manifest::read(backup)?;
    for file in &manifest.files {
        pieces(&manifest, file, backup, &mut |_| Ok(()))?;
    }
    check_log(&manifest, backup)?;
    make_empty_folder(data_directory)?;
    let unwritable = |path: &Path, error: io::Error| {
        Failure::failed(format_args!("{}: {error}", path.display()), "check the disk: its space and permissions")
    };
    let log = data_directory.join(log::layout::LOG);
    fs::create_dir(&log).map_err(|error| unwritable(&log, error))?;
    for file in &manifest.files {
        let path = file.in_folder(data_directory);
        let mut copy = File::create_new(&path).map_err(|error| unwritable(&path, error))?;
        pieces(&manifest, file, backup, &mut |bytes| copy.write_all(bytes).map_err(|error| unwritable(&path, error)))?;
        copy.sync_all().map_err(|error| unwritable(&path, error))?;
    }
    for folder in [&*log, data_directory] {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| unwritable(folder, error))?;
    }
    check_log(&manifest, data_directory)?;
    Ok(manifest)
}

fn damaged(cause: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Damaged, cause, "restore another backup")
}

/// Reads a file of a backup piece by piece, and hands over those that are what was backed up.
fn pieces(
    manifest: &Manifest,
    file: &BackedUpFile,
    backup: &Path,
    take: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let path = file.in_folder(backup);
    let unreadable = |error: io::Error| damaged(format_args!("{}: {error}", path.display()));
    let mut source = File::open(&path).map_err(unreadable)?;
    let length = source.metadata().map_err(unreadable)?.len();
    let of_length = |offset: u64| {
        let (expected, path) = (file.bytes.0, path.display());
        damaged(format_args!("{path}: offset {offset}: the file has {length} bytes, not {expected}"))
    };
    let mut bytes = Vec::with_capacity(manifest.piece_bytes as usize);
    let mut offset = 0;
    for expected in &file.pieces {
        let piece_bytes = manifest.piece_bytes.min(file.bytes.0 - offset);
        bytes.clear();
        Read::by_ref(&mut source).take(piece_bytes).read_to_end(&mut bytes).map_err(unreadable)?;
        let end = offset + bytes.len() as u64;
        if end - offset < piece_bytes {
            return Err(of_length(end));
        }
        if Piece::of(&bytes) != *expected {
            return Err(damaged(format_args!(
                "{}: offset {offset}: the bytes up to offset {end} are not those that were backed up",
                path.display()
            )));
        }
        take(&bytes)?;
        offset = end;
    }
    if length == file.bytes.0 { Ok(()) } else { Err(of_length(offset)) }
}

/// The log of a folder is whole and leads to what the manifest says.
fn check_log(manifest: &Manifest, folder: &Path) -> Result<(), Failure> {
    let log = folder.join(log::layout::LOG);
    let verified = log::verify(Arc::new(RealFileSystem), folder).map_err(|error| log_failure(&error))?;
    if let Some(tail) = &verified.tail {
        return Err(damaged(tail));
    }
    let none = (manifest.first_height.0, manifest.first_height.0.saturating_sub(1));
    let (first, last) = verified.inputs.unwrap_or(none);
    let sealed = verified.last_seal.map_or((0, [0; 32]), |seal| (seal.height, seal.digest));
    let genesis = verified.genesis.map(|genesis| (genesis.chain_id, genesis.protocol_version));
    let expected = (manifest.first_height.0, manifest.height.0, (manifest.sealed_height.0, manifest.log_digest));
    if (first, last, sealed) != expected || genesis != Some((manifest.chain_id, manifest.protocol_version)) {
        return Err(damaged(format_args!(
            "{}: the log leads from height {first} to {last} and digest {}, the manifest says {} to {} and {}",
            log.display(),
            hex(&sealed.1),
            manifest.first_height.0,
            manifest.height.0,
            hex(&manifest.log_digest)
        )));
    }
    Ok(())
}
