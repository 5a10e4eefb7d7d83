//! What calls conflicted on, for people who want to know why calls were executed again. None of it shows in results.
//!
//! While a round is chained nobody notes which check of a dirty call failed: the chains say it afterwards. A chain that is gone
//! through once more, from the value before the round, has every check fail that failed then, as long as the round has not
//! been repaired. So this costs a pass over the chains of rounds with dirty calls, and nothing where nobody asks.

use crate::fold::meet;
use crate::key::{CallIndex, ContractIndex};
use crate::open::OpenBatch;
use crate::record::{Access, Check, Effect, RecordId};
use crate::repair::{Dirty, value_of};
use crate::value::ValueTag;
use core::ops::Range;

/// Conflicts of a batch that are kept, 20 bytes each; more are only counted.
pub const CONFLICTS_MAX: usize = 1 << 18;

/// Bytes of a key that tell conflicts apart: the slot and three more.
pub const PREFIX_BYTES: usize = 4;

/// How a key begins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyPrefix {
    bytes: [u8; PREFIX_BYTES],
    length: u8,
    /// Whether keys go on behind it.
    pub is_cut: bool,
}

impl KeyPrefix {
    /// Of a key.
    pub fn of(key: &[u8]) -> Self {
        let length = key.len().min(PREFIX_BYTES);
        let mut bytes = [0; PREFIX_BYTES];
        bytes[..length].copy_from_slice(&key[..length]);
        Self { bytes, length: length as u8, is_cut: key.len() > length }
    }

    /// Of all keys of the slot that this one begins.
    pub fn slot(&self) -> Self {
        Self { bytes: [self.bytes[0], 0, 0, 0], length: 1, is_cut: true }
    }

    /// The bytes, the slot first.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// Which check failed, and what the call did to the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cause {
    /// It read the key and left a 16-byte integer there.
    Counted,
    /// It read the key and left some other value there, or removed it.
    Replaced,
    /// It read the key and left it alone.
    Read,
    /// An `add` or a `sub` would get another answer.
    Answer,
    /// A scan may find other entries: the call is dirty, and every other check of it holds.
    Scan,
}

/// A check that failed when its round was chained.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Conflict {
    /// The dirty call.
    pub call: CallIndex,
    /// The contract whose key it is.
    pub contract: ContractIndex,
    /// Of the key, or of the start of the scan.
    pub prefix: KeyPrefix,
    /// Why.
    pub cause: Cause,
    /// Calls of the round that touched the key; 0 for a scan.
    pub chain: u32,
}

/// The conflicts of a batch.
#[derive(Clone, Debug, Default)]
pub struct Conflicts {
    /// By call; of each call by contract and prefix.
    pub list: Vec<Conflict>,
    /// Conflicts beyond [`CONFLICTS_MAX`].
    pub more: u64,
}

impl Conflicts {
    /// Takes in a round that was chained and not yet repaired.
    pub(crate) fn gather(&mut self, open: &OpenBatch, runs: Range<usize>, dirty: &Dirty) {
        let first = self.list.len();
        let mut chain = Vec::new();
        for (owner, partition) in open.state.partitions.iter().enumerate() {
            for version in partition.versions.iter().filter(|version| version.round == open.round) {
                chain.clear();
                let mut id = version.tail;
                while id != RecordId::NONE {
                    chain.push(id);
                    id = open.access(owner, id).prev;
                }
                // What a call saw alone, it saw as it was before the round.
                if chain.len() > 1 {
                    chain.reverse();
                    self.follow(open, owner, &chain, version.base());
                }
            }
        }
        self.list[first..].sort_unstable();
        self.gather_scans(open, runs, dirty, first);
        self.list[first..].sort_unstable();
    }

    fn follow(&mut self, open: &OpenBatch, owner: usize, chain: &[RecordId], base: crate::value::Raw) {
        let (mut now, mut written) = (base, false);
        for id in chain {
            let side = &open.runs[id.run()].side;
            let mut access = *open.access(owner, *id);
            if !meet(&mut access, now, written, side) {
                let entry = &side.entries[access.entry as usize];
                self.push(Conflict {
                    call: access.call,
                    contract: entry.contract,
                    prefix: KeyPrefix::of(entry.key_bytes(&side.bytes)),
                    cause: cause(&access),
                    chain: chain.len() as u32,
                });
            }
            if access.writes() {
                (now, written) = (value_of(&access), true);
            }
        }
    }

    /// Dirty calls without a conflict on a key must have one in a scan. Conflicts on keys are in order, from `first` on.
    fn gather_scans(&mut self, open: &OpenBatch, runs: Range<usize>, dirty: &Dirty, first: usize) {
        let known = first..self.list.len();
        for run in &open.runs[runs] {
            let scans = run.buckets.iter().flatten().filter(|access| access.check == Check::Scan);
            for access in scans.filter(|access| dirty.contains(access.call)) {
                if self.list[known.clone()].binary_search_by_key(&access.call, |conflict| conflict.call).is_ok() {
                    continue;
                }
                let entry = &run.side.entries[access.entry as usize];
                let prefix = KeyPrefix::of(entry.key_bytes(&run.side.bytes));
                let (call, contract) = (access.call, entry.contract);
                self.push(Conflict { call, contract, prefix, cause: Cause::Scan, chain: 0 });
            }
        }
    }

    fn push(&mut self, conflict: Conflict) {
        match self.list.len() < CONFLICTS_MAX {
            true => self.list.push(conflict),
            false => self.more += 1,
        }
    }
}

fn cause(access: &Access) -> Cause {
    match (access.check, access.effect) {
        (Check::Scan, _) => Cause::Scan,
        (Check::None | Check::Presence(_) | Check::One(..) | Check::Many, _) => Cause::Answer,
        (Check::Exact, Effect::None) => Cause::Read,
        (Check::Exact, _) if access.tag == ValueTag::inline(16) => Cause::Counted,
        (Check::Exact, _) => Cause::Replaced,
    }
}
