//! States in every mode beside a plain map, and random batches for them.

use super::after_close;
use super::toy::{Ended, Map, ORDERED, Outcome, Place, Plain, Program, Programs, Seen, Step, ordered};
use phalanx_scheduler::{
    Answer, CallIndex, Conflicts, ContractIndex, Delta, Done, Executor, HashSeed, Mode, Operator, RUN_CALLS, Rounds,
    State, Statistics, Team, Watched, execute,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// The modes that batches run in, each on a state of its own, and on how many workers.
pub(crate) const MODES: [(Mode, usize); 12] = [
    (Mode::Serial, 1),
    (Mode::Pipe, 2),
    (Mode::Optimistic(Rounds::of(256)), 1),
    (Mode::Optimistic(Rounds::of(512)), 2),
    (Mode::Optimistic(Rounds { first: 1_024, least: 256, most: 1_024 }), 2),
    (Mode::Optimistic(Rounds { first: 256, least: 256, most: u32::MAX }), 3),
    (Mode::Optimistic(Rounds::of(65_536)), 4),
    (Mode::Optimistic(Rounds::of(768)), 8),
    (Mode::Hinted { round: 1 }, 1),
    (Mode::Hinted { round: 512 }, 2),
    (Mode::Hinted { round: u32::MAX }, 4),
    (Mode::Hinted { round: 1_024 }, 8),
];

/// A team for each number of workers that a mode has.
pub(crate) fn teams() -> Vec<Team> {
    [1, 2, 3, 4, 8].map(team).into()
}

pub(crate) fn team(workers: usize) -> Team {
    Team::new(rayon::ThreadPoolBuilder::new().num_threads(workers).build().expect("threads"))
}

/// A state a mode, and the map that they all must equal.
pub(crate) struct Compared<'a> {
    teams: &'a [Team],
    states: Vec<Option<Box<State>>>,
    map: Map,
    writes_max: usize,
    /// What a failure prints.
    pub(crate) what: String,
}

/// A batch's results, as they are on the map.
pub(crate) struct Expected {
    pub(crate) ended: Vec<Ended>,
    writers: BTreeMap<Place, u32>,
    pub(crate) after: Map,
}

impl<'a> Compared<'a> {
    pub(crate) fn new(teams: &'a [Team], seed: u64, writes_max: usize) -> Self {
        let state = || Some(Box::new(State::new(HashSeed::Fixed(seed), writes_max)));
        let states = MODES.iter().map(|_| state()).collect();
        Self { teams, states, map: Map::new(), writes_max, what: String::new() }
    }

    fn expect(&self, programs: &[Program]) -> Expected {
        let mut plain = Plain { map: self.map.clone(), ..Plain::default() };
        let calls = programs.iter().zip(0..);
        let ended = calls.map(|(program, call)| (call, plain.run(program, call, self.writes_max))).collect();
        Expected { ended, writers: plain.writers, after: plain.map }
    }

    /// Executes a batch in every mode and compares everything that can be seen of it. Answers what happened, mode by mode.
    pub(crate) fn batch(&mut self, programs: Vec<Program>, discard: bool) -> (Expected, [Statistics; MODES.len()]) {
        let expected = self.expect(&programs);
        let statistics = core::array::from_fn(|mode| self.batch_in(mode, &programs, &expected, discard));
        if !discard {
            self.map.clone_from(&expected.after);
        }
        (expected, statistics)
    }

    fn batch_in(&mut self, at: usize, programs: &Vec<Program>, expected: &Expected, discard: bool) -> Statistics {
        let (mode, workers) = MODES[at];
        let what = format!("{}, mode {mode:?}, {} calls", self.what, programs.len());
        let team = self.teams.iter().find(|team| team.size() == workers).expect("a team for each mode");
        let mut executors: Vec<Programs> = (0..workers).map(|_| Programs::default()).collect();
        let taken = self.states[at].take().expect("a state a mode");
        let calls = programs.len() as u32;
        let watched = Watched { clock: None, conflicts: true };
        let done = team.run(|| execute(team, &mut executors, programs, taken, calls, mode, watched));
        let Done { mut state, logs, mut runs, statistics, conflicts, .. } = done;
        assert_conflicts(&conflicts.expect("they were asked for"), &statistics, &what);
        if mode == Mode::Pipe {
            for (run, log) in runs.iter_mut().zip(&logs) {
                Programs::seal(programs, run);
                Programs::list_writes(programs, run, log);
            }
        }
        assert_eq!(runs.len() as u32, calls.div_ceil(RUN_CALLS), "{what}");
        let ended: Vec<&Ended> = runs.iter().flat_map(|run| &run.ended).collect();
        for (mine, theirs) in ended.iter().zip(&expected.ended) {
            assert_eq!(*mine, theirs, "{what}, {:?}", programs[mine.0 as usize]);
        }
        assert_eq!(ended.len(), expected.ended.len(), "{what}");
        assert_writes(&runs, expected, &what);
        assert_committed(&state, &self.map, &what);
        logs.into_iter().for_each(|log| state.recycle(log));
        if discard {
            state.discard()
        } else {
            state.commit()
        }
        let left = if discard { &self.map } else { &expected.after };
        assert_committed(&state, left, &what);
        assert_eq!(state.len(), left.len(), "the table holds nothing else, {what}");
        after_close(&state);
        self.states[at] = Some(state);
        statistics
    }
}

