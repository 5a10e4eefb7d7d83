//! Which granules each store marks in the dirty map, and which stores need no mark of their own.
//!
//! A store that starts at address `a` marks granule `a >> GRANULE_LOG2`, before it runs. A mark stands for its granule
//! and [`GRANULE_SLACK_BYTES`] after it, as a store may straddle two granules.
//!
//! Stores of one basic block whose addresses differ by constants form a *group*. The first store of a group marks for
//! all of it, which loses nothing as a marked granule that a trap keeps unwritten is restored to what it holds:
//!
//! - If all of the group ends at most 1 + slack bytes after its lowest address, the mark of that address covers it:
//!   in the worst case this address is the last byte of its granule.
//! - Else, if its addresses span at most a granule, each lies in the granule of the lowest or of the highest one: two
//!   marks cover it.
//!
//! Later blocks that only the block of the group leads to (no join between) rely on its marks, but do not extend it.

use super::interface::{GRANULE_LOG2, GRANULE_SLACK_BYTES};
use super::values::{Base, Value};

/// Most groups that are followed at once: each store looks through them.
const GROUPS_MAX: usize = 16;
/// From the lowest address of a group to the highest, in bytes.
const SPAN_MAX: i64 = 1 << GRANULE_LOG2;
/// From the address of a mark to the end of the last store that it stands for, in bytes.
const REACH_MAX: i64 = 1 + GRANULE_SLACK_BYTES as i64;

/// The marks that the code of one store makes: what to add to its address operand, modulo 2³², to find their addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) first: Option<u32>,
    pub(super) second: Option<u32>,
}

/// Stores whose addresses differ by constants. Distances are from the address of the first store.
struct Group {
    /// Which store the group's marks belong to.
    store: usize,
    base: Base,
    /// Address of the first store, relative to `base`.
    origin: u32,
    /// What the first store adds to its address operand.
    offset: u32,
    block: u32,
    lowest: i64,
    highest: i64,
    /// Where the last byte written ends.
    end: i64,
}

/// Plans the marks of a function's stores, in their order.
#[derive(Default)]
pub(super) struct MarkPlanner {
    stores: Vec<Marks>,
    groups: Vec<Group>,
    block: u32,
}

impl MarkPlanner {
    /// A basic block ends: groups take no more stores, but their marks hold.
    pub(super) fn next_block(&mut self) {
        self.block += 1;
    }

    /// Control flow joins: no mark is known to have been made.
    pub(super) fn join(&mut self) {
        self.block += 1;
        self.finish(0);
    }

    /// Adds a store of `bytes` at `address` + `offset`.
    pub(super) fn store(&mut self, address: Value, offset: u32, bytes: u32) {
        let store = self.stores.len();
        self.stores.push(Marks::default());
        let place = address.constant.wrapping_add(offset);
        if let Some(index) = self.groups.iter().position(|group| group.base == address.base) {
            if self.groups[index].takes(place, i64::from(bytes), self.block) {
                return;
            }
            let group = self.groups.remove(index);
            self.stores[group.store] = group.marks();
        } else if self.groups.len() == GROUPS_MAX {
            let group = self.groups.remove(0);
            self.stores[group.store] = group.marks();
        }
        self.groups.push(Group {
            store,
            base: address.base,
            origin: place,
            offset,
            block: self.block,
            lowest: 0,
            highest: 0,
            end: i64::from(bytes),
        });
    }

    /// The marks of every store.
    pub(super) fn into_marks(mut self) -> Vec<Marks> {
        self.finish(0);
        self.stores
    }

    fn finish(&mut self, from: usize) {
        for group in self.groups.drain(from..) {
            self.stores[group.store] = group.marks();
        }
    }
}

impl Group {
    /// Whether the group's marks cover a store at `place` from its base, if need be by extending the group.
    fn takes(&mut self, place: u32, bytes: i64, block: u32) -> bool {
        // Both stores, if they do not trap, are within memory, far below 2³¹: so this distance is the true one.
        let distance = i64::from(place.wrapping_sub(self.origin).cast_signed());
        if block != self.block {
            return self.covers(distance, bytes);
        }
        let (lowest, highest) = (self.lowest.min(distance), self.highest.max(distance));
        if highest - lowest > SPAN_MAX {
            return false;
        }
        (self.lowest, self.highest, self.end) = (lowest, highest, self.end.max(distance + bytes));
        true
    }

    /// Whether the marks of a group that takes no more stores cover one.
    fn covers(&self, distance: i64, bytes: i64) -> bool {
        let last_mark = if self.has_one_mark() { self.lowest } else { self.highest };
        distance >= self.lowest && distance + bytes <= last_mark + REACH_MAX
    }

    fn has_one_mark(&self) -> bool {
        self.end <= self.lowest + REACH_MAX
    }

    fn marks(&self) -> Marks {
        let mark = |distance: i64| {
            // `distance` is at most a granule either way, and sums of addresses are modulo 2³².
            let distance = i32::try_from(distance).unwrap_or_default();
            Some(self.offset.wrapping_add_signed(distance))
        };
        let second = if self.has_one_mark() { None } else { mark(self.highest) };
        Marks { first: mark(self.lowest), second }
    }
}
