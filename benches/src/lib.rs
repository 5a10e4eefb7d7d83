//! Workloads and the capacity harness of Phalanx: what `phalanx bench` runs, and what a published figure means.
//!
//! A measurement goes through the public interface of the engine and nothing else. The clock covers `execute_batch` and
//! `commit`: from encoded batches to encoded receipts, events and digests, and to synced bytes where that was asked.
//! Batches are generated, and outcomes counted, while the clock stands still.
//!
//! ```no_run
//! use phalanx_benches::cli::{BenchArguments, run};
//! use phalanx_benches::progress::Silent;
//!
//! let report = run(&BenchArguments { calls: Some(100_000), ..BenchArguments::default() }, &Silent)?;
//! report.print_human(&mut std::io::stdout())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod baselines;
mod check;
pub mod cli;
pub mod clock;
pub mod conflicts;
mod error;
pub mod figures;
mod human;
pub mod instructions;
mod ledger;
mod measure;
mod memory;
mod model;
mod not_serial;
pub mod progress;
pub mod report;
pub mod statistics;
mod storage;
mod tally;
pub mod workload;

pub use error::BenchError;
pub use model::{Checked, Model, Predicted};
pub use report::Report;
