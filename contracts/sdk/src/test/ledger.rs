//! The ledger of one test thread, with the limits of the host interface.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::{Emitted, Failure};
use crate::entry::{ARGUMENT_BYTES_MAX, Method};
use crate::nested::OutcomeCode;
use crate::state::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use crate::{Address, Direction};

// The protocol's other limits, as `engine/src/limits.rs` has them; the engine is no dependency of contracts.
const RETURN_BYTES_MAX: usize = 64 << 10;
const EVENTS_MAX: usize = 64;
const EVENT_BYTES_MAX: usize = 4 << 10;
const EVENT_TOPIC_BYTES_MAX: usize = 64;
const CALL_WRITES_MAX: usize = 1_024;
const SCAN_ENTRIES_MAX: usize = 1_000;
const CALL_DEPTH_MAX: usize = 8;
const METHOD_BYTES_MAX: usize = 64;
pub(crate) const ABORT_TEXT_BYTES_MAX: usize = 1 << 10;

type State = BTreeMap<Vec<u8>, Vec<u8>>;
type Entries<'a> = Box<dyn Iterator<Item = (&'a Vec<u8>, &'a Vec<u8>)> + 'a>;

/// What one contract has.
#[derive(Clone, Default)]
struct Contract {
    state: State,
    ordered: BTreeSet<u8>,
    deployer: Address,
    /// Empty unless it was deployed.
    methods: &'static [Method],
}

/// State, events and the surroundings of the call that runs.
#[derive(Default)]
pub(crate) struct Ledger {
    contracts: BTreeMap<Address, Contract>,
    pub(crate) events: Vec<Emitted>,
    pub(crate) caller: Address,
    /// The contract that runs.
    pub(crate) contract_id: Address,
    pub(crate) height: u64,
    pub(crate) batch_time: u64,
    /// Each call within a height has the next one.
    pub(crate) call_index: u32,
    /// Calls at the height so far.
    calls: u32,
    pub(crate) arguments: Vec<u8>,
    pub(crate) returned: Vec<u8>,
    /// Keys that the running call wrote; `None` outside a call.
    written: Option<BTreeSet<(Address, Vec<u8>)>>,
    /// Events before the running call.
    events_before: usize,
    /// Contracts whose calls wait for the one that runs.
    waiting: Vec<Address>,
}

/// What a call that does not succeed restores.
pub(crate) struct Before(BTreeMap<Address, Contract>);

/// What is put back when a nested call ends, and what only if it fails.
pub(crate) struct Waiting {
    caller: Address,
    arguments: Vec<u8>,
    returned: Vec<u8>,
    before: Before,
    written: Option<BTreeSet<(Address, Vec<u8>)>>,
    events: usize,
}

thread_local! {
    static LEDGER: RefCell<Ledger> = RefCell::default();
}

/// Lends the thread's ledger. `act` must not call back into the contract.
pub(crate) fn with<R>(act: impl FnOnce(&mut Ledger) -> R) -> R {
    LEDGER.with_borrow_mut(act)
}

fn check(limit: &'static str, max: usize, actual: usize) -> Result<(), Failure> {
    if actual <= max { Ok(()) } else { Err(Failure::LimitExceeded { limit, max, actual }) }
}

fn check_key(key: &[u8]) -> Result<(), Failure> {
    if key.is_empty() {
        return Err(Failure::BadHostArgument("an empty key"));
    }
    check("bytes of a state key", KEY_BYTES_MAX, key.len())
}

impl Ledger {
    fn running(&self) -> Option<&Contract> {
        self.contracts.get(&self.contract_id)
    }

    fn running_mut(&mut self) -> &mut Contract {
        self.contracts.entry(self.contract_id).or_default()
    }

    pub(crate) fn deployer(&self) -> Address {
        self.running().map_or(Address::default(), |contract| contract.deployer)
    }

    pub(crate) fn set_deployer(&mut self, deployer: Address) {
        self.running_mut().deployer = deployer;
    }

