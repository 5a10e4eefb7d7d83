//! What calls conflicted on, by contract, method and key, added up over batches: for whoever wants contracts to run in
//! parallel. None of it is a result; it depends on how batches were executed.

use crate::batch::{Address, Batch};
use crate::registry::Registry;
use core::cmp::Reverse;
use phalanx_scheduler::{Cause, Conflicts as Found, ContractIndex, KeyPrefix, Statistics};
use std::collections::BTreeMap;

/// Places that are kept while batches are added up. When there are twice as many, those with the fewest dirty calls are
/// forgotten; one that turns up again starts from nothing.
pub const CONFLICT_PLACES_MAX: usize = 4_096;

/// Where calls conflict: the method of those that had to be executed again, and what they depended on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// The contract whose keys they are.
    pub contract: Address,
    /// The method that was called.
    pub method: String,
    /// How the keys begin.
    pub prefix: KeyPrefix,
}

/// What happened at a place. Of a call with several conflicts there, the first by [`Cause`] counts.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct PlaceConflicts {
    /// Calls that read, or were answered, what they would not have been in order.
    pub dirty_calls: u64,
    /// Of them, those that read a key and left a 16-byte integer there.
    pub counted: u64,
    /// Those that read a key and left another value there.
    pub replaced: u64,
    /// Those that read a key and left it alone.
    pub read: u64,
    /// Those whose `add` or `sub` would get another answer.
    pub answers: u64,
    /// Those that scanned a slot.
    pub scans: u64,
    /// The place's part of the calls that were executed again, by its part of the conflicts of each batch: dirty calls, and
    /// those behind them where the rest of a round was executed in order.
    pub executed_again: u64,
    /// Most calls of a round that touched one key.
    pub chain_max: u32,
}

impl PlaceConflicts {
    /// What most of the calls did.
    pub fn cause(&self) -> Cause {
        let mut most = Cause::Counted;
        for cause in [Cause::Replaced, Cause::Read, Cause::Answer, Cause::Scan] {
            if self.of(cause) > self.of(most) {
                most = cause;
            }
        }
        most
    }

    /// Dirty calls by what they did.
    pub fn of(&self, cause: Cause) -> u64 {
        match cause {
            Cause::Counted => self.counted,
            Cause::Replaced => self.replaced,
            Cause::Read => self.read,
            Cause::Answer => self.answers,
            Cause::Scan => self.scans,
        }
    }

    fn add_call(&mut self, cause: Cause) {
        self.dirty_calls += 1;
        *match cause {
            Cause::Counted => &mut self.counted,
            Cause::Replaced => &mut self.replaced,
            Cause::Read => &mut self.read,
            Cause::Answer => &mut self.answers,
            Cause::Scan => &mut self.scans,
        } += 1;
    }

    fn add(&mut self, other: &PlaceConflicts) {
        self.dirty_calls += other.dirty_calls;
        self.counted += other.counted;
        self.replaced += other.replaced;
        self.read += other.read;
        self.answers += other.answers;
        self.scans += other.scans;
        self.executed_again += other.executed_again;
        self.chain_max = self.chain_max.max(other.chain_max);
    }
}

/// Counts by place, no more than [`CONFLICT_PLACES_MAX`] twice over.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Places(BTreeMap<Place, PlaceConflicts>);

impl Places {
    fn add(&mut self, place: Place, counts: &PlaceConflicts) {
        self.0.entry(place).or_default().add(counts);
    }

    /// Makes room. Answers how many dirty calls the places had that were forgotten.
    fn forget(&mut self) -> u64 {
        if self.0.len() <= 2 * CONFLICT_PLACES_MAX {
            return 0;
        }
        let mut dirty_calls: Vec<u64> = self.0.values().map(|counts| counts.dirty_calls).collect();
        dirty_calls.sort_unstable_by_key(|calls| Reverse(*calls));
        let least = dirty_calls[CONFLICT_PLACES_MAX - 1];
        let mut as_few = dirty_calls[..CONFLICT_PLACES_MAX].iter().filter(|calls| **calls == least).count();
        let mut forgotten = 0;
        self.0.retain(|_, counts| {
            let stays = counts.dirty_calls > least || (counts.dirty_calls == least && as_few > 0);
            as_few -= usize::from(stays && counts.dirty_calls == least);
            forgotten += if stays { 0 } else { counts.dirty_calls };
            stays
        });
        forgotten
    }

    fn top(&self, places: usize) -> Vec<(&Place, &PlaceConflicts)> {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by_key(|(place, counts)| (Reverse(counts.dirty_calls), *place));
        all.truncate(places);
        all
    }
}

/// The conflicts of one batch, or of many.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Conflicts {
    keys: Places,
    slots: Places,
    /// Calls that were executed in parallel. In order, nothing conflicts.
    pub parallel_calls: u64,
    /// Calls whose checks failed when their round was chained.
    pub dirty_calls: u64,
    /// Calls that were executed again.
    pub executed_again: u64,
    /// Dirty calls at places that were forgotten, and conflicts of batches that had too many of them.
    pub forgotten: u64,
}

