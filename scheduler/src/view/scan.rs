//! Scans of ordered slots: what is stored, with what the call itself has written, and what a call that is recorded has seen of it.

use super::View;
use crate::key::ContractIndex;
use crate::record::{Check, NO_SLOT, Scan};
use crate::run::BYTES_MAX;
use crate::state::KeyRange;
use core::ops::ControlFlow;

impl View {
    /// Shows the present entries of a range of an ordered slot, as the call sees them, until `visit` says to stop.
    pub fn scan(
        &mut self,
        contract: ContractIndex,
        range: KeyRange<'_>,
        descending: bool,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) {
        self.touched.whole &= !self.listing;
        if self.holds_keys() {
            self.claimed.strayed = true;
            return;
        }
        let mut stored = Vec::new();
        let exhausted = self.merge(contract, range, descending, &mut stored, visit);
        if self.is_recorded() {
            self.record_scan(contract, range, descending, exhausted, &stored);
        }
    }

    /// Merges what is stored with what the call has written. Stored keys that were looked at go to `stored`; whether there
    /// is none behind them is the answer.
    fn merge(
        &self,
        contract: ContractIndex,
        range: KeyRange<'_>,
        descending: bool,
        stored: &mut Vec<Box<[u8]>>,
        mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> bool {
        let state = self.state();
        let noting = !self.in_place();
        let keys = state.partitions[state.hasher.owner_of_slot(contract, range.slot)].keys_of(contract, range.slot);
        let keys = keys.into_iter().flat_map(|keys| keys.range::<[u8], _>(range.bounds())).map(|key| &**key);
        let bytes = &self.run.side.bytes;
        // What a call has written in place is among the keys that are stored.
        let entries = noting.then(|| self.written_entries()).into_iter().flatten();
        let own = entries.filter(|entry| entry.contract == contract);
        let mut own: Vec<&[u8]> = own.map(|entry| entry.key_bytes(bytes)).filter(|key| range.contains(key)).collect();
        own.sort_unstable();
        let mut step = |keys: &mut dyn Iterator<Item = &'_ [u8]>, own: &mut dyn Iterator<Item = &'_ [u8]>| {
            let mut next_stored = || {
                let key = keys.next();
                if let (true, Some(key)) = (noting, key) {
                    stored.push(key.into());
                }
                key
            };
            let (mut theirs, mut ours) = (next_stored(), own.next());
            loop {
                // The nearer of the two; a key that both have is taken once.
                let key = match (theirs, ours) {
                    (None, None) => return true,
                    (Some(key), None) | (None, Some(key)) => key,
                    (Some(a), Some(b)) if descending => a.max(b),
                    (Some(a), Some(b)) => a.min(b),
                };
                if theirs == Some(key) {
                    theirs = next_stored();
                }
                if ours == Some(key) {
                    ours = own.next();
                }
                if let Some(value) = self.peek(contract, key)
                    && visit(key, value).is_break()
                {
                    return theirs.is_none();
                }
            }
        };
        if descending {
            step(&mut keys.rev(), &mut own.into_iter().rev())
        } else {
            step(&mut keys.into_iter(), &mut own.into_iter())
        }
    }

    /// A key's value as the call sees it, without a record: the scan that asks leaves its own.
    fn peek(&self, contract: ContractIndex, key: &[u8]) -> Option<&[u8]> {
        let key = self.state().hasher.key(contract, key, true);
        match self.find(&key) {
            Some(at) if self.records[at].writes() => self.entry(at).value(&self.run.side.bytes),
            _ => self.before(self.state().locate(&key)),
        }
    }

    fn record_scan(
        &mut self,
        contract: ContractIndex,
        range: KeyRange<'_>,
        descending: bool,
        exhausted: bool,
        stored: &[Box<[u8]>],
    ) {
        let mut found = Vec::new();
        for key in stored {
            let key = self.state().hasher.key(contract, key, true);
            push_entry(&mut found, key.bytes, self.before(self.state().locate(&key)));
            // A scan pays for what it is shown, which may be less than what it depends on. A run that overflowed is not checked.
            self.run.overflowed |= self.run.side.bytes.len() + found.len() > BYTES_MAX;
            if self.run.overflowed {
                return;
            }
        }
        let mut put = |bytes: &[u8]| {
            let start = self.run.side.bytes.len() as u32;
            self.run.side.bytes.extend_from_slice(bytes);
            (start, bytes.len() as u32)
        };
        let scan = Scan {
            slot: range.slot,
            descending,
            exhausted,
            entries: stored.len() as u32,
            start: put(range.start),
            end: range.end.map(&mut put),
            found: put(&found),
        };
        let number = self.run.side.scans.len() as u32;
        self.run.side.scans.push(scan);
        // The record lies with the slot's owner and has no key that anybody could write.
        let key = self.state().hasher.key(contract, range.start, true);
        let at = self.push(&key, NO_SLOT);
        let record = &mut self.records[at];
        (record.check, record.side) = (Check::Scan, number);
    }

    /// Scans go before the call's other records, so that they are checked before the call's own effects are applied: a
    /// scan notes what was there before the call, and a delta of the call's may make of another value the one that it notes.
    #[cold]
    pub(super) fn log_scans(&mut self) {
        for (record, at) in self.records.iter().zip(self.run_open..) {
            if record.check == Check::Scan {
                self.run.log(record, self.call, at);
            }
        }
    }
}

/// An entry as a scan's record keeps it.
pub(crate) fn push_entry(bytes: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>) {
    let value = value.unwrap_or_default();
    bytes.extend_from_slice(&(key.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(value);
}
