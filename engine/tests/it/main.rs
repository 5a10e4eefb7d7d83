//! The engine's integration tests, one binary.

#![expect(clippy::disallowed_methods, reason = "tests are sized by their environment")]

mod equivalence;
mod generate;
mod isolation;
mod logged;
mod readme;
mod token;