fn assert_writes(runs: &[Outcome], expected: &Expected, what: &str) {
    let mut listed = BTreeMap::new();
    for (call, place, value) in runs.iter().flat_map(|run| &run.writes) {
        assert_eq!(value.as_ref(), expected.after.get(place), "{what}");
        assert_eq!(listed.insert(place.clone(), *call), None, "a key is listed once, {what}");
    }
    assert_eq!(listed, expected.writers, "{what}");
}

fn assert_committed(state: &State, map: &Map, what: &str) {
    let mut entries: Map = BTreeMap::new();
    for entry in state.entries() {
        let value = entry.value.expect("only present entries are listed").to_vec();
        entries.insert((entry.contract.0, entry.key.to_vec()), value);
    }
    assert_eq!(&entries, map, "{what}");
    for ((contract, key), value) in map {
        assert_eq!(state.committed(ContractIndex(*contract), key, ordered(key)), Some(&value[..]), "{what}");
    }
}

// ---- random batches ----

/// What a batch's programs are like.
#[derive(Clone, Copy, Debug)]
struct Kind {
    /// Keys that differ in their last two bytes: how rare conflicts are.
    keys: u16,
    /// Whether there are ordered slots, and scans of them.
    scans: bool,
    calls_max: u32,
    /// Share of calls that touch more keys than a view searches one after another.
    long: f64,
    /// Whether nearly all programs can say which keys they touch.
    tame: bool,
}

/// Hardly any conflicts.
const QUIET: Kind = Kind { keys: 60_000, scans: false, calls_max: 0, long: 0.0, tame: false };

fn random_kind(rng: &mut ChaCha8Rng) -> Kind {
    let tame = rng.random_bool(0.3);
    Kind {
        keys: [2, 12, 200, 5_000, 60_000][rng.random_range(0..5)],
        scans: !tame && rng.random_bool(0.5),
        calls_max: [40, 300, 1_500][rng.random_range(0..3)],
        long: [0.01, 0.1][usize::from(rng.random_bool(0.2))],
        tame,
    }
}

fn random_program(rng: &mut ChaCha8Rng, kind: Kind) -> Program {
    if kind.tame && rng.random_bool(0.997) {
        let steps = (0..rng.random_range(0..6)).map(|_| tame_step(rng, kind)).collect();
        return Program { steps, fails: rng.random_bool(0.2) };
    }
    let steps = if rng.random_bool(kind.long) { 200 } else { rng.random_range(0..6) };
    let mut steps: Vec<Step> = (0..steps).map(|_| random_step(rng, kind)).collect();
    while rng.random_bool(0.4) {
        make_part(rng, &mut steps);
    }
    Program { steps, fails: rng.random_bool(0.2) }
}

/// Makes some of the steps a part, which may fail: of whatever parts there are already too.
fn make_part(rng: &mut ChaCha8Rng, steps: &mut Vec<Step>) {
    let start = rng.random_range(0..=steps.len());
    let end = rng.random_range(start..=steps.len());
    let part = steps.drain(start..end).collect();
    steps.insert(start, Step::Part { steps: part, fails: rng.random_bool(0.5) });
}

fn random_key(rng: &mut ChaCha8Rng, kind: Kind) -> Vec<u8> {
    let slot = [1, 2, ORDERED, 0xff][rng.random_range(0..if kind.scans { 4 } else { 2 })];
    let length = [1, 33, 34, 35, 65, 256][rng.random_range(usize::from(kind.keys > 100)..6)];
    let mut key = vec![slot; length];
    let last = key.len() - 1;
    if last > 0 {
        key[last - 1..].copy_from_slice(&rng.random_range(0..kind.keys).to_be_bytes());
        key[0] = slot;
    }
    key
}

/// A step of a program that declares its keys. Few write more than fits into a slot.
fn tame_step(rng: &mut ChaCha8Rng, kind: Kind) -> Step {
    let step = random_step(rng, Kind { scans: false, ..kind });
    match step {
        Step::Derive { contract, key } if rng.random_bool(0.95) => Step::Get { contract, key },
        Step::Set { contract, key, value: Some(mut value) } | Step::SetOnce { contract, key, mut value } => {
            if rng.random_bool(0.995) {
                value.truncate(16);
            }
            match rng.random() {
                true => Step::Set { contract, key, value: Some(value) },
                false => Step::SetOnce { contract, key, value },
            }
        }
        step => step,
    }
}

fn random_value(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let length = [0, 1, 8, 16, 16, 16, 17, 300][rng.random_range(0..8)];
    let mut value = vec![0; length];
    rng.fill_bytes(&mut value);
    if length == 16 {
        value[1..].fill(0);
    }
    value
}

