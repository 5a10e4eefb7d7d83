//! The engine's integration tests, one binary.

#![expect(clippy::disallowed_methods, reason = "tests are sized by their environment")]

mod declared;
mod ends;
mod episode;
mod equivalence;
mod generate;
mod isolation;
mod languages;
mod live_check;
mod logged;
mod nested;
mod read_set;
mod readme;
mod token;
mod tried;
