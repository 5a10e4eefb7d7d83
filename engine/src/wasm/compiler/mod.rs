//! How modules become machine code.
//!
//! Without [`Options::compiler`](crate::Options::compiler) a module is compiled in this process, with all optimisations, before the batch that
//! brings it returns. With it, in two steps and in processes of their own:
//!
//! ```text
//! deploy ─ file of machine code? ─ no ─▶ quick step, waited for ─▶ calls run
//!                                          └▶ queue ─ optimised step, behind the calls ─▶ swapped in, kept in a file
//! ```
//!
//! The quick step takes time in proportion to the module, whatever the module is: it neither optimises nor searches for good
//! registers. The optimised one has no such bound for modules that somebody made to be slow. Results are the same: gas, stack and outcomes
//! are counted in the module, not in its machine code, and `engine/conformance` compares both steps with an interpreter.
//!
//! A process that crashes, or is ended by limits that its command sets itself, takes nobody along. If it was the optimised step, the
//! contract goes on with what the quick one made. If it was the quick step, the optimised one is waited for instead; only if that
//! fails too there is nothing to run, and the engine stops. Where the system gives no process, or takes it away as memory runs out, the
//! quick step is made in this one.
//!
//! - `message`: what goes over a process's pipes.
//! - `process`: a process as the engine sees it.
//! - `serve`: the same from within.
//! - `behind`: the queue of what is to be optimised.

mod behind;
mod message;
mod process;
mod serve;

pub use behind::CompilerStatistics;
pub use process::CompilerCommand;
pub use serve::serve_compiler;

use super::code_cache::{CodeCache, compile_here};
use super::runtime::{Code, Compiled, Runtime};
use crate::digest::Digest;
use crate::prepare::{self, Prepared};
use behind::{Behind, Job};
use parking_lot::Mutex;
use process::{CompilerProcess, Failure};
use std::sync::{Arc, OnceLock};
use wasmtime::{Config, Engine, OptLevel, RegallocAlgorithm};

/// How much work a compiler does for good machine code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompileStep {
    /// As little as it can: calls wait for it.
    Quick,
    /// All that it knows.
    Optimised,
}

impl CompileStep {
    /// An engine that compiles and runs nothing: it reserves no address space.
    pub(super) fn engine(self) -> &'static Engine {
        static QUICK: OnceLock<Engine> = OnceLock::new();
        static OPTIMISED: OnceLock<Engine> = OnceLock::new();
        let engine = match self {
            Self::Quick => &QUICK,
            Self::Optimised => &OPTIMISED,
        };
        engine.get_or_init(|| Engine::new(&code_settings(self)).expect("settings that the runtime has too"))
    }
}

/// What machine code depends on; the runtime adds where instances lie.
pub(super) fn code_settings(step: CompileStep) -> Config {
    let mut config = Config::new();
    config
        // Cached pointers into a memory stay true for the instance's life.
        .memory_may_move(false)
        .max_wasm_stack(prepare::NATIVE_STACK_BYTES)
        // Never used: no async. wasmtime refuses a value below the one above.
        .async_stack_size(prepare::NATIVE_STACK_BYTES)
        .wasm_multi_memory(true)
        .wasm_simd(false)
        .wasm_relaxed_simd(false)
        .wasm_backtrace_max_frames(None)
        .native_unwind_info(false)
        .generate_address_map(false);
    match step {
        CompileStep::Quick => {
            config.cranelift_opt_level(OptLevel::None).cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass)
        }
        CompileStep::Optimised => {
            config.cranelift_opt_level(OptLevel::Speed).cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking)
        }
    };
    config
}

/// What an engine compiles with.
pub(crate) struct Compiler {
    cache: Arc<CodeCache>,
    steps: Option<TwoSteps>,
}

struct TwoSteps {
    quick: Mutex<CompilerProcess>,
    behind: Behind,
}

impl Compiler {
    pub(crate) fn new(cache: CodeCache, command: Option<CompilerCommand>) -> Self {
        let cache = Arc::new(cache);
        let steps = command.map(|command| TwoSteps {
            quick: Mutex::new(CompilerProcess::new(command)),
            behind: Behind::start(command, Arc::clone(&cache)),
        });
        Self { cache, steps }
    }

    pub(crate) fn cache(&self) -> &CodeCache {
        &self.cache
    }

    /// Zeros where nothing is compiled in two steps.
    pub(crate) fn statistics(&self) -> CompilerStatistics {
        self.steps.as_ref().map(|steps| steps.behind.statistics()).unwrap_or_default()
    }

    /// Waits until nothing is left to optimise.
    pub(crate) fn wait_idle(&self) {
        self.steps.iter().for_each(|steps| steps.behind.wait_idle());
    }

    /// Machine code of a module that was accepted.
    ///
    /// # Errors
    /// The compiler's text, for a module that the pass accepted and the compiler did not: a fault of ours.
    pub(crate) fn code(&self, code_hash: Digest, prepared: &Prepared) -> Result<Arc<Code>, String> {
        if let Some(compiled) = self.cache.take(code_hash, prepared) {
            return Ok(Code::new(prepared, compiled));
        }
        let Some(steps) = &self.steps else {
            let module = Runtime::shared().compile(prepared)?;
            self.cache.keep(code_hash, prepared, &module);
            return Ok(Code::new(prepared, Runtime::shared().link(&module)?));
        };
        match steps.quick(code_hash, prepared) {
            Ok(compiled) => {
                let code = Code::to_be_optimised(prepared, compiled);
                steps.behind.push(Job { code: Arc::clone(&code), code_hash, prepared: prepared.clone() });
                Ok(code)
            }
            Err(quick) => {
                let compiled = steps.behind.optimise_now(code_hash, prepared).map_err(|optimised| {
                    format!("a module compiles in neither step: quick: {quick}; optimised: {optimised}")
                })?;
                Ok(Code::new(prepared, compiled))
            }
        }
    }

    /// Ends the process that batches wait for: until the next deploy nobody needs its memory.
    pub(crate) fn rest(&self) {
        if let Some(steps) = &self.steps {
            steps.quick.lock().end();
        }
    }
}

impl TwoSteps {
    fn quick(&self, code_hash: Digest, prepared: &Prepared) -> Result<Compiled, String> {
        let step = CompileStep::Quick;
        let module = match self.quick.lock().compile(step, code_hash, &prepared.wasm) {
            Ok(module) => module,
            // A system that has no process for us may still have memory, and this step needs little.
            Err(Failure::NoProcess(_)) => compile_here(step, code_hash, &prepared.wasm)?,
            Err(Failure::Compiler(text)) => return Err(text),
        };
        self.behind.count_quick();
        Runtime::shared().link(&module)
    }
}
