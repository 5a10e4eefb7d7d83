//! Where a measured engine keeps its log, and what the log does there.

mod discard;
mod meter;
mod reference;

pub(crate) use discard::Discard;
pub(crate) use meter::{Meter, Written, microseconds};
pub(crate) use reference::Reference;
