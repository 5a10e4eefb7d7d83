//! Random programs, run in every mode and against a `BTreeMap`.

use phalanx_scheduler::{
    Answer, CallIndex, Conflicts, ContractIndex, Delta, Done, Executor, HashSeed, KeyRange, Mode, PrefetchHash,
    RUN_CALLS, RunLog, Sign, State, Statistics, Team, Verdict, View, Watched, execute,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow, Range};

type Map = BTreeMap<(u32, Vec<u8>), Vec<u8>>;

#[derive(Clone, Debug)]
enum Step {
    Get {
        contract: u32,
        key: Vec<u8>,
    },
    Set {
        contract: u32,
        key: Vec<u8>,
        value: Option<Vec<u8>>,
    },
    Add {
        contract: u32,
        key: Vec<u8>,
        delta: Delta,
    },
    Scan {
        contract: u32,
        start: Vec<u8>,
        end: Option<Vec<u8>>,
        descending: bool,
        limit: usize,
    },
    /// Goes on only if what was seen last has an even digest: what a program accesses changes with what it sees.
    StopUnlessEven,
}

#[derive(Clone, Debug)]
struct Program {
    steps: Vec<Step>,
    fails: bool,
}

/// What a call saw.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Value(Option<Vec<u8>>),
    Answer(Answer),
    Entries(Vec<(Vec<u8>, Vec<u8>)>),
}

/// Slots from here on are ordered.
const ORDERED: u8 = 0x80;

fn ordered(key: &[u8]) -> bool {
    key[0] >= ORDERED
}

