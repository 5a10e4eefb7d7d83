//! How a batch is spread over the workers: what was asked for, and what is chosen while running.
//!
//! Parallel execution pays while few calls have to be executed again. Where many have to, rounds are shorter; where even the shortest
//! have too many, executing in order and leaving the hashing to the other workers costs less; so it does with two workers while calls are
//! short. With one worker, or for a handful of calls, plain serial execution does.
//! The choice never shows in a result.

use phalanx_scheduler::{Mode as Scheduled, Rounds};

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
    /// In parallel against the state before, checked and repaired, in rounds that are long at first in each batch. Where short ones have
    /// too many conflicts too, the rest of the batch is executed in order.
    Optimistic,
    /// In parallel, calls of the same keys one after another. Which keys a call touches is said by
    /// [`AccessLists`](crate::AccessLists), or learned from the first calls of its method; calls of which it is not known are executed in
    /// order.
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

    /// Modes that execute as was chosen, or may. Short rounds are what `Auto` begins with in a batch that is long enough, behind a
    /// deploy, which uses much gas, with two workers too; what went wrong in a round shows with fewer calls.
    pub(crate) fn modes(&self) -> &'static [Mode] {
        match self.scheduled {
            Scheduled::Serial => &[Mode::Serial],
            Scheduled::Pipe => &[Mode::Pipe],
            Scheduled::Optimistic(rounds) if rounds.first < ROUNDS.first => &[Mode::Optimistic, Mode::Auto],
            Scheduled::Optimistic(_) => &[Mode::Optimistic],
            Scheduled::Hinted { .. } => &[Mode::Hinted],
        }
    }

    /// The mode's name: `serial`, `pipe`, `optimistic` or `hinted`.
    pub fn name(&self) -> &'static str {
        match self.scheduled {
            Scheduled::Serial => "serial",
            Scheduled::Pipe => "pipe",
            Scheduled::Optimistic(_) => "optimistic",
            Scheduled::Hinted { .. } => "hinted",
        }
    }
}

/// Calls of rounds. Longer ones fall out of the caches and have more conflicts, shorter ones pay more for their borders, and where a
/// round of the shortest ones has too many conflicts, executing in order costs less.
const ROUNDS: Rounds = Rounds { first: 16_384, least: 1_024, most: 16_384 };

/// Calls of a round that have declared their keys.
const HINTED_ROUND_CALLS: u32 = 8_192;

/// Batches below this are executed in order: waking workers takes as long.
const PARALLEL_CALLS_MIN: usize = 512;

/// Batches in order before parallel execution is tried again: the fewest, and the most, after tries that failed one after another. A
/// try that fails costs about half a batch.
const PATIENCE: [u32; 2] = [6, 24];

/// Gas that calls use on average, from which on two workers are better used in parallel: for less the second has enough to do with the
/// hashing and the log. The second value is for a process whose other threads need about a core, as a server's do.
const PARALLEL_GAS: [u64; 2] = [3_000, 10_000];

const CALLS_SHORT: &str =
    "calls are short, and there are two workers: hashing and logging them keeps the other core busy";
const FEW_AGAIN: &str = "few calls have to be executed again";
const TRIED: &str = "parallel execution is tried, in short rounds at first";
const MANY_AGAIN: &str = "too many calls of earlier batches had to be executed again";

/// Chooses a mode for each batch.
pub(crate) struct Chooser {
    mode: Mode,
    workers: usize,
    /// Calls of the next batch's first round. After rounds that did not pay, and at first, that is a try with the shortest.
    round: u32,
    /// Whether the last rounds paid.
    pays: bool,
    /// Batches to be executed in order before the next try.
    wait: u32,
    /// The same, if that fails.
    patience: u32,
    /// Gas of a call below which calls are not executed in parallel.
    parallel_gas: u64,
    /// Gas and calls of the last batches, newer ones counting for more.
    recent: (u64, u64),
}

impl Chooser {
    pub(crate) fn new(mode: Mode, workers: usize, shares_cores: bool) -> Self {
        Self {
            mode,
            workers,
            round: ROUNDS.least,
            pays: false,
            wait: 0,
            patience: PATIENCE[0],
            parallel_gas: if workers == 2 { PARALLEL_GAS[usize::from(shares_cores)] } else { 0 },
            recent: (0, 0),
        }
    }

