//! The oracle: what a batch means, written as plainly as possible, to compare everything else with.
//!
//! A `BTreeMap`, a fresh instance for every call, adds applied at once; no partitions, journals, prefetch or reuse. Host
//! functions, receipts, write sets, deploys and order are written a second time here, on purpose. Shared with the engine are
//! only what has tests of its own or is a table: the preparation pass, the decoding of batches, the compiler, gas prices, the
//! arithmetic of a delta, the deploy record, and how runs and roots are hashed.

use crate::batch::{Address, Batch, BatchBytes, CallRef, SYSTEM_CONTRACT};
use crate::deploy::{contract_id, module_key, record_key};
use crate::digest::{Digest, Roots, batch_digest, leaf, root};
use crate::error::{BatchError, EngineError};
use crate::gas;
use crate::limits::*;
use crate::outcome::Outcome;
use crate::prepare::{self, CONTROL_DIRTY, OrderedSlots};
use crate::registry::DeployRecord;
use crate::state_root::state_root;
use crate::threads;
use crate::wasm::{oracle_engine, trap_outcome};
use phalanx_scheduler::{Delta, Operator};
use rayon::ThreadPool;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wasmtime::{Caller, Error, InstancePre, Linker, Memory, Result, Store, Trap};

mod codes;
mod follow;
mod nested;

pub use nested::NestedEnd;

use codes::{Codes, Context};
use follow::Trace;

/// A contract and a key of it.
pub(crate) type Key = (Address, Vec<u8>);
type Map = BTreeMap<Key, Vec<u8>>;

/// Executes batches one call at a time.
pub struct Oracle {
    state: Map,
    codes: Arc<Codes>,
    height: u64,
    time_ms: u64,
    digest: Digest,
    /// What the last batch looked at and replaced.
    trace: Trace,
    /// One thread, for its stack.
    thread: Arc<ThreadPool>,
}

/// What a batch left behind, encoded as the engine encodes it.
pub struct OracleOutcome {
    /// Encoded receipts.
    pub receipts: Vec<u8>,
    /// Encoded write set.
    pub writes: Vec<u8>,
    /// The roots of the digest.
    pub roots: Roots,
    /// Digest of the height.
    pub digest: Digest,
    /// How the calls of contracts by contracts ended, in order.
    pub nested: Vec<NestedEnd>,
}

/// A running call.
struct Run {
    context: Arc<Context>,
    state: Arc<Map>,
    writes: BTreeMap<Key, Option<Vec<u8>>>,
    seen: BTreeSet<Key>,
    contract: Address,
    deployer: Address,
    ordered: OrderedSlots,
    sender: Address,
    arguments: Vec<u8>,
    call_index: usize,
    events: Vec<(Vec<u8>, Vec<u8>)>,
    returned: Vec<u8>,
    halt: Option<Outcome>,
    /// Contracts whose calls wait for this one, outermost first.
    callers: Vec<Address>,
    nested: Vec<NestedEnd>,
}

/// With what a method is entered.
struct Started<'a> {
    method: &'a str,
    /// Gas limit of the call.
    limit: u64,
    /// What is left of it, and of the stack.
    gas: u64,
    stack: u32,
}

/// How a call ended.
struct Ended {
    outcome: Outcome,
    gas_used: u64,
    returned: Vec<u8>,
    events: Vec<(Vec<u8>, Vec<u8>)>,
    writes: BTreeMap<Key, Option<Vec<u8>>>,
    /// Whatever it came to.
    seen: BTreeSet<Key>,
    nested: Vec<NestedEnd>,
}

impl Ended {
    fn with(outcome: Outcome, gas_used: u64) -> Self {
        Self {
            outcome,
            gas_used,
            returned: Vec::new(),
            events: Vec::new(),
            writes: BTreeMap::new(),
            seen: BTreeSet::new(),
            nested: Vec::new(),
        }
    }
}

impl Default for Oracle {
    fn default() -> Self {
        Self::new()
    }
}

impl Oracle {
    /// An oracle with an empty state, at height 0.
    pub fn new() -> Self {
        Self {
            state: Map::new(),
            codes: Arc::new(Codes::new(linker().expect("host functions have distinct names"))),
            height: 0,
            time_ms: 0,
            digest: Digest::default(),
            trace: Trace::default(),
            thread: Arc::new(threads::pool(1)),
        }
    }

