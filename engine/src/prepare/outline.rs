//! The first look at a module: every section decoded once, nothing type-checked.
//!
//! It costs time and memory linear in the module's bytes whatever they say, and finds every limit passed and every
//! feature refused, so that type-checking and compiling later meet only what the limits bound.

use std::collections::BTreeSet;
use std::ops::Range;

use wasmparser::{
    CompositeInnerType, ConstExpr, DataKind, DataSectionReader, ElementItems, ElementKind, ElementSectionReader,
    Encoding, Export, ExportSectionReader, ExternalKind, FuncType, FunctionBody, FunctionSectionReader,
    GlobalSectionReader, ImportSectionReader, MemorySectionReader, MemoryType, Operator, Parser, Payload, RecGroup,
    TableInit, TableSectionReader, TypeRef, TypeSectionReader, ValType, WasmFeatures,
};

use super::features;
use super::interface::{self, ABI_SECTION, MEMORY_EXPORT, ORDERED_SECTION, REENTRANT_SECTION};
use super::ordered::OrderedSlots;
use super::profile;
use super::reason::{Feature, Limit, Place, Reason, Reasons, quoted};
use super::reentrant::ReentrantNames;
use crate::gas::HostFunction;
use crate::limits;

const PAGE_BYTES: u64 = 1 << 16;

/// What the later steps need of a module. Indices are the module's own.
#[derive(Default)]
pub(super) struct Outline<'a> {
    /// Function types; `None` where a type is something else, which is refused.
    pub(super) types: Vec<Option<FuncType>>,
    /// The host functions imported; the first function indices.
    pub(super) imports: Vec<Option<&'static HostFunction>>,
    /// The type of each function, imports first.
    pub(super) functions: Vec<u32>,
    /// Initial and largest number of pages.
    pub(super) memory: Option<(u32, u32)>,
    memory_exported: bool,
    pub(super) memory_imported: bool,
    pub(super) globals: Vec<GlobalVariable>,
    /// Export name and function index, in the module's order.
    pub(super) methods: Vec<(&'a str, u32)>,
    pub(super) bodies: Vec<FunctionBody<'a>>,
    pub(super) sections: CopiedSections,
    /// The start function, which only the specification's tests may have.
    pub(super) start: Option<u32>,
    pub(super) abi: Option<Vec<u8>>,
    pub(super) ordered: OrderedSlots,
    pub(super) reentrant: ReentrantNames<'a>,
    tables: Vec<u64>,
    memories: u32,
    segments: u64,
    data_bytes: u64,
}

/// The sections that the instrumented module repeats byte for byte: where their contents are.
#[derive(Default)]
pub(super) struct CopiedSections {
    pub(super) imports: Option<Range<usize>>,
    pub(super) tables: Option<Range<usize>>,
    pub(super) globals: Option<Range<usize>>,
    pub(super) exports: Option<Range<usize>>,
    pub(super) elements: Option<Range<usize>>,
    pub(super) data: Option<Range<usize>>,
}

/// A global of the module.
#[derive(Clone, Copy)]
pub(super) struct GlobalVariable {
    pub(super) mutable: bool,
    /// `None` where the initial value is no plain constant, which is refused.
    pub(super) initial: Option<Constant>,
}

/// The value of a constant expression.
#[derive(Clone, Copy)]
pub(super) enum Constant {
    I32(i32),
    I64(i64),
}

/// Decodes `module`, adding to `reasons` what is refused.
///
/// # Errors
///
/// [`Reason::Invalid`] if the bytes cannot be decoded.
pub(super) fn read<'a>(module: &'a [u8], reasons: &mut Reasons) -> Result<Outline<'a>, Reason> {
    let mut outline = Outline::default();
    let mut parser = Parser::new(0);
    // The compact form of imports lets a few bytes stand for a hundred kilobytes of names.
    parser.set_features(WasmFeatures::all().difference(WasmFeatures::COMPACT_IMPORTS));
    for payload in parser.parse_all(module) {
        outline.payload(payload?, reasons)?;
    }
    outline.whole_module(reasons);
    Ok(outline)
}

