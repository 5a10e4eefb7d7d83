//! The read set of a call: what it saw of the state before it, as clients are told.

use crate::batch::Address;
use crate::registry::Registry;
use phalanx_scheduler::{Answer, Delta, RunLog, Seen, State};

/// Bytes of keys and values that a read set may have: gas bounds what a call copies, not what it looks at.
pub const READ_SET_BYTES_MAX: usize = 3 << 20;
/// What a read counts for besides its bytes.
const READ_OVERHEAD_BYTES: usize = 64;

/// Something that a call depends on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Read {
    /// The contract whose key it is.
    pub contract: Address,
    /// The key. Of a range: where it began.
    pub key: Vec<u8>,
    /// What of it.
    pub what: Dependency,
}

/// What of a key a call depends on. The values are those before the call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Dependency {
    /// The very value; `None` if the key is absent.
    Value(Option<Vec<u8>>),
    /// Whether there is a value.
    Presence(bool),
    /// The answers to `add`, `sub` and `max`, in order; each saw those before it.
    Answers(Vec<(Delta, Answer)>),
    /// Keys and values of a range.
    Range {
        /// Where the range that was asked for ends, exclusive; `None`: with the slot.
        end: Option<Vec<u8>>,
        /// Whether it was gone through from its end.
        descending: bool,
        /// The stored key at which the scan ended, itself included; what lies behind it does not matter. `None`: it saw all.
        last: Option<Vec<u8>>,
    },
}

/// The reads of a call that has a log of its own, ordered by (contract, key); `None` if they are above [`READ_SET_BYTES_MAX`].
pub(crate) fn gather(log: &RunLog, state: &State, registry: &Registry) -> Option<Vec<Read>> {
    let (mut reads, mut bytes) = (Vec::new(), 0);
    for read in log.reads() {
        let what = match read.seen {
            Seen::Value => {
                let value = state.committed(read.contract, read.key, read.ordered);
                bytes += value.map_or(0, <[u8]>::len);
                // Before it is copied.
                if bytes > READ_SET_BYTES_MAX {
                    return None;
                }
                Dependency::Value(value.map(<[u8]>::to_vec))
            }
            Seen::Presence(present) => Dependency::Presence(present),
            Seen::Answers(answers) => Dependency::Answers(answers),
            Seen::Range { end, descending, last } => {
                Dependency::Range { end: end.map(<[u8]>::to_vec), descending, last: last.map(<[u8]>::to_vec) }
            }
        };
        bytes += read.key.len() + READ_OVERHEAD_BYTES;
        if bytes > READ_SET_BYTES_MAX {
            return None;
        }
        reads.push(Read { contract: *registry.id(read.contract), key: read.key.to_vec(), what });
    }
    reads.sort_by(|a, b| (&a.contract, &a.key).cmp(&(&b.contract, &b.key)));
    Some(reads)
}
