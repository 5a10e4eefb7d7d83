//! Writes the instrumented body of one function.
//!
//! ```text
//! charge and check the first block; take the frame's stack units
//! block                             ;; takes the place of the function's own label: branch depths stay
//!   the guest's operators, byte for byte, with charges, checks and marks between them
//! end
//! give the stack units back         ;; only if the function makes calls
//! ```
//!
//! The gas left is in a local while the function runs: a charge is one subtraction. The control memory has to hold it whenever
//! somebody else may look, so it is written before each operator that calls or may trap, unless it was since the last charge, and
//! where the function ends; after a call it is read again.
//!
//! A check that fails halts where it stands. One place to halt for the whole function would be shorter, but thousands of
//! branches to it take a compiler quadratic time.

use wasm_encoder::{BlockType, Encode, InstructionSink, MemArg, ValType};
use wasmparser::{BinaryReader, FunctionBody, LocalsReader, Operator};

use super::assemble::value;
use super::interface::{
    CONTROL_DIRTY, CONTROL_GAS, CONTROL_HALT, CONTROL_STACK, DIRTY_BYTES, GRANULE_LOG2, HALT_GAS, HALT_STACK,
};
use super::marks::Marks;
use super::plan::{Plan, calls_guest, ends_block, store_of};
use super::reason::Reason;
use super::schedule;
use crate::gas::{MEMORY_GROW, MEMORY_GROW_PAGE};

/// Indices of what the module gives to every function.
pub(super) struct Shared {
    /// Function `(address, length)` that marks the granules of a range.
    pub(super) mark_range: u32,
    /// How many functions are imported: the first indices.
    pub(super) imports: u32,
}

/// A field of the control memory.
pub(super) fn control(offset: u64, align: u32) -> MemArg {
    MemArg { offset, align, memory_index: 1 }
}

/// Locals added behind the guest's: the gas left, and scratch that lives between two operators of the guest.
struct Scratch {
    address: u32,
    operand: u32,
    length: u32,
    wide: u32,
    gas: u32,
}

/// Scratch locals in the order of their indices.
const SCRATCH: [(u32, ValType); 2] = [(3, ValType::I32), (2, ValType::I64)];

impl Scratch {
    fn behind(locals: u32) -> Self {
        Self { address: locals, operand: locals + 1, length: locals + 2, wide: locals + 3, gas: locals + 4 }
    }
}

/// The instrumented body of a function with `parameters` parameters, as a code section holds it (without its length).
/// `result` is the type of a block that leaves what the function returns.
///
/// # Errors
///
/// None for a body that was validated; a reader's error is passed on as [`Reason::Invalid`].
pub(super) fn instrument(
    module: &[u8],
    body: &FunctionBody<'_>,
    parameters: u32,
    result: BlockType,
    plan: &Plan,
    shared: &Shared,
) -> Result<Vec<u8>, Reason> {
    // A body grows to about twice its bytes.
    let mut out = Vec::with_capacity(64 + 2 * body.range().len());
    let locals = write_locals(body.get_locals_reader()?, parameters, &mut out)?;
    let tail = plan.charges.iter().map(|charge| u64::from(*charge)).sum();
    let mut writer = Writer {
        out,
        scratch: Scratch::behind(locals),
        plan,
        shared,
        block: 0,
        store: 0,
        tail,
        nesting: 0,
        calls_left: 0,
        gas_is_written: true,
    };
    writer.prologue(result);
    writer.operators(module, body.get_binary_reader_for_operators()?)?;
    writer.epilogue();
    Ok(writer.out)
}

/// Writes the guest's locals and the scratch locals, and answers how many the guest has, parameters included.
fn write_locals(reader: LocalsReader<'_>, parameters: u32, out: &mut Vec<u8>) -> Result<u32, Reason> {
    (reader.get_count() + SCRATCH.len() as u32).encode(out);
    let mut locals = parameters;
    for group in reader {
        let (count, ty) = group?;
        locals += count;
        count.encode(out);
        value(ty).encode(out);
    }
    for (count, ty) in SCRATCH {
        count.encode(out);
        ty.encode(out);
    }
    Ok(locals)
}

struct Writer<'a> {
    out: Vec<u8>,
    scratch: Scratch,
    plan: &'a Plan,
    shared: &'a Shared,
    /// Blocks and stores passed.
    block: usize,
    store: usize,
    /// Price of the blocks from `block` on.
    tail: u64,
    /// Blocks of the guest that are open, besides the function's own.
    nesting: u32,
    /// Calls of guest functions to come in this block.
    calls_left: u32,
    /// Whether the control memory is known to hold the gas left here.
    gas_is_written: bool,
}

