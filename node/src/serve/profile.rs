//! Where the processor's time goes: samples of all threads' stacks, in the format of `go tool pprof`.

use parking_lot::Mutex;
use pprof::protos::Message;
use pprof::{Frames, ProfilerGuard, ProfilerGuardBuilder, Symbol};
use signal_hook::consts::SIGPROF;
use signal_hook::low_level::raise;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;

/// Samples a second of the processor's time. Not a round number, so that what happens a hundred times a second is not always met.
const FREQUENCY: i32 = 99;

const USUAL_SECONDS: u64 = 10;
const MOST_SECONDS: u64 = 300;

/// There is one clock of the processor's time in a process.
static TAKING: Semaphore = Semaphore::const_new(1);

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProfileError {
    /// What is asked for makes no sense.
    #[error("{parameter}: give seconds=N, N from 1 to {MOST_SECONDS}, or nothing for {USUAL_SECONDS}")]
    Parameter { parameter: String },
    /// Another one is being taken.
    #[error("a profile is being taken; one at a time: try again when it has ended")]
    Taken,
    /// It cannot be taken here.
    #[error(
        "the profiler: {0}; it needs a temporary file: start the node with TMPDIR naming a directory that can be written"
    )]
    Profiler(#[from] pprof::Error),
    /// The thread that did it panicked.
    #[error("the profile was not finished: {0}")]
    Panicked(#[from] tokio::task::JoinError),
}

/// For how long, as the query of an address says it.
pub(super) fn length(query: Option<&str>) -> Result<Duration, ProfileError> {
    let mut seconds = USUAL_SECONDS;
    for parameter in query.unwrap_or_default().split('&').filter(|parameter| !parameter.is_empty()) {
        let given = parameter.strip_prefix("seconds=").and_then(|given| given.parse().ok());
        seconds = given
            .filter(|given| (1..=MOST_SECONDS).contains(given))
            .ok_or_else(|| ProfileError::Parameter { parameter: parameter.to_owned() })?;
    }
    Ok(Duration::from_secs(seconds))
}

/// A profile that is being taken; dropping it ends it. The fields are dropped in their order.
struct Taking {
    profiler: ProfilerGuard<'static>,
    _permit: SemaphorePermit<'static>,
}

/// Looks at the stacks for so long and returns a `perftools.profiles.Profile` in bytes. Ends early when it is dropped.
pub(super) async fn take(length: Duration) -> Result<Vec<u8>, ProfileError> {
    let permit = TAKING.try_acquire().map_err(|_| ProfileError::Taken)?;
    let taking = spawn_blocking(move || begin(permit)).await??;
    tokio::time::sleep(length).await;
    spawn_blocking(move || encode(&taking.profiler)).await?
}

fn begin(permit: SemaphorePermit<'static>) -> Result<Taking, ProfileError> {
    // The first sample reads from the program's files how stacks are walked, and that needs memory: it must not be taken in the
    // middle of an allocation. This one is taken here, and none can be before it: below zero no clock is set.
    static PREPARED: Mutex<bool> = Mutex::new(false);
    let mut prepared = PREPARED.lock();
    if !*prepared {
        let _profiler = ProfilerGuardBuilder::default().frequency(-1).build()?;
        raise(SIGPROF).map_err(pprof::Error::from)?;
        *prepared = true;
    }
    let profiler = ProfilerGuardBuilder::default().frequency(FREQUENCY).build()?;
    Ok(Taking { profiler, _permit: permit })
}

fn encode(profiler: &ProfilerGuard<'_>) -> Result<Vec<u8>, ProfileError> {
    let report = profiler.report().frames_post_processor(name_nameless).build()?;
    Ok(report.pprof()?.encode_to_vec())
}

/// Hand-written assembly, as that of the hash function, may not tell how its callers are found: the sample then has no frame,
/// and whoever reads profiles would not see it.
fn name_nameless(stack: &mut Frames) {
    if stack.frames.is_empty() {
        let name = b"(no unwinding information)".to_vec();
        stack.frames.push(vec![Symbol { name: Some(name), addr: None, lineno: None, filename: None }]);
    }
}