    /// Height of the last batch.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// Digest of the last height.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Root of the whole state.
    pub fn state_digest(&self) -> Digest {
        state_root(self.state.iter().map(|((contract, key), value)| (contract, &key[..], &value[..])))
    }

    /// The whole state: (contract, key) and value, in order.
    pub fn entries(&self) -> impl Iterator<Item = (&Address, &[u8], &[u8])> {
        self.state.iter().map(|((contract, key), value)| (contract, &key[..], &value[..]))
    }

    /// Executes and applies a batch for the next height.
    ///
    /// # Errors
    /// As [`crate::Engine::execute_batch`].
    pub fn execute_batch(&mut self, bytes: impl Into<BatchBytes>) -> core::result::Result<OracleOutcome, EngineError> {
        let batch = Batch::decode(bytes)?;
        let thread = Arc::clone(&self.thread);
        thread.install(|| self.execute(&batch))
    }

    fn execute(&mut self, batch: &Batch) -> core::result::Result<OracleOutcome, EngineError> {
        if batch.height() != self.height + 1 {
            return Err(BatchError::WrongHeight { actual: batch.height(), expected: self.height + 1 }.into());
        }
        if batch.time_ms() < self.time_ms {
            return Err(BatchError::TimeRunsBack { actual: batch.time_ms(), previous: self.time_ms }.into());
        }
        self.trace = Trace::begin(self.height, self.time_ms, self.digest);
        let context = Arc::new(Context::new(&self.codes, &self.state, batch));
        let mut state = Arc::new(core::mem::take(&mut self.state));
        let mut ended = Vec::new();
        let mut last_writer: BTreeMap<Key, usize> = BTreeMap::new();
        for index in 0..batch.len() {
            let done = self.call(batch, index, &context, &state).map_err(EngineError::Stopped)?;
            let map = Arc::get_mut(&mut state).expect("the call is over");
            for (key, value) in &done.writes {
                last_writer.insert(key.clone(), index);
                let before = match value {
                    Some(value) => map.insert(key.clone(), value.clone()),
                    None => map.remove(key),
                };
                self.trace.replaced(key, before);
            }
            self.trace.seen.extend(done.seen.iter().cloned());
            ended.push(done);
        }
        self.state = Arc::into_inner(state).expect("all calls are over");
        self.finish(batch, &ended, last_writer)
    }

    fn finish(
        &mut self,
        batch: &Batch,
        ended: &[Ended],
        last_writer: BTreeMap<Key, usize>,
    ) -> core::result::Result<OracleOutcome, EngineError> {
        let receipts: Vec<Vec<u8>> = ended.iter().map(encode_receipt).collect();
        let mut order: Vec<(usize, Key)> = last_writer.into_iter().map(|(key, call)| (call, key)).collect();
        order.sort();
        let mut write_items: Vec<Vec<Vec<u8>>> = vec![Vec::new(); batch.len()];
        for (call, key) in &order {
            let called = batch.target_of(&batch.call(*call)).0;
            write_items[*call].push(encode_write(*call, called, key, self.state.get(key)));
        }
        let inputs: Vec<Vec<Vec<u8>>> = (0..batch.len()).map(|call| vec![batch.call(call).record().to_vec()]).collect();
        let receipt_items: Vec<Vec<Vec<u8>>> = receipts.iter().map(|receipt| vec![receipt.clone()]).collect();
        let roots = Roots {
            input: tree(batch.head(), &inputs, shorten_framed),
            receipts: tree(&[], &receipt_items, shorten_framed),
            writes: tree(&[], &write_items, shorten_write),
        };
        let digest = batch_digest(batch.height(), &self.digest, &roots);
        (self.height, self.time_ms, self.digest) = (batch.height(), batch.time_ms(), digest);
        let writes = write_items.into_iter().flatten().flatten().collect();
        let nested = ended.iter().flat_map(|ended| ended.nested.iter().copied()).collect();
        Ok(OracleOutcome { receipts: receipts.concat(), writes, roots, digest, nested })
    }

