//! Spans of batches and requests, sent to a collector by OTLP over gRPC.
//!
//! ```text
//! batch      queue ─ decode ─ execute ─ hash ─ sync     its children, each begins where the one before ends
//! request    phalanx.v1.ExecutionService/Submit         a unary one; child of its client's span if it has a `traceparent`
//! ```
//!
//! A span is made when it has ended, of times that are known by then: nothing is kept open, no call is timed, and there is no tracer
//! that threads would have to share. What ended waits in a queue that is bounded; where the collector does not keep up, what comes
//! is dropped and counted. So a batch costs some reads of the clock and one entry of the queue, a unary request two and one, a call
//! nothing.
//!
//! The messages are the specification's own (`opentelemetry-proto`). Its tracer (`opentelemetry_sdk`) is not used: it
//! neither tells how much its queue dropped nor how much could not be sent, and takes settings that `phalanx config show`
//! would not know from the environment.

mod batch;
mod export;
mod otlp;
mod request;
mod traceparent;

use axum::Router;
use axum::http::Uri;
use phalanx_benches::clock;
use phalanx_engine::{Clock, Executed};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tonic::Response;

pub(super) use self::batch::BatchSpan;
use self::export::{Exporter, Queue};
use self::request::Methods;
use super::answers::Waiting;
use crate::exit::Failure;

/// How long the last spans may take to reach the collector when the node ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Where spans are put. Without an endpoint, nowhere.
#[derive(Clone)]
pub(super) struct Spans {
    queue: Option<Queue>,
}

/// What sends them, on the server's threads.
pub(super) struct Exporting {
    exporter: Option<export::Running>,
}

/// The height of a unary request's calls, beside its answer.
#[derive(Clone, Copy)]
struct Height(u64);

/// Begins to send spans to an endpoint, if there is one. A collector that is not there is no failure.
///
/// # Errors
/// The endpoint cannot be used, or the system has no randomness.
pub(super) fn start(
    endpoint: Option<Uri>,
    chain_id: &[u8; 32],
    runtime: &Runtime,
) -> Result<(Spans, Exporting), Failure> {
    let Some(endpoint) = endpoint else { return Ok((Spans::nowhere(), Exporting { exporter: None })) };
    tracing::info!(%endpoint, "spans are sent");
    let (queue, ended) = export::queue();
    let exporter = Exporter::new(endpoint, chain_id, ended, runtime)?;
    Ok((Spans { queue: Some(queue) }, Exporting { exporter: Some(exporter.start(runtime)) }))
}

impl Spans {
    /// Nobody wants any.
    pub(super) fn nowhere() -> Spans {
        Spans { queue: None }
    }

    /// The clock that the engine times stages with: a few readings a round and worker, none a call.
    pub(super) fn clock(&self) -> Option<Clock> {
        self.queue.is_some().then_some(clock::nanoseconds as Clock)
    }

    /// Whether any are made.
    pub(super) fn any(&self) -> bool {
        self.queue.is_some()
    }

    /// The services, with a span for each unary request.
    pub(super) fn around(&self, services: Router) -> Router {
        let Some(queue) = &self.queue else { return services };
        let methods = Arc::new(Methods::new(queue.clone()));
        services.layer(axum::middleware::from_fn_with_state(methods, request::serve))
    }

    /// The span of a batch of so many bytes that was executed from `started` until now.
    pub(super) fn batch(
        &self,
        bytes: usize,
        waiting: &[Waiting],
        started: Instant,
        took: Duration,
        executed: &Executed,
    ) -> BatchSpan {
        BatchSpan::new(self.queue.as_ref(), bytes, waiting, started, took, executed)
    }
}

impl Exporting {
    /// Sends what ended so far, within [`FLUSH_TIMEOUT`].
    pub(super) fn flush(self, runtime: &Runtime) {
        if let Some(exporter) = self.exporter {
            exporter.end(runtime, FLUSH_TIMEOUT);
        }
    }
}

/// An answer to a unary request, whose span names the height of its calls.
pub(super) fn answer<T>(message: T, height: u64) -> Response<T> {
    let mut response = Response::new(message);
    response.extensions_mut().insert(Height(height));
    response
}
