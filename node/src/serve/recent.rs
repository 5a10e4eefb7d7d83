//! The last heights, kept in memory as subscribers are told them, as long as there are subscribers.

use parking_lot::Mutex;
use phalanx_engine::{Batch, BatchBytes, Executed};
use std::collections::VecDeque;
use std::sync::Arc;

use super::subscribers::Subscribers;
use super::wire::Height;

/// Bytes that they may take together, with what was encoded of them. At full load they are those of half a second.
const RECENT_BYTES_MAX: usize = 256 << 20;
/// Heights, at most: small ones are quickly read from the log.
const RECENT_HEIGHTS_MAX: usize = 1_024;

/// Heights that are counted again with each that comes: those of which most is being encoded.
const COUNTED_EACH_TIME: usize = 16;
/// Heights after which all are: to look at each of a thousand is to wait for memory as often.
const COUNTED_AFTER: u64 = 64;

/// The last heights in order, without a gap. They need not be durable: who tells them waits for that.
pub(crate) struct Recent {
    heights: Mutex<Heights>,
    subscribers: Arc<Subscribers>,
}

/// Heights, with the bytes that each took when it was last counted.
#[derive(Default)]
struct Heights {
    kept: VecDeque<(Arc<Height>, usize)>,
    /// Sum of their bytes.
    bytes: usize,
    pushed: u64,
}

impl Heights {
    fn push(&mut self, height: Height) {
        if self.kept.back().is_some_and(|(last, _)| last.number() + 1 != height.number()) {
            self.clear();
        }
        self.kept.push_back((Arc::new(height), 0));
        self.pushed += 1;
        let is_time = self.pushed.is_multiple_of(COUNTED_AFTER);
        let unchanged = if is_time { 0 } else { self.kept.len().saturating_sub(COUNTED_EACH_TIME) };
        for (height, counted) in self.kept.range_mut(unchanged..) {
            let before = core::mem::replace(counted, height.bytes());
            self.bytes = self.bytes - before + *counted;
        }
        while self.bytes > RECENT_BYTES_MAX || self.kept.len() > RECENT_HEIGHTS_MAX {
            let Some((_, counted)) = self.kept.pop_front() else { return };
            self.bytes -= counted;
        }
    }

    fn clear(&mut self) {
        self.kept.clear();
        self.bytes = 0;
    }
}

impl Recent {
    pub(crate) fn new() -> Recent {
        Recent { heights: Mutex::default(), subscribers: Arc::default() }
    }

    /// Who is told them.
    pub(crate) fn subscribers(&self) -> &Arc<Subscribers> {
        &self.subscribers
    }

    /// Keeps a height that was executed, if anybody may ask for it.
    pub(crate) fn keep(&self, batch: &BatchBytes, executed: &Executed) {
        if self.subscribers.count() == 0 {
            return self.heights.lock().clear();
        }
        let batch = Batch::decode(batch.clone()).expect("it was decoded to be executed");
        // Before the lock, which all who are told heights take.
        let height = Height::executed(batch, executed, &self.subscribers.audience());
        self.heights.lock().push(height);
    }

    /// A height, if it is a recent one.
    pub(crate) fn get(&self, height: u64) -> Option<Arc<Height>> {
        let heights = self.heights.lock();
        let place = height.checked_sub(heights.kept.front()?.0.number())?;
        heights.kept.get(place as usize).map(|(height, _)| Arc::clone(height))
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::Audience;
    use super::*;
    use phalanx_engine::{BatchBuilder, Call};

    fn height(number: u64, argument_bytes: usize) -> Height {
        let mut batch = BatchBuilder::new(number, 0);
        let arguments = &vec![7; argument_bytes];
        let call = Call { contract: [1; 32], method: "m", sender: [2; 32], arguments, gas_limit: 0 };
        batch.push(&call).expect("it fits");
        Height::of(Batch::decode(batch.finish()).expect("it is well formed"), None, &Audience::default())
    }

    fn kept(recent: &Recent) -> (Option<u64>, Option<u64>) {
        let Heights { kept, bytes, .. } = &*recent.heights.lock();
        assert_eq!(*bytes, kept.iter().map(|(height, _)| height.bytes()).sum::<usize>());
        let number = |height: Option<&(Arc<Height>, usize)>| height.map(|(height, _)| height.number());
        (number(kept.front()), number(kept.back()))
    }

    #[test]
    fn the_last_heights_are_kept_within_bytes_and_number() {
        let recent = Recent::new();
        (1..=30).for_each(|number| recent.heights.lock().push(height(number, 10 << 20)));
        assert_eq!(kept(&recent), (Some(6), Some(30)));
        assert_eq!(
            [5, 6, 30, 31].map(|number| recent.get(number).map(|height| height.number())),
            [None, Some(6), Some(30), None]
        );
        (31..=30 + 1_030).for_each(|number| recent.heights.lock().push(height(number, 10)));
        assert_eq!(kept(&recent), (Some(37), Some(1_060)));
        // Behind a gap others come first.
        recent.heights.lock().push(height(2_000, 10));
        assert_eq!(kept(&recent), (Some(2_000), Some(2_000)));
        recent.heights.lock().push(height(2_001, 15 << 20));
        assert_eq!(kept(&recent), (Some(2_000), Some(2_001)));
    }
}
