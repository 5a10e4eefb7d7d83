//! `Subscribe`: the history of heights, behind the durable mark.
//!
//! Whoever keeps up is told heights from memory (`recent.rs`), where each is kept decoded, once for all. For those who are
//! further behind the log is read (`reread.rs`), on a thread for what waits for a disk, once for all who are at the same height.

use futures_util::stream;
use phalanx_proto::Message;
use phalanx_proto::history::EncodedSubscribeResponse;
use phalanx_proto::v1;
use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tonic::Status;

use super::node::Node;
use super::refusal::Refusal;
use super::reread::Behind;
use super::subscribers::{SUBSCRIBERS_MAX, Subscriber};
use super::wire::{Filter, Height};

/// Seconds for which a subscriber may read nothing while there is something to read.
pub(crate) const IDLE_SECONDS_MAX: u64 = 30;
/// Messages that are handed over together: of as many heights as there are, up to so many bytes, or a single call that is larger.
const BUNDLE_BYTES: usize = 1 << 20;
/// Bundles that wait to be sent.
const BUNDLES_AHEAD: usize = 2;
/// How long a subscriber that keeps up is left alone, for each that there is. To tell somebody takes some ten microseconds of two
/// threads, however little it is: many are told less often, and more at a time.
const REST: Duration = Duration::from_micros(500);

/// The messages of a subscription.
pub(crate) type Messages = Pin<Box<dyn stream::Stream<Item = Result<EncodedSubscribeResponse, Status>> + Send>>;
/// Some of them.
type Bundle = VecDeque<EncodedSubscribeResponse>;

/// Follows the history from where a request says.
pub(super) fn follow(node: &Node, request: &v1::SubscribeRequest) -> Result<Messages, Refusal> {
    let filter = Filter::of(request)?;
    let v1::Cursor { height, index } = request.from.unwrap_or_default();
    let from = v1::Cursor { height: height.max(1), index };
    let subscriber = node.shared.recent.subscribers().join(filter);
    let subscriber = subscriber.ok_or_else(|| Refusal::exhausted("subscribers", SUBSCRIBERS_MAX as u64))?;
    let (to, bundles) = mpsc::channel(BUNDLES_AHEAD);
    let (ends, end) = oneshot::channel();
    let follower = Follower { node: node.clone(), subscriber, from, to, behind: None, rests_until: Instant::now() };
    tokio::spawn(async move {
        if let Err(refusal) = follower.run().await {
            _ = ends.send(refusal);
        }
    });
    let told = Told { bundles, bundle: Bundle::new(), end: Some(end) };
    Ok(Box::pin(stream::unfold(told, async |mut told| Some((told.next().await?, told)))))
}

/// What a subscriber is told, as it is taken.
struct Told {
    bundles: mpsc::Receiver<Bundle>,
    bundle: Bundle,
    /// The end has a way beside the messages': a subscriber that is cut off has left no room among them.
    end: Option<oneshot::Receiver<Refusal>>,
}

impl Told {
    async fn next(&mut self) -> Option<Result<EncodedSubscribeResponse, Status>> {
        if self.bundle.is_empty()
            && let Some(bundle) = self.bundles.recv().await
        {
            self.bundle = bundle;
        }
        match self.bundle.pop_front() {
            Some(message) => Some(Ok(message)),
            None => Some(Err(self.end.take()?.await.ok()?.into())),
        }
    }
}

/// Follows the history for one subscriber.
struct Follower {
    node: Node,
    subscriber: Subscriber,
    /// Where the next message begins.
    from: v1::Cursor,
    to: mpsc::Sender<Bundle>,
    /// As long as the next height is not a recent one.
    behind: Option<Behind>,
    /// When it may be told again, if it keeps up.
    rests_until: Instant,
}

impl Follower {
    /// Follows until the subscriber goes away, or is refused something.
    async fn run(mut self) -> Result<(), Refusal> {
        while self.wait_for_more().await? {
            let (bundle, end) = self.gather().await;
            // A subscriber that has not read for too long is cut off.
            match self.to.send_timeout(bundle, Duration::from_secs(IDLE_SECONDS_MAX)).await {
                Ok(()) => end?,
                Err(SendTimeoutError::Closed(_)) => break,
                Err(SendTimeoutError::Timeout(_)) => return Err(Refusal::slow_reader(IDLE_SECONDS_MAX)),
            }
        }
        Ok(())
    }

    /// Waits until the height that comes next is durable. Answers whether anybody is still there.
    async fn wait_for_more(&mut self) -> Result<bool, Refusal> {
        let mut progress = self.node.shared.progress.clone();
        let height = self.from.height;
        let rests_until = (self.node.durable_height() < height).then_some(self.rests_until);
        let reached = async {
            if let Some(until) = rests_until {
                sleep_until(until).await;
            }
            progress.wait_for(|progress| progress.stopped || progress.durable_height >= height).await
        };
        let is_there = tokio::select! {
            // In this order, since there may always be more.
            biased;
            () = self.to.closed() => Ok(false),
            () = self.node.drained() => Err(Refusal::draining()),
            reached = reached => match reached {
                Ok(progress) if progress.durable_height >= height => Ok(true),
                _ => Err(Refusal::stopped()),
            }
        };
        if rests_until.is_some() {
            self.rests_until = Instant::now() + REST * self.subscriber.others();
        }
        is_there
    }

    /// Messages of heights that are durable. What is in the way of more of them comes behind them.
    async fn gather(&mut self) -> (Bundle, Result<(), Refusal>) {
        let (mut bundle, mut bytes) = (Bundle::new(), 0);
        while bytes < BUNDLE_BYTES && (bundle.is_empty() || self.from.height <= self.node.durable_height()) {
            match self.message().await {
                Ok(message) => {
                    bytes += message.encoded_len();
                    bundle.push_back(message);
                }
                Err(refusal) => return (bundle, Err(refusal)),
            }
        }
        (bundle, Ok(()))
    }

    /// The next part of the height that comes next, which is durable.
    async fn message(&mut self) -> Result<EncodedSubscribeResponse, Refusal> {
        let v1::Cursor { height: number, index } = self.from;
        let part = |height: &Height| height.part(self.subscriber.filter(), index, || self.subscriber.audience());
        let recent = self.node.shared.recent.get(number);
        let (height, part) = match recent.and_then(|height| part(&height).map(|part| (height, part))) {
            Some(found) => {
                self.behind = None;
                found
            }
            None => {
                self.behind.get_or_insert_with(|| Behind::new(&self.node));
                let needed = self.subscriber.filter().needs();
                let height = self.node.shared.reread.height(&self.node, number, needed.any()).await?;
                let part = part(&height).ok_or_else(|| Refusal::unreadable("the receipts of a height"))?;
                (height, part)
            }
        };
        self.from = match part.next {
            Some(index) => v1::Cursor { height: number, index },
            None => v1::Cursor { height: number + 1, index: 0 },
        };
        let (time_ms, next) = (height.time_ms(), Some(self.from));
        Ok(EncodedSubscribeResponse { height: number, time_ms, calls: part.calls, next, canonical: part.canonical })
    }
}
