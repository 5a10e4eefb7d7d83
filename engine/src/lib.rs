//! The embeddable Phalanx engine.

mod batch;
mod deploy;
mod digest;
mod engine;
mod error;
mod execute;
pub mod fs;
pub mod gas;
mod hash;
pub mod limits;
pub mod log;
mod logged;
mod oracle;
mod outcome;
mod prefetch;
pub mod prepare;
mod receipt;
mod registry;
mod stage;
mod state_root;
mod threads;
mod wasm;
mod write_set;

pub use batch::{Address, Batch, BatchBuilder, BatchBytes, Call, CallRef, SYSTEM_CONTRACT};
pub use deploy::{Deployment, contract_id, deploy_arguments, deploy_gas, upgrade_arguments};
pub use digest::{Digest, PROTOCOL_VERSION, Roots};
pub use engine::{Engine, Executed, Options};
pub use error::{BatchError, EngineError};
pub use logged::{DIGEST_FORMAT, LoggedEngine, LoggedError, LoggedOptions, VerifiedLog, verify_log};
pub use oracle::{Oracle, OracleOutcome};
pub use outcome::Outcome;
pub use phalanx_scheduler::HashSeed;
pub use receipt::{Event, Receipt, Receipts};
pub use stage::{Clock, Stage, StageNanoseconds};
pub use write_set::{WriteItem, WriteSet};
