//! The thread that cuts batches and executes them. Nobody else does either.
//!
//! There is no linger: a batch takes in what gathered while the one before executed, so that it is small when there is
//! little to do and large when there is much. Questions are answered between two batches. The sync of a batch runs beside the
//! execution of the next; the log holds the cutter back when too many are un-synced.

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use phalanx_engine::{Batch, BatchBuilder, EngineError, LoggedEngine, LoggedError};
use std::sync::Arc;
use std::time::Instant;

use super::answers::{ExecutedBatch, Waiting};
use super::catalog::Catalog;
use super::clock::batch_time_ms;
use super::once::{Once, Seen};
use super::pace::Pace;
use super::questions::{Look, Questions};
use super::refusal::Refusal;
use super::signed;
use super::spans::Spans;
use super::submission::{Known, Level, Position, Submission};
use super::telemetry;

/// Questions about the queue that are answered between two batches, at most. Most take microseconds.
const ASKS_BETWEEN_BATCHES: usize = 256;

/// What the cutter is given to do, in order.
pub(crate) enum Work {
    /// Calls to be ordered.
    Submission(Box<Submission>),
    /// A question about what was queued before it.
    Ask(Look),
    /// Nothing comes behind it.
    End,
}

/// What can be looked at between two batches, all of the same height.
pub(crate) struct Between<'a> {
    pub(crate) logged: &'a LoggedEngine,
    pub(crate) once: &'a Once,
    pub(crate) catalog: &'a Catalog,
}

impl Between<'_> {
    /// The height; it need not be durable.
    pub(crate) fn height(&self) -> u64 {
        self.logged.engine().height()
    }
}

/// Cuts and executes.
pub(crate) struct Cutter {
    pub(crate) logged: Arc<LoggedEngine>,
    pub(crate) work: Receiver<Work>,
    pub(crate) questions: Questions,
    pub(crate) executed: Sender<ExecutedBatch>,
    pub(crate) once: Once,
    pub(crate) catalog: Catalog,
    pub(crate) pace: Arc<Pace>,
    pub(crate) spans: Spans,
    /// Calls after which a batch is cut; one submission may hold more.
    pub(crate) batch_calls: usize,
}

/// A batch that is being gathered.
struct Cut {
    height: u64,
    builder: BatchBuilder,
    waiting: Vec<Waiting>,
    repeats: Vec<Waiting>,
    to_system: bool,
    /// Whether anybody waits for no more than a place.
    to_notify: bool,
}

impl Cutter {
    /// Works until the end is asked for.
    ///
    /// # Errors
    /// A fault of the engine or of the log, after which nothing goes on. Whoever waits for an answer then gets none.
    pub(crate) fn run(mut self) -> Result<(), LoggedError> {
        let mut held = None;
        // Batches under load are about as long as the one before, and are built without moving what is in them.
        let mut usual_bytes = 0;
        loop {
            if held.is_none() {
                self.questions.wait_with(&self.work);
            }
            let engine = self.logged.engine();
            let height = engine.height() + 1;
            let previous_ms = engine.time_ms();
            let mut cut = Cut::new(height, batch_time_ms(previous_ms), usual_bytes);
            let mut asks = Vec::new();
            let mut ends = false;
            while let Some(work) = held.take().map(Work::Submission).or_else(|| self.next()) {
                match work {
                    Work::End => ends = true,
                    Work::Ask(ask) => asks.push(ask),
                    Work::Submission(submission) => held = cut.take(submission, &mut self.once, self.batch_calls),
                }
                let is_full = cut.builder.len() >= self.batch_calls || asks.len() >= ASKS_BETWEEN_BATCHES;
                if ends || is_full || held.is_some() {
                    break;
                }
            }
            let is_busy = !cut.builder.is_empty();
            if is_busy {
                usual_bytes = cut.builder.bytes();
            }
            self.execute(cut)?;
            let between = Between { logged: &self.logged, once: &self.once, catalog: &self.catalog };
            asks.into_iter().for_each(|ask| ask(&between));
            self.questions.look(&between, is_busy && !ends);
            if (!is_busy || ends)
                && let Some(mut turn) = self.questions.turn(false)
            {
                self.logged.engine().try_calls(|trial| turn.answer(trial))?;
                let height = self.logged.engine().height();
                let tried = self.questions.end(turn);
                self.hand_over(ExecutedBatch {
                    height,
                    executed: None,
                    waiting: Vec::new(),
                    repeats: Vec::new(),
                    tried,
                });
            }
            if ends {
                return Ok(());
            }
        }
    }

    /// What is in the queue, if anything is.
    fn next(&self) -> Option<Work> {
        match self.work.try_recv() {
            Ok(work) => Some(work),
            Err(TryRecvError::Empty) => None,
            // Senders go away without an `End` only if the server panicked.
            Err(TryRecvError::Disconnected) => Some(Work::End),
        }
    }

