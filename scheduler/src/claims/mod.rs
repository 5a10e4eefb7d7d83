//! Keys that calls declare, and in which order calls have them.
//!
//! Where it is known which keys a call will touch, nothing has to be checked afterwards: calls that touch the same key only have to
//! wait for one another. So before a round executes, every key that one of its calls declares becomes a *claim*. Workers look
//! the keys of runs up ([`RunClaims::look_up`]); then each owner goes through its claims in the order of the calls, and says of each
//! which call has to be done before ([`OwnerClaims::line_up`]). One that only reads waits for the last one that writes; one that writes
//! waits for the last one that writes, or, if somebody reads in between, for all calls before it.
//!
//! While the round executes, a call that has waited for what its claims say *holds* its keys ([`Held`]): nobody else touches them
//! until it is done. It writes in place. A declaration is a guess all the same, and a call may touch a key that it has not
//! declared: it *strays*, and is taken back with all calls behind it; see `hinted.rs`.

mod progress;
mod table;

pub(crate) use progress::Progress;
pub(crate) use table::{Held, Table};

use crate::executor::Executor;
use crate::hash::{KeyHasher, OWNERS, owner};
use crate::key::{CallIndex, ContractIndex, StateKey};
use crate::partition::Partition;
use crate::record::NO_SLOT;
use crate::state::State;
// What `progress` is made of; its model has loom's in its place.
use crate::sync;
use core::ops::Range;

/// Keys that a call may declare: each that it touches is looked for among them one after another.
const CLAIMS_MAX: usize = 32;

/// Calls whose keys are asked for together, and then looked up.
const LOOK_UP_CALLS: u32 = 16;

/// How many claims ahead of the one that is lined up its slot is asked for.
const SLOTS_PREFETCH: usize = 16;

/// What has to be done before a call has a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    Nothing,
    /// A call.
    Call(u32),
    /// All calls before.
    Frontier,
}

/// A call's claim on a key, in the bucket of the key's owner.
#[derive(Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) call: u32,
    /// The key's slot; [`NO_SLOT`] until its owner puts the key in.
    pub(crate) slot: u32,
    /// The key's version in its owner's branch, once it is lined up.
    pub(crate) version: u32,
    /// Of [`Wait`]: the call, or one of two numbers that no call has.
    wait: u32,
    pub(crate) writes: bool,
}

const NOTHING: u32 = u32::MAX;
const FRONTIER: u32 = u32::MAX - 1;

impl Claim {
    #[inline]
    pub(crate) fn wait(&self) -> Wait {
        match self.wait {
            NOTHING => Wait::Nothing,
            FRONTIER => Wait::Frontier,
            call => Wait::Call(call),
        }
    }
}

/// The claims on a key so far in a round, in its version.
#[derive(Clone, Copy)]
pub(crate) struct Claimants {
    /// The last call that writes.
    writer: u32,
    /// Whether somebody reads behind it.
    is_read: bool,
}

impl Claimants {
    pub(crate) const NONE: Claimants = Claimants { writer: NOTHING, is_read: false };

    /// Adds a claim. Returns what it waits for.
    #[inline]
    fn add(&mut self, call: u32, writes: bool) -> u32 {
        let wait = match *self {
            Claimants { is_read: true, .. } if writes => FRONTIER,
            // The same call has declared the key twice.
            Claimants { writer, .. } if writer == call => NOTHING,
            Claimants { writer, .. } => writer,
        };
        *self = if writes { Claimants { writer: call, is_read: false } } else { Claimants { is_read: true, ..*self } };
        wait
    }
}

/// A key that the table does not hold.
struct Absent {
    owner: usize,
    /// The claim's place in the owner's bucket.
    place: usize,
    contract: ContractIndex,
    bytes: Box<[u8]>,
}

/// The claims of a run's calls.
#[derive(Default)]
pub(crate) struct RunClaims {
    first: u32,
    /// By call, the end of its part of `places`.
    ends: Vec<u32>,
    /// Owner and place of each claim.
    places: Vec<(u8, u32)>,
    pub(crate) buckets: [Vec<Claim>; OWNERS],
    absent: Vec<Absent>,
}

/// A key that was declared and is not looked up yet.
struct Declared {
    call: u32,
    hash: u64,
    contract: ContractIndex,
    writes: bool,
    /// Its part of the bytes.
    bytes: Range<usize>,
}

/// What looking up works with.
#[derive(Default)]
pub(crate) struct LookUp {
    declared: Vec<Declared>,
    bytes: Vec<u8>,
}

impl RunClaims {
    /// Looks up what the calls of a run declare, up to the first that does not declare its keys.
    pub(crate) fn look_up<E: Executor>(
        &mut self,
        shared: &E::Shared,
        state: &State,
        calls: Range<u32>,
        work: &mut LookUp,
    ) {
        self.first = calls.start;
        self.ends.clear();
        self.places.clear();
        self.buckets.iter_mut().for_each(Vec::clear);
        self.absent.clear();
        for start in calls.clone().step_by(LOOK_UP_CALLS as usize) {
            let group = start..calls.end.min(start + LOOK_UP_CALLS);
            work.declared.clear();
            work.bytes.clear();
            let end = work.ask::<E>(shared, state, group.clone());
            let mut keys = work.declared.iter().peekable();
            for call in group.start..end {
                while let Some(key) = keys.next_if(|key| key.call == call) {
                    self.claim(state, key, &work.bytes[key.bytes.clone()]);
                }
                self.ends.push(self.places.len() as u32);
            }
            if end < group.end {
                return;
            }
        }
    }

