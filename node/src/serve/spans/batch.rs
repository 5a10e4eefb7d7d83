//! The span of a batch, on its way with it: through the threads that execute it, take it apart and wait for its sync.

use phalanx_engine::{Executed, ModeChosen, StageNanoseconds};
use std::time::{Duration, Instant};

use super::export::{Ended, Queue};
use crate::serve::answers::Waiting;

/// A batch that is on its way. It becomes a span when it is durable; where the engine stops before, there is none.
pub(in crate::serve) struct BatchSpan {
    /// `None` if nobody wants spans.
    open: Option<Box<Open>>,
}

struct Open {
    queue: Queue,
    batch: BatchTimes,
}

/// What is told of a batch. Its times are in order.
#[derive(Debug)]
pub(super) struct BatchTimes {
    pub(super) height: u64,
    pub(super) submissions: usize,
    pub(super) calls: u32,
    pub(super) bytes: usize,
    pub(super) mode: ModeChosen,
    /// When the first of its submissions was admitted.
    pub(super) queued: Instant,
    /// When it was cut, and its execution began.
    pub(super) started: Instant,
    /// When it was executed and committed.
    pub(super) executed: Instant,
    /// When its receipts, roots and digest were there.
    pub(super) hashed: Instant,
    /// When it was known to be durable.
    pub(super) synced: Instant,
    /// Time by stage, summed over workers.
    pub(super) stages: StageNanoseconds,
}

impl BatchSpan {
    pub(super) fn new(
        queue: Option<&Queue>,
        bytes: usize,
        waiting: &[Waiting],
        started: Instant,
        took: Duration,
        executed: &Executed,
    ) -> BatchSpan {
        let open = |queue: &Queue| {
            let ended = started + took;
            let batch = BatchTimes {
                height: executed.height(),
                submissions: waiting.len(),
                calls: waiting.iter().map(|waiting| waiting.position.calls).sum(),
                bytes,
                mode: executed.mode(),
                queued: waiting.first().map_or(started, |first| first.answer.admitted.min(started)),
                started,
                executed: ended,
                hashed: ended,
                synced: ended,
                stages: StageNanoseconds::default(),
            };
            Box::new(Open { queue: queue.clone(), batch })
        };
        BatchSpan { open: queue.map(open) }
    }

    /// Notes that its results are there.
    pub(in crate::serve) fn hashed(&mut self, executed: &Executed) {
        if let Some(open) = &mut self.open {
            // It waits for the digest, if anything of it is still on its way.
            open.batch.stages = executed.stages();
            open.batch.hashed = Instant::now();
        }
    }

    /// Ends it: the batch is durable.
    pub(in crate::serve) fn synced(self) {
        if let Some(mut open) = self.open {
            open.batch.synced = Instant::now();
            open.queue.put(Ended::Batch(Box::new(open.batch)));
        }
    }
}
