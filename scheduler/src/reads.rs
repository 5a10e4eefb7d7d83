//! What calls saw of the state before them, for whoever asks.

use crate::delta::{Answer, Delta};
use crate::key::ContractIndex;
use crate::record::{Access, Check};
use crate::run::RunLog;

/// Something that a call depends on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Read<'a> {
    /// The contract whose key it is.
    pub contract: ContractIndex,
    /// The key. Of a scan: where it began.
    pub key: &'a [u8],
    /// Whether the key's slot is ordered.
    pub ordered: bool,
    /// What of it.
    pub seen: Seen<'a>,
}

/// What of a key a call depends on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seen<'a> {
    /// The very value.
    Value,
    /// Whether there is one.
    Presence(bool),
    /// The answers to deltas, in order; each saw those before it.
    Answers(Vec<(Delta, Answer)>),
    /// Keys and values of a range.
    Range {
        /// Where the range that was asked for ends, exclusive; `None`: with the slot.
        end: Option<&'a [u8]>,
        /// Whether it was gone through from its end.
        descending: bool,
        /// The stored key that was looked at last, if the scan ended there; what lies behind it does not matter.
        last: Option<&'a [u8]>,
    },
}

impl RunLog {
    /// What the calls of a run saw that was executed in parallel, or what the call saw that was tried; in no order that means
    /// anything. Of a run that was executed in order nothing is known.
    pub fn reads(&self) -> impl Iterator<Item = Read<'_>> {
        self.buckets.iter().flatten().filter_map(|access| {
            let entry = &self.side.entries[access.entry as usize];
            Some(Read {
                contract: entry.contract,
                key: entry.key_bytes(&self.side.bytes),
                ordered: access.ordered,
                seen: self.seen(access)?,
            })
        })
    }

    fn seen(&self, access: &Access) -> Option<Seen<'_>> {
        Some(match access.check {
            Check::None => return None,
            Check::Exact => Seen::Value,
            Check::Presence(present) => Seen::Presence(present),
            Check::One(operator, answer) => Seen::Answers(vec![(access.one(operator), answer)]),
            Check::Many => {
                let predicates = &self.side.predicates;
                let first = predicates.get(access.side as usize);
                let all = std::iter::successors(first, |predicate| predicates.get(predicate.next as usize));
                Seen::Answers(all.map(|predicate| (predicate.delta, predicate.answer)).collect())
            }
            Check::Scan => {
                let scan = &self.side.scans[access.side as usize];
                let bytes = |(start, length): (u32, u32)| &self.side.bytes[start as usize..][..length as usize];
                let last = if scan.exhausted { None } else { last_key(bytes(scan.found), scan.entries) };
                Seen::Range { end: scan.end.map(bytes), descending: scan.descending, last }
            }
        })
    }
}

/// The last key of a scan's entries.
fn last_key(mut found: &[u8], entries: u32) -> Option<&[u8]> {
    let mut last = None;
    for _ in 0..entries {
        let (head, rest) = found.split_at_checked(6)?;
        let key = usize::from(u16::from_le_bytes([head[0], head[1]]));
        let value = u32::from_le_bytes([head[2], head[3], head[4], head[5]]) as usize;
        last = rest.get(..key);
        found = rest.get(key + value..)?;
    }
    last
}
