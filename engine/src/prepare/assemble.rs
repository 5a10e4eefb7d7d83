//! Puts the instrumented module together.
//!
//! Types, functions and globals of the guest keep their indices; what is added comes behind them. Sections that need no
//! change are repeated byte for byte. Custom sections are left out.

use wasm_encoder::{
    BlockType, CodeSection, ExportKind, ExportSection, Function, FunctionSection, InstructionSink, MemorySection,
    MemoryType, Module, RawSection, SectionId, TypeSection, ValType,
};
use wasmparser::{BinaryReader, ExternalKind};

use super::body::{self, Shared, control};
use super::interface::{CALL_EXPORT_PREFIX, CONTROL_DIRTY, CONTROL_EXPORT, CONTROL_PAGES, GRANULE_LOG2, MEMORY_EXPORT};
use super::outline::{Constant, Outline};
use super::plan::Plan;
use super::profile;
use super::reason::Reason;

/// Mutable globals that each wrapper resets by itself; more are reset by one function, or a module could make its
/// instrumented form methods × globals large.
const INLINE_RESETS_MAX: usize = 4;

/// Writes the instrumented module.
///
/// # Errors
///
/// None for a module that was validated; a reader's error is passed on as [`Reason::Invalid`].
pub(super) fn assemble(module: &[u8], outline: &Outline<'_>, plans: &[Plan]) -> Result<Vec<u8>, Reason> {
    let types = Types::of(outline);
    let layout = Layout::of(outline);
    let mut out = Module::new();
    out.section(&types.section);
    let copy = |out: &mut Module, id: SectionId, range: &Option<std::ops::Range<usize>>| {
        if let Some(range) = range {
            out.section(&RawSection { id: id as u8, data: &module[range.clone()] });
        }
    };
    copy(&mut out, SectionId::Import, &outline.sections.imports);
    out.section(&functions(outline, &types, &layout));
    copy(&mut out, SectionId::Table, &outline.sections.tables);
    out.section(&memories(outline));
    copy(&mut out, SectionId::Global, &outline.sections.globals);
    match profile::SPECIFICATION {
        true => out.section(&every_export(module, outline)?),
        false => out.section(&exports(outline, &layout)),
    };
    copy(&mut out, SectionId::Element, &outline.sections.elements);
    out.section(&code(module, outline, plans, &types, &layout)?);
    copy(&mut out, SectionId::Data, &outline.sections.data);
    Ok(out.finish())
}

/// The type section: the guest's types, then those of what is added.
struct Types {
    section: TypeSection,
    /// For each type of the guest, the type of a block that leaves its results.
    results: Vec<BlockType>,
    mark_range: u32,
    method: u32,
    reset: u32,
}

impl Types {
    fn of(outline: &Outline<'_>) -> Self {
        let mut section = TypeSection::new();
        for ty in &outline.types {
            let (parameters, results) = ty.as_ref().map_or((&[][..], &[][..]), |ty| (ty.params(), ty.results()));
            section.ty().function(values(parameters), values(results));
        }
        let mut results = Vec::with_capacity(outline.types.len());
        for ty in &outline.types {
            let left = ty.as_ref().map_or(&[][..], |ty| ty.results());
            results.push(match left {
                [] => BlockType::Empty,
                [one] => BlockType::Result(value(*one)),
                several => {
                    let index = section.len();
                    section.ty().function([], values(several));
                    BlockType::FunctionType(index)
                }
            });
        }
        let mark_range = section.len();
        section.ty().function([ValType::I32, ValType::I32], []);
        section.ty().function([], [ValType::I32]);
        section.ty().function([], []);
        Self { section, results, mark_range, method: mark_range + 1, reset: mark_range + 2 }
    }
}

/// A value type of a module that was accepted: no reference and no vector.
pub(super) fn value(ty: wasmparser::ValType) -> ValType {
    match ty {
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        _ => ValType::I32,
    }
}

fn values(types: &[wasmparser::ValType]) -> Vec<ValType> {
    types.iter().copied().map(value).collect()
}

/// Indices of the functions that are added, and the globals that wrappers reset.
struct Layout {
    mark_range: u32,
    /// The function that resets globals, where there is one.
    reset: Option<u32>,
    first_wrapper: u32,
    /// Index and initial value.
    resets: Vec<(u32, Constant)>,
}

impl Layout {
    fn of(outline: &Outline<'_>) -> Self {
        let resets: Vec<(u32, Constant)> = (0..)
            .zip(&outline.globals)
            .filter(|(_, global)| global.mutable)
            .filter_map(|(index, global)| Some((index, global.initial?)))
            .collect();
        // The limit on functions keeps indices far below 2³².
        let mark_range = u32::try_from(outline.functions.len()).unwrap_or(u32::MAX / 2);
        let has_reset = resets.len() > INLINE_RESETS_MAX;
        let reset = has_reset.then_some(mark_range + 1);
        Self { mark_range, reset, first_wrapper: mark_range + 1 + u32::from(has_reset), resets }
    }
}

fn functions(outline: &Outline<'_>, types: &Types, layout: &Layout) -> FunctionSection {
    let mut section = FunctionSection::new();
    for ty in outline.functions.iter().skip(outline.imports.len()) {
        section.function(*ty);
    }
    section.function(types.mark_range);
    if layout.reset.is_some() {
        section.function(types.reset);
    }
    for _ in &outline.methods {
        section.function(types.method);
    }
    section
}

