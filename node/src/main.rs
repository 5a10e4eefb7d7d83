//! The phalanx command.

mod abi;
mod backup;
mod batches;
mod calls_file;
mod command_line;
mod contracts;
mod doctor;
mod execution;
mod exit;
mod hex;
mod interrupt;
mod oracle_check;
mod output;
mod progress;
mod replay;
mod serve;
mod signatures;
mod verbs;

use std::process::ExitCode;

/// Receipts, write sets and instances come and go with each batch; the system's allocator gives their pages back and
/// fetches them again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    command_line::run()
}
