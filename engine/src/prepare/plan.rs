//! Type-checks every function and decides, on the way, what instrumentation each gets.
//!
//! # Gas
//!
//! A *block* here is a basic block: it ends after `loop`, `if`, `else`, `end` and every branch. Its price is the sum of
//! its operators', charged before the first of them. Whether gas is left is asked for at function entry, at each loop's
//! head, after charges that depend on operands, and after the last call of a block if the blocks behind it can cost more
//! than [`schedule::UNCHECKED_TAIL`] without asking.
//!
//! So what a call runs beyond its limit is bounded. From the moment the gas falls below zero to the next check, the
//! innermost function runs forward through its body at most once: `BODY_BYTES_MAX` bytes of operators, of which none
//! costs more than 16 gas a byte without a check of its own, so at most 2,097,152 gas, and in compiled code some
//! hundreds. Host functions check the gas themselves. Frames outside it run at most `UNCHECKED_TAIL` gas each.
//!
//! # Stack
//!
//! A frame costs [`FRAME_UNITS`] + its locals + its deepest operand stack + an eighth of the values it makes. The last
//! term is there because the frame of the machine code grows with all values that a function computes, not only with
//! those that Wasm holds at once: an optimising compiler keeps common subexpressions alive, and a quick one gives every
//! value a slot of its own. An operator makes the values it leaves, a block those it takes and leaves, and each at least
//! one. Values that no operator shows, those where locals join ([`Joins`]) and those of operators that are code with branches of its own
//! ([`HIDDEN_VALUES`]), count twice instead, where that is more: so there are at most one and a half times as many values as were
//! counted, and code as compilers write it pays for none of them.

use wasmparser::{
    FuncToValidate, FuncValidatorAllocations, FunctionBody, ModuleArity, Operator, OperatorsReader, Parser,
    ValidPayload, Validator, ValidatorResources, WasmFeatures,
};

use super::joins::Joins;
use super::marks::{MarkPlanner, Marks};
use super::outline::Outline;
use super::profile;
use super::reason::{Limit, Place, Reason, Reasons};
use super::schedule;
use super::values::Values;

/// Stack units of an empty frame.
pub(super) const FRAME_UNITS: u32 = 2;
/// Values made that cost one stack unit.
const VALUES_PER_UNIT: u32 = 8;

/// Values that live between the branches inside one operator, or inside what the pass writes for it: an indirect call, a bulk operation, a
/// growth of memory.
const HIDDEN_VALUES: u32 = 4;

/// What the code of one function is given.
#[derive(Debug)]
pub(super) struct Plan {
    /// The price of each block, in the order of the body. The first includes entering the function.
    pub(super) charges: Vec<u32>,
    /// How many calls of guest functions each block makes.
    pub(super) calls: Vec<u32>,
    /// The marks of each store, in the order of the body.
    pub(super) marks: Vec<Marks>,
    /// Stack units of the frame.
    pub(super) frame_units: u32,
    /// Values that its joins need at most.
    pub(super) join_values: u32,
    /// Whether the function calls anything, the host included.
    pub(super) makes_calls: bool,
}

/// The features of a module that is accepted.
fn accepted_features() -> WasmFeatures {
    // `REFERENCE_TYPES` is there for the encoding of `call_indirect` that compilers write, `GC_TYPES` since it turns on
    // reference types at all; what else they allow is refused by name before.
    let floats = WasmFeatures::FLOATS | WasmFeatures::SATURATING_FLOAT_TO_INT;
    let beyond_contracts = if profile::SPECIFICATION { floats } else { WasmFeatures::empty() };
    beyond_contracts
        | WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::GC_TYPES
}

/// The features with which a refused module is still type-checked, to tell one that is refused from one that is no Wasm.
fn refused_features() -> WasmFeatures {
    WasmFeatures::all().difference(WasmFeatures::COMPACT_IMPORTS | WasmFeatures::COMPONENT_MODEL)
}