fn random_step(rng: &mut ChaCha8Rng, kind: Kind) -> Step {
    let contract = rng.random_range(1..3);
    let key = random_key(rng, kind);
    if rng.random_bool(0.1) {
        return Step::StopUnlessEven;
    }
    match rng.random_range(0..if kind.scans { 11 } else { 10 }) {
        0..2 => Step::Get { contract, key },
        2..4 => Step::Set { contract, key, value: Some(random_value(rng)) },
        4 => Step::Derive { contract, key },
        5 => Step::Set { contract, key, value: None },
        6..9 => {
            let operator = [Operator::Add, Operator::Sub, Operator::Max][rng.random_range(0..3)];
            let magnitude = rng.random_range(0..100);
            let low = if rng.random_bool(0.2) { 50 } else { 0 };
            // Bounds of every form that accesses tell apart: none, a power of two for the result or for the value before, others.
            let high = match rng.random_range(0..16) {
                0..12 => u128::MAX,
                12 => 200,
                13 => 127,
                14 => 255 - magnitude,
                _ => 127 - magnitude,
            };
            Step::Add { contract, key, delta: Delta { operator, magnitude, low, high } }
        }
        9 => Step::SetOnce { contract, key, value: random_value(rng) },
        _ => {
            let slot = if rng.random() { ORDERED } else { 0xff };
            let mut start = random_key(rng, kind);
            start[0] = slot;
            let mut end = random_key(rng, kind);
            end[0] = slot;
            let end = (rng.random() && end >= start).then_some(end);
            Step::Scan { contract, start, end, descending: rng.random(), limit: rng.random_range(0..8) }
        }
    }
}

/// One seed's batches, with counts of what happened in them.
#[derive(Default)]
pub(crate) struct Run {
    seed: u64,
    committed: u32,
    discarded: u32,
    refused: u32,
    wrong_length: u32,
    scanned: u32,
    removed: u32,
    taken_back: u32,
    pub(crate) statistics: Statistics,
}

impl Run {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    pub(crate) fn execute(mut self, teams: &[Team]) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        // A low limit is met by some calls, which then go on.
        let writes_max = if rng.random_bool(0.3) { 3 } else { 1_024 };
        let mut compared = Compared::new(teams, rng.random(), writes_max);
        for batch in 0..20 {
            let kind = random_kind(&mut rng);
            let calls = rng.random_range(1..kind.calls_max);
            // After a first round with many conflicts the rest is executed in order: some batches begin without.
            let (quiet, loud) = (rng.random_range(0..2) * RUN_CALLS, kind);
            let kind = |call| if call < quiet { QUIET } else { loud };
            let programs: Vec<Program> = (0..calls).map(|call| random_program(&mut rng, kind(call))).collect();
            let discard = batch == 7 || rng.random_bool(0.3);
            compared.what = format!("seed {}, {quiet} quiet calls, {loud:?}", self.seed);
            self.taken_back += taken_back(&programs);
            let (expected, statistics) = compared.batch(programs, discard);
            self.count(&expected, discard);
            statistics.iter().for_each(|one| self.statistics.add(one));
        }
        self
    }

    fn count(&mut self, expected: &Expected, discard: bool) {
        *(if discard { &mut self.discarded } else { &mut self.committed }) += 1;
        for seen in expected.ended.iter().flat_map(|(_, seen)| seen) {
            self.refused += u32::from(*seen == Seen::Answer(Answer::Refused));
            self.wrong_length += u32::from(*seen == Seen::Answer(Answer::WrongLength));
            self.scanned += u32::from(matches!(seen, Seen::Entries(entries) if !entries.is_empty()));
        }
        self.removed += expected.writers.keys().filter(|key| !expected.after.contains_key(*key)).count() as u32;
    }

    /// How often each case came up that must.
    pub(crate) fn counts(&self) -> [u32; 7] {
        let Self { committed, discarded, refused, wrong_length, scanned, removed, taken_back, .. } = *self;
        [committed, discarded, refused, wrong_length, scanned, removed, taken_back]
    }
}

pub(crate) fn assert_covered(counts: [u32; 7]) {
    assert!(counts.iter().all(|&count| count > 0), "a case never came up: {counts:?}");
}

/// How many parts with steps in them fail, of programs that do not.
fn taken_back(programs: &[Program]) -> u32 {
    let kept = programs.iter().filter(|program| !program.fails).flat_map(|program| &program.steps);
    kept.filter(|step| matches!(step, Step::Part { steps, fails: true } if !steps.is_empty())).count() as u32
}

/// Each dirty call has a conflict, and no other call has one.
fn assert_conflicts(conflicts: &Conflicts, statistics: &Statistics, what: &str) {
    assert!(conflicts.list.is_sorted(), "{what}");
    let mut calls: Vec<CallIndex> = conflicts.list.iter().map(|conflict| conflict.call).collect();
    calls.dedup();
    assert_eq!((calls.len() as u64, conflicts.more), (statistics.dirty_calls, 0), "{what}");
}
