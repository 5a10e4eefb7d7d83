//! Calls of a height as the engine keeps them: pieces of its bytes put together, where messages would cost a dozen fields a call.

use phalanx_proto::history::{self, Fields};

use super::{Form, Height, PART_BYTES, Part};

/// A call's bytes in a height.
type Piece = fn(&Height, u32) -> &[u8];

/// What of each call is put together, in the order of the fields of `CanonicalCalls`.
const PIECES: [Piece; 3] = [
    |height, call| height.batch.call(call as usize).record(),
    |height, call| height.receipts.of_call(call),
    |height, call| height.writes.of_call(call),
];

impl Height {
    /// Puts calls together until a part is full.
    pub(super) fn encode_canonical(&self, calls: &[u32], form: Form) -> Part {
        let asked = [form.calls, form.receipts, form.writes];
        let bytes_of = |call: u32| PIECES.map(|piece| piece(self, call).len());
        let (mut lengths, mut end) = ([0; PIECES.len()], 0);
        for call in calls {
            let mut with = lengths;
            with.iter_mut()
                .zip(bytes_of(*call))
                .zip(asked)
                .for_each(|((all, one), asked)| *all += one * usize::from(asked));
            if end > 0 && with.iter().sum::<usize>() > PART_BYTES {
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
        if form.calls {
            self.push_targets(&mut head, calls);
        }
        let canonical = history::canonical(&head, lengths, |at, field| {
            calls.iter().for_each(|call| field.extend_from_slice(PIECES[at](self, *call)));
        });
        Part { canonical: canonical.into(), next, ..Part::default() }
    }

    /// The targets that calls name, each once.
    fn push_targets(&self, head: &mut Vec<u8>, calls: &[u32]) {
        let targets: Vec<_> = self.batch.targets().collect();
        let mut is_named = vec![false; targets.len()];
        calls.iter().for_each(|call| is_named[self.batch.call(*call as usize).target()] = true);
        for (number, (contract, method)) in targets.into_iter().enumerate().filter(|(number, _)| is_named[*number]) {
            Fields::of(head).message(2, |fields| {
                fields.integer(1, number as u64);
                fields.bytes(2, contract);
                // Decoding has seen to it that it is text.
                fields.bytes(3, method);
            });
        }
    }
}
