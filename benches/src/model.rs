//! What more cores would reach: a simulation of batches on many workers, fed with what one worker was measured to do.
//!
//! The measured run executes every batch in rounds on one worker, so that each stage has its cost for each batch, and calls that
//! conflict are repaired as they would be on many. The simulation lays those costs on workers as the scheduler does:
//!
//! ```text
//! decode ─▶ round: execute    │ chain and check │ repair ─▶ … ─▶ the rest in order ─▶ hash all, list writes ─▶ commit
//! one       runs of 256 calls │ owners          │ one           one                  runs of 256 calls        one
//! ```
//!
//! Pieces (runs, owners) go to whoever is free; all wait for the last. [`ASSUMPTIONS`] says what that leaves out.

use crate::figures::rate;
use phalanx_engine::{Stage, StageNanoseconds, Statistics};
use serde::Serialize;
use std::io::{Result, Write};

/// Workers that are simulated.
const WORKERS: [usize; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// Workers on which the prediction is compared with a measurement, besides the one that it is made from.
pub(crate) const CHECKED_WORKERS: usize = 2;

/// As the scheduler cuts batches: calls of a run, and owners of keys.
const RUN_CALLS: usize = phalanx_scheduler::RUN_CALLS as usize;
const OWNERS: usize = phalanx_scheduler::hash::OWNERS;

/// Nanoseconds that a turn of all workers takes besides its work: they spin, and the last one to come is waited for.
const TURN_NS: f64 = 2_000.0;
/// And for each of them, since they meet in one cache line.
const TURN_NS_A_WORKER: f64 = 100.0;

/// Share of the hashing that needs no list of writes, so that others can do it behind a repair: two of three leaves of a run.
const HASHED_BEHIND_REPAIR: f64 = 2.0 / 3.0;

/// What the prediction takes for granted.
pub(crate) const ASSUMPTIONS: [&str; 6] = [
    "a stage costs each worker what it cost one alone: memory bandwidth and shared caches are not modelled, so the figures for many cores are an upper bound",
    "runs of a batch cost the same, and a key's owner is as busy as the others: with one key in most calls, chaining is not spread",
    "rounds are as many as one worker made of a batch, and equally long; dirty calls are repaired in order, on one worker, behind which others hash, and so are calls executed for which rounds did not pay",
    "a turn of all workers costs 2 us and 0.1 us for each of them; assumed, not measured",
    "the log has a core of its own, whose measured cost a call is a bound of the rate",
    "decoding and committing are not overlapped with anything",
];

/// What a measured batch cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile {
    calls: usize,
    /// Those of them that were executed in rounds, and the rounds.
    in_rounds: usize,
    rounds: usize,
    /// Nanoseconds by stage.
    stages: [f64; STAGES.len()],
}

impl Profile {
    pub(crate) fn new(calls: usize, statistics: &Statistics, stages: &StageNanoseconds) -> Self {
        Self {
            calls,
            in_rounds: statistics.optimistic_calls as usize,
            rounds: statistics.rounds as usize,
            stages: STAGES.map(|stage| stages.of(stage) as f64),
        }
    }
}

/// A prediction, compared with measurements.
#[derive(Clone, Debug, Serialize)]
pub struct Model {
    /// What it takes for granted.
    pub assumptions: [&'static str; 6],
    /// By workers.
    pub predicted: Vec<Predicted>,
    /// How far that is off where it was measured: with the one worker that it is made from, which shows what no stage has, and with
    /// two if there are so many cores.
    pub checked: Vec<Checked>,
}

/// What some workers would reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Predicted {
    /// Workers, each on a core; the log's core comes on top.
    pub workers: usize,
    /// Calls a second.
    pub calls_per_second: f64,
    /// Calls a second for each worker, in units of what one reaches.
    pub efficiency: f64,
    /// The stage that the workers spend most time in, or `log` if that is what holds them up.
    pub bound_by: &'static str,
}

/// A measurement beside its prediction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Checked {
    /// Workers.
    pub workers: usize,
    /// Calls a second as predicted.
    pub predicted: f64,
    /// Calls a second as measured on the same batches, in the same process.
    pub measured: f64,
    /// Measured by predicted.
    pub ratio: f64,
}

