//! Order, key ownership, access records and executors of Phalanx. This crate knows nothing of Wasm, disks, clocks or
//! async; the engine hands it calls through one trait, [`Executor`].
//!
//! # What holds
//!
//! Executing a batch gives the state, and shows each call the values, that running its calls one at a time in batch
//! order gives. Worker count, timing and the hash seed never show.
//!
//! # How state is laid out
//!
//! A state key belongs to a contract; a keyed hash ([`hash`]) chooses its *owner* among [`hash::OWNERS`] and its place in
//! the owner's open-addressing table. An entry is one cache line (key, value, and where the open batch's version of it is). Keys
//! of an *ordered slot* share one owner, which also keeps their order.
//!
//! # How a batch executes
//!
//! 1. A call runs against [`State`]. It reads through its own journal, which holds what it wrote, down to the table.
//! 2. When it ends well, the journal is applied: each key's slot takes the new value, and the *branch* remembers the
//!    value before the batch and the last call that wrote ([`State::end_call`]).
//! 3. When all calls have ended, [`State::last_writes`] lists every key's final value under the call that wrote it last.
//! 4. [`State::commit`] forgets the old values; [`State::discard`] puts them back. Until then the committed state is
//!    still there to be read, through the branch.
//!
//! Only one branch is open at a time. [`execute_serial`] is the loop that does this on one core.

mod conflicts;
mod delta;
mod execute;
mod executor;
mod fold;
pub mod hash;
mod key;
mod open;
mod partition;
mod phase;
mod prefetch;
mod record;
mod repair;
mod run;
mod slot;
mod state;
mod statistics;
mod team;
mod value;
mod view;

pub use conflicts::{CONFLICTS_MAX, Cause, Conflict, Conflicts, KeyPrefix, PREFIX_BYTES};
pub use delta::{Answer, Delta, Sign};
pub use execute::{Done, Mode, Watched, execute};
pub use executor::{Executor, RUN_CALLS, Verdict};
pub use hash::HashSeed;
pub use key::{CallIndex, ContractIndex};
pub use phase::{Clock, Phase, PhaseNanoseconds};
pub use prefetch::prefetch;
pub use run::{RunLog, Write};
pub use state::{KeyRange, PrefetchHash, State};
pub use statistics::Statistics;
pub use team::Team;
pub use view::{TooManyWrites, View};