fn at(offset: usize) -> Place {
    Place { function: None, offset }
}

impl<'a> Outline<'a> {
    fn payload(&mut self, payload: Payload<'a>, reasons: &mut Reasons) -> Result<(), Reason> {
        match payload {
            Payload::Version { encoding: Encoding::Component, range, .. } => {
                return Err(Reason::Invalid { text: "a component, not a module".to_owned(), offset: range.start });
            }
            Payload::TypeSection(section) => self.types(section, reasons)?,
            Payload::ImportSection(section) => self.imports(section, reasons)?,
            Payload::FunctionSection(section) => self.functions(section, reasons)?,
            Payload::TableSection(section) => self.tables(section, reasons)?,
            Payload::MemorySection(section) => self.memories(section, reasons)?,
            Payload::TagSection(section) => {
                reasons.refuse(Feature::Exceptions, at(section.range().start), || "a tag section".to_owned());
            }
            Payload::GlobalSection(section) => self.globals(section, reasons)?,
            Payload::ExportSection(section) => self.exports(section, reasons)?,
            Payload::StartSection { func, .. } if profile::SPECIFICATION => self.start = Some(func),
            Payload::StartSection { .. } => reasons.push(Reason::StartFunction),
            Payload::ElementSection(section) => self.elements(section, reasons)?,
            Payload::DataSection(section) => self.data(section, reasons)?,
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::CustomSection(section) => match section.name() {
                ABI_SECTION => self.abi.get_or_insert_default().extend_from_slice(section.data()),
                ORDERED_SECTION => {
                    if let Err(reason) = self.ordered.read(section.data()) {
                        reasons.push(reason);
                    }
                }
                REENTRANT_SECTION => {
                    if let Err(reason) = self.reentrant.read(section.data()) {
                        reasons.push(reason);
                    }
                }
                _ => {}
            },
            Payload::UnknownSection { id, range, .. } => {
                return Err(Reason::Invalid { text: format!("unknown section {id}"), offset: range.start });
            }
            _ => {}
        }
        Ok(())
    }

    fn types(&mut self, section: TypeSectionReader<'a>, reasons: &mut Reasons) -> Result<(), Reason> {
        for item in section.into_iter_with_offsets() {
            let (offset, group): (usize, RecGroup) = item?;
            if group.is_explicit_rec_group() {
                reasons.refuse(Feature::Gc, at(offset), || "a recursion group".to_owned());
            }
            for ty in group.into_types() {
                if !ty.is_final || ty.supertype_idx.is_some() {
                    reasons.refuse(Feature::Gc, at(offset), || "a subtype".to_owned());
                }
                let composite = ty.composite_type;
                if composite.shared {
                    reasons.refuse(Feature::Threads, at(offset), || "a shared type".to_owned());
                }
                if composite.describes_idx.is_some() || composite.descriptor_idx.is_some() {
                    reasons.refuse(Feature::Gc, at(offset), || "a descriptor type".to_owned());
                }
                let function = match composite.inner {
                    CompositeInnerType::Func(function) => Some(function),
                    CompositeInnerType::Array(_) | CompositeInnerType::Struct(_) => {
                        reasons.refuse(Feature::Gc, at(offset), || "a struct or array type".to_owned());
                        None
                    }
                    CompositeInnerType::Cont(_) => {
                        reasons.refuse(Feature::StackSwitching, at(offset), || "a continuation type".to_owned());
                        None
                    }
                };
                if let Some(function) = &function {
                    reasons.check(Limit::Parameters, function.params().len() as u64, at(offset));
                    reasons.check(Limit::Results, function.results().len() as u64, at(offset));
                    for ty in function.params().iter().chain(function.results()) {
                        refuse_value(*ty, at(offset), reasons);
                    }
                }
                self.types.push(function);
                reasons.check(Limit::Types, self.types.len() as u64, at(offset));
            }
        }
        Ok(())
    }

