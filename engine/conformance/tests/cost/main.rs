//! What instrumentation costs, and how well gas stands for time: measured and printed, never asserted, as machines
//! differ. `cargo test -p phalanx-conformance --test cost -- --nocapture` shows it; the machine code measured is the
//! optimising compiler's, whatever the profile of this test.

mod contracts;
mod kernels;
mod operators;

use std::time::{Duration, Instant};

use phalanx_engine::limits::STACK_UNITS_MAX;
use phalanx_engine::prepare::{
    CALL_EXPORT_PREFIX, CONTROL_DIRTY, CONTROL_EXPORT, CONTROL_GAS, CONTROL_STACK, DIRTY_BYTES, GRANULE_LOG2,
    GRANULE_SLACK_BYTES, MEMORY_EXPORT, NATIVE_STACK_BYTES, prepare,
};
use wasmtime::{Config, Engine, Linker, Memory, Module, OptLevel, Store, TypedFunc};

/// More than any measurement uses.
const GAS: i64 = 1 << 60;
/// Runs of which the quickest counts.
const RUNS: u32 = 7;

/// A contract as it is, and as the pass makes it.
struct Pair {
    plain: Callable,
    instrumented: Callable,
}

struct Callable {
    store: Store<()>,
    function: TypedFunc<(), i32>,
    control: Option<Memory>,
    memory: Memory,
    /// Memory as it is in a new instance.
    image: Vec<u8>,
}

fn engine() -> Engine {
    let mut config = Config::new();
    config.wasm_multi_memory(true).memory_may_move(false).cranelift_opt_level(OptLevel::Speed);
    config.max_wasm_stack(NATIVE_STACK_BYTES / 8).async_stack_size(NATIVE_STACK_BYTES);
    Engine::new(&config).expect("a configuration that wasmtime has")
}

impl Pair {
    fn new(engine: &Engine, text: &str) -> Self {
        let module = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
        let prepared = prepare(&module).unwrap_or_else(|refused| panic!("refused: {refused}"));
        Self {
            plain: Callable::new(engine, &module, "m"),
            instrumented: Callable::new(engine, &prepared.wasm, &format!("{CALL_EXPORT_PREFIX}m")),
        }
    }

    fn of_contract(engine: &Engine, method: &contracts::Method) -> Self {
        let prepared = prepare(method.module).unwrap_or_else(|refused| panic!("refused: {refused}"));
        let callable = |wasm: &[u8], export: &str| {
            let module = Module::new(engine, wasm).expect("the module compiles");
            let host = contracts::host(engine, &module, &method.arguments, &method.value);
            Callable::linked(engine, &module, &host, export)
        };
        Self {
            plain: callable(method.module, method.method),
            instrumented: callable(&prepared.wasm, &format!("{CALL_EXPORT_PREFIX}{}", method.method)),
        }
    }
}

impl Callable {
    fn new(engine: &Engine, wasm: &[u8], export: &str) -> Self {
        let module = Module::new(engine, wasm).expect("the module compiles");
        Self::linked(engine, &module, &Linker::new(engine), export)
    }

    fn linked(engine: &Engine, module: &Module, host: &Linker<()>, export: &str) -> Self {
        let mut store = Store::new(engine, ());
        let instance = host.instantiate(&mut store, module).expect("the module has instances");
        let function = instance.get_typed_func(&mut store, export).expect("a method");
        let control = instance.get_memory(&mut store, CONTROL_EXPORT);
        let memory = instance.get_memory(&mut store, MEMORY_EXPORT).expect("a contract has one");
        let image = memory.data(&store).to_vec();
        Self { store, function, control, memory, image }
    }

