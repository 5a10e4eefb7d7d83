//! The embeddable Phalanx engine.

pub mod gas;
pub mod limits;
pub mod prepare;
