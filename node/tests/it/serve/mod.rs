//! `phalanx serve`, met by gRPC clients.

mod access;
mod calls;
mod client;
mod history;
mod hostile;
mod node;
mod once;
mod operation;
mod refusals;
mod verbs;