    fn imports(&mut self, section: ImportSectionReader<'a>, reasons: &mut Reasons) -> Result<(), Reason> {
        self.sections.imports = Some(section.range());
        for item in section.into_imports_with_offsets() {
            let (offset, import) = item?;
            let kind = match import.ty {
                TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                    self.functions.push(ty);
                    reasons.check(Limit::Functions, self.functions.len() as u64, at(offset));
                    let found = match profile::SPECIFICATION {
                        true => None,
                        false => self.host_function(import.module, import.name, ty, reasons),
                    };
                    self.imports.push(found);
                    continue;
                }
                other if profile::SPECIFICATION => {
                    self.other_import(other);
                    continue;
                }
                TypeRef::Table(_) => "table",
                TypeRef::Memory(_) => "memory",
                TypeRef::Global(_) => "global",
                TypeRef::Tag(_) => "tag",
            };
            reasons.push(Reason::ImportKind { module: quoted(import.module), name: quoted(import.name), kind });
        }
        Ok(())
    }

    /// Counts an import of the specification's tests that is no function: it takes the first indices of its kind.
    fn other_import(&mut self, import: TypeRef) {
        match import {
            TypeRef::Table(table) => self.tables.push(table.initial),
            TypeRef::Memory(memory) => {
                self.memories += 1;
                self.memory_imported = true;
                self.memory = u32::try_from(memory.initial).ok().map(|pages| (pages, limits::MEMORY_PAGES_MAX));
            }
            TypeRef::Global(global) => {
                self.globals.push(GlobalVariable { mutable: global.mutable, initial: None });
            }
            TypeRef::Func(_) | TypeRef::FuncExact(_) | TypeRef::Tag(_) => {}
        }
    }

    fn host_function(&self, module: &str, name: &str, ty: u32, reasons: &mut Reasons) -> Option<&'static HostFunction> {
        let Some(function) = interface::host_function(module, name) else {
            reasons.push(Reason::UnknownImport { module: quoted(module), name: quoted(name) });
            return None;
        };
        // An index beyond the types is the validator's to refuse.
        if let Some(Some(actual)) = self.types.get(ty as usize)
            && !interface::has_type(function, actual)
        {
            reasons.push(Reason::ImportType {
                name: name.to_owned(),
                expected: interface::type_of_host(function),
                actual: interface::type_text(actual),
            });
        }
        Some(function)
    }

    fn functions(&mut self, section: FunctionSectionReader<'a>, reasons: &mut Reasons) -> Result<(), Reason> {
        let offset = section.range().start;
        let count = self.functions.len() as u64 + u64::from(section.count());
        reasons.check(Limit::Functions, count, at(offset));
        for ty in section {
            self.functions.push(ty?);
        }
        Ok(())
    }

    fn tables(&mut self, section: TableSectionReader<'a>, reasons: &mut Reasons) -> Result<(), Reason> {
        self.sections.tables = Some(section.range());
        for item in section.into_iter_with_offsets() {
            let (offset, table) = item?;
            if table.ty.element_type != wasmparser::RefType::FUNCREF {
                let feature = features::of_reference(table.ty.element_type);
                reasons.refuse(feature, at(offset), || format!("a table of {}", table.ty.element_type));
            }
            if table.ty.table64 {
                reasons.refuse(Feature::Memory64, at(offset), || "a table with 64-bit indices".to_owned());
            }
            if table.ty.shared {
                reasons.refuse(Feature::Threads, at(offset), || "a shared table".to_owned());
            }
            if let TableInit::Expr(_) = table.init {
                reasons.refuse(Feature::FunctionReferences, at(offset), || "a table's initial element".to_owned());
            }
            self.tables.push(table.ty.initial);
            if self.tables.len() > 1 {
                reasons.refuse(Feature::ReferenceTypes, at(offset), || "a second table".to_owned());
            }
            reasons.check(Limit::TableElements, table.ty.initial, at(offset));
        }
        Ok(())
    }

    fn memories(&mut self, section: MemorySectionReader<'a>, reasons: &mut Reasons) -> Result<(), Reason> {
        for item in section.into_iter_with_offsets() {
            let (offset, memory) = item?;
            self.memories += 1;
            if self.memories > 1 {
                reasons.refuse(Feature::MultiMemory, at(offset), || "a second memory".to_owned());
                continue;
            }
            self.memory(memory, offset, reasons);
        }
        Ok(())
    }

    fn memory(&mut self, memory: MemoryType, offset: usize, reasons: &mut Reasons) {
        if memory.memory64 {
            reasons.refuse(Feature::Memory64, at(offset), || "a 64-bit memory".to_owned());
        }
        if memory.shared {
            reasons.refuse(Feature::Threads, at(offset), || "a shared memory".to_owned());
        }
        if memory.page_size_log2.is_some() {
            reasons.refuse(Feature::CustomPageSizes, at(offset), || "a memory with its own page size".to_owned());
        }
        reasons.check(Limit::MemoryPages, memory.initial, at(offset));
        let most = u64::from(limits::MEMORY_PAGES_MAX);
        let clamp = |pages: u64| u32::try_from(pages.min(most)).unwrap_or(limits::MEMORY_PAGES_MAX);
        self.memory = Some((clamp(memory.initial), clamp(memory.maximum.unwrap_or(most))));
    }

    fn globals(&mut self, section: GlobalSectionReader<'a>, reasons: &mut Reasons) -> Result<(), Reason> {
        self.sections.globals = Some(section.range());
        for item in section.into_iter_with_offsets() {
            let (offset, global) = item?;
            refuse_value(global.ty.content_type, at(offset), reasons);
            if global.ty.shared {
                reasons.refuse(Feature::Threads, at(offset), || "a shared global".to_owned());
            }
            let initial = constant(&global.init_expr, offset, reasons)?;
            self.globals.push(GlobalVariable { mutable: global.ty.mutable, initial });
            reasons.check(Limit::Globals, self.globals.len() as u64, at(offset));
        }
        Ok(())
    }

    fn exports(&mut self, section: ExportSectionReader<'a>, reasons: &mut Reasons) -> Result<(), Reason> {
        self.sections.exports = Some(section.range());
        let mut names = BTreeSet::new();
        for item in section.into_iter_with_offsets() {
            let (offset, export) = item?;
            if !names.insert(export.name) {
                reasons.push(Reason::DuplicateExport { name: quoted(export.name) });
                continue;
            }
            match export.kind {
                _ if profile::SPECIFICATION => {}
                ExternalKind::Func | ExternalKind::FuncExact => self.method(export, offset, reasons),
                ExternalKind::Memory => self.memory_exported |= export.name == MEMORY_EXPORT && export.index == 0,
                ExternalKind::Global => {
                    if self.globals.get(export.index as usize).is_some_and(|global| global.mutable) {
                        reasons.push(Reason::MutableGlobalExport { name: quoted(export.name) });
                    }
                }
                // Nobody outside looks at the table, and no operator that is allowed changes it.
                ExternalKind::Table | ExternalKind::Tag => {}
            }
        }
        Ok(())
    }

    fn method(&mut self, export: Export<'a>, offset: usize, reasons: &mut Reasons) {
        let ty = self.functions.get(export.index as usize).and_then(|ty| self.types.get(*ty as usize));
        // What has no type is the validator's to refuse.
        let Some(Some(ty)) = ty else { return };
        if !ty.params().is_empty() || ty.results() != [ValType::I32] {
            let actual = interface::type_text(ty);
            reasons.push(Reason::MethodType { name: quoted(export.name), actual });
            return;
        }
        reasons.check(Limit::MethodNameBytes, export.name.len() as u64, at(offset));
        self.methods.push((export.name, export.index));
        reasons.check(Limit::Methods, self.methods.len() as u64, at(offset));
    }

    fn elements(&mut self, section: ElementSectionReader<'a>, reasons: &mut Reasons) -> Result<(), Reason> {
        self.sections.elements = Some(section.range());
        let mut elements = 0;
        for (index, item) in (0..).zip(section.into_iter_with_offsets()) {
            let (offset, segment) = item?;
            self.segments += 1;
            reasons.check(Limit::Segments, self.segments, at(offset));
            let count = match &segment.items {
                ElementItems::Functions(functions) => u64::from(functions.count()),
                ElementItems::Expressions(ty, expressions) => {
                    reasons.refuse(Feature::ReferenceTypes, at(offset), || format!("a segment of {ty} expressions"));
                    u64::from(expressions.count())
                }
            };
            elements += count;
            reasons.check(Limit::TableElements, elements, at(offset));
            let ElementKind::Active { table_index, offset_expr } = segment.kind else {
                reasons.refuse(Feature::PassiveSegments, at(offset), || "an element segment".to_owned());
                continue;
            };
            let start = constant(&offset_expr, offset, reasons)?;
            let size = self.tables.get(table_index.unwrap_or(0) as usize).copied();
            check_bounds("element", index, start, count, size, reasons);
        }
        Ok(())
    }

    fn data(&mut self, section: DataSectionReader<'a>, reasons: &mut Reasons) -> Result<(), Reason> {
        self.sections.data = Some(section.range());
        for (index, item) in (0..).zip(section.into_iter_with_offsets()) {
            let (offset, segment) = item?;
            self.segments += 1;
            reasons.check(Limit::Segments, self.segments, at(offset));
            self.data_bytes += segment.data.len() as u64;
            reasons.check(Limit::DataBytes, self.data_bytes, at(offset));
            let DataKind::Active { offset_expr, .. } = segment.kind else {
                reasons.refuse(Feature::PassiveSegments, at(offset), || "a data segment".to_owned());
                continue;
            };
            let start = constant(&offset_expr, offset, reasons)?;
            let size = self.memory.map(|(pages, _)| u64::from(pages) * PAGE_BYTES);
            check_bounds("data", index, start, segment.data.len() as u64, size, reasons);
        }
        Ok(())
    }

    /// What only the end of the module shows.
    fn whole_module(&self, reasons: &mut Reasons) {
        if profile::SPECIFICATION {
            return;
        }
        if self.memory.is_none() || !self.memory_exported {
            reasons.push(Reason::MissingMemory);
        }
        if self.methods.is_empty() {
            reasons.push(Reason::NoMethod);
        }
        if let Some(reason) = self.reentrant.unknown(&self.methods) {
            reasons.push(reason);
        }
    }
}

