//! `phalanx contract`: from an empty folder to a module on an engine, and what can be said of a module without a ledger.

mod abi;
mod answers;
mod build;
mod cargo;
mod check;
mod crate_folder;
mod diff_abi;
mod gas;
mod gas_snapshot;
mod in_memory;
mod new;
mod test;
mod toolchain;

use clap::Subcommand;

use crate::command_line::Context;
use crate::exit::{Exit, Failure};

#[derive(Debug, Subcommand)]
pub(crate) enum ContractVerb {
    /// Make a crate with a contract, its native tests, a file of calls and the SDK
    New(new::NewArguments),
    /// Build a crate's module and tell whether it would be accepted. Exit code 1: it does not build, or is refused
    Build(build::BuildArguments),
    /// Run a crate's native tests, then its file of calls on an engine in memory, compared with the oracle. A call of the file
    /// may be done or reverted; any other outcome is exit code 1
    Test(test::TestArguments),
    /// Tell what the calls of a file cost, by method and outcome, and what changed since a snapshot
    Gas(gas::GasArguments),
    /// Tell what differs between two modules' ABIs. Exit code 1: callers, readers of events or stored values would break
    DiffAbi(diff_abi::DiffAbiArguments),
    /// Tell whether modules would be accepted; nothing is compiled. Exit code 0: all are, 1: some are refused, 2: some
    /// cannot be read
    Check(check::CheckArguments),
    /// Print a module's ABI as one JSON document
    Abi(abi::AbiArguments),
}

pub(crate) fn execute(verb: &ContractVerb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        ContractVerb::New(arguments) => new::execute(arguments, context),
        ContractVerb::Build(arguments) => build::execute(arguments, context),
        ContractVerb::Test(arguments) => test::execute(arguments, context),
        ContractVerb::Gas(arguments) => gas::execute(arguments, context),
        ContractVerb::DiffAbi(arguments) => diff_abi::execute(arguments, context),
        ContractVerb::Check(arguments) => check::execute(arguments, context),
        ContractVerb::Abi(arguments) => abi::execute(arguments, context),
    }
}
