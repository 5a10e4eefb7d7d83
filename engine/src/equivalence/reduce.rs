//! Cuts a batch that differed down to the calls without which it does not.

use super::difference::{Difference, Differing};
use super::follower::Follower;
use super::reproducer::{OwnedCall, Reproducer, Step, cut};
use crate::batch::{Batch, BatchBytes};
use crate::engine::{Engine, Executed, Options};
use crate::error::EngineError;
use crate::mode::Mode;
use crate::oracle::{Key, Oracle};
use phalanx_scheduler::HashSeed;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls and steps that are executed at most for a reproducer, in units of the batch. Halving takes two or three, single calls that
/// lie far apart some dozens. Whoever comes to the engine meanwhile waits.
const WORK_MAX: usize = 128;
/// And at least, for short batches.
const WORK_MIN: usize = 40_000;

/// Hash seeds that are tried: which owner a key has may decide whether a fault shows.
const SEEDS: u64 = 8;

/// A batch that differed.
pub(super) struct Found<'a> {
    pub(super) batch: &'a Batch,
    pub(super) what: Differing,
    /// Keys that it looked at.
    pub(super) seen: &'a BTreeSet<Key>,
    /// Those, and the ones that it wrote.
    pub(super) all: &'a BTreeSet<Key>,
    /// Modes that may show it.
    pub(super) modes: &'a [Mode],
}

/// What may still be executed.
struct Budget<'a> {
    left: usize,
    /// Whether nobody wants the reproducer any more.
    closed: &'a dyn Fn() -> bool,
}

impl Budget<'_> {
    /// Whether so much more may be executed.
    fn allows(&mut self, calls: usize) -> bool {
        if calls > self.left || (self.closed)() {
            return false;
        }
        self.left -= calls;
        true
    }

    /// Half of what is left, so that one attempt that comes to nothing does not use up all.
    fn half(&mut self) -> Self {
        let half = self.left / 2;
        self.left -= half;
        Self { left: half, closed: self.closed }
    }
}

/// Makes the reproducer of a batch that differed, from the state before it.
pub(super) fn reproduce(
    follower: &Follower,
    found: &Found<'_>,
    options: Options,
    closed: &dyn Fn() -> bool,
) -> Reproducer {
    let &Found { batch, what, seen, all, modes } = found;
    let calls: Vec<OwnedCall> = (0..batch.len())
        .map(|index| batch.call(index))
        .map(|call| OwnedCall::of(&call, batch.target_of(&call)))
        .collect();
    // As the engine takes them.
    let workers = options.workers.max(1);
    let mut budget = Budget { left: (calls.len() * WORK_MAX).max(WORK_MIN), closed };
    // The same kind of difference if it can be had, else another. An engine with a fault may look at keys that nobody should
    // look at; those that are written are likely.
    for (kind, &mode) in [Some(what), None].into_iter().flat_map(|kind| modes.iter().map(move |mode| (kind, mode))) {
        for (hash_seed, keys) in (0..SEEDS).flat_map(|seed| [(seed, seen), (seed, all)]) {
            let options = Options { hash_seed: HashSeed::Fixed(hash_seed), mode, ..options };
            // An engine with a fault may panic on some of the calls; that says nothing of the others.
            let tried = catch_unwind(AssertUnwindSafe(|| attempt(follower, &calls, keys, kind, options, &mut budget)));
            if let Ok(Ok(Some((steps, difference)))) = tried {
                return Reproducer { steps, mode, workers, hash_seed, difference: Some(difference) };
            }
        }
    }
    let steps = follower.set_up(&calls, all).into_iter().chain(calls.into_iter().map(Step::Call)).collect();
    Reproducer { steps, mode: modes[0], workers, hash_seed: 0, difference: None }
}

/// Steps that show a difference of the kind, whatever it is for `None`, with as few of the calls as are needed.
fn attempt(
    follower: &Follower,
    calls: &[OwnedCall],
    keys: &BTreeSet<Key>,
    kind: Option<Differing>,
    options: Options,
    budget: &mut Budget<'_>,
) -> Result<Option<(Vec<Step>, Difference)>, EngineError> {
    let steps = follower.set_up(calls, keys);
    if !budget.allows(steps.len() + calls.len()) {
        return Ok(None);
    }
    let mut scene = match Scene::set_up(&steps, options)? {
        Ready::Scene(scene) => scene,
        Ready::Differs { end, difference } => {
            return Ok(is_of(kind, &difference).then(|| (steps[..end].to_vec(), difference)));
        }
    };
    let Some(Reduced { calls, seen }) = scene.reduce(calls.to_vec(), kind, budget.half())? else { return Ok(None) };
    // The calls that are left may need less.
    for keys in [&seen, keys] {
        let mut steps = follower.set_up(&calls, keys);
        let Ready::Scene(mut scene) = Scene::set_up(&steps, options)? else { continue };
        if let Some(difference) = scene.try_calls(&calls)?.difference
            && is_of(kind, &difference)
        {
            steps.extend(calls.into_iter().map(Step::Call));
            return Ok(Some((steps, difference)));
        }
    }
    Ok(None)
}

