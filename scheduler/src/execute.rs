//! A batch from its first call to its list of writes: the modes, and the phases of a round.

use crate::conflicts::Conflicts;
use crate::executor::{Executor, RUN_CALLS, Verdict};
use crate::fold::{FoldCounts, OwnerPart, Round};
use crate::hash::OWNERS;
use crate::key::CallIndex;
use crate::open::OpenBatch;
use crate::phase::{Clock, Phase, PhaseNanoseconds, Watch};
use crate::planted::{Bug, planted};
use crate::record::RUNS_MAX;
use crate::repair::Dirty;
use crate::run::{RunLog, Side};
use crate::state::{PrefetchHash, State};
use crate::statistics::Statistics;
use crate::team::{Queue, Team};
use crate::view::{Base, View};
use core::cmp::Reverse;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// Calls whose state is asked for together. A prefetch whose page is not in the TLB holds up what follows it until the page
/// table is walked; many in a row wait for their walks at the same time.
const PREFETCH_GROUP: u32 = 2;
/// How many calls ahead of a group its tags are asked for; where its state is they tell a group later.
const PREFETCH_CALLS: u32 = 6;

/// Most calls that a batch may have.
pub const BATCH_CALLS_MAX: u32 = RUNS_MAX * RUN_CALLS;

/// Share of a round's calls from which on repairing dirty ones is not tried: executing the rest in order costs less.
const REPAIR_SHARE_MAX: f64 = 0.3;
/// Steps in chains, a call of the round, after which a repair is given up.
const REPAIR_STEPS_A_CALL: u64 = 4;
/// Keys that a call may touch to be repaired. Its records are matched with those of its first execution one by one, which
/// for a few thousand would take longer than executing the rest of a round.
const REPAIR_RECORDS_MAX: usize = 512;

/// How a batch is executed. Results never depend on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// In order, on one worker, which does everything.
    Serial,
    /// In order, on one worker, which leaves hashing and listing to whoever takes the runs and their logs.
    Pipe,
    /// In parallel, in rounds, calls that touch the same keys one after another, as far as calls declare their keys; see
    /// [`Executor::declare`].
    Hinted {
        /// Calls of a round, rounded up to whole runs.
        round: u32,
    },
    /// In parallel, with validation, in rounds.
    Optimistic(Rounds),
}

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

/// What is looked at while a batch executes, for people. Results never depend on it.
#[derive(Clone, Copy, Default)]
pub struct Watched {
    /// Times the phases.
    pub clock: Option<Clock>,
    /// Whether [`Done::conflicts`] are gathered: a pass over the records of each round with dirty calls.
    pub conflicts: bool,
}

/// A batch that was executed. The branch of `state` holds its writes.
pub struct Done<R> {
    /// The state, with the branch open.
    pub state: Box<State>,
    /// The runs' records. [`State::recycle`] takes them back.
    pub logs: Vec<RunLog>,
    /// What the executors made of the runs, in order.
    pub runs: Vec<R>,
    /// What happened.
    pub statistics: Statistics,
    /// How long the next round would have been; `None` where rounds did not pay, and in other modes.
    pub next_round: Option<u32>,
    /// What calls conflicted on, if that was asked for.
    pub conflicts: Option<Conflicts>,
    /// Where the time went, summed over workers.
    pub spent: PhaseNanoseconds,
}

/// Executes `calls` calls in the mode, with one executor for each worker of the team. To be called on worker 0, in
/// [`Team::run`].
pub fn execute<E: Executor>(
    team: &Team,
    executors: &mut [E],
    shared: &E::Shared,
    state: Box<State>,
    calls: u32,
    mode: Mode,
    watched: Watched,
) -> Done<E::Run> {
    assert_eq!(executors.len(), team.size(), "an executor a worker");
    assert!(calls <= BATCH_CALLS_MAX, "a batch has {calls} calls, more than {BATCH_CALLS_MAX}");
    let hands = executors.iter_mut().map(|executor| Mutex::new(Hand { executor, view: None })).collect();
    let mut batch = Batch {
        team,
        hands,
        shared,
        open: Some(Box::new(OpenBatch::new(state))),
        runs: Vec::new(),
        statistics: Statistics::default(),
        next_round: None,
        spent: PhaseNanoseconds::default(),
        conflicts: watched.conflicts.then(Conflicts::default),
        clock: watched.clock,
        parallel: matches!(mode, Mode::Optimistic(_)),
        alone: mode == Mode::Serial,
    };
    match mode {
        Mode::Serial => batch.in_order(0..calls, true),
        Mode::Pipe => batch.in_order(0..calls, false),
        Mode::Hinted { round } => batch.hinted(calls, round),
        Mode::Optimistic(rounds) => batch.rounds(calls, rounds),
    }
    if mode != Mode::Pipe {
        batch.list_writes();
    }
    let OpenBatch { state, runs: logs, .. } = *batch.open.expect("no round is open");
    let Batch { runs, statistics, next_round, conflicts, spent, .. } = batch;
    Done { state, logs, runs, statistics, next_round, conflicts, spent }
}

