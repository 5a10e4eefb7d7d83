//! `phalanx compiler`: the process that a node compiles strangers' modules in. Not for people: it speaks with the node that started it.

use clap::Args;
use phalanx_engine::{CompileStep, serve_compiler};
use rustix::process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::{fs, io};

use crate::exit::{Exit, Failure};

/// What the optimised step leaves to whoever has something better to do.
const NICE: i32 = 10;

#[derive(Debug, Args)]
pub(crate) struct CompilerArguments {
    /// Memory that the process may take, in MiB
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    memory_mib: u64,
    /// Time on a core that one module may take, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
}

/// Compiles until the node asks no more. A limit that is passed ends the process there and then.
pub(crate) fn execute(arguments: &CompilerArguments) -> Result<Exit, Failure> {
    limit(Resource::Data, arguments.memory_mib << 20);
    limit(Resource::Core, 0);
    // If memory runs out, this process goes and the node stays.
    _ = fs::write("/proc/self/oom_score_adj", "1000");
    let served = serve_compiler(io::stdin().lock(), io::stdout().lock(), |step| {
        if step == CompileStep::Optimised {
            _ = setpriority_process(None, NICE);
        }
        // Modules before this one took time too, and a part of a second.
        let used = clock_gettime(ClockId::ProcessCPUTime).tv_sec.unsigned_abs() + 1;
        limit(Resource::Cpu, used + arguments.seconds);
    });
    match served {
        Ok(()) => Ok(Exit::Ok),
        Err(error) => Err(Failure::failed(
            format_args!("compiling for a node: {error}"),
            "this verb is for a node that starts it; `phalanx contract check` examines a module",
        )),
    }
}

/// Where the system forbids to set limits, a compiler without any is better than no compiler: crashes still end it alone.
fn limit(resource: Resource, most: u64) {
    let maximum = getrlimit(resource).maximum;
    _ = setrlimit(resource, Rlimit { current: Some(maximum.map_or(most, |maximum| most.min(maximum))), maximum });
}
