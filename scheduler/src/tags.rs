//! One byte a slot, by which a search finds the slot without looking at any other.
//!
//! Slots are cache lines, far more than caches hold, so each one that a search passes over is a wait for memory. Of tags, a
//! cache line holds those of 64 slots. Sixteen are looked at together, and only where seven bits of the hash agree is the slot
//! itself asked for: the right one, but for one in 128 of those that are passed over.

use crate::pages::Pages;
use crate::prefetch::prefetch;
use core::arch::x86_64::{_mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8};

/// Tags that are looked at together.
const GROUP: usize = 16;
const EMPTY: u8 = 0;

/// A key's tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tag(u8);

impl Tag {
    /// Of bits of the hash that neither choose the owner nor where in the table a search starts. The top bit tells a taken slot
    /// from an empty one.
    #[inline(always)]
    pub(crate) fn of(hash: u64) -> Tag {
        Tag(hash as u8 | 0x80)
    }
}

/// The tags of a table's slots. The first ones stand once more behind the last, so that a group never ends at the end.
pub(crate) struct Tags {
    bytes: Pages<u8>,
    capacity: u32,
}

/// Where a search looks next.
pub(crate) enum Look {
    /// At this slot: its tag is the key's.
    Slot(u32),
    /// Nowhere: the key is not in the table, and would be put here.
    Free(u32),
}

/// The slots where a key may be, in the order of the search, up to the free one behind them.
pub(crate) struct Looks<'a> {
    tags: &'a Tags,
    tag: Tag,
    /// Slot of the group's first tag.
    start: u32,
    /// By bit: tags of the group that agree and have not been looked at, before the first empty slot.
    same: u32,
    /// By bit: empty slots of the group.
    empty: u32,
}

impl Tags {
    pub(crate) fn new(capacity: u32) -> Self {
        assert!(capacity as usize >= GROUP, "a table has no fewer slots than are looked at together");
        Self { bytes: Pages::new(capacity as usize + GROUP), capacity }
    }

    #[inline(always)]
    pub(crate) fn capacity(&self) -> u32 {
        self.capacity
    }

    #[inline(always)]
    fn around(&self, index: u32) -> u32 {
        if index >= self.capacity { index - self.capacity } else { index }
    }

    #[inline(always)]
    fn group(&self, start: u32) -> &[u8; GROUP] {
        self.bytes[start as usize..].first_chunk().expect("a group stands behind the last slot")
    }

    /// Asks the processor for the tags from a slot on.
    #[inline(always)]
    pub(crate) fn prefetch(&self, start: u32) {
        prefetch(self.bytes.as_ptr().wrapping_add(start as usize));
    }

    /// Where the search of a tag from a slot on looks first, nearly always: at a slot that has the tag, or that is empty.
    #[inline(always)]
    pub(crate) fn first(&self, start: u32, tag: Tag) -> u32 {
        let (same, taken) = look_at(self.group(start), tag);
        // Above the group's bits none is taken.
        self.around(start + (same | !taken).trailing_zeros())
    }

    /// The search of a tag from a slot on.
    pub(crate) fn looks(&self, start: u32, tag: Tag) -> Looks<'_> {
        let mut looks = Looks { tags: self, tag, start, same: 0, empty: 0 };
        looks.enter(start);
        looks
    }

    /// Whether a slot is empty.
    pub(crate) fn is_empty(&self, index: u32) -> bool {
        self.bytes[index as usize] == EMPTY
    }

    /// Says what a slot holds; `None` if nothing.
    pub(crate) fn set(&mut self, index: u32, tag: Option<Tag>) {
        let byte = tag.map_or(EMPTY, |Tag(byte)| byte);
        let index = index as usize;
        self.bytes[index] = byte;
        if index < GROUP {
            let behind = self.capacity as usize + index;
            self.bytes[behind] = byte;
        }
    }

    /// The tag of a slot; `None` if it is empty.
    pub(crate) fn get(&self, index: u32) -> Option<Tag> {
        Some(self.bytes[index as usize]).filter(|&byte| byte != EMPTY).map(Tag)
    }

    /// What always holds.
    #[cfg(test)]
    pub(crate) fn assert_sound(&self) {
        let (first, behind) = (&self.bytes[..GROUP], &self.bytes[self.capacity as usize..]);
        assert_eq!(first, behind, "the first tags stand behind the last");
    }
}

/// By bit: tags that are this one, and slots that are taken.
#[inline(always)]
fn look_at(group: &[u8; GROUP], tag: Tag) -> (u32, u32) {
    // SAFETY: every processor that this crate is built for has SSE2, and the load asks for no alignment.
    unsafe {
        let group = _mm_loadu_si128(group.as_ptr().cast());
        let same = _mm_movemask_epi8(_mm_cmpeq_epi8(group, _mm_set1_epi8(tag.0 as i8)));
        (same as u32, _mm_movemask_epi8(group) as u32)
    }
}

impl Looks<'_> {
    fn enter(&mut self, start: u32) {
        let (same, taken) = look_at(self.tags.group(start), self.tag);
        self.start = start;
        self.empty = !taken & ((1 << GROUP) - 1);
        let before_empty = (self.empty & self.empty.wrapping_neg()).wrapping_sub(1);
        self.same = same & before_empty;
    }

    pub(crate) fn next(&mut self) -> Look {
        loop {
            if self.same != 0 {
                let slot = self.tags.around(self.start + self.same.trailing_zeros());
                self.same &= self.same - 1;
                return Look::Slot(slot);
            }
            if self.empty != 0 {
                return Look::Free(self.tags.around(self.start + self.empty.trailing_zeros()));
            }
            self.enter(self.tags.around(self.start + GROUP as u32));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(tags: &Tags, start: u32, tag: Tag) -> (Vec<u32>, u32) {
        let (mut looks, mut slots) = (tags.looks(start, tag), Vec::new());
        loop {
            match looks.next() {
                Look::Slot(slot) => slots.push(slot),
                Look::Free(free) => return (slots, free),
            }
        }
    }

    #[test]
    fn a_search_goes_around_the_end_and_over_groups_and_ends_at_the_first_empty_slot() {
        let mut tags = Tags::new(48);
        let (mine, other) = (Tag::of(0x11), Tag::of(0x12));
        // Slots 40 to 47 and 0 to 19 are taken: more than a group.
        for slot in (40..48).chain(0..20) {
            tags.set(slot, Some(if slot % 2 == 0 { mine } else { other }));
        }
        tags.set(21, Some(mine));
        tags.assert_sound();
        let expected: Vec<u32> = (41..48).chain(0..20).filter(|slot| slot % 2 == 0).collect();
        assert_eq!(all(&tags, 41, mine), (expected, 20), "what stands behind an empty slot is not looked at");
        assert_eq!(all(&tags, 41, Tag::of(0x13)), (vec![], 20));
        assert_eq!(all(&tags, 30, mine), (vec![], 30));
        assert_eq!((tags.first(41, mine), tags.first(47, mine), tags.first(19, mine)), (42, 0, 20));
        tags.set(2, None);
        tags.assert_sound();
        assert_eq!(all(&tags, 47, mine), (vec![0], 2));
        assert_eq!((tags.get(2), tags.get(3), tags.is_empty(2)), (None, Some(other), true));
    }
}
