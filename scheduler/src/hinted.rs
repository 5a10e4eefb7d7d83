//! Rounds whose calls have declared their keys: they execute in parallel and in place, and nothing is checked afterwards. See
//! [`crate::claims`].
//!
//! A round ends before the first call that does not declare its keys, and where a call has strayed: that one, and all behind it
//! that have been executed, are taken back. From there on calls are executed in order up to the next run, with which a round
//! begins again.

use crate::claims::{Claim, Held, LookUp, OwnerClaims, Progress, RunClaims, Table, by_owner};
use crate::execute::{Batch, runs_of};
use crate::executor::{Executor, RUN_CALLS, Verdict};
use crate::in_place::Undo;
use crate::key::CallIndex;
use crate::phase::{Phase, PhaseNanoseconds, Watch};
use crate::planted::{Bug, planted};
use crate::record::RecordId;
use crate::run::RunLog;
use crate::state::State;
use crate::team::Queue;
use crate::view::{Base, View};
use core::ops::Range;
use parking_lot::Mutex;
use std::sync::Arc;

/// What a worker's calls of a round left.
struct Share<R> {
    log: RunLog,
    run: R,
    lists: Lists,
    holds_absent: u16,
}

/// Lists of what a worker did, which are kept for other rounds: fresh pages from the kernel cost more than filling them.
#[derive(Default)]
pub(crate) struct Lists {
    /// In the order of the calls.
    calls: Vec<Executed>,
    undos: Vec<Undo>,
}

/// A call that a worker executed. Its entries are those of the same number in the worker's log.
struct Executed {
    call: u32,
    /// Its part of what the worker's run left.
    left: Range<usize>,
    /// The end of its undos.
    undos: usize,
}

/// Where what a call left is: with which worker, and which of that worker's calls it is.
#[derive(Clone, Copy)]
struct Place {
    worker: u32,
    number: u32,
}