impl Conflicts {
    pub(crate) fn of_batch(found: &Found, statistics: &Statistics, batch: &Batch, registry: &Registry) -> Self {
        let executed_again = statistics.repaired_calls + statistics.suffix_calls;
        let places = |prefix: fn(&KeyPrefix) -> KeyPrefix| {
            let mut places = Places::default();
            let by_target = by_target(found, batch, prefix);
            let all: u64 = by_target.values().map(|place| place.dirty_calls).sum();
            for ((target, contract, prefix), mut counts) in by_target {
                let part = u128::from(executed_again) * u128::from(counts.dirty_calls) / u128::from(all);
                counts.executed_again = part as u64;
                let method = String::from_utf8_lossy(batch.method(&batch.targets[target])).into_owned();
                places.add(Place { contract: *registry.id(contract), method, prefix }, &counts);
            }
            places
        };
        let mut conflicts = Conflicts {
            keys: places(KeyPrefix::clone),
            slots: places(KeyPrefix::slot),
            parallel_calls: statistics.optimistic_calls,
            dirty_calls: statistics.dirty_calls,
            executed_again,
            forgotten: found.more,
        };
        conflicts.forget();
        conflicts
    }

    /// Adds another batch's.
    pub fn add(&mut self, other: &Conflicts) {
        for (ours, theirs) in [(&mut self.keys, &other.keys), (&mut self.slots, &other.slots)] {
            theirs.0.iter().for_each(|(place, counts)| ours.add(place.clone(), counts));
        }
        self.parallel_calls += other.parallel_calls;
        self.dirty_calls += other.dirty_calls;
        self.executed_again += other.executed_again;
        self.forgotten += other.forgotten;
        self.forget();
    }

    /// The places with the most dirty calls, most first: by the first four bytes of keys.
    pub fn top_keys(&self, places: usize) -> Vec<(&Place, &PlaceConflicts)> {
        self.keys.top(places)
    }

    /// The same by slots. A call that conflicts on two keys of a slot counts once.
    pub fn top_slots(&self, places: usize) -> Vec<(&Place, &PlaceConflicts)> {
        self.slots.top(places)
    }

    fn forget(&mut self) {
        self.forgotten += self.keys.forget();
        self.slots.forget();
    }
}

/// By target of the batch, contract and prefix: names come later, once each.
fn by_target(
    found: &Found,
    batch: &Batch,
    prefix: fn(&KeyPrefix) -> KeyPrefix,
) -> BTreeMap<(usize, ContractIndex, KeyPrefix), PlaceConflicts> {
    let mut places: BTreeMap<_, PlaceConflicts> = BTreeMap::new();
    let mut before = None;
    for conflict in &found.list {
        let target = batch.call(conflict.call.0 as usize).target();
        let prefix = prefix(&conflict.prefix);
        let place = places.entry((target, conflict.contract, prefix)).or_default();
        place.chain_max = place.chain_max.max(conflict.chain);
        // The list is in the order of calls, contracts and keys.
        let now = (conflict.call, conflict.contract, prefix);
        if before.replace(now) != Some(now) {
            place.add_call(conflict.cause);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(number: usize) -> Place {
        let prefix = KeyPrefix::of(&(number as u32).to_be_bytes());
        Place { contract: [1; 32], method: "m".to_owned(), prefix }
    }

    fn conflicts(of: impl Iterator<Item = (usize, u64)>) -> Conflicts {
        let places = of.map(|(number, dirty_calls)| {
            (place(number), PlaceConflicts { dirty_calls, counted: dirty_calls, ..PlaceConflicts::default() })
        });
        Conflicts { keys: Places(places.collect()), ..Conflicts::default() }
    }

    #[test]
    fn places_are_bounded_and_those_with_most_dirty_calls_stay() {
        let mut sum = Conflicts::default();
        for batch in 0..10 {
            let cold = (0..CONFLICT_PLACES_MAX).map(|number| (1_000_000 * (batch + 1) + number, 1));
            sum.add(&conflicts(cold.chain([(7, 5), (8, 3)])));
            assert!(sum.keys.0.len() <= 2 * CONFLICT_PLACES_MAX);
        }
        let top: Vec<_> =
            sum.top_keys(3).into_iter().map(|(place, counts)| (place.clone(), counts.dirty_calls)).collect();
        assert_eq!(top[..2], [(place(7), 50), (place(8), 30)]);
        let kept: u64 = sum.keys.0.values().map(|counts| counts.dirty_calls).sum();
        assert_eq!(kept + sum.forgotten, 10 * (CONFLICT_PLACES_MAX as u64 + 8), "every dirty call is accounted for");
    }

    #[test]
    fn the_cause_is_that_of_most_calls() {
        let mut counts = PlaceConflicts::default();
        for cause in [Cause::Read, Cause::Scan, Cause::Counted, Cause::Scan] {
            counts.add_call(cause);
        }
        assert_eq!((counts.cause(), counts.dirty_calls), (Cause::Scan, 4));
    }
}
