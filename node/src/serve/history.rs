//! `Subscribe`: the history of heights, behind the durable mark.
//!
//! Whoever keeps up is told heights from memory (`recent.rs`), where each is kept decoded, once for all. For those who are
//! further behind the log is read (`reread.rs`), on a thread for what waits for a disk, once for all who are at the same height.

use futures_util::stream;
use parking_lot::Mutex;
use phalanx_proto::Message;
use phalanx_proto::history::EncodedSubscribeResponse;
use phalanx_proto::v1;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};
use tonic::Status;

use super::node::{Node, blocking};
use super::refusal::Refusal;
use super::reread::Behind;
use super::subscribers::{SUBSCRIBERS_MAX, Subscriber};
use super::wire::{Filter, Part};

/// Seconds for which a subscriber may read nothing while there is something to read.
pub(crate) const IDLE_SECONDS_MAX: u64 = 30;
/// Messages that are handed over together: so many heights, or bytes behind which no more are added, or time, and always one.
const BUNDLE_MESSAGES_MAX: usize = 64;
const BUNDLE_BYTES: usize = 1 << 20;
const BUNDLE_TIME: Duration = Duration::from_millis(20);
/// Bundles that wait to be sent.
const BUNDLES_AHEAD: usize = 1;
/// How long a subscriber that keeps up is left alone, for each other one that there is, and at most. To tell somebody wakes threads on
/// both sides, however little it is: many are told less often, and more at a time.
const REST: Duration = Duration::from_micros(500);
const REST_MAX: Duration = Duration::from_millis(50);

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
    let taken = Arc::new(Mutex::new(Instant::now()));
    let told = Told { bundles, bundle: Bundle::new(), taken: Arc::clone(&taken), end: Some(end) };
    let follower =
        Follower { node: node.clone(), subscriber, from, to, taken, behind: None, rests_until: Instant::now() };
    let node = node.clone();
    tokio::spawn(async move {
        refresh(&node).await;
        if let Err(refusal) = follower.run().await {
            _ = ends.send(refusal);
        }
        refresh(&node).await;
    });
    Ok(Box::pin(stream::unfold(told, async |mut told| Some((told.next().await?, told)))))
}

/// Has heights looked through for those who are there now.
async fn refresh(node: &Node) {
    let subscribers = Arc::clone(node.shared.recent.subscribers());
    let refreshed = blocking(move || {
        subscribers.refresh();
        Ok(())
    });
    // If it could not be done, each looks for itself.
    _ = refreshed.await;
}

/// What a subscriber is told, as it is taken.
struct Told {
    bundles: mpsc::Receiver<Bundle>,
    bundle: Bundle,
    /// When the subscriber took a message last.
    taken: Arc<Mutex<Instant>>,
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
            Some(message) => {
                *self.taken.lock() = Instant::now();
                Some(Ok(message))
            }
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
    /// When the subscriber took a message last.
    taken: Arc<Mutex<Instant>>,
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
            if !bundle.is_empty() && !self.hand_over(bundle).await? {
                break;
            }
            end?;
        }
        Ok(())
    }

    /// Hands messages over as soon as there is room. Answers whether anybody is still there. A subscriber that takes none for too
    /// long is cut off.
    async fn hand_over(&self, bundle: Bundle) -> Result<bool, Refusal> {
        let (idle_max, began) = (Duration::from_secs(IDLE_SECONDS_MAX), Instant::now());
        let room = self.to.reserve();
        tokio::pin!(room);
        loop {
            let idle_since = began.max(*self.taken.lock());
            match timeout_at(idle_since + idle_max, &mut room).await {
                Ok(Ok(room)) => {
                    room.send(bundle);
                    return Ok(true);
                }
                Ok(Err(_)) => return Ok(false),
                Err(_) if *self.taken.lock() > idle_since => {}
                Err(_) => return Err(Refusal::slow_reader(IDLE_SECONDS_MAX)),
            }
        }
    }

    /// Waits until the height that comes next is durable. Answers whether anybody is still there.
    async fn wait_for_more(&mut self) -> Result<bool, Refusal> {
        let mut progress = self.node.shared.progress.clone();
        let height = self.from.height;
        let (keeps_up, rests_until) = (self.node.durable_height() < height, self.rests_until);
        let reached = async {
            if keeps_up {
                sleep_until(rests_until).await;
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
        if keeps_up {
            self.rests_until = Instant::now() + REST_MAX.min(REST * self.subscriber.others());
        }
        is_there
    }

    /// Messages of heights that are durable. What is in the way of more of them comes behind them.
    async fn gather(&mut self) -> (Bundle, Result<(), Refusal>) {
        let (mut bundle, mut bytes, began) = (Bundle::new(), 0, Instant::now());
        let has_room = |bundle: &Bundle, bytes| bundle.len() < BUNDLE_MESSAGES_MAX && bytes < BUNDLE_BYTES;
        let goes_on = |follower: &Follower| {
            let is_durable = follower.from.height <= follower.node.durable_height();
            is_durable && !follower.to.is_closed() && began.elapsed() < BUNDLE_TIME
        };
        while bundle.is_empty() || (has_room(&bundle, bytes) && goes_on(self)) {
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
        let filter = self.subscriber.filter();
        let recent = self.node.shared.recent.get(number);
        let told = recent.and_then(|height| Some((height.time_ms(), height.part(filter, index)?)));
        let (time_ms, part) = match told {
            Some(told) => {
                self.behind = None;
                told
            }
            None => {
                self.behind.get_or_insert_with(|| Behind::new(&self.node, filter));
                let height = self.node.shared.reread.height(&self.node, number, filter.needs().any()).await?;
                let part = height.part(filter, index);
                (height.time_ms(), part.ok_or_else(|| Refusal::unreadable("the receipts of a height"))?)
            }
        };
        self.from = match part.next {
            Some(index) => v1::Cursor { height: number, index },
            None => v1::Cursor { height: number + 1, index: 0 },
        };
        let Part { calls, canonical, .. } = part;
        Ok(EncodedSubscribeResponse { height: number, time_ms, calls, next: Some(self.from), canonical })
    }
}