impl Model {
    /// Predicts from the batches of a run on one worker; `log_ns_a_call` is what the log's thread took, and `measured` the calls a
    /// second that some numbers of workers reached.
    pub(crate) fn new(profiles: &[Profile], log_ns_a_call: f64, measured: &[(usize, f64)]) -> Self {
        let mut predicted: Vec<Predicted> =
            WORKERS.iter().map(|&workers| predict(profiles, log_ns_a_call, workers)).collect();
        let alone = predicted[0].calls_per_second;
        predicted.iter_mut().for_each(|it| it.efficiency = it.calls_per_second / alone / it.workers as f64);
        let check = |&(workers, measured): &(usize, f64)| {
            let predicted = predict(profiles, log_ns_a_call, workers).calls_per_second;
            Checked { workers, predicted, measured, ratio: measured / predicted }
        };
        let checked = measured.iter().map(check).collect();
        Self { assumptions: ASSUMPTIONS, predicted, checked }
    }

    pub(crate) fn print(&self, out: &mut dyn Write) -> Result<()> {
        writeln!(out, "\nWhat more cores would reach (simulated from the costs of one worker, not measured)")?;
        for Predicted { workers, calls_per_second, efficiency, bound_by } in &self.predicted {
            let (rate, percent) = (rate(*calls_per_second), 100.0 * efficiency);
            writeln!(out, "  {workers:>4} workers {rate:>14} calls/s  {percent:>3.0} % each  most time in {bound_by}")?;
        }
        for &Checked { workers, predicted, measured, ratio } in &self.checked {
            let (predicted, measured) = (rate(predicted), rate(measured));
            writeln!(
                out,
                "  Checked: {workers} workers predicted {predicted}, measured {measured} ({ratio:.2} of it)"
            )?;
        }
        writeln!(out, "  Taken for granted:")?;
        self.assumptions.iter().try_for_each(|assumption| writeln!(out, "  - {assumption}"))
    }
}

/// The stages whose time is told apart.
const STAGES: [Stage; 7] = Stage::ALL;

/// Efficiency is left for who knows what one worker reaches.
fn predict(profiles: &[Profile], log_ns_a_call: f64, workers: usize) -> Predicted {
    let mut spent = [0.0; STAGES.len()];
    for profile in profiles {
        for (sum, more) in spent.iter_mut().zip(simulate(profile, workers)) {
            *sum += more;
        }
    }
    let calls: usize = profiles.iter().map(|profile| profile.calls).sum();
    let elapsed: f64 = spent.iter().sum();
    let log = log_ns_a_call * calls as f64;
    let most = STAGES.iter().zip(spent).max_by(|a, b| a.1.total_cmp(&b.1)).map_or("nothing", |(stage, _)| stage.name());
    Predicted {
        workers,
        calls_per_second: calls as f64 * 1e9 / elapsed.max(log),
        efficiency: 0.0,
        bound_by: if log > elapsed { "log" } else { most },
    }
}

/// Nanoseconds that pass in each stage of a batch.
fn simulate(profile: &Profile, workers: usize) -> [f64; STAGES.len()] {
    let of = |stage: Stage| profile.stages[stage as usize];
    let a_call = |stage: Stage| of(stage) / profile.calls.max(1) as f64;
    let turn = if workers > 1 { TURN_NS + TURN_NS_A_WORKER * workers as f64 } else { 0.0 };
    let mut passed = [0.0; STAGES.len()];
    let a_round = profile.in_rounds.div_ceil(profile.rounds.max(1));
    for round in pieces(profile.in_rounds, a_round) {
        passed[Stage::Execute as usize] += makespan(pieces(round, RUN_CALLS), workers) * a_call(Stage::Execute) + turn;
        let longest = makespan(core::iter::repeat_n(1, OWNERS), workers) / OWNERS as f64;
        passed[Stage::Chain as usize] += longest * of(Stage::Chain) * round as f64 / profile.in_rounds as f64 + turn;
    }
    passed[Stage::Execute as usize] += (profile.calls - profile.in_rounds) as f64 * a_call(Stage::Execute);
    let longest = makespan(pieces(profile.calls, RUN_CALLS), workers);
    let behind_repair = (of(Stage::Digest) * HASHED_BEHIND_REPAIR).min(of(Stage::Repair) * (workers - 1) as f64);
    let left = 1.0 - behind_repair / of(Stage::Digest).max(1.0);
    passed[Stage::Digest as usize] += longest * a_call(Stage::Digest) * left;
    passed[Stage::Receipts as usize] += longest * a_call(Stage::Receipts) + turn;
    for alone in [Stage::Decode, Stage::Repair, Stage::Commit] {
        passed[alone as usize] += of(alone);
    }
    passed
}

/// A number of calls cut into pieces.
fn pieces(calls: usize, size: usize) -> impl Iterator<Item = usize> {
    (0..calls).step_by(size.max(1)).map(move |start| size.min(calls - start))
}

