//! Where the processor's time goes: samples of all threads' stacks, in the format of `go tool pprof`.

use pprof::protos::Message;
use pprof::{Frames, ProfilerGuard, ProfilerGuardBuilder, Symbol};
use signal_hook::consts::SIGPROF;
use signal_hook::low_level::raise;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

/// Samples a second of the processor's time. Not a round number, so that what happens a hundred times a second is not always met.
const FREQUENCY: usize = 99;
/// Samples a second at most, whatever there are of cores. Each takes about a kilobyte of the temporary file, and more when its functions are
/// looked up.
const SAMPLES_A_SECOND_MAX: usize = 800;

const USUAL_SECONDS: u64 = 10;
const MOST_SECONDS: u64 = 60;

/// How long one waits for another that has ended, and is being put away.
const PATIENCE: Duration = Duration::from_secs(1);

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
    /// There is nowhere to put samples.
    #[error(
        "the profiler: {0}; it needs a temporary file: start the node with TMPDIR naming a directory that can be written"
    )]
    File(pprof::Error),
    /// It cannot be taken here.
    #[error("the profiler: {0}")]
    Profiler(pprof::Error),
    /// The thread that did it panicked.
    #[error("the profile was not finished: {0}")]
    Panicked(#[from] tokio::task::JoinError),
}

impl From<pprof::Error> for ProfileError {
    fn from(error: pprof::Error) -> ProfileError {
        match error {
            pprof::Error::Running => ProfileError::Taken,
            pprof::Error::CreatingError | pprof::Error::IoError(_) => ProfileError::File(error),
            pprof::Error::NixError(_) | pprof::Error::NotRunning => ProfileError::Profiler(error),
        }
    }
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

/// A profile that is being taken; dropping it ends it, and then lets the next one begin.
struct Taking(Option<(ProfilerGuard<'static>, SemaphorePermit<'static>)>);

impl Drop for Taking {
    fn drop(&mut self) {
        let ended = self.0.take();
        // It makes its tables anew, which would keep connections waiting.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn_blocking(move || drop(ended));
        }
    }
}

/// Looks at the stacks for so long and returns a `perftools.profiles.Profile` in bytes. Ends early when it is dropped.
pub(super) async fn take(length: Duration) -> Result<Vec<u8>, ProfileError> {
    let permit =
        timeout(PATIENCE, TAKING.acquire()).await.map_err(|_| ProfileError::Taken)?.expect("it is never closed");
    let taking = spawn_blocking(move || begin(permit)).await??;
    sleep(length).await;
    spawn_blocking(move || encode(&taking)).await?
}

fn begin(permit: SemaphorePermit<'static>) -> Result<Taking, ProfileError> {
    // Whoever has the permit is alone here.
    static PREPARED: AtomicBool = AtomicBool::new(false);
    if !PREPARED.load(Ordering::Acquire) {
        // The first sample reads from the program's files how stacks are walked, and that needs memory: it must not be taken in the
        // middle of an allocation. This one is taken here, and none can be before it: below zero no clock is set.
        let _profiler = ProfilerGuardBuilder::default().frequency(-1).build()?;
        raise(SIGPROF).map_err(pprof::Error::from)?;
        PREPARED.store(true, Ordering::Release);
    }
    let cores = available_parallelism().map_or(1, usize::from);
    let frequency = (SAMPLES_A_SECOND_MAX / cores).clamp(1, FREQUENCY);
    let profiler = ProfilerGuardBuilder::default().frequency(frequency as i32).build()?;
    Ok(Taking(Some((profiler, permit))))
}

fn encode(Taking(taking): &Taking) -> Result<Vec<u8>, ProfileError> {
    let (profiler, _) = taking.as_ref().expect("it is there until it is dropped");
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
