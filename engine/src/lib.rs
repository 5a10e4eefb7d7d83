//! The embeddable Phalanx engine: executes batches of calls to contracts compiled to Wasm, with results that are a function of
//! (state before, batch bytes, protocol version) and of nothing else.
//!
//! # Use
//!
//! [`Engine`] holds a state in memory. [`Engine::execute_batch`] takes the bytes that a [`BatchBuilder`] made and changes nothing; its
//! result has the receipts, the write set and the digest. [`Engine::commit`] makes it the state, dropping it discards it.
//! [`Engine::try_calls`] answers what single calls would leave, at a fraction of a batch's cost. A [`Deployment`] is the call that brings a
//! contract. The example `embed` shows all of it. Who knows which keys calls will touch can say so ([`AccessLists`]).
//!
//! [`LoggedEngine`] is an engine with its replay log in a data directory; [`verify_log`] executes such a log again and compares
//! everything. A [`CodeCache`] keeps machine code in files; a logged engine has one in its data directory. With [`Options::compiler`],
//! which is for engines that strangers deploy on, modules are compiled in two steps, in other processes. [`Oracle`] executes the
//! same batches as plainly as possible, for tests.
//!
//! # What a call leaves
//!
//! A [`Receipt`] with an [`Outcome`], the gas used, events and return bytes. A contract's failure is an outcome and its writes
//! are dropped. A batch that cannot be decoded or passes a limit of batches ([`limits`]) is refused whole ([`BatchError`]).
//! A failure of the engine's own ([`EngineError::Stopped`]) stops it for good.
//!
//! # Checking what runs
//!
//! [`Options::equivalence`] has the oracle execute a share of the committed batches once more, beside the engine; the first difference
//! stops the engine ([`EngineError::NotSerial`]) and comes with a [`Reproducer`]: a calls file for `phalanx run --check`.
//!
//! # Threads, memory, globals
//!
//! Calls run on a thread of the engine's own with a stack that contracts cannot exhaust. The library sets no allocator and reads no
//! clock and no environment. What is random in it is the key of the hash tables and the secret of a [`CodeCache`]; neither shows
//! in a result. All engines of a process share one wasmtime engine, whose instances take address space (16 TiB of it,
//! reserved, not used).
//!
//! # Where things are
//!
//! `batch` → `execute` (with `wasm`, `key_patterns`, `deploy`) → `receipt`, `write_set`, `digest` → `engine`; [`prepare`] is what
//! stands between a stranger's module and the compiler; [`mod@log`] and [`fs`] are the replay log. `FORMAT.md` draws all bytes,
//! `ARCHITECTURE.md` the whole.

mod access_lists;
mod batch;
mod conflicts;
mod deploy;
mod digest;
mod engine;
mod equivalence;
mod error;
mod execute;
mod finish;
pub mod fs;
pub mod gas;
mod hash;
mod key_patterns;
pub mod limits;
pub mod log;
mod logged;
mod long_calls;
mod mode;
mod oracle;
mod outcome;
mod output;
mod planted;
pub mod prepare;
mod read_set;
mod receipt;
mod registry;
mod signature;
mod stage;
mod state_root;
mod threads;
mod trial;
mod wasm;
mod write_set;

pub use access_lists::{Access, AccessLists};
pub use batch::{
    Address, Batch, BatchBuilder, BatchBytes, Call, CallRef, CallsSize, Identity, SYSTEM_CONTRACT, Signed, Submission,
    TargetNumber,
};
pub use conflicts::{CONFLICT_PLACES_MAX, Conflicts, Place, PlaceConflicts};
pub use deploy::{Deployment, contract_id, deploy_arguments, deploy_gas, upgrade_arguments};
pub use digest::{Digest, PROTOCOL_VERSION, Roots};
pub use engine::{Engine, Executed, Options};
pub use equivalence::{Difference, Differing, EquivalenceCheck, EquivalenceStatistics, NotSerial, Reproducer};
pub use error::{BatchError, EngineError};
pub use logged::{DIGEST_FORMAT, LoggedEngine, LoggedError, LoggedOptions, MachineCode, VerifiedLog, verify_log};
pub use mode::{Mode, ModeChosen};
pub use oracle::{NestedEnd, Oracle, OracleOutcome};
pub use outcome::Outcome;
pub use phalanx_scheduler::{Answer, Cause, Delta, HashSeed, KeyPrefix, Operator, Statistics};
#[cfg(planted)]
pub use planted::{Bug, plant};
pub use read_set::{Dependency, READ_SET_BYTES_MAX, Read};
pub use receipt::{Event, Receipt, Receipts};
pub use stage::{Clock, Stage, StageNanoseconds};
pub use trial::{Trial, Tried};
pub use wasm::{CodeCache, CodeCacheStatistics, CompileStep, CompilerCommand, CompilerStatistics, serve_compiler};
pub use write_set::{WriteItem, WriteSet};