fn is_of(kind: Option<Differing>, difference: &Difference) -> bool {
    kind.is_none_or(|kind| difference.what == kind)
}

/// An engine and an oracle on which calls can be tried.
struct Scene {
    engine: Engine,
    oracle: Oracle,
}

/// What setting up came to.
enum Ready {
    Scene(Box<Scene>),
    /// Setting up differs itself, in the batch that ends with this many steps.
    Differs {
        end: usize,
        difference: Difference,
    },
}

impl Scene {
    fn set_up(steps: &[Step], options: Options) -> Result<Ready, EngineError> {
        let mut scene = Self { engine: Engine::new(options), oracle: Oracle::new() };
        for (end, bytes) in cut(steps, 1)? {
            let (difference, executed) = scene.execute(bytes)?;
            if let Some(difference) = difference {
                return Ok(Ready::Differs { end, difference });
            }
            scene.engine.commit(executed)?;
        }
        Ok(Ready::Scene(Box::new(scene)))
    }

    fn execute(&mut self, bytes: BatchBytes) -> Result<(Option<Difference>, Executed), EngineError> {
        let batch = Batch::decode(bytes.clone())?;
        let executed = self.engine.execute_batch(bytes.clone())?;
        let outcome = self.oracle.execute_batch(bytes)?;
        Ok((Difference::between(&batch, &executed, &outcome), executed))
    }

    /// What differs when these calls are the next batch, and the keys that they look at. Nothing changes.
    fn try_calls(&mut self, calls: &[OwnedCall]) -> Result<Tried, EngineError> {
        let steps: Vec<Step> = calls.iter().cloned().map(Step::Call).collect();
        let mut batches = cut(&steps, self.engine.height() + 1)?;
        // What does not fit one batch any more cannot be tried in one.
        let (Some((_, bytes)), true) = (batches.pop(), batches.is_empty()) else { return Ok(Tried::default()) };
        let (difference, _) = self.execute(bytes)?;
        let seen = self.oracle.seen().clone();
        self.oracle.undo();
        Ok(Tried { difference, seen })
    }

    /// Takes calls away, half of them first, single ones last, as long as the difference stays. Answers what is left, and
    /// the keys that it looks at; `None` if even all calls show no difference of the kind.
    fn reduce(
        &mut self,
        calls: Vec<OwnedCall>,
        kind: Option<Differing>,
        mut budget: Budget<'_>,
    ) -> Result<Option<Reduced>, EngineError> {
        let mut left = calls;
        let first = self.try_calls(&left)?;
        if !first.shows(kind) {
            return Ok(None);
        }
        let mut seen = first.seen;
        let mut piece = left.len().div_ceil(2);
        loop {
            let before = left.len();
            let mut at = 0;
            while at < left.len() && left.len() > 1 && budget.allows(left.len()) {
                let end = (at + piece).min(left.len());
                let fewer: Vec<OwnedCall> = left[..at].iter().chain(&left[end..]).cloned().collect();
                let tried = if fewer.is_empty() { Tried::default() } else { self.try_calls(&fewer)? };
                match tried.shows(kind) {
                    true => (left, seen) = (fewer, tried.seen),
                    false => at = end,
                }
            }
            match piece {
                // A call that could not go at first may have been needed by one that is gone.
                1 if left.len() == before || budget.left < left.len() || (budget.closed)() => {
                    return Ok(Some(Reduced { calls: left, seen }));
                }
                1 => {}
                _ => piece = piece.div_ceil(2),
            }
        }
    }
}

/// Calls that are left, and the keys that they look at.
struct Reduced {
    calls: Vec<OwnedCall>,
    seen: BTreeSet<Key>,
}

/// What calls came to that were tried.
#[derive(Default)]
struct Tried {
    difference: Option<Difference>,
    seen: BTreeSet<Key>,
}

impl Tried {
    fn shows(&self, kind: Option<Differing>) -> bool {
        self.difference.as_ref().is_some_and(|difference| is_of(kind, difference))
    }
}