    fn call(
        &mut self,
        batch: &Batch,
        index: usize,
        context: &Arc<Context>,
        state: &Arc<Map>,
    ) -> core::result::Result<Ended, String> {
        let call = &batch.call(index);
        let (contract, method) = batch.target_of(call);
        let limit = call.gas_limit();
        let looked_at = limit.min(gas::CALL);
        let system = *contract == SYSTEM_CONTRACT;
        if limit > CALL_GAS_MAX || (!system && call.arguments().len() > ARGUMENT_BYTES_MAX) {
            return Ok(Ended::with(Outcome::LimitExceeded, looked_at));
        }
        if system {
            return Ok(self.system_call(call, method, state));
        }
        let Some(record) = context.records.get(contract) else {
            return Ok(Ended::with(Outcome::UnknownContract, looked_at));
        };
        let code = context.codes.get(&record.code_hash, state)?;
        let Some(method) = code.0.methods.iter().find(|name| name.as_bytes() == method) else {
            return Ok(Ended::with(Outcome::UnknownMethod, looked_at));
        };
        let entry = Context::entry_gas(&code.0, call.arguments().len());
        if limit < entry + gas::TRAP {
            return Ok(Ended::with(Outcome::OutOfGas, limit));
        }
        let called = Run {
            context: Arc::clone(context),
            state: Arc::clone(state),
            writes: BTreeMap::new(),
            seen: BTreeSet::new(),
            contract: *contract,
            deployer: record.deployer,
            ordered: record.ordered,
            sender: *call.sender(),
            arguments: call.arguments().to_vec(),
            call_index: index,
            events: Vec::new(),
            returned: Vec::new(),
            halt: None,
            callers: Vec::new(),
            nested: Vec::new(),
        };
        run(&code.1, called, &Started { method, limit, gas: limit - entry, stack: STACK_UNITS_MAX })
    }

    fn system_call(&mut self, call: &CallRef<'_>, method: &[u8], state: &Map) -> Ended {
        let deploys = method == b"deploy";
        if !deploys && method != b"upgrade" {
            return Ended::with(Outcome::UnknownMethod, call.gas_limit().min(gas::CALL));
        }
        let arguments = call.arguments();
        let gas_used = gas::CALL + gas::DEPLOY + arguments.len() as u64 * gas::MODULE_BYTE;
        if gas_used > call.gas_limit() {
            return Ended::with(Outcome::OutOfGas, call.gas_limit());
        }
        let failed = |outcome| Ended::with(outcome, gas_used);
        let header = if deploys { 33 } else { 32 };
        if arguments.len() < header || (deploys && arguments[32] != 0) {
            return failed(Outcome::BadArguments);
        }
        let first: [u8; 32] = arguments[..32].try_into().expect("32 bytes");
        let module = &arguments[header..];
        let id = if deploys { contract_id(call.sender(), &first, module) } else { first };
        let record = (SYSTEM_CONTRACT, record_key(&id).to_vec());
        let existing = state.get(&record).and_then(|bytes| DeployRecord::decode(bytes));
        self.trace.seen.insert(record);
        match &existing {
            Some(_) if deploys => return failed(Outcome::AlreadyDeployed),
            None if !deploys => return failed(Outcome::UnknownContract),
            Some(record) if record.deployer != *call.sender() => return failed(Outcome::NotPermitted),
            _ => {}
        }
        if module.len() > MODULE_BYTES_MAX {
            return failed(Outcome::LimitExceeded);
        }
        let Ok(prepared) = prepare::prepare(module) else { return failed(Outcome::ModuleRefused) };
        let code_hash = *blake3::hash(module).as_bytes();
        let record = match existing {
            Some(record) => DeployRecord { code_hash, ..record },
            None => DeployRecord { deployer: *call.sender(), code_hash, profile: 0, ordered: prepared.ordered },
        };
        let mut ended = Ended { returned: id.to_vec(), ..failed(Outcome::Ok) };
        ended.writes.insert((SYSTEM_CONTRACT, record_key(&id).to_vec()), Some(record.encode().to_vec()));
        ended.writes.insert((SYSTEM_CONTRACT, module_key(&code_hash).to_vec()), Some(module.to_vec()));
        ended
    }
}

