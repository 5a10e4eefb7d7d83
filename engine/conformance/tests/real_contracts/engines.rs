//! The two engines that contracts run in: one that interprets, which is quick to begin with modules of their size, and the
//! one that the node has.

use phalanx_engine::prepare::NATIVE_STACK_BYTES;
use wasmtime::OptLevel;

/// A module in an engine.
pub(crate) trait Host {
    type Instance: Run;
    fn instantiate(&self) -> Self::Instance;
}

/// An instance in an engine.
pub(crate) trait Run {
    /// Calls an export of type `() -> i32`, or answers with the text of its trap.
    fn call(&mut self, export: &str) -> Result<i32, String>;
    /// An exported memory, if there is one of this name.
    fn memory(&mut self, export: &str) -> Option<&mut [u8]>;
}

/// A module in wasmi, each function of which is translated when it is first called.
pub(crate) struct Interpreted(wasmi::Module);

/// A module in wasmtime.
pub(crate) struct Compiled(wasmtime::Module);

impl Interpreted {
    pub(crate) fn new(wasm: &[u8]) -> Self {
        let mut config = wasmi::Config::default();
        config.wasm_multi_memory(true).compilation_mode(wasmi::CompilationMode::LazyTranslation);
        // Its own bounds must not be what ends a call.
        config.set_max_recursion_depth(1_000_000).set_max_stack_height(256 << 20);
        Self(wasmi::Module::new(&wasmi::Engine::new(&config), wasm).expect("a valid module"))
    }
}

impl Compiled {
    pub(crate) fn new(wasm: &[u8]) -> Self {
        let mut config = wasmtime::Config::new();
        // wasmtime asks that the second be at least the first, though nothing here is asynchronous.
        config.max_wasm_stack(NATIVE_STACK_BYTES).async_stack_size(NATIVE_STACK_BYTES);
        config.wasm_multi_memory(true).cranelift_opt_level(OptLevel::None);
        let engine = wasmtime::Engine::new(&config).expect("a configuration that wasmtime has");
        Self(wasmtime::Module::new(&engine, wasm).expect("a valid module"))
    }
}

/// An instance in wasmi.
pub(crate) struct InterpretedInstance {
    store: wasmi::Store<()>,
    instance: wasmi::Instance,
}

impl Host for Interpreted {
    type Instance = InterpretedInstance;

    fn instantiate(&self) -> InterpretedInstance {
        let mut store = wasmi::Store::new(self.0.engine(), ());
        let linker = wasmi::Linker::<()>::new(self.0.engine());
        let instance = linker.instantiate_and_start(&mut store, &self.0).expect("it imports nothing");
        InterpretedInstance { store, instance }
    }
}

impl Run for InterpretedInstance {
    fn call(&mut self, export: &str) -> Result<i32, String> {
        let function = self.instance.get_typed_func::<(), i32>(&self.store, export).expect("a method");
        function.call(&mut self.store, ()).map_err(|error| match error.as_trap_code() {
            Some(trap) => format!("{trap:?}"),
            None => panic!("no trap ended {export}: {error:?}"),
        })
    }

    fn memory(&mut self, export: &str) -> Option<&mut [u8]> {
        let memory = self.instance.get_memory(&self.store, export)?;
        Some(memory.data_mut(&mut self.store))
    }
}

/// An instance in wasmtime.
pub(crate) struct CompiledInstance {
    store: wasmtime::Store<()>,
    instance: wasmtime::Instance,
}

impl Host for Compiled {
    type Instance = CompiledInstance;

    fn instantiate(&self) -> CompiledInstance {
        let mut store = wasmtime::Store::new(self.0.engine(), ());
        let instance = wasmtime::Instance::new(&mut store, &self.0, &[]).expect("it imports nothing");
        CompiledInstance { store, instance }
    }
}

impl Run for CompiledInstance {
    fn call(&mut self, export: &str) -> Result<i32, String> {
        let function = self.instance.get_typed_func::<(), i32>(&mut self.store, export).expect("a method");
        function.call(&mut self.store, ()).map_err(|error| match error.downcast_ref::<wasmtime::Trap>() {
            Some(trap) => format!("{trap:?}"),
            None => panic!("no trap ended {export}: {error:?}"),
        })
    }

    fn memory(&mut self, export: &str) -> Option<&mut [u8]> {
        let memory = self.instance.get_memory(&mut self.store, export)?;
        Some(memory.data_mut(&mut self.store))
    }
}
