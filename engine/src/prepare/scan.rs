//! The first look at one function body: limits and refused operators, nothing type-checked.

use wasmparser::{FunctionBody, Operator};

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
}

/// Decodes every body of the module, adding to `reasons` what is refused.
///
/// # Errors
///
/// [`Reason::Invalid`] if a body cannot be decoded.
pub(super) fn bodies(outline: &Outline<'_>, reasons: &mut Reasons) -> Result<(), Reason> {
    for (body, index) in outline.bodies.iter().zip(outline.imports.len()..) {
        let ty = outline.functions.get(index).and_then(|ty| outline.types.get(*ty as usize));
        let parameters = match ty {
            Some(Some(ty)) => ty.params().len() as u64,
            // What has no type is the validator's to refuse.
            _ => 0,
        };
        body_of(body, u32::try_from(index).unwrap_or(u32::MAX), parameters, reasons)?;
    }
    Ok(())
}

fn body_of(body: &FunctionBody<'_>, function: u32, parameters: u64, reasons: &mut Reasons) -> Result<(), Reason> {
    let start = Place { function: Some(function), offset: body.range().start };
    reasons.check(Limit::BodyBytes, body.range().len() as u64, start);

    let mut locals = parameters;
    for group in body.get_locals_reader()? {
        let (count, ty) = group?;
        locals = locals.saturating_add(u64::from(count));
        if let Some(feature) = features::of_value(ty) {
            reasons.refuse(feature, start, || format!("a local of type {ty}"));
        }
    }
    reasons.check(Limit::Locals, locals, start);

    let mut counts = Counts::default();
    for item in body.get_operators_reader()?.into_iter_with_offsets() {
        let (operator, offset) = item?;
        if schedule::price(&operator).is_none() {
            let place = Place { function: Some(function), offset };
            reasons.refuse(features::of_operator(&operator), place, || features::operator_name(&operator));
        }
        counts.add(&operator);
        let block_type = match operator {
            Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => blockty,
            _ => continue,
        };
        if let wasmparser::BlockType::Type(ty) = block_type
            && let Some(feature) = features::of_value(ty)
        {
            reasons.refuse(feature, Place { function: Some(function), offset }, || format!("a block of type {ty}"));
        }
    }
    reasons.check(Limit::LoopsTimesLocals, counts.loops.saturating_mul(locals), start);
    reasons.check(Limit::ControlOperators, counts.control, start);
    reasons.check(Limit::Nesting, counts.nesting_most, start);
    reasons.check(Limit::BranchTargets, counts.branch_targets, start);
    Ok(())
}

impl Counts {
    fn add(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                self.loops += u64::from(matches!(operator, Operator::Loop { .. }));
                self.control += 1;
                self.nesting += 1;
                self.nesting_most = self.nesting_most.max(self.nesting);
            }
            Operator::End => self.nesting = self.nesting.saturating_sub(1),
            Operator::Br { .. } | Operator::BrIf { .. } => self.control += 1,
            Operator::BrTable { targets } => {
                self.control += 1;
                self.branch_targets += u64::from(targets.len());
            }
            _ => {}
        }
    }
}
