//! The live equivalence check: a share of the committed batches is executed once more, by the oracle, and everything is compared.
//!
//! ```text
//! commit ─▶ waiting batches ─▶ the check's thread: of its heights   execute in the oracle, compare ─ equal ─▶ next
//!           (bounded)                              of all others    apply the write set             └ differs ─▶ stop,
//!                                                                                                     cut down, hand over
//! ```
//!
//! The oracle has a state of its own, fed by the write sets of the batches that it does not execute, so it never looks at the
//! engine's tables. It finds a fault in the batch that it checks; what a batch that is not checked did wrong becomes its state
//! too, and shows only where a later write contradicts it.
//!
//! # What it costs
//!
//! - **Memory**: the whole state once more, in a `BTreeMap`; code that checked batches called, compiled once more; and up to
//!   [`UNCHECKED_BATCHES_MAX`] batches with their results.
//! - **Time**: a core beside the workers. A checked call gets a fresh instance there. When [`UNCHECKED_BATCHES_MAX`] batches wait,
//!   [`Engine::commit`](crate::Engine::commit) blocks until one is done: so the share that is checked bounds the engine's rate where no core is free enough.
//!
//! # When it stops
//!
//! The next call into the engine that executes or commits waits until the reproducer is made (what is tried for that is bounded,
//! [`reduce`]; dropping the engine ends it), and answers
//! [`EngineError::NotSerial`]; so do all after it. Reading goes on. By then the batch that differs is committed, and so may be some behind it
//! (at most [`UNCHECKED_BATCHES_MAX`] and those on their way); a log has them, with the digests that the engine gave them.

mod difference;
mod follower;
mod reduce;
mod reproducer;
mod state_setter;

pub use difference::{Difference, Differing};
pub use reproducer::Reproducer;

use crate::batch::Batch;
use crate::engine::Options;
use crate::error::EngineError;
use crate::finish::Pending;
use crate::fs::FileSystem;
use crate::limits::UNCHECKED_BATCHES_MAX;
use crate::mode::ModeChosen;
use crate::threads;
use follower::Follower;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

/// Which committed batches are executed once more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EquivalenceCheck {
    percent: u8,
}

impl EquivalenceCheck {
    /// Checks this share of the batches; `None` unless it is from 1 to 100.
    pub fn of_percent(percent: u8) -> Option<Self> {
        (1..=100).contains(&percent).then_some(Self { percent })
    }

    /// The share in percent.
    pub fn percent(self) -> u8 {
        self.percent
    }

    /// Whether the batch of a height is checked: height 1, and from there on the share, spread evenly. Nothing but the height
    /// decides.
    pub fn covers(self, height: u64) -> bool {
        let up_to = |height: u64| (u128::from(height) * u128::from(self.percent)).div_ceil(100);
        height > 0 && up_to(height) > up_to(height - 1)
    }
}

/// How far the live check is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct EquivalenceStatistics {
    /// Batches that were executed once more, and came to the same.
    pub checked_batches: u64,
    /// Their calls.
    pub checked_calls: u64,
    /// Batches whose write sets were taken over.
    pub followed_batches: u64,
    /// Committed batches that still wait for one or the other.
    pub waiting_batches: u64,
}

/// A batch did not come to what it comes to serially: a fault of the engine's.
#[derive(Clone, Debug)]
pub struct NotSerial {
    /// The first difference that was found.
    pub difference: Difference,
    /// What shows it once more.
    pub reproducer: Reproducer,
}

impl NotSerial {
    /// Writes the reproducer into a folder of its own in `parent`, which is made if it is not there, and answers that folder.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_reproducer(&self, fs: &dyn FileSystem, parent: &Path) -> io::Result<PathBuf> {
        self.reproducer.write_new(fs, parent, self.difference.height)
    }

    /// What to do with a reproducer that was written into a folder.
    pub fn advice(&self, folder: &Path) -> String {
        let (folder, calls) = (folder.display(), self.reproducer.calls());
        match self.reproducer.difference() {
            Some(_) => format!("{calls} calls show it once more: cd {folder} && {}", self.reproducer.command()),
            None => format!(
                "the batch's calls are in {folder}; executed alone, they did not differ: it depends on timing or on what came before"
            ),
        }
    }
}

impl fmt::Display for NotSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.difference)
    }
}

