//! Modules that strangers deploy are compiled in processes of their own, with limits.

use phalanx_engine::{CompilerStatistics, Engine};
use std::convert::Infallible;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Memory that such a process may take: five times what the worst accepted module is known to need.
const MEMORY_MIB: u64 = 512;
/// Time on a core that one module may take: six times what the worst accepted module is known to need, and with both steps below what
/// a watchdog waits for.
const SECONDS: u64 = 30;
/// How often it is looked whether one failed.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// Starts this program once more, as a compiler. By the kernel's link, which leads to what runs now also after an upgrade of the file.
pub(crate) fn command() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("phalanx");
    // A group of its own: who interrupts the node at a terminal means the node, which ends its compilers itself.
    command.process_group(0);
    command.args(["compiler", "--memory-mib", &MEMORY_MIB.to_string(), "--seconds", &SECONDS.to_string()]);
    // It needs nothing of what the node was told, secrets included. Its allocator shall take memory as it uses it: what it takes before the
    // limit is set does not count.
    command.env_clear().env("MIMALLOC_ARENA_EAGER_COMMIT", "0").stderr(Stdio::null());
    command
}

/// Warns of modules that stay as the quick step made them, until the future is dropped.
pub(super) async fn report_now_and_then(engine: &Engine) -> Infallible {
    let mut interval = tokio::time::interval(LOOK_INTERVAL);
    let mut reported = 0;
    loop {
        interval.tick().await;
        let CompilerStatistics { failed, .. } = engine.compiler_statistics();
        if failed > reported {
            tracing::warn!(
                modules = failed - reported,
                memory_mib = MEMORY_MIB,
                seconds = SECONDS,
                "modules could not be optimised within the limits: their calls stay slow"
            );
        }
        reported = failed;
    }
}
