//! The preparation pass: what stands between a stranger's module and the compiler.
//!
//! [`prepare`] refuses a module by name, with every reason at once, or rewrites it so that on any Wasm engine, whatever
//! its compiler, a call uses the same gas, exhausts its stack at the same frame, and leaves a record of the memory it
//! may have written.
//!
//! ```text
//! bytes ── outline, scan ──▶ limits, features, imports, exports     linear in the bytes, whatever they say
//!       ── plan ───────────▶ types checked; gas, stack, marks       bounded by the limits
//!       ── assemble, body ─▶ the instrumented module
//! ```
//!
//! # The instrumented module
//!
//! It exports three kinds of things, and imports what the module imported:
//!
//! | export | what |
//! |---|---|
//! | [`MEMORY_EXPORT`] | the contract's memory, its maximum at most `MEMORY_PAGES_MAX` |
//! | [`CONTROL_EXPORT`] | the control memory, [`CONTROL_PAGES`] pages that never move or grow |
//! | [`CALL_EXPORT_PREFIX`] + method | the method's wrapper: it resets every mutable global, then calls the method |
//!
//! The control memory, which no code of the guest can reach:
//!
//! ```text
//! offset 0        8          12     16        64
//!        ┌────────┬──────────┬──────┬─────────┬──────────────────────────┐
//!        │ gas    │ stack    │ halt │ unused  │ dirty map                │
//!        │ i64    │ i32      │ i32  │         │ a byte a granule (1 KiB) │
//!        └────────┴──────────┴──────┴─────────┴──────────────────────────┘
//! ```
//!
//! # What the host does
//!
//! - Before a call: writes gas and stack units, clears `halt`.
//! - In a host function: the base price is charged already, without a check. Subtract the price by length; below zero,
//!   end the call as out of gas before acting.
//! - After a call, however it ended: gas below zero is out of gas, with the whole limit used. The code asks at loops,
//!   entries and after calls, so that a method may return, trap, or exhaust the stack, with the gas already below zero.
//!   Otherwise a trap with `halt` = [`HALT_STACK`] is an exhausted stack, and any other trap is the guest's own.
//! - Between calls: restores, for each granule marked, its 2^[`GRANULE_LOG2`] bytes and [`GRANULE_SLACK_BYTES`] after
//!   them, and clears the map. Writes of the host itself are its own to mark. The whole map of [`DIRTY_BYTES`] is to be
//!   cleared after a trap, as a store outside memory may have marked beyond memory's end before it trapped.
//! - A `memory.grow` that succeeded shows in the memory's size: nothing in the module records it.

mod assemble;
mod body;
mod features;
mod interface;
mod joins;
mod marks;
mod ordered;
mod outline;
mod plan;
mod profile;
mod reason;
mod reentrant;
mod scan;
mod schedule;
#[cfg(test)]
mod tests;
mod values;

pub use interface::{
    ABI_SECTION, CALL_EXPORT_PREFIX, CONTROL_DIRTY, CONTROL_EXPORT, CONTROL_GAS, CONTROL_HALT, CONTROL_PAGES,
    CONTROL_STACK, DIRTY_BYTES, GRANULE_LOG2, GRANULE_SLACK_BYTES, HALT_GAS, HALT_NONE, HALT_STACK, IMPORT_MODULE,
    MEMORY_EXPORT, ORDERED_SECTION, REENTRANT_SECTION,
};
pub use ordered::OrderedSlots;
pub use reason::{Feature, Limit, Place, Reason, Refused};

use crate::gas::{HOST_FUNCTIONS, HostFunction};
use outline::Outline;
use reason::Reasons;

/// Version of the pass: of what it refuses, of the code it writes and of its prices. Part of the protocol version, and
/// of the key of compiled code.
pub const PASS_VERSION: u32 = 2;

/// Bytes of native stack that a call needs at most, whatever the compiler: what `max_wasm_stack` has to allow, so that
/// [`crate::limits::STACK_UNITS_MAX`] runs out first. A thread that makes calls needs this and what the host uses.
pub const NATIVE_STACK_BYTES: usize = 8 << 20;

/// A module that passed.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The instrumented module.
    pub wasm: Vec<u8>,
    /// Methods in order of their names (as bytes).
    pub methods: Vec<String>,
    /// By method: whether it may be entered while its contract is being called.
    pub reentrant: Vec<bool>,
    /// Slots whose keys can be scanned.
    pub ordered: OrderedSlots,
    /// Pages that memory starts with.
    pub memory_pages_min: u32,
    /// Pages that memory can grow to: what the module declares, at most `MEMORY_PAGES_MAX`.
    pub memory_pages_max: u32,
    /// Contents of the custom sections `abi`, one after the other; `None` if there is none.
    pub abi: Option<Vec<u8>>,
    /// Host functions that the module imports, each once, in the order of [`HOST_FUNCTIONS`].
    pub imports: Vec<&'static HostFunction>,
}

/// Checks and instruments a module. It takes time and memory linear in the module, and never panics.
///
/// # Errors
///
/// [`Refused`] with every independent reason.
pub fn prepare(module: &[u8]) -> Result<Prepared, Refused> {
    let invalid = |reason| Refused { reasons: vec![reason] };
    let whole = Place { function: None, offset: 0 };
    let mut reasons = Reasons::default();
    reasons.check(Limit::ModuleBytes, module.len() as u64, whole);
    reasons.refusal()?;

    let outline = outline::read(module, &mut reasons).map_err(invalid)?;
    scan::bodies(&outline, &mut reasons).map_err(invalid)?;
    let plans = match reasons.allow_validation() {
        true => plan::validate(module, &outline, &mut reasons).map_err(invalid)?,
        false => Vec::new(),
    };
    reasons.refusal()?;

    let wasm = assemble::assemble(module, &outline, &plans).map_err(invalid)?;
    reasons.check(Limit::InstrumentedBytes, wasm.len() as u64, whole);
    reasons.refusal()?;
    Ok(Prepared::new(wasm, outline))
}

impl Prepared {
    fn new(wasm: Vec<u8>, outline: Outline<'_>) -> Self {
        let mut methods: Vec<String> = outline.methods.iter().map(|(name, _)| (*name).to_owned()).collect();
        methods.sort_unstable();
        let reentrant = methods.iter().map(|method| outline.reentrant.contains(method)).collect();
        let (memory_pages_min, memory_pages_max) = outline.memory.unwrap_or_default();
        let imported = |host: &&HostFunction| outline.imports.iter().flatten().any(|found| found.name == host.name);
        Self {
            wasm,
            methods,
            reentrant,
            ordered: outline.ordered,
            memory_pages_min,
            memory_pages_max,
            imports: HOST_FUNCTIONS.iter().filter(imported).collect(),
            abi: outline.abi,
        }
    }
}
