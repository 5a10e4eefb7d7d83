//! The running node, as the services see it: admission to the queue, questions, waiting.

use crossbeam_channel::Sender;
use phalanx_engine::{Address, LoggedEngine};
use phalanx_proto::v1;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::timeout;
use tonic::metadata::MetadataMap;

use super::access::Access;
use super::answers::Progress;
use super::cutter::{Between, Work};
use super::pace::Pace;
use super::questions::{Asking, Look, QUESTION_GAS_MAX, Try, Wanted};
use super::recent::Recent;
use super::refusal::Refusal;
use super::reread::{Reread, kept};
use super::submission::{Answer, Answered, Done, Known, Level, Position, Reached, Reply, Submission};
use super::wire::Calls;

/// Bytes of calls that may be queued, executing, or waiting for their answers: three of the largest batches and more.
pub(crate) const QUEUE_BYTES_MAX: u64 = 64 << 20;
/// Bytes of calls of single requests that may wait for room in it: as many again.
pub(crate) const WAITING_BYTES_MAX: u64 = 64 << 20;
/// How long such a request waits at most. One that is refused has cost the node nearly as much as one that is executed, so a client that
/// comes again at once would take from the others what it does not get.
const ROOM_TIMEOUT: Duration = Duration::from_secs(1);
/// What a submission takes up besides its calls' bytes.
const SUBMISSION_OVERHEAD_BYTES: u64 = 512;
/// Questions that may wait for their turn.
pub(crate) const QUESTIONS_MAX: usize = 4_096;

/// A running node. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) shared: Arc<Shared>,
}

/// What the services share.
pub(crate) struct Shared {
    pub(crate) logged: Arc<LoggedEngine>,
    pub(crate) chain_id: [u8; 32],
    /// Whether every call that is submitted must be signed.
    pub(crate) require_signatures: bool,
    /// Lists of signatures that are checked at a time.
    pub(crate) signature_checks: Arc<Semaphore>,
    pub(crate) access: Access,
    pub(crate) pace: Arc<Pace>,
    pub(crate) work: Sender<Work>,
    pub(crate) asking: Asking,
    pub(crate) progress: watch::Receiver<Progress>,
    /// Whether the server is about to end.
    pub(crate) draining: watch::Receiver<bool>,
    /// Bytes that the queue has room for.
    pub(crate) room: Arc<Semaphore>,
    /// Bytes of requests that may wait for such room.
    pub(crate) waiting_room: Arc<Semaphore>,
    pub(crate) questions: Arc<Semaphore>,
    pub(crate) recent: Arc<Recent>,
    pub(crate) reread: Reread,
}

/// A submission that was admitted, on its way.
pub(crate) struct Admitted {
    reply: oneshot::Receiver<Reply>,
}

impl Shared {
    /// Bytes that are queued, executing or unanswered.
    pub(crate) fn queued_bytes(&self) -> u64 {
        QUEUE_BYTES_MAX - self.room.available_permits() as u64
    }

    /// Refuses what comes when the server is about to end, or has stopped.
    pub(crate) fn check_running(&self) -> Result<(), Refusal> {
        match (*self.draining.borrow(), self.progress.borrow().stopped) {
            (_, true) => Err(Refusal::stopped()),
            (true, false) => Err(Refusal::draining()),
            (false, false) => Ok(()),
        }
    }
}