/// Calls a method in an instance of its own.
fn run(module: &InstancePre<Run>, called: Run, started: &Started<'_>) -> core::result::Result<Ended, String> {
    let &Started { method, limit, gas, stack } = started;
    let ours = |error: Error| format!("{error:#}");
    let mut store = Store::new(oracle_engine(), called);
    let instance = module.instantiate(&mut store).map_err(ours)?;
    let control = instance.get_memory(&mut store, prepare::CONTROL_EXPORT).ok_or("no control memory")?;
    let words = control.data_mut(&mut store);
    words[prepare::CONTROL_GAS as usize..][..8].copy_from_slice(&gas.to_le_bytes());
    words[prepare::CONTROL_STACK as usize..][..4].copy_from_slice(&stack.to_le_bytes());
    let name = format!("{}{method}", prepare::CALL_EXPORT_PREFIX);
    let function = instance.get_typed_func::<(), i32>(&mut store, &name).map_err(ours)?;
    let result = function.call(&mut store, ());
    let words = control.data(&store);
    let left = i64::from_le_bytes(words[prepare::CONTROL_GAS as usize..][..8].try_into().expect("8 bytes"));
    let halt = i32::from_le_bytes(words[prepare::CONTROL_HALT as usize..][..4].try_into().expect("4 bytes"));
    // A store outside of memory marks before it traps, so after a trap the whole map counts.
    let memory = instance.get_memory(&mut store, prepare::MEMORY_EXPORT).ok_or("no memory")?;
    let granules = if result.is_ok() { memory.data_size(&store) / 1024 } else { prepare::DIRTY_BYTES as usize };
    let marks = &control.data(&store)[CONTROL_DIRTY as usize..][..granules];
    let dirty = marks.iter().filter(|&&mark| mark != 0).count() as u64;
    let left = left - (dirty * gas::DIRTY_GRANULE) as i64;
    let run = store.into_data();
    let by_host = run.halt.is_some();
    let outcome = match result {
        Ok(0) => Outcome::Ok,
        Ok(1) => Outcome::Reverted,
        Ok(2) => Outcome::BadArguments,
        Ok(_) => Outcome::BadReturnCode,
        Err(error) => match (run.halt, halt) {
            (Some(outcome), _) => outcome,
            (None, prepare::HALT_GAS) => Outcome::OutOfGas,
            (None, prepare::HALT_STACK) => Outcome::StackExhausted,
            _ => error.downcast_ref().and_then(|trap: &Trap| trap_outcome(*trap)).ok_or_else(|| ours(error))?,
        },
    };
    let (outcome, gas_used) = match outcome {
        _ if left < 0 => (Outcome::OutOfGas, limit),
        outcome if by_host => (outcome, limit.min(limit - left as u64 + gas::HOST_HALT)),
        Outcome::Ok | Outcome::Reverted | Outcome::BadArguments | Outcome::BadReturnCode => {
            (outcome, limit - left as u64)
        }
        trapped => (trapped, limit.min(limit - left as u64 + gas::TRAP)),
    };
    let ended = Ended { seen: run.seen, nested: run.nested, ..Ended::with(outcome, gas_used) };
    Ok(match outcome {
        Outcome::Ok => Ended { returned: run.returned, events: run.events, writes: run.writes, ..ended },
        Outcome::Reverted => Ended { returned: run.returned, ..ended },
        _ => ended,
    })
}

// ---- encodings, as FORMAT.md draws them ----

fn encode_receipt(ended: &Ended) -> Vec<u8> {
    let mut body = Vec::new();
    for (topic, data) in &ended.events {
        body.push(topic.len() as u8);
        body.push(0);
        body.extend((data.len() as u16).to_le_bytes());
        body.extend(topic);
        body.extend(data);
    }
    body.extend(&ended.returned);
    let mut receipt = Vec::new();
    receipt.extend((body.len() as u32 + 10).to_le_bytes());
    receipt.extend((ended.gas_used as u32).to_le_bytes());
    receipt.push(ended.outcome as u8);
    receipt.push(ended.events.len() as u8);
    receipt.extend(body);
    receipt
}