/// A committed batch.
pub(crate) struct Committed {
    pub(crate) batch: Batch,
    pub(crate) pending: Arc<Pending>,
    pub(crate) mode: ModeChosen,
}

/// Why the engine stops.
#[derive(Clone)]
enum Verdict {
    NotSerial(Arc<NotSerial>),
    /// The check itself failed.
    Fault(String),
}

impl From<Verdict> for EngineError {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::NotSerial(found) => EngineError::NotSerial(found),
            Verdict::Fault(fault) => EngineError::Stopped(format!("the equivalence check failed: {fault}")),
        }
    }
}

/// The check's thread, and what leads to it. It ends when this is dropped; what waits then is not checked.
pub(crate) struct LiveCheck {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Told of every change of the queue.
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Committed>,
    /// A batch was taken out and is not done.
    busy: bool,
    /// A batch differs: whoever asks waits for the verdict.
    stopping: bool,
    verdict: Option<Verdict>,
    closed: bool,
    statistics: EquivalenceStatistics,
}

impl LiveCheck {
    pub(crate) fn start(check: EquivalenceCheck, options: Options) -> Self {
        let shared = Arc::new(Shared::default());
        let thread = threads::checker({
            let shared = Arc::clone(&shared);
            move || Checker { check, options, shared, follower: Follower::new() }.serve()
        });
        Self { shared, thread: Some(thread) }
    }

    /// Whether the engine may go on.
    pub(crate) fn may_go_on(&self) -> Result<(), EngineError> {
        let mut queue = self.shared.queue.lock();
        self.shared.settle(&mut queue)
    }

    /// The same, and waits until there is room for a batch.
    pub(crate) fn wait_for_room(&self) -> Result<(), EngineError> {
        let mut queue = self.shared.queue.lock();
        while !queue.stopping && queue.verdict.is_none() && queue.waiting.len() >= UNCHECKED_BATCHES_MAX {
            self.shared.changed.wait(&mut queue);
        }
        self.shared.settle(&mut queue)
    }

    /// Takes a committed batch. Batches come in the order of their heights.
    pub(crate) fn push(&self, committed: Committed) {
        self.shared.queue.lock().waiting.push_back(committed);
        self.shared.changed.notify_all();
    }

    /// Waits until nothing waits for the check.
    pub(crate) fn wait_idle(&self) -> Result<(), EngineError> {
        let mut queue = self.shared.queue.lock();
        while !queue.stopping && queue.verdict.is_none() && (queue.busy || !queue.waiting.is_empty()) {
            self.shared.changed.wait(&mut queue);
        }
        self.shared.settle(&mut queue)
    }

    pub(crate) fn statistics(&self) -> EquivalenceStatistics {
        let queue = self.shared.queue.lock();
        let waiting_batches = queue.waiting.len() as u64 + u64::from(queue.busy);
        EquivalenceStatistics { waiting_batches, ..queue.statistics }
    }
}

impl Drop for LiveCheck {
    fn drop(&mut self) {
        self.shared.queue.lock().closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It catches what unwinds.
            _ = thread.join();
        }
    }
}

impl Shared {
    fn settle(&self, queue: &mut MutexGuard<'_, Queue>) -> Result<(), EngineError> {
        while queue.stopping && queue.verdict.is_none() {
            self.changed.wait(queue);
        }
        queue.verdict.clone().map_or(Ok(()), |verdict| Err(verdict.into()))
    }

    fn stop(&self, verdict: Verdict) {
        let mut queue = self.queue.lock();
        queue.verdict = Some(verdict);
        queue.busy = false;
        // Their results take memory that nobody needs any more.
        queue.waiting.clear();
        self.changed.notify_all();
    }
}

/// What the check's thread has.
struct Checker {
    check: EquivalenceCheck,
    options: Options,
    shared: Arc<Shared>,
    follower: Follower,
}

impl Checker {
    fn serve(mut self) {
        while let Some(committed) = self.next() {
            let done = catch_unwind(AssertUnwindSafe(|| self.take(&committed)));
            let verdict = match done {
                Ok(Ok(None)) => continue,
                Ok(Ok(Some(found))) => Verdict::NotSerial(Arc::new(found)),
                Ok(Err(error)) => Verdict::Fault(error.to_string()),
                Err(_) => Verdict::Fault(format!("it panicked at height {}", committed.batch.height())),
            };
            return self.shared.stop(verdict);
        }
    }