impl Node {
    /// Puts a single request's submission into the queue. If that is full it waits for room, for a while and if not too many do, and is
    /// refused else; so is one whose deadline would pass in the queue.
    pub(crate) async fn admit(
        &self,
        calls: Calls,
        known: Known,
        level: Level,
        deadline: Option<Instant>,
    ) -> Result<Admitted, Refusal> {
        self.shared.check_running()?;
        let queued = self.shared.queued_bytes();
        let wait = self.shared.pace.estimate(queued);
        let mut patience = ROOM_TIMEOUT;
        if let Some(deadline) = deadline {
            let now = Instant::now();
            if now >= deadline {
                return Err(Refusal::deadline_passed());
            }
            if now + wait >= deadline {
                return Err(Refusal::deadline(wait));
            }
            patience = patience.min(deadline - now);
        }
        let bytes = bytes_of(&calls);
        let full = || Refusal::queue_full(queued, QUEUE_BYTES_MAX, wait);
        let room = match Arc::clone(&self.shared.room).try_acquire_many_owned(bytes) {
            Ok(room) => room,
            Err(_) => {
                let _place = self.shared.waiting_room.try_acquire_many(bytes).map_err(|_| full())?;
                let room = Arc::clone(&self.shared.room).acquire_many_owned(bytes);
                let room = timeout(patience, room).await.map_err(|_| full())?;
                self.shared.check_running()?;
                room.map_err(|_| Refusal::stopped())?
            }
        };
        self.enqueue(calls, known, level, deadline, room)
    }

    /// Puts a submission into the queue when there is room.
    pub(crate) async fn admit_in_turn(&self, calls: Calls, known: Known, level: Level) -> Result<Admitted, Refusal> {
        self.shared.check_running()?;
        let room = Arc::clone(&self.shared.room).acquire_many_owned(bytes_of(&calls)).await;
        let room = room.map_err(|_| Refusal::stopped())?;
        self.enqueue(calls, known, level, None, room)
    }

    fn enqueue(
        &self,
        calls: Calls,
        known: Known,
        level: Level,
        deadline: Option<Instant>,
        room: OwnedSemaphorePermit,
    ) -> Result<Admitted, Refusal> {
        let (to, reply) = oneshot::channel();
        let submission = Submission {
            calls,
            known,
            level,
            deadline,
            answer: Answer { to: Some(to), room, admitted: Instant::now() },
        };
        let sent = self.shared.work.send(Work::Submission(Box::new(submission)));
        sent.map_err(|_| self.gone())?;
        Ok(Admitted { reply })
    }

    /// Why there is no answer: the cutter has gone.
    fn gone(&self) -> Refusal {
        self.shared.check_running().err().unwrap_or_else(Refusal::stopped)
    }

    /// Waits for what became of a submission.
    pub(crate) async fn answer(&self, admitted: Admitted) -> Result<Reached, Refusal> {
        match admitted.reply.await.map_err(|_| self.gone())?? {
            Done::Ordered { position, repeated } => {
                let (first, calls) = (Some(position.first()), position.calls);
                Ok(Reached::Ordered(v1::OrderedNotice { first, calls, repeated }))
            }
            Done::Now(answered) => Ok(Reached::Executed(answered)),
            Done::Before(position) => {
                let encoded = self.receipts(position).await?;
                Ok(Reached::Executed(Answered { position, encoded, explanations: Vec::new(), repeated: true }))
            }
        }
    }

    /// The encoded receipts of calls, from the receipt segments.
    pub(crate) async fn receipts(&self, position: Position) -> Result<Vec<u8>, Refusal> {
        let logged = Arc::clone(&self.shared.logged);
        blocking(move || receipts(&logged, position)).await
    }

