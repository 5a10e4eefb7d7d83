//! Toy programs: what runs in place of contracts, on a view and on a plain map.

use phalanx_scheduler::hash::KeyHasher;
use phalanx_scheduler::{
    Answer, CallIndex, ContractIndex, Delta, Executor, KeyRange, PrefetchHash, RunLog, TooManyWrites, Verdict, View,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, ControlFlow, Range};

/// A key with its contract.
pub(crate) type Place = (u32, Vec<u8>);

pub(crate) type Map = BTreeMap<Place, Vec<u8>>;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Get {
        contract: u32,
        key: Vec<u8>,
    },
    /// Gets many keys ([`numbered`]) and sees only how many there are.
    Count {
        contract: u32,
        slot: u8,
        keys: u32,
    },
    Set {
        contract: u32,
        key: Vec<u8>,
        value: Option<Vec<u8>>,
    },
    SetOnce {
        contract: u32,
        key: Vec<u8>,
        value: Vec<u8>,
    },
    /// Sets a key to what follows from all that was seen before: a call that sees something else writes something else.
    Derive {
        contract: u32,
        key: Vec<u8>,
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
    /// Goes on only if what was seen last has an even digest: what a program accesses changes with what it sees. Within a part
    /// of a program, the part ends.
    StopUnlessEven,
    /// A part whose writes are taken back if it fails, as a nested call's.
    Part {
        steps: Vec<Step>,
        fails: bool,
    },
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub(crate) steps: Vec<Step>,
    pub(crate) fails: bool,
}

/// What a call saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Value(Option<Vec<u8>>),
    Count(u32),
    Answer(Answer),
    Once(bool),
    Entries(Vec<(Vec<u8>, Vec<u8>)>),
    /// The call wrote as many keys as it may. Programs go on all the same.
    TooManyWrites,
}

/// Slots from here on are ordered.
pub(crate) const ORDERED: u8 = 0x80;

pub(crate) fn ordered(key: &[u8]) -> bool {
    key[0] >= ORDERED
}

/// The key with a number in a slot.
pub(crate) fn numbered(slot: u8, number: u32) -> Vec<u8> {
    [&[slot][..], &number.to_be_bytes()].concat()
}

fn digest(seen: &[Seen]) -> u32 {
    format!("{seen:?}").bytes().fold(0, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)))
}

pub(crate) fn is_even(seen: &[Seen]) -> bool {
    digest(&seen[seen.len().saturating_sub(1)..]) % 4 < 2
}

/// What [`Step::Derive`] sets: mostly an integer, sometimes a long value or none.
fn derived(seen: &[Seen]) -> Option<Vec<u8>> {
    let digest = digest(seen);
    let integer = u128::from(digest >> 8 & 0x7f).to_le_bytes();
    match digest % 8 {
        0 => None,
        1 => Some(integer.repeat(2)),
        2 => Some(integer[..8].into()),
        _ => Some(integer.into()),
    }
}

// ---- on a view ----

pub(crate) fn run_on_view(program: &Program, state: &mut View) -> Vec<Seen> {
    let mut seen = Vec::new();
    steps_on_view(&program.steps, state, &mut seen);
    seen
}

fn steps_on_view(steps: &[Step], state: &mut View, seen: &mut Vec<Seen>) {
    for step in steps {
        match step {
            Step::StopUnlessEven if is_even(seen) => {}
            Step::StopUnlessEven => break,
            Step::Part { steps, fails } => {
                let savepoint = state.savepoint();
                steps_on_view(steps, state, seen);
                if *fails { state.roll_back(savepoint) } else { state.keep(savepoint) }
            }
            Step::Derive { contract, key } => {
                let (contract, key, value) = (*contract, key.clone(), derived(seen));
                seen.push(step_on_view(&Step::Set { contract, key, value }, state));
            }
            step => seen.push(step_on_view(step, state)),
        }
    }
}

