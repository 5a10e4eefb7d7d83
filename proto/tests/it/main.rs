//! The wire types against the engine, and against bytes that must never change.

mod answers;
mod calls;
mod engine;
mod history;
mod outcome;
mod wire;
