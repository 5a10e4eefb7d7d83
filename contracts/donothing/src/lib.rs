//! A call that does nothing: what a call costs before it does anything (Blockbench's DoNothing, 2017).
//!
//! # Conflicts
//!
//! None: it touches no key.

#![cfg_attr(target_arch = "wasm32", no_std)]

use phalanx_contract::*;

/// The contract.
pub struct DoNothing;

#[contract]
impl DoNothing {
    /// Does nothing.
    pub fn nothing() {}
}