/// When the last piece is done, if each goes to the first who is free.
fn makespan(pieces: impl Iterator<Item = usize>, workers: usize) -> f64 {
    let mut busy_until = vec![0; workers];
    for piece in pieces {
        if let Some(first) = busy_until.iter_mut().min() {
            *first += piece;
        }
    }
    busy_until.into_iter().max().unwrap_or(0) as f64
}

#[cfg(test)]
mod tests {
    use super::{CHECKED_WORKERS, Checked, Model, Predicted, Profile, STAGES, makespan, pieces};
    use phalanx_engine::Stage;

    /// A batch of 64 runs, with so many nanoseconds a call in a stage and one in each other.
    fn profile(dear: Stage, nanoseconds: f64) -> [Profile; 1] {
        let cost = |stage: Stage| if stage == dear { nanoseconds } else { 1.0 };
        [Profile { calls: 16_384, in_rounds: 16_384, rounds: 1, stages: STAGES.map(|stage| cost(stage) * 16_384.0) }]
    }

    fn with_workers(model: &Model, workers: usize) -> Predicted {
        *model.predicted.iter().find(|it| it.workers == workers).expect("it is simulated")
    }

    #[test]
    fn pieces_go_to_who_is_free() {
        assert_eq!(pieces(600, 256).collect::<Vec<_>>(), [256, 256, 88]);
        assert_eq!(makespan(pieces(600, 256), 1), 600.0);
        assert_eq!(makespan(pieces(600, 256), 2), 344.0);
        assert_eq!(makespan(pieces(600, 256), 3), 256.0);
        assert_eq!(makespan(pieces(600, 256), 128), 256.0);
        assert_eq!(makespan([5, 1, 1, 1, 1, 1].into_iter(), 2), 5.0);
    }

    #[test]
    fn predictions_stand_beside_what_was_measured() {
        let model = Model::new(&profile(Stage::Execute, 994.0), 0.0, &[(1, 5e5), (CHECKED_WORKERS, 3e6)]);
        let alone = with_workers(&model, 1);
        assert_eq!((alone.calls_per_second, alone.efficiency, alone.bound_by), (1e6, 1.0, "execute"));
        let two = with_workers(&model, CHECKED_WORKERS).calls_per_second;
        let expected =
            |workers, predicted, measured| Checked { workers, predicted, measured, ratio: measured / predicted };
        assert_eq!(model.checked, [expected(1, 1e6, 5e5), expected(CHECKED_WORKERS, two, 3e6)]);
    }

    #[test]
    fn stages_spread_as_far_as_they_have_pieces() {
        // Executing has 64 pieces, chaining 16, and repairing one.
        let speed_up = |dear: Stage, workers: usize| {
            let model = Model::new(&profile(dear, 10_000.0), 0.0, &[]);
            let some = with_workers(&model, workers);
            assert_eq!(some.bound_by, dear.name());
            some.efficiency * workers as f64
        };
        for (dear, workers, expected) in [
            (Stage::Execute, 2, 2.0),
            (Stage::Execute, 32, 32.0),
            (Stage::Execute, 128, 64.0),
            (Stage::Chain, 16, 16.0),
            (Stage::Chain, 128, 16.0),
            (Stage::Repair, 128, 1.0),
        ] {
            let found = speed_up(dear, workers);
            assert!((0.95..=1.001).contains(&(found / expected)), "{}, {workers} workers: {found}", dear.name());
        }
    }

    #[test]
    fn what_is_executed_in_order_takes_one_worker() {
        let speed_up = |in_rounds: usize, rounds: usize| {
            let mut batches = profile(Stage::Execute, 10_000.0);
            (batches[0].in_rounds, batches[0].rounds) = (in_rounds, rounds);
            with_workers(&Model::new(&batches, 0.0, &[]), 64).efficiency * 64.0
        };
        assert!((1.9..2.0).contains(&speed_up(8_192, 1)), "half of it: {}", speed_up(8_192, 1));
        assert!((0.99..1.01).contains(&speed_up(0, 0)), "all of it: {}", speed_up(0, 0));
        assert!((15.5..16.0).contains(&speed_up(16_384, 4)), "16 runs a round: {}", speed_up(16_384, 4));
    }

    #[test]
    fn nothing_is_predicted_beyond_a_log_that_is_slower() {
        let profile = profile(Stage::Execute, 1_000.0);
        let free = Model::new(&profile, 0.0, &[]);
        assert!(free.predicted.iter().all(|it| it.bound_by != "log" && it.calls_per_second > 9e5));
        let last = with_workers(&Model::new(&profile, 500.0, &[]), 128);
        assert_eq!((last.bound_by, last.calls_per_second), ("log", 2e6));
    }
}