    fn next(&self) -> Option<Committed> {
        let mut queue = self.shared.queue.lock();
        queue.busy = false;
        self.shared.changed.notify_all();
        loop {
            if queue.closed {
                return None;
            }
            if let Some(committed) = queue.waiting.pop_front() {
                queue.busy = true;
                return Some(committed);
            }
            self.shared.changed.wait(&mut queue);
        }
    }

    fn take(&mut self, Committed { batch, pending, mode }: &Committed) -> Result<Option<NotSerial>, EngineError> {
        let finished = pending.wait();
        if !self.check.covers(batch.height()) {
            self.follower.follow(batch, finished);
            self.shared.queue.lock().statistics.followed_batches += 1;
            return Ok(None);
        }
        let Some(difference) = self.follower.check(batch, finished)? else {
            let statistics = &mut self.shared.queue.lock().statistics;
            statistics.checked_batches += 1;
            statistics.checked_calls += batch.len() as u64;
            return Ok(None);
        };
        self.shared.queue.lock().stopping = true;
        let (seen, all) = self.follower.undo();
        let options = Options { equivalence: None, clock: None, explain: false, ..self.options };
        let closed = || self.shared.queue.lock().closed;
        let found = reduce::Found { batch, what: difference.what, seen: &seen, all: &all, modes: mode.modes() };
        let reproducer = reduce::reproduce(&self.follower, &found, options, &closed);
        Ok(Some(NotSerial { difference, reproducer }))
    }
}

#[cfg(test)]
mod tests {
    use super::{Committed, EquivalenceCheck, LiveCheck, UNCHECKED_BATCHES_MAX};
    use crate::batch::{Batch, BatchBuilder};
    use crate::engine::Options;
    use crate::finish::Pending;
    use crate::mode::ModeChosen;
    use phalanx_scheduler::Mode;
    use std::sync::Arc;
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::time::Duration;

    #[test]
    fn commits_wait_while_the_check_has_all_that_it_may() {
        let check = LiveCheck::start(EquivalenceCheck::of_percent(100).expect("it is one"), Options::default());
        let batch = Batch::decode(BatchBuilder::new(1, 0).finish()).expect("it was built");
        // A batch whose end does not come: the check waits for it.
        let pending = Arc::<Pending>::default();
        // One is taken, the others wait.
        for _ in 0..=UNCHECKED_BATCHES_MAX {
            check.wait_for_room().expect("nothing has differed");
            let mode = ModeChosen { scheduled: Mode::Serial, reason: "asked for" };
            check.push(Committed { batch: batch.clone(), pending: Arc::clone(&pending), mode });
        }
        while check.statistics().waiting_batches <= UNCHECKED_BATCHES_MAX as u64 {
            std::thread::yield_now();
        }
        std::thread::scope(|scope| {
            let (told, tells) = channel();
            let check = &check;
            scope.spawn(move || told.send(check.wait_for_room().is_err()));
            assert_eq!(
                tells.recv_timeout(Duration::from_millis(50)),
                Err(RecvTimeoutError::Timeout),
                "there is no room"
            );
            pending.set(Err("the end has failed".to_owned()));
            assert_eq!(tells.recv(), Ok(true), "the check has failed with it");
        });
    }

    #[test]
    fn the_share_is_covered_evenly_and_height_one_always() {
        assert_eq!((EquivalenceCheck::of_percent(0), EquivalenceCheck::of_percent(101)), (None, None));
        for percent in 1..=100 {
            let check = EquivalenceCheck::of_percent(percent).expect("from 1 to 100");
            assert!(check.covers(1) && !check.covers(0));
            for first in [1, 7, 1_000_001, u64::MAX - 99] {
                let covered = (first..=first + 99).filter(|height| check.covers(*height)).count();
                assert_eq!(covered, usize::from(percent), "from {first} on");
            }
            let every = 100 / u64::from(percent);
            let covered: Vec<u64> = (1..1_000).filter(|height| check.covers(*height)).collect();
            assert!(covered.windows(2).all(|pair| (every..=every + 1).contains(&(pair[1] - pair[0]))));
        }
    }
}
