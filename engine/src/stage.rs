//! Where the time of a batch goes. The engine has no clock of its own: whoever embeds it may lend one.

/// A clock that an embedder lends, in nanoseconds from any start. It never influences a result.
pub type Clock = fn() -> u64;

/// Stages of a batch, in the order in which they are entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Framing and limits of the batch, and its targets.
    Decode,
    /// Calls, with instance resets and their writes into the branch.
    Execute,
    /// Write set in the order of the digest.
    Receipts,
    /// Hashing inputs, receipts and writes.
    Digest,
    /// Making the branch the state.
    Commit,
}

impl Stage {
    /// All stages.
    pub const ALL: [Stage; 5] = [Stage::Decode, Stage::Execute, Stage::Receipts, Stage::Digest, Stage::Commit];

    /// The stage's name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Decode => "decode",
            Stage::Execute => "execute",
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
