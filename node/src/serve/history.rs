//! `Subscribe`: the history of heights, each subscriber on a thread of its own that reads the log behind the durable mark.

use futures_util::stream;
use phalanx_engine::log::receipts::ReceiptsAndWrites;
use phalanx_engine::log::{LogError, Record, Records};
use phalanx_engine::{Batch, LoggedEngine};
use phalanx_proto::v1;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tonic::Status;

use super::node::Node;
use super::refusal::Refusal;
use super::wire::{Filter, parts};

/// Subscribers. Each holds a thread, and the bytes of one height.
pub(crate) const SUBSCRIBERS_MAX: usize = 128;
/// Seconds for which a subscriber may read nothing while there is something to read.
pub(crate) const IDLE_SECONDS_MAX: u64 = 30;
/// Messages that wait to be sent: each about 1 MiB, or a single call that is larger.
const MESSAGES_AHEAD: usize = 2;

/// The messages of a subscription.
pub(crate) type Messages = Pin<Box<dyn stream::Stream<Item = Result<v1::SubscribeResponse, Status>> + Send>>;

/// Follows the history from where a request says.
pub(super) fn follow(node: &Node, request: &v1::SubscribeRequest) -> Result<Messages, Refusal> {
    let filter = Filter::of(request)?;
    let v1::Cursor { height, index } = request.from.unwrap_or_default();
    let from = v1::Cursor { height: height.max(1), index };
    let place = Arc::clone(&node.shared.subscribers).try_acquire_owned();
    let place = place.map_err(|_| Refusal::exhausted("subscribers", SUBSCRIBERS_MAX as u64))?;
    let (to, messages) = mpsc::channel(MESSAGES_AHEAD);
    let (ends, end) = oneshot::channel();
    let reader = Reader { node: node.clone(), filter, from, to, runtime: Handle::current(), _place: place };
    tokio::task::spawn_blocking(move || {
        if let Err(refusal) = reader.run() {
            _ = ends.send(refusal);
        }
    });
    // The end has a way beside the messages': a reader that is cut off has left no room among them.
    Ok(Box::pin(stream::unfold((messages, Some(end)), |(mut messages, end)| async move {
        if let Some(message) = messages.recv().await {
            return Some((Ok(message), (messages, end)));
        }
        let refusal = end?.await.ok()?;
        Some((Err(refusal.into()), (messages, None)))
    })))
}

/// Reads the log for one subscriber.
struct Reader {
    node: Node,
    filter: Filter,
    /// Where the next message begins.
    from: v1::Cursor,
    to: mpsc::Sender<v1::SubscribeResponse>,
    runtime: Handle,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    /// Reads until the subscriber goes away, or is refused something.
    fn run(mut self) -> Result<(), Refusal> {
        let logged = Arc::clone(&self.node.shared.logged);
        let mut records = logged.log().records(self.from.height).map_err(|error| unread(&error))?;
        while self.wait_for_more()? {
            while let Some(height) = self.next_height(&mut records)? {
                let wanted = self.deliver(&logged, height)?;
                if !wanted {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Waits until the height that comes next is durable. Answers whether anybody is still there.
    fn wait_for_more(&self) -> Result<bool, Refusal> {
        let mut progress = self.node.shared.progress.clone();
        let height = self.from.height;
        self.runtime.block_on(async {
            tokio::select! {
                () = self.to.closed() => Ok(false),
                () = self.node.drained() => Err(Refusal::draining()),
                reached = progress.wait_for(|progress| progress.stopped || progress.durable_height >= height) => {
                    match reached {
                        Ok(progress) if progress.durable_height >= height => Ok(true),
                        _ => Err(Refusal::stopped()),
                    }
                }
            }
        })
    }

    /// The next batch that is executed and durable.
    fn next_height(&self, records: &mut Records) -> Result<Option<Batch>, Refusal> {
        if self.node.durable_height() < self.from.height {
            return Ok(None);
        }
        for located in records.by_ref() {
            let Record::Input(input) = located.map_err(|error| unread(&error))?.record else { continue };
            let batch = Batch::decode(input.batch);
            return batch.map(Some).map_err(|error| Refusal::unreadable(format_args!("the log: {error}")));
        }
        Ok(None)
    }

    /// Sends a height in parts. Answers whether anybody is still there.
    fn deliver(&mut self, logged: &LoggedEngine, batch: Batch) -> Result<bool, Refusal> {
        let height = batch.height();
        let kept = match self.filter.needs_receipts() {
            true => kept(logged, height)?,
            false => (Vec::new(), Vec::new()),
        };
        let (encoded, from) = ((&*kept.0, &*kept.1), self.from.index);
        let mut sent = Ok(true);
        parts(&batch, encoded, from, &self.filter, |part| {
            let next = match part.next {
                Some(index) => v1::Cursor { height, index },
                None => v1::Cursor { height: height + 1, index: 0 },
            };
            let time_ms = batch.time_ms();
            sent = self.send(v1::SubscribeResponse { height, time_ms, calls: part.calls, next: Some(next) });
            matches!(sent, Ok(true))
        });
        self.from = v1::Cursor { height: height + 1, index: 0 };
        sent
    }

    /// Sends a message, or cuts off a subscriber that has not read for too long.
    fn send(&self, message: v1::SubscribeResponse) -> Result<bool, Refusal> {
        let send = self.to.send_timeout(message, Duration::from_secs(IDLE_SECONDS_MAX));
        match self.runtime.block_on(send) {
            Ok(()) => Ok(true),
            Err(SendTimeoutError::Closed(_)) => Ok(false),
            Err(SendTimeoutError::Timeout(_)) => Err(Refusal::slow_reader(IDLE_SECONDS_MAX)),
        }
    }
}

/// Encoded receipts and write set of a height.
pub(super) fn kept(logged: &LoggedEngine, height: u64) -> Result<ReceiptsAndWrites, Refusal> {
    let earliest = || logged.receipt_heights().map(|heights| *heights.start());
    let kept = logged.receipts(height).map_err(|error| unread(&error))?;
    kept.ok_or_else(|| Refusal::below_retention(height, earliest()))
}

fn unread(error: &LogError) -> Refusal {
    match error {
        LogError::BelowRetention { height, earliest } => Refusal::below_retention(*height, Some(*earliest)),
        // The rest names files: for the operator, who has it from `phalanx log verify`.
        _ => Refusal::unreadable("the log or its receipts cannot be read"),
    }
}
