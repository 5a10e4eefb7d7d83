//! What callers and the log thread share: records handed over, and how far they got.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex};

use super::chain::Chain;
use super::error::LogError;
use super::places::Places;
use super::record::Position;
use super::writer::Append;

/// How the log thread is asked to end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Write what was handed over, then a Close record.
    Close,
    /// Write what was handed over.
    Stop,
}

pub(crate) struct Queue {
    state: Mutex<State>,
    /// Told when there is work, or the end, for the thread.
    work: Condvar,
    /// Told when the durable height grew, room was made or the log stopped.
    progress: Condvar,
    /// Position up to which records are durable. Release on store, acquire on load: who reads a position reads bytes
    /// that were written before it was stored.
    durable_end: AtomicU64,
    /// Places before it, where reading can begin.
    places: Places,
}

struct State {
    pending: Vec<Append>,
    /// Heights as handed over; its hashes aren't kept here.
    chain: Chain,
    durable_height: u64,
    unsynced_batches_max: u64,
    /// Whether the thread writes ahead, or still wants to.
    writing_ahead: bool,
    end: Option<End>,
    failure: Option<Arc<LogError>>,
}

impl State {
    fn check(&self) -> Result<(), LogError> {
        self.failure.as_ref().map_or(Ok(()), |cause| Err(LogError::Stopped(cause.clone())))
    }
}

/// What the thread does next.
pub(crate) enum Work {
    Write(Vec<Append>),
    WriteAhead,
    End(End),
}

impl Queue {
    pub(crate) fn new(chain: Chain, unsynced_batches_max: u64, durable_end: Position) -> Queue {
        let durable_height = chain.last_input;
        let state = State {
            pending: Vec::new(),
            chain,
            durable_height,
            unsynced_batches_max,
            writing_ahead: true,
            end: None,
            failure: None,
        };
        Queue {
            state: Mutex::new(state),
            work: Condvar::new(),
            progress: Condvar::new(),
            durable_end: AtomicU64::new(durable_end.0),
            places: Places::default(),
        }
    }

    /// Hands an Input over once fewer than the allowed number of batches are un-synced.
    pub(crate) fn push_input(&self, height: u64, record: Append) -> Result<(), LogError> {
        let mut state = self.state.lock();
        state.check()?;
        state.chain.follows_input(height)?;
        while state.chain.last_input - state.durable_height >= state.unsynced_batches_max {
            self.progress.wait(&mut state);
            state.check()?;
            state.chain.follows_input(height)?;
        }
        state.chain.last_input = height;
        state.pending.push(record);
        self.work.notify_one();
        Ok(())
    }

    /// Hands another record over, if `admit` finds that it follows; `admit` takes it into the chain.
    pub(crate) fn push(
        &self,
        admit: impl FnOnce(&mut Chain) -> Result<(), LogError>,
        record: Append,
    ) -> Result<(), LogError> {
        let mut state = self.state.lock();
        state.check()?;
        admit(&mut state.chain)?;
        state.pending.push(record);
        self.work.notify_one();
        Ok(())
    }

    pub(crate) fn wait_durable(&self, height: u64) -> Result<(), LogError> {
        let mut state = self.state.lock();
        while state.durable_height < height {
            state.check()?;
            if height > state.chain.last_input {
                let expected = state.chain.last_input;
                return Err(LogError::OutOfOrder { what: "height waited for", expected, actual: height });
            }
            self.progress.wait(&mut state);
        }
        Ok(())
    }

    pub(crate) fn wait_written_ahead(&self) -> Result<(), LogError> {
        let mut state = self.state.lock();
        while state.writing_ahead {
            state.check()?;
            self.progress.wait(&mut state);
        }
        state.check()
    }

    pub(crate) fn durable_height(&self) -> u64 {
        self.state.lock().durable_height
    }

    pub(crate) fn failure(&self) -> Result<(), LogError> {
        self.state.lock().check()
    }

    pub(crate) fn end(&self, end: End) {
        self.state.lock().end = Some(end);
        self.work.notify_one();
    }

    /// The thread's side: waits for work. `ahead_wanted` says whether zeros are to be written while there is none.
    pub(crate) fn take(&self, ahead_wanted: bool) -> Work {
        let mut state = self.state.lock();
        loop {
            if !state.pending.is_empty() {
                return Work::Write(std::mem::take(&mut state.pending));
            }
            if let Some(end) = state.end {
                return Work::End(end);
            }
            state.writing_ahead = ahead_wanted;
            if ahead_wanted {
                return Work::WriteAhead;
            }
            self.progress.notify_all();
            self.work.wait(&mut state);
        }
    }

    /// The thread's side: everything before `end`, and all Inputs up to `height` if some were among it, are as durable as
    /// the log makes them.
    pub(crate) fn advance(&self, height: Option<u64>, end: Position) {
        self.durable_end.store(end.0, Ordering::Release);
        let mut state = self.state.lock();
        state.durable_height = height.unwrap_or(state.durable_height);
        drop(state);
        self.progress.notify_all();
    }

    /// Position before which all records may be read.
    pub(crate) fn durable_end(&self) -> Position {
        Position(self.durable_end.load(Ordering::Acquire))
    }

    /// Places where reading can begin.
    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    /// The thread's side: nothing goes on.
    pub(crate) fn fail(&self, error: LogError) {
        self.state.lock().failure = Some(Arc::new(error));
        self.progress.notify_all();
    }
}
