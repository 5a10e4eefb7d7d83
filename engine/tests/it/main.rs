//! The engine's integration tests, one binary.

mod equivalence;
mod generate;
mod readme;
mod token;
