//! Every limit of the protocol, each with its reason. A limit is part of the protocol version: changing one
//! changes results. Those of the cache of machine code and of the equivalence check, at the end, are a node's own: no
//! result depends on them.

/// Calls a batch: call indices fit 16 bits, and a batch is the unit of loss when nothing is synced.
pub const BATCH_CALLS_MAX: usize = 65_536;
/// Encoded bytes of a batch: what one group of the log carries, and what a server may hold a connection.
pub const BATCH_BYTES_MAX: usize = 16 << 20;
/// Sum of the gas limits of a batch's calls. Output costs at least [`crate::gas::OUTPUT_BYTE`] gas a byte, so a
/// batch's receipts and writes stay below `BATCH_GAS_MAX / OUTPUT_BYTE` bytes (4 GB).
pub const BATCH_GAS_MAX: u64 = 8_000_000_000;
/// Gas limit of one call: about half a second of one core.
pub const CALL_GAS_MAX: u64 = 1_000_000_000;
/// Distinct (contract, method) pairs that one batch may name.
pub const BATCH_TARGETS_MAX: usize = 65_536;
/// Bytes of a method name.
pub const METHOD_BYTES_MAX: usize = 64;
/// Bytes of a call's arguments (a module in a deploy or upgrade is exempt, see [`MODULE_BYTES_MAX`]).
pub const ARGUMENT_BYTES_MAX: usize = 64 << 10;
/// Bytes that a call may return.
pub const RETURN_BYTES_MAX: usize = 64 << 10;
/// Bytes of a state key, its slot included.
pub const KEY_BYTES_MAX: usize = 256;
/// Bytes of a state value.
pub const VALUE_BYTES_MAX: usize = 64 << 10;
/// Events of a call.
pub const EVENTS_MAX: usize = 64;
/// Bytes of an event's data.
pub const EVENT_BYTES_MAX: usize = 4 << 10;
/// Bytes of an event's topic.
pub const EVENT_TOPIC_BYTES_MAX: usize = 64;
/// Distinct keys that a call may write.
pub const CALL_WRITES_MAX: usize = 1_024;
/// Entries that one scan may return.
pub const SCAN_ENTRIES_MAX: usize = 1_000;
/// Calls within calls, the one of the batch included: each has an instance of its own in memory while it runs.
pub const CALL_DEPTH_MAX: usize = 8;
/// Bytes of an abort text that are kept for the caller.
pub const ABORT_TEXT_BYTES_MAX: usize = 1 << 10;

/// Bytes of a module as deployed.
pub const MODULE_BYTES_MAX: usize = 1 << 20;
/// Bytes of a module after the preparation pass.
pub const INSTRUMENTED_BYTES_MAX: usize = 4 << 20;
/// Pages (64 KiB) of a contract's memory: what an instance may cost a node.
pub const MEMORY_PAGES_MAX: u32 = 256;
/// Functions of a module, imports included.
pub const FUNCTIONS_MAX: u32 = 10_000;
/// Types of a module.
pub const TYPES_MAX: u32 = 10_000;
/// Bytes of one function body: bounds what the compiler sees at once.
pub const BODY_BYTES_MAX: usize = 128 << 10;
/// Loops × locals of a function: register allocation is worse than linear in it (a 10 KB module took 17 s).
pub const LOOPS_TIMES_LOCALS_MAX: u64 = 16_384;
/// Loops × locals summed over a module's functions: 250 functions at the limit of one took 3 s of the quickest compiler.
pub const MODULE_LOOPS_TIMES_LOCALS_MAX: u64 = 262_144;
/// Calls in a module: each compiles to a dozen instructions and more, and is an edge where it is checked (98,000 of those took 3.9 s of the
/// quickest compiler).
pub const MODULE_CALLS_MAX: u64 = 32_768;
/// Control operators of a function: see [`LOOPS_TIMES_LOCALS_MAX`].
pub const CONTROL_OPERATORS_MAX: u32 = 4_096;
/// Targets of all `br_table`s of a function: each is an edge of the compiler's graph.
pub const BRANCH_TARGETS_MAX: u32 = 8_192;
/// Operands that lie on a function's operand stack at once: each is a value that the compiler keeps alive.
pub const OPERANDS_MAX: u32 = 1_024;
/// Values that the calls of a function leave: two bytes of call can make as many as a function may have results.
pub const CALL_RESULTS_MAX: u64 = 65_536;
/// Values that the blocks of a function take and leave: each is one that every way into the block has to agree on (a
/// 40 KB module took 8 GB to compile).
pub const BLOCK_VALUES_MAX: u64 = 8_192;
/// Values that a function's joins may need: for each block the locals that are set within it, blocks inside included. A compiler
/// makes as many, though no operator shows them (400,000, of a function of 40 KB, took 92 s).
pub const JOIN_VALUES_MAX: u64 = 32_768;
/// The same, summed over a module's functions.
pub const MODULE_JOIN_VALUES_MAX: u64 = 262_144;
/// Nesting of blocks in a function.
pub const NESTING_MAX: u32 = 128;
/// Locals of a function, parameters included.
pub const LOCALS_MAX: u32 = 4_096;
/// Parameters of a function, and results.
pub const PARAMETERS_MAX: usize = 32;
/// Globals of a module.
pub const GLOBALS_MAX: u32 = 256;
/// Elements of a table.
pub const TABLE_ELEMENTS_MAX: u64 = 10_000;
/// Data and element segments of a module.
pub const SEGMENTS_MAX: u32 = 10_000;
/// Bytes of all data segments.
pub const DATA_BYTES_MAX: usize = 1 << 20;
/// Exported methods of a module.
pub const METHODS_MAX: usize = 1_024;
/// Units of the stack budget of a call, nested calls included: a frame costs its locals, its deepest operand stack, and a constant.
pub const STACK_UNITS_MAX: u32 = 65_536;

/// Bytes of one file of the cache of machine code, which is read into memory whole. What takes more is compiled each time.
/// Machine code was found to take up to 5 times the instrumented module, and 12 times where all is indirect calls.
pub const CODE_FILE_BYTES_MAX: u64 = 64 << 20;
/// Bytes of all files of the cache of machine code: strangers deploy modules, and the disk is the log's first of all.
pub const CODE_CACHE_BYTES_MAX: u64 = 1 << 30;
/// Files of the cache of machine code: all their names are read when the first is added.
pub const CODE_CACHE_FILES_MAX: usize = 10_000;

/// Committed batches that may wait for the equivalence check, with their results: what a node lends it of its memory.
pub const UNCHECKED_BATCHES_MAX: usize = 32;

const _: () = assert!(CALL_GAS_MAX <= BATCH_GAS_MAX && CALL_GAS_MAX <= u32::MAX as u64);
const _: () = assert!(MODULE_BYTES_MAX + 4096 < BATCH_BYTES_MAX);
const _: () =
    assert!(INSTRUMENTED_BYTES_MAX as u64 * 12 < CODE_FILE_BYTES_MAX && CODE_FILE_BYTES_MAX <= CODE_CACHE_BYTES_MAX);
const _: () = assert!(BATCH_CALLS_MAX <= 1 << 16);
