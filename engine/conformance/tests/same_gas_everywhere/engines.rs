//! The engines compared, behind one face, and the host's side of an instrumented module.

use phalanx_engine::prepare::{
    CALL_EXPORT_PREFIX, CONTROL_DIRTY, CONTROL_EXPORT, CONTROL_GAS, CONTROL_HALT, CONTROL_STACK, DIRTY_BYTES,
    GRANULE_LOG2, GRANULE_SLACK_BYTES, HALT_GAS, HALT_NONE, HALT_STACK, MEMORY_EXPORT, NATIVE_STACK_BYTES, Prepared,
};
use wasmtime::{OptLevel, RegallocAlgorithm, Trap};

/// Gas and stack units of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) gas: i64,
    pub(crate) stack: u32,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Returned(i32),
    OutOfGas,
    StackExhausted,
    Unreachable,
    MemoryOutOfBounds,
    TableOutOfBounds,
    IndirectCallToNull,
    BadSignature,
    IntegerOverflow,
    IntegerDivisionByZero,
    /// What must not happen: a trap outside the list, such as a native stack overflow.
    Unclassified,
}

impl End {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Returned(_) => "Returned",
            Self::OutOfGas => "OutOfGas",
            Self::StackExhausted => "StackExhausted",
            Self::Unreachable => "Unreachable",
            Self::MemoryOutOfBounds => "MemoryOutOfBounds",
            Self::TableOutOfBounds => "TableOutOfBounds",
            Self::IndirectCallToNull => "IndirectCallToNull",
            Self::BadSignature => "BadSignature",
            Self::IntegerOverflow => "IntegerOverflow",
            Self::IntegerDivisionByZero => "IntegerDivisionByZero",
            Self::Unclassified => "Unclassified",
        }
    }
}

/// Everything that a call leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Observed {
    pub(crate) end: End,
    pub(crate) gas_left: i64,
    pub(crate) stack_left: i32,
    pub(crate) halt: i32,
    pub(crate) memory_bytes: usize,
    memory_hash: u64,
    /// The granules marked.
    dirty: Vec<usize>,
}

impl Observed {
    /// Whether any granule is marked.
    pub(crate) fn has_marks(&self) -> bool {
        !self.dirty.is_empty()
    }
}

/// An engine.
pub(crate) trait Host {
    type Instance: Run;
    fn instantiate(&self, wasm: &[u8]) -> Self::Instance;
}

/// An instance in an engine.
pub(crate) trait Run {
    /// Calls an export of type `() -> i32`; a trap is one of the guest's own.
    fn call(&mut self, export: &str) -> End;
    fn memory(&mut self, export: &str) -> &mut [u8];
}

/// An instance with the image of its memory.
pub(crate) struct Guest<'a, H: Host> {
    host: &'a H,
    wasm: &'a [u8],
    instance: H::Instance,
    image: Vec<u8>,
}

impl<'a, H: Host> Guest<'a, H> {
    pub(crate) fn new(host: &'a H, prepared: &'a Prepared) -> Self {
        let mut instance = host.instantiate(&prepared.wasm);
        let image = instance.memory(MEMORY_EXPORT).to_vec();
        Self { host, wasm: &prepared.wasm, instance, image }
    }

    pub(crate) fn call(&mut self, method: &str, budget: Budget) -> Observed {
        let control = self.instance.memory(CONTROL_EXPORT);
        control[CONTROL_GAS as usize..][..8].copy_from_slice(&budget.gas.to_le_bytes());
        control[CONTROL_STACK as usize..][..4].copy_from_slice(&budget.stack.to_le_bytes());
        control[CONTROL_HALT as usize..][..4].copy_from_slice(&HALT_NONE.to_le_bytes());
        let trap = self.instance.call(&format!("{CALL_EXPORT_PREFIX}{method}"));
        let control = self.instance.memory(CONTROL_EXPORT);
        let gas_left = i64::from_le_bytes(field(control, CONTROL_GAS));
        let stack_left = i32::from_le_bytes(field(control, CONTROL_STACK));
        let halt = i32::from_le_bytes(field(control, CONTROL_HALT));
        let map = &control[CONTROL_DIRTY as usize..][..DIRTY_BYTES as usize];
        let dirty = (0..map.len()).filter(|granule| map[*granule] != 0).collect();
        let end = match halt {
            _ if trap == End::Unclassified => trap,
            HALT_GAS => {
                assert!(gas_left < 0, "halted for gas with {gas_left} left");
                End::OutOfGas
            }
            _ if gas_left < 0 => End::OutOfGas,
            HALT_STACK => End::StackExhausted,
            _ => trap,
        };
        let memory = self.instance.memory(MEMORY_EXPORT);
        Observed { end, gas_left, stack_left, halt, memory_bytes: memory.len(), memory_hash: hash(memory), dirty }
    }

