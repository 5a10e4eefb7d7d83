//! What is executed. A workload is a list of batches, each a function of the seed and the height alone: so batches are made as
//! they are needed, and made again where a check or a baseline needs them again.

mod accounts;
mod token;

pub use accounts::Accounts;
pub use token::{Token, arguments as transfer_arguments, read_transfer};

use crate::BenchError;
use crate::baselines::Baselines;
use crate::progress::Progress;
use phalanx_engine::{BatchBytes, Engine};
use serde::Serialize;

/// Names of all workloads, the default first.
pub const NAMES: [&str; 1] = ["token"];

/// Gas limit of each call: ten times what a transfer uses, so that the sum of a full batch's limits stays below the batch's.
pub const CALL_GAS_LIMIT: u32 = 100_000;

/// How large a workload is, and which one of all that look alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Accounts, funded before the clock starts.
    pub accounts: u64,
    /// Measured calls.
    pub calls: u64,
    /// Calls a batch.
    pub batch_size: usize,
    /// Exponent of the Zipf distribution that accounts are drawn from; 0 is uniform.
    pub skew: f64,
    /// Seed of addresses and draws.
    pub seed: u64,
}

/// Something that must hold in the state after any prefix of the workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Invariant {
    /// What is checked.
    pub name: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// What was expected and what was found.
    pub detail: String,
}

/// A list of batches for heights 1, 2, 3, …: first those that set up, then those that are measured.
pub trait Workload {
    /// The name on the command line.
    fn name(&self) -> &'static str;
    /// Which contract does what, in one sentence.
    fn describe(&self) -> String;
    /// Batches that set up: heights 1 to this. Every call in them must succeed.
    fn set_up_batches(&self) -> u64;
    /// Batches that are measured: the heights that follow.
    fn measured_batches(&self) -> u64;
    /// The batch of a height from 1 to `set_up_batches + measured_batches`.
    ///
    /// # Errors
    /// [`BenchError::Batch`] if it would pass a limit.
    fn batch(&self, height: u64) -> Result<BatchBytes, BenchError>;
    /// Checks the committed state.
    fn invariant(&self, engine: &Engine) -> Invariant;
    /// Runs the same calls without Phalanx, see [`crate::baselines`].
    ///
    /// # Errors
    /// [`BenchError::Baseline`] if one cannot run, or comes to another result than the others.
    fn baselines(&self, progress: &dyn Progress) -> Result<Baselines, BenchError>;
}

/// The workload of a name.
///
/// # Errors
/// [`BenchError::Usage`] with the names that exist, or with what is wrong with the shape.
pub fn by_name(name: &str, shape: Shape) -> Result<Box<dyn Workload>, BenchError> {
    match name {
        "token" => Ok(Box::new(Token::new(shape)?)),
        _ => Err(BenchError::Usage(format!("there is no workload {name:?}; there is: {}", NAMES.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::{NAMES, Shape, by_name};

    const SHAPE: Shape = Shape { accounts: 10, calls: 10, batch_size: 4, skew: 0.0, seed: 1 };

    #[test]
    fn every_name_leads_to_its_workload_and_no_other_does() {
        for name in NAMES {
            assert_eq!(by_name(name, SHAPE).map(|workload| workload.name()).ok(), Some(name));
        }
        let error = by_name("tokens", SHAPE).err().expect("there is no such workload");
        assert_eq!(
            (error.exit_code(), error.to_string()),
            (2, "there is no workload \"tokens\"; there is: token".into())
        );
    }
}
