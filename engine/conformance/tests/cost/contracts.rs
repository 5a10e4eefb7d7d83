//! Methods of built contracts, of the compiler that contracts are written for: what a tight loop costs most is a small part of them.

use phalanx_engine::prepare::{CONTROL_DIRTY, CONTROL_EXPORT, GRANULE_LOG2};
use wasmtime::{Caller, Engine, Extern, ExternType, Linker, Module, Val};

const CPUHEAVY: &[u8] = include_bytes!("../../../../contracts/wasm/cpuheavy.wasm");
const HEAP: &[u8] = include_bytes!("../../../../contracts/wasm/heap.wasm");

/// A method with what its calls are given.
pub(crate) struct Method {
    pub(crate) name: &'static str,
    pub(crate) module: &'static [u8],
    pub(crate) method: &'static str,
    /// What [`host`] answers to `input`, and to `get`.
    pub(crate) arguments: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

pub(crate) fn all() -> Vec<Method> {
    let sort = Method {
        name: "sort of numbers, Rust",
        module: CPUHEAVY,
        method: "sort",
        arguments: 20_000_u32.to_le_bytes().to_vec(),
        value: Vec::new(),
    };
    let listed = Method {
        name: "sort of a list, Rust",
        module: HEAP,
        method: "sorted",
        arguments: list(
            (0..4_000_u16).map(|number| u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes().to_vec()),
        ),
        value: Vec::new(),
    };
    let titles = Method {
        name: "formatting of a list, Rust",
        module: HEAP,
        method: "titles",
        arguments: Vec::new(),
        value: list((0..1_000_u16).map(|number| {
            let title = text(&format!("note {number}"));
            [title, list(std::iter::empty()), (u32::from(number) * 7_919).to_le_bytes().to_vec()].concat()
        })),
    };
    vec![sort, listed, titles]
}

/// A list as contracts read it.
fn list(elements: impl ExactSizeIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut bytes = (elements.len() as u32).to_le_bytes().to_vec();
    elements.for_each(|element| bytes.extend(element));
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

/// Links a module's imports: those that read answer with what there is, the others do nothing.
pub(crate) fn host(engine: &Engine, module: &Module, arguments: &[u8], value: &[u8]) -> Linker<()> {
    let mut linker = Linker::new(engine);
    for import in module.imports() {
        let ExternType::Func(ty) = import.ty() else { continue };
        let answer = match import.name() {
            "input" => Some((arguments.to_vec(), 0)),
            "get" => Some((value.to_vec(), 2)),
            _ => None,
        };
        let function = move |mut caller: Caller<'_, ()>, parameters: &[Val], results: &mut [Val]| {
            if let (Some((bytes, at)), Some(result)) = (&answer, results.first_mut()) {
                let Some(Extern::Memory(memory)) = caller.get_export("memory") else { panic!("a contract has one") };
                let room = |at: usize| parameters[at].unwrap_i32().cast_unsigned() as usize;
                let written = bytes.len().min(room(at + 1));
                memory.write(&mut caller, room(*at), &bytes[..written])?;
                // What the host writes is its own to mark.
                if let Some(Extern::Memory(control)) = caller.get_export(CONTROL_EXPORT) {
                    let [first, end] = [room(*at), room(*at) + written].map(|address| address >> GRANULE_LOG2);
                    control.data_mut(&mut caller)[CONTROL_DIRTY as usize..][first..=end].fill(1);
                }
                *result = Val::I32(bytes.len() as i32);
            }
            Ok(())
        };
        linker.func_new(import.module(), import.name(), ty, function).expect("names are distinct");
    }
    linker
}
