//! Differential and hostile-module tests of the engine's preparation pass, with a second Wasm engine.
//!
//! This library is the pass once more, compiled with the profile of the Wasm specification's own tests: floats, start
//! functions, any import and export. What every other test of this package calls is the engine's own pass.

#[path = "../../src/gas.rs"]
pub mod gas;
#[path = "../../src/limits.rs"]
pub mod limits;
#[path = "../../src/prepare/mod.rs"]
pub mod prepare;
