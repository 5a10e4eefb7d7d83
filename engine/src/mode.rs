//! How a batch is spread over the workers: what was asked for, and what is chosen while running.
//!
//! Parallel execution pays while few calls have to be executed again. Where that share is high, executing in order and leaving
//! the hashing to the other workers costs less; with one worker, or for a handful of calls, plain serial execution does.
//! The choice never shows in a result.

use phalanx_scheduler::{Mode as Scheduled, Statistics};

/// How batches are executed. Results never depend on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// The engine chooses for each batch, by what the ones before it came to. The default.
    #[default]
    Auto,
    /// In order, on one worker.
    Serial,
    /// In order, on one worker; the others hash and encode what it leaves.
    Pipe,
    /// In parallel against the state before, checked and repaired.
    Optimistic,
}

/// How a batch was executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ModeChosen {
    pub(crate) scheduled: Scheduled,
    /// Why so, for people.
    pub reason: &'static str,
}

impl ModeChosen {
    /// The mode's name: `serial`, `pipe` or `optimistic`.
    pub fn name(&self) -> &'static str {
        match self.scheduled {
            Scheduled::Serial => "serial",
            Scheduled::Pipe => "pipe",
            Scheduled::Optimistic { .. } => "optimistic",
        }
    }
}

/// Calls of a round. Longer rounds fall out of the caches and have more conflicts, shorter ones pay more for their borders.
const ROUND_CALLS: u32 = 16_384;

/// Batches below this are executed in order: waking workers takes as long.
const PARALLEL_CALLS_MIN: usize = 512;

/// Share of calls that were executed again, above which executing in order is cheaper, and below which it is tried again.
const AGAIN_SHARE_MAX: f64 = 0.10;

/// Batches in order before parallel execution is tried again, at first and at most; it doubles with each failure.
const PATIENCE_MIN: u32 = 4;
const PATIENCE_MAX: u32 = 64;

/// Chooses a mode for each batch.
pub(crate) struct Chooser {
    mode: Mode,
    workers: usize,
    /// Batches to be executed in order before the next try.
    wait: u32,
    patience: u32,
}

impl Chooser {
    pub(crate) fn new(mode: Mode, workers: usize) -> Self {
        Self { mode, workers, wait: 0, patience: PATIENCE_MIN }
    }

    pub(crate) fn choose(&self, calls: usize) -> ModeChosen {
        let optimistic = Scheduled::Optimistic { round: ROUND_CALLS };
        let (scheduled, reason) = match self.mode {
            Mode::Serial => (Scheduled::Serial, "asked for"),
            Mode::Pipe => (Scheduled::Pipe, "asked for"),
            Mode::Optimistic => (optimistic, "asked for"),
            Mode::Auto if self.workers == 1 => (Scheduled::Serial, "there is one worker"),
            Mode::Auto if calls < PARALLEL_CALLS_MIN => (Scheduled::Serial, "the batch is short"),
            Mode::Auto if self.wait > 0 => {
                (Scheduled::Pipe, "too many calls of earlier batches had to be executed again")
            }
            Mode::Auto => (optimistic, "few calls have to be executed again"),
        };
        ModeChosen { scheduled, reason }
    }

    /// Learns from a batch.
    pub(crate) fn note(&mut self, chosen: &ModeChosen, calls: usize, statistics: &Statistics) {
        match chosen.scheduled {
            Scheduled::Serial => {}
            Scheduled::Pipe => self.wait = self.wait.saturating_sub(1),
            Scheduled::Optimistic { .. } => {
                let again = (statistics.repaired_calls + statistics.suffix_calls) as f64;
                if again > calls as f64 * AGAIN_SHARE_MAX {
                    self.wait = self.patience;
                    self.patience = (2 * self.patience).min(PATIENCE_MAX);
                } else {
                    self.patience = PATIENCE_MIN;
                }
            }
        }
    }
}
