//! From executed batches to answers, on two threads: one takes receipts apart, one waits for syncs. So the cutter never waits
//! for either, and one sync answers all that gathered behind it.

use crossbeam_channel::{Receiver, Sender};
use phalanx_engine::{BatchBytes, Executed, LoggedEngine};
use std::iter::Peekable;
use std::time::Instant;
use tokio::sync::watch;

use super::questions::TriedCall;
use super::recent::Recent;
use super::spans::BatchSpan;
use super::submission::{Answer, Answered, Done, Level, Position};
use super::telemetry::{self, Tally};

/// How far the node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Progress {
    /// The last height that is executed and durable.
    pub(crate) durable_height: u64,
    /// Whether a fault stopped the engine: no height comes behind it before the node is started again.
    pub(crate) stopped: bool,
}

/// A submission that waits for its answer.
pub(crate) struct Waiting {
    /// Where its calls stand.
    pub(crate) position: Position,
    pub(crate) level: Level,
    pub(crate) answer: Answer,
}

/// What the cutter hands over.
pub(crate) struct ExecutedBatch {
    /// The last height that was executed.
    pub(crate) height: u64,
    /// Its batch, what that executed to, and its span; `None` if no batch was executed since the last one was handed over.
    pub(crate) executed: Option<(BatchBytes, Executed, BatchSpan)>,
    /// Those that stand in it, in the order of their calls.
    pub(crate) waiting: Vec<Waiting>,
    /// Those that stand in an earlier batch, or in this one already.
    pub(crate) repeats: Vec<Waiting>,
    /// What was tried on the state before the batch; on the last one if there is no batch.
    pub(crate) tried: Vec<TriedCall>,
}

/// Answers that wait for a height's sync.
pub(crate) struct Unsynced {
    height: u64,
    answers: Vec<(Answer, Done)>,
    tried: Vec<TriedCall>,
    /// That of the height's batch, if it was not synced before.
    span: Option<BatchSpan>,
}

/// Takes batches apart, until the cutter ends. Answers what does not wait for a sync, and keeps what subscribers are told of.
pub(crate) fn take_apart(batches: &Receiver<ExecutedBatch>, unsynced: &Sender<Unsynced>, recent: &Recent) {
    for ExecutedBatch { height, executed, waiting, repeats, tried } in batches {
        // Its receiver ends with a failed sync; those who wait then get no answer, here as below.
        if !tried.is_empty() {
            // They saw nothing of the batch, so they do not wait for its sync.
            let height = height - u64::from(executed.is_some());
            _ = unsynced.send(Unsynced { height, answers: Vec::new(), tried, span: None });
        }
        let mut answers = Vec::with_capacity(waiting.len() + repeats.len());
        let mut give = |level, answer: Answer, done| match level {
            Level::Ordered | Level::Executed => answer.send(Ok(done)),
            Level::Durable => answers.push((answer, done)),
        };
        let mut open = None;
        if let Some((batch, executed, mut span)) = executed {
            let mut receipts = executed.receipts();
            span.hashed(&executed);
            open = Some(span);
            let mut tally = Tally::new();
            let mut explanations = executed.explanations().iter().peekable();
            for Waiting { position, level, answer } in waiting {
                if level == Level::Ordered {
                    // Who waited was told before; only the room that it took up is given back.
                    for receipt in receipts.by_ref().take(position.calls as usize) {
                        tally.add(receipt.outcome(), receipt.gas_used());
                    }
                    _ = texts(&mut explanations, &position);
                    drop(answer);
                    continue;
                }
                let of_submission = receipts.take(position.calls as usize);
                let mut encoded = Vec::with_capacity(of_submission.map(|receipt| receipt.record().len()).sum());
                for receipt in receipts.by_ref().take(position.calls as usize) {
                    encoded.extend_from_slice(receipt.record());
                    tally.add(receipt.outcome(), receipt.gas_used());
                }
                let explanations = texts(&mut explanations, &position);
                give(level, answer, Done::Now(Answered { position, encoded, explanations, repeated: false }));
            }
            tally.count();
            // Before its sync is waited for: subscribers are told behind that.
            recent.keep(&batch, &executed);
        }
        telemetry::repeated(repeats.len());
        for Waiting { position, level, answer } in repeats {
            give(
                level,
                answer,
                match level {
                    Level::Ordered => Done::Ordered { position, repeated: true },
                    Level::Executed | Level::Durable => Done::Before(position),
                },
            );
        }
        _ = unsynced.send(Unsynced { height, answers, tried: Vec::new(), span: open });
    }
}

/// The texts of a submission's calls, by the call's place in the submission.
fn texts<'a>(texts: &mut Peekable<impl Iterator<Item = &'a (u32, String)>>, position: &Position) -> Vec<(u32, String)> {
    let end = position.index + position.calls;
    let of_submission = || texts.next_if(|(call, _)| *call < end);
    std::iter::from_fn(of_submission).map(|(call, text)| (call - position.index, text.clone())).collect()
}

/// Waits for syncs, says how far the node is, and gives the answers that waited.
pub(crate) fn wait_for_syncs(
    unsynced: &Receiver<Unsynced>,
    logged: &LoggedEngine,
    progress: &watch::Sender<Progress>,
) -> Result<(), phalanx_engine::log::LogError> {
    for Unsynced { height, answers, tried, span } in unsynced {
        let waits_since = Instant::now();
        logged.wait_durable(height)?;
        let reach = |progress: &mut Progress| {
            let is_new = height > progress.durable_height;
            progress.durable_height = progress.durable_height.max(height);
            is_new
        };
        if progress.send_if_modified(reach) {
            telemetry::synced(height, waits_since.elapsed());
        }
        tried.into_iter().for_each(TriedCall::tell);
        span.into_iter().for_each(BatchSpan::synced);
        for (answer, done) in answers {
            telemetry::durable(answer.admitted.elapsed());
            answer.send(Ok(done));
        }
    }
    Ok(())
}
