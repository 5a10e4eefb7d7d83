//! The engine's integration tests, one binary.

mod equivalence;
mod generate;
mod isolation;
mod logged;
mod readme;
mod token;
