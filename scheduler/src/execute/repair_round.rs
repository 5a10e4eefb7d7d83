//! The loop of a repair: a round's dirty calls executed again in order, while others hash the runs that it has passed. What replacing a
//! call's records takes is in `repair.rs` beside `execute.rs`.

use super::Batch;
use crate::executor::{Executor, RUN_CALLS, Verdict};
use crate::key::CallIndex;
use crate::phase::{Phase, Watch};
use crate::planted::{Bug, planted};
use crate::repair::Dirty;
use crate::view::Base;
use core::ops::Range;
use std::collections::VecDeque;

/// Share of a round's calls from which on repairing dirty ones is not tried: executing the rest in order costs less.
const REPAIR_SHARE_MAX: f64 = 0.3;
/// Steps in chains, a call of the round, after which a repair is given up.
const REPAIR_STEPS_A_CALL: u64 = 4;
/// Keys that a call may touch to be repaired. Its records are matched with those of its first execution one by one, which
/// for a few thousand would take longer than executing the rest of a round.
const REPAIR_RECORDS_MAX: usize = 512;

impl<E: Executor> Batch<'_, E> {
    /// Makes a round with dirty calls right.
    pub(super) fn repair(&mut self, calls: Range<u32>, dirty: &mut Dirty) {
        let first = dirty.next(calls.start).expect("a call is dirty");
        let first_run = (calls.start / RUN_CALLS) as usize;
        let open = self.open.as_mut().expect("no round is open");
        let scans = open.runs[first_run..].iter().any(|run| !run.side.scans.is_empty());
        // A scan inside a chain would need the order of the keys as it was at that call.
        let hopeless = dirty.count as f64 > f64::from(calls.end - first.0) * REPAIR_SHARE_MAX;
        let given_up = if scans || hopeless {
            Some(first)
        } else {
            let runs = self.runs.split_off(first_run);
            let (given_up, rest) = self.while_others_seal(Phase::Repair, |batch, is_final| {
                let mut ending = Ending { next: first_run, runs: runs.into(), is_final };
                let given_up = batch.repair_each(calls.clone(), dirty, &mut ending);
                (given_up, ending.runs)
            });
            self.runs.extend(rest);
            given_up
        };
        if let Some(mut from) = given_up {
            let mut watch = Watch::start(self.clock);
            from.0 += u32::from(planted(Bug::FrontierOffByOne));
            let open = self.open.as_mut().expect("no round is open");
            open.roll_back(from);
            self.suffix(from.0..calls.end);
            watch.lap(Phase::Repair);
            self.spent.add(&watch.spent);
        }
    }

    /// Executes the rest of a round in order.
    pub(super) fn suffix(&mut self, calls: Range<u32>) {
        self.statistics.suffixes += 1;
        self.statistics.suffix_calls += u64::from(calls.end - calls.start);
        let clock = self.clock.take();
        self.in_order(calls, false);
        self.clock = clock;
    }

    /// Executes dirty calls again, in order, and splices what they leave into the round's runs. Gives up at the call that is the answer.
    fn repair_each(
        &mut self,
        calls: Range<u32>,
        dirty: &mut Dirty,
        ending: &mut Ending<'_, E::Run>,
    ) -> Option<CallIndex> {
        let mut open = self.open.take().expect("no round is open");
        let mut hand = self.hands[0].lock();
        let mut view = hand.view(Base::Nothing);
        let steps_max = open.steps.get() + REPAIR_STEPS_A_CALL * u64::from(calls.end - calls.start);
        let mut changed = Vec::new();
        let (mut from, mut given_up) = (calls.start, None);
        // Of the run that the last call belonged to.
        let mut again: Vec<CallIndex> = Vec::new();
        while let Some(call) = dirty.next(from) {
            if open.steps.get() > steps_max {
                self.statistics.long_chains += 1;
                given_up = Some(call);
                break;
            }
            let number = (call.0 / RUN_CALLS) as usize;
            if again.last().is_some_and(|last| (last.0 / RUN_CALLS) as usize != number) {
                end_again(hand.executor, self.shared, ending, &mut again);
            }
            if again.is_empty() {
                ending.go_on_to(number);
                hand.executor.begin_run(self.shared, call);
            }
            again.push(call);
            view.run.begin(number, call.0, true);
            view.base = Base::Chains(open);
            view.begin_call(call);
            let (returned, verdict) = hand.executor.execute(self.shared, call, view);
            view = returned;
            let records = view.take_records(verdict == Verdict::Keep);
            let Base::Chains(returned) = core::mem::replace(&mut view.base, Base::Nothing) else {
                unreachable!("a call gives its base back")
            };
            open = returned;
            let log = &open.runs[number];
            let too_long = records.len().max(log.entries(call).len()) > REPAIR_RECORDS_MAX;
            // A scan inside a chain would need the order of the keys as it was at that call.
            if !view.run.side.scans.is_empty() || view.run.overflowed || log.overflowed || too_long {
                given_up = Some(call);
                break;
            }
            let before = dirty.count;
            let (new, dropped) = open.replace(call, records, &view.run, dirty, &mut changed);
            self.statistics.reopened_calls += (dirty.count - before) as u64;
            self.statistics.new_writes += new;
            self.statistics.dropped_writes += dropped;
            self.statistics.repaired_calls += 1;
            from = call.0 + 1;
            if from == calls.end {
                break;
            }
        }
        end_again(hand.executor, self.shared, ending, &mut again);
        if given_up.is_none() {
            ending.go_on_to(usize::MAX);
            open.settle(changed);
        }
        hand.view = Some(view);
        self.open = Some(open);
        given_up
    }
}

/// The runs of a round that is repaired, which end as the loop passes them: no call before it is executed once more.
struct Ending<'a, R> {
    /// Number of the first of `runs`.
    next: usize,
    runs: VecDeque<R>,
    /// Takes what has ended.
    is_final: &'a mut dyn FnMut(usize, R),
}

impl<R> Ending<'_, R> {
    /// The loop is at a run, which becomes the first.
    fn go_on_to(&mut self, number: usize) {
        while self.next < number
            && let Some(run) = self.runs.pop_front()
        {
            (self.is_final)(self.next, run);
            self.next += 1;
        }
    }
}

/// Takes what calls of the first run left that were executed again.
fn end_again<E: Executor>(
    executor: &mut E,
    shared: &E::Shared,
    ending: &mut Ending<'_, E::Run>,
    again: &mut Vec<CallIndex>,
) {
    let Some(last) = again.last() else { return };
    let left = executor.end_run(shared, CallIndex(last.0 + 1));
    if !planted(Bug::DroppedSplice) {
        E::splice(shared, &mut ending.runs[0], again, left);
    }
    again.clear();
}