impl<E: Executor> Batch<'_, E> {
    pub(crate) fn hinted(&mut self, calls: u32, round: u32) {
        let round = round.clamp(1, calls.max(1)).next_multiple_of(RUN_CALLS);
        let mut start = 0;
        while start < calls {
            let end = calls.min(start + round);
            let next = self.hinted_round(start..end);
            start = end;
            if next < end {
                start = (next + 1).next_multiple_of(RUN_CALLS).min(calls);
                self.statistics.unhinted_calls += u64::from(start - next);
                self.in_order(next..start, false);
            }
        }
    }

    /// Executes what it can of a round. Returns the first call that is not executed.
    fn hinted_round(&mut self, calls: Range<u32>) -> u32 {
        let open = self.open.as_mut().expect("no round is open");
        open.round += 1;
        let (mut claims, end) = self.look_up(calls.clone());
        let calls = calls.start..end;
        if calls.is_empty() {
            self.open.as_mut().expect("no round is open").state.spare_claims.append(&mut claims);
            return calls.start;
        }
        self.line_up(&mut claims);
        let open = self.open.as_mut().expect("no round is open");
        // SAFETY: until this function has dropped it, only lists of spare logs are taken from the state.
        let table = Arc::new(unsafe { Table::new(&mut open.state) });
        let progress = Progress::new(calls.clone(), self.team.size());
        let shares = self.execute_claimed(&claims, &table, &progress, calls.clone());
        drop(table);
        let partitions = &mut self.open.as_mut().expect("no round is open").state.partitions;
        for share in &shares {
            for (owner, partition) in partitions.iter_mut().enumerate() {
                partition.holds_absent |= share.holds_absent >> owner & 1 == 1;
            }
        }
        let end = progress.strayed().min(calls.end);
        self.statistics.hinted_calls += u64::from(end - calls.start);
        let executed: usize = shares.iter().map(|share| share.lists.calls.len()).sum();
        self.statistics.strayed_calls += u64::from(end < calls.end);
        if executed > (end - calls.start) as usize && !planted(Bug::KeptStray) {
            self.take_back(&shares, end);
        }
        self.gather(&shares, calls.start..end);
        let state = &mut self.open.as_mut().expect("no round is open").state;
        state.spare_claims.append(&mut claims);
        for Share { log, run, mut lists, .. } in shares {
            E::recycle(self.shared, run);
            state.spare_wide.push(log);
            lists.calls.clear();
            lists.undos.clear();
            state.spare_lists.push(lists);
        }
        end
    }

    /// Looks up what calls declare. Returns the claims of the runs, and the first call that does not declare its keys, or the end.
    fn look_up(&mut self, calls: Range<u32>) -> (Vec<RunClaims>, u32) {
        let (shared, clock) = (self.shared, self.clock);
        let open = self.open.as_mut().expect("no round is open");
        let mut claims: Vec<_> =
            runs_of(calls.clone()).map(|run| (run, open.state.spare_claims.pop().unwrap_or_default())).collect();
        let state: &State = &open.state;
        let queue = Queue::new(claims.iter_mut());
        let spent = Mutex::new(PhaseNanoseconds::default());
        self.team.turn(&|_| {
            let mut watch = Watch::start(clock);
            let mut work = LookUp::default();
            while let Some((run, claims)) = queue.take() {
                claims.look_up::<E>(shared, state, run.clone(), &mut work);
            }
            watch.lap(Phase::Chain);
            spent.lock().add(&watch.spent);
        });
        self.spent.add(&spent.into_inner());
        let mut end = calls.start;
        for (run, claims) in &claims {
            end = claims.calls().end;
            if end < run.end {
                break;
            }
        }
        // What is declared behind the end does not count: those calls are not executed in this round.
        let kept = claims.iter().filter(|(run, _)| run.start < end).count();
        open.state.spare_claims.extend(claims.drain(kept..).map(|(_, claims)| claims));
        (claims.into_iter().map(|(_, claims)| claims).collect(), end)
    }

    /// Says of all claims what they wait for.
    fn line_up(&mut self, claims: &mut [RunClaims]) {
        let (shared, clock) = (self.shared, self.clock);
        let open = &mut **self.open.as_mut().expect("no round is open");
        let round = open.round;
        let State { hasher, partitions, .. } = &mut *open.state;
        let mut owners: Vec<OwnerClaims<'_>> = by_owner(partitions, claims);
        let queue = Queue::new(owners.iter_mut());
        let spent = Mutex::new(PhaseNanoseconds::default());
        self.team.turn(&|_| {
            let mut watch = Watch::start(clock);
            while let Some(owner) = queue.take() {
                owner.line_up::<E>(shared, hasher, round);
            }
            watch.lap(Phase::Chain);
            spent.lock().add(&watch.spent);
        });
        self.spent.add(&spent.into_inner());
    }

    fn execute_claimed(
        &mut self,
        claims: &[RunClaims],
        table: &Arc<Table>,
        progress: &Progress,
        calls: Range<u32>,
    ) -> Vec<Share<E::Run>> {
        let (shared, clock) = (self.shared, self.clock);
        let state = &mut self.open.as_mut().expect("no round is open").state;
        let spare = Mutex::new((core::mem::take(&mut state.spare_wide), core::mem::take(&mut state.spare_lists)));
        let shares = Mutex::new(Vec::new());
        let spent = Mutex::new(PhaseNanoseconds::default());
        let hands = &self.hands;
        self.team.turn(&|worker| {
            let mut watch = Watch::start(clock);
            let leave = Leave { progress, worker };
            let mut hand = hands[worker].lock();
            let mut view = hand.view(Base::Claimed(Arc::clone(table)));
            let executor = &mut *hand.executor;
            let (log, Lists { calls: mut executed, undos }) = {
                let (logs, lists) = &mut *spare.lock();
                (logs.pop().unwrap_or_default(), lists.pop().unwrap_or_default())
            };
            view.run = log;
            view.run.begin(0, calls.start, false);
            view.claimed.undos = undos;
            executor.begin_share(shared, CallIndex(calls.start));
            let claims_of = |call: u32| claims[((call - calls.start) / RUN_CALLS) as usize].of(CallIndex(call));
            let mut next = progress.begin(worker);
            while let Some(call) = next {
                next = progress.take(worker);
                if let Some(next) = next {
                    claims_of(next).for_each(|(owner, claim)| table.prefetch(owner, claim));
                }
                view = match execute_one(executor, shared, view, CallIndex(call), claims_of(call), progress) {
                    Ok((view, left)) => {
                        executed.push(Executed { call, left, undos: view.claimed.undos.len() });
                        view
                    }
                    Err(returned) => {
                        view = returned;
                        break;
                    }
                };
                progress.go_on(worker, next);
            }
            drop(leave);
            let run = executor.end_run(shared, CallIndex(calls.end));
            watch.lap(Phase::Execute);
            view.base = Base::Nothing;
            shares.lock().push(Share {
                log: core::mem::take(&mut view.run),
                run,
                lists: Lists { calls: executed, undos: core::mem::take(&mut view.claimed.undos) },
                holds_absent: core::mem::take(&mut view.claimed.holds_absent),
            });
            hand.view = Some(view);
            spent.lock().add(&watch.spent);
        });
        let open = self.open.as_mut().expect("no round is open");
        (open.state.spare_wide, open.state.spare_lists) = spare.into_inner();
        self.spent.add(&spent.into_inner());
        shares.into_inner()
    }

    /// Takes back the calls from `from` on, the last ones first.
    #[cold]
    fn take_back(&mut self, shares: &[Share<E::Run>], from: u32) {
        let mut undone: Vec<(u32, &[Undo])> = Vec::new();
        for share in shares {
            let mut start = 0;
            for executed in &share.lists.calls {
                let undos = &share.lists.undos[core::mem::replace(&mut start, executed.undos)..executed.undos];
                if executed.call >= from {
                    undone.push((executed.call, undos));
                }
            }
        }
        undone.sort_unstable_by_key(|(call, _)| core::cmp::Reverse(*call));
        let open = self.open.as_mut().expect("no round is open");
        for undo in undone.iter().flat_map(|(_, undos)| undos.iter().rev()) {
            open.state.partitions[usize::from(undo.owner)].take_back(undo.version as usize, undo.last, undo.value);
        }
    }

    /// Puts together, run by run, what the workers' calls left.
    fn gather(&mut self, shares: &[Share<E::Run>], calls: Range<u32>) {
        let (shared, clock) = (self.shared, self.clock);
        let mut places = vec![Place { worker: 0, number: 0 }; calls.len()];
        for (share, worker) in shares.iter().zip(0..) {
            for (executed, number) in share.lists.calls.iter().zip(0..) {
                if executed.call < calls.end {
                    places[(executed.call - calls.start) as usize] = Place { worker, number };
                }
            }
        }
        let left: Vec<&E::Run> = shares.iter().map(|share| &share.run).collect();
        let open = self.open.as_mut().expect("no round is open");
        let spare = Mutex::new(core::mem::take(&mut open.state.spare));
        let queue = Queue::new(runs_of(calls.clone()));
        let gathered = Mutex::new(Vec::new());
        let spent = Mutex::new(PhaseNanoseconds::default());
        self.team.turn(&|_| {
            let mut watch = Watch::start(clock);
            while let Some(run) = queue.take() {
                let mut log = spare.lock().pop().unwrap_or_default();
                log.begin((run.start / RUN_CALLS) as usize, run.start, false);
                let places = &places[(run.start - calls.start) as usize..(run.end - calls.start) as usize];
                for place in places {
                    let from = &shares[place.worker as usize].log;
                    log.take_entries(from.entries_of(place.number as usize), &from.side.bytes);
                }
                let pieces = places.iter().map(|place| {
                    let executed = &shares[place.worker as usize].lists.calls[place.number as usize];
                    (place.worker as usize, executed.left.clone())
                });
                let mut whole = E::gather(shared, run.clone(), &left, pieces);
                watch.lap(Phase::Writes);
                if run.end.is_multiple_of(RUN_CALLS) {
                    E::seal(shared, &mut whole);
                    watch.lap(Phase::Seal);
                }
                gathered.lock().push((log, whole));
            }
            spent.lock().add(&watch.spent);
        });
        let mut gathered = gathered.into_inner();
        gathered.sort_unstable_by_key(|(log, _)| log.number);
        open.state.spare = spare.into_inner();
        for (log, run) in gathered {
            open.runs.push(log);
            self.runs.push(run);
        }
        // Marks of writes that are not their keys' last ones.
        for share in shares {
            let kept = share.lists.calls.partition_point(|executed| executed.call < calls.end);
            let undos = kept.checked_sub(1).map_or(0, |last| share.lists.calls[last].undos);
            for undo in share.lists.undos[..undos].iter().filter(|undo| undo.last != RecordId::NONE) {
                open.runs[undo.last.run()].supersede(usize::from(undo.owner), undo.last);
            }
        }
        self.spent.add(&spent.into_inner());
    }
}

