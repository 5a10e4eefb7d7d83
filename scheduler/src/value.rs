//! Values as slots, journals and undo entries hold them: up to 16 bytes in place, longer ones on the heap.

/// Longest value that is kept in place.
pub(crate) const INLINE_VALUE_BYTES: usize = 16;

/// What a value's 16 bytes mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ValueTag(pub(crate) u8);

impl ValueTag {
    /// There is no value.
    pub(crate) const ABSENT: ValueTag = ValueTag(0xfe);
    /// The bytes are on the heap.
    pub(crate) const LONG: ValueTag = ValueTag(0xff);

    #[inline]
    pub(crate) fn inline(length: usize) -> Self {
        debug_assert!(length <= INLINE_VALUE_BYTES);
        Self(length as u8)
    }

    /// Length of a value that is kept in place.
    #[inline]
    pub(crate) fn inline_length(self) -> Option<usize> {
        (self.0 as usize <= INLINE_VALUE_BYTES).then_some(self.0 as usize)
    }
}

/// A value as a slot has it: long ones are places in the partition's heap.
pub(crate) type Raw = (ValueTag, [u8; INLINE_VALUE_BYTES]);

/// The integer that a value is; `None` if it is not 16 bytes long, as no long value is. An absent key counts as 0.
#[inline]
pub(crate) fn integer_of((tag, raw): Raw) -> Option<u128> {
    match tag.inline_length() {
        Some(16) => Some(u128::from_le_bytes(raw)),
        None if tag == ValueTag::ABSENT => Some(0),
        _ => None,
    }
}

/// Boxes that free their places for reuse; a place is a 32-bit number, which fits where a pointer would not.
#[derive(Default)]
pub(crate) struct Heap {
    boxes: Vec<Box<[u8]>>,
    free: Vec<u32>,
}

impl Heap {
    pub(crate) fn put(&mut self, bytes: Box<[u8]>) -> u32 {
        if let Some(place) = self.free.pop() {
            self.boxes[place as usize] = bytes;
            return place;
        }
        self.boxes.push(bytes);
        u32::try_from(self.boxes.len() - 1).expect("a partition holds fewer than 2^32 entries")
    }

    /// Checks that these are all the places in use, each once.
    #[cfg(test)]
    pub(crate) fn assert_used(&self, mut used: Vec<u32>) {
        used.extend_from_slice(&self.free);
        used.sort_unstable();
        let all: Vec<u32> = (0..self.boxes.len() as u32).collect();
        assert_eq!(used, all, "each place of a heap is used once, or free");
    }

    pub(crate) fn get(&self, place: u32) -> &[u8] {
        &self.boxes[place as usize]
    }

    pub(crate) fn take(&mut self, place: u32) -> Box<[u8]> {
        self.free.push(place);
        core::mem::take(&mut self.boxes[place as usize])
    }
}
