//! The gas schedule: part of the protocol version. One gas is about one plain Wasm instruction.
//!
//! Instructions and the base price of host functions are charged by basic block, by code that the preparation pass
//! puts into the module; prices by length are charged by the host before it acts.

/// Every call, before its first instruction: finding the instance, entering it, its receipt and its share of the digest.
pub const CALL: u64 = 400;
/// A trap of the machine's own: an instruction that cannot go on, or a stack that does not suffice. It takes a signal, of some 10 µs on a
/// virtual machine whose host looks at each. Where less is left it is all that is left; so that this does not make traps cheap, a
/// call is entered only with a limit that covers one.
pub const TRAP: u64 = 20_000;
/// A call that a host function ends: what it undoes costs more than its instructions did.
pub const HOST_HALT: u64 = 500;
/// Each 64 KiB page that the module's memory starts with, every call: its dirty map is looked through afterwards.
pub const MEMORY_PAGE_SCAN: u64 = 8;
/// A byte that leaves the call: return bytes, events, written keys and values, the text of `abort`.
pub const OUTPUT_BYTE: u64 = 2;
/// Eight bytes (rounded up) copied into or out of the guest, or hashed as a key.
pub const COPY_WORD: u64 = 1;
/// A dirty granule (1 KiB) that the reset writes back, charged after the method returned.
pub const DIRTY_GRANULE: u64 = 40;
/// A page that `memory.grow` asks for, and the instance that a successful grow costs.
pub const MEMORY_GROW_PAGE: u64 = 20_000;
/// `memory.grow`, whatever it answers: a grown instance is dropped and a new one made.
pub const MEMORY_GROW: u64 = 100_000;
/// A key that the call has written, each time it scans: its own writes are sorted into what is stored.
pub const SCAN_OWN_KEY: u64 = 150;
/// An entry that a scan returns.
pub const SCAN_ENTRY: u64 = 150;
/// Byte hashed by blake3, sha256, keccak256.
pub const HASH_BYTE: [u64; 3] = [2, 3, 10];
/// Byte that is hashed to verify a signature, by algorithm: ed25519.
pub const VERIFY_BYTE: [u64; 1] = [5];
/// A byte of a module in deploy and upgrade: checking, instrumenting and compiling it.
pub const MODULE_BYTE: u64 = 300;
/// Deploy and upgrade, besides their bytes.
pub const DEPLOY: u64 = 100_000;

/// A nested call may have at most what is left without its part of this: who calls keeps something to end with.
pub const CALL_RESERVE_PART: u64 = 64;

/// The host functions a module may import from `phalanx`, with their parameters and result as `i` (i32) and `I` (i64)
/// and the base price charged in the block that calls them.
pub const HOST_FUNCTIONS: [HostFunction; 21] = [
    host("input", "ii", "i", 20),
    host("ret", "ii", "", 20),
    host("caller", "i", "", 20),
    host("self", "i", "", 20),
    host("deployer", "i", "", 20),
    host("height", "", "I", 15),
    host("batch_time", "", "I", 15),
    host("get", "iiii", "i", 150),
    host("set", "iiii", "", 200),
    host("remove", "ii", "", 200),
    host("add", "iiIIIIII", "i", 180),
    host("sub", "iiIIIIII", "i", 180),
    host("scan", "iiiiiiii", "I", 400),
    host("emit", "iiii", "", 30),
    host("hash", "iiii", "", 150),
    host("abort", "ii", "", 20),
    host("max", "iiII", "", 180),
    host("set_once", "iiii", "i", 220),
    host("call_index", "", "i", 15),
    host("verify", "iiiii", "i", 120_000),
    // It may have to make an instance, which is never priced by whether it was there.
    host("call", "iiiiiIii", "I", 10_000),
];

/// One importable function.
#[derive(Clone, Copy, Debug)]
pub struct HostFunction {
    /// Import name in module `phalanx`.
    pub name: &'static str,
    /// Parameter types: `i` for i32, `I` for i64.
    pub parameters: &'static str,
    /// Result types, the same letters.
    pub results: &'static str,
    /// Gas charged by the calling block.
    pub gas: u64,
}

const fn host(name: &'static str, parameters: &'static str, results: &'static str, gas: u64) -> HostFunction {
    HostFunction { name, parameters, results, gas }
}
