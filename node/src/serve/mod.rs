//! `phalanx serve`: a gRPC front end over a logged engine.
//!
//! ```text
//! connections ─ services ─ admission ─▶ queue ─▶ cutter ─▶ take apart ─▶ wait for syncs ─▶ answers
//!   (tokio)                  (bytes)            (thread)    (thread)        (thread)
//! ```
//!
//! Everything that comes in is checked in `wire`, where it is still its client's alone to bear. What is admitted has room in the
//! queue, which is bounded in bytes, until it is answered. One thread, the cutter, orders calls: it looks up whether they were
//! executed before (`once`), cuts batches, executes them, and answers questions between two batches. Whatever waits for a
//! disk waits elsewhere.

pub(crate) mod access;
mod admin;
mod answers;
mod catalog;
mod clock;
mod compiling;
pub(crate) mod config;
mod connect;
mod connections;
mod cutter;
mod direct;
mod execution_service;
mod history;
mod limits;
pub(crate) mod logging;
mod node;
mod once;
mod pace;
mod process;
mod profile;
mod query_service;
mod questions;
mod recent;
mod refusal;
mod refusals;
mod reread;
mod server;
mod session_stream;
pub(crate) mod settings;
mod signed;
mod slow_sync;
#[cfg_attr(not(feature = "opentelemetry"), path = "no_spans.rs")]
mod spans;
mod submission;
mod subscribers;
mod supervision;
mod telemetry;
mod tls;
mod validity;
mod wire;

use axum::http::Uri;
use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::log::{LogError, Origin};
use phalanx_engine::{LoggedEngine, LoggedError, LoggedOptions, Options};
use signal_hook::consts::SIGHUP;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, watch};

use self::access::Access;
use self::answers::Progress;
use self::catalog::Catalog;
use self::cutter::{Cutter, Work};
use self::node::{Node, Shared};
use self::once::Once;
use self::pace::Pace;
use self::recent::Recent;
use self::reread::Reread;
use self::settings::Tls;
use self::tls::Certificates;
use crate::command_line::Context;
use crate::execution::{chain_of, logged_options};
use crate::exit::{Exit, Failure};
use crate::replay::{log_failure, logged_failure};

pub(crate) use self::limits::CONNECTIONS_MAX;
pub(crate) use self::process::open_files_max;
pub(crate) use self::tls::certificate_expires;

/// Batches that wait to be taken apart, and taken apart to be synced: enough that neither thread stands idle.
const BATCHES_BETWEEN: usize = 4;
/// How often it is looked whether a signal came.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);
/// How long readers of the log may take to notice that the server ends.
const READERS_TIMEOUT: Duration = Duration::from_secs(5);

/// How a server is set up.
pub(crate) struct Setup {
    pub(crate) data_directory: PathBuf,
    pub(crate) listen: SocketAddr,
    /// Where operators look, if anywhere.
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) tls: Option<Tls>,
    pub(crate) access: Access,
    /// Tells the chain from others; that of the log if it is not said.
    pub(crate) chain_id: Option<[u8; 32]>,
    /// Whether every call that is submitted must be signed.
    pub(crate) require_signatures: bool,
    pub(crate) engine: Options,
    /// Calls after which a batch is cut.
    pub(crate) batch_calls: usize,
    /// Threads that serve connections.
    pub(crate) connection_threads: usize,
    /// Where spans are sent, if anywhere.
    pub(crate) otlp_endpoint: Option<Uri>,
}

/// Threads that work on batches.
struct Threads {
    cutter: JoinHandle<Result<(), LoggedError>>,
    taker_apart: JoinHandle<()>,
    syncer: JoinHandle<Result<(), LogError>>,
}

/// A server that takes requests.
pub(crate) struct Started {
    /// Where gRPC is served.
    pub(crate) address: SocketAddr,
    /// Where operators look.
    pub(crate) admin: Option<SocketAddr>,
    /// The height that the log led to.
    pub(crate) height: u64,
}

