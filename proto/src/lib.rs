//! Protobuf types and gRPC services of Phalanx: what crosses a wire.
//!
//! The sources are the files of `phalanx/v1` in this crate, whose comments are the docs of [`v1`]: `types.proto` has the
//! values, `execution.proto` the service that calls go to, `query.proto` the one that answers what is known. The messages carry
//! values and are not what is hashed or logged: protobuf has no canonical form. Servers send answers by [`answers`], the history by [`history`]. This
//! crate knows nothing of the engine; whoever serves the messages converts them, and refuses what has a wrong length or
//! passes a limit.
//!
//! ```
//! use phalanx_proto::{Message, v1};
//!
//! let receipt = v1::Receipt { outcome: Some(v1::Outcome::Ok.into()), gas_used: 676, ..Default::default() };
//! let bytes = receipt.encode_to_vec();
//! let read = v1::Receipt::decode(&bytes[..])?;
//! // `outcome()` would answer `Ok` for a receipt that lacks one, or has one that is not known here.
//! let outcome = read.outcome.map(v1::Outcome::try_from);
//! assert_eq!(outcome, Some(Ok(v1::Outcome::Ok)));
//! # Ok::<(), phalanx_proto::DecodeError>(())
//! ```
//!
//! Every `bytes` field is a [`Bytes`]. Decoded from a [`Bytes`], it shares the memory of the message: copy what is kept
//! for long, else 32 bytes hold the whole message. A [`v1::CallList`] is a copy.

pub mod answers;
mod bounded;
mod call_list;
pub mod codec;
pub mod history;
pub mod signing;

/// Version 1 of types and services, package `phalanx.v1`.
#[expect(clippy::allow_attributes, reason = "the generated services have some")]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/phalanx.v1.rs"));
    include!(concat!(env!("OUT_DIR"), "/servers/phalanx.v1.rs"));

    pub use crate::bounded::CallColumns;
    pub use crate::call_list::{CallList, ListedCall, ListedCalls};
}

pub use prost::bytes::Bytes;
pub use prost::{DecodeError, Message};

/// An encoded `google.protobuf.FileDescriptorSet` of all files of this crate, comments included, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/file_descriptor_set.bin"));
