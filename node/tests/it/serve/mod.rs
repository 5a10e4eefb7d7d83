//! `phalanx serve`, met by gRPC clients.
//!
//! Tests run on two threads, as they wait for processes: a client whose connection nobody serves meanwhile would not hear that its node
//! ends, and the node would wait for it.

mod access;
mod calls;
mod client;
mod history;
mod hostile;
mod json;
mod load;
mod load_misuse;
mod node;
mod once;
mod operation;
mod ordered;
mod refusals;
mod signed;
mod verbs;
