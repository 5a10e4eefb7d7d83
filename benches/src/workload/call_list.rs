//! A workload as it is written down: a list of calls. Cutting it into batches is the same for all and happens here.
//!
//! ```text
//! height   1 …            …                  …
//!          deploys        calls that set up  measured calls
//!          as they fit    16,384 a batch     --batch-size a batch
//! ```

use super::deployments::Deployments;
use super::{Invariant, Shape, Workload};
use crate::BenchError;
use crate::baselines::Baselines;
use crate::progress::Progress;
use core::ops::Range;
use phalanx_engine::{BatchBuilder, BatchBytes, Digest, Engine};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Calls a batch while accounts are funded.
pub(super) const SET_UP_CALLS_A_BATCH: u64 = 16_384;

/// Deploys, calls that set up, and calls that are measured.
pub(super) trait CallList {
    /// The name on the command line.
    fn name(&self) -> &'static str;
    /// Which contract does what, in one sentence.
    fn describe(&self) -> String;
    /// The shape it was made with.
    fn shape(&self) -> &Shape;
    /// What is deployed first.
    fn deployments(&self) -> &Deployments;
    /// How many calls set up.
    fn set_up_calls(&self) -> u64;
    /// Appends the call of an index below [`CallList::set_up_calls`]. It must succeed.
    fn set_up(&self, index: u64, batch: &mut BatchBuilder) -> Result<(), BenchError>;
    /// Appends the measured call of an index below the shape's calls. What it draws comes from `random`, the rest from the index.
    fn measured(&self, index: u64, random: &mut ChaCha8Rng, batch: &mut BatchBuilder) -> Result<(), BenchError>;
    /// Checks the committed state.
    fn invariant(&self, engine: &Engine) -> Invariant;
    /// The same calls without Phalanx; `None` for calls that no baseline knows.
    fn baselines(&self, _progress: &dyn Progress) -> Result<Option<Baselines>, BenchError> {
        Ok(None)
    }
}

/// Numbers for what the measured calls of a height draw. Each height has a stream of its own, so that it can be made without
/// those before it.
pub(super) fn random(seed: u64, height: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(height);
    random
}

/// The measured batches up to a height that was reached, each as its height and the indices of its calls.
pub(super) fn measured_until<L: CallList>(list: &L, height: u64) -> impl Iterator<Item = (u64, Range<u64>)> + use<L> {
    let cut = Cut::of(list);
    (cut.set_up_batches() + 1..=height).map(move |height| (height, cut.measured(height)))
}

/// How a list is cut.
#[derive(Clone, Copy)]
struct Cut {
    contracts: u64,
    deploys_a_batch: u64,
    set_up_calls: u64,
    calls: u64,
    batch_size: u64,
}

impl Cut {
    fn of(list: &impl CallList) -> Self {
        Self {
            contracts: list.deployments().count(),
            deploys_a_batch: list.deployments().a_batch(),
            set_up_calls: list.set_up_calls(),
            calls: list.shape().calls,
            batch_size: list.shape().batch_size as u64,
        }
    }

    fn deploy_batches(&self) -> u64 {
        self.contracts.div_ceil(self.deploys_a_batch)
    }

    fn set_up_batches(&self) -> u64 {
        self.deploy_batches() + self.set_up_calls.div_ceil(SET_UP_CALLS_A_BATCH)
    }

    /// Contracts that a height deploys; none if it comes after the deploys.
    fn deploys(&self, height: u64) -> Range<u64> {
        part(height - 1, self.deploys_a_batch, self.contracts)
    }

    /// Calls of a height that comes after the deploys and sets up.
    fn set_up(&self, height: u64) -> Range<u64> {
        part(height - self.deploy_batches() - 1, SET_UP_CALLS_A_BATCH, self.set_up_calls)
    }

    /// Calls of a height that is measured.
    fn measured(&self, height: u64) -> Range<u64> {
        part(height - self.set_up_batches() - 1, self.batch_size, self.calls)
    }
}

/// Part `number` of the indices below `whole`, cut into parts of `size`.
fn part(number: u64, size: u64, whole: u64) -> Range<u64> {
    let start = number.saturating_mul(size).min(whole);
    start..start.saturating_add(size).min(whole)
}

impl<L: CallList> Workload for L {
    fn name(&self) -> &'static str {
        CallList::name(self)
    }

    fn describe(&self) -> String {
        CallList::describe(self)
    }

    fn set_up_batches(&self) -> u64 {
        Cut::of(self).set_up_batches()
    }

    fn measured_batches(&self) -> u64 {
        self.shape().calls.div_ceil(self.shape().batch_size as u64)
    }

    fn batch(&self, height: u64) -> Result<BatchBytes, BenchError> {
        let cut = Cut::of(self);
        let mut batch = BatchBuilder::new(height, 1_000 * height);
        if height <= cut.deploy_batches() {
            cut.deploys(height).try_for_each(|index| self.deployments().push(index, &mut batch))?;
        } else if height <= cut.set_up_batches() {
            cut.set_up(height).try_for_each(|index| self.set_up(index, &mut batch))?;
        } else {
            let mut random = random(self.shape().seed, height);
            cut.measured(height).try_for_each(|index| self.measured(index, &mut random, &mut batch))?;
        }
        Ok(batch.finish())
    }

    fn invariant(&self, engine: &Engine, _digests: &[Digest]) -> Invariant {
        CallList::invariant(self, engine)
    }

    fn baselines(&self, progress: &dyn Progress) -> Result<Option<Baselines>, BenchError> {
        CallList::baselines(self, progress)
    }
}

#[cfg(test)]
mod tests {
    use super::{Cut, SET_UP_CALLS_A_BATCH};

    #[test]
    fn every_call_is_in_one_batch_and_in_order() {
        let cut =
            Cut { contracts: 7, deploys_a_batch: 3, set_up_calls: SET_UP_CALLS_A_BATCH + 1, calls: 10, batch_size: 4 };
        assert_eq!((cut.deploy_batches(), cut.set_up_batches()), (3, 5));
        assert_eq!([1, 2, 3].map(|height| cut.deploys(height)), [0..3, 3..6, 6..7]);
        assert_eq!([4, 5].map(|height| cut.set_up(height)), [0..16_384, 16_384..16_385]);
        assert_eq!([6, 7, 8, 9].map(|height| cut.measured(height)), [0..4, 4..8, 8..10, 10..10]);
    }
}