    fn execute(&mut self, cut: Cut) -> Result<(), LoggedError> {
        let Cut { height, builder, mut waiting, repeats, to_system, to_notify } = cut;
        if to_notify {
            let ordered = waiting.iter_mut().filter(|waiting| waiting.level == Level::Ordered);
            ordered.for_each(|Waiting { position, answer, .. }| answer.notify(*position));
        }
        let (mut executed, mut tried) = (None, Vec::new());
        if !builder.is_empty() {
            let bytes = builder.finish();
            let (started, length) = (Instant::now(), bytes.as_slice().len());
            let done = match self.questions.turn(true) {
                None => self.logged.execute(bytes.clone())?,
                Some(mut turn) => {
                    let done = self.logged.execute_behind(bytes.clone(), |trial| turn.answer(trial))?;
                    tried = self.questions.end(turn);
                    done
                }
            };
            let took = started.elapsed();
            self.pace.note(length, took);
            telemetry::executed(&done, took);
            let span = self.spans.batch(length, &waiting, started, took, &done);
            if to_system {
                let batch = Batch::decode(bytes.clone()).map_err(EngineError::from)?;
                self.catalog.observe(&batch, &done);
            }
            executed = Some((bytes, done, span));
        } else if repeats.is_empty() {
            return Ok(());
        }
        let height = if executed.is_some() { height } else { height - 1 };
        self.hand_over(ExecutedBatch { height, executed, waiting, repeats, tried });
        Ok(())
    }

    fn hand_over(&self, batch: ExecutedBatch) {
        // Its receiver ends after this thread does, or has panicked; then nobody is answered any more.
        _ = self.executed.send(batch);
    }
}

impl Cut {
    fn new(height: u64, time_ms: u64, usual_bytes: usize) -> Cut {
        let builder = BatchBuilder::with_capacity(height, time_ms, usual_bytes);
        Cut { height, builder, waiting: Vec::new(), repeats: Vec::new(), to_system: false, to_notify: false }
    }

    /// Takes a submission in, or answers it. Gives it back if the batch has no room for it.
    fn take(&mut self, submission: Box<Submission>, once: &mut Once, batch_calls: usize) -> Option<Box<Submission>> {
        if submission.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            submission.answer.send(Err(Refusal::deadline_passed()));
            return None;
        }
        let calls = submission.calls.len();
        let level = submission.level;
        match once.look_up(&submission.known, self.height) {
            Seen::Never => {}
            Seen::At(position) => {
                self.repeats.push(Waiting { position, level, answer: submission.answer });
                return None;
            }
            other => {
                submission.answer.send(Err(refusal(&submission.known, other)));
                return None;
            }
        }
        if submission.calls.signed() > 0
            && let Err(refusal) = signed::check(&submission, once, self.height)
        {
            submission.answer.send(Err(refusal));
            return None;
        }
        let behind_others = !self.builder.is_empty();
        let is_long = self.builder.len() + calls as usize > batch_calls;
        if behind_others && (is_long || !self.builder.has_room(submission.calls.size())) {
            return Some(submission);
        }
        let position = Position { height: self.height, index: self.builder.len() as u32, calls };
        let pushed = submission.calls.push_into(&mut self.builder, submission.known.identity());
        pushed.expect("calls were checked at admission to fit a batch of their own");
        once.note(&submission.known, position);
        if submission.calls.signed() > 0 {
            signed::note(&submission, once, position);
        }
        self.to_system |= submission.calls.reach_system();
        self.to_notify |= level == Level::Ordered;
        self.waiting.push(Waiting { position, level, answer: submission.answer });
        None
    }
}

/// Why a submission that was seen before is not executed, and has no answer.
fn refusal(known: &Known, seen: Seen) -> Refusal {
    match (known, seen) {
        (Known::Session { position, .. }, seen) => {
            let sequence = position.sequence;
            match seen {
                Seen::Gap(next) => Refusal::sequence_gap(sequence, next),
                Seen::Forgotten(earliest) => Refusal::answer_forgotten(sequence, earliest),
                Seen::Other(at) => {
                    Refusal::reused("SEQUENCE_REUSED", format_args!("sequence {sequence}"), at.height, at.index)
                }
                Seen::Never | Seen::At(_) | Seen::NoPlace => Refusal::no_session(super::once::SESSIONS_MAX as u64),
            }
        }
        (_, Seen::Other(at) | Seen::At(at)) => Refusal::reused("ID_REUSED", "the id", at.height, at.index),
        (_, Seen::Never | Seen::Gap(_) | Seen::Forgotten(_) | Seen::NoPlace) => Refusal::stopped(),
    }
}
