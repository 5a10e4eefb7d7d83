//! Calls of a height as the engine keeps them: pieces of its bytes put together, where messages would cost a dozen fields a call.

use phalanx_proto::history::{self, Fields};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{Form, Height, PART_BYTES, Part};

/// A call's bytes in a height.
type Piece = fn(&Height, u32) -> &[u8];

/// What of each call is put together, in the order of the fields of `CanonicalCalls`.
const PIECES: [Piece; 3] = [
    |height, call| height.batch.call(call as usize).record(),
    |height, call| height.receipts.of_call(call),
    |height, call| height.writes.of_call(call),
];

/// Bytes that an index takes at most: a batch has no more calls than fit into three.
const INDEX_BYTES_MAX: usize = 3;
/// Bytes that a target takes at most besides its method's name.
const TARGET_BYTES_MAX: usize = 44;

/// The first call of a message that names each target, by the target's number.
type Targets = BTreeMap<usize, u32>;

impl Height {
    /// Puts calls together until a part is full.
    pub(super) fn encode_canonical(&self, calls: &[u32], form: Form) -> Part {
        let asked = [form.calls, form.receipts, form.writes];
        let (mut lengths, mut targets, mut head_max, mut end) = ([0; PIECES.len()], Targets::new(), 0, 0);
        for call in calls {
            let mut with = lengths;
            for ((all, piece), _) in with.iter_mut().zip(PIECES).zip(asked).filter(|(_, asked)| *asked) {
                *all += piece(self, *call).len();
            }
            let target = if form.calls { self.add_target(&mut targets, *call) } else { 0 };
            head_max += INDEX_BYTES_MAX + target;
            if end > 0 && head_max + with.iter().sum::<usize>() > PART_BYTES {
                targets.retain(|_, first| first != call);
                break;
            }
            (lengths, end) = (with, end + 1);
        }
        let next = calls.get(end).copied();
        let calls = &calls[..end];
        if calls.is_empty() {
            return Part::default();
        }
        let mut head = Vec::new();
        Fields::of(&mut head).integers(1, calls.iter().map(|call| u64::from(*call)));
        for (number, first) in targets {
            let (contract, method) = self.batch.target_of(&self.batch.call(first as usize));
            Fields::of(&mut head).message(2, |fields| {
                fields.integer(1, number as u64);
                fields.bytes(2, contract);
                // Decoding has seen to it that it is text.
                fields.bytes(3, method);
            });
        }
        let canonical = history::canonical(&head, lengths, |at, field| {
            calls.iter().for_each(|call| field.extend_from_slice(PIECES[at](self, *call)));
        });
        Part { canonical: canonical.into(), next, ..Part::default() }
    }

    /// Notes the target of a call, if none before has named it. Returns the bytes that it takes then, at most.
    fn add_target(&self, targets: &mut Targets, index: u32) -> usize {
        let call = self.batch.call(index as usize);
        match targets.entry(call.target()) {
            Entry::Occupied(_) => 0,
            Entry::Vacant(place) => {
                place.insert(index);
                TARGET_BYTES_MAX + self.batch.target_of(&call).1.len()
            }
        }
    }
}