fn refuse_value(ty: ValType, at: Place, reasons: &mut Reasons) {
    if let Some(feature) = features::of_value(ty) {
        reasons.refuse(feature, at, || format!("type {ty}"));
    }
}

/// The value of a constant expression, `None` if it is more than one constant (and refused).
fn constant(expression: &ConstExpr<'_>, offset: usize, reasons: &mut Reasons) -> Result<Option<Constant>, Reason> {
    let mut value = None;
    for (position, operator) in expression.get_operators_reader().into_iter().enumerate() {
        let operator = operator?;
        let found = match operator {
            Operator::End => continue,
            Operator::I32Const { value } => Some(Constant::I32(value)),
            Operator::I64Const { value } => Some(Constant::I64(value)),
            Operator::GlobalGet { .. } => None,
            // Their values are not asked for: no wrapper resets globals.
            _ if profile::SPECIFICATION => None,
            _ if super::schedule::price(&operator).is_some() => None,
            _ => {
                reasons.refuse(features::of_operator(&operator), at(offset), || features::operator_name(&operator));
                continue;
            }
        };
        if (found.is_none() || position > 0) && !profile::SPECIFICATION {
            reasons.refuse(Feature::ExtendedConst, at(offset), || features::operator_name(&operator));
            continue;
        }
        value = found;
    }
    Ok(value)
}

/// Refuses a segment that would trap at every instantiation.
fn check_bounds(
    kind: &'static str,
    index: u32,
    start: Option<Constant>,
    count: u64,
    size: Option<u64>,
    reasons: &mut Reasons,
) {
    // The specification's tests ask for the trap.
    if profile::SPECIFICATION {
        return;
    }
    // A start of another type and a missing table or memory are the validator's to refuse.
    if let (Some(Constant::I32(start)), Some(size)) = (start, size) {
        let end = u64::from(start.cast_unsigned()) + count;
        if end > size {
            reasons.push(Reason::SegmentOutOfBounds { kind, index, end, size });
        }
    }
}
