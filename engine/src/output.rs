//! What a run of calls leaves: receipts, writes, and the hashes of both.

use crate::batch::Batch;
use crate::deploy::{Change, MODULE_SLOT};
use crate::digest::{self, Digest, ITEM_BYTES_MAX};
use crate::finish::Writing;
use crate::registry::SYSTEM_INDEX;
use crate::write_set;
use core::cmp::Ordering;
use core::ops::Range;
use phalanx_scheduler::{CallIndex, RunLog, Write};

/// Buffers that are handed from batch to batch: fresh pages from the kernel cost more than filling them.
#[derive(Default)]
pub(crate) struct RunBuffers {
    pub(crate) receipts: Vec<u8>,
    pub(crate) writes: Vec<u8>,
}

/// Largest buffers that are kept: several times what an ordinary run fills.
const BUFFER_BYTES_KEPT: usize = 256 << 10;

impl RunBuffers {
    /// The buffers, emptied, unless a run has blown them up.
    pub(crate) fn recycled(mut self) -> Option<Self> {
        self.receipts.clear();
        self.writes.clear();
        (self.receipts.capacity().max(self.writes.capacity()) <= BUFFER_BYTES_KEPT).then_some(self)
    }
}

/// See the module's docs.
#[derive(Default)]
pub(crate) struct RunOutput {
    pub(crate) calls: Range<u32>,
    pub(crate) receipts: Vec<u8>,
    pub(crate) writes: Vec<u8>,
    /// Deploys and upgrades, by call.
    pub(crate) changes: Vec<(u32, Change)>,
    /// Texts beside receipts, by call.
    pub(crate) explanations: Vec<(u32, String)>,
    pub(crate) input_leaf: Digest,
    pub(crate) receipts_leaf: Digest,
    pub(crate) writes_leaf: Digest,
    /// Calls whose hash `input_leaf` is.
    calls_sealed: Range<u32>,
    /// Whether `receipts_leaf` is the receipts' hash.
    receipts_sealed: bool,
    /// Whether a write is over the digest's item limit.
    oversize_write: bool,
}

impl RunOutput {
    pub(crate) fn new(first: u32, writes: Vec<u8>) -> Self {
        Self { calls: first..first, writes, ..Self::default() }
    }

    /// Takes out what is needed when the batch is committed: deploys, upgrades, and texts.
    pub(crate) fn split_off_news(&mut self) -> RunOutput {
        let (changes, explanations) = (core::mem::take(&mut self.changes), core::mem::take(&mut self.explanations));
        Self { calls: self.calls.clone(), changes, explanations, ..Self::default() }
    }

    /// Puts what `calls` left this time, which is all of `by`, in the place of what they left before, or behind the run.
    pub(crate) fn splice(&mut self, calls: &[CallIndex], by: &mut RunOutput) {
        let mut behind = self.calls.start;
        let (mut at, mut new) = (0, &by.receipts[..]);
        for call in calls {
            while behind < call.0 {
                at += receipt_bytes(&self.receipts[at..]);
                behind += 1;
            }
            let (old, by) = (receipt_bytes(&self.receipts[at..]), receipt_bytes(new));
            if old == by {
                self.receipts[at..at + old].copy_from_slice(&new[..by]);
            } else {
                self.receipts.splice(at..at + old, new[..by].iter().copied());
            }
            (at, behind, new) = (at + by, behind + 1, &new[by..]);
        }
        let is_again = |call: u32| calls.binary_search(&CallIndex(call)).is_ok();
        self.changes.retain(|(call, _)| !is_again(*call));
        self.changes.append(&mut by.changes);
        self.changes.sort_by_key(|(call, _)| *call);
        self.explanations.retain(|(call, _)| !is_again(*call));
        self.explanations.append(&mut by.explanations);
        self.explanations.sort_by_key(|(call, _)| *call);
        self.calls.end = self.calls.end.max(by.calls.end);
        self.receipts_sealed = false;
    }

    /// Takes what calls left on several workers: `pieces` says of each call in order whose of `runs` its receipt is in, and where.
    pub(crate) fn gather(
        &mut self,
        calls: Range<u32>,
        runs: &[&RunOutput],
        pieces: impl Iterator<Item = (usize, Range<usize>)>,
    ) {
        for (run, receipt) in pieces {
            self.receipts.extend_from_slice(&runs[run].receipts[receipt]);
        }
        for run in runs {
            let explanations = run.explanations.iter().filter(|(call, _)| calls.contains(call));
            self.explanations.extend(explanations.cloned());
        }
        self.explanations.sort_by_key(|(call, _)| *call);
        self.calls.end = calls.end;
    }

    /// Hashes the calls and their receipts, as far as that is not done.
    pub(crate) fn seal(&mut self, batch: &Batch) {
        if self.calls_sealed != self.calls {
            let records = batch.records(self.calls.start as usize..self.calls.end as usize);
            self.input_leaf = digest::leaf_of_records(records);
            self.calls_sealed = self.calls.clone();
        }
        if !self.receipts_sealed {
            self.receipts_leaf = digest::leaf_of_records(&self.receipts);
            self.receipts_sealed = true;
        }
    }

    /// Encodes the writes of the run's calls that are their keys' last ones.
    pub(crate) fn list_writes(&mut self, writing: &Writing, log: &RunLog) {
        let mut of_call: Vec<Write<'_>> = Vec::new();
        let before = |a: &Write<'_>, b: &Write<'_>| match a.contract == b.contract {
            true => a.key.cmp(b.key),
            false => writing.id(a.contract).cmp(writing.id(b.contract)),
        };
        for call in self.calls.clone() {
            of_call.clear();
            log.last_writes(CallIndex(call), |write| of_call.push(write));
            match &mut of_call[..] {
                [] | [_] => {}
                [first, second] => {
                    if before(first, second) == Ordering::Greater {
                        core::mem::swap(first, second);
                    }
                }
                writes => writes.sort_unstable_by(before),
            }
            let called = writing.called[writing.batch.call(call as usize).target()];
            for write in &of_call {
                let other = called != Some(write.contract);
                self.oversize_write |= write_set::push(
                    &mut self.writes,
                    &write_set::Item {
                        call,
                        contract: other.then(|| writing.id(write.contract)),
                        key: write.key,
                        value: write.value,
                        module: write.contract == SYSTEM_INDEX && write.key[0] == MODULE_SLOT,
                    },
                );
            }
        }
    }

    /// Hashes the listed writes.
    pub(crate) fn seal_writes(&mut self) {
        self.writes_leaf = if self.oversize_write {
            let mut short = Vec::new();
            write_set::shorten(&self.writes, &mut short);
            digest::leaf(&short)
        } else {
            digest::leaf(&self.writes)
        };
    }
}

/// Length of the first of some receipts; of none, zero.
fn receipt_bytes(receipts: &[u8]) -> usize {
    receipts.first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize)
}

const _: () = assert!(ITEM_BYTES_MAX < BUFFER_BYTES_KEPT);