fn step_on_view(step: &Step, state: &mut View) -> Seen {
    match step {
        Step::StopUnlessEven | Step::Derive { .. } | Step::Part { .. } => unreachable!("steps_on_view's"),
        Step::Get { contract, key } => {
            Seen::Value(state.get(ContractIndex(*contract), key, ordered(key)).map(<[u8]>::to_vec))
        }
        Step::Count { contract, slot, keys } => {
            let mut present =
                |key: Vec<u8>| u32::from(state.get(ContractIndex(*contract), &key, ordered(&key)).is_some());
            Seen::Count((0..*keys).map(|number| present(numbered(*slot, number))).sum())
        }
        Step::Set { contract, key, value } => {
            match state.set(ContractIndex(*contract), key, ordered(key), value.as_deref()) {
                Ok(()) => Seen::Value(value.clone()),
                Err(TooManyWrites) => Seen::TooManyWrites,
            }
        }
        Step::SetOnce { contract, key, value } => {
            match state.set_once(ContractIndex(*contract), key, ordered(key), value) {
                Ok(applied) => Seen::Once(applied),
                Err(TooManyWrites) => Seen::TooManyWrites,
            }
        }
        Step::Add { contract, key, delta } => match state.add(ContractIndex(*contract), key, ordered(key), *delta) {
            Ok(answer) => Seen::Answer(answer),
            Err(TooManyWrites) => Seen::TooManyWrites,
        },
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
    }
}

// ---- on a map ----

/// A map on which programs run one after another, in place.
#[derive(Clone, Default)]
pub(crate) struct Plain {
    pub(crate) map: Map,
    /// The call of the batch that wrote a key last.
    pub(crate) writers: BTreeMap<Place, u32>,
}

/// A running call's part of a [`Plain`].
struct OnMap<'a> {
    map: &'a mut Map,
    /// What its writes replaced, in order.
    undo: Vec<(Place, Option<Vec<u8>>)>,
    written: BTreeSet<Place>,
    writes_max: usize,
}

impl Plain {
    pub(crate) fn run(&mut self, program: &Program, call: u32, writes_max: usize) -> Vec<Seen> {
        let mut running = OnMap { map: &mut self.map, undo: Vec::new(), written: BTreeSet::new(), writes_max };
        let mut seen = Vec::new();
        running.steps(&program.steps, &mut seen);
        if program.fails {
            running.take_back(0);
        } else {
            self.writers.extend(running.written.into_iter().map(|place| (place, call)));
        }
        seen
    }
}

/// Gives a key a value, or none; answers the one that it had.
fn put(map: &mut Map, place: Place, value: Option<Vec<u8>>) -> Option<Vec<u8>> {
    match value {
        Some(value) => map.insert(place, value),
        None => map.remove(&place),
    }
}

