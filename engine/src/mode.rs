//! How a batch is spread over the workers: what was asked for, and what is chosen while running.
//!
//! Parallel execution pays while few calls have to be executed again. Where that share is high, executing in order and leaving
//! the hashing to the other workers costs less; with one worker, or for a handful of calls, plain serial execution does.
//! The choice never shows in a result.

use phalanx_scheduler::{AGAIN_SHARE_MAX, Mode as Scheduled, Statistics};

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
    /// In parallel, calls of the same keys one after another. Which keys a method's calls touch is learned from its first ones; calls of
    /// which that is not known are executed in order.
    ///
    /// Workers wait for one another, so each needs a core of its own: where other threads take their turns on the same cores, all
    /// wait for the one that is interrupted. That is why [`Mode::Auto`] does not choose it.
    Hinted,
}

/// How a batch was executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ModeChosen {
    pub(crate) scheduled: Scheduled,
    /// Why so, for people.
    pub reason: &'static str,
}

impl ModeChosen {
    /// Whether hashing and listing are left to another thread.
    pub(crate) fn is_pipe(&self) -> bool {
        self.scheduled == Scheduled::Pipe
    }

    /// Modes that execute as was chosen, or may. A try, whose first round decides for the rest, is what `Auto` does with its first
    /// batch if that is long enough; what went wrong in the round shows with fewer calls.
    pub(crate) fn modes(&self) -> &'static [Mode] {
        match self.scheduled {
            Scheduled::Serial => &[Mode::Serial],
            Scheduled::Pipe => &[Mode::Pipe],
            Scheduled::Optimistic { round, probe } if probe < round => &[Mode::Optimistic, Mode::Auto],
            Scheduled::Optimistic { .. } => &[Mode::Optimistic],
            Scheduled::Hinted { .. } => &[Mode::Hinted],
        }
    }

    /// The mode's name: `serial`, `pipe`, `optimistic` or `hinted`.
    pub fn name(&self) -> &'static str {
        match self.scheduled {
            Scheduled::Serial => "serial",
            Scheduled::Pipe => "pipe",
            Scheduled::Optimistic { .. } => "optimistic",
            Scheduled::Hinted { .. } => "hinted",
        }
    }
}

/// Calls of a round. Longer rounds fall out of the caches and have more conflicts, shorter ones pay more for their borders.
const ROUND_CALLS: u32 = 16_384;

/// The same, of rounds whose calls have declared their keys.
const HINTED_ROUND_CALLS: u32 = 8_192;

/// Calls of the round with which parallel execution is tried again, after it has cost more than it saved.
const PROBE_CALLS: u32 = 1_024;

/// Batches below this are executed in order: waking workers takes as long.
const PARALLEL_CALLS_MIN: usize = 512;

/// Batches in order before parallel execution is tried again. A try costs a few hundredths of a batch each of them.
const PATIENCE: u32 = 6;

const FEW_AGAIN: &str = "few calls have to be executed again";
const TRIED: &str = "parallel execution is tried: the first round of the batch decides";
const MANY_AGAIN: &str = "too many calls of earlier batches had to be executed again";

/// Chooses a mode for each batch.
pub(crate) struct Chooser {
    mode: Mode,
    workers: usize,
    /// Batches to be executed in order before the next try; `None` while parallel execution pays.
    wait: Option<u32>,
}

impl Chooser {
    pub(crate) fn new(mode: Mode, workers: usize) -> Self {
        // The first batch is a try, too.
        Self { mode, workers, wait: Some(0) }
    }

    pub(crate) fn choose(&self, calls: usize) -> ModeChosen {
        let rounds = Scheduled::Optimistic { round: ROUND_CALLS, probe: ROUND_CALLS };
        let tried = Scheduled::Optimistic { round: ROUND_CALLS, probe: PROBE_CALLS };
        let (scheduled, reason) = match self.mode {
            Mode::Serial => (Scheduled::Serial, "asked for"),
            Mode::Pipe if self.workers == 1 => (Scheduled::Serial, "there is one worker"),
            Mode::Pipe => (Scheduled::Pipe, "asked for"),
            Mode::Optimistic => (rounds, "asked for"),
            Mode::Hinted => (Scheduled::Hinted { round: HINTED_ROUND_CALLS }, "asked for"),
            Mode::Auto if self.workers == 1 => (Scheduled::Serial, "there is one worker"),
            Mode::Auto if calls < PARALLEL_CALLS_MIN => (Scheduled::Serial, "the batch is short"),
            Mode::Auto => match self.wait {
                None => (rounds, FEW_AGAIN),
                Some(0) => (tried, TRIED),
                Some(_) => (Scheduled::Pipe, MANY_AGAIN),
            },
        };
        ModeChosen { scheduled, reason }
    }

    /// Learns from a batch.
    pub(crate) fn note(&mut self, chosen: &ModeChosen, calls: usize, statistics: &Statistics) {
        match chosen.scheduled {
            Scheduled::Serial | Scheduled::Hinted { .. } => {}
            Scheduled::Pipe => self.wait = self.wait.map(|wait| wait.saturating_sub(1)),
            Scheduled::Optimistic { .. } => {
                let again = (statistics.repaired_calls + statistics.suffix_calls) as f64;
                // Of a try that failed the rest was executed in order.
                let tried = statistics.optimistic_calls.min(calls as u64) as f64;
                self.wait = (again > tried * AGAIN_SHARE_MAX).then_some(PATIENCE);
            }
        }
    }
}