fn encode_write(call: usize, called: &Address, (contract, key): &Key, value: Option<&Vec<u8>>) -> Vec<u8> {
    let module = *contract == SYSTEM_CONTRACT && key[0] == 1;
    let value_bytes = match value {
        Some(module_bytes) if module => blake3::hash(module_bytes).as_bytes().to_vec(),
        Some(bytes) => bytes.clone(),
        None => Vec::new(),
    };
    let flags = u8::from(value.is_none()) + 2 * u8::from(contract != called) + 4 * u8::from(module);
    let mut item = Vec::new();
    item.extend((call as u32).to_le_bytes());
    item.extend([flags, 0]);
    item.extend((key.len() as u16).to_le_bytes());
    item.extend((value_bytes.len() as u32).to_le_bytes());
    if contract != called {
        item.extend(contract);
    }
    item.extend(key);
    item.extend(value_bytes);
    item
}

/// A call or receipt over 1 KiB: its length with the top bit set, and its hash.
fn shorten_framed(item: &[u8]) -> Vec<u8> {
    let mut short = item[..4].to_vec();
    short[3] |= 0x80;
    short.extend(blake3::hash(item).as_bytes());
    short
}

/// A write over 1 KiB: its header with flag 8, and its hash.
fn shorten_write(item: &[u8]) -> Vec<u8> {
    let mut short = item[..12].to_vec();
    short[4] |= 8;
    short.extend(blake3::hash(item).as_bytes());
    short
}

fn tree(head: &[u8], items_by_call: &[Vec<Vec<u8>>], shorten: fn(&[u8]) -> Vec<u8>) -> Digest {
    let run = |calls: &[Vec<Vec<u8>>]| {
        let items = calls.iter().flatten().map(|item| if item.len() > 1024 { shorten(item) } else { item.clone() });
        leaf(&items.collect::<Vec<_>>().concat())
    };
    root(head, &mut items_by_call.chunks(256).map(run).collect())
}

// ---- host functions, as contracts/HOST.md describes them ----

fn halt(caller: &mut Caller<'_, Run>, outcome: Outcome) -> Error {
    caller.data_mut().halt = Some(outcome);
    Error::msg("a host function ended the call")
}

fn memory(caller: &mut Caller<'_, Run>, name: &str) -> Memory {
    caller.get_export(name).and_then(wasmtime::Extern::into_memory).expect("a prepared module exports its memories")
}

fn charge(caller: &mut Caller<'_, Run>, gas: u64) -> Result<()> {
    let control = memory(caller, prepare::CONTROL_EXPORT);
    let word = &mut control.data_mut(&mut *caller)[prepare::CONTROL_GAS as usize..][..8];
    let left = i64::from_le_bytes((&*word).try_into().expect("8 bytes")) - gas as i64;
    word.copy_from_slice(&left.to_le_bytes());
    if left < 0 { Err(halt(caller, Outcome::OutOfGas)) } else { Ok(()) }
}

fn require(caller: &mut Caller<'_, Run>, holds: bool, otherwise: Outcome) -> Result<()> {
    if holds { Ok(()) } else { Err(halt(caller, otherwise)) }
}

fn check_range(caller: &mut Caller<'_, Run>, at: i32, length: usize) -> Result<()> {
    let size = memory(caller, prepare::MEMORY_EXPORT).data_size(&*caller);
    require(caller, at as u32 as usize + length <= size, Outcome::MemoryOutOfBounds)
}

fn read(caller: &mut Caller<'_, Run>, at: i32, length: i32) -> Result<Vec<u8>> {
    check_range(caller, at, length as u32 as usize)?;
    let memory = memory(caller, prepare::MEMORY_EXPORT);
    Ok(memory.data(&*caller)[at as u32 as usize..][..length as u32 as usize].to_vec())
}

fn write(caller: &mut Caller<'_, Run>, at: i32, bytes: &[u8]) -> Result<()> {
    check_range(caller, at, bytes.len())?;
    let at = at as u32 as usize;
    memory(caller, prepare::MEMORY_EXPORT).data_mut(&mut *caller)[at..][..bytes.len()].copy_from_slice(bytes);
    let control = memory(caller, prepare::CONTROL_EXPORT);
    if !bytes.is_empty() {
        let (first, last) = (at / 1024, (at + bytes.len() - 1) / 1024);
        control.data_mut(&mut *caller)[CONTROL_DIRTY as usize..][first..=last].fill(1);
    }
    Ok(())
}

