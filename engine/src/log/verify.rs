//! Checking a log without opening it.

use std::path::Path;
use std::sync::Arc;

use super::error::LogError;
use super::reader::LogReader;
use super::record::{Genesis, Position, Record, Seal};
use super::tail::Cut;
use crate::fs::FileSystem;

/// What [`verify`] found in a log without damage.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verified {
    /// What the log is of; `None` if there is no log.
    pub genesis: Option<Genesis>,
    /// Records of all kinds.
    pub records: u64,
    /// Heights of the first and last Input kept.
    pub inputs: Option<(u64, u64)>,
    /// The last Seal.
    pub last_seal: Option<Seal>,
    /// Every byte before this position was said to be synced by a record, and is what was written.
    pub mark: Position,
    /// Whether the last record is that of a clean close.
    pub closed: bool,
    /// A tail that opening would cut.
    pub tail: Option<Cut>,
}

/// Reads the whole log of a data directory and checks every byte of it, padding included. Changes nothing.
///
/// # Errors
///
/// [`LogError::Damaged`] with the first damage, [`LogError::Incompatible`], [`LogError::Io`].
pub fn verify(fs: Arc<dyn FileSystem>, data_directory: &Path) -> Result<Verified, LogError> {
    let reader = LogReader::new(fs, data_directory);
    let mut verified = Verified { genesis: reader.genesis()?, ..Verified::default() };
    let mut records = reader.records(0)?;
    for located in &mut records {
        let located = located?;
        verified.records += 1;
        verified.mark = verified.mark.max(located.mark);
        verified.closed = located.record == Record::Close;
        match located.record {
            Record::Input(input) => {
                let first = verified.inputs.map_or(input.height, |(first, _)| first);
                verified.inputs = Some((first, input.height));
            }
            Record::Seal(seal) => verified.last_seal = Some(seal),
            Record::Genesis(_) | Record::Protocol { .. } | Record::Close => {}
        }
    }
    verified.tail = records.tail().cloned();
    verified.closed &= verified.tail.is_none();
    Ok(verified)
}
