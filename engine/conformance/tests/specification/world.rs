//! The instances of one script in one engine: all plain, or all instrumented.

use std::collections::BTreeMap;

use phalanx_conformance::limits::STACK_UNITS_MAX;
use phalanx_conformance::prepare::{
    CONTROL_EXPORT, CONTROL_GAS, CONTROL_HALT, CONTROL_STACK, HALT_GAS, HALT_NONE, HALT_STACK, NATIVE_STACK_BYTES,
    prepare,
};
use wasmtime::{Engine, Extern, Instance, Memory, Module, OptLevel, Store, Trap, Val};

use crate::values::are_same;

/// More than any call of the specification's tests needs.
const GAS: i64 = 1 << 50;
/// What plain modules are given: the tests of exhausted stacks run until it ends.
const PLAIN_STACK_BYTES: usize = 1 << 20;
/// Export of an instrumented module's start function.
const START_EXPORT: &str = "phalanx:start";

/// What scripts may import under the name `spectest`, as the specification's interpreter has it.
const SPECTEST: &str = r#"
(module
  (global (export "global_i32") i32 (i32.const 666))
  (global (export "global_i64") i64 (i64.const 666))
  (global (export "global_f32") f32 (f32.const 666.6))
  (global (export "global_f64") f64 (f64.const 666.6))
  (table (export "table") 10 20 funcref)
  (memory (export "memory") 1 2)
  (func (export "print"))
  (func (export "print_i32") (param i32))
  (func (export "print_i64") (param i64))
  (func (export "print_f32") (param f32))
  (func (export "print_f64") (param f64))
  (func (export "print_i32_f32") (param i32 f32))
  (func (export "print_f64_f64") (param f64 f64)))
"#;

/// How an action ended.
#[derive(Debug)]
pub(crate) enum End {
    Returned(Vec<Val>),
    Trapped(Trap),
    StackExhausted,
    OutOfGas,
    /// The module is not valid, or imports what is not there.
    NotLinked,
}

impl End {
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Returned(left), Self::Returned(right)) => are_same(left, right),
            (Self::Trapped(left), Self::Trapped(right)) => left == right,
            (Self::StackExhausted, Self::StackExhausted) | (Self::NotLinked, Self::NotLinked) => true,
            _ => false,
        }
    }
}

/// Why something could not be run, for the count of what is left out.
pub(crate) type NotRun = String;

pub(crate) struct World {
    engine: Engine,
    store: Store<()>,
    instrumented: bool,
    registered: BTreeMap<String, Instance>,
    controls: Vec<Memory>,
}

impl World {
    pub(crate) fn plain() -> Self {
        Self::new(false, PLAIN_STACK_BYTES)
    }

    pub(crate) fn instrumented() -> Self {
        Self::new(true, NATIVE_STACK_BYTES)
    }

    fn new(instrumented: bool, stack_bytes: usize) -> Self {
        let mut config = wasmtime::Config::new();
        // wasmtime asks that the second be at least the first, though nothing here is asynchronous.
        config.max_wasm_stack(stack_bytes).async_stack_size(NATIVE_STACK_BYTES);
        config.wasm_multi_memory(instrumented).wasm_extended_const(false);
        // What is tested is the pass, not the optimiser, which takes longer than all that runs here.
        config.cranelift_opt_level(OptLevel::None);
        let engine = Engine::new(&config).expect("a configuration that wasmtime has");
        let mut store = Store::new(&engine, ());
        let spectest = wat::parse_str(SPECTEST).expect("text of a module");
        let spectest = Module::new(&engine, spectest).expect("a module");
        let spectest = Instance::new(&mut store, &spectest, &[]).expect("it imports nothing");
        let registered = BTreeMap::from([("spectest".to_owned(), spectest)]);
        Self { engine, store, instrumented, registered, controls: Vec::new() }
    }

    /// Whether the module is refused: by the engine, and by the pass if this is its world.
    pub(crate) fn refuses(&self, wasm: &[u8]) -> bool {
        match self.instrumented {
            true => prepare(wasm).is_err(),
            false => Module::validate(&self.engine, wasm).is_err(),
        }
    }