    pub(crate) fn choose(&self, calls: usize) -> ModeChosen {
        let learned = Scheduled::Optimistic(Rounds { first: self.round, ..ROUNDS });
        let (scheduled, reason) = match self.mode {
            Mode::Serial => (Scheduled::Serial, "asked for"),
            Mode::Pipe if self.workers == 1 => (Scheduled::Serial, "there is one worker"),
            Mode::Pipe => (Scheduled::Pipe, "asked for"),
            Mode::Optimistic => (Scheduled::Optimistic(ROUNDS), "asked for"),
            Mode::Hinted => (Scheduled::Hinted { round: HINTED_ROUND_CALLS }, "asked for"),
            Mode::Auto if self.workers == 1 => (Scheduled::Serial, "there is one worker"),
            Mode::Auto if calls < PARALLEL_CALLS_MIN => (Scheduled::Serial, "the batch is short"),
            Mode::Auto if self.gas_a_call() < self.parallel_gas => (Scheduled::Pipe, CALLS_SHORT),
            Mode::Auto if self.wait > 0 => (Scheduled::Pipe, MANY_AGAIN),
            Mode::Auto if self.pays => (learned, FEW_AGAIN),
            Mode::Auto => (learned, TRIED),
        };
        ModeChosen { scheduled, reason }
    }

    fn gas_a_call(&self) -> u64 {
        let (gas, calls) = self.recent;
        gas / calls.max(1)
    }

    /// Learns from a batch: how long its next round would have been, and what its calls used.
    pub(crate) fn note(&mut self, chosen: &ModeChosen, next_round: Option<u32>, gas_used: u64, calls: usize) {
        let (gas, noted) = self.recent;
        self.recent = (gas / 2 + gas_used, noted / 2 + calls as u64);
        match chosen.scheduled {
            Scheduled::Serial | Scheduled::Hinted { .. } => {}
            Scheduled::Pipe => self.wait = self.wait.saturating_sub(1),
            Scheduled::Optimistic(_) => match next_round {
                Some(next) => (self.round, self.pays, self.patience) = (next, true, PATIENCE[0]),
                None => {
                    (self.round, self.pays, self.wait) = (ROUNDS.least, false, self.patience);
                    self.patience = PATIENCE[1].min(2 * self.patience);
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Chooser, Mode, PATIENCE, ROUNDS};

    /// The names of what is chosen for some batches, after each of which `next_round` is what is learned.
    fn chosen(chooser: &mut Chooser, batches: usize, next_round: Option<u32>) -> Vec<&'static str> {
        let choose = |_| {
            let mode = chooser.choose(16_384);
            chooser.note(&mode, next_round, 16_384 * 1_500, 16_384);
            mode.name()
        };
        (0..batches).map(choose).collect()
    }

    #[test]
    fn tries_that_fail_become_rarer_until_one_succeeds() {
        let mut chooser = Chooser::new(Mode::Auto, 3, false);
        let names = chosen(&mut chooser, 100, None);
        let tries: Vec<usize> = (0..100).filter(|&at| names[at] == "optimistic").collect();
        assert_eq!(tries, [0, 7, 20, 45, 70, 95]);
        assert!(names.iter().all(|name| ["optimistic", "pipe"].contains(name)));
        let names = chosen(&mut chooser, 100, Some(ROUNDS.most));
        assert!(names[20..].iter().all(|&name| name == "optimistic"), "{names:?}");
        let again = chosen(&mut chooser, 1 + PATIENCE[0] as usize + 1, None);
        assert_eq!(
            [again[0], again[1], again[PATIENCE[0] as usize], again[7]],
            ["optimistic", "pipe", "pipe", "optimistic"]
        );
    }

    #[test]
    fn short_batches_and_single_workers_are_executed_in_order() {
        assert_eq!(Chooser::new(Mode::Auto, 2, false).choose(100).name(), "serial");
        assert_eq!(Chooser::new(Mode::Auto, 1, false).choose(16_384).name(), "serial");
    }

    #[test]
    fn two_workers_execute_short_calls_in_order() {
        for (shares_cores, gas_of_long) in [(false, 4_000), (true, 20_000)] {
            let mut chooser = Chooser::new(Mode::Auto, 2, shares_cores);
            let mut names = Vec::new();
            for gas in [1_000; 4].into_iter().chain([gas_of_long; 12]).chain([1_000; 12]) {
                let mode = chooser.choose(1_000);
                chooser.note(&mode, Some(ROUNDS.most), gas * 1_000, 1_000);
                names.push(mode.name());
            }
            assert_eq!((names[3], names[15], names[27]), ("pipe", "optimistic", "pipe"), "{names:?}");
        }
        // A deploy, alone in its batch, says nothing of the calls behind it.
        let mut deployed = Chooser::new(Mode::Auto, 2, false);
        deployed.note(&deployed.choose(1), None, 5_000_000, 1);
        deployed.note(&deployed.choose(16_384), None, 16_384 * 1_500, 16_384);
        assert_eq!(deployed.choose(16_384).name(), "pipe");
        let mut shared = Chooser::new(Mode::Auto, 2, true);
        shared.note(&shared.choose(1_000), None, 40_000_000, 10_000);
        assert_eq!(shared.choose(1_000).name(), "pipe", "others need the core");
        assert_eq!(
            Chooser::new(Mode::Auto, 3, true).choose(1_000).name(),
            "optimistic",
            "of three one is enough for that"
        );
    }
}
