//! What the pass lets through besides contracts: nothing, but in the one package that runs the Wasm specification's own
//! tests through it.
//!
//! Those tests call functions of any type, on floats, across modules. The test package compiles these sources once more
//! with `cfg(spec_profile)`, which its build script alone sets, so that no selection of features and no call of the
//! engine's interface lets a contract have any of that.

use wasmparser::Operator;

use super::features;
use super::reason::Feature;

/// Whether modules of the specification's tests are admitted: floats, any import and export, no methods.
pub(super) const SPECIFICATION: bool = cfg!(spec_profile);

/// Export of the start function. Instantiating an instrumented module runs nothing, as its gas is not there yet: who makes
/// the instance calls this.
pub(super) const START_EXPORT: &str = "phalanx:start";

/// The price of an operator that contracts may not use.
pub(super) fn price(operator: &Operator<'_>) -> Option<u32> {
    (SPECIFICATION && features::of_operator(operator) == Feature::Floats).then_some(1)
}
