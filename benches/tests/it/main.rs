//! The harness from arguments to report, on tiny workloads.

mod applications;
mod native;
mod recorded;
mod report;
mod usage;
mod workloads;

use clap::Parser;
use phalanx_benches::cli::{BenchArguments, run};
use phalanx_benches::progress::Silent;
use phalanx_benches::{BenchError, Report};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    bench: BenchArguments,
}

/// Runs `phalanx bench` with these arguments.
fn bench(arguments: &str) -> Result<Report, BenchError> {
    let parsed = Command::try_parse_from(["phalanx"].into_iter().chain(arguments.split_whitespace()));
    let parsed = parsed.map_err(|error| BenchError::Usage(error.to_string()))?;
    run(&parsed.bench, &Silent)
}