    #[inline]
    fn claim(&mut self, state: &State, declared: &Declared, bytes: &[u8]) {
        let &Declared { call, hash, contract, writes, .. } = declared;
        let (owner, slot) = state.locate(&StateKey { hash, contract, bytes, ordered: false });
        let bucket = &mut self.buckets[owner];
        if slot == NO_SLOT {
            self.absent.push(Absent { owner, place: bucket.len(), contract, bytes: bytes.into() });
        }
        self.places.push((owner as u8, bucket.len() as u32));
        bucket.push(Claim { call, slot, version: 0, wait: NOTHING, writes });
    }

    /// The calls that declare their keys, up to the first that does not.
    pub(crate) fn calls(&self) -> Range<u32> {
        self.first..self.first + self.ends.len() as u32
    }

    /// Owner and claim of each key that a call has declared.
    #[inline]
    pub(crate) fn of(&self, call: CallIndex) -> impl Iterator<Item = (usize, &Claim)> {
        let at = (call.0 - self.first) as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        let places = &self.places[start as usize..self.ends[at] as usize];
        places.iter().map(|&(owner, place)| (usize::from(owner), &self.buckets[usize::from(owner)][place as usize]))
    }
}

impl LookUp {
    /// Asks the calls for their keys, and the processor for the keys' lines. Returns the first call that does not declare its
    /// keys, or the end.
    fn ask<E: Executor>(&mut self, shared: &E::Shared, state: &State, calls: Range<u32>) -> u32 {
        for call in calls.clone() {
            let before = self.declared.len();
            let known = E::declare(shared, CallIndex(call), |contract, bytes, writes| {
                let hash = state.hasher.key(contract, bytes, false).hash;
                state.partitions[owner(hash)].prefetch_search(hash);
                let start = self.bytes.len();
                self.bytes.extend_from_slice(bytes);
                let bytes = start..self.bytes.len();
                self.declared.push(Declared { call, hash, contract, writes, bytes });
            });
            if !known || self.declared.len() - before > CLAIMS_MAX {
                return call;
            }
        }
        calls.end
    }
}

/// One owner's claims of a round.
pub(crate) struct OwnerClaims<'a> {
    pub(crate) owner: usize,
    pub(crate) partition: &'a mut Partition,
    /// Its bucket of each run, with the keys that are absent and the run's calls.
    pub(crate) runs: Vec<OwnerRun<'a>>,
}

/// An owner's part of a run's claims.
pub(crate) struct OwnerRun<'a> {
    calls: Range<u32>,
    bucket: &'a mut Vec<Claim>,
    absent: &'a [Absent],
}

/// The claims of a round, owner by owner.
pub(crate) fn by_owner<'a>(partitions: &'a mut [Partition], runs: &'a mut [RunClaims]) -> Vec<OwnerClaims<'a>> {
    let owners = partitions.iter_mut().enumerate();
    let mut parts: Vec<_> = owners
        .map(|(owner, partition)| OwnerClaims { owner, partition, runs: Vec::with_capacity(runs.len()) })
        .collect();
    for run in runs {
        let calls = run.calls();
        for (part, bucket) in parts.iter_mut().zip(&mut run.buckets) {
            part.runs.push(OwnerRun { calls: calls.clone(), bucket, absent: &run.absent });
        }
    }
    parts
}

impl OwnerClaims<'_> {
    /// Puts absent keys in, makes versions, and says of each claim of round `round` what it waits for.
    pub(crate) fn line_up<E: Executor>(&mut self, shared: &E::Shared, hasher: &KeyHasher, round: u32) {
        let moves = self.partition.moves;
        for run in &mut self.runs {
            for absent in run.absent.iter().filter(|absent| absent.owner == self.owner) {
                let key = hasher.key(absent.contract, &absent.bytes, false);
                run.bucket[absent.place].slot = self.partition.find_or_insert(&key, hasher);
            }
        }
        if self.partition.moves != moves {
            self.look_up_again::<E>(shared, hasher);
        }
        for run in &mut self.runs {
            for at in 0..run.bucket.len() {
                if let Some(ahead) = run.bucket.get(at + SLOTS_PREFETCH) {
                    self.partition.prefetch_slot(ahead.slot);
                }
                let claim = &mut run.bucket[at];
                let version = self.partition.version(claim.slot);
                claim.version = version as u32;
                let version = &mut self.partition.versions[version];
                if version.round != round {
                    (version.round, version.claimants) = (round, Claimants::NONE);
                }
                claim.wait = version.claimants.add(claim.call, claim.writes);
            }
        }
    }

    /// The table has grown, so the slots that were found are others.
    #[cold]
    fn look_up_again<E: Executor>(&mut self, shared: &E::Shared, hasher: &KeyHasher) {
        for run in &mut self.runs {
            let mut claims = run.bucket.iter_mut();
            for call in run.calls.clone() {
                E::declare(shared, CallIndex(call), |contract, bytes, _| {
                    let key = hasher.key(contract, bytes, false);
                    if owner(key.hash) == self.owner
                        && let Some(claim) = claims.next()
                    {
                        claim.slot = self.partition.search(&key).expect("every key of the round is in the table");
                    }
                });
            }
        }
    }
}
