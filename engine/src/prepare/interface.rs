//! Names and places on which the instrumented module and the host agree.

use wasmparser::{FuncType, ValType};

use crate::gas::{HOST_FUNCTIONS, HostFunction};
use crate::limits::MEMORY_PAGES_MAX;

/// Module that host functions are imported from.
pub const IMPORT_MODULE: &str = "phalanx";
/// Export of memory 0, the contract's own.
pub const MEMORY_EXPORT: &str = "memory";
/// Export of memory 1, the *control memory*, that no code of the guest can reach.
pub const CONTROL_EXPORT: &str = "phalanx:control";
/// What the export of a method's wrapper, of type `() -> i32`, begins with; the method's name follows.
pub const CALL_EXPORT_PREFIX: &str = "phalanx:call:";
/// Custom section that describes methods and types.
pub const ABI_SECTION: &str = "abi";
/// Custom section that lists ordered slots.
pub const ORDERED_SECTION: &str = "phalanx.ordered";

/// Custom section that lists the methods that may be entered while their contract is being called.
pub const REENTRANT_SECTION: &str = "phalanx.reentrant";

/// Where in the control memory the gas left is: an i64 in little-endian order. Below zero is out of gas.
pub const CONTROL_GAS: u64 = 0;
/// Where the stack units left are: an i32.
pub const CONTROL_STACK: u64 = 8;
/// Where the reason of a halt is: an i32, one of [`HALT_NONE`], [`HALT_GAS`], [`HALT_STACK`].
pub const CONTROL_HALT: u64 = 12;
/// Where the dirty map begins: a byte a granule of memory 0, not zero where the granule may have been written.
pub const CONTROL_DIRTY: u64 = 64;
/// The instrumented code did not halt.
pub const HALT_NONE: i32 = 0;
/// The instrumented code halted as the gas left was below zero.
pub const HALT_GAS: i32 = 1;
/// The instrumented code halted as a frame did not fit into the stack units left.
pub const HALT_STACK: i32 = 2;

/// A granule of the dirty map is 2 to this bytes.
pub const GRANULE_LOG2: u32 = 10;
/// Bytes after a dirty granule that may have been written too: a store marks the granule it starts in, and a mark stands
/// for stores that end at most this far behind its granule.
pub const GRANULE_SLACK_BYTES: u32 = 16;
/// Bytes of the dirty map: granules of the largest memory.
pub const DIRTY_BYTES: u32 = MEMORY_PAGES_MAX << (16 - GRANULE_LOG2);
/// Pages of the control memory, which never grows.
pub const CONTROL_PAGES: u32 = 1;

const _: () = assert!(DIRTY_BYTES.is_power_of_two(), "a mark outside memory is masked into the map");
const _: () = assert!(CONTROL_DIRTY + DIRTY_BYTES as u64 <= (CONTROL_PAGES as u64) << 16);

/// The host function `module.name`, if the interface has it.
pub(super) fn host_function(module: &str, name: &str) -> Option<&'static HostFunction> {
    if module != IMPORT_MODULE {
        return None;
    }
    HOST_FUNCTIONS.iter().find(|function| function.name == name)
}

/// Whether `actual` is the type of `function`.
pub(super) fn has_type(function: &HostFunction, actual: &FuncType) -> bool {
    let same = |letters: &str, types: &[ValType]| letters.bytes().map(value_type).eq(types.iter().copied().map(Some));
    same(function.parameters, actual.params()) && same(function.results, actual.results())
}

fn value_type(letter: u8) -> Option<ValType> {
    match letter {
        b'i' => Some(ValType::I32),
        b'I' => Some(ValType::I64),
        _ => None,
    }
}

/// The type of `function` as a reason shows it.
pub(super) fn type_of_host(function: &HostFunction) -> String {
    let list = |letters: &str| {
        let names: Vec<&str> = letters.bytes().map(|letter| if letter == b'I' { "i64" } else { "i32" }).collect();
        names.join(", ")
    };
    arrow(&list(function.parameters), &list(function.results))
}

/// A function type as a reason shows it.
pub(super) fn type_text(ty: &FuncType) -> String {
    /// More than a limit's worth of types is not worth reading.
    const SHOWN_MAX: usize = 40;
    let list = |types: &[ValType]| {
        let mut names: Vec<String> = types.iter().take(SHOWN_MAX).map(ValType::to_string).collect();
        if types.len() > SHOWN_MAX {
            names.push("…".to_owned());
        }
        names.join(", ")
    };
    arrow(&list(ty.params()), &list(ty.results()))
}

fn arrow(parameters: &str, results: &str) -> String {
    let results = match results {
        "" => "nothing".to_owned(),
        one if !one.contains(',') => one.to_owned(),
        several => format!("({several})"),
    };
    format!("({parameters}) -> {results}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_function_has_a_type_that_can_be_imported() {
        for function in &HOST_FUNCTIONS {
            let types = |letters: &str| -> Vec<ValType> { letters.bytes().filter_map(value_type).collect() };
            let ty = FuncType::new(types(function.parameters), types(function.results));
            assert!(has_type(function, &ty), "{} has a letter that is no type", function.name);
            assert_eq!(type_of_host(function), type_text(&ty), "{}", function.name);
        }
    }
}