    /// Asks something about what was queued before, and answers it with the height that it was asked at.
    pub(crate) async fn ask_in_order<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Between<'_>) -> T + Send + 'static,
    ) -> Result<(T, u64), Refusal> {
        self.ask_through(question, |look| self.shared.work.send(Work::Ask(look)).is_ok()).await
    }

    /// Asks something about the state between two batches, and answers it with its height.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Between<'_>) -> T + Send + 'static,
    ) -> Result<(T, u64), Refusal> {
        self.ask_through(question, |look| self.shared.asking.looks.send(look).is_ok()).await
    }

    async fn ask_through<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Between<'_>) -> T + Send + 'static,
        send: impl FnOnce(Look) -> bool,
    ) -> Result<(T, u64), Refusal> {
        let place = self.place_to_ask()?;
        let (to, answer) = oneshot::channel();
        let answer_it = move |between: &Between<'_>| {
            // Who asked may have gone away, and the question may be dear.
            if !to.is_closed() {
                _ = to.send((question(between), between.height()));
            }
            drop(place);
        };
        if !send(Box::new(answer_it)) {
            return Err(self.gone());
        }
        answer.await.map_err(|_| self.gone())
    }

    fn place_to_ask(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        self.shared.check_running()?;
        let place = Arc::clone(&self.shared.questions).try_acquire_owned();
        place.map_err(|_| Refusal::exhausted("questions", QUESTIONS_MAX as u64))
    }

    /// Asks as [`Node::ask`] does, and answers when the height is durable.
    pub(crate) async fn ask_durable<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Between<'_>) -> T + Send + 'static,
    ) -> Result<(T, u64), Refusal> {
        let (answer, height) = self.ask(question).await?;
        self.wait_durable(height).await?;
        Ok((answer, height))
    }

    /// Tries a call out on the state, of a height if one is asked for, and answers what it would do when the height is durable.
    pub(crate) async fn try_out(
        &self,
        calls: Calls,
        called: Address,
        height: Option<u64>,
        wanted: Wanted,
    ) -> Result<v1::SimulateResponse, Refusal> {
        let gas = calls.size().gas;
        if gas > QUESTION_GAS_MAX {
            return Err(Refusal::limit("call.gas_limit", "question_gas", gas, QUESTION_GAS_MAX));
        }
        let place = self.place_to_ask()?;
        let (to, answer) = oneshot::channel();
        let asked = Try { calls, called, height, wanted, to, place };
        self.shared.asking.tries.send(asked).map_err(|_| self.gone())?;
        answer.await.map_err(|_| self.gone())?
    }

    /// Waits until a height is executed and durable.
    pub(crate) async fn wait_durable(&self, height: u64) -> Result<(), Refusal> {
        let mut progress = self.shared.progress.clone();
        let reached = progress.wait_for(|progress| progress.stopped || progress.durable_height >= height).await;
        match reached {
            Ok(progress) if progress.durable_height >= height => Ok(()),
            _ => Err(Refusal::stopped()),
        }
    }

    /// Waits until the server is about to end.
    pub(crate) async fn drained(&self) {
        // Its sender lives as long as the server.
        _ = self.shared.draining.clone().wait_for(|draining| *draining).await;
    }

    /// The last height that is executed and durable.
    pub(crate) fn durable_height(&self) -> u64 {
        self.shared.progress.borrow().durable_height
    }
}

fn bytes_of(calls: &Calls) -> u32 {
    // A submission fits a batch, so this is far below u32.
    (calls.size().bytes + SUBMISSION_OVERHEAD_BYTES) as u32
}

/// Runs what waits for a disk on a thread for that.
pub(crate) async fn blocking<T: Send + 'static>(
    body: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(body).await.unwrap_or_else(|_| Err(Refusal::stopped()))
}

fn receipts(logged: &LoggedEngine, position: Position) -> Result<Vec<u8>, Refusal> {
    let Position { height, index, calls } = position;
    let (receipts, _) = kept(logged, height)?;
    let mut encoded = Vec::new();
    for receipt in phalanx_engine::Receipts::new(&receipts).skip(index as usize).take(calls as usize) {
        encoded.extend_from_slice(receipt.record());
    }
    Ok(encoded)
}

/// When a request's `grpc-timeout` ends it.
pub(crate) fn deadline(metadata: &MetadataMap) -> Option<Instant> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: u64 = digits.parse().ok()?;
    let timeout = match unit {
        "H" => Duration::from_secs(count.checked_mul(3_600)?),
        "M" => Duration::from_secs(count.checked_mul(60)?),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    };
    Instant::now().checked_add(timeout)
}
