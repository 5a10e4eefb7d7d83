//! Cuts a batch that differed down to the calls without which it does not.

use super::difference::{Difference, Differing};
use super::follower::Follower;
use super::reproducer::{OwnedCall, Reproducer, Step, cut};
use crate::batch::{Batch, BatchBytes};
use crate::engine::{Engine, Executed, Options};
use crate::error::EngineError;
use crate::oracle::{Key, Oracle};
use phalanx_scheduler::HashSeed;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls that are executed at most to cut a batch down, in units of the batch. Halving takes two or three, single calls that lie
/// far apart some dozens; the engine has stopped meanwhile, and a call costs the oracle some 20 µs.
const WORK_MAX: usize = 64;
/// And at least, for short batches.
const WORK_MIN: usize = 20_000;

/// Hash seeds that are tried: which owner a key has may decide whether a fault shows.
const SEEDS: u64 = 8;

/// Makes the reproducer of a batch that differed, from the state before it and the keys that it looked at and wrote.
pub(super) fn reproduce(
    follower: &Follower,
    batch: &Batch,
    what: Differing,
    (seen, all): (&BTreeSet<Key>, &BTreeSet<Key>),
    options: Options,
) -> Reproducer {
    let calls: Vec<OwnedCall> = (0..batch.len())
        .map(|index| batch.call(index))
        .map(|call| OwnedCall::of(&call, batch.target_of(&call)))
        .collect();
    let reproducer = |steps, hash_seed, difference| {
        let Options { mode, workers, .. } = options;
        Reproducer { steps, mode, workers, hash_seed, difference }
    };
    // The same kind of difference if it can be had, else another. An engine with a fault may look at keys that nobody should
    // look at; those that are written are likely.
    for kind in [Some(what), None] {
        for (hash_seed, keys) in (0..SEEDS).flat_map(|seed| [(seed, seen), (seed, all)]) {
            let options = Options { hash_seed: HashSeed::Fixed(hash_seed), ..options };
            // An engine with a fault may panic on some of the calls; that says nothing of the others.
            let tried = catch_unwind(AssertUnwindSafe(|| attempt(follower, &calls, keys, kind, options)));
            if let Ok(Ok(Some((steps, difference)))) = tried {
                return reproducer(steps, hash_seed, Some(difference));
            }
        }
    }
    let steps = follower.set_up(&calls, all);
    reproducer(steps.into_iter().chain(calls.into_iter().map(Step::Call)).collect(), 0, None)
}

/// Steps that show a difference of the kind, whatever it is for `None`, with as few of the calls as are needed.
fn attempt(
    follower: &Follower,
    calls: &[OwnedCall],
    keys: &BTreeSet<Key>,
    kind: Option<Differing>,
    options: Options,
) -> Result<Option<(Vec<Step>, Difference)>, EngineError> {
    let steps = follower.set_up(calls, keys);
    let mut scene = match Scene::set_up(&steps, options)? {
        Ready::Scene(scene) => scene,
        Ready::Differs { end, difference } => {
            return Ok(is_of(kind, &difference).then(|| (steps[..end].to_vec(), difference)));
        }
    };
    let Some(Reduced { calls, seen }) = scene.reduce(calls.to_vec(), kind)? else { return Ok(None) };
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
    fn reduce(&mut self, calls: Vec<OwnedCall>, kind: Option<Differing>) -> Result<Option<Reduced>, EngineError> {
        let mut work = (calls.len() * WORK_MAX).max(WORK_MIN);
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
            while at < left.len() && left.len() > 1 && work >= left.len() {
                let end = (at + piece).min(left.len());
                let fewer: Vec<OwnedCall> = left[..at].iter().chain(&left[end..]).cloned().collect();
                work -= left.len();
                let tried = if fewer.is_empty() { Tried::default() } else { self.try_calls(&fewer)? };
                match tried.shows(kind) {
                    true => (left, seen) = (fewer, tried.seen),
                    false => at = end,
                }
            }
            match piece {
                // A call that could not go at first may have been needed by one that is gone.
                1 if left.len() == before || work < left.len() => return Ok(Some(Reduced { calls: left, seen })),
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