    pub(crate) fn declare_ordered(&mut self, slot: u8) {
        self.running_mut().ordered.insert(slot);
    }

    pub(crate) fn set_contract_id(&mut self, id: Address) {
        let contract = self.contracts.remove(&self.contract_id).unwrap_or_default();
        self.contracts.insert(id, contract);
        self.contract_id = id;
    }

    pub(crate) fn deploy(&mut self, id: Address, deployer: Address, methods: &'static [Method]) {
        let contract = self.contracts.entry(id).or_default();
        (contract.deployer, contract.methods) = (deployer, methods);
    }

    /// Makes another contract the one that runs; the one that did.
    pub(crate) fn switch_to(&mut self, contract: Address) -> Address {
        assert!(self.written.is_none(), "contracts are switched between test calls");
        core::mem::replace(&mut self.contract_id, contract)
    }

    /// Begins a nested call, if it may be made, with the checks of an engine in their order.
    pub(crate) fn enter(
        &mut self,
        contract: Address,
        method: &str,
        arguments: &[u8],
    ) -> Result<Result<(Method, Waiting), OutcomeCode>, Failure> {
        check("bytes of a method's name", METHOD_BYTES_MAX, method.len())?;
        check("bytes of arguments", ARGUMENT_BYTES_MAX, arguments.len())?;
        if self.waiting.len() + 1 >= CALL_DEPTH_MAX {
            return Ok(Err(OutcomeCode::TOO_DEEP));
        }
        let methods = self.contracts.get(&contract).map_or(&[][..], |contract| contract.methods);
        if methods.is_empty() {
            return Ok(Err(OutcomeCode::UNKNOWN_CONTRACT));
        }
        let Some(method) = methods.iter().find(|candidate| candidate.name == method) else {
            return Ok(Err(OutcomeCode::UNKNOWN_METHOD));
        };
        if (contract == self.contract_id || self.waiting.contains(&contract)) && !method.reentrant {
            return Ok(Err(OutcomeCode::REENTRANT));
        }
        let waiting = Waiting {
            caller: core::mem::replace(&mut self.caller, self.contract_id),
            arguments: core::mem::replace(&mut self.arguments, arguments.to_vec()),
            returned: core::mem::take(&mut self.returned),
            before: Before(self.contracts.clone()),
            written: self.written.clone(),
            events: self.events.len(),
        };
        self.waiting.push(core::mem::replace(&mut self.contract_id, contract));
        Ok(Ok((*method, waiting)))
    }

    /// Ends a nested call; what it returned.
    pub(crate) fn leave(&mut self, waiting: Waiting, done: bool) -> Vec<u8> {
        let Waiting { caller, arguments, returned, before, written, events } = waiting;
        self.contract_id = self.waiting.pop().unwrap_or_default();
        (self.caller, self.arguments) = (caller, arguments);
        if !done {
            (self.contracts, self.written) = (before.0, written);
            self.events.truncate(events);
        }
        core::mem::replace(&mut self.returned, returned)
    }

    pub(crate) fn begin(&mut self, caller: Address, arguments: &[u8]) -> Before {
        assert!(self.written.is_none(), "a test call runs within another");
        assert!(arguments.len() <= ARGUMENT_BYTES_MAX, "arguments of {} bytes, not ≤ 64 KiB", arguments.len());
        self.caller = caller;
        (self.call_index, self.calls) = (self.calls, self.calls + 1);
        self.arguments = arguments.to_vec();
        self.returned.clear();
        self.written = Some(BTreeSet::new());
        self.events_before = self.events.len();
        Before(self.contracts.clone())
    }

    pub(crate) fn end(&mut self, before: Before, done: bool) {
        self.written = None;
        if !done {
            self.contracts = before.0;
            self.events.truncate(self.events_before);
        }
    }