/// What a batch's programs are like.
#[derive(Clone, Copy, Debug)]
struct Kind {
    /// Keys that differ in their last two bytes: how rare conflicts are.
    keys: u16,
    /// Whether there are ordered slots, and scans of them.
    scans: bool,
    calls_max: u32,
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
    match rng.random_range(0..if kind.scans { 10 } else { 9 }) {
        0..2 => Step::Get { contract, key },
        2..5 => Step::Set { contract, key, value: Some(random_value(rng)) },
        5 => Step::Set { contract, key, value: None },
        6..9 => {
            let sign = if rng.random() { Sign::Plus } else { Sign::Minus };
            let low = if rng.random_bool(0.2) { 50 } else { 0 };
            let high = if rng.random_bool(0.2) { 200 } else { u128::MAX };
            Step::Add { contract, key, delta: Delta { sign, magnitude: rng.random_range(0..100), low, high } }
        }
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

fn is_even(seen: &[Seen]) -> bool {
    let bytes = format!("{:?}", seen.last());
    bytes.bytes().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 4 < 2
}

fn run_on_view(program: &Program, state: &mut View) -> Vec<Seen> {
    let mut seen = Vec::new();
    for step in &program.steps {
        seen.push(match step {
            Step::StopUnlessEven if is_even(&seen) => continue,
            Step::StopUnlessEven => break,
            Step::Get { contract, key } => {
                Seen::Value(state.get(ContractIndex(*contract), key, ordered(key)).map(<[u8]>::to_vec))
            }
            Step::Set { contract, key, value } => {
                state.set(ContractIndex(*contract), key, ordered(key), value.as_deref()).expect("below the limit");
                Seen::Value(value.clone())
            }
            Step::Add { contract, key, delta } => {
                Seen::Answer(state.add(ContractIndex(*contract), key, ordered(key), *delta).expect("below the limit"))
            }
            Step::Scan { contract, start, end, descending, limit } => {
                let range = KeyRange { slot: start[0], start, end: end.as_deref() };
                let mut entries = Vec::new();
                state.scan(ContractIndex(*contract), range, *descending, |key, value| {
                    if entries.len() == *limit {
                        return ControlFlow::Break(());
                    }
                    entries.push((key.to_vec(), value.to_vec()));
                    ControlFlow::Continue(())
                });
                Seen::Entries(entries)
            }
        });
    }
    seen
}

fn run_on_map(program: &Program, map: &mut Map) -> Vec<Seen> {
    let mut own = map.clone();
    let mut seen = Vec::new();
    for step in &program.steps {
        seen.push(match step {
            Step::StopUnlessEven if is_even(&seen) => continue,
            Step::StopUnlessEven => break,
            Step::Get { contract, key } => Seen::Value(own.get(&(*contract, key.clone())).cloned()),
            Step::Set { contract, key, value } => {
                match value {
                    Some(value) => own.insert((*contract, key.clone()), value.clone()),
                    None => own.remove(&(*contract, key.clone())),
                };
                Seen::Value(value.clone())
            }
            Step::Add { contract, key, delta } => {
                let place = (*contract, key.clone());
                let before =
                    own.get(&place).map_or(Ok(0), |bytes| <[u8; 16]>::try_from(&bytes[..]).map(u128::from_le_bytes));
                Seen::Answer(match before.map(|before| delta.applied_to(before)) {
                    Err(_) => Answer::WrongLength,
                    Ok(None) => Answer::Refused,
                    Ok(Some(after)) => {
                        own.insert(place, after.to_le_bytes().to_vec());
                        Answer::Applied
                    }
                })
            }
            Step::Scan { contract, start, end, descending, limit } => {
                let from = (*contract, start.clone());
                let to = match end {
                    Some(end) => Bound::Excluded((*contract, end.clone())),
                    None if start[0] == 0xff => Bound::Excluded((*contract + 1, Vec::new())),
                    None => Bound::Excluded((*contract, vec![start[0] + 1])),
                };
                let range =
                    own.range((Bound::Included(from), to)).map(|((_, key), value)| (key.clone(), value.clone()));
                let mut entries: Vec<_> = range.collect();
                if *descending {
                    entries.reverse();
                }
                entries.truncate(*limit);
                Seen::Entries(entries)
            }
        });
    }
    if !program.fails {
        *map = own;
    }
    seen
}

/// What a call's execution came to.
type Ended = (u32, Vec<Seen>);

/// A write: its call, its key, and the value unless the key was removed.
type Listed = (u32, (u32, Vec<u8>), Option<Vec<u8>>);

/// What the executor makes of a run.
#[derive(Default)]
struct Outcome {
    ended: Vec<Ended>,
    /// The writes by call, as they were listed.
    writes: Vec<Listed>,
    sealed: bool,
}

#[derive(Default)]
struct Programs {
    ended: Vec<Ended>,
}

impl Executor for Programs {
    type Run = Outcome;
    type Shared = Vec<Program>;

    fn begin_run(&mut self, _: &Vec<Program>, _: CallIndex) {
        self.ended.clear();
    }

    fn execute(&mut self, programs: &Vec<Program>, call: CallIndex, mut view: Box<View>) -> (Box<View>, Verdict) {
        let program = &programs[call.0 as usize];
        self.ended.push((call.0, run_on_view(program, &mut view)));
        (view, if program.fails { Verdict::Drop } else { Verdict::Keep })
    }

    fn predict(&mut self, programs: &Vec<Program>, calls: Range<u32>, view: &View, hashes: &mut Vec<PrefetchHash>) {
        for program in &programs[calls.start as usize..calls.end as usize] {
            for step in &program.steps {
                if let Step::Get { contract, key } = step {
                    hashes.push(view.prefetch_hash(ContractIndex(*contract), key));
                }
            }
        }
    }

    fn end_run(&mut self, _: &Vec<Program>, next: CallIndex) -> Outcome {
        let ended = std::mem::take(&mut self.ended);
        assert!(ended.last().is_none_or(|(call, _)| call + 1 == next.0));
        Outcome { ended, ..Outcome::default() }
    }

    fn splice(_: &Vec<Program>, run: &mut Outcome, calls: Range<u32>, by: Outcome) {
        assert_eq!(by.ended.len() as u32, calls.end - calls.start);
        let start = run.ended.iter().position(|(call, _)| *call == calls.start).unwrap_or(run.ended.len());
        let end = (start + by.ended.len()).min(run.ended.len());
        run.ended.splice(start..end, by.ended);
        run.sealed = false;
    }

    fn seal(_: &Vec<Program>, run: &mut Outcome) {
        run.sealed = true;
    }

    fn list_writes(_: &Vec<Program>, run: &mut Outcome, log: &RunLog) {
        assert!(run.sealed, "what calls left is sealed when it will not change any more");
        for call in log.call_range() {
            for write in log.last_writes(CallIndex(call)) {
                let key = (write.contract.0, write.key.to_vec());
                run.writes.push((call, key, write.value.map(<[u8]>::to_vec)));
            }
        }
    }

    fn seal_writes(_: &Vec<Program>, _: &mut Outcome) {}
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
    pub(crate) statistics: Statistics,
}

/// The modes that a seed's batches run in, each on a state of its own.
const MODES: [(Mode, usize); 7] = [
    (Mode::Serial, 1),
    (Mode::Pipe, 2),
    (Mode::Optimistic { round: 256 }, 1),
    (Mode::Optimistic { round: 512 }, 2),
    (Mode::Optimistic { round: 1_024 }, 3),
    (Mode::Optimistic { round: 65_536 }, 4),
    (Mode::Optimistic { round: 768 }, 8),
];

impl Run {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    pub(crate) fn execute(mut self, teams: &[Team]) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut states: Vec<Option<Box<State>>> =
            MODES.iter().map(|_| Some(Box::new(State::new(HashSeed::Fixed(rng.random()), 1_024)))).collect();
        let mut map = Map::new();
        for _ in 0..20 {
            self.batch(&mut rng, &mut states, &mut map, teams);
        }
        self
    }

    fn batch(&mut self, rng: &mut ChaCha8Rng, states: &mut [Option<Box<State>>], map: &mut Map, teams: &[Team]) {
        let kind = Kind {
            keys: [2, 12, 200, 5_000][rng.random_range(0..4)],
            scans: rng.random_bool(0.3),
            calls_max: [40, 300, 1_500][rng.random_range(0..3)],
        };
        let calls = rng.random_range(1..kind.calls_max);
        let programs: Vec<_> = (0..calls)
            .map(|_| {
                // Some calls touch more keys than a view searches one after another.
                let steps = if rng.random_bool(0.01) { 200 } else { rng.random_range(0..6) };
                Program { steps: (0..steps).map(|_| random_step(rng, kind)).collect(), fails: rng.random_bool(0.2) }
            })
            .collect();
        let before = map.clone();
        let mut after = before.clone();
        let mut writers = BTreeMap::new();
        let mut expected = Vec::new();
        for (call, program) in programs.iter().enumerate() {
            expected.push((call as u32, run_on_map(program, &mut after)));
            if !program.fails {
                note_writers(program, &expected[call].1, call as u32, &mut writers);
            }
        }
        self.count(&expected, &writers, &after);
        let discard = rng.random_bool(0.3);
        for (at, state) in states.iter_mut().enumerate() {
            let (mode, workers) = MODES[at];
            let team = teams.iter().find(|team| team.size() == workers).expect("a team for each mode");
            let what = format!("seed {}, mode {mode:?}, {kind:?}, {calls} calls", self.seed);
            let mut executors: Vec<Programs> = (0..workers).map(|_| Programs::default()).collect();
            let taken = state.take().expect("a state a mode");
            let watched = Watched { clock: None, conflicts: true };
            let done = team.run(|| execute(team, &mut executors, &programs, taken, calls, mode, watched));
            let Done { state: mut returned, logs, runs, statistics, conflicts, .. } = done;
            assert_conflicts(&conflicts.expect("they were asked for"), &statistics, &what);
            assert_eq!(runs.len() as u32, calls.div_ceil(RUN_CALLS), "{what}");
            let ended: Vec<Ended> = runs.iter().flat_map(|run| run.ended.iter().cloned()).collect();
            for (mine, theirs) in ended.iter().zip(&expected) {
                assert_eq!(mine, theirs, "{what}, {:?}", programs[mine.0 as usize]);
            }
            assert_eq!(ended.len(), expected.len(), "{what}");
            assert_writes(&runs, &writers, &after, &what);
            assert_committed(&returned, &before, &what);
            logs.into_iter().for_each(|log| returned.recycle(log));
            if discard {
                returned.discard()
            } else {
                returned.commit()
            }
            assert_committed(&returned, if discard { &before } else { &after }, &what);
            *state = Some(returned);
            self.statistics.add(&statistics);
        }
        if discard {
            self.discarded += 1;
        } else {
            *map = after;
            self.committed += 1;
        }
    }

    fn count(&mut self, seen: &[Ended], writers: &BTreeMap<(u32, Vec<u8>), u32>, after: &Map) {
        for seen in seen.iter().flat_map(|(_, seen)| seen) {
            self.refused += u32::from(*seen == Seen::Answer(Answer::Refused));
            self.wrong_length += u32::from(*seen == Seen::Answer(Answer::WrongLength));
            self.scanned += u32::from(matches!(seen, Seen::Entries(entries) if !entries.is_empty()));
        }
        self.removed += writers.keys().filter(|key| !after.contains_key(*key)).count() as u32;
    }

    pub(crate) fn assert_covered(&self) {
        let counts = [self.committed, self.discarded, self.refused, self.wrong_length, self.scanned, self.removed];
        assert!(counts.iter().all(|&count| count > 0), "seed {}: a case never came up: {counts:?}", self.seed);
    }
}

fn note_writers(program: &Program, seen: &[Seen], call: u32, writers: &mut BTreeMap<(u32, Vec<u8>), u32>) {
    let steps = program.steps.iter().filter(|step| !matches!(step, Step::StopUnlessEven));
    for (step, seen) in steps.zip(seen) {
        match step {
            Step::Set { contract, key, .. } => {
                writers.insert((*contract, key.clone()), call);
            }
            Step::Add { contract, key, .. } if *seen == Seen::Answer(Answer::Applied) => {
                writers.insert((*contract, key.clone()), call);
            }
            _ => {}
        }
    }
}

/// Each dirty call has a conflict, and no other call has one.
fn assert_conflicts(conflicts: &Conflicts, statistics: &Statistics, what: &str) {
    assert!(conflicts.list.is_sorted(), "{what}");
    let mut calls: Vec<CallIndex> = conflicts.list.iter().map(|conflict| conflict.call).collect();
    calls.dedup();
    assert_eq!((calls.len() as u64, conflicts.more), (statistics.dirty_calls, 0), "{what}");
}

fn assert_writes(runs: &[Outcome], writers: &BTreeMap<(u32, Vec<u8>), u32>, after: &Map, what: &str) {
    let mut listed = BTreeMap::new();
    for (call, place, value) in runs.iter().flat_map(|run| &run.writes) {
        assert_eq!(value.as_ref(), after.get(place), "{what}");
        assert_eq!(listed.insert(place.clone(), *call), None, "a key is listed once, {what}");
    }
    assert_eq!(&listed, writers, "{what}");
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