/// Serves until a signal comes or the engine stops. `started` is told once requests are taken.
pub(crate) fn serve(
    setup: Setup,
    context: &Context,
    started: &dyn Fn(Started) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    let certificates = setup.tls.map(Certificates::load).transpose()?.map(Arc::new);
    let hangup = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGHUP, Arc::clone(&hangup)).map_err(|error| {
        Failure::failed(format_args!("signals: {error}"), "this is a fault of the system: report it")
    })?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        data_directory = %setup.data_directory.display(),
        workers = setup.engine.workers,
        "starting"
    );
    let runtime = runtime(setup.connection_threads)?;
    // Before the log is replayed, which may take long: an address that is taken is said at once.
    let (listener, address) = bind(&runtime, setup.listen)?;
    let admin = setup.admin.map(|address| bind(&runtime, address)).transpose()?;
    let (admin_listener, admin) = admin.unzip();
    let metrics = telemetry::start()?;
    certificates.iter().for_each(|certificates| certificates.note_expiry());

    let opening = Instant::now();
    let chain_id = match setup.chain_id {
        Some(chain_id) => chain_id,
        None => chain_of(&setup.data_directory).map_err(|error| log_failure(&error))?,
    };
    let (spans, exporting) = spans::start(setup.otlp_endpoint, &chain_id, &runtime)?;
    let mut catalog = Catalog::default();
    let mut once = Once::default();
    // With a core for each worker and more, what is not execution has its own.
    let shares_cores = std::thread::available_parallelism().is_ok_and(|cores| cores.get() <= setup.engine.workers);
    let options = Options { compiler: Some(compiling::command), shares_cores, clock: spans.clock(), ..setup.engine };
    let (logged, opened) = LoggedEngine::open_observed(
        Arc::new(RealFileSystem),
        &setup.data_directory,
        LoggedOptions { chain_id, ..logged_options(options) },
        &mut |batch, executed| {
            catalog.observe(batch, executed);
            once.observe(batch);
        },
    )
    .map_err(|error| logged_failure(&error))?;
    if let Origin::Cut(tail) = &opened.origin {
        tracing::warn!(%tail, "the log's tail was cut");
    }
    let logged = Arc::new(logged);
    let height = logged.engine().height();
    tracing::info!(height, milliseconds = opening.elapsed().as_millis() as u64, "log replayed");

    let (work, queue) = crossbeam_channel::unbounded();
    let (asking, questions) = questions::questions();
    let (progress_to, progress) = watch::channel(Progress { durable_height: height, stopped: false });
    let (drain, draining) = watch::channel(false);
    let pace = Arc::new(Pace::default());
    let recent = Arc::new(Recent::new());
    let node = Node {
        shared: Arc::new(Shared {
            logged: Arc::clone(&logged),
            chain_id,
            require_signatures: setup.require_signatures,
            signature_checks: Arc::new(Semaphore::new(signed::LISTS_CHECKED)),
            access: setup.access,
            pace: Arc::clone(&pace),
            work: work.clone(),
            asking,
            progress,
            draining,
            room: Arc::new(Semaphore::new(node::QUEUE_BYTES_MAX as usize)),
            waiting_room: Arc::new(Semaphore::new(node::WAITING_BYTES_MAX as usize)),
            questions: Arc::new(Semaphore::new(node::QUESTIONS_MAX)),
            recent: Arc::clone(&recent),
            reread: Reread::default(),
        }),
    };
    let (executed, batches) = crossbeam_channel::bounded(BATCHES_BETWEEN);
    let cutter = Cutter {
        logged: Arc::clone(&logged),
        work: queue,
        questions,
        executed,
        once,
        catalog,
        pace,
        spans: spans.clone(),
        batch_calls: setup.batch_calls,
    };
    let threads = Threads::start(cutter, batches, &logged, recent, progress_to)?;
    started(Started { address, admin, height })?;
    tracing::info!(%address, admin = admin.map(tracing::field::display), tls = certificates.is_some(), "serving");
    supervision::ready();

    let served = runtime.block_on(async {
        let ending = async {
            wait_for_end(&node, context).await;
            tracing::info!(stopped = node.shared.progress.borrow().stopped, "draining: requests are no longer taken");
            supervision::stopping();
            drain.send_replace(true);
            std::future::pending().await
        };
        tokio::select! {
            served = server::run(node.clone(), listener, certificates.clone(), &spans) => served,
            failed = admin::run(node.clone(), metrics, admin_listener) => failed,
            never = ending => never,
            never = keep_up(certificates.as_deref(), &hangup) => match never {},
            never = refusals::report_now_and_then() => match never {},
            never = compiling::report_now_and_then(logged.engine()) => match never {},
            never = supervision::feed_watchdog(&node) => match never {},
        }
    });
    // What was ordered is executed and synced, whoever still waits for it.
    _ = work.send(Work::End);
    let ended = threads.join();
    drop((node, work));
    exporting.flush(&runtime);
    runtime.shutdown_timeout(READERS_TIMEOUT);
    refusals::report();
    ended?;
    served?;
    let height = logged.engine().height();
    match Arc::into_inner(logged) {
        Some(logged) => logged.close().map_err(|error| log_failure(&error))?,
        None => tracing::warn!("a reader did not end: the log is complete, but not marked as closed"),
    }
    tracing::info!(height, "ended");
    Ok(Exit::Ok)
}

