//! Tests of the pass: WAT in, refusals or the state after a call out. [`Instance`] is the only thing that runs code.

mod behaviour;
mod gas;
mod refusals;

use wasmtime::{Config, Engine, Linker, Memory, Module, Store};

use super::*;
use crate::limits;

/// Gas that calls of tests get unless they say otherwise.
const GAS: i64 = 1_000_000;

/// How a call ended, with what it left in the control memory.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    /// What the method returned, or the trap.
    result: Result<i32, String>,
    gas_used: i64,
    stack_left: i32,
    halt: i32,
}

/// An instrumented module with the state a host keeps.
struct Instance {
    store: Store<()>,
    instance: wasmtime::Instance,
    memory: Memory,
    control: Memory,
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the test's text is WAT")
}

/// A module with a memory of one page, and in it `fields`.
fn contract(fields: &str) -> Vec<u8> {
    wat(&format!(r#"(module (memory (export "memory") 1) {fields})"#))
}

impl Instance {
    fn new(wasm: &[u8]) -> Self {
        let prepared = prepare(wasm).unwrap_or_else(|refused| panic!("refused: {refused}"));
        let mut config = Config::new();
        config.wasm_multi_memory(true).max_wasm_stack(1 << 20);
        let engine = Engine::new(&config).expect("the configuration is one that wasmtime has");
        let module = Module::new(&engine, &prepared.wasm).expect("instrumented code is valid");
        let mut linker = Linker::new(&engine);
        linker.func_wrap(IMPORT_MODULE, "height", || 7_i64).expect("one definition");
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).expect("an accepted module has instances");
        let memory = instance.get_memory(&mut store, MEMORY_EXPORT).expect("memory is exported");
        let control = instance.get_memory(&mut store, CONTROL_EXPORT).expect("control memory is exported");
        Self { store, instance, memory, control }
    }

    fn call(&mut self, method: &str, gas: i64, stack: u32) -> Ended {
        let bytes = self.control.data_mut(&mut self.store);
        bytes[CONTROL_GAS as usize..][..8].copy_from_slice(&gas.to_le_bytes());
        bytes[CONTROL_STACK as usize..][..4].copy_from_slice(&stack.to_le_bytes());
        bytes[CONTROL_HALT as usize..][..4].copy_from_slice(&HALT_NONE.to_le_bytes());
        let wrapper = format!("{CALL_EXPORT_PREFIX}{method}");
        let function = self.instance.get_typed_func::<(), i32>(&mut self.store, &wrapper).expect("it is a method");
        let result = function.call(&mut self.store, ()).map_err(|error| match error.downcast::<wasmtime::Trap>() {
            Ok(trap) => trap.to_string(),
            Err(error) => error.to_string(),
        });
        Ended {
            result,
            gas_used: gas - i64::from_le_bytes(self.control_bytes(CONTROL_GAS)),
            stack_left: i32::from_le_bytes(self.control_bytes(CONTROL_STACK)),
            halt: i32::from_le_bytes(self.control_bytes(CONTROL_HALT)),
        }
    }

    fn control_bytes<const N: usize>(&self, offset: u64) -> [u8; N] {
        let bytes = &self.control.data(&self.store)[offset as usize..][..N];
        bytes.try_into().expect("the slice has this length")
    }

    /// The granules marked since [`Instance::clear_dirty`].
    fn dirty(&self) -> Vec<usize> {
        let map = &self.control.data(&self.store)[CONTROL_DIRTY as usize..];
        (0..map.len()).filter(|granule| map[*granule] != 0).collect()
    }

    /// Whether a mark stands for this byte of memory.
    fn covers(&self, byte: u32) -> bool {
        self.dirty().iter().any(|granule| {
            let begin = (*granule as u32) << GRANULE_LOG2;
            (begin..begin + (1 << GRANULE_LOG2) + GRANULE_SLACK_BYTES).contains(&byte)
        })
    }

    fn write_memory(&mut self, address: u32, value: u32) {
        self.memory.data_mut(&mut self.store)[address as usize..][..4].copy_from_slice(&value.to_le_bytes());
    }

    fn clear_dirty(&mut self) {
        self.control.data_mut(&mut self.store)[CONTROL_DIRTY as usize..].fill(0);
    }
}