fn memories(outline: &Outline<'_>) -> MemorySection {
    let memory = |minimum: u32, maximum: u32| MemoryType {
        minimum: u64::from(minimum),
        maximum: Some(u64::from(maximum)),
        memory64: false,
        shared: false,
        page_size_log2: None,
    };
    let (minimum, maximum) = outline.memory.unwrap_or_default();
    let mut section = MemorySection::new();
    if !outline.memory_imported {
        section.memory(memory(minimum, maximum));
    }
    section.memory(memory(CONTROL_PAGES, CONTROL_PAGES));
    section
}

fn exports(outline: &Outline<'_>, layout: &Layout) -> ExportSection {
    let mut section = ExportSection::new();
    section.export(MEMORY_EXPORT, ExportKind::Memory, 0).export(CONTROL_EXPORT, ExportKind::Memory, 1);
    for (wrapper, (name, _)) in (layout.first_wrapper..).zip(&outline.methods) {
        section.export(&format!("{CALL_EXPORT_PREFIX}{name}"), ExportKind::Func, wrapper);
    }
    section
}

/// The exports of a module of the specification's tests under their own names, and the control memory.
fn every_export(module: &[u8], outline: &Outline<'_>) -> Result<ExportSection, Reason> {
    let mut section = ExportSection::new();
    if let Some(range) = &outline.sections.exports {
        for export in wasmparser::ExportSectionReader::new(BinaryReader::new(&module[range.clone()], range.start))? {
            let export = export?;
            let kind = match export.kind {
                ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
                ExternalKind::Table => ExportKind::Table,
                ExternalKind::Memory => ExportKind::Memory,
                ExternalKind::Global => ExportKind::Global,
                ExternalKind::Tag => ExportKind::Tag,
            };
            section.export(export.name, kind, export.index);
        }
    }
    if let Some(start) = outline.start {
        section.export(profile::START_EXPORT, ExportKind::Func, start);
    }
    section.export(CONTROL_EXPORT, ExportKind::Memory, 1);
    Ok(section)
}

fn code(
    module: &[u8],
    outline: &Outline<'_>,
    plans: &[Plan],
    types: &Types,
    layout: &Layout,
) -> Result<CodeSection, Reason> {
    let mut section = CodeSection::new();
    let imports = u32::try_from(outline.imports.len()).unwrap_or(u32::MAX);
    let shared = Shared { mark_range: layout.mark_range, imports };
    let own_types = outline.functions.iter().skip(outline.imports.len());
    for ((body, plan), ty) in outline.bodies.iter().zip(plans).zip(own_types) {
        let parameters = match outline.types.get(*ty as usize) {
            Some(Some(ty)) => ty.params().len() as u32,
            _ => 0,
        };
        let result = types.results.get(*ty as usize).copied().unwrap_or(BlockType::Empty);
        section.raw(&body::instrument(module, body, parameters, result, plan, &shared)?);
    }
    section.function(&mark_range());
    if layout.reset.is_some() {
        let mut reset = Function::new([]);
        write_resets(&mut reset.instructions(), &layout.resets);
        reset.instructions().end();
        section.function(&reset);
    }
    for (_, method) in &outline.methods {
        section.function(&wrapper(*method, layout));
    }
    Ok(section)
}

/// A method's wrapper: globals as after instantiation, then the method.
fn wrapper(method: u32, layout: &Layout) -> Function {
    let mut wrapper = Function::new([]);
    match layout.reset {
        Some(reset) => {
            wrapper.instructions().call(reset);
        }
        None => write_resets(&mut wrapper.instructions(), &layout.resets),
    }
    wrapper.instructions().call(method).end();
    wrapper
}

fn write_resets(sink: &mut InstructionSink<'_>, resets: &[(u32, Constant)]) {
    for (global, initial) in resets {
        match initial {
            Constant::I32(value) => sink.i32_const(*value),
            Constant::I64(value) => sink.i64_const(*value),
        };
        sink.global_set(*global);
    }
}

/// Function `(address, length)`: marks the granules of a range that lies in memory. It does nothing for one that does
/// not, as the operator that follows will trap.
fn mark_range() -> Function {
    let (address, length, granule, last) = (0, 1, 2, 3);
    let mut function = Function::new([(2, ValType::I32)]);
    let mut sink = function.instructions();
    sink.local_get(length).i32_eqz().if_(BlockType::Empty).return_().end();
    sink.local_get(address).i64_extend_i32_u().local_get(length).i64_extend_i32_u().i64_add();
    sink.memory_size(0).i64_extend_i32_u().i64_const(16).i64_shl();
    sink.i64_gt_u().if_(BlockType::Empty).return_().end();
    let log2 = GRANULE_LOG2.cast_signed();
    sink.local_get(address).i32_const(log2).i32_shr_u().local_set(granule);
    sink.local_get(address).local_get(length).i32_add().i32_const(1).i32_sub();
    sink.i32_const(log2).i32_shr_u().local_set(last);
    sink.loop_(BlockType::Empty);
    sink.local_get(granule).i32_const(1).i32_store8(control(CONTROL_DIRTY, 0));
    sink.local_get(granule).local_get(last).i32_ne().if_(BlockType::Empty);
    sink.local_get(granule).i32_const(1).i32_add().local_set(granule).br(1);
    sink.end().end().end();
    function
}
