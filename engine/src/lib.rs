//! The embeddable Phalanx engine.

pub mod fs;
pub mod gas;
pub mod limits;
pub mod log;