fn read_key(caller: &mut Caller<'_, Run>, at: i32, length: i32) -> Result<Key> {
    require(caller, length != 0, Outcome::BadHostArgument)?;
    require(caller, length as u32 as usize <= KEY_BYTES_MAX, Outcome::LimitExceeded)?;
    let key = read(caller, at, length)?;
    Ok((caller.data().contract, key))
}

fn words(bytes: usize) -> u64 {
    bytes.div_ceil(8) as u64 * gas::COPY_WORD
}

fn lookup(run: &Run, key: &Key) -> Option<Vec<u8>> {
    match run.writes.get(key) {
        Some(own) => own.clone(),
        None => run.state.get(key).cloned(),
    }
}

fn store(caller: &mut Caller<'_, Run>, key: Key, value: Option<Vec<u8>>) -> Result<()> {
    let writes = &caller.data().writes;
    let fits = writes.len() < CALL_WRITES_MAX || writes.contains_key(&key);
    require(caller, fits, Outcome::LimitExceeded)?;
    caller.data_mut().writes.insert(key, value);
    Ok(())
}

fn delta(caller: &mut Caller<'_, Run>, operator: Operator, key: (i32, i32), words: [i64; 6]) -> Result<i32> {
    let key = read_key(caller, key.0, key.1)?;
    charge(caller, (key.1.len() as u64 + 16) * gas::OUTPUT_BYTE)?;
    caller.data_mut().seen.insert(key.clone());
    let number = |i: usize| u128::from(words[i] as u64) + (u128::from(words[i + 1] as u64) << 64);
    let before = match lookup(caller.data(), &key) {
        None => 0,
        Some(bytes) => match bytes.try_into() {
            Ok(bytes) => u128::from_le_bytes(bytes),
            Err(_) => return Err(halt(caller, Outcome::BadValueLength)),
        },
    };
    let delta = Delta { operator, magnitude: number(0), low: number(2), high: number(4) };
    let Some(after) = delta.applied_to(before) else { return Ok(0) };
    store(caller, key, Some(after.to_le_bytes().to_vec()))?;
    Ok(1)
}

fn scan(
    caller: &mut Caller<'_, Run>,
    start: (i32, i32),
    end: (i32, i32),
    direction: i32,
    limit: i32,
    out: i32,
    cap: i32,
) -> Result<i64> {
    let start = read_key(caller, start.0, start.1)?;
    let end = if end.1 == 0 { None } else { Some(read_key(caller, end.0, end.1)?) };
    require(caller, limit as u32 as usize <= SCAN_ENTRIES_MAX, Outcome::LimitExceeded)?;
    check_range(caller, out, cap as u32 as usize)?;
    let in_order = end.as_ref().is_none_or(|end| *end >= start);
    require(caller, (direction == 0 || direction == 1) && in_order, Outcome::BadHostArgument)?;
    let slot = start.1[0];
    require(caller, caller.data().ordered.contains(slot), Outcome::SlotNotOrdered)?;
    let own = caller.data().writes.len() as u64;
    charge(caller, words(start.1.len() + end.as_ref().map_or(0, |end| end.1.len())) + own * gas::SCAN_OWN_KEY)?;
    let run = caller.data();
    let inside =
        |key: &Key| *key >= start && end.as_ref().is_none_or(|end| key < end) && key.0 == start.0 && key.1[0] == slot;
    let stored =
        run.state.range(start.clone()..).map(|(key, _)| key).take_while(|key| key.0 == start.0 && key.1[0] == slot);
    let keys: BTreeSet<Key> = stored.chain(run.writes.keys()).filter(|key| inside(key)).cloned().collect();
    caller.data_mut().seen.extend(keys.iter().cloned());
    let run = caller.data();
    let mut entries: Vec<(Key, Vec<u8>)> =
        keys.into_iter().filter_map(|key| lookup(run, &key).map(|value| (key, value))).collect();
    if direction == 1 {
        entries.reverse();
    }
    let (mut bytes, mut count, mut reason) = (Vec::new(), 0i64, 0i64);
    for (key, value) in entries {
        let length = 6 + key.1.len() + value.len();
        if count == i64::from(limit) {
            reason = 1;
            break;
        }
        if bytes.len() + length > cap as u32 as usize {
            reason = 2;
            break;
        }
        charge(caller, gas::SCAN_ENTRY + words(length))?;
        bytes.extend((key.1.len() as u16).to_le_bytes());
        bytes.extend((value.len() as u32).to_le_bytes());
        bytes.extend(key.1);
        bytes.extend(value);
        count += 1;
    }
    write(caller, out, &bytes)?;
    Ok(reason << 56 | count << 32 | bytes.len() as i64)
}

