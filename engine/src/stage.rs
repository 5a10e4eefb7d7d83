//! Where the time of a batch goes. The engine has no clock of its own: whoever embeds it may lend one.

pub use phalanx_scheduler::Clock;
use phalanx_scheduler::{Phase, PhaseNanoseconds};

/// Stages of a batch, in the order in which they are entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Framing and limits of the batch, and its targets.
    Decode,
    /// Calls, with instance resets and their writes into the branch.
    Execute,
    /// Chaining the records of calls that ran in parallel, and checking them.
    Chain,
    /// Executing calls again.
    Repair,
    /// Write set in the order of the digest.
    Receipts,
    /// Hashing inputs, receipts and writes.
    Digest,
    /// Making the branch the state.
    Commit,
}

impl Stage {
    /// All stages.
    pub const ALL: [Stage; 7] =
        [Stage::Decode, Stage::Execute, Stage::Chain, Stage::Repair, Stage::Receipts, Stage::Digest, Stage::Commit];

    /// The stage's name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Decode => "decode",
            Stage::Execute => "execute",
            Stage::Chain => "chain",
            Stage::Repair => "repair",
            Stage::Receipts => "receipts",
            Stage::Digest => "digest",
            Stage::Commit => "commit",
        }
    }
}

/// Nanoseconds by stage.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct StageNanoseconds([u64; Stage::ALL.len()]);

impl StageNanoseconds {
    /// Of one stage.
    pub fn of(&self, stage: Stage) -> u64 {
        self.0[stage as usize]
    }

    /// Adds another batch's.
    pub fn add(&mut self, other: &StageNanoseconds) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }
}

impl StageNanoseconds {
    /// The stages that the scheduler's phases are.
    pub(crate) fn of_phases(phases: &PhaseNanoseconds) -> Self {
        let mut stages = Self::default();
        for (stage, phase) in [
            (Stage::Execute, Phase::Execute),
            (Stage::Chain, Phase::Chain),
            (Stage::Repair, Phase::Repair),
            (Stage::Receipts, Phase::Writes),
            (Stage::Digest, Phase::Seal),
        ] {
            stages.0[stage as usize] = phases.of(phase);
        }
        stages
    }
}

/// Reads the clock at the borders of stages.
#[derive(Clone, Copy)]
pub(crate) struct StageClock {
    clock: Option<Clock>,
    last: u64,
    spent: StageNanoseconds,
}

impl StageClock {
    pub(crate) fn start(clock: Option<Clock>) -> Self {
        Self { clock, last: clock.map_or(0, |clock| clock()), spent: StageNanoseconds::default() }
    }

    /// All time since the last border belongs to `stage`.
    pub(crate) fn lap(&mut self, stage: Stage) {
        if let Some(clock) = self.clock {
            let now = clock();
            self.spent.0[stage as usize] += now.saturating_sub(self.last);
            self.last = now;
        }
    }

    /// The time since the last border belongs to no stage.
    pub(crate) fn skip(&mut self) {
        self.last = self.clock.map_or(0, |clock| clock());
    }

    pub(crate) fn spent(&self) -> StageNanoseconds {
        self.spent
    }
}
