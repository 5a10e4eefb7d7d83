//! Calls by their senders' ids.

use std::collections::{HashMap, VecDeque};

use super::Seen;
use crate::serve::submission::Position;

/// Sender and id, hashed: half of their bytes.
type Key = [u8; 16];

/// The ids of a window of heights.
pub(crate) struct Ids {
    calls: HashMap<Key, Call>,
    /// The keys of each height that has any, in order.
    heights: VecDeque<(u64, Vec<Key>)>,
    window_heights: u64,
    ids_max: usize,
    /// Below this height nothing is remembered.
    earliest: u64,
}

struct Call {
    height: u64,
    index: u32,
    fingerprint: u64,
}

impl Ids {
    pub(super) fn new(window_heights: u64, ids_max: usize) -> Ids {
        Ids { calls: HashMap::new(), heights: VecDeque::new(), window_heights, ids_max, earliest: 1 }
    }

    /// The lowest height whose ids are all remembered.
    pub(crate) fn earliest(&self) -> u64 {
        self.earliest
    }

    /// Where the call with an id stands.
    pub(crate) fn position(&self, sender: &[u8; 32], id: &[u8; 16]) -> Option<Position> {
        self.calls.get(&key(sender, id)).map(Call::position)
    }

    pub(crate) fn look_up(&self, sender: &[u8; 32], id: &[u8; 16], fingerprint: u64) -> Seen {
        match self.calls.get(&key(sender, id)) {
            None => Seen::Never,
            Some(call) if call.fingerprint == fingerprint => Seen::At(call.position()),
            Some(call) => Seen::Other(call.position()),
        }
    }

    pub(crate) fn note(&mut self, sender: &[u8; 32], id: &[u8; 16], fingerprint: u64, position: Position) {
        let key = key(sender, id);
        let call = Call { height: position.height, index: position.index, fingerprint };
        self.calls.insert(key, call);
        match self.heights.back_mut() {
            Some((height, keys)) if *height == position.height => keys.push(key),
            _ => self.heights.push_back((position.height, vec![key])),
        }
        self.forget(position.height);
    }

    /// Forgets what is out of the window that ends at a height, and the earliest heights if there is too much.
    fn forget(&mut self, height: u64) {
        self.earliest = self.earliest.max((height + 1).saturating_sub(self.window_heights));
        while let Some((oldest, _)) = self.heights.front()
            && (*oldest < self.earliest || (self.calls.len() > self.ids_max && *oldest < height))
        {
            let Some((oldest, keys)) = self.heights.pop_front() else { break };
            self.earliest = self.earliest.max(oldest + 1);
            for key in keys {
                // The id may have been used again after it left the window.
                if self.calls.get(&key).is_some_and(|call| call.height == oldest) {
                    self.calls.remove(&key);
                }
            }
        }
    }
}

impl Call {
    fn position(&self) -> Position {
        Position { height: self.height, index: self.index, calls: 1 }
    }
}

/// An id is its sender's own: nobody can use up those of others.
fn key(sender: &[u8; 32], id: &[u8; 16]) -> Key {
    let mut hasher = blake3::Hasher::new();
    hasher.update(sender).update(id);
    *hasher.finalize().as_bytes().first_chunk().expect("a hash has 32 bytes")
}
