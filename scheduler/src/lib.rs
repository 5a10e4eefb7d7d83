//! Order, key ownership, access records and executors of Phalanx. This crate knows nothing of Wasm, disks, clocks or
//! async; the engine hands it calls through one trait, [`Executor`].
//!
//! # What holds
//!
//! Executing a batch gives the state, and shows each call the values, that running its calls one at a time in batch
//! order gives. Worker count, mode, timing and the hash seed never show.
//!
//! # How state is laid out
//!
//! A state key belongs to a contract; a keyed hash ([`hash`]) chooses its *owner* among [`hash::OWNERS`] and its place in
//! the owner's open-addressing table. A slot of it is one cache line (key, value, and where the open batch's version of it is). Keys
//! of an *ordered slot* share one owner, which also keeps their order. Values change in place while a batch executes, and
//! a *version* keeps what was there before; committing forgets the versions, discarding puts the old values back.
//!
//! # How a batch executes
//!
//! Calls come in *runs* of [`RUN_CALLS`]. In order ([`Mode::Serial`], [`Mode::Pipe`]) each call runs against the state and
//! its writes are applied when it ends. In parallel ([`Mode::Optimistic`]) the batch is cut into *rounds*, each of which goes
//! through these phases, with all workers in each of them:
//!
//! ```text
//!            execute_round          chain                      repair
//!   round ──▶ execute ──────▶ chain and check ──▶ dirty calls? ──no──▶ next round
//!            (snapshot)       (owner by owner)        │ yes              ▲   ▲
//!                                                     ├─ few ──▶ execute each again ── settle
//!                                                     │   repair_each │ too much work   │
//!                                                     └─ many, scans ─┴──▶ roll_back ── suffix (in order)
//!   all rounds ──▶ seal, list_writes
//! ```
//!
//! 1. **Execute.** Workers take runs from a queue, those with calls that are known to be long first. Who finds the queue empty while others
//!    execute hashes what it has. A call sees the state as it was before the round, and its own writes. What it
//!    saw and did becomes *records*, one a key: a check of the value before it, and an effect on it (`record.rs`).
//! 2. **Chain and check.** Each owner goes through the records of its keys in call order, applies the effects to the slots,
//!    links a key's records to a *chain*, and looks whether each check holds of the value that the chain has come to (`fold.rs`).
//!    Values are compared, not versions: a read of a key that was written with the same value stands. Of a delta only the
//!    answer is checked, so neither credits nor covered debits of one account conflict; of a `set_once` only whether there was
//!    a value.
//! 3. **Repair.** A call of which a check failed is *dirty*. Dirty calls are executed again in call order, each in the middle of the
//!    chains; what changes by that is followed up the chains, which may make later calls dirty (`repair.rs`). One worker does this; the
//!    others hash the runs that it has passed, in which nothing changes any more. Where that is hopeless, the round is taken back from the first dirty call on, and its rest executed in order.
//! 4. When all rounds are done, each run is hashed, unless it is, and lists the writes that are their keys' last ones, in parallel.
//!
//! Rounds are as long as their conflicts allow ([`Rounds`]): the share of dirty calls grows with the number of calls that see one
//! snapshot, and what a round's borders cost does not.
//!
//! # Where keys are declared
//!
//! The third way ([`Mode::Hinted`]) checks nothing afterwards. Calls declare the keys that they will touch ([`Executor::declare`], a
//! guess), and a round goes through these phases (`claims/mod.rs`, `hinted.rs`):
//!
//! 1. **Look up.** Workers find the declared keys of runs in the table: each becomes a *claim* in the bucket of the key's owner.
//! 2. **Line up.** Each owner goes through its claims in call order, and says of each which call has to be done before.
//! 3. **Execute.** Workers take calls one by one. A call that has waited for what its claims say *holds* its keys, and writes them in place,
//!    beside others that hold other keys (`claimed.rs`).
//! 4. **Gather.** What the workers' calls left is put together run by run.
//!
//! A round ends before a call that does not declare its keys. One that touches another key than it declared *strays*: it is taken back
//! with all calls behind it, and executed in order.
//!
//! # Why it is serial
//!
//! A call's execution is a function of the call and of what it saw. Go through the calls in order and suppose that all before
//! call *i* have left what they would leave serially. If all checks of *i* hold of that, then *i* saw what it would see
//! serially, or something that gives the same answers, so it did the same. If not, *i* is dirty, and is executed again when all
//! before it are final: by repair, which reads the chains below *i*, or in order. Repair changes only records of *i* and what
//! lies behind them, and checks that again; so when it has come to the end, every check holds.
//!
//! What a check may miss would break this, so everything is recorded that a call can see: values, absence, answers to deltas,
//! the entries and the end of scans; also of calls that failed, and of parts of calls that were taken back (`view/savepoint.rs`).
//!
//! A call that holds its keys and does not stray sees of each key what the last call before it left that declared it, which is what the
//! last one left that touched it; for a call that touched it and had not declared it would have strayed, and nothing behind that is kept.
//!
//! # Papers
//!
//! Owners that alone write their keys, and chains laid in a preset order: Faleiro and Abadi, *Rethinking serializable
//! multiversion concurrency control* (BOHM, VLDB 2015); Qadah and Sadoghi, *QueCC* (Middleware 2018); Qin et al., *Caracal*
//! (SOSP 2021). Optimistic execution of a preset order with validation: Gelashvili et al., *Block-STM* (PPoPP 2023). What is
//! different here: no shared multi-version map is touched while calls run, and validation is one pass of each owner over its
//! own records.

// The model names the crate as its integration tests do.
#[cfg(test)]
extern crate self as phalanx_scheduler;

mod claimed;
mod claims;
mod conflicts;
mod delta;
mod execute;
mod executor;
mod fold;
pub mod hash;
mod hinted;
mod in_place;
mod key;
mod open;
mod pages;
mod partition;
mod phase;
mod planted;
mod prefetch;
mod reads;
mod record;
mod repair;
mod run;
mod slot;
mod state;
mod statistics;
mod sync;
mod tags;
mod team;
#[cfg(test)]
mod tests;
mod trial;
mod turns;
mod value;
mod view;

pub use conflicts::{CONFLICTS_MAX, Cause, Conflict, Conflicts, KeyPrefix, PREFIX_BYTES};
pub use delta::{Answer, Delta, Operator};
pub use execute::{AGAIN_SHARE_MAX, BATCH_CALLS_MAX, Done, Mode, Rounds, Watched, execute};
pub use executor::{Executor, RUN_CALLS, Verdict};
pub use hash::HashSeed;
pub use key::{CallIndex, ContractIndex};
pub use phase::{Clock, Phase, PhaseNanoseconds};
#[cfg(planted)]
pub use planted::{Bug, plant};
pub use prefetch::prefetch;
pub use reads::{Read, Seen};
pub use run::{RunLog, Write};
pub use state::{KeyRange, PrefetchHash, State, WRITES_MAX};
pub use statistics::Statistics;
pub use team::Team;
pub use trial::Trial;
pub use view::{Savepoint, TooManyWrites, TouchedKey, View};