    pub(crate) fn ret(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        check("return bytes", RETURN_BYTES_MAX, bytes.len())?;
        self.returned = bytes.to_vec();
        Ok(())
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<&Vec<u8>>, Failure> {
        check_key(key)?;
        Ok(self.running().and_then(|contract| contract.state.get(key)))
    }

    pub(crate) fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        check("bytes of a state value", VALUE_BYTES_MAX, value.len())?;
        self.note_write(key)?;
        self.running_mut().state.insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    /// Whether the key was absent, and so was written.
    pub(crate) fn set_once(&mut self, key: &[u8], value: &[u8]) -> Result<bool, Failure> {
        check("bytes of a state value", VALUE_BYTES_MAX, value.len())?;
        if self.get(key)?.is_some() {
            return Ok(false);
        }
        self.set(key, value)?;
        Ok(true)
    }

    /// Begins another height, whose calls are counted from 0.
    pub(crate) fn set_height(&mut self, height: u64, batch_time: u64) {
        (self.height, self.batch_time, self.calls) = (height, batch_time, 0);
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Result<(), Failure> {
        self.note_write(key)?;
        self.running_mut().state.remove(key);
        Ok(())
    }

    /// `add` and `sub`: whether the exact result exists and lies within the bounds, and so was written.
    pub(crate) fn change(
        &mut self,
        key: &[u8],
        apply: impl FnOnce(u128) -> Option<u128>,
        low: u128,
        high: u128,
    ) -> Result<bool, Failure> {
        let value = match self.get(key)? {
            None => 0,
            Some(value) => {
                let bytes = <[u8; 16]>::try_from(value.as_slice())
                    .map_err(|_| Failure::BadValueLength { actual: value.len() })?;
                u128::from_le_bytes(bytes)
            }
        };
        let Some(result) = apply(value).filter(|result| (low..=high).contains(result)) else { return Ok(false) };
        self.set(key, &result.to_le_bytes())?;
        Ok(true)
    }

    pub(crate) fn emit(&mut self, topic: &[u8], data: &[u8]) -> Result<(), Failure> {
        assert!(self.written.is_some(), "an event is emitted within a test call");
        check("bytes of an event's topic", EVENT_TOPIC_BYTES_MAX, topic.len())?;
        check("bytes of an event", EVENT_BYTES_MAX, data.len())?;
        check("events of a call", EVENTS_MAX, self.events.len() - self.events_before + 1)?;
        let topic = String::from_utf8_lossy(topic).into_owned();
        self.events.push(Emitted { topic, data: data.to_vec() });
        Ok(())
    }

    /// The entries of a scan, at least one more than `limit` where there are so many.
    pub(crate) fn range<'a>(
        &'a self,
        start: &[u8],
        end: &[u8],
        direction: Direction,
        limit: usize,
    ) -> Result<Entries<'a>, Failure> {
        check("entries of a scan", SCAN_ENTRIES_MAX, limit)?;
        let Some(&slot) = start.first() else { return Err(Failure::BadHostArgument("a scan without a slot")) };
        let running = self.running().filter(|contract| contract.ordered.contains(&slot));
        let Some(running) = running else { return Err(Failure::SlotNotOrdered { slot }) };
        if !end.is_empty() && end < start {
            return Err(Failure::BadHostArgument("a scan's end is below its start"));
        }
        let within = move |key: &[u8]| key.first() == Some(&slot);
        let upper = if end.is_empty() { Bound::Unbounded } else { Bound::Excluded(end) };
        let range = running.state.range::<[u8], _>((Bound::Included(start), upper));
        let range = range.filter(move |(key, _)| within(key));
        Ok(match direction {
            Direction::Ascending => Box::new(range),
            Direction::Descending => Box::new(range.rev()),
        })
    }

    fn note_write(&mut self, key: &[u8]) -> Result<(), Failure> {
        check_key(key)?;
        let Some(written) = &mut self.written else { panic!("state is written within a test call") };
        written.insert((self.contract_id, key.to_vec()));
        check("distinct keys that a call writes", CALL_WRITES_MAX, written.len())
    }
}