/// Executes a call when it may have its keys. Fails if it strays, or need not be executed.
#[inline]
fn execute_one<'a, E: Executor>(
    executor: &mut E,
    shared: &E::Shared,
    mut view: Box<View>,
    call: CallIndex,
    claims: impl Iterator<Item = (usize, &'a Claim)>,
    progress: &Progress,
) -> Result<(Box<View>, Range<usize>), Box<View>> {
    if progress.strayed() < call.0 {
        return Err(view);
    }
    for (owner, claim) in claims {
        if !progress.wait(call.0, claim.wait()) {
            view.claimed.held.clear();
            return Err(view);
        }
        // SAFETY: it has waited; `end_held` ends what is held before the call is said to be done. Of a key that is declared
        // twice, the first that may be written is used alone.
        view.claimed.held.push(unsafe { Held::new(owner, claim) });
    }
    view.begin_call(call);
    let start = executor.left();
    let (mut view, verdict) = executor.execute(shared, call, view);
    if view.claimed.strayed {
        view.claimed.strayed = false;
        view.end_held(false);
        progress.stray(call.0);
        return Err(view);
    }
    view.end_call(verdict == Verdict::Keep);
    Ok((view, start..executor.left()))
}

/// Nobody waits for a worker that has left, however it did.
struct Leave<'a> {
    progress: &'a Progress,
    worker: usize,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The batch is void; the others must not wait for what is never done.
            self.progress.stray(0);
        }
        self.progress.go_on(self.worker, None);
    }
}

#[cfg(test)]
mod tests {
    use super::Leave;
    use crate::claims::{Progress, Wait};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn nobody_waits_for_a_worker_that_has_left() {
        let left = |panics: bool| {
            let progress = Progress::new(0..2, 2);
            assert_eq!((progress.begin(0), progress.begin(1)), (Some(0), Some(1)));
            let leaves = || {
                let _leave = Leave { progress: &progress, worker: 0 };
                assert!(!panics, "in the middle of its call");
            };
            assert_eq!(catch_unwind(AssertUnwindSafe(leaves)).is_err(), panics);
            (progress.strayed(), progress.wait(1, Wait::Call(0)))
        };
        assert_eq!(left(false), (u32::MAX, true));
        assert_eq!(left(true), (0, false), "the batch is void");
    }
}
