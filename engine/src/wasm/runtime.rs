//! The process's wasmtime engine and the modules compiled for it.

use super::compiler::{CompileStep, code_settings};
use super::frame::Host;
use super::guest::Image;
use super::host;
use crate::gas;
use crate::key_patterns::LearnedKeys;
use crate::limits::{CALL_DEPTH_MAX, MEMORY_PAGES_MAX, TABLE_ELEMENTS_MAX};
use crate::long_calls::LongCalls;
use crate::outcome::Outcome;
use crate::prepare::Prepared;
use parking_lot::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, InstancePre, Linker, Module, PoolingAllocationConfig, Trap,
};

/// Instances that may be alive in the process. Each takes two reservations of 4 GiB of address space and some mappings, of
/// which the kernel allows 65,530; what passes this is evicted by [`super::InstancePool`]. Where the process is refused so
/// much address space (`ulimit -v`, strict overcommit, valgrind), it is half as many, and so on.
const INSTANCES_MAX: u32 = 2_000;

/// Slots beyond that, a part of the instances, and where there is room as many as calls within calls: for oracles, which make an
/// instance a call and drop it, and for the only instances of workers, and of calls within calls, that come when all are taken.
/// Those are seven a worker at most, so that these are enough for 70 workers.
const SPARE_SLOTS_PART: u32 = 4;

/// The wasmtime engine with the host functions linked.
pub(crate) struct Runtime {
    engine: Engine,
    linker: Linker<Host>,
    instances_max: u32,
}

impl Runtime {
    /// The process's runtime. One, since instance slots are reserved address space, of which a process has 128 TiB.
    pub(crate) fn shared() -> &'static Runtime {
        static SHARED: OnceLock<Runtime> = OnceLock::new();
        SHARED.get_or_init(|| {
            let (engine, instances_max) = make_engine();
            let mut linker = Linker::new(&engine);
            host::link(&mut linker).expect("host functions have distinct names");
            Runtime { engine, linker, instances_max }
        })
    }

    /// Instances that may be alive in the process.
    pub(crate) fn instances_max(&self) -> u32 {
        self.instances_max
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Compiles what the preparation pass made.
    ///
    /// # Errors
    /// The compiler's text, for a module that the pass accepted and the compiler did not: a fault of ours.
    pub(super) fn compile(&self, prepared: &Prepared) -> Result<Module, String> {
        Module::new(&self.engine, &prepared.wasm).map_err(|error| format!("{error:#}"))
    }

    /// Links a compiled module with the host functions.
    ///
    /// # Errors
    /// The linker's text, for a module that the pass accepted: a fault of ours.
    pub(super) fn link(&self, module: &Module) -> Result<Compiled, String> {
        let pre = self.linker.instantiate_pre(module).map_err(|error| format!("{error:#}"))?;
        Ok(Compiled { pre })
    }
}

/// The engine that the oracle instantiates in: the same compiler and the same slots.
pub(crate) fn oracle_engine() -> &'static Engine {
    Runtime::shared().engine()
}

/// An engine with slots for as many instances as there is address space for.
fn make_engine() -> (Engine, u32) {
    let (mut instances, mut spare) = (INSTANCES_MAX, CALL_DEPTH_MAX as u32);
    loop {
        match Engine::new(&settings(instances, (instances / SPARE_SLOTS_PART).max(spare))) {
            Ok(engine) => return (engine, instances),
            Err(_) if instances > 1 => instances /= 2,
            // A deep call within calls then finds no slot, which stops the engine: better than not to start at all.
            Err(_) if spare > 1 => spare /= 2,
            Err(error) => panic!("no wasmtime engine can be made, not even for one instance: {error:#}"),
        }
    }
}

