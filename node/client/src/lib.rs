//! Client of a Phalanx node.
//!
//! ```no_run
//! use phalanx_client::{Client, Options, v1};
//!
//! # async fn example(transfer: v1::Call) -> Result<(), phalanx_client::ClientError> {
//! let client = Client::connect("http://127.0.0.1:7400", Options::default()).await?;
//! let answer = client.submit(transfer).await?;
//! println!("{:?} at {:?}", answer.receipt, answer.position);
//! # Ok(())
//! # }
//! ```
//!
//! [`Client::submit`] gives each call an id, so that it can ask again after a lost connection without the call being executed
//! twice. [`Session`] does so for many calls: it numbers submissions, keeps what was not answered, and sends it again when
//! it has connected anew. [`Client::subscribe`] reads the history, as messages or, for whoever reads much, in canonical bytes that
//! [`canonical_calls`] and [`canonical_writes`] take apart. A [`Signer`] signs calls, for nodes that ask for that. A contract's own
//! failure is an answer with its outcome, never an error here.

mod canonical;
mod client;
mod columns;
mod error;
mod retry;
mod session;
mod signer;

pub use canonical::{CallRecord, CanonicalCall, Change, ReceiptRecord, WriteRecord, canonical_calls, canonical_writes};
pub use client::{Client, ClientTls, Options};
pub use columns::Columns;
pub use error::ClientError;
pub use phalanx_proto::{Bytes, v1};
pub use session::{Session, SessionOptions};
pub use signer::{Signer, VALID_HEIGHTS};