/// Type-checks the module and plans its functions. For a module that is refused already the plans are left out.
///
/// # Errors
///
/// [`Reason::Invalid`] if the module is not valid Wasm.
pub(super) fn validate(module: &[u8], outline: &Outline<'_>, reasons: &mut Reasons) -> Result<Vec<Plan>, Reason> {
    let refused = !reasons.is_empty();
    let features = if refused { refused_features() } else { accepted_features() };
    let mut validator = Validator::new_with_features(features);
    let mut allocations = FuncValidatorAllocations::default();
    let mut plans = Vec::with_capacity(if refused { 0 } else { outline.bodies.len() });
    let mut join_values = 0;
    for payload in Parser::new(0).parse_all(module) {
        let ValidPayload::Func(function, body) = validator.payload(&payload?)? else { continue };
        if refused {
            let mut function = function.into_validator(allocations);
            function.validate(&body)?;
            allocations = function.into_allocations();
        } else {
            let place = Place { function: Some(function.index), offset: body.range().start };
            let (plan, kept) = plan_function(function, &body, place, outline, allocations, reasons)?;
            allocations = kept;
            join_values += u64::from(plan.join_values);
            reasons.check(Limit::ModuleJoinValues, join_values, place);
            plans.push(plan);
        }
    }
    Ok(plans)
}

/// Whether a basic block ends after `operator`.
pub(super) fn ends_block(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::Unreachable
    )
}

/// Whether `operator` calls a function of the guest; the first `imports` functions are the host's.
pub(super) fn calls_guest(operator: &Operator<'_>, imports: u32) -> bool {
    match operator {
        Operator::Call { function_index } => *function_index >= imports,
        Operator::CallIndirect { .. } => true,
        _ => false,
    }
}

/// The static offset and the number of bytes that a store writes.
pub(super) fn store_of(operator: &Operator<'_>) -> Option<(u32, u32)> {
    let (memarg, bytes) = match operator {
        Operator::I32Store8 { memarg } | Operator::I64Store8 { memarg } => (memarg, 1),
        Operator::I32Store16 { memarg } | Operator::I64Store16 { memarg } => (memarg, 2),
        Operator::I32Store { memarg } | Operator::I64Store32 { memarg } | Operator::F32Store { memarg } => (memarg, 4),
        Operator::I64Store { memarg } | Operator::F64Store { memarg } => (memarg, 8),
        _ => return None,
    };
    // Offsets into a 32-bit memory are below 2³²: the validator has seen to it.
    Some((u32::try_from(memarg.offset).unwrap_or(u32::MAX), bytes))
}

fn plan_function(
    function: FuncToValidate<ValidatorResources>,
    body: &FunctionBody<'_>,
    place: Place,
    outline: &Outline<'_>,
    allocations: FuncValidatorAllocations,
    reasons: &mut Reasons,
) -> Result<(Plan, FuncValidatorAllocations), Reason> {
    let mut validator = function.into_validator(allocations);
    let mut reader = body.get_binary_reader();
    validator.read_locals(&mut reader)?;
    let locals = validator.len_locals();

    let mut planner = Planner::new(locals, outline);
    let mut operators = OperatorsReader::new(reader);
    let mut height = 0;
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset()?;
        planner.step(&operator, &validator);
        validator.op(offset, &operator)?;
        height = height.max(validator.operand_stack_height());
    }
    operators.finish()?;

    reasons.check(Limit::Operands, u64::from(height), place);
    reasons.check(Limit::JoinValues, u64::from(planner.joins.values()), place);
    Ok((planner.finish(locals, height), validator.into_allocations()))
}

/// Follows a function's operators.
struct Planner<'a> {
    outline: &'a Outline<'a>,
    values: Values,
    marks: MarkPlanner,
    charges: Vec<u32>,
    calls: Vec<u32>,
    imports: u32,
    load_surcharge: u32,
    block: u32,
    block_calls: u32,
    makes_calls: bool,
    values_made: u32,
    joins: Joins,
    hidden_values: u32,
}