    /// Time and gas of one call: the quickest of some.
    fn measure(&mut self) -> (Duration, i64) {
        let mut best = Duration::MAX;
        let mut gas = 0;
        for _ in 0..RUNS {
            if let Some(control) = self.control {
                let bytes = control.data_mut(&mut self.store);
                bytes[CONTROL_GAS as usize..][..8].copy_from_slice(&GAS.to_le_bytes());
                bytes[CONTROL_STACK as usize..][..4].copy_from_slice(&STACK_UNITS_MAX.to_le_bytes());
            }
            // As after a reset. Memory that has grown stays as it is: what is behind the image holds nothing that is read.
            self.memory.data_mut(&mut self.store)[..self.image.len()].copy_from_slice(&self.image);
            let start = Instant::now();
            self.function.call(&mut self.store, ()).expect("the method returns");
            best = best.min(start.elapsed());
            if let Some(control) = self.control {
                let bytes = control.data(&self.store)[CONTROL_GAS as usize..][..8].try_into();
                gas = GAS - i64::from_le_bytes(bytes.expect("the slice has this length"));
            }
        }
        (best, gas)
    }

    /// Granules of memory that are not as in a new instance.
    fn granules_changed(&self) -> Vec<usize> {
        let granules = |bytes: &[u8]| -> Vec<Vec<u8>> { bytes.chunks(1 << GRANULE_LOG2).map(<[u8]>::to_vec).collect() };
        let pairs = granules(self.memory.data(&self.store)).into_iter().zip(granules(&self.image));
        pairs.enumerate().filter(|(_, (now, before))| now != before).map(|(granule, _)| granule).collect()
    }

    /// Granules that the calls marked.
    fn granules_marked(&self) -> Vec<usize> {
        let control = self.control.expect("an instrumented module");
        let map = &control.data(&self.store)[CONTROL_DIRTY as usize..][..DIRTY_BYTES as usize];
        (0..map.len()).filter(|granule| map[*granule] != 0).collect()
    }
}

#[test]
fn instrumented_code_beside_plain_code() {
    let engine = engine();
    let header = ["plain ms", "instrumented", "ratio", "ns/gas", "marked", "changed"];
    let [plain, instrumented, ratio, gas, marked, changed] = header;
    println!("{:<28} {plain:>10} {instrumented:>12} {ratio:>7} {gas:>8} {marked:>7} {changed:>7}", "kernel");
    let kernels = kernels::all().into_iter().map(|(name, text)| (name, Pair::new(&engine, &text)));
    let methods = contracts::all();
    let methods = methods.iter().map(|method| (method.name, Pair::of_contract(&engine, method)));
    for (name, mut pair) in kernels.chain(methods) {
        let (plain, _) = pair.plain.measure();
        let (instrumented, gas) = pair.instrumented.measure();
        assert!(gas > 0, "{name} used no gas");
        // One mark may stand for several stores: that leaves no granule out that a store changed.
        let (marked, changed) = (pair.instrumented.granules_marked(), pair.plain.granules_changed());
        for granule in &changed {
            let behind_a_mark = |marked: usize| marked + 1 == *granule && is_in_slack(&pair.plain, *granule);
            assert!(
                marked.contains(granule) || marked.iter().copied().any(behind_a_mark),
                "{name} changed granule {granule} and marked {marked:?}"
            );
        }
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        println!(
            "{name:<28} {:>10.3} {:>12.3} {:>7.2} {:>8.3} {:>7} {:>7}",
            milliseconds(plain),
            milliseconds(instrumented),
            instrumented.as_secs_f64() / plain.as_secs_f64(),
            instrumented.as_secs_f64() * 1e9 / gas as f64,
            marked.len(),
            changed.len()
        );
    }
}

/// Whether a granule changed in its first bytes alone: those that the mark of the granule before stands for.
fn is_in_slack(plain: &Callable, granule: usize) -> bool {
    let begin = granule << GRANULE_LOG2;
    let rest = begin + GRANULE_SLACK_BYTES as usize..begin + (1 << GRANULE_LOG2);
    plain.memory.data(&plain.store)[rest.clone()] == plain.image[rest]
}

#[test]
fn nanoseconds_a_gas_by_operator() {
    let engine = engine();
    println!("{:<28} {:>8}", "operator", "ns/gas");
    for (name, text) in operators::all() {
        let (time, gas) = Pair::new(&engine, &text).instrumented.measure();
        assert!(gas > 0, "{name} used no gas");
        println!("{name:<28} {:>8.3}", time.as_secs_f64() * 1e9 / gas as f64);
    }
}
