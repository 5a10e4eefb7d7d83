//! Which part of Wasm an operator or a type belongs to, where contracts may not use it.

use wasmparser::{AbstractHeapType, HeapType, Operator, RefType, ValType};

use super::profile;
use super::reason::Feature;

/// The feature that a value of type `ty` needs, if contracts may not have such values.
pub(super) fn of_value(ty: ValType) -> Option<Feature> {
    match ty {
        ValType::I32 | ValType::I64 => None,
        ValType::F32 | ValType::F64 => (!profile::SPECIFICATION).then_some(Feature::Floats),
        ValType::V128 => Some(Feature::Simd),
        ValType::Ref(reference) => Some(of_reference(reference)),
    }
}

/// The feature that a reference type belongs to.
pub(super) fn of_reference(reference: RefType) -> Feature {
    if reference == RefType::FUNCREF || reference == RefType::EXTERNREF {
        return Feature::ReferenceTypes;
    }
    match reference.heap_type() {
        HeapType::Abstract { shared: true, .. } => Feature::Threads,
        HeapType::Abstract { ty: AbstractHeapType::Func | AbstractHeapType::Extern, .. } => Feature::FunctionReferences,
        HeapType::Abstract { ty: AbstractHeapType::Exn | AbstractHeapType::NoExn, .. } => Feature::Exceptions,
        HeapType::Abstract { ty: AbstractHeapType::Cont | AbstractHeapType::NoCont, .. } => Feature::StackSwitching,
        HeapType::Abstract { .. } => Feature::Gc,
        HeapType::Concrete(_) | HeapType::Exact(_) => Feature::FunctionReferences,
    }
}

/// Defines `proposal`, which answers with the name of the proposal that brought an operator.
macro_rules! define_proposal {
    ($( @$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*) )*) => {
        fn proposal(operator: &Operator<'_>) -> &'static str {
            match operator {
                $( Operator::$op { .. } => stringify!($proposal), )*
                _ => "",
            }
        }
    };
}
wasmparser::for_each_operator!(define_proposal);

/// The feature that an operator without a price (see [`super::schedule`]) belongs to.
pub(super) fn of_operator(operator: &Operator<'_>) -> Feature {
    match operator {
        Operator::MemoryInit { .. } | Operator::DataDrop { .. } | Operator::ElemDrop { .. } => Feature::PassiveSegments,
        Operator::TableSet { .. }
        | Operator::TableGrow { .. }
        | Operator::TableFill { .. }
        | Operator::TableCopy { .. }
        | Operator::TableInit { .. } => Feature::TableMutation,
        _ => match proposal(operator) {
            // Of the first version's operators only those on floats have no price.
            "mvp" | "saturating_float_to_int" => Feature::Floats,
            "simd" => Feature::Simd,
            "relaxed_simd" => Feature::RelaxedSimd,
            "threads" | "shared_everything_threads" => Feature::Threads,
            "tail_call" => Feature::TailCall,
            "exceptions" | "legacy_exceptions" => Feature::Exceptions,
            "function_references" => Feature::FunctionReferences,
            "stack_switching" => Feature::StackSwitching,
            "wide_arithmetic" => Feature::WideArithmetic,
            "memory_control" => Feature::MemoryControl,
            "reference_types" => Feature::ReferenceTypes,
            // `gc`, `custom_descriptors`, and whatever a later parser knows: all build on it.
            _ => Feature::Gc,
        },
    }
}

/// The operator's name without its immediates, as the parser spells it.
pub(super) fn operator_name(operator: &Operator<'_>) -> String {
    let text = format!("{operator:?}");
    text.chars().take_while(|c| c.is_ascii_alphanumeric()).collect()
}