impl<'a> Planner<'a> {
    fn new(locals: u32, outline: &'a Outline<'a>) -> Self {
        Self {
            outline,
            values: Values::new(locals as usize),
            marks: MarkPlanner::default(),
            charges: Vec::new(),
            calls: Vec::new(),
            imports: u32::try_from(outline.imports.len()).unwrap_or(u32::MAX),
            load_surcharge: schedule::load_surcharge(outline.memory.map_or(0, |(_, most)| most)),
            block: 0,
            block_calls: 0,
            makes_calls: false,
            values_made: 0,
            joins: Joins::new(locals),
            hidden_values: 0,
        }
    }

    /// Follows one operator, before the validator does. An operator that is invalid may be followed to anywhere.
    fn step(&mut self, operator: &Operator<'_>, arity: &impl ModuleArity) {
        self.values_made = self.values_made.saturating_add(self.values_of(operator, arity).max(1));
        self.joins.step(operator);
        if matches!(
            operator,
            Operator::CallIndirect { .. }
                | Operator::MemoryGrow { .. }
                | Operator::MemoryFill { .. }
                | Operator::MemoryCopy { .. }
        ) {
            self.hidden_values = self.hidden_values.saturating_add(HIDDEN_VALUES);
        }
        self.block = self.block.saturating_add(self.price(operator));
        self.block_calls += u32::from(calls_guest(operator, self.imports));
        if let Some((offset, bytes)) = store_of(operator) {
            let address = self.values.operand(1);
            self.marks.store(address, offset, bytes);
        }
        match operator {
            Operator::Loop { .. } | Operator::Else | Operator::End => {
                self.values.join();
                self.marks.join();
            }
            Operator::Block { .. } => self.values.forget_stack(),
            _ if ends_block(operator) => {
                self.values.forget_stack();
                self.marks.next_block();
            }
            _ => match operator.operator_arity(arity) {
                Some((takes, leaves)) => self.values.step(operator, takes, leaves),
                None => self.values.forget_stack(),
            },
        }
        if ends_block(operator) {
            self.charges.push(std::mem::take(&mut self.block));
            self.calls.push(std::mem::take(&mut self.block_calls));
        }
    }

    /// How many values an operator makes.
    fn values_of(&self, operator: &Operator<'_>, arity: &impl ModuleArity) -> u32 {
        match operator {
            Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
                arity.block_type_arity(*blockty).map_or(0, |(takes, leaves)| takes + leaves)
            }
            Operator::Call { .. } | Operator::CallIndirect { .. } => {
                operator.operator_arity(arity).map_or(0, |(_, leaves)| leaves)
            }
            _ => 1,
        }
    }

    fn price(&mut self, operator: &Operator<'_>) -> u32 {
        let price = schedule::price(operator).unwrap_or(0);
        match operator {
            Operator::Call { function_index } => {
                self.makes_calls = true;
                let host = self.outline.imports.get(*function_index as usize).copied().flatten();
                price + host.map_or(0, |function| u32::try_from(function.gas).unwrap_or(u32::MAX / 2))
            }
            Operator::CallIndirect { .. } => {
                self.makes_calls = true;
                price
            }
            _ if schedule::is_load(operator) => price + self.load_surcharge,
            _ => price,
        }
    }

    fn finish(mut self, locals: u32, height: u32) -> Plan {
        let hidden = self.joins.values().saturating_add(self.hidden_values);
        let values = self.values_made.max(hidden.saturating_mul(2));
        let frame_units = FRAME_UNITS + locals + height + values / VALUES_PER_UNIT;
        if let Some(first) = self.charges.first_mut() {
            *first = first.saturating_add(schedule::entry(frame_units));
        }
        Plan {
            charges: self.charges,
            calls: self.calls,
            marks: self.marks.into_marks(),
            frame_units,
            join_values: self.joins.values(),
            makes_calls: self.makes_calls,
        }
    }
}