fn emit(caller: &mut Caller<'_, Run>, topic: (i32, i32), data: (i32, i32)) -> Result<()> {
    require(caller, topic.1 as u32 as usize <= EVENT_TOPIC_BYTES_MAX, Outcome::LimitExceeded)?;
    require(caller, data.1 as u32 as usize <= EVENT_BYTES_MAX, Outcome::LimitExceeded)?;
    require(caller, caller.data().events.len() < EVENTS_MAX, Outcome::LimitExceeded)?;
    let topic = read(caller, topic.0, topic.1)?;
    let data = read(caller, data.0, data.1)?;
    charge(caller, (topic.len() + data.len()) as u64 * gas::OUTPUT_BYTE)?;
    caller.data_mut().events.push((topic, data));
    Ok(())
}

fn hash(caller: &mut Caller<'_, Run>, algorithm: i32, input: (i32, i32), out: i32) -> Result<()> {
    let bytes = read(caller, input.0, input.1)?;
    check_range(caller, out, 32)?;
    require(caller, (0..=2).contains(&algorithm), Outcome::BadHostArgument)?;
    charge(caller, bytes.len() as u64 * gas::HASH_BYTE[algorithm as usize])?;
    write(caller, out, &crate::hash::hash(algorithm as u32, &bytes))
}

fn verify(caller: &mut Caller<'_, Run>, algorithm: i32, key: i32, message: (i32, i32), signature: i32) -> Result<i32> {
    let key = read(caller, key, 32)?;
    let message = read(caller, message.0, message.1)?;
    let signature = read(caller, signature, 64)?;
    require(caller, algorithm == 0, Outcome::BadHostArgument)?;
    charge(caller, message.len() as u64 * gas::VERIFY_BYTE[0])?;
    let (key, signature) = (key.try_into().expect("32 bytes"), signature.try_into().expect("64 bytes"));
    Ok(i32::from(crate::signature::verifies(&key, &message, &signature)))
}

/// A caller, as host functions get it.
type C<'a> = Caller<'a, Run>;

