//! The first look at one function body: limits and refused operators, nothing type-checked.

use wasmparser::{BlockType, FunctionBody, Operator};

use super::features;
use super::outline::Outline;
use super::reason::{Limit, Place, Reason, Reasons};
use super::schedule;

/// What one body holds of the things that are limited.
#[derive(Default)]
struct Counts {
    loops: u64,
    control: u64,
    nesting: u64,
    nesting_most: u64,
    branch_targets: u64,
    calls: u64,
    call_results: u64,
    block_values: u64,
}

/// Decodes every body of the module, adding to `reasons` what is refused.
///
/// # Errors
///
/// [`Reason::Invalid`] if a body cannot be decoded.
pub(super) fn bodies(outline: &Outline<'_>, reasons: &mut Reasons) -> Result<(), Reason> {
    let (mut loops_times_locals, mut calls) = (0_u64, 0);
    for (body, index) in outline.bodies.iter().zip(outline.imports.len()..) {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let place = Place { function: Some(index), offset: body.range().start };
        reasons.check(Limit::BodyBytes, body.range().len() as u64, place);
        let locals = locals(outline, body, place, reasons)?;
        let counts = operators(outline, body, place, reasons)?;
        counts.check(locals, place, reasons);
        loops_times_locals = loops_times_locals.saturating_add(counts.loops.saturating_mul(locals));
        reasons.check(Limit::ModuleLoopsTimesLocals, loops_times_locals, place);
        calls += counts.calls;
        reasons.check(Limit::ModuleCalls, calls, place);
    }
    Ok(())
}

/// Counts a function's locals, parameters included.
fn locals(outline: &Outline<'_>, body: &FunctionBody<'_>, place: Place, reasons: &mut Reasons) -> Result<u64, Reason> {
    let mut locals = place.function.map_or(0, |function| arity_of_function(outline, function).0);
    for group in body.get_locals_reader()? {
        let (count, ty) = group?;
        locals = locals.saturating_add(u64::from(count));
        if let Some(feature) = features::of_value(ty) {
            reasons.refuse(feature, place, || format!("a local of type {ty}"));
        }
    }
    Ok(locals)
}

/// Counts what a function's operators are, and refuses those without a price.
fn operators(
    outline: &Outline<'_>,
    body: &FunctionBody<'_>,
    place: Place,
    reasons: &mut Reasons,
) -> Result<Counts, Reason> {
    let mut counts = Counts::default();
    for item in body.get_operators_reader()?.into_iter_with_offsets() {
        let (operator, offset) = item?;
        let place = Place { offset, ..place };
        if schedule::price(&operator).is_none() {
            reasons.refuse(features::of_operator(&operator), place, || features::operator_name(&operator));
        }
        if let Some(BlockType::Type(ty)) = counts.add(&operator, outline)
            && let Some(feature) = features::of_value(ty)
        {
            reasons.refuse(feature, place, || format!("a block of type {ty}"));
        }
    }
    Ok(counts)
}

/// How many parameters and results a type has. What is no function type is the validator's to refuse.
fn arity_of_type(outline: &Outline<'_>, ty: u32) -> (u64, u64) {
    match outline.types.get(ty as usize) {
        Some(Some(ty)) => (ty.params().len() as u64, ty.results().len() as u64),
        _ => (0, 0),
    }
}

fn arity_of_function(outline: &Outline<'_>, function: u32) -> (u64, u64) {
    outline.functions.get(function as usize).map_or((0, 0), |ty| arity_of_type(outline, *ty))
}

impl Counts {
    /// Counts one operator, and answers with its type if it begins a block.
    fn add(&mut self, operator: &Operator<'_>, outline: &Outline<'_>) -> Option<BlockType> {
        match operator {
            Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
                self.loops += u64::from(matches!(operator, Operator::Loop { .. }));
                self.control += 1;
                self.nesting += 1;
                self.nesting_most = self.nesting_most.max(self.nesting);
                self.block_values += match blockty {
                    BlockType::Empty => 0,
                    BlockType::Type(_) => 1,
                    BlockType::FuncType(ty) => {
                        let (takes, leaves) = arity_of_type(outline, *ty);
                        takes + leaves
                    }
                };
                return Some(*blockty);
            }
            Operator::End => self.nesting = self.nesting.saturating_sub(1),
            Operator::Br { .. } | Operator::BrIf { .. } => self.control += 1,
            Operator::BrTable { targets } => {
                self.control += 1;
                self.branch_targets += u64::from(targets.len());
            }
            Operator::Call { function_index } => {
                self.calls += 1;
                self.call_results += arity_of_function(outline, *function_index).1;
            }
            Operator::CallIndirect { type_index, .. } => {
                self.calls += 1;
                self.call_results += arity_of_type(outline, *type_index).1;
            }
            _ => {}
        }
        None
    }

    fn check(&self, locals: u64, place: Place, reasons: &mut Reasons) {
        reasons.check(Limit::Locals, locals, place);
        reasons.check(Limit::LoopsTimesLocals, self.loops.saturating_mul(locals), place);
        reasons.check(Limit::ControlOperators, self.control, place);
        reasons.check(Limit::Nesting, self.nesting_most, place);
        reasons.check(Limit::BranchTargets, self.branch_targets, place);
        reasons.check(Limit::CallResults, self.call_results, place);
        reasons.check(Limit::BlockValues, self.block_values, place);
    }
}
