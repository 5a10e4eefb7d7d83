//! Questions about the state, and the turns in which they are answered: between two batches, on the thread that executes them.
//!
//! A question does not stand in the queue of submissions: it waits for the batch that executes, and for the questions before it.
//! Calls that are to be tried wait for one another's turn, so that one waking of the engine's worker serves them all. A turn is
//! bounded in time, and while there are submissions the time between two turns is as well: neither kind starves the other.

use crossbeam_channel::{Receiver, Select, Sender, unbounded};
use phalanx_engine::{Address, BatchBuilder, EngineError, Trial};
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
/// How many times as long as a turn the time between two is, while there are submissions: questions have an eighth of the time.
const REST: u32 = 7;

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
    /// Who waits for what it would do, and for the height whose state it was tried on.
    pub(crate) to: oneshot::Sender<(Result<v1::SimulateResponse, Refusal>, u64)>,
    /// The place among questions that it takes up.
    pub(crate) place: OwnedSemaphorePermit,
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
    tries: Receiver<Try>,
    /// When the last turn ended, and how long it took.
    ended: Instant,
    took: Duration,
}

/// No questions yet.
pub(crate) fn questions() -> (Asking, Questions) {
    let ((looks_to, looks), (tries_to, tries)) = (unbounded(), unbounded());
    let asking = Asking { looks: looks_to, tries: tries_to };
    (asking, Questions { looks, tries, ended: Instant::now(), took: Duration::ZERO })
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

    /// Answers questions for the length of a turn, if it is time for one. `is_busy`: whether there are submissions.
    ///
    /// # Errors
    /// A fault of the engine, after which nothing goes on.
    pub(crate) fn turn(&mut self, between: &Between<'_>, is_busy: bool) -> Result<(), EngineError> {
        let started = Instant::now();
        let rested = started - self.ended;
        if (self.looks.is_empty() && self.tries.is_empty()) || (is_busy && rested < self.took * REST) {
            return Ok(());
        }
        let length = (rested / REST).clamp(TURN_MIN, TURN_MAX);
        while started.elapsed() < length / 2
            && let Ok(look) = self.looks.try_recv()
        {
            look(between);
        }
        if !self.tries.is_empty() {
            let (tries, length) = (&self.tries, length - started.elapsed().min(length / 2));
            between.logged.engine().try_calls(|trial| {
                // From here on: the worker may have been long in waking.
                let started = Instant::now();
                while started.elapsed() < length
                    && let Ok(asked) = tries.try_recv()
                {
                    asked.answer(trial);
                }
            })?;
        }
        self.ended = Instant::now();
        self.took = self.ended - started;
        Ok(())
    }
}

impl Try {
    /// Tries the call and answers. A fault of the engine is whoever lends the trial's to see.
    fn answer(self, trial: &mut Trial<'_>) {
        // Who asked may have gone away, and the call may be dear.
        if self.to.is_closed() {
            return;
        }
        let height = trial.height();
        let answer = self.tried(trial);
        _ = self.to.send((answer, height));
        drop(self.place);
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
