//! A contract that every node accepts and that attacks when it is called.
//!
//! The methods of [`Limits`] pass one limit of the host interface each, and run natively too. Those of `Machine` attack the
//! instance: its time, its stack, its memory, and whoever uses it next. The engine's hostile suite says what each must get.

#![cfg_attr(target_arch = "wasm32", no_std)]

mod limits;
#[cfg(target_arch = "wasm32")]
mod machine;

pub use limits::{Failed, Limits, Note};
#[cfg(target_arch = "wasm32")]
pub use machine::Machine;
