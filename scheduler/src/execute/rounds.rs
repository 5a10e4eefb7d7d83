//! Rounds: how long they are, and the phases that all workers share in each, up to its list of dirty calls.

use super::{Ahead, BATCH_CALLS_MAX, Batch, execute_calls, runs_of};
use crate::executor::{Executor, RUN_CALLS};
use crate::fold::{FoldCounts, OwnerPart, Round};
use crate::hash::OWNERS;
use crate::key::CallIndex;
use crate::open::OpenBatch;
use crate::phase::{Phase, PhaseNanoseconds, Watch};
use crate::repair::Dirty;
use crate::run::{RunLog, Side};
use crate::state::State;
use crate::team::Queue;
use crate::view::Base;
use core::cmp::Reverse;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};
use parking_lot::Mutex;
use std::sync::Arc;

/// How long rounds are, in calls, rounded up to whole runs. The share of calls that conflict grows with a round, what its
/// borders cost falls: a round after one in which more than [`AGAIN_SHARE_MAX`] of the calls had to be executed again is shorter, and one
/// after a round in which hardly any had to be is longer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rounds {
    /// Of the batch's first round.
    pub first: u32,
    /// Of the shortest round. If too many calls of one like that are executed again, the rest of the batch is executed in order.
    pub least: u32,
    /// Of the longest.
    pub most: u32,
}

impl Rounds {
    /// Rounds of one length.
    pub const fn of(calls: u32) -> Self {
        Self { first: calls, least: calls, most: calls }
    }

    /// Length of the round after one of so many calls, of which such a share was executed again; `None`: none, the rest is executed
    /// in order.
    fn after(&self, calls: u32, again: f64) -> Option<u32> {
        if again > AGAIN_SHARE_MAX {
            (calls > self.least).then(|| self.least.max((calls / ROUND_STEP).next_multiple_of(RUN_CALLS)))
        } else if again < AGAIN_SHARE_MAX / f64::from(2 * ROUND_STEP) {
            Some(self.most.min(calls.saturating_mul(ROUND_STEP)))
        } else {
            Some(calls)
        }
    }
}

/// Share of the calls that are executed again above which executing in order costs less.
pub const AGAIN_SHARE_MAX: f64 = 0.10;

/// How many times longer or shorter a round is than one that was too short or too long.
const ROUND_STEP: u32 = 4;

