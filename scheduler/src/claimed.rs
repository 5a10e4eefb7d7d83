//! Calls that hold the keys that they declared write in place, beside others that hold other keys; see [`crate::claims`].
//!
//! A call that touches another key, or does what cannot be done beside others (scans, long values, savepoints), *strays*. Whatever
//! it is answered from then on does not count: it is executed again, in order.

use crate::claims::Held;
use crate::delta::{Answer, Delta};
use crate::hash::OWNER_BITS;
use crate::in_place::Undo;
use crate::key::{ContractIndex, StateKey};
use crate::record::{Entry, RecordId};
use crate::run::Side;
use crate::value::{INLINE_VALUE_BYTES, Raw, ValueTag, integer_of};
use crate::view::{Base, TooManyWrites, View};

/// What a view has while calls hold keys.
#[derive(Default)]
pub(crate) struct Claimed {
    /// What the running call holds.
    pub(crate) held: Vec<Held>,
    /// Whether it has strayed.
    pub(crate) strayed: bool,
    /// How the writes of calls that are done are taken back: those of each call, one behind the other.
    pub(crate) undos: Vec<Undo>,
    /// Owners, by bit, of which a key may have lost its value.
    pub(crate) holds_absent: u16,
}

const _: () = assert!(crate::hash::OWNERS <= 16);

impl View {
    #[inline]
    pub(crate) fn holds_keys(&self) -> bool {
        matches!(self.base, Base::Claimed(_))
    }

    /// The place of a key among those that the call holds; for writing, if it is so held at all.
    #[inline]
    fn held(&mut self, contract: ContractIndex, key: &[u8], writes: bool) -> Option<usize> {
        let Base::Claimed(table) = &self.base else { unreachable!("the call holds keys") };
        let held = &self.claimed.held;
        let mut found = None;
        for (at, held) in held.iter().enumerate() {
            if table.is_key(held, contract, key) {
                found = Some(at);
                if held.writes() {
                    break;
                }
            }
        }
        let found = found.filter(|&at| !writes || held[at].writes());
        self.claimed.strayed |= found.is_none();
        found
    }

    /// [`View::get`] of a call that holds keys.
    #[inline]
    pub(crate) fn get_held(&mut self, contract: ContractIndex, key: &[u8]) -> Option<&[u8]> {
        let at = self.held(contract, key, false)?;
        let Base::Claimed(table) = &self.base else { unreachable!("the call holds keys") };
        table.value(&self.claimed.held[at])
    }

    /// [`View::set`] of a call that holds keys.
    #[inline]
    pub(crate) fn set_held(
        &mut self,
        contract: ContractIndex,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), TooManyWrites> {
        let now = match value {
            None => (ValueTag::ABSENT, [0; INLINE_VALUE_BYTES]),
            Some(short) if short.len() <= INLINE_VALUE_BYTES => {
                let mut raw = [0; INLINE_VALUE_BYTES];
                raw[..short.len()].copy_from_slice(short);
                (ValueTag::inline(short.len()), raw)
            }
            Some(_) => {
                self.claimed.strayed = true;
                return Ok(());
            }
        };
        match self.held(contract, key, true) {
            None => Ok(()),
            Some(at) => self.put_held(at, key, contract, now),
        }
    }

    /// [`View::set_once`] of a call that holds keys.
    pub(crate) fn set_once_held(
        &mut self,
        contract: ContractIndex,
        key: &[u8],
        value: &[u8],
    ) -> Result<bool, TooManyWrites> {
        if self.get_held(contract, key).is_some() {
            return Ok(false);
        }
        self.set_held(contract, key, Some(value)).map(|()| true)
    }

    /// [`View::add`] of a call that holds keys.
    #[inline]
    pub(crate) fn add_held(
        &mut self,
        contract: ContractIndex,
        key: &[u8],
        delta: Delta,
    ) -> Result<Answer, TooManyWrites> {
        let Some(at) = self.held(contract, key, true) else { return Ok(Answer::Refused) };
        let Base::Claimed(table) = &self.base else { unreachable!("the call holds keys") };
        let before = integer_of(table.raw(&self.claimed.held[at]));
        let Some(before) = before else { return Ok(Answer::WrongLength) };
        let Some(after) = delta.applied_to(before) else { return Ok(Answer::Refused) };
        self.put_held(at, key, contract, (ValueTag::inline(16), after.to_le_bytes()))?;
        Ok(Answer::Applied)
    }

    #[inline]
    fn put_held(&mut self, at: usize, key: &[u8], contract: ContractIndex, now: Raw) -> Result<(), TooManyWrites> {
        let Base::Claimed(table) = &self.base else { unreachable!("the call holds keys") };
        let held = &mut self.claimed.held[at];
        let entry = match held.entry {
            Some(entry) => entry as usize,
            None => {
                let number = self.undo.len();
                if number == table.writes_max {
                    return Err(TooManyWrites);
                }
                let value = table.raw(held);
                if value.0 == ValueTag::LONG {
                    // Its bytes would have to be freed.
                    self.claimed.strayed = true;
                    return Ok(());
                }
                let Side { entries, bytes, .. } = &mut self.run.side;
                let hash = (held.owner() as u64) << (64 - OWNER_BITS);
                Entry::push(entries, &StateKey { hash, contract, bytes: key, ordered: false }, bytes);
                entries[self.run_open + number].set_writes();
                let last = table.replace_last(held, RecordId::of_entry(self.call, number));
                let (owner, version) = (held.owner() as u8, held.version() as u32);
                self.undo.push(Undo { owner, since: 0, version, last, value });
                held.entry = Some(number as u32);
                number
            }
        };
        self.run.side.entries[self.run_open + entry].set_raw(now);
        table.put(held, now);
        if now.0 == ValueTag::ABSENT {
            self.claimed.holds_absent |= 1 << held.owner();
        }
        Ok(())
    }

    /// Ends a call that held keys: what it wrote stays, or is taken back.
    #[inline]
    pub(crate) fn end_held(&mut self, keep: bool) {
        if keep {
            self.claimed.undos.append(&mut self.undo);
        } else {
            self.take_back_held();
        }
        self.claimed.held.clear();
    }

    #[cold]
    pub(crate) fn take_back_held(&mut self) {
        let Base::Claimed(table) = &self.base else { unreachable!("the call holds keys") };
        for held in self.claimed.held.iter_mut() {
            if let Some(entry) = held.entry {
                let Undo { last, value, .. } = self.undo[entry as usize];
                table.put(held, value);
                table.replace_last(held, last);
                if value.0 == ValueTag::ABSENT {
                    self.claimed.holds_absent |= 1 << held.owner();
                }
            }
        }
        self.undo.clear();
        self.drop_side();
    }
}
