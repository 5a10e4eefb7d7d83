//! What an operator costs: part of the protocol version, like everything in [`crate::gas`].
//!
//! An operator without a price is one that contracts may not use: this table is the allow-list.

use wasmparser::Operator;

use super::profile;

/// Filling and copying memory, besides a gas for each eight bytes (rounded up): the call that marks granules, and the
/// way out of compiled code and back.
pub(super) const BULK_MEMORY: u32 = 100;
/// Bytes that one gas of `memory.fill` and `memory.copy` covers, as a power of two.
pub(super) const BULK_BYTES_LOG2: u32 = 3;
/// Gas between two checks that may stay unchecked after a call returned, see [`super::plan`].
pub(super) const UNCHECKED_TAIL: u64 = 256;

/// A load from a memory that fits into a core's own caches.
const LOAD: u32 = 2;

/// What each load costs above that in a memory that can grow to so many pages. Loads at random, each waiting for the one
/// before, took 4 ns in 1 MiB, 8 ns in 4 MiB and 30 to 50 ns in 16 MiB: without this they would be the cheapest way to
/// keep a node busy. A contract that declares the memory it needs does not pay for what it does not use.
pub(super) fn load_surcharge(memory_pages_max: u32) -> u32 {
    match memory_pages_max {
        0..=16 => 0,
        17..=64 => 6,
        _ => 28,
    }
}

/// Whether `operator` reads memory at one address.
pub(super) fn is_load(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        operator,
        O::I32Load { .. }
            | O::I64Load { .. }
            | O::I32Load8S { .. }
            | O::I32Load8U { .. }
            | O::I32Load16S { .. }
            | O::I32Load16U { .. }
            | O::I64Load8S { .. }
            | O::I64Load8U { .. }
            | O::I64Load16S { .. }
            | O::I64Load16U { .. }
            | O::I64Load32S { .. }
            | O::I64Load32U { .. }
    )
}

/// Entering a function whose frame has this many stack units: the prologue, and a share for what it spills.
pub(super) fn entry(frame_units: u32) -> u32 {
    2 + frame_units / 16
}

/// The price of an operator, `None` if contracts may not use it. A call to a host function adds that function's.
pub(super) fn price(operator: &Operator<'_>) -> Option<u32> {
    use Operator as O;
    Some(match operator {
        // They make no machine code of their own.
        O::Block { .. } | O::Loop { .. } | O::Else | O::End | O::Nop | O::Drop | O::Unreachable => 0,
        O::If { .. } | O::Br { .. } | O::BrIf { .. } | O::Return => 1,
        // One indirect jump, and cache lines of the table.
        O::BrTable { targets } => 4 + targets.len() / 32,
        O::Call { .. } => 4,
        O::CallIndirect { .. } => 12,
        O::Select
        | O::LocalGet { .. }
        | O::LocalSet { .. }
        | O::LocalTee { .. }
        | O::GlobalGet { .. }
        | O::GlobalSet { .. }
        | O::I32Const { .. }
        | O::I64Const { .. } => 1,
        _ if is_load(operator) => LOAD,
        O::I32Store { .. }
        | O::I64Store { .. }
        | O::I32Store8 { .. }
        | O::I32Store16 { .. }
        | O::I64Store8 { .. }
        | O::I64Store16 { .. }
        | O::I64Store32 { .. } => 3,
        // The price by pages is charged where it runs: `gas::MEMORY_GROW`.
        O::MemorySize { .. } => 1,
        O::MemoryGrow { .. } => 1,
        O::MemoryCopy { .. } | O::MemoryFill { .. } => BULK_MEMORY,
        _ => return arithmetic(operator).or_else(|| profile::price(operator)),
    })
}

/// The price of an operator on integers.
fn arithmetic(operator: &Operator<'_>) -> Option<u32> {
    use Operator as O;
    Some(match operator {
        O::I32Mul | O::I64Mul => 2,
        O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU => 12,
        O::I64DivS | O::I64DivU | O::I64RemS | O::I64RemU => 16,
        // Without the processor's instruction these are a dozen simple ones.
        O::I32Popcnt | O::I64Popcnt | O::I32Clz | O::I64Clz | O::I32Ctz | O::I64Ctz => 2,
        O::I32Eqz
        | O::I32Eq
        | O::I32Ne
        | O::I32LtS
        | O::I32LtU
        | O::I32GtS
        | O::I32GtU
        | O::I32LeS
        | O::I32LeU
        | O::I32GeS
        | O::I32GeU
        | O::I64Eqz
        | O::I64Eq
        | O::I64Ne
        | O::I64LtS
        | O::I64LtU
        | O::I64GtS
        | O::I64GtU
        | O::I64LeS
        | O::I64LeU
        | O::I64GeS
        | O::I64GeU
        | O::I32Add
        | O::I32Sub
        | O::I32And
        | O::I32Or
        | O::I32Xor
        | O::I32Shl
        | O::I32ShrS
        | O::I32ShrU
        | O::I32Rotl
        | O::I32Rotr
        | O::I64Add
        | O::I64Sub
        | O::I64And
        | O::I64Or
        | O::I64Xor
        | O::I64Shl
        | O::I64ShrS
        | O::I64ShrU
        | O::I64Rotl
        | O::I64Rotr
        | O::I32WrapI64
        | O::I64ExtendI32S
        | O::I64ExtendI32U
        | O::I32Extend8S
        | O::I32Extend16S
        | O::I64Extend8S
        | O::I64Extend16S
        | O::I64Extend32S => 1,
        _ => return None,
    })
}