    /// What a host does between two calls: restores the granules marked, or takes a new instance if memory grew.
    ///
    /// # Errors
    ///
    /// The first byte of memory that then differs from its image.
    pub(crate) fn restore(&mut self) -> Result<(), usize> {
        let control = self.instance.memory(CONTROL_EXPORT);
        let map = &mut control[CONTROL_DIRTY as usize..][..DIRTY_BYTES as usize];
        let dirty: Vec<usize> = (0..map.len()).filter(|granule| map[*granule] != 0).collect();
        map.fill(0);
        let memory = self.instance.memory(MEMORY_EXPORT);
        if memory.len() != self.image.len() {
            self.instance = self.host.instantiate(self.wasm);
            return Ok(());
        }
        for granule in dirty {
            let begin = (granule << GRANULE_LOG2).min(memory.len());
            let end = (begin + (1 << GRANULE_LOG2) + GRANULE_SLACK_BYTES as usize).min(memory.len());
            memory[begin..end].copy_from_slice(&self.image[begin..end]);
        }
        if *memory == *self.image {
            return Ok(());
        }
        Err(memory.iter().zip(&self.image).position(|(left, right)| left != right).unwrap_or(0))
    }
}

fn field<const N: usize>(control: &[u8], offset: u64) -> [u8; N] {
    control[offset as usize..][..N].try_into().expect("the slice has this length")
}

/// FNV-1a over words: enough to compare, and quick.
fn hash(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(0xcbf2_9ce4_8422_2325, |hash: u64, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x0100_0000_01b3).rotate_left(23)
    })
}

/// wasmtime as the node runs hot contracts.
pub(crate) struct Optimised(wasmtime::Engine);

/// wasmtime as the node compiles at deploy.
pub(crate) struct Quick(wasmtime::Engine);

/// wasmi.
pub(crate) struct Interpreter(wasmi::Engine);

fn wasmtime_config(native_stack_bytes: usize) -> wasmtime::Config {
    let mut config = wasmtime::Config::new();
    // wasmtime asks that the second be at least the first, though nothing here is asynchronous.
    config.max_wasm_stack(native_stack_bytes).async_stack_size(NATIVE_STACK_BYTES);
    config.wasm_multi_memory(true).memory_may_move(false);
    config
}

impl Optimised {
    pub(crate) fn new() -> Self {
        Self::with_stack(NATIVE_STACK_BYTES)
    }

    pub(crate) fn with_stack(native_stack_bytes: usize) -> Self {
        let mut config = wasmtime_config(native_stack_bytes);
        config.cranelift_opt_level(OptLevel::Speed);
        Self(wasmtime::Engine::new(&config).expect("a configuration that wasmtime has"))
    }
}

impl Quick {
    pub(crate) fn new() -> Self {
        Self::with_stack(NATIVE_STACK_BYTES)
    }

    pub(crate) fn with_stack(native_stack_bytes: usize) -> Self {
        let mut config = wasmtime_config(native_stack_bytes);
        config.cranelift_opt_level(OptLevel::None).cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
        Self(wasmtime::Engine::new(&config).expect("a configuration that wasmtime has"))
    }
}

