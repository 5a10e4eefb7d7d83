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

/// The last heights in order, without a gap. They need not be durable: who tells them waits for that.
pub(crate) struct Recent {
    heights: Mutex<VecDeque<Arc<Height>>>,
    subscribers: Arc<Subscribers>,
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
        self.push(Height::executed(batch, executed, &self.subscribers.audience()));
    }

    fn push(&self, height: Height) {
        let mut heights = self.heights.lock();
        if heights.back().is_some_and(|last| last.number() + 1 != height.number()) {
            heights.clear();
        }
        heights.push_back(Arc::new(height));
        let mut bytes: usize = heights.iter().map(|height| height.bytes()).sum();
        while bytes > RECENT_BYTES_MAX || heights.len() > RECENT_HEIGHTS_MAX {
            let Some(oldest) = heights.pop_front() else { return };
            bytes -= oldest.bytes().min(bytes);
        }
    }

    /// A height, if it is a recent one.
    pub(crate) fn get(&self, height: u64) -> Option<Arc<Height>> {
        let heights = self.heights.lock();
        let place = height.checked_sub(heights.front()?.number())?;
        heights.get(place as usize).cloned()
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
        let heights = recent.heights.lock();
        let number = |height: Option<&Arc<Height>>| height.map(|height| height.number());
        (number(heights.front()), number(heights.back()))
    }

    #[test]
    fn the_last_heights_are_kept_within_bytes_and_number() {
        let recent = Recent::new();
        (1..=30).for_each(|number| recent.push(height(number, 10 << 20)));
        assert_eq!(kept(&recent), (Some(6), Some(30)));
        assert_eq!(
            [5, 6, 30, 31].map(|number| recent.get(number).map(|height| height.number())),
            [None, Some(6), Some(30), None]
        );
        (31..=30 + 1_030).for_each(|number| recent.push(height(number, 10)));
        assert_eq!(kept(&recent), (Some(37), Some(1_060)));
        // Behind a gap others come first.
        recent.push(height(2_000, 10));
        assert_eq!(kept(&recent), (Some(2_000), Some(2_000)));
        recent.push(height(2_001, 15 << 20));
        assert_eq!(kept(&recent), (Some(2_000), Some(2_001)));
    }
}
