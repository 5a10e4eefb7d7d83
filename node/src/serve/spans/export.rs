//! The queue of what ended, and the task that sends it. Whatever becomes of the collector, the node goes on: what cannot be sent is
//! counted and let go.

use axum::http::Uri;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use super::batch::BatchTimes;
use super::otlp::{BATCH_CHILDREN, Messages};
use super::request::RequestTimes;
use crate::exit::Failure;

/// Batches and requests that wait to be sent.
const QUEUE_MAX: usize = 4_096;
/// Batches and requests of a message: 1.5 MiB at most, of the 4 MiB that collectors take.
const MESSAGE_MAX: usize = 1_024;
/// How often a message is sent, if there is anything to send. With the number above it bounds what sending costs, at any load:
/// 5,120 batches and requests a second.
const SEND_INTERVAL: Duration = Duration::from_millis(200);
/// How long a collector may take to accept a connection, and a message.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// How often it is reported what was lost.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// Something that ended.
#[derive(Debug)]
pub(super) enum Ended {
    Batch(Box<BatchTimes>),
    Request(RequestTimes),
}

/// Where it is put.
#[derive(Clone)]
pub(super) struct Queue {
    to: mpsc::Sender<Ended>,
    /// Spans that found no room since the last report. It guards no other memory: relaxed is enough.
    dropped: Arc<AtomicU64>,
}

/// What is taken out.
pub(super) struct Taken {
    from: mpsc::Receiver<Ended>,
    dropped: Arc<AtomicU64>,
}

/// Sends what ended to a collector.
pub(super) struct Exporter {
    taken: Taken,
    collector: TraceServiceClient<Channel>,
    messages: Messages,
    lost: Lost,
}

/// A task that does.
pub(super) struct Running {
    task: JoinHandle<()>,
    end: oneshot::Sender<()>,
}

/// What did not arrive since the last report.
struct Lost {
    reported: Instant,
    /// Spans of messages that the collector did not take.
    refused: u64,
    /// Why not, the last time.
    code: Option<Code>,
}

/// A queue, and its end.
pub(super) fn queue() -> (Queue, Taken) {
    let (to, from) = mpsc::channel(QUEUE_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    (Queue { to, dropped: Arc::clone(&dropped) }, Taken { from, dropped })
}

impl Ended {
    fn spans(&self) -> u64 {
        match self {
            Ended::Batch(_) => 1 + BATCH_CHILDREN as u64,
            Ended::Request(_) => 1,
        }
    }
}

impl Queue {
    /// Puts something in, or drops it where there is no room. It never waits.
    pub(super) fn put(&self, ended: Ended) {
        if let Err(refused) = self.to.try_send(ended) {
            self.dropped.fetch_add(refused.into_inner().spans(), Ordering::Relaxed);
        }
    }
}

impl Exporter {
    /// To an endpoint, which is connected to when there is something to send.
    ///
    /// # Errors
    /// The endpoint cannot be used, or the system has no randomness.
    pub(super) fn new(
        endpoint: Uri,
        chain_id: &[u8; 32],
        taken: Taken,
        runtime: &Runtime,
    ) -> Result<Exporter, Failure> {
        let messages = Messages::new(chain_id)?;
        let endpoint = Endpoint::from(endpoint).connect_timeout(CONNECT_TIMEOUT).timeout(SEND_TIMEOUT);
        // A channel has a task, on the threads of the runtime.
        let _entered = runtime.enter();
        let collector = TraceServiceClient::new(endpoint.connect_lazy());
        let lost = Lost { reported: Instant::now(), refused: 0, code: None };
        Ok(Exporter { taken, collector, messages, lost })
    }

    /// Sends until it is told to end.
    pub(super) fn start(self, runtime: &Runtime) -> Running {
        let (end, ends) = oneshot::channel();
        Running { task: runtime.spawn(self.run(ends)), end }
    }

    async fn run(mut self, mut ends: oneshot::Receiver<()>) {
        let mut interval = tokio::time::interval(SEND_INTERVAL);
        // A collector that was slow once is not sent to faster afterwards.
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = interval.tick() => {
                    self.send().await;
                }
                _ = &mut ends => break,
            }
            self.report(REPORT_INTERVAL);
        }
        // What comes from now on is dropped; what is there is sent, in messages behind each other.
        self.taken.from.close();
        while self.send().await {}
        self.report(Duration::ZERO);
    }

    /// Sends one message of what waits. Says whether anything did.
    async fn send(&mut self) -> bool {
        let mut ended = Vec::new();
        while ended.len() < MESSAGE_MAX
            && let Ok(next) = self.taken.from.try_recv()
        {
            ended.push(next);
        }
        if ended.is_empty() {
            return false;
        }
        let spans: u64 = ended.iter().map(Ended::spans).sum();
        match self.collector.export(self.messages.message(ended)).await {
            Ok(answer) => {
                let rejected = answer.into_inner().partial_success.map_or(0, |partial| partial.rejected_spans);
                self.lost.refused += u64::try_from(rejected).unwrap_or(0);
            }
            // Not sent again: the queue is behind it, and spans are not worth more than what they tell of.
            Err(status) => {
                self.lost.refused += spans;
                self.lost.code = Some(status.code());
            }
        }
        true
    }

    /// Says what was lost, if something was, and the last report is so long ago.
    fn report(&mut self, interval: Duration) {
        if self.lost.reported.elapsed() < interval {
            return;
        }
        let dropped = self.taken.dropped.swap(0, Ordering::Relaxed);
        let Lost { refused, code, .. } = std::mem::replace(&mut self.lost, Lost::none());
        if dropped > 0 || refused > 0 {
            // Not the collector's words: a code says whether it is there.
            let code = code.map(|code| code.description());
            tracing::warn!(
                dropped,
                refused,
                code,
                "spans were lost: no room in the queue, or not taken by the collector"
            );
        }
    }
}

impl Lost {
    fn none() -> Lost {
        Lost { reported: Instant::now(), refused: 0, code: None }
    }
}

impl Running {
    /// Has it send what is there, and waits for that, but not for long.
    pub(super) fn end(self, runtime: &Runtime, timeout: Duration) {
        // Its receiver is gone only if the task has panicked.
        _ = self.end.send(());
        let task = self.task;
        let abort = task.abort_handle();
        if runtime.block_on(async { tokio::time::timeout(timeout, task).await }).is_err() {
            abort.abort();
            tracing::warn!(seconds = timeout.as_secs(), "the collector did not take the last spans in time");
        }
    }
}
