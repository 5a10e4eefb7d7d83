//! A batch in hand: the state with its open branch, and the logs of the batch's runs.

use crate::key::CallIndex;
use crate::planted::{Bug, planted};
use crate::record::{Access, RecordId};
use crate::run::RunLog;
use crate::state::State;
use core::cell::Cell;

/// Whoever holds it may change the state.
pub(crate) struct OpenBatch {
    pub(crate) state: Box<State>,
    /// Logs of the runs so far, by number.
    pub(crate) runs: Vec<RunLog>,
    /// Number of the open round, counted from 1 in each batch; see [`crate::partition::Version::round`].
    pub(crate) round: u32,
    /// Records that were looked at to find values in chains: what repair costs besides executing.
    pub(crate) steps: Cell<u64>,
}

impl OpenBatch {
    pub(crate) fn new(state: Box<State>) -> Self {
        Self { state, runs: Vec::new(), round: 0, steps: Cell::new(0) }
    }

    #[inline]
    pub(crate) fn access(&self, owner: usize, id: RecordId) -> &Access {
        &self.runs[id.run()].buckets[owner][id.place()]
    }

    #[inline]
    pub(crate) fn access_mut(&mut self, owner: usize, id: RecordId) -> &mut Access {
        &mut self.runs[id.run()].buckets[owner][id.place()]
    }

    /// The value of a slot's key as the call before `call` left it, by the chains of the open round.
    pub(crate) fn value_before(&self, owner: usize, index: u32, call: CallIndex) -> Option<&[u8]> {
        let partition = &self.state.partitions[owner];
        let slot = &partition.slots()[index as usize];
        if slot.epoch != partition.epoch {
            return partition.value(index);
        }
        let version = &partition.versions[slot.version as usize];
        if version.round != self.round {
            return partition.value(index);
        }
        let mut id = version.tail;
        while id != RecordId::NONE {
            self.steps.set(self.steps.get() + 1);
            let access = self.access(owner, id);
            if access.call < call && access.writes() {
                return access.value(&self.runs[id.run()].side.bytes);
            }
            id = access.prev;
        }
        if planted(Bug::WrongBase) {
            return partition.value(index);
        }
        partition.base_of(version)
    }
}
