//! Gives a CosmWasm contract the outside of a Phalanx contract, its code untouched.
//!
//! - Each imported function becomes a function of the module that does nothing and returns zeros. It takes the import's
//!   index, so no body needs a change.
//! - The exports become the memory and *drivers*, of the type that methods have. A driver puts its JSON arguments where
//!   the contract's own `allocate` says, calls one entry point, and returns the address of the answer.

use std::collections::BTreeMap;
use std::ops::Range;

use wasm_encoder::{
    CodeSection, Encode, ExportKind, ExportSection, Function, FunctionSection, MemArg, Module, RawSection, SectionId,
    TypeSection, ValType,
};
use wasmparser::{ExternalKind, FuncType, Parser, Payload, TypeRef};

/// A call of one entry point with JSON texts, in the order of its parameters.
#[derive(Clone)]
pub(crate) struct Driver {
    pub(crate) name: String,
    pub(crate) entry_point: String,
    pub(crate) arguments: Vec<String>,
}

/// What the adapter has to know of a module.
#[derive(Default)]
pub(crate) struct Contract {
    types: Vec<FuncType>,
    /// Types of the functions, imports first.
    functions: Vec<u32>,
    imports: usize,
    /// Exported functions.
    exports: BTreeMap<String, u32>,
    sections: Vec<(u8, Range<usize>)>,
}

impl Contract {
    /// Reads a module; `None` if it is not valid Wasm.
    pub(crate) fn read(wasm: &[u8]) -> Option<Self> {
        wasmparser::validate(wasm).ok()?;
        let mut contract = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload.ok()?;
            if let Some((id, range)) = payload.as_section()
                && id != SectionId::Custom as u8
            {
                contract.sections.push((id, range));
            }
            match payload {
                Payload::TypeSection(section) => {
                    contract.types = section.into_iter_err_on_gc_types().collect::<Result<_, _>>().ok()?;
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let TypeRef::Func(ty) = import.ok()?.ty else { return None };
                        contract.functions.push(ty);
                        contract.imports += 1;
                    }
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        contract.functions.push(ty.ok()?);
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.ok()?;
                        if export.kind == ExternalKind::Func {
                            contract.exports.insert(export.name.to_owned(), export.index);
                        }
                    }
                }
                _ => {}
            }
        }
        Some(contract)
    }

    /// How many parameters the entry point `name` has, if the contract has it.
    pub(crate) fn parameters(&self, name: &str) -> Option<usize> {
        Some(self.type_of(*self.exports.get(name)?).params().len())
    }

    fn type_of(&self, function: u32) -> &FuncType {
        &self.types[self.functions[function as usize] as usize]
    }

    /// Whether a function is exported whose name begins with `prefix`.
    pub(crate) fn exports_any(&self, prefix: &str) -> bool {
        self.exports.keys().any(|name| name.starts_with(prefix))
    }

    /// The contract with a method for each driver.
    pub(crate) fn adapt(&self, wasm: &[u8], drivers: &[Driver]) -> Vec<u8> {
        let mut out = Module::new();
        for (id, range) in &self.sections {
            let contents = &wasm[range.clone()];
            match id {
                id if *id == SectionId::Type as u8 => {
                    let mut added = TypeSection::new();
                    added.ty().function([], [ValType::I32]);
                    section(&mut out, *id, &joined(&[contents, &encoded(&added)]));
                }
                id if *id == SectionId::Import as u8 => {}
                id if *id == SectionId::Function as u8 => {
                    let (mut stubs, mut methods) = (FunctionSection::new(), FunctionSection::new());
                    for ty in &self.functions[..self.imports] {
                        stubs.function(*ty);
                    }
                    for _ in drivers {
                        methods.function(self.types.len() as u32);
                    }
                    section(&mut out, *id, &joined(&[&encoded(&stubs), contents, &encoded(&methods)]));
                }
                id if *id == SectionId::Export as u8 => {
                    let mut exports = ExportSection::new();
                    exports.export("memory", ExportKind::Memory, 0);
                    for (index, driver) in (self.functions.len()..).zip(drivers) {
                        exports.export(&driver.name, ExportKind::Func, index as u32);
                    }
                    out.section(&exports);
                }
                id if *id == SectionId::Code as u8 => {
                    let (mut stubs, mut methods) = (CodeSection::new(), CodeSection::new());
                    for ty in &self.functions[..self.imports] {
                        stubs.function(&stub(&self.types[*ty as usize]));
                    }
                    for driver in drivers {
                        methods.function(&self.method(driver));
                    }
                    section(&mut out, *id, &joined(&[&encoded(&stubs), contents, &encoded(&methods)]));
                }
                _ => section(&mut out, *id, contents),
            }
        }
        out.finish()
    }

    /// Where in a region its length is: regions are an offset, a capacity and a length, three i32; until 0.7 there was no
    /// capacity.
    pub(crate) fn length_at(&self) -> usize {
        if self.exports_any("cosmwasm_api") { 4 } else { 8 }
    }

    /// A driver's code. The contract's interface passes regions.
    fn method(&self, driver: &Driver) -> Function {
        let count = driver.arguments.len() as u32;
        let target = count;
        let mut function = Function::new([(count + 1, ValType::I32)]);
        let mut sink = function.instructions();
        let field = |offset: u64| MemArg { offset, align: 2, memory_index: 0 };
        for (region, text) in (0..).zip(&driver.arguments) {
            sink.i32_const(text.len() as i32).call(self.exports["allocate"]).local_tee(region);
            sink.i32_load(field(0)).local_set(target);
            for (offset, byte) in (0..).zip(text.bytes()) {
                let at = MemArg { offset, align: 0, memory_index: 0 };
                sink.local_get(target).i32_const(i32::from(byte)).i32_store8(at);
            }
            sink.local_get(region).i32_const(text.len() as i32).i32_store(field(self.length_at() as u64));
        }
        for region in 0..count {
            sink.local_get(region);
        }
        let entry_point = self.exports[&driver.entry_point];
        sink.call(entry_point);
        // A driver answers with 0 for an entry point that has no answer.
        if self.type_of(entry_point).results().is_empty() {
            sink.i32_const(0);
        }
        sink.end();
        function
    }
}

/// A function that returns zeros.
fn stub(ty: &FuncType) -> Function {
    let mut function = Function::new([]);
    for result in ty.results() {
        match result {
            wasmparser::ValType::I64 => function.instructions().i64_const(0),
            _ => function.instructions().i32_const(0),
        };
    }
    function.instructions().end();
    function
}

fn section(out: &mut Module, id: u8, data: &[u8]) {
    out.section(&RawSection { id, data });
}

/// The contents of a section: its count and items.
fn encoded(section: &impl wasm_encoder::Section) -> Vec<u8> {
    let mut with_size = Vec::new();
    section.encode(&mut with_size);
    let (_, size_bytes) = leb(&with_size);
    with_size.split_off(size_bytes)
}

/// One section's contents of several sections' items.
fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    parts.iter().map(|part| leb(part).0).sum::<u32>().encode(&mut out);
    for part in parts {
        out.extend_from_slice(&part[leb(part).1..]);
    }
    out
}

/// The number that `bytes` begin with, and how many bytes it takes.
fn leb(bytes: &[u8]) -> (u32, usize) {
    let mut reader = wasmparser::BinaryReader::new(bytes, 0);
    let value = reader.read_var_u32().expect("a section begins with a number");
    (value, reader.original_position())
}