impl Writer<'_> {
    fn sink(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.out)
    }

    fn prologue(&mut self, result: BlockType) {
        self.read_gas();
        self.begin_block(true);
        self.take_stack();
        self.sink().block(result);
    }

    fn operators(&mut self, module: &[u8], reader: BinaryReader<'_>) -> Result<(), Reason> {
        let mut reader = wasmparser::OperatorsReader::new(reader);
        while !reader.eof() {
            let start = reader.original_position();
            let operator = reader.read()?;
            let bytes = &module[start..reader.original_position()];
            self.operator(&operator, bytes);
        }
        Ok(())
    }

    /// One operator of the guest with what goes before and after it.
    fn operator(&mut self, operator: &Operator<'_>, bytes: &[u8]) {
        let may_leave = may_leave(operator);
        if may_leave {
            self.write_gas();
        }
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => self.nesting += 1,
            // The last `end` closes the function's own label, which is `$body` now.
            Operator::End => self.nesting = self.nesting.saturating_sub(1),
            Operator::MemoryGrow { .. } => self.charge_grow(),
            Operator::MemoryFill { .. } | Operator::MemoryCopy { .. } => self.charge_and_mark_range(),
            _ => {
                if store_of(operator).is_some() {
                    self.mark_store(operator);
                }
            }
        }
        if may_leave {
            // What the operator itself cost was charged since.
            self.write_gas();
        }
        if matches!(operator, Operator::Return) {
            let body = self.nesting;
            self.sink().br(body);
        } else {
            self.out.extend_from_slice(bytes);
        }
        if matches!(operator, Operator::Call { .. } | Operator::CallIndirect { .. }) {
            self.read_gas();
        }
        if ends_block(operator) {
            // Other ways lead here, on which it may not have been written.
            self.gas_is_written &= !matches!(operator, Operator::Loop { .. } | Operator::Else | Operator::End);
            self.end_block();
            self.begin_block(matches!(operator, Operator::Loop { .. }));
        } else {
            self.check_after_call(operator);
        }
    }

    fn epilogue(&mut self) {
        self.write_gas();
        if self.plan.makes_calls {
            let units = self.plan.frame_units.cast_signed();
            let field = control(CONTROL_STACK, 2);
            self.sink().i32_const(0).i32_const(0).i32_load(field).i32_const(units).i32_add().i32_store(field);
        }
        self.sink().end();
    }

    fn end_block(&mut self) {
        let charge = self.plan.charges.get(self.block).copied().unwrap_or(0);
        self.tail = self.tail.saturating_sub(u64::from(charge));
        self.block += 1;
    }

    /// Charges the block that begins here.
    fn begin_block(&mut self, check: bool) {
        self.calls_left = self.plan.calls.get(self.block).copied().unwrap_or(0);
        let charge = self.plan.charges.get(self.block).copied().unwrap_or(0);
        if charge > 0 {
            self.charge(check, |sink| {
                sink.i64_const(i64::from(charge));
            });
        } else if check {
            self.check();
        }
    }

    /// Subtracts from the gas left the i64 that `price` leaves on the stack.
    fn charge(&mut self, check: bool, price: impl FnOnce(&mut InstructionSink<'_>)) {
        let gas = self.scratch.gas;
        let mut sink = self.sink();
        sink.local_get(gas);
        price(&mut sink);
        sink.i64_sub().local_set(gas);
        self.gas_is_written = false;
        if check {
            self.check();
        }
    }

    fn check(&mut self) {
        let gas = self.scratch.gas;
        self.sink().local_get(gas).i64_const(0).i64_lt_s();
        self.halt_if(HALT_GAS);
    }

    /// Halts for `reason` if the i32 on the stack is not zero.
    fn halt_if(&mut self, reason: i32) {
        let mut sink = self.sink();
        sink.if_(BlockType::Empty);
        if reason == HALT_GAS {
            // How far below zero is nobody's business. A value that the function computed would live on to here, where a compiler puts
            // what hardly ever runs: behind all of the function, which for thousands of them takes it quadratic time.
            sink.i32_const(0).i64_const(-1).i64_store(control(CONTROL_GAS, 3));
        }
        sink.i32_const(0).i32_const(reason).i32_store(control(CONTROL_HALT, 2)).unreachable().end();
    }

    fn read_gas(&mut self) {
        let gas = self.scratch.gas;
        self.sink().i32_const(0).i64_load(control(CONTROL_GAS, 3)).local_set(gas);
        self.gas_is_written = true;
    }

    fn write_gas(&mut self) {
        if !self.gas_is_written {
            let gas = self.scratch.gas;
            self.sink().i32_const(0).local_get(gas).i64_store(control(CONTROL_GAS, 3));
            self.gas_is_written = true;
        }
    }

    /// The callee may have used up the gas without asking at its end. Of several calls in one block, which was charged
    /// whole before the first, only the last is followed by anything that was not.
    fn check_after_call(&mut self, operator: &Operator<'_>) {
        if !calls_guest(operator, self.shared.imports) {
            return;
        }
        self.calls_left = self.calls_left.saturating_sub(1);
        let current = self.plan.charges.get(self.block).copied().unwrap_or(0);
        if self.calls_left == 0 && self.tail.saturating_sub(u64::from(current)) > schedule::UNCHECKED_TAIL {
            self.check();
        }
    }

    /// Takes the frame's stack units. A function that makes no call only asks whether they are there: nobody else would
    /// see them taken.
    fn take_stack(&mut self) {
        self.write_gas();
        let units = self.plan.frame_units.cast_signed();
        let makes_calls = self.plan.makes_calls;
        let left = self.scratch.operand;
        let field = control(CONTROL_STACK, 2);
        let mut sink = self.sink();
        if makes_calls {
            sink.i32_const(0).i32_const(0).i32_load(field).i32_const(units).i32_sub().local_tee(left).i32_store(field);
            sink.local_get(left).i32_const(0).i32_lt_s();
        } else {
            sink.i32_const(0).i32_load(field).i32_const(units).i32_lt_s();
        }
        self.halt_if(HALT_STACK);
    }

    fn charge_grow(&mut self) {
        let pages = self.scratch.operand;
        self.sink().local_set(pages);
        self.charge(true, |sink| {
            sink.local_get(pages).i64_extend_i32_u().i64_const(MEMORY_GROW_PAGE.cast_signed()).i64_mul();
            sink.i64_const(MEMORY_GROW.cast_signed()).i64_add();
        });
        self.sink().local_get(pages);
    }

    fn charge_and_mark_range(&mut self) {
        let Scratch { address, operand, length, .. } = self.scratch;
        let mark_range = self.shared.mark_range;
        self.sink().local_set(length).local_set(operand).local_set(address);
        self.charge(true, |sink| {
            let round_up = (1 << schedule::BULK_BYTES_LOG2) - 1;
            sink.local_get(length).i64_extend_i32_u().i64_const(round_up).i64_add();
            sink.i64_const(i64::from(schedule::BULK_BYTES_LOG2)).i64_shr_u();
        });
        let mut sink = self.sink();
        sink.local_get(address).local_get(length).call(mark_range);
        sink.local_get(address).local_get(operand).local_get(length);
    }

    /// Makes the marks planned for the store that follows, whose address and value are on the stack.
    fn mark_store(&mut self, store: &Operator<'_>) {
        let marks = self.plan.marks.get(self.store).copied().unwrap_or_default();
        self.store += 1;
        let Marks { first: Some(first), second } = marks else { return };
        let Scratch { address, operand, wide: wide_operand, .. } = self.scratch;
        let value = if takes_i64(store) { wide_operand } else { operand };
        // The scratch locals are integers; a float passes through them by its bits.
        match store {
            Operator::F32Store { .. } => _ = self.sink().i32_reinterpret_f32(),
            Operator::F64Store { .. } => _ = self.sink().i64_reinterpret_f64(),
            _ => {}
        }
        self.sink().local_set(value).local_tee(address);
        mark(&mut self.sink(), first);
        if let Some(second) = second {
            self.sink().local_get(address);
            mark(&mut self.sink(), second);
        }
        self.sink().local_get(address).local_get(value);
        match store {
            Operator::F32Store { .. } => _ = self.sink().f32_reinterpret_i32(),
            Operator::F64Store { .. } => _ = self.sink().f64_reinterpret_i64(),
            _ => {}
        }
    }
}

