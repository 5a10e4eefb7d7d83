//! `phalanx serve`, met by gRPC clients.

mod access;
mod calls;
mod client;
mod history;
mod hostile;
mod load;
mod load_misuse;
mod node;
mod once;
mod operation;
mod refusals;
mod verbs;