/// What a worker works with. It takes its own alone, so the lock is always free.
pub(crate) struct Hand<'a, E> {
    pub(crate) executor: &'a mut E,
    /// Absent while a call has it.
    pub(crate) view: Option<Box<View>>,
}

impl<E> Hand<'_, E> {
    pub(crate) fn view(&mut self, base: Base) -> Box<View> {
        let mut view = self.view.take().unwrap_or_else(|| Box::new(View::new(Base::Nothing)));
        view.base = base;
        view
    }
}

pub(crate) struct Batch<'a, E: Executor> {
    pub(crate) team: &'a Team,
    pub(crate) hands: Vec<Mutex<Hand<'a, E>>>,
    pub(crate) shared: &'a E::Shared,
    /// Absent while a view has it.
    pub(crate) open: Option<Box<OpenBatch>>,
    pub(crate) runs: Vec<E::Run>,
    pub(crate) statistics: Statistics,
    next_round: Option<u32>,
    pub(crate) spent: PhaseNanoseconds,
    conflicts: Option<Conflicts>,
    pub(crate) clock: Option<Clock>,
    /// Whether rounds may be executed in parallel, so that what is executed in order needs accesses too.
    parallel: bool,
    /// Whether the other workers are left alone.
    alone: bool,
}

/// How far the state of coming calls has been asked for.
struct Ahead {
    next: u32,
    /// No call from here on is looked at.
    end: u32,
    /// Keys whose tags have been asked for.
    hashes: Vec<PrefetchHash>,
}

impl Ahead {
    fn new(calls: &Range<u32>) -> Self {
        Self { next: calls.start, end: calls.end, hashes: Vec::new() }
    }

    #[inline]
    fn ask<E: Executor>(&mut self, shared: &E::Shared, view: &View, call: u32) {
        if call + PREFETCH_CALLS >= self.next && (self.next < self.end || !self.hashes.is_empty()) {
            let next = (self.next + PREFETCH_GROUP).min(self.end);
            let state = view.state();
            // The tags of a group say where the slots are; they were asked for when the group before it was looked at.
            state.prefetch(&self.hashes);
            self.hashes.clear();
            E::predict(shared, self.next..next, &state.hasher, &mut self.hashes);
            state.prefetch_tags(&self.hashes);
            self.next = next;
        }
    }
}

/// Executes calls that belong to the view's run.
fn execute_calls<E: Executor>(
    executor: &mut E,
    shared: &E::Shared,
    mut view: Box<View>,
    calls: Range<u32>,
    ahead: &mut Ahead,
) -> Box<View> {
    for call in calls {
        ahead.ask::<E>(shared, &view, call);
        let call = CallIndex(call);
        view.begin_call(call);
        let (returned, verdict) = executor.execute(shared, call, view);
        view = returned;
        view.end_call(verdict == Verdict::Keep);
    }
    view
}

/// The calls of a range, run by run.
pub(crate) fn runs_of(calls: Range<u32>) -> impl Iterator<Item = Range<u32>> {
    let mut first = calls.start;
    core::iter::from_fn(move || {
        let next = (first / RUN_CALLS * RUN_CALLS + RUN_CALLS).min(calls.end);
        let run = first..next;
        first = next;
        (run.start < run.end).then_some(run)
    })
}