/// Whether control may leave the function at `operator`, by a call or a trap, so that the gas left is looked at. Of those that
/// contracts may use, the specification lets no other operator trap.
fn may_leave(operator: &Operator<'_>) -> bool {
    use Operator as O;
    let may_trap = matches!(
        operator,
        O::Unreachable
            | O::MemoryGrow { .. }
            | O::MemoryFill { .. }
            | O::MemoryCopy { .. }
            | O::I32DivS
            | O::I32DivU
            | O::I32RemS
            | O::I32RemU
            | O::I64DivS
            | O::I64DivU
            | O::I64RemS
            | O::I64RemU
            | O::F32Load { .. }
            | O::F64Load { .. }
            | O::I32TruncF32S
            | O::I32TruncF32U
            | O::I32TruncF64S
            | O::I32TruncF64U
            | O::I64TruncF32S
            | O::I64TruncF32U
            | O::I64TruncF64S
            | O::I64TruncF64U
    );
    let calls = matches!(operator, O::Call { .. } | O::CallIndirect { .. });
    may_trap || calls || schedule::is_load(operator) || store_of(operator).is_some()
}

/// Marks the granule of the address on the stack plus `distance`.
fn mark(sink: &mut InstructionSink<'_>, distance: u32) {
    if distance != 0 {
        sink.i32_const(distance.cast_signed()).i32_add();
    }
    sink.i32_const(GRANULE_LOG2.cast_signed()).i32_shr_u();
    // An address outside memory must not reach beyond the map; the store that follows traps.
    sink.i32_const(DIRTY_BYTES.cast_signed() - 1).i32_and();
    sink.i32_const(1).i32_store8(control(CONTROL_DIRTY, 0));
}

fn takes_i64(store: &Operator<'_>) -> bool {
    matches!(
        store,
        Operator::F64Store { .. }
            | Operator::I64Store { .. }
            | Operator::I64Store8 { .. }
            | Operator::I64Store16 { .. }
            | Operator::I64Store32 { .. }
    )
}
