//! Random programs, run against [`State`] and against a `BTreeMap`.

use phalanx_scheduler::{
    Answer, CallIndex, ContractIndex, Delta, Executor, HashSeed, KeyRange, PrefetchHash, Sign, State, Verdict,
    execute_serial,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow, Range};

type Map = BTreeMap<(u32, Vec<u8>), Vec<u8>>;

#[derive(Clone, Debug)]
enum Step {
    Get { contract: u32, key: Vec<u8> },
    Set { contract: u32, key: Vec<u8>, value: Option<Vec<u8>> },
    Add { contract: u32, key: Vec<u8>, delta: Delta },
    Scan { contract: u32, start: Vec<u8>, end: Option<Vec<u8>>, descending: bool, limit: usize },
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

fn random_key(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let slot = [1, 2, ORDERED, 0xff][rng.random_range(0..4)];
    let length = [1, 33, 34, 35, 65, 256][rng.random_range(0..6)];
    let mut key = vec![slot; length];
    let last = key.len() - 1;
    if last > 0 {
        key[last] = rng.random_range(0..12);
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

fn random_step(rng: &mut ChaCha8Rng) -> Step {
    let contract = rng.random_range(1..3);
    let key = random_key(rng);
    match rng.random_range(0..10) {
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
            let mut start = random_key(rng);
            start[0] = slot;
            let mut end = random_key(rng);
            end[0] = slot;
            let end = (rng.random() && end >= start).then_some(end);
            Step::Scan { contract, start, end, descending: rng.random(), limit: rng.random_range(0..8) }
        }
    }
}

fn run_on_state(program: &Program, state: &mut State) -> Vec<Seen> {
    let mut seen = Vec::new();
    for step in &program.steps {
        seen.push(match step {
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

struct Programs<'a> {
    programs: &'a [Program],
    seen: Vec<Vec<Seen>>,
    runs: Vec<u32>,
}

impl Executor for Programs<'_> {
    fn execute(&mut self, call: CallIndex, mut state: Box<State>) -> (Box<State>, Verdict) {
        let program = &self.programs[call.0 as usize];
        self.seen.push(run_on_state(program, &mut state));
        (state, if program.fails { Verdict::Drop } else { Verdict::Keep })
    }

    fn predict(&mut self, calls: Range<u32>, state: &State, hashes: &mut Vec<PrefetchHash>) {
        for program in &self.programs[calls.start as usize..calls.end as usize] {
            for step in &program.steps {
                if let Step::Get { contract, key } = step {
                    hashes.push(state.prefetch_hash(ContractIndex(*contract), key));
                }
            }
        }
    }

    fn end_run(&mut self, next: CallIndex) {
        self.runs.push(next.0);
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
}

impl Run {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    pub(crate) fn execute(mut self) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut state = Box::new(State::new(HashSeed::Fixed(rng.random()), 1_024));
        let mut map = Map::new();
        for _ in 0..30 {
            state = self.batch(&mut rng, state, &mut map);
        }
        self
    }

    fn batch(&mut self, rng: &mut ChaCha8Rng, state: Box<State>, map: &mut Map) -> Box<State> {
        let calls = rng.random_range(1..40);
        let programs: Vec<_> = (0..calls)
            .map(|_| {
                // Some calls write more keys than a journal searches one after another.
                let steps = if rng.random_bool(0.05) { 200 } else { rng.random_range(0..8) };
                Program { steps: (0..steps).map(|_| random_step(rng)).collect(), fails: rng.random_bool(0.2) }
            })
            .collect();
        let before = map.clone();
        let mut after = before.clone();
        let mut writers = BTreeMap::new();
        let mut expected = Vec::new();
        for (call, program) in programs.iter().enumerate() {
            expected.push(run_on_map(program, &mut after));
            if !program.fails {
                note_writers(program, &expected[call], call as u32, &mut writers);
            }
        }
        self.count(&expected, &writers, &after);
        let mut executor = Programs { programs: &programs, seen: Vec::new(), runs: Vec::new() };
        let mut state = execute_serial(&mut executor, state, calls);
        assert_eq!(executor.seen, expected, "seed {}", self.seed);
        assert_eq!(executor.runs, [calls]);
        assert_writes(&state, calls, &writers, &after);
        assert_committed(&state, &before);
        if rng.random_bool(0.3) {
            state.discard();
            self.discarded += 1;
        } else {
            state.commit();
            *map = after;
            self.committed += 1;
        }
        assert_committed(&state, map);
        state
    }

    fn count(&mut self, seen: &[Vec<Seen>], writers: &BTreeMap<(u32, Vec<u8>), u32>, after: &Map) {
        for seen in seen.iter().flatten() {
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
    for (step, seen) in program.steps.iter().zip(seen) {
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

fn assert_writes(state: &State, calls: u32, writers: &BTreeMap<(u32, Vec<u8>), u32>, after: &Map) {
    let mut listed = BTreeMap::new();
    for call in 0..calls {
        for write in state.last_writes(CallIndex(call)) {
            let place = (write.contract.0, write.key.to_vec());
            assert_eq!(write.value, after.get(&place).map(|value| &value[..]));
            assert_eq!(listed.insert(place, call), None, "a key is listed once");
        }
    }
    assert_eq!(&listed, writers);
}

fn assert_committed(state: &State, map: &Map) {
    let mut entries: Map = BTreeMap::new();
    for entry in state.entries() {
        let value = entry.value.expect("only present entries are listed").to_vec();
        entries.insert((entry.contract.0, entry.key.to_vec()), value);
    }
    assert_eq!(&entries, map);
    for ((contract, key), value) in map {
        assert_eq!(state.committed(ContractIndex(*contract), key, ordered(key)), Some(&value[..]));
    }
}
