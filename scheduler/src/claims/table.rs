//! The table while calls hold keys of it: the only place where workers write to shared state at the same time.
//!
//! What makes that sound is one rule: *whoever holds a key alone touches its slot and version; who holds it for reading shares
//! the slot with other readers*. It follows from how claims wait. Take two calls with claims on one key, at least one of which
//! writes. The later one waits, directly or through claims between them, until the earlier one is done; and a worker says that a
//! call is done with a store that releases, which the waiting one acquires. So all that the earlier one did to slot and
//! version happened before the later one began. Keys and long values lie on heaps that nobody changes meanwhile.

use super::{Claim, Wait};
use crate::hash::KeyHasher;
use crate::key::{ContractIndex, INLINE_KEY_BYTES, StateKey};
use crate::partition::Version;
use crate::prefetch::{prefetch, prefetch_for_write};
use crate::record::RecordId;
use crate::slot::{Slot, value_bytes};
use crate::state::State;
use crate::value::{Heap, Raw};
use core::ptr::NonNull;

/// A key that the running call holds.
pub(crate) struct Held {
    owner: usize,
    slot: usize,
    version: usize,
    writes: bool,
    /// Number of the call's entry of the key, when it has written it.
    pub(crate) entry: Option<u32>,
}

impl Held {
    /// # Safety
    /// The call has waited for what its claim on the owner's key says, and does not hold the key twice for writing. It is not
    /// done while this exists.
    #[inline]
    pub(crate) unsafe fn new(owner: usize, claim: &Claim) -> Self {
        let Claim { slot, version, writes, .. } = *claim;
        Self { owner, slot: slot as usize, version: version as usize, writes, entry: None }
    }

    #[inline]
    pub(crate) fn owner(&self) -> usize {
        self.owner
    }

    #[inline]
    pub(crate) fn version(&self) -> usize {
        self.version
    }

    /// Whether it may be written.
    #[inline]
    pub(crate) fn writes(&self) -> bool {
        self.writes
    }
}

struct Part {
    slots: NonNull<[Slot]>,
    versions: NonNull<[Version]>,
    keys: NonNull<Heap>,
    values: NonNull<Heap>,
}

/// The state's slots and versions.
pub(crate) struct Table {
    parts: Vec<Part>,
    hasher: KeyHasher,
    pub(crate) writes_max: usize,
}

// SAFETY: what the pointers lead to is only touched through held keys, by the rule above; slots, versions and heaps are plain
// memory that belongs to no thread.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

impl Table {
    /// # Safety
    /// Nothing else touches the state's partitions while the table exists.
    pub(crate) unsafe fn new(state: &mut State) -> Self {
        let parts = state.partitions.iter_mut();
        let parts = parts
            .map(|partition| Part {
                keys: NonNull::from(&partition.keys),
                values: NonNull::from(&partition.values),
                versions: NonNull::from(&mut partition.versions[..]),
                slots: NonNull::from(partition.slots_mut()),
            })
            .collect();
        Self { parts, hasher: state.hasher.clone(), writes_max: state.writes_max }
    }

    /// Asks the processor for the lines of a claim's key. Not of one that another call of the round has before: it would be taken
    /// from under that one's hands.
    #[inline]
    pub(crate) fn prefetch(&self, owner: usize, claim: &Claim) {
        if claim.wait() != Wait::Nothing {
            return;
        }
        let part = &self.parts[owner];
        let slot = part.slots.as_ptr().cast::<Slot>().wrapping_add(claim.slot as usize);
        if claim.writes {
            prefetch_for_write(slot);
            prefetch_for_write(part.versions.as_ptr().cast::<Version>().wrapping_add(claim.version as usize));
        } else {
            prefetch(slot);
        }
    }

    fn slot_place(&self, held: &Held) -> *mut Slot {
        let slots = self.parts[held.owner].slots;
        assert!(held.slot < slots.len(), "a claim's slot is in the table");
        // SAFETY: inside the slice, as was just looked at.
        unsafe { slots.as_ptr().cast::<Slot>().add(held.slot) }
    }

    #[inline]
    fn slot<'a>(&'a self, held: &'a Held) -> &'a Slot {
        // SAFETY: the slice outlives `self` (`new`); whoever holds the key may read the slot, and nobody writes it before the
        // call is done (`Held::new`), but the call itself, which it does through the same `Held` by `&mut`.
        unsafe { &*self.slot_place(held) }
    }

    /// Whether the key that is held is this one.
    #[inline]
    pub(crate) fn is_key(&self, held: &Held, contract: ContractIndex, bytes: &[u8]) -> bool {
        let key = match bytes.len() <= INLINE_KEY_BYTES {
            // Its hash is not looked at.
            true => StateKey { hash: 0, contract, bytes, ordered: false },
            false => self.hasher.key(contract, bytes, false),
        };
        // SAFETY: the heap outlives `self` (`new`) and is not changed meanwhile.
        self.slot(held).holds(&key, unsafe { self.parts[held.owner].keys.as_ref() })
    }

    #[inline]
    pub(crate) fn value<'a>(&'a self, held: &'a Held) -> Option<&'a [u8]> {
        let (tag, raw) = self.slot(held).raw_value_ref();
        // SAFETY: the heap outlives `self` (`new`) and is not changed meanwhile.
        value_bytes(tag, raw, unsafe { self.parts[held.owner].values.as_ref() })
    }

    #[inline]
    pub(crate) fn raw(&self, held: &Held) -> Raw {
        self.slot(held).raw_value()
    }

    #[inline]
    pub(crate) fn put(&self, held: &mut Held, (tag, raw): Raw) {
        assert!(held.writes, "a key that is written is held for it");
        // SAFETY: the slice outlives `self` (`new`); the call holds the key alone (`Held::new`), and the reference ends here.
        unsafe { &mut *self.slot_place(held) }.set_raw_value(tag, raw);
    }

    /// Replaces the key's last write.
    #[inline]
    pub(crate) fn replace_last(&self, held: &mut Held, last: RecordId) -> RecordId {
        assert!(held.writes, "a key that is written is held for it");
        let versions = self.parts[held.owner].versions;
        assert!(held.version < versions.len(), "a claim's version is there");
        // SAFETY: inside the slice, which outlives `self` (`new`); the call holds the key alone (`Held::new`).
        let version = unsafe { &mut *versions.as_ptr().cast::<Version>().add(held.version) };
        core::mem::replace(&mut version.last, last)
    }
}
