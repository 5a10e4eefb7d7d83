//! One file a verb: its arguments, what it does, and its report.

pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod compiler;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod contract;
pub(crate) mod doctor;
pub(crate) mod key;
pub(crate) mod log;
pub(crate) mod remote;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod state;
pub(crate) mod version;
