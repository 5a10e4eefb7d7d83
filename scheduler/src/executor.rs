//! The one seam that turns back: what the scheduler asks of the engine.

use crate::hash::KeyHasher;
use crate::key::{CallIndex, ContractIndex};
use crate::run::RunLog;
use crate::state::PrefetchHash;
use crate::view::View;
use core::ops::Range;

/// Whether a call's writes are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The call succeeded.
    Keep,
    /// It failed, in whatever way: nothing of it reaches the state.
    Drop,
}

/// Calls a run: what is hashed together, and what a worker takes at a time.
pub const RUN_CALLS: u32 = 256;

/// Runs calls, for one worker. The engine implements it with Wasm, the scheduler's tests with toy programs.
///
/// A call must depend on nothing but itself and what it sees through its view: it may be executed more than once.
pub trait Executor: Send {
    /// What a run of calls leaves besides its records: receipts, in the engine.
    type Run: Send + Sync;
    /// What every worker may read.
    type Shared: Sync;

    /// Begins a run, or a part of one, at `first`. Where calls are executed again, the part is some calls of a run, in order, with
    /// others between them.
    fn begin_run(&mut self, shared: &Self::Shared, first: CallIndex);

    /// Runs one call. What it reads and writes goes through `view`, which is handed over and back: a Wasm store owns
    /// its data, so a borrowed view could not be seen from host functions without unsafe code.
    fn execute(&mut self, shared: &Self::Shared, call: CallIndex, view: Box<View>) -> (Box<View>, Verdict);

    /// Pushes the hashes of keys that these calls will probably touch. Only ever a guess.
    fn predict(shared: &Self::Shared, calls: Range<u32>, hasher: &KeyHasher, hashes: &mut Vec<PrefetchHash>);

    /// How long the longest of these calls may take, in any measure; 0 if none takes longer than a run of ordinary ones. Only ever a guess, by
    /// which a round's long calls are begun first.
    fn longest(shared: &Self::Shared, calls: Range<u32>) -> u64;

    /// Hands each key that the call may touch to `key`, with its contract and whether the call may write it. `false`: it is not
    /// known which keys these are. Only ever a guess: a call that touches other keys is executed again, in order. Keys of ordered
    /// slots cannot be declared.
    fn declare(shared: &Self::Shared, call: CallIndex, key: impl FnMut(ContractIndex, &[u8], bool)) -> bool;

    /// Begins what the worker executes of a round at `first`, from which runs are gathered.
    fn begin_share(&mut self, shared: &Self::Shared, first: CallIndex);

    /// How much the calls since `begin_share` have left, in a measure that `gather` knows.
    fn left(&self) -> usize;

    /// Puts together what the calls of a run, or of its first part, left on several workers. `pieces`: for each call in order, whose of
    /// `runs` it is, and the part between what was left before it and after it.
    fn gather(
        shared: &Self::Shared,
        calls: Range<u32>,
        runs: &[&Self::Run],
        pieces: impl Iterator<Item = (usize, Range<usize>)>,
    ) -> Self::Run;

    /// A share that runs were gathered from is not needed any more.
    fn recycle(shared: &Self::Shared, run: Self::Run);

    /// What was begun ends before `next`.
    fn end_run(&mut self, shared: &Self::Shared, next: CallIndex) -> Self::Run;

    /// Puts what `calls` left this time, which is all of `by`, in the place of what they left before; calls that the run does
    /// not have yet come behind it. They are in order.
    fn splice(shared: &Self::Shared, run: &mut Self::Run, calls: &[CallIndex], by: Self::Run);

    /// Hashes what the calls left, unless that is done and nothing was spliced in since.
    fn seal(shared: &Self::Shared, run: &mut Self::Run);

    /// Lists the run's writes that are their keys' last ones in the batch.
    fn list_writes(shared: &Self::Shared, run: &mut Self::Run, log: &RunLog);

    /// Hashes the listed writes.
    fn seal_writes(shared: &Self::Shared, run: &mut Self::Run);
}
