//! What a backup says of itself.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure};
use crate::hex::{hex, parse_hex};
use crate::output::{Integer, print_json};

/// Name of the manifest in a backup.
pub(crate) const FILE: &str = "backup.json";
/// Its schema.
const SCHEMA: &str = "phalanx.backup.manifest/1";
/// Most bytes of a piece: one is held in memory.
const PIECE_BYTES_MAX: u64 = 1 << 20;

/// The manifest of a backup.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// Version of the command that made it.
    pub(crate) version: String,
    /// The last height that is in it.
    pub(crate) height: Integer,
    /// The first height that is in it.
    pub(crate) first_height: Integer,
    /// The last height whose digest is in it; those above are executed when it is opened.
    pub(crate) sealed_height: Integer,
    /// Its digest; zeros if there is none.
    #[serde(serialize_with = "hash_as_hex", deserialize_with = "hash")]
    pub(crate) log_digest: [u8; 32],
    #[serde(serialize_with = "hash_as_hex", deserialize_with = "hash")]
    pub(crate) chain_id: [u8; 32],
    /// Rules of execution at height 1.
    pub(crate) protocol_version: u32,
    /// Bytes of a piece; the last one of a file may have fewer.
    pub(crate) piece_bytes: u64,
    pub(crate) files: Vec<BackedUpFile>,
}

/// A file of a backup.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackedUpFile {
    /// Its path in the backup and in a data directory.
    pub(crate) name: String,
    pub(crate) bytes: Integer,
    /// Hashes of its pieces.
    pub(crate) pieces: Vec<Piece>,
}

/// The blake3 hash of a piece of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Piece([u8; 32]);

impl Piece {
    /// The hash of bytes.
    pub(crate) fn of(bytes: &[u8]) -> Piece {
        Piece(blake3::hash(bytes).into())
    }
}

impl Serialize for Piece {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        hash_as_hex(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Piece {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Piece, D::Error> {
        hash(deserializer).map(Piece)
    }
}

fn hash_as_hex<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex(bytes))
}

fn hash<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let bytes = parse_hex(&String::deserialize(deserializer)?).map_err(de::Error::custom)?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| de::Error::custom(format_args!("{length} bytes, a hash has 32")))
}

impl BackedUpFile {
    pub(crate) fn new(name: String) -> BackedUpFile {
        BackedUpFile { name, bytes: Integer(0), pieces: Vec::new() }
    }

    /// Adds its next piece.
    pub(crate) fn add(&mut self, piece: Piece, bytes: usize) {
        self.bytes.0 += bytes as u64;
        self.pieces.push(piece);
    }
}

/// The manifest as it stands in its file.
#[derive(Deserialize)]
struct Written {
    schema: String,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

impl Manifest {
    /// Writes it into a backup; it is durable when this returns.
    pub(crate) fn write(&self, backup: &Path) -> Result<(), Failure> {
        let path = backup.join(FILE);
        let written = || -> io::Result<()> {
            let mut bytes = Vec::new();
            print_json(&mut bytes, SCHEMA, self)?;
            let mut file = File::create_new(&path)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            File::open(backup)?.sync_all()
        };
        written().map_err(|error| {
            Failure::failed(format_args!("{}: {error}", path.display()), "check the disk: its space and permissions")
        })
    }

    /// Reads it from a backup.
    ///
    /// # Errors
    /// Exit code 1 if there is none, 4 if it is damaged or of another version.
    pub(crate) fn read(backup: &Path) -> Result<Manifest, Failure> {
        let path = backup.join(FILE);
        let text = fs::read(&path).map_err(|error| {
            Failure::failed(
                format_args!("{}: {error}", path.display()),
                "name a folder that `phalanx backup` made; one without this file was not finished",
            )
        })?;
        let damaged = |what: &dyn std::fmt::Display| {
            let cause = format!("{}: {what}", path.display());
            Failure::new(Exit::Damaged, cause, "restore another backup; nothing was written")
        };
        let written: Written = serde_json::from_slice(&text).map_err(|error| damaged(&error))?;
        if written.schema != SCHEMA {
            return Err(damaged(&format_args!("schema {}, this version reads {SCHEMA}", written.schema)));
        }
        let manifest: Manifest = serde_json::from_value(written.rest.into()).map_err(|error| damaged(&error))?;
        manifest.check_shape().map_err(|what| damaged(&what))?;
        Ok(manifest)
    }

    /// Refuses names that lead out of a folder or stand there twice, and lengths that do not go with their pieces.
    fn check_shape(&self) -> Result<(), String> {
        if !(1..=PIECE_BYTES_MAX).contains(&self.piece_bytes) {
            return Err(format!("pieces of {} bytes, they have 1 to {PIECE_BYTES_MAX}", self.piece_bytes));
        }
        if !self.files.is_sorted_by(|before, after| before.name < after.name) {
            return Err("the files are not in order, or one is there twice".to_owned());
        }
        for BackedUpFile { name, bytes, pieces } in &self.files {
            let of_log = name.strip_prefix("log/").and_then(|name| name.strip_suffix(".log"));
            if !of_log.is_some_and(|number| number.len() == 10 && number.bytes().all(|digit| digit.is_ascii_digit())) {
                return Err(format!("{name} is no segment of a log"));
            }
            if bytes.0.div_ceil(self.piece_bytes) != pieces.len() as u64 {
                return Err(format!(
                    "{name}: {} pieces of {} bytes are not {}",
                    pieces.len(),
                    self.piece_bytes,
                    bytes.0
                ));
            }
        }
        Ok(())
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes.0).sum()
    }
}

impl BackedUpFile {
    /// Where it stands in a folder.
    pub(crate) fn in_folder(&self, folder: &Path) -> PathBuf {
        folder.join(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_that_no_backup_has_are_refused() {
        let check = |piece_bytes: u64, names: &[&str]| {
            let file = |name: &&str| BackedUpFile {
                name: (*name).to_owned(),
                bytes: Integer(10),
                pieces: vec![Piece::of(b"")],
            };
            Manifest {
                version: String::new(),
                height: Integer(1),
                first_height: Integer(1),
                sealed_height: Integer(1),
                log_digest: [0; 32],
                chain_id: [0; 32],
                protocol_version: 1,
                piece_bytes,
                files: names.iter().map(file).collect(),
            }
            .check_shape()
        };
        let (first, second) = ("log/0000000000.log", "log/0000000001.log");
        assert_eq!(check(64, &[first, second]), Ok(()));
        for piece_bytes in [0, 5, PIECE_BYTES_MAX + 1, u64::MAX] {
            assert!(check(piece_bytes, &[first]).is_err(), "{piece_bytes}");
        }
        for names in [[first, first], [second, first]] {
            assert!(check(64, &names).is_err(), "{names:?}");
        }
        for name in ["/log/0000000001.log", "log/../0000001.log", "log/1.log"] {
            assert!(check(64, &[name]).is_err(), "{name}");
        }
    }
}
