//! The SDK for Phalanx contracts.
//!
//! A contract is a plain `impl` block: each of its public functions becomes a method that calls can name. State lives in
//! constants ([`Item`], [`Map`], [`Set`], [`List`], [`Roles`], [`OrderedMap`], [`Journal`]) that stand for ranges of state keys; everything else is
//! an argument or a local.
//!
//! ```
//! use phalanx_contract::*;
//!
//! /// Votes for each proposal.
//! #[slot]
//! const VOTES: Map<u32, u128> = Map::at(0);
//!
//! pub struct Poll;
//!
//! #[contract]
//! impl Poll {
//!     /// Adds one vote.
//!     pub fn vote(proposal: u32) -> Result<(), Refused> {
//!         VOTES.add(&proposal, 1)
//!     }
//!     /// Votes so far.
//!     pub fn votes(proposal: u32) -> u128 {
//!         VOTES.get(&proposal)
//!     }
//! }
//!
//! let alice = Address([1; 32]);
//! test::call(alice, || Poll::vote(7)).unwrap();
//! assert_eq!(Poll::votes(7), 1);
//! ```
//!
//! # What a contract costs its neighbours
//!
//! [`Map::add`] and [`Map::sub`] do not read: calls that only add to and subtract from one key never wait for each
//! other while the answers (applied or refused) stand. The same goes for [`Map::raise_to`], which keeps the greatest value,
//! for [`Map::set_once`], which depends on whether there was a value and not on which, and for [`Journal::append`]. [`Map::get`] and [`Map::find`] read, [`Map::set`] and [`Map::remove`] write,
//! [`Map::update`] does both; a call that reads what an earlier one wrote runs after it, and writing alone waits for nobody.
//!
//! # Bytes
//!
//! Arguments, results, events and values are encoded as borsh does ([`Wire`]). A state key is the slot's byte, then the
//! key's encoding, in an [`OrderedMap`] one that sorts as the key does ([`OrderedKey`]). Types borrow from the arguments or have a maximum length ([`Text`],
//! [`Bytes`]). A module has no allocator unless its manifest asks for the feature `alloc`: then `Vec` and `String` are there too, as
//! arguments, results, and values of up to 64 KiB. A module grows by some kilobytes, and its memory by three pages.
//!
//! # Two targets
//!
//! On `wasm32` the crate is `no_std` and calls the host (see `HOST.md`). On any other target the host is the in-memory ledger of
//! [`mod@test`], one a thread, which enforces the limits that production enforces.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate self as phalanx_contract;

#[cfg(feature = "alloc")]
extern crate alloc;

mod abort;
mod access;
mod address;
#[cfg(all(feature = "alloc", target_arch = "wasm32"))]
mod allocator;
mod context;
#[doc(hidden)]
pub mod entry;
mod event;
pub mod hash;
pub mod host;
mod journal;
mod list;
pub mod nested;
mod ordered;
pub mod signature;
mod state;
#[cfg(not(target_arch = "wasm32"))]
pub mod test;
pub mod wire;

pub use abort::{OrAbort, abort};
pub use access::{Roles, only, require};
pub use address::Address;
pub use context::{batch_time, call_index, caller, contract_id, deployer, height};
pub use event::{Event, emit};
pub use journal::Journal;
pub use list::List;
pub use nested::{CallError, OutcomeCode};
pub use ordered::{Direction, OrderedKey, OrderedMap};
pub use phalanx_contract_macros::{Wire, contract, reentrant, slot};
pub use state::{Item, Map, Refused, Set};
pub use wire::{Bytes, Text, Wire};

#[cfg(feature = "alloc")]
pub use alloc::{boxed::Box, format, string::String, vec, vec::Vec};

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
