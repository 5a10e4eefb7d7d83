//! The replay log: every batch in order, and what executing it gave, so that state and digests can be rebuilt.
//!
//! The log knows nothing of Wasm or of what a batch means: it stores bytes, heights and hashes. `FORMAT.md` draws the
//! bytes.
//!
//! # Writing
//!
//! [`Log::open`] reads the log through, applies the tail rule and starts the log thread. [`Log::append_input`] hands a
//! batch over and returns at once; the thread writes everything that gathered as one group, syncs it, and only then
//! [`Log::wait_durable`] returns. Seals ride in the next group. A group begins at a block that was never written, so
//! that no write can harm what was synced.
//!
//! # What holds
//!
//! - A height is durable only when its Input, and all before it, were synced.
//! - After any crash, opening finds a prefix of what was appended that holds every durable height.
//! - A byte that was synced and differs is an error naming file, offset and height, as soon as a record written later says that
//!   it was synced: never a shorter log. Each record says how far the log was synced when it was written.
//! - After a failed write or sync the log takes nothing more ([`LogError::Stopped`]) until it is opened again.
//!
//! ```
//! use std::sync::Arc;
//! use phalanx_engine::fs::RealFileSystem;
//! use phalanx_engine::log::{Genesis, Log, Options};
//!
//! let directory = tempfile::tempdir()?;
//! let genesis = Genesis { chain_id: [7; 32], protocol_version: 1, digest_format: 1 };
//! let (log, opened) = Log::open(Arc::new(RealFileSystem), directory.path(), genesis, Options::default())?;
//! assert_eq!(opened.last_input, 0);
//! log.append_input(1, 0, Arc::new(b"a batch".to_vec()))?;
//! log.wait_durable(1)?;
//! log.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod chain;
mod copy;
mod error;
mod group;
mod handle;
mod header;
mod open;
mod places;
mod queue;
mod reader;
pub mod receipts;
mod record;
mod segment;
mod survey;
mod tail;
mod thread;
mod verify;
mod walk;
mod writer;

pub use copy::{COPY_BYTES, copy};
pub use error::{Damage, LogError};
pub use group::BatchBytes;
pub use handle::Log;
pub use open::{Opened, Origin};
pub use reader::{LogReader, Records};
pub use record::{Genesis, Hash, Input, Position, Record, Seal, input_hash};
pub use survey::{Surveyed, SurveyedSegment, survey};
pub use tail::Cut;
pub use verify::{Verified, verify};
pub use walk::Located;

/// Directories within a data directory.
pub mod layout {
    /// Input, seal, genesis and protocol records.
    pub const LOG: &str = "log";
    /// Derived: receipts and write sets.
    pub const RECEIPTS: &str = "receipts";
    /// Images of the state at a height.
    pub const CHECKPOINTS: &str = "checkpoints";
    /// Derived: compiled modules.
    pub const CODE: &str = "code";
    /// Calls files that show differences which a live check found. Nothing reads them.
    pub const REPRODUCERS: &str = "reproducers";
}

/// What [`Log::wait_durable`] waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// Each group is synced before its heights count as durable.
    #[default]
    Sync,
    /// Nothing is synced before the log is closed: heights count once the operating system has them. They survive the
    /// process, not the machine. For benchmarks and rebuilds.
    None,
}

/// How a log is kept. None of it shows in a result; the sizes may differ from one opening to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Whether heights wait for a sync.
    pub durability: Durability,
    /// Bytes after which a segment ends; one record may exceed it. Dropping old heights frees whole segments.
    pub segment_bytes: u64,
    /// Zeros kept written ahead of the end while there is nothing else to write: overwriting them syncs faster than
    /// extending the file (the example `log_bandwidth` measures by how much). 0: none. They cost that space, and once
    /// that much of the disk's bandwidth, so a log that is never idle gains nothing.
    pub written_ahead_bytes: u64,
    /// Batches that may be un-synced before [`Log::append_input`] blocks. At least 1 is taken.
    pub unsynced_batches_max: u64,
    /// Goes into the headers of new segments. If clients choose batch bytes, it should be a number they can't know, so
    /// that no batch can hold what looks like a record; it changes nothing else.
    pub salt: [u8; 16],
}

impl Default for Options {
    fn default() -> Options {
        Options {
            durability: Durability::Sync,
            segment_bytes: 256 << 20,
            written_ahead_bytes: 64 << 20,
            unsynced_batches_max: 8,
            salt: [0; 16],
        }
    }
}