impl Interpreter {
    pub(crate) fn new() -> Self {
        let mut config = wasmi::Config::default();
        config.wasm_multi_memory(true);
        // Its own bounds must not be what ends a call.
        config.set_max_recursion_depth(1_000_000).set_max_stack_height(256 << 20);
        Self(wasmi::Engine::new(&config))
    }
}

/// An instance in wasmtime.
pub(crate) struct Native {
    store: wasmtime::Store<()>,
    instance: wasmtime::Instance,
}

impl Host for Optimised {
    type Instance = Native;
    fn instantiate(&self, wasm: &[u8]) -> Native {
        Native::new(&self.0, wasm)
    }
}

impl Host for Quick {
    type Instance = Native;
    fn instantiate(&self, wasm: &[u8]) -> Native {
        Native::new(&self.0, wasm)
    }
}

impl Native {
    fn new(engine: &wasmtime::Engine, wasm: &[u8]) -> Self {
        let module = wasmtime::Module::new(engine, wasm).expect("an accepted module compiles");
        let mut store = wasmtime::Store::new(engine, ());
        let instance = wasmtime::Instance::new(&mut store, &module, &[]).expect("an accepted module has instances");
        Self { store, instance }
    }
}

impl Run for Native {
    fn call(&mut self, export: &str) -> End {
        let function = self.instance.get_typed_func::<(), i32>(&mut self.store, export).expect("a wrapper");
        match function.call(&mut self.store, ()) {
            Ok(value) => End::Returned(value),
            Err(error) => match error.downcast_ref::<Trap>() {
                Some(Trap::UnreachableCodeReached) => End::Unreachable,
                Some(Trap::MemoryOutOfBounds) => End::MemoryOutOfBounds,
                Some(Trap::TableOutOfBounds) => End::TableOutOfBounds,
                Some(Trap::IndirectCallToNull) => End::IndirectCallToNull,
                Some(Trap::BadSignature) => End::BadSignature,
                Some(Trap::IntegerOverflow) => End::IntegerOverflow,
                Some(Trap::IntegerDivisionByZero) => End::IntegerDivisionByZero,
                _ => End::Unclassified,
            },
        }
    }

    fn memory(&mut self, export: &str) -> &mut [u8] {
        self.instance.get_memory(&mut self.store, export).expect("an exported memory").data_mut(&mut self.store)
    }
}

/// An instance in wasmi.
pub(crate) struct Interpreted {
    store: wasmi::Store<()>,
    instance: wasmi::Instance,
}

impl Host for Interpreter {
    type Instance = Interpreted;
    fn instantiate(&self, wasm: &[u8]) -> Interpreted {
        let module = wasmi::Module::new(&self.0, wasm).expect("an accepted module is valid");
        let mut store = wasmi::Store::new(&self.0, ());
        let linker = wasmi::Linker::<()>::new(&self.0);
        let instance = linker.instantiate_and_start(&mut store, &module).expect("an accepted module has instances");
        Interpreted { store, instance }
    }
}

impl Run for Interpreted {
    fn call(&mut self, export: &str) -> End {
        use wasmi::TrapCode;
        let function = self.instance.get_typed_func::<(), i32>(&self.store, export).expect("a wrapper");
        match function.call(&mut self.store, ()) {
            Ok(value) => End::Returned(value),
            Err(error) => match error.as_trap_code() {
                Some(TrapCode::UnreachableCodeReached) => End::Unreachable,
                Some(TrapCode::MemoryOutOfBounds) => End::MemoryOutOfBounds,
                Some(TrapCode::TableOutOfBounds) => End::TableOutOfBounds,
                Some(TrapCode::IndirectCallToNull) => End::IndirectCallToNull,
                Some(TrapCode::BadSignature) => End::BadSignature,
                Some(TrapCode::IntegerOverflow) => End::IntegerOverflow,
                Some(TrapCode::IntegerDivisionByZero) => End::IntegerDivisionByZero,
                _ => End::Unclassified,
            },
        }
    }

    fn memory(&mut self, export: &str) -> &mut [u8] {
        self.instance.get_memory(&self.store, export).expect("an exported memory").data_mut(&mut self.store)
    }
}
