//! The thread that appends receipts to their segments, so that no batch waits for it.
//!
//! A batch's results may still be on their way when the next batch executes, and a busy disk holds a write back for as long as
//! it likes, the sync at a segment's end longest. None of it holds up execution or acknowledgements. Who looks a height up
//! waits until the thread has passed it. What waits is bounded; past the bound whoever executes waits too.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::ReceiptSegments;
use crate::finish::{Finished, Pending};
use crate::log::error::LogError;
use crate::receipt::Receipts;
use crate::write_set::WriteSet;

/// Heights that may wait.
const WAITING_MAX: usize = 256;
/// Bytes of results that may wait, beyond one height.
const WAITING_BYTES_MAX: usize = 128 << 20;

/// Keeps the receipts of a logged engine.
pub(crate) struct ReceiptKeeper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    segments: ReceiptSegments,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    /// In order of heights. The first stays until it is kept.
    waiting: VecDeque<(u64, Arc<Pending>)>,
    /// What failed; then nothing is kept any more.
    failed: Option<Arc<LogError>>,
    ends: bool,
}

impl ReceiptKeeper {
    /// Starts the thread.
    pub(crate) fn start(segments: ReceiptSegments) -> Self {
        let shared = Arc::new(Shared { segments, queue: Mutex::default(), changed: Condvar::new() });
        let thread = crate::threads::receipts({
            let shared = Arc::clone(&shared);
            move || shared.serve()
        });
        Self { shared, thread: Some(thread) }
    }

    /// Refuses if an earlier height could not be kept.
    ///
    /// # Errors
    /// [`LogError::Stopped`]
    pub(crate) fn may_go_on(&self) -> Result<(), LogError> {
        self.shared.when(|_| true).map(drop)
    }

    /// Has a height's receipts kept, when they are there. Waits while too much does.
    ///
    /// # Errors
    /// [`LogError::Stopped`] if an earlier height could not be kept.
    pub(crate) fn keep(&self, height: u64, pending: Arc<Pending>) -> Result<(), LogError> {
        let mut queue = self.shared.when(|queue| queue.has_room())?;
        queue.waiting.push_back((height, pending));
        self.shared.changed.notify_all();
        Ok(())
    }

    /// The segments, when they hold all heights up to this one that were given to be kept.
    ///
    /// # Errors
    /// [`LogError::Stopped`] if one of them could not be kept.
    pub(crate) fn segments(&self, height: u64) -> Result<&ReceiptSegments, LogError> {
        drop(self.shared.when(|queue| queue.waiting.front().is_none_or(|(waiting, _)| *waiting > height))?);
        Ok(&self.shared.segments)
    }

    /// Heights that are kept by now.
    pub(crate) fn heights(&self) -> Option<RangeInclusive<u64>> {
        self.shared.segments.heights()
    }

    /// Keeps all that was given and makes it durable.
    ///
    /// # Errors
    /// [`LogError`]
    pub(crate) fn close(mut self) -> Result<(), LogError> {
        let done = self.segments(u64::MAX).and_then(ReceiptSegments::sync);
        self.end();
        done
    }

    fn end(&mut self) {
        self.shared.queue.lock().ends = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It catches what unwinds.
            _ = thread.join();
        }
    }
}

impl Drop for ReceiptKeeper {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    /// Waits until the queue is as asked for.
    fn when(&self, is_so: impl Fn(&Queue) -> bool) -> Result<MutexGuard<'_, Queue>, LogError> {
        let mut queue = self.queue.lock();
        loop {
            if let Some(error) = &queue.failed {
                return Err(LogError::Stopped(Arc::clone(error)));
            }
            if is_so(&queue) {
                return Ok(queue);
            }
            self.changed.wait(&mut queue);
        }
    }

    fn serve(&self) {
        while let Some((height, pending)) = self.next() {
            let kept = catch_unwind(AssertUnwindSafe(|| self.keep(height, pending.wait())));
            let mut queue = self.queue.lock();
            match kept.unwrap_or(Err(LogError::Panicked)) {
                Ok(()) => _ = queue.waiting.pop_front(),
                Err(error) => queue.failed = Some(Arc::new(error)),
            }
            self.changed.notify_all();
        }
    }

    /// The height that comes next; `None` at the end.
    fn next(&self) -> Option<(u64, Arc<Pending>)> {
        let mut queue = self.queue.lock();
        loop {
            if queue.failed.is_some() {
                return None;
            }
            match queue.waiting.front() {
                Some((height, pending)) => return Some((*height, Arc::clone(pending))),
                None if queue.ends => return None,
                None => self.changed.wait(&mut queue),
            }
        }
    }

    /// Appends a height, unless it is there already, as it should be.
    fn keep(&self, height: u64, finished: &Finished) -> Result<(), LogError> {
        let (receipts, writes) = (&*finished.receipts, &*finished.writes);
        match self.segments.receipts(height) {
            Ok(Some(kept)) if is_same(&kept, receipts, writes) => return Ok(()),
            // Missing, damaged, or of another history; or above all that is there, and then nothing is cut.
            Ok(_) | Err(LogError::Damaged(_)) => self.segments.truncate_from(height)?,
            Err(error) => return Err(error),
        }
        self.segments.append_pieces(height, receipts, writes)?;
        self.segments.settle()
    }
}

fn is_same(kept: &(Vec<u8>, Vec<u8>), receipts: &[Vec<u8>], writes: &[Vec<u8>]) -> bool {
    *kept.0 == *Receipts::of_pieces(receipts).bytes() && *kept.1 == *WriteSet::of_pieces(writes).bytes()
}

impl Queue {
    fn has_room(&self) -> bool {
        let bytes = |(_, pending): &(u64, Arc<Pending>)| pending.finished().map_or(0, Finished::bytes);
        self.waiting.len() < WAITING_MAX
            && (self.waiting.len() < 2 || self.waiting.iter().map(bytes).sum::<usize>() < WAITING_BYTES_MAX)
    }
}
