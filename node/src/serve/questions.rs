//! Questions about the state, and the turns in which they are answered: between two batches, on the thread that executes them.
//!
//! A question does not stand in the queue of submissions: it waits for the batch that executes, and for the questions before it.
//! Calls that are to be tried are tried together, on the way of the next batch into the engine if there is one: a turn of its own
//! would cost another waking of the worker, which on busy cores takes longer than what it does. A turn is bounded in time, and while
//! there are submissions the time between two turns is as well: neither starves the other.

use crossbeam_channel::{Receiver, Select, Sender, unbounded};
use phalanx_engine::{Address, BatchBuilder, Trial};
use phalanx_proto::v1;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::cutter::Between;
use super::refusal::Refusal;
use super::submission::Known;
use super::wire::{self, Calls};

/// Gas of a question, at most: some tens of milliseconds.
pub(crate) const QUESTION_GAS_MAX: u64 = 50_000_000;
/// How long a turn lasts at most, and may always: a batch waits for no more, and for the question that is being answered then.
const TURN_MAX: Duration = Duration::from_millis(5);
const TURN_MIN: Duration = Duration::from_micros(500);
/// How many times as long as a turn the time between two is, while there are submissions: calls that are tried have an eighth of
/// the time, and what is looked up, in which nothing is executed, a sixteenth.
const REST_OF_TRIES: u32 = 7;
const REST_OF_LOOKS: u32 = 15;

/// Something to be looked up.
pub(crate) type Look = Box<dyn FnOnce(&Between<'_>) + Send>;

/// A call to be executed on the state, and not to be committed.
pub(crate) struct Try {
    /// One call.
    pub(crate) calls: Calls,
    /// The contract that it calls.
    pub(crate) called: Address,
    /// The height whose state it is asked of; the last one if none.
    pub(crate) height: Option<u64>,
    pub(crate) wanted: Wanted,
    /// Who waits for what it would do.
    pub(crate) to: oneshot::Sender<TryAnswer>,
    /// The place among questions that it takes up.
    pub(crate) place: OwnedSemaphorePermit,
}

/// What a call would do.
pub(crate) type TryAnswer = Result<v1::SimulateResponse, Refusal>;

/// A call that was tried: who waits for the answer is told when the height is durable. To tell is to wake a thread, for which the
/// cutter has no time.
pub(crate) struct TriedCall {
    to: oneshot::Sender<TryAnswer>,
    answer: TryAnswer,
    _place: OwnedSemaphorePermit,
}

impl TriedCall {
    /// Tells who waits.
    pub(crate) fn tell(self) {
        _ = self.to.send(self.answer);
    }
}

/// What is to be answered of a call that is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    /// Its receipt and text.
    Receipt,
    /// What it would write and what it saw, too.
    Effects,
}

/// Where questions are put.
pub(crate) struct Asking {
    pub(crate) looks: Sender<Look>,
    pub(crate) tries: Sender<Try>,
}

/// Questions that wait for a turn.
pub(crate) struct Questions {
    looks: Receiver<Look>,
    looks_share: Share,
    tries: Receiver<Try>,
    tries_share: Share,
}

/// What one kind of questions has of the time.
struct Share {
    rest: u32,
    /// When the last turn ended, and how long it took.
    ended: Instant,
    took: Duration,
}

/// A turn of calls that are tried.
pub(crate) struct Turn {
    tries: Receiver<Try>,
    length: Duration,
    took: Duration,
    tried: Vec<TriedCall>,
}

/// No questions yet.
pub(crate) fn questions() -> (Asking, Questions) {
    let ((looks_to, looks), (tries_to, tries)) = (unbounded(), unbounded());
    let asking = Asking { looks: looks_to, tries: tries_to };
    let share = |rest| Share { rest, ended: Instant::now(), took: Duration::ZERO };
    let (looks_share, tries_share) = (share(REST_OF_LOOKS), share(REST_OF_TRIES));
    (asking, Questions { looks, looks_share, tries, tries_share })
}

impl Share {
    /// How long a turn may be that begins now, if one may. `is_busy`: whether there are submissions.
    fn length(&self, is_busy: bool) -> Option<Duration> {
        let rested = self.ended.elapsed();
        let may_begin = !is_busy || rested >= self.took * self.rest;
        may_begin.then(|| (rested / self.rest).clamp(TURN_MIN, TURN_MAX))
    }

    fn took(&mut self, took: Duration) {
        (self.ended, self.took) = (Instant::now(), took);
    }
}

impl Questions {
    /// Waits until there is a question, or something else to be received.
    pub(crate) fn wait_with<T>(&self, other: &Receiver<T>) {
        let mut select = Select::new();
        select.recv(other);
        select.recv(&self.looks);
        select.recv(&self.tries);
        select.ready();
    }

    /// Looks up what is asked, for the length of a turn, if it is time for one.
    pub(crate) fn look(&mut self, between: &Between<'_>, is_busy: bool) {
        let Some(length) = self.looks_share.length(is_busy).filter(|_| !self.looks.is_empty()) else { return };
        let started = Instant::now();
        while started.elapsed() < length
            && let Ok(look) = self.looks.try_recv()
        {
            look(between);
        }
        self.looks_share.took(started.elapsed());
    }

    /// A turn of calls that are tried, if there are any and it is time for one. Its end is told by [`Questions::end`].
    pub(crate) fn turn(&self, is_busy: bool) -> Option<Turn> {
        let length = self.tries_share.length(is_busy).filter(|_| !self.tries.is_empty())?;
        Some(Turn { tries: self.tries.clone(), length, took: Duration::ZERO, tried: Vec::new() })
    }

    /// Ends a turn. Its answers wait for the height that they were given at.
    pub(crate) fn end(&mut self, turn: Turn) -> Vec<TriedCall> {
        self.tries_share.took(turn.took);
        turn.tried
    }
}

impl Turn {
    /// Tries calls for the turn's length. It is measured from here on: the worker may have been long in waking.
    pub(crate) fn answer(&mut self, trial: &mut Trial<'_>) {
        let started = Instant::now();
        while started.elapsed() < self.length
            && let Ok(asked) = self.tries.try_recv()
        {
            self.tried.extend(asked.answer(trial));
        }
        self.took = started.elapsed();
    }
}

impl Try {
    /// Tries the call, if anybody still waits for it. A fault of the engine is whoever lends the trial's to see.
    fn answer(self, trial: &mut Trial<'_>) -> Option<TriedCall> {
        // Who asked may have gone away, and the call may be dear.
        if self.to.is_closed() {
            return None;
        }
        let answer = self.tried(trial);
        Some(TriedCall { to: self.to, answer, _place: self.place })
    }

    fn tried(&self, trial: &mut Trial<'_>) -> Result<v1::SimulateResponse, Refusal> {
        let height = trial.height();
        // The heights before are in the log, not in the state.
        if let Some(asked) = self.height
            && asked != height
        {
            return Err(Refusal::height_not_kept(asked, height, height));
        }
        let mut builder = BatchBuilder::new(height + 1, trial.time_ms());
        let pushed = self.calls.push_into(&mut builder, Known::Unknown.identity());
        pushed.expect("a call was checked at admission to fit a batch of its own");
        let mut tried = trial.call(builder.finish()).map_err(|_| Refusal::stopped())?;
        wire::simulated(&mut tried, &self.called, height, self.wanted)
    }
}
