//! A run, as all of its streams and tasks share it. They are on one thread.

use phalanx_client::ClientError;
use std::cell::RefCell;
use std::time::Duration;
use tokio::time::Instant;

use super::super::failure;
use super::answers::{Expected, Told};
use super::plan::Plan;
use super::prepared::{Prepared, Template};
use super::starts::Starts;
use super::tally::{Sent, Tally, count};
use super::token::Token;
use crate::exit::Failure;

/// A run whose clock has started.
pub(super) struct Run {
    pub(super) plan: Plan,
    pub(super) token: Token,
    pub(super) prepared: Prepared,
    /// Submissions of a stream that may be unanswered; `None` without streams.
    pub(super) in_flight: Option<u32>,
    /// Unix time at which the clock started.
    pub(super) began_unix: Duration,
    pub(super) starts: Starts,
    pub(super) tally: RefCell<Tally>,
    /// Why it ended before its time.
    pub(super) failure: RefCell<Option<Failure>>,
}

impl Run {
    /// Takes the submission that starts now, and was meant to at this time.
    pub(super) fn start(&self, intended: Instant) -> (Sent, Template) {
        let at = Instant::now();
        let (template, calls) = self.prepared.take();
        self.tally.borrow_mut().started += 1;
        (Sent { template, intended, at }, calls)
    }

    pub(super) fn answer(&self, sent: &Sent, told: Told) {
        self.tally.borrow_mut().answer(sent, told);
    }

    pub(super) fn expected(&self) -> Expected {
        Expected { calls: self.plan.batch, acknowledgement: self.plan.ack.on_the_wire() }
    }

    /// It is not known what became of submissions that were sent.
    pub(super) fn lose(&self, error: &ClientError, submissions: usize) {
        let reason = reason(error);
        (0..submissions).for_each(|_| count(&mut self.tally.borrow_mut().uncertain, &reason));
    }

    /// Ends the run. The first failure is the one that is told.
    pub(super) fn fail(&self, error: &ClientError) {
        self.failure.borrow_mut().get_or_insert_with(|| failure(error));
        self.stop();
    }

    /// Stops the clock.
    pub(super) fn stop(&self) {
        self.starts.stop();
        self.tally.borrow_mut().end = self.starts.end();
    }
}

/// What refusals are counted by.
pub(super) fn reason(error: &ClientError) -> String {
    match error {
        ClientError::Refused { reason, code, .. } if reason.is_empty() => format!("{code:?}"),
        ClientError::Refused { reason, .. } => reason.clone(),
        ClientError::Connection(_) => "CONNECTION".to_owned(),
        ClientError::Answer(_) | ClientError::Credits(_) | ClientError::Unsignable(_) | ClientError::Randomness(_) => {
            "OTHER".to_owned()
        }
    }
}