impl OnMap<'_> {
    fn steps(&mut self, steps: &[Step], seen: &mut Vec<Seen>) {
        for step in steps {
            match step {
                Step::StopUnlessEven if is_even(seen) => {}
                Step::StopUnlessEven => break,
                Step::Part { steps, fails } => {
                    let (undo, written) = (self.undo.len(), self.written.clone());
                    self.steps(steps, seen);
                    if *fails {
                        self.take_back(undo);
                        self.written = written;
                    }
                }
                Step::Derive { contract, key } => {
                    let value = derived(seen);
                    seen.push(self.set((*contract, key.clone()), value));
                }
                step => seen.push(self.step(step)),
            }
        }
    }

    /// Undoes writes down to the first `left`.
    fn take_back(&mut self, left: usize) {
        for (place, value) in self.undo.drain(left..).rev() {
            put(self.map, place, value);
        }
    }

    fn step(&mut self, step: &Step) -> Seen {
        match step {
            Step::StopUnlessEven | Step::Derive { .. } | Step::Part { .. } => unreachable!("steps'"),
            Step::Get { contract, key } => Seen::Value(self.map.get(&(*contract, key.clone())).cloned()),
            Step::Count { contract, slot, keys } => {
                let present = |number: &u32| self.map.contains_key(&(*contract, numbered(*slot, *number)));
                Seen::Count((0..*keys).filter(present).count() as u32)
            }
            Step::Set { contract, key, value } => self.set((*contract, key.clone()), value.clone()),
            Step::SetOnce { contract, key, value } => {
                let place = (*contract, key.clone());
                if self.map.contains_key(&place) {
                    return Seen::Once(false);
                }
                match self.set(place, Some(value.clone())) {
                    Seen::TooManyWrites => Seen::TooManyWrites,
                    _ => Seen::Once(true),
                }
            }
            Step::Add { contract, key, delta } => self.add((*contract, key.clone()), delta),
            Step::Scan { contract, start, end, descending, limit } => {
                let from = (*contract, start.clone());
                let to = match end {
                    Some(end) => Bound::Excluded((*contract, end.clone())),
                    None if start[0] == 0xff => Bound::Excluded((*contract + 1, Vec::new())),
                    None => Bound::Excluded((*contract, vec![start[0] + 1])),
                };
                let range = self.map.range((Bound::Included(from), to));
                let mut entries: Vec<_> = range.map(|((_, key), value)| (key.clone(), value.clone())).collect();
                if *descending {
                    entries.reverse();
                }
                entries.truncate(*limit);
                Seen::Entries(entries)
            }
        }
    }

    fn set(&mut self, place: Place, value: Option<Vec<u8>>) -> Seen {
        if !self.written.contains(&place) && self.written.len() == self.writes_max {
            return Seen::TooManyWrites;
        }
        self.written.insert(place.clone());
        let before = put(self.map, place.clone(), value.clone());
        self.undo.push((place, before));
        Seen::Value(value)
    }

    fn add(&mut self, place: Place, delta: &Delta) -> Seen {
        let before =
            self.map.get(&place).map_or(Ok(0), |bytes| <[u8; 16]>::try_from(&bytes[..]).map(u128::from_le_bytes));
        match before.map(|before| delta.applied_to(before)) {
            Err(_) => Seen::Answer(Answer::WrongLength),
            Ok(None) => Seen::Answer(Answer::Refused),
            Ok(Some(after)) => match self.set(place, Some(after.to_le_bytes().to_vec())) {
                Seen::TooManyWrites => Seen::TooManyWrites,
                _ => Seen::Answer(Answer::Applied),
            },
        }
    }
}

// ---- the executor ----

/// Whether a step touches a key that is not declared.
fn strays(step: &Step) -> bool {
    matches!(step, Step::Derive { key, .. } if key.last().is_some_and(|last| last % 8 == 0))
}

/// Names the keys of a step, unless that cannot be done. Some are left out.
fn declare(step: &Step, declared: &mut impl FnMut(ContractIndex, &[u8], bool)) -> bool {
    let (contract, key, writes) = match step {
        Step::StopUnlessEven => return true,
        step if strays(step) => return true,
        Step::Get { contract, key } => (contract, key, false),
        Step::Set { contract, key, .. }
        | Step::SetOnce { contract, key, .. }
        | Step::Derive { contract, key }
        | Step::Add { contract, key, .. } => (contract, key, true),
        Step::Count { .. } | Step::Scan { .. } | Step::Part { .. } => return false,
    };
    declared(ContractIndex(*contract), key, writes);
    !ordered(key)
}

/// What a call's execution came to.
pub(crate) type Ended = (u32, Vec<Seen>);

/// A write: its call, its key, and the value unless the key was removed.
pub(crate) type Listed = (u32, Place, Option<Vec<u8>>);

/// What the executor makes of a run.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) ended: Vec<Ended>,
    /// The writes by call, as they were listed.
    pub(crate) writes: Vec<Listed>,
    sealed: bool,
}