impl<E: Executor> Batch<'_, E> {
    // ---- in order ----

    /// Executes calls in order. The first may lie inside a run that has been begun.
    pub(crate) fn in_order(&mut self, calls: Range<u32>, seal: bool) {
        let shared = self.shared;
        let mut watch = Watch::start(self.clock);
        let mut done = Vec::new();
        self.run_in_order(calls, |range, mut run| {
            watch.lap(Phase::Execute);
            if seal {
                E::seal(shared, &mut run);
                watch.lap(Phase::Seal);
            }
            done.push((range, run));
        });
        for (range, run) in done {
            self.put(range, run);
        }
        self.spent.add(&watch.spent);
    }

    /// Takes what calls of a run left.
    fn put(&mut self, calls: Range<u32>, run: E::Run) {
        let number = (calls.start / RUN_CALLS) as usize;
        if calls.start.is_multiple_of(RUN_CALLS) {
            self.runs.truncate(number);
            self.runs.push(run);
        } else {
            self.runs.truncate(number + 1);
            let calls: Vec<CallIndex> = calls.map(CallIndex).collect();
            E::splice(self.shared, &mut self.runs[number], &calls, run);
        }
    }

    fn run_in_order(&mut self, calls: Range<u32>, mut ended: impl FnMut(Range<u32>, E::Run)) {
        let mut hand = self.hands[0].lock();
        let mut view = hand.view(Base::InPlace(self.open.take().expect("no round is open")));
        let executor = &mut *hand.executor;
        let mut ahead = Ahead::new(&calls);
        for run in runs_of(calls) {
            let Base::InPlace(open) = &mut view.base else { unreachable!("set above") };
            if run.start.is_multiple_of(RUN_CALLS) {
                let mut log = open.state.spare.pop().unwrap_or_default();
                log.begin((run.start / RUN_CALLS) as usize, run.start, self.parallel);
                view.run = log;
            } else {
                view.run = open.runs.pop().expect("the run was begun");
            }
            executor.begin_run(self.shared, CallIndex(run.start));
            view = execute_calls(executor, self.shared, view, run.clone(), &mut ahead);
            let Base::InPlace(open) = &mut view.base else { unreachable!("a call gives its base back") };
            open.runs.push(core::mem::take(&mut view.run));
            ended(run.clone(), executor.end_run(self.shared, CallIndex(run.end)));
        }
        if let Base::InPlace(open) = core::mem::replace(&mut view.base, Base::Nothing) {
            self.open = Some(open);
        }
        hand.view = Some(view);
    }

    /// Executes calls in order; whoever is free hashes what they leave.
    fn in_order_with_help(&mut self, calls: Range<u32>) {
        self.while_others_seal(Phase::Execute, |batch, is_final| {
            batch.run_in_order(calls, |range, run| is_final((range.start / RUN_CALLS) as usize, run));
        });
    }

    /// Has worker 0 do something that takes time `phase` is charged with, and the others hash the runs that it hands over meanwhile, with
    /// their numbers, in order. They are put behind the runs that the batch has.
    fn while_others_seal<R: Send>(
        &mut self,
        phase: Phase,
        drive: impl FnOnce(&mut Self, &mut dyn FnMut(usize, E::Run)) -> R + Send,
    ) -> R {
        let (shared, clock, team) = (self.shared, self.clock, self.team);
        // Without a bound: worker 0 must never wait for those who help it.
        let (give, take) = crossbeam_channel::unbounded::<(usize, E::Run)>();
        let sealed = Mutex::new(Vec::new());
        let spent = Mutex::new(PhaseNanoseconds::default());
        let returned = Mutex::new(None);
        let seal_one = |watch: &mut Watch, (number, mut run): (usize, E::Run)| {
            watch.skip();
            E::seal(shared, &mut run);
            watch.lap(Phase::Seal);
            sealed.lock().push((number, run));
        };
        // Worker 0's alone.
        let driver = Mutex::new(Some((&mut *self, drive, give)));
        team.turn(&|worker| {
            let mut watch = Watch::start(clock);
            if worker == 0
                && let Some((batch, drive, give)) = driver.lock().take()
            {
                // The receiver is there until the turn ends.
                *returned.lock() = Some(drive(batch, &mut |number, run| _ = give.send((number, run))));
                watch.lap(phase);
            }
            take.iter().for_each(|item| seal_one(&mut watch, item));
            spent.lock().add(&watch.spent);
        });
        drop(driver);
        let mut sealed = sealed.into_inner();
        sealed.sort_unstable_by_key(|(number, _)| *number);
        self.runs.extend(sealed.into_iter().map(|(_, run)| run));
        self.spent.add(&spent.into_inner());
        returned.into_inner().expect("worker 0 takes part in every turn")
    }

    // ---- in parallel ----

    /// Executes a batch in rounds, as long as they pay.
    fn rounds(&mut self, calls: u32, Rounds { first, least, most }: Rounds) {
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

    /// Makes a round with dirty calls right.
    fn repair(&mut self, calls: Range<u32>, dirty: &mut Dirty) {
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
    fn suffix(&mut self, calls: Range<u32>) {
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

    // ---- the end ----

    /// Hashes what the calls of every run left, as far as that is not done, and lists and hashes its writes.
    fn list_writes(&mut self) {
        let (shared, clock) = (self.shared, self.clock);
        let open = self.open.as_ref().expect("no round is open");
        let queue = Queue::new(self.runs.iter_mut().zip(&open.runs));
        let spent = Mutex::new(PhaseNanoseconds::default());
        let work = |_| {
            let mut watch = Watch::start(clock);
            while let Some((run, log)) = queue.take() {
                E::seal(shared, run);
                watch.lap(Phase::Seal);
                E::list_writes(shared, run, log);
                watch.lap(Phase::Writes);
                E::seal_writes(shared, run);
                watch.lap(Phase::Seal);
            }
            spent.lock().add(&watch.spent);
        };
        if self.alone {
            work(0)
        } else {
            self.team.turn(&work)
        }
        self.spent.add(&spent.into_inner());
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
