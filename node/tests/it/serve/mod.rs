//! `phalanx serve`, met by gRPC clients.
//!
//! Tests run on two threads, as they wait for processes: a client whose connection nobody serves meanwhile would not hear that its node
//! ends, and the node would wait for it.

mod access;
mod backup;
mod calls;
mod client;
mod deployments;
mod events;
mod history;
mod hostile;
mod json;
mod json_tls;
mod kill;
mod load;
mod load_misuse;
pub(crate) mod node;
mod once;
mod operation;
mod ordered;
mod questions;
mod refusals;
mod reload;
mod signed;
#[cfg(feature = "opentelemetry")]
mod spans;
mod supervision;
mod verbs;
