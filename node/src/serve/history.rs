//! `Subscribe`: the history of heights, behind the durable mark.
//!
//! Whoever keeps up is told heights from memory (`recent.rs`), where each is kept decoded, once for all. For those who are
//! further behind the log is read (`reread.rs`), on a thread for what waits for a disk, once for all who are at the same height.

use futures_util::stream;
use phalanx_proto::history::EncodedSubscribeResponse;
use phalanx_proto::v1;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::{mpsc, oneshot};
use tonic::Status;

use super::node::Node;
use super::refusal::Refusal;
use super::reread::Behind;
use super::subscribers::{SUBSCRIBERS_MAX, Subscriber};
use super::wire::{Filter, Height};

/// Seconds for which a subscriber may read nothing while there is something to read.
pub(crate) const IDLE_SECONDS_MAX: u64 = 30;
/// Messages that wait to be sent: each about 1 MiB, or a single call that is larger.
const MESSAGES_AHEAD: usize = 2;

/// The messages of a subscription.
pub(crate) type Messages = Pin<Box<dyn stream::Stream<Item = Result<EncodedSubscribeResponse, Status>> + Send>>;

/// Follows the history from where a request says.
pub(super) fn follow(node: &Node, request: &v1::SubscribeRequest) -> Result<Messages, Refusal> {
    let filter = Filter::of(request)?;
    let v1::Cursor { height, index } = request.from.unwrap_or_default();
    let from = v1::Cursor { height: height.max(1), index };
    let subscriber = node.shared.recent.subscribers().join(filter);
    let subscriber = subscriber.ok_or_else(|| Refusal::exhausted("subscribers", SUBSCRIBERS_MAX as u64))?;
    let (to, messages) = mpsc::channel(MESSAGES_AHEAD);
    let (ends, end) = oneshot::channel();
    let follower = Follower { node: node.clone(), subscriber, from, to, behind: None };
    tokio::spawn(async move {
        if let Err(refusal) = follower.run().await {
            _ = ends.send(refusal);
        }
    });
    // The end has a way beside the messages': a subscriber that is cut off has left no room among them.
    Ok(Box::pin(stream::unfold((messages, Some(end)), |(mut messages, end)| async move {
        if let Some(message) = messages.recv().await {
            return Some((Ok(message), (messages, end)));
        }
        let refusal = end?.await.ok()?;
        Some((Err(refusal.into()), (messages, None)))
    })))
}

/// Follows the history for one subscriber.
struct Follower {
    node: Node,
    subscriber: Subscriber,
    /// Where the next message begins.
    from: v1::Cursor,
    to: mpsc::Sender<EncodedSubscribeResponse>,
    /// As long as the next height is not a recent one.
    behind: Option<Behind>,
}

impl Follower {
    /// Follows until the subscriber goes away, or is refused something.
    async fn run(mut self) -> Result<(), Refusal> {
        while self.wait_for_more().await? {
            let height = self.next_height().await?;
            while self.from.height == height.number() {
                if !self.tell(&height).await? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Waits until the height that comes next is durable. Answers whether anybody is still there.
    async fn wait_for_more(&self) -> Result<bool, Refusal> {
        let mut progress = self.node.shared.progress.clone();
        let height = self.from.height;
        tokio::select! {
            // In this order, since there may always be more.
            biased;
            () = self.to.closed() => Ok(false),
            () = self.node.drained() => Err(Refusal::draining()),
            reached = progress.wait_for(|progress| progress.stopped || progress.durable_height >= height) => {
                match reached {
                    Ok(progress) if progress.durable_height >= height => Ok(true),
                    _ => Err(Refusal::stopped()),
                }
            }
        }
    }

    /// The height that comes next, which is durable.
    async fn next_height(&mut self) -> Result<Arc<Height>, Refusal> {
        let next = self.from.height;
        if let Some(height) = self.node.shared.recent.get(next) {
            self.behind = None;
            return Ok(height);
        }
        self.behind.get_or_insert_with(|| Behind::new(&self.node));
        self.node.shared.reread.height(&self.node, next, self.subscriber.filter().needs_receipts()).await
    }

    /// Tells the next part of a height. Answers whether anybody is still there.
    async fn tell(&mut self, height: &Height) -> Result<bool, Refusal> {
        let part = height.part(self.subscriber.filter(), self.from.index, || self.subscriber.audience());
        let number = height.number();
        self.from = match part.next {
            Some(index) => v1::Cursor { height: number, index },
            None => v1::Cursor { height: number + 1, index: 0 },
        };
        let (time_ms, next) = (height.time_ms(), Some(self.from));
        let message =
            EncodedSubscribeResponse { height: number, time_ms, calls: part.calls, next, canonical: part.canonical };
        // A subscriber that has not read for too long is cut off.
        match self.to.send_timeout(message, Duration::from_secs(IDLE_SECONDS_MAX)).await {
            Ok(()) => Ok(true),
            Err(SendTimeoutError::Closed(_)) => Ok(false),
            Err(SendTimeoutError::Timeout(_)) => Err(Refusal::slow_reader(IDLE_SECONDS_MAX)),
        }
    }
}
