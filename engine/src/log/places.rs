//! Places in a log that is being written, where reading it can begin.
//!
//! A record can be checked only by who knows the chain before it, which segment headers tell: without these places whoever falls
//! behind what is durable would read up to a whole segment again to go on where it was.

use std::collections::VecDeque;

use parking_lot::Mutex;

use super::chain::Chain;
use super::record::Position;

/// Bytes of the log between two places.
const DISTANCE_BYTES: u64 = 2 << 20;
/// Places that are kept, the last ones: of some gigabytes.
const PLACES_MAX: usize = 2_048;

/// Where a group begins.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) position: Position,
    /// What the record there continues.
    pub(crate) chain: Chain,
    /// Everything before it is synced.
    pub(crate) mark: Position,
}

/// The last places, in order.
#[derive(Default)]
pub(crate) struct Places(Mutex<VecDeque<Place>>);

impl Places {
    /// Whether this position is far enough behind the last place.
    pub(crate) fn is_due(&self, position: Position) -> bool {
        self.0.lock().back().is_none_or(|last| position.0 >= last.position.0 + DISTANCE_BYTES)
    }

    /// Keeps a place that lies behind the others.
    pub(crate) fn keep(&self, place: Place) {
        let mut places = self.0.lock();
        if places.len() == PLACES_MAX {
            places.pop_front();
        }
        places.push_back(place);
    }

    /// The last place before the Input of a height, if one is kept.
    pub(crate) fn before(&self, height: u64) -> Option<Place> {
        let places = self.0.lock();
        let behind = places.partition_point(|place| place.chain.last_input < height);
        places.get(behind.checked_sub(1)?).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Genesis;
    use super::*;

    #[test]
    fn the_last_places_are_kept_at_a_distance() {
        let places = Places::default();
        let genesis = Genesis { chain_id: [1; 32], protocol_version: 1, digest_format: 1 };
        let before = |height| places.before(height).map(|place| place.chain.last_input);
        assert_eq!(before(1), None);
        // Three heights in each distance.
        for last_input in 0..3 * (PLACES_MAX as u64 + 10) {
            let position = Position(last_input * (DISTANCE_BYTES / 3 + 1));
            let chain = Chain { last_input, ..Chain::new(genesis) };
            if places.is_due(position) {
                places.keep(Place { position, chain, mark: position });
            }
        }
        assert_eq!(places.0.lock().len(), PLACES_MAX);
        assert_eq!((before(30), before(31), before(33), before(34)), (None, Some(30), Some(30), Some(33)));
        assert_eq!(before(u64::MAX), Some(3 * (PLACES_MAX as u64 + 9)));
    }
}