#[rustfmt::skip]
fn linker() -> Result<Linker<Run>> {
    let mut linker = Linker::new(oracle_engine());
    linker.func_wrap("phalanx", "input", |mut c: C<'_>, out: i32, cap: i32| {
        check_range(&mut c, out, cap as u32 as usize)?;
        let arguments = c.data().arguments.clone();
        let part = &arguments[..arguments.len().min(cap as u32 as usize)];
        charge(&mut c, words(part.len()))?;
        write(&mut c, out, part)?;
        Ok(arguments.len() as i32)
    })?;
    linker.func_wrap("phalanx", "caller", |mut c: C<'_>, out: i32| { let a = c.data().sender; write(&mut c, out, &a) })?;
    linker.func_wrap("phalanx", "self", |mut c: C<'_>, out: i32| { let a = c.data().contract; write(&mut c, out, &a) })?;
    linker.func_wrap("phalanx", "deployer", |mut c: C<'_>, out: i32| { let a = c.data().deployer; write(&mut c, out, &a) })?;
    linker.func_wrap("phalanx", "height", |c: C<'_>| c.data().context.height as i64)?;
    linker.func_wrap("phalanx", "batch_time", |c: C<'_>| c.data().context.time_ms as i64)?;
    linker.func_wrap("phalanx", "call_index", |c: C<'_>| c.data().call_index as i32)?;
    linker.func_wrap("phalanx", "get", |mut c: C<'_>, key: i32, key_length: i32, out: i32, cap: i32| {
        let key = read_key(&mut c, key, key_length)?;
        check_range(&mut c, out, cap as u32 as usize)?;
        charge(&mut c, words(key.1.len()))?;
        c.data_mut().seen.insert(key.clone());
        let Some(value) = lookup(c.data(), &key) else { return Ok(-1) };
        let part = &value[..value.len().min(cap as u32 as usize)];
        charge(&mut c, words(part.len()))?;
        write(&mut c, out, part)?;
        Ok(value.len() as i32)
    })?;
    linker.func_wrap("phalanx", "set", |mut c: C<'_>, key: i32, key_length: i32, value: i32, length: i32| {
        require(&mut c, length as u32 as usize <= VALUE_BYTES_MAX, Outcome::LimitExceeded)?;
        let key = read_key(&mut c, key, key_length)?;
        let value = read(&mut c, value, length)?;
        charge(&mut c, (key.1.len() + value.len()) as u64 * gas::OUTPUT_BYTE)?;
        store(&mut c, key, Some(value))
    })?;
    linker.func_wrap("phalanx", "remove", |mut c: C<'_>, key: i32, key_length: i32| {
        let key = read_key(&mut c, key, key_length)?;
        charge(&mut c, key.1.len() as u64 * gas::OUTPUT_BYTE)?;
        store(&mut c, key, None)
    })?;
    linker.func_wrap("phalanx", "add", |mut c: C<'_>, k: i32, n: i32, a: i64, b: i64, d: i64, e: i64, f: i64, g: i64|
        delta(&mut c, Operator::Add, (k, n), [a, b, d, e, f, g]))?;
    linker.func_wrap("phalanx", "sub", |mut c: C<'_>, k: i32, n: i32, a: i64, b: i64, d: i64, e: i64, f: i64, g: i64|
        delta(&mut c, Operator::Sub, (k, n), [a, b, d, e, f, g]))?;
    linker.func_wrap("phalanx", "max", |mut c: C<'_>, k: i32, n: i32, a: i64, b: i64|
        delta(&mut c, Operator::Max, (k, n), [a, b, 0, 0, -1, -1]).map(|_| ()))?;
    linker.func_wrap("phalanx", "set_once", |mut c: C<'_>, key: i32, key_length: i32, value: i32, length: i32| {
        require(&mut c, length as u32 as usize <= VALUE_BYTES_MAX, Outcome::LimitExceeded)?;
        let key = read_key(&mut c, key, key_length)?;
        let value = read(&mut c, value, length)?;
        charge(&mut c, (key.1.len() + value.len()) as u64 * gas::OUTPUT_BYTE)?;
        c.data_mut().seen.insert(key.clone());
        if lookup(c.data(), &key).is_some() { return Ok(0) }
        store(&mut c, key, Some(value))?;
        Ok(1)
    })?;
    linker.func_wrap("phalanx", "scan",
        |mut c: C<'_>, start: i32, start_length: i32, end: i32, end_length: i32, direction: i32, limit: i32, out: i32, cap: i32|
        scan(&mut c, (start, start_length), (end, end_length), direction, limit, out, cap))?;
    linker.func_wrap("phalanx", "ret", |mut c: C<'_>, at: i32, length: i32| {
        require(&mut c, length as u32 as usize <= RETURN_BYTES_MAX, Outcome::LimitExceeded)?;
        let bytes = read(&mut c, at, length)?;
        charge(&mut c, bytes.len() as u64 * gas::OUTPUT_BYTE)?;
        c.data_mut().returned = bytes;
        Ok(())
    })?;
    linker.func_wrap("phalanx", "emit", |mut c: C<'_>, topic: i32, topic_length: i32, data: i32, length: i32|
        emit(&mut c, (topic, topic_length), (data, length)))?;
    linker.func_wrap("phalanx", "hash", |mut c: C<'_>, algorithm: i32, at: i32, length: i32, out: i32|
        hash(&mut c, algorithm, (at, length), out))?;
    linker.func_wrap("phalanx", "verify", |mut c: C<'_>, algorithm: i32, key: i32, at: i32, length: i32, signature: i32|
        verify(&mut c, algorithm, key, (at, length), signature))?;
    linker.func_wrap("phalanx", "abort", |mut c: C<'_>, at: i32, length: i32| {
        let text = read(&mut c, at, (length as u32).min(ABORT_TEXT_BYTES_MAX as u32) as i32)?;
        charge(&mut c, text.len() as u64 * gas::OUTPUT_BYTE)?;
        Err::<(), _>(halt(&mut c, Outcome::Aborted))
    })?;
    nested::link(&mut linker)?;
    Ok(linker)
}