impl<E: Executor> Batch<'_, E> {
    /// Executes a batch in rounds, as long as they pay.
    pub(super) fn rounds(&mut self, calls: u32, Rounds { first, least, most }: Rounds) {
        let [first, least, most] =
            [first, least, most].map(|calls| calls.clamp(1, BATCH_CALLS_MAX).next_multiple_of(RUN_CALLS));
        let lengths = Rounds { first, least, most };
        let (mut start, mut length) = (0, first);
        self.next_round = Some(first);
        while start < calls {
            let end = calls.min(start + length);
            let before = self.statistics.again();
            self.round(start..end);
            self.statistics.rounds += 1;
            let again = (self.statistics.again() - before) as f64 / f64::from(end - start);
            // Of a round that the batch's end cut short too little is known: a few conflicts of a few calls, and nothing of longer ones.
            self.next_round = match lengths.after(length, again) {
                next if end - start == length => next,
                next if start == 0 => next.map(|next| next.min(length)),
                _ => Some(length),
            };
            start = end;
            match self.next_round {
                Some(next) => length = next,
                None => return self.in_order_with_help(start..calls),
            }
        }
    }

    /// Executes a round of calls: in parallel against the state before it, then chained, and repaired where needed.
    fn round(&mut self, calls: Range<u32>) {
        let open = self.open.as_mut().expect("no round is open");
        open.round += 1;
        let moves: [u32; OWNERS] = core::array::from_fn(|owner| open.state.partitions[owner].moves);
        self.execute_round(calls.clone());
        self.statistics.optimistic_calls += u64::from(calls.end - calls.start);
        let open = self.open.as_mut().expect("the round gives it back");
        let first_run = (calls.start / RUN_CALLS) as usize;
        if open.runs[first_run..].iter().any(|run| run.overflowed) {
            // Too much was recorded to be checked. Nothing has been applied yet, so there is nothing to take back.
            open.runs.truncate(first_run);
            let mut watch = Watch::start(self.clock);
            self.suffix(calls);
            watch.lap(Phase::Repair);
            self.spent.add(&watch.spent);
            return;
        }
        let mut dirty = self.chain(calls.clone(), &moves);
        self.statistics.dirty_calls += dirty.count as u64;
        if dirty.count > 0 {
            if let (Some(conflicts), Some(open)) = (&mut self.conflicts, &self.open) {
                conflicts.gather(open, first_run..open.runs.len(), &dirty);
            }
            self.repair(calls, &mut dirty);
        }
    }

    fn execute_round(&mut self, calls: Range<u32>) {
        let (shared, clock) = (self.shared, self.clock);
        let mut open = self.open.take().expect("no round is open");
        let spare: Vec<RunLog> = core::mem::take(&mut open.state.spare);
        let OpenBatch { state, mut runs, round, steps } = *open;
        let state = Arc::new(*state);
        let mut runs_in_turn: Vec<_> = runs_of(calls.clone()).collect();
        // Those with long calls first, so that the others are at hand while these last. Where none is long, the order stays.
        runs_in_turn.sort_by_cached_key(|run| Reverse(E::longest(shared, run.clone())));
        let queue = Queue::new(runs_in_turn.into_iter());
        let executing = AtomicUsize::new(0);
        let spare = Mutex::new(spare);
        let ended = Mutex::new(Vec::new());
        let spent = Mutex::new(PhaseNanoseconds::default());
        let hands = &self.hands;
        self.team.turn(&|worker| {
            let mut watch = Watch::start(clock);
            let mut hand = hands[worker].lock();
            let mut view = hand.view(Base::Snapshot(Arc::clone(&state)));
            let executor = &mut *hand.executor;
            let mut mine = Vec::new();
            // Who counts only says whether hashing is worth beginning: relaxed is enough.
            executing.fetch_add(1, Ordering::Relaxed);
            while let Some(range) = queue.take() {
                let mut log = spare.lock().pop().unwrap_or_default();
                log.begin((range.start / RUN_CALLS) as usize, range.start, true);
                view.run = log;
                executor.begin_run(shared, CallIndex(range.start));
                let mut ahead = Ahead::new(&range);
                view = execute_calls(executor, shared, view, range.clone(), &mut ahead);
                let run = executor.end_run(shared, CallIndex(range.end));
                mine.push((core::mem::take(&mut view.run), run));
            }
            executing.fetch_sub(1, Ordering::Relaxed);
            watch.lap(Phase::Execute);
            view.base = Base::Nothing;
            hand.view = Some(view);
            // Others may be at a long call. Of what is hashed meanwhile, what is repaired will be hashed again.
            for (_, run) in mine.iter_mut().rev().take_while(|_| executing.load(Ordering::Relaxed) > 0) {
                E::seal(shared, run);
            }
            watch.lap(Phase::Seal);
            ended.lock().append(&mut mine);
            spent.lock().add(&watch.spent);
        });
        let mut ended = ended.into_inner();
        ended.sort_unstable_by_key(|(log, _)| log.number);
        for (log, run) in ended {
            runs.push(log);
            self.runs.push(run);
        }
        let mut state = Box::new(Arc::into_inner(state).expect("every worker has given its part back"));
        state.spare = spare.into_inner();
        self.spent.add(&spent.into_inner());
        self.open = Some(Box::new(OpenBatch { state, runs, round, steps }));
    }

    /// Chains and checks the records of a round, each owner its own.
    fn chain(&mut self, calls: Range<u32>, moves: &[u32; OWNERS]) -> Dirty {
        let clock = self.clock;
        let open = &mut **self.open.as_mut().expect("no round is open");
        let State { hasher, partitions, .. } = &mut *open.state;
        let first_run = (calls.start / RUN_CALLS) as usize;
        let runs = first_run..open.runs.len();
        let mut buckets: [Vec<_>; OWNERS] = core::array::from_fn(|_| Vec::with_capacity(runs.end));
        let mut sides: Vec<&Side> = Vec::with_capacity(runs.end);
        for log in &mut open.runs {
            for (of_owner, bucket) in buckets.iter_mut().zip(&mut log.buckets) {
                of_owner.push(bucket);
            }
            sides.push(&log.side);
        }
        let mut parts: Vec<(OwnerPart<'_>, u32)> = partitions
            .iter_mut()
            .zip(buckets)
            .zip(moves)
            .map(|((partition, buckets), &moves)| {
                (OwnerPart { partition, buckets, dirty: Vec::new(), counts: FoldCounts::default() }, moves)
            })
            .collect();
        let round = Round { hasher, sides: &sides, number: open.round, runs };
        let queue = Queue::new(parts.iter_mut());
        let spent = Mutex::new(PhaseNanoseconds::default());
        self.team.turn(&|_| {
            let mut watch = Watch::start(clock);
            while let Some((part, moves)) = queue.take() {
                part.fold(&round, *moves);
            }
            watch.lap(Phase::Chain);
            spent.lock().add(&watch.spent);
        });
        let mut dirty = Dirty::new(calls.start, calls.end - calls.start);
        for (part, _) in &parts {
            part.dirty.iter().for_each(|&call| dirty.insert(call));
            self.statistics.rescued_reads += part.counts.rescued;
            self.statistics.changed_predicates += part.counts.changed_predicates;
            self.statistics.phantoms += part.counts.phantoms;
        }
        drop(parts);
        self.spent.add(&spent.into_inner());
        dirty
    }
}

#[cfg(test)]
mod tests {
    use super::{AGAIN_SHARE_MAX, Rounds};

    #[test]
    fn rounds_are_as_long_as_conflicts_let_them_be() {
        let rounds = Rounds { first: 1_024, least: 1_024, most: 16_384 };
        for (calls, again, next) in [
            (1_024, 0.0, Some(4_096)),
            (4_096, 0.01, Some(16_384)),
            (16_384, 0.0, Some(16_384)),
            (16_384, 0.04, Some(16_384)),
            (16_384, 0.11, Some(4_096)),
            (4_096, 0.04, Some(4_096)),
            // An eighth of the most is not hardly any.
            (4_096, AGAIN_SHARE_MAX / 8.0, Some(4_096)),
            (2_048, 1.0, Some(1_024)),
            (1_024, 0.10, Some(1_024)),
            (1_024, 0.11, None),
            // Runs stay whole.
            (4_352, 0.11, Some(1_280)),
        ] {
            assert_eq!(rounds.after(calls, again), next, "{again} of {calls}");
        }
    }
}