#[derive(Default)]
pub(crate) struct Programs {
    ended: Vec<Ended>,
    /// First calls of what was begun, in order.
    pub(crate) begun: Vec<u32>,
}

impl Executor for Programs {
    type Run = Outcome;
    type Shared = Vec<Program>;

    fn begin_run(&mut self, _: &Vec<Program>, first: CallIndex) {
        self.ended.clear();
        self.begun.push(first.0);
    }

    fn execute(&mut self, programs: &Vec<Program>, call: CallIndex, mut view: Box<View>) -> (Box<View>, Verdict) {
        let program = &programs[call.0 as usize];
        if program.steps.iter().any(strays) {
            // Other workers go ahead, also where there are fewer cores than workers: their calls are then taken back.
            std::thread::yield_now();
        }
        self.ended.push((call.0, run_on_view(program, &mut view)));
        (view, if program.fails { Verdict::Drop } else { Verdict::Keep })
    }

    fn predict(programs: &Vec<Program>, calls: Range<u32>, hasher: &KeyHasher, hashes: &mut Vec<PrefetchHash>) {
        for program in &programs[calls.start as usize..calls.end as usize] {
            for step in &program.steps {
                if let Step::Get { contract, key } = step {
                    hashes.push(hasher.prefetch_hash(ContractIndex(*contract), key));
                }
            }
        }
    }

    fn longest(programs: &Vec<Program>, calls: Range<u32>) -> u64 {
        let programs = &programs[calls.start as usize..calls.end as usize];
        programs.iter().map(|program| program.steps.len() as u64).max().unwrap_or(0)
    }

    fn declare(programs: &Vec<Program>, call: CallIndex, mut key: impl FnMut(ContractIndex, &[u8], bool)) -> bool {
        programs[call.0 as usize].steps.iter().all(|step| declare(step, &mut key))
    }

    fn left(&self) -> usize {
        self.ended.len()
    }

    fn gather(
        _: &Vec<Program>,
        calls: Range<u32>,
        runs: &[&Outcome],
        pieces: impl Iterator<Item = (usize, Range<usize>)>,
    ) -> Outcome {
        let ended: Vec<Ended> = pieces.flat_map(|(worker, left)| runs[worker].ended[left].to_vec()).collect();
        assert!(ended.iter().map(|(call, _)| *call).eq(calls));
        Outcome { ended, ..Outcome::default() }
    }

    fn begin_share(&mut self, programs: &Vec<Program>, first: CallIndex) {
        self.begin_run(programs, first);
    }

    fn recycle(_: &Vec<Program>, _: Outcome) {}

    fn end_run(&mut self, _: &Vec<Program>, next: CallIndex) -> Outcome {
        let ended = std::mem::take(&mut self.ended);
        assert!(ended.last().is_none_or(|(call, _)| *call < next.0));
        Outcome { ended, ..Outcome::default() }
    }

    fn splice(_: &Vec<Program>, run: &mut Outcome, calls: &[CallIndex], by: Outcome) {
        assert!(by.ended.iter().map(|(call, _)| *call).eq(calls.iter().map(|call| call.0)));
        for ended in by.ended {
            match run.ended.iter_mut().find(|(call, _)| *call == ended.0) {
                Some(before) => *before = ended,
                None => run.ended.push(ended),
            }
        }
        run.sealed = false;
    }

    fn seal(_: &Vec<Program>, run: &mut Outcome) {
        run.sealed = true;
    }

    fn list_writes(_: &Vec<Program>, run: &mut Outcome, log: &RunLog) {
        assert!(run.sealed, "what calls left is sealed when it will not change any more");
        for call in log.call_range() {
            log.last_writes(CallIndex(call), |write| {
                let key = (write.contract.0, write.key.to_vec());
                run.writes.push((call, key, write.value.map(<[u8]>::to_vec)));
            });
        }
    }

    fn seal_writes(_: &Vec<Program>, _: &mut Outcome) {}
}
