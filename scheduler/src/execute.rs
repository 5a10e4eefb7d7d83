//! A batch from its first call to its list of writes: the modes, and execution in order. Rounds and their repair are below.

mod repair_round;
mod rounds;

pub use rounds::{AGAIN_SHARE_MAX, Rounds};

use crate::conflicts::Conflicts;
use crate::executor::{Executor, RUN_CALLS, Verdict};
use crate::key::CallIndex;
use crate::open::OpenBatch;
use crate::phase::{Clock, Phase, PhaseNanoseconds, Watch};
use crate::record::RUNS_MAX;
use crate::run::RunLog;
use crate::state::{PrefetchHash, State};
use crate::statistics::Statistics;
use crate::team::{Queue, Team};
use crate::view::{Base, View};
use core::ops::Range;
use parking_lot::Mutex;

/// Calls whose state is asked for together. A prefetch whose page is not in the TLB holds up what follows it until the page
/// table is walked; many in a row wait for their walks at the same time.
const PREFETCH_GROUP: u32 = 2;
/// How many calls ahead of a group its tags are asked for; where its state is they tell a group later.
const PREFETCH_CALLS: u32 = 6;

/// Most calls that a batch may have.
pub const BATCH_CALLS_MAX: u32 = RUNS_MAX * RUN_CALLS;

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
