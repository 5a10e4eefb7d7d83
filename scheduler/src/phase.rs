//! Where the workers' time goes. The scheduler has no clock of its own: whoever embeds it may lend one.

/// A clock that is lent, in nanoseconds from any start. It never influences a result.
pub type Clock = fn() -> u64;

/// What a worker does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Executes calls.
    Execute,
    /// Chains records, and checks them in the same pass; or looks declared keys up, and says what has to wait for what.
    Chain,
    /// Executes dirty calls again and follows what changes by that, or takes a round back and executes its rest in order.
    Repair,
    /// Lists writes; or puts together what calls left on several workers.
    Writes,
    /// Hashes what calls left and wrote.
    Seal,
}

/// Nanoseconds by phase, summed over workers.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct PhaseNanoseconds([u64; 5]);

impl PhaseNanoseconds {
    /// Of one phase.
    pub fn of(&self, phase: Phase) -> u64 {
        self.0[phase as usize]
    }

    pub(crate) fn add(&mut self, other: &PhaseNanoseconds) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }
}

/// One worker's watch.
#[derive(Clone, Copy)]
pub(crate) struct Watch {
    clock: Option<Clock>,
    last: u64,
    pub(crate) spent: PhaseNanoseconds,
}

impl Watch {
    pub(crate) fn start(clock: Option<Clock>) -> Self {
        Self { clock, last: clock.map_or(0, |clock| clock()), spent: PhaseNanoseconds::default() }
    }

    /// All time since the last border belongs to `phase`.
    #[inline]
    pub(crate) fn lap(&mut self, phase: Phase) {
        if let Some(clock) = self.clock {
            let now = clock();
            self.spent.0[phase as usize] += now.saturating_sub(self.last);
            self.last = now;
        }
    }

    /// The time since the last border belongs to no phase.
    pub(crate) fn skip(&mut self) {
        self.last = self.clock.map_or(0, |clock| clock());
    }
}