fn bind(runtime: &Runtime, address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let bound = runtime.block_on(TcpListener::bind(address));
    bound.and_then(|listener| listener.local_addr().map(|address| (listener, address))).map_err(|error| {
        Failure::failed(format_args!("{address}: {error}"), "listen on another address, or end who holds it")
    })
}

/// Threads for connections: they parse and copy, and calls execute elsewhere.
fn runtime(threads: usize) -> Result<Runtime, Failure> {
    let runtime = Builder::new_multi_thread().worker_threads(threads).thread_name("phalanx-io").enable_all().build();
    runtime.map_err(|error| Failure::failed(format_args!("threads: {error}"), "raise the limit of threads"))
}

/// Looks after certificates until the future is dropped; without any, SIGHUP changes nothing.
async fn keep_up(certificates: Option<&Certificates>, asked: &AtomicBool) -> Infallible {
    match certificates {
        Some(certificates) => certificates.keep_up(asked).await,
        None => std::future::pending().await,
    }
}

/// Waits for a signal, or for the engine to stop.
async fn wait_for_end(node: &Node, context: &Context) {
    let mut interval = tokio::time::interval(SIGNAL_INTERVAL);
    while !context.interrupt.asked() && !node.shared.progress.borrow().stopped {
        interval.tick().await;
    }
}

impl Threads {
    fn start(
        cutter: Cutter,
        batches: crossbeam_channel::Receiver<answers::ExecutedBatch>,
        logged: &Arc<LoggedEngine>,
        recent: Arc<Recent>,
        progress: watch::Sender<Progress>,
    ) -> Result<Threads, Failure> {
        let failure = |error| Failure::failed(format_args!("threads: {error}"), "raise the limit of threads");
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let (taken_apart, unsynced) = crossbeam_channel::bounded(BATCHES_BETWEEN);
        let fault = || Fault { progress: progress.clone(), armed: true };
        let (of_cutter, of_taker_apart, of_syncer) = (fault(), fault(), fault());
        let logged = Arc::clone(logged);
        Ok(Threads {
            cutter: named("phalanx-cutter")
                .spawn(move || of_cutter.unless_ok(|| cutter.run().inspect_err(execution_stopped)))
                .map_err(failure)?,
            taker_apart: named("phalanx-answers")
                .spawn(move || of_taker_apart.unless_panicked(|| answers::take_apart(&batches, &taken_apart, &recent)))
                .map_err(failure)?,
            syncer: named("phalanx-syncs")
                .spawn(move || {
                    let waited = || answers::wait_for_syncs(&unsynced, &logged, &progress).inspect_err(log_stopped);
                    of_syncer.unless_ok(waited)
                })
                .map_err(failure)?,
        })
    }

    /// Waits for their ends, in the order in which they come.
    fn join(self) -> Result<(), Failure> {
        let panicked = |_| Failure::failed("a thread of the server panicked", "report it with the log");
        let cutter = self.cutter.join().map_err(panicked)?;
        self.taker_apart.join().map_err(panicked)?;
        let syncer = self.syncer.join().map_err(panicked)?;
        cutter.map_err(|error| logged_failure(&error))?;
        syncer.map_err(|error| log_failure(&error))
    }
}

fn execution_stopped(error: &LoggedError) {
    tracing::error!(%error, "a batch failed: the engine has stopped");
}

fn log_stopped(error: &LogError) {
    tracing::error!(%error, "a sync failed: the log has stopped");
}

/// Tells everybody that the engine has stopped, also when a thread panics that it needs.
struct Fault {
    progress: watch::Sender<Progress>,
    armed: bool,
}

impl Fault {
    fn unless_ok<T, E>(mut self, body: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let ended = body();
        self.armed = ended.is_err();
        ended
    }

    fn unless_panicked<T>(mut self, body: impl FnOnce() -> T) -> T {
        let ended = body();
        self.armed = false;
        ended
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        if self.armed {
            self.progress.send_modify(|progress| progress.stopped = true);
        }
    }
}

#[cfg(test)]
mod tests;