fn settings(instances: u32, spare: u32) -> Config {
    let mut pool = PoolingAllocationConfig::default();
    let slots = instances + spare;
    pool.total_core_instances(slots)
        .total_memories(2 * slots)
        .total_tables(slots)
        .max_memories_per_module(2)
        .max_tables_per_module(1)
        .max_memory_size((MEMORY_PAGES_MAX as usize) << 16)
        .table_elements(TABLE_ELEMENTS_MAX as usize)
        .linear_memory_keep_resident(64 << 10)
        .table_keep_resident(64 << 10)
        .max_unused_warm_slots(64);
    let mut config = code_settings(CompileStep::Optimised);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// A module ready to be instantiated.
pub(crate) struct Compiled {
    pub(crate) pre: InstancePre<Host>,
}

/// A contract's code: what is known of a module once it was accepted.
pub(crate) struct Code {
    pub(crate) methods: Vec<String>,
    /// By method: whether it may be entered while its contract is being called.
    pub(crate) reentrant: Vec<bool>,
    /// Charged when a method is entered, besides the copy of the arguments.
    pub(crate) entry_gas: u64,
    /// Which keys the methods touch, by method.
    pub(crate) keys: Vec<LearnedKeys>,
    /// Which of them have long calls, by method.
    pub(crate) long_calls: Vec<LongCalls>,
    /// Changed once at most, from what the quick step made to what the optimised one did.
    compiled: RwLock<Compiled>,
    /// Whether it will not be changed any more.
    settled: AtomicBool,
    /// What a new instance's memory holds; set when the first was made.
    pub(super) image: OnceLock<Arc<Image>>,
}

impl Code {
    /// Of a module that was accepted, with machine code that stays.
    pub(crate) fn new(prepared: &Prepared, compiled: Compiled) -> Arc<Code> {
        Self::of(prepared, compiled, true)
    }

    /// The same, with machine code until better comes.
    pub(super) fn to_be_optimised(prepared: &Prepared, compiled: Compiled) -> Arc<Code> {
        Self::of(prepared, compiled, false)
    }

    fn of(prepared: &Prepared, compiled: Compiled, settled: bool) -> Arc<Code> {
        Arc::new(Code {
            methods: prepared.methods.clone(),
            reentrant: prepared.reentrant.clone(),
            entry_gas: gas::CALL + u64::from(prepared.memory_pages_min) * gas::MEMORY_PAGE_SCAN,
            keys: prepared.methods.iter().map(|_| LearnedKeys::default()).collect(),
            long_calls: prepared.methods.iter().map(|_| LongCalls::default()).collect(),
            compiled: RwLock::new(compiled),
            settled: AtomicBool::new(settled),
            image: OnceLock::new(),
        })
    }

    /// What instances are made of. Those that there are stay as they are.
    pub(crate) fn pre(&self) -> InstancePre<Host> {
        self.compiled.read().pre.clone()
    }

    /// Takes better machine code, or hears that none comes.
    pub(super) fn settle(&self, compiled: Option<Compiled>) {
        if let Some(compiled) = compiled {
            *self.compiled.write() = compiled;
        }
        // Release: who sees it makes instances of the new machine code.
        self.settled.store(true, Ordering::Release);
    }

    /// Whether instances made from now on are as good as they will ever be.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    /// Number of a method.
    pub(crate) fn method(&self, name: &[u8]) -> Option<usize> {
        self.methods.binary_search_by(|method| method.as_bytes().cmp(name)).ok()
    }
}

/// The outcome of a trap that the guest's own instructions cause. `None` is a trap that no accepted module can cause:
/// a fault of ours, on which the engine stops.
pub(crate) fn trap_outcome(trap: Trap) -> Option<Outcome> {
    Some(match trap {
        Trap::MemoryOutOfBounds => Outcome::MemoryOutOfBounds,
        Trap::TableOutOfBounds => Outcome::TableOutOfBounds,
        Trap::IndirectCallToNull => Outcome::IndirectCallToNull,
        Trap::BadSignature => Outcome::BadSignature,
        Trap::IntegerOverflow => Outcome::IntegerOverflow,
        Trap::IntegerDivisionByZero => Outcome::DivisionByZero,
        Trap::UnreachableCodeReached => Outcome::Unreachable,
        _ => return None,
    })
}