    /// Makes an instance and runs its start function.
    pub(crate) fn instantiate(&mut self, wasm: &[u8]) -> Result<Result<Instance, End>, NotRun> {
        let prepared = match self.instrumented {
            true => match prepare(wasm) {
                Ok(prepared) => Some(prepared.wasm),
                Err(refused) => {
                    let names: Vec<&str> = refused.reasons.iter().map(|reason| reason.name()).collect();
                    return Err(format!("the module is refused: {}", names.join(", ")));
                }
            },
            false => None,
        };
        let wasm = prepared.as_deref().unwrap_or(wasm);
        let Ok(module) = Module::new(&self.engine, wasm) else { return Ok(Err(End::NotLinked)) };
        let Some(imports) = self.imports_of(&module) else { return Ok(Err(End::NotLinked)) };
        self.refill();
        let instance = match Instance::new(&mut self.store, &module, &imports) {
            Ok(instance) => instance,
            Err(error) => return Ok(Err(self.end_of(&error))),
        };
        self.controls.extend(instance.get_memory(&mut self.store, CONTROL_EXPORT));
        if self.instrumented && module.get_export(START_EXPORT).is_some() {
            match self.call(instance, START_EXPORT, &[])? {
                End::Returned(_) => {}
                end => return Ok(Err(end)),
            }
        }
        Ok(Ok(instance))
    }

    fn imports_of(&mut self, module: &Module) -> Option<Vec<Extern>> {
        let mut imports = Vec::new();
        for import in module.imports() {
            let instance = self.registered.get(import.module())?;
            imports.push(instance.get_export(&mut self.store, import.name())?);
        }
        Some(imports)
    }

    pub(crate) fn register(&mut self, name: &str, instance: Instance) {
        self.registered.insert(name.to_owned(), instance);
    }

    pub(crate) fn call(&mut self, instance: Instance, export: &str, arguments: &[Val]) -> Result<End, NotRun> {
        let Some(function) = instance.get_func(&mut self.store, export) else {
            return Err("the function is not exported".to_owned());
        };
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        self.refill();
        match function.call(&mut self.store, arguments, &mut results) {
            Ok(()) => Ok(End::Returned(results)),
            Err(error) => Ok(self.end_of(&error)),
        }
    }

    pub(crate) fn global(&mut self, instance: Instance, export: &str) -> Result<End, NotRun> {
        match instance.get_global(&mut self.store, export) {
            Some(global) => Ok(End::Returned(vec![global.get(&mut self.store)])),
            None => Err("the global is not exported".to_owned()),
        }
    }

    /// Gives every instance the gas and the stack of a call: one may call into another.
    fn refill(&mut self) {
        for control in &self.controls {
            let bytes = control.data_mut(&mut self.store);
            bytes[CONTROL_GAS as usize..][..8].copy_from_slice(&GAS.to_le_bytes());
            bytes[CONTROL_STACK as usize..][..4].copy_from_slice(&STACK_UNITS_MAX.to_le_bytes());
            bytes[CONTROL_HALT as usize..][..4].copy_from_slice(&HALT_NONE.to_le_bytes());
        }
    }

    fn end_of(&self, error: &wasmtime::Error) -> End {
        let halted = |reason: i32| {
            let mut controls = self.controls.iter().map(|control| control.data(&self.store));
            controls.any(|bytes| bytes[CONTROL_HALT as usize..][..4] == reason.to_le_bytes())
        };
        match error.downcast_ref::<Trap>() {
            None => End::NotLinked,
            Some(Trap::StackOverflow) => End::StackExhausted,
            Some(Trap::UnreachableCodeReached) if halted(HALT_STACK) => End::StackExhausted,
            Some(Trap::UnreachableCodeReached) if halted(HALT_GAS) => End::OutOfGas,
            Some(trap) => End::Trapped(*trap),
        }
    }
}
