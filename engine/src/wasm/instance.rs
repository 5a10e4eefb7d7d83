//! Instances that serve call after call, each of which finds them as if they were new.

use super::frame::{Frame, Host};
use super::guest::{Guest, Image};
use super::nested::NestedInstances;
use super::runtime::{Code, Runtime, trap_outcome};
use crate::gas;
use crate::limits::STACK_UNITS_MAX;
use crate::outcome::Outcome;
use crate::prepare::{CALL_EXPORT_PREFIX, CONTROL_EXPORT, HALT_GAS, HALT_STACK, MEMORY_EXPORT};
use core::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use wasmtime::{Store, Trap, TypedFunc};

/// Instances alive in the process, over all engines. The oracle's are not counted: it has one at a time, and wasmtime has
/// slots to spare for it.
static LIVE: AtomicU32 = AtomicU32::new(0);

/// How a call into Wasm ended.
pub(crate) struct Invocation {
    pub(crate) outcome: Outcome,
    pub(crate) gas_used: u64,
}

/// An instance with all that a call of it needs at hand.
pub(crate) struct Instance {
    store: Store<Host>,
    instance: wasmtime::Instance,
    methods: Vec<Option<TypedFunc<(), i32>>>,
    /// Memory as instantiation left it.
    image: Arc<Image>,
    calls: u64,
    /// Behind the store, so that its slot is free again before it is counted as free.
    _counted: Counted,
}

/// Counts an instance while it is alive.
struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Instance {
    /// `None` when the process has as many instances as it may. A worker's only one does not ask: whether it can go on must not
    /// depend on who else came first.
    pub(crate) fn new(code: &Code, is_only: bool) -> Result<Option<Self>, String> {
        let counted = Counted;
        if LIVE.fetch_add(1, Ordering::Relaxed) >= Runtime::shared().instances_max() && !is_only {
            return Ok(None);
        }
        Self::instantiate(code, counted).map(Some)
    }

    fn instantiate(code: &Code, counted: Counted) -> Result<Self, String> {
        let dangling = Guest::new(NonNull::dangling(), 0, NonNull::dangling());
        let mut store = Store::new(
            Runtime::shared().engine(),
            Host { frame: None, guest: dangling, memory: None, grown: false, may_grow: false },
        );
        store.limiter(|host| host);
        let instance =
            code.pre().instantiate(&mut store).map_err(|error| format!("instantiation failed: {error:#}"))?;
        let memory = instance.get_memory(&mut store, MEMORY_EXPORT).ok_or("a prepared module exports its memory")?;
        let control = instance.get_memory(&mut store, CONTROL_EXPORT).ok_or("a prepared module exports its control")?;
        let base = |memory: wasmtime::Memory| NonNull::new(memory.data_ptr(&store)).unwrap_or(NonNull::dangling());
        let guest = Guest::new(base(memory), memory.data_size(&store), base(control));
        let image = Arc::clone(code.image.get_or_init(|| Arc::new(guest.image())));
        debug_assert_eq!(image.bytes(), guest.length(), "instances of a code begin with as much memory");
        store.data_mut().guest = guest;
        store.data_mut().grown = false;
        store.data_mut().memory = Some(memory);
        Ok(Self { store, instance, methods: vec![None; code.methods.len()], image, calls: 0, _counted: counted })
    }

    #[cold]
    fn find_method(&mut self, code: &Code, method: usize) -> Result<(), String> {
        let name = format!("{CALL_EXPORT_PREFIX}{}", code.methods[method]);
        let function = self
            .instance
            .get_typed_func::<(), i32>(&mut self.store, &name)
            .map_err(|error| format!("a prepared module exports {name}: {error:#}"))?;
        self.methods[method] = Some(function);
        Ok(())
    }

    /// Calls a method with `gas` and `stack` units left, and makes the instance pristine again. The second value tells whether the instance may
    /// be used once more; one whose memory grew may not.
    ///
    /// # Errors
    /// A fault of ours: a trap that no accepted module can cause, or an instance that did not come back pristine.
    #[inline]
    pub(crate) fn call(
        &mut self,
        code: &Code,
        method: usize,
        frame: &mut Option<Box<Frame>>,
        gas: u64,
        stack: i32,
        check_calls: u64,
    ) -> Result<(Outcome, i64, bool), String> {
        if self.methods[method].is_none() {
            self.find_method(code, method)?;
        }
        let function = self.methods[method].as_ref().expect("found above");
        let host = self.store.data_mut();
        host.guest.arm(gas as i64, stack);
        host.frame = frame.take();
        let result = function.call(&mut self.store, ());
        let reusable = !self.store.data().grown;
        if !reusable {
            self.store.data_mut().grown = false;
            let memory = self.store.data().memory.expect("an instance has a memory");
            let length = memory.data_size(&self.store);
            self.store.data_mut().guest.set_length(length);
        }
        let host = self.store.data_mut();
        *frame = host.frame.take();
        let running = frame.as_mut().expect("the frame comes back");
        let trapped = result.is_err();
        let (outcome, end_price) = match result {
            Ok(code) => (Outcome::of_return_code(code), 0),
            Err(error) => ended_early(&error, running, host.guest.halt_word())?,
        };
        let dirty = host.guest.reset(&self.image, trapped);
        let mut left = host.guest.gas() - (dirty * gas::DIRTY_GRANULE) as i64;
        if end_price > 0 {
            left = after_end(left, end_price, running);
        }
        self.calls += 1;
        if reusable && self.calls.is_multiple_of(check_calls) && !host.guest.is_pristine(&self.image) {
            return Err("an instance was not pristine after its reset".into());
        }
        Ok((outcome, left, reusable))
    }
}

/// How a call ended that did not return, and what that costs.
///
/// # Errors
/// A trap that no accepted module can cause.
#[cold]
#[inline(never)]
fn ended_early(error: &wasmtime::Error, frame: &mut Frame, halt_word: i32) -> Result<(Outcome, u64), String> {
    match (frame.halt.take(), halt_word) {
        (Some(outcome), _) => Ok((outcome, gas::HOST_HALT)),
        (None, HALT_GAS) => Ok((Outcome::OutOfGas, 0)),
        (None, HALT_STACK) => Ok((Outcome::StackExhausted, gas::TRAP)),
        (None, _) => match error.downcast_ref().and_then(|trap: &Trap| trap_outcome(*trap)) {
            Some(outcome) => Ok((outcome, gas::TRAP)),
            None => Err(format!("a call ended in a way that no contract can cause: {error:#}")),
        },
    }
}

/// Gas left once the end of a call is paid. Below zero before that is out of gas, whatever text there was; the price of the end
/// alone makes nothing that.
#[cold]
fn after_end(left: i64, end_price: u64, frame: &mut Frame) -> i64 {
    if left < 0 {
        frame.explanation = None;
        return left;
    }
    left.saturating_sub_unsigned(end_price).max(0)
}

/// What a call with this limit may use behind its entry, if it is entered at all.
pub(super) fn behind_entry(limit: u64, entry: u64) -> Option<u64> {
    limit.checked_sub(entry).filter(|&left| left >= gas::TRAP)
}

/// A call whose limit is too small for its method to be entered.
#[cold]
fn not_entered(frame: &mut Frame, gas_limit: u64, entry_gas: u64) -> Invocation {
    let needed = entry_gas + gas::TRAP;
    frame.explanation = Some(format!(
        "gas limit {gas_limit}: entering this method takes {entry_gas}, and a limit of at least {needed}"
    ));
    Invocation { outcome: Outcome::OutOfGas, gas_used: gas_limit }
}

/// A worker's instances: one a code, the least recently used of which goes when there are too many.
pub(crate) struct InstancePool {
    /// By number of the code.
    instances: Vec<Option<Used>>,
    alive: usize,
    clock: u64,
    limit: usize,
    check_calls: u64,
    /// Between batches.
    nested: NestedInstances,
}

struct Used {
    instance: Instance,
    at: u64,
}

impl InstancePool {
    /// A pool of at most `limit` instances, and as many for nested calls, each of whose `check_calls`-th calls is followed by a look at all its memory.
    pub(crate) fn new(limit: usize, check_calls: u64) -> Self {
        let nested = NestedInstances::new(limit, check_calls);
        Self { instances: Vec::new(), alive: 0, clock: 0, limit, check_calls, nested }
    }

    /// Lends the instances for nested calls, for a batch.
    pub(crate) fn lend_nested(&mut self) -> NestedInstances {
        self.nested.take_all()
    }

    /// Takes them back.
    pub(crate) fn return_nested(&mut self, nested: NestedInstances) {
        self.nested = nested;
    }

    /// Calls a method of the code with this number.
    ///
    /// # Errors
    /// See [`Instance::call`].
    #[inline]
    pub(crate) fn call(
        &mut self,
        number: usize,
        code: &Arc<Code>,
        method: usize,
        frame: &mut Option<Box<Frame>>,
        gas_limit: u64,
        entry_gas: u64,
    ) -> Result<Invocation, String> {
        let Some(gas) = behind_entry(gas_limit, entry_gas) else {
            let running = frame.as_mut().expect("between calls the frame is there");
            return Ok(not_entered(running, gas_limit, entry_gas));
        };
        let check_calls = self.check_calls;
        let instance = self.instance(number, code)?;
        let stack = STACK_UNITS_MAX as i32;
        let (outcome, left, reusable) = instance.call(code, method, frame, gas, stack, check_calls)?;
        if !reusable {
            self.evict(number);
        }
        // Whatever else happened: gas below zero is out of gas, and all of it is used.
        Ok(if left < 0 {
            Invocation { outcome: Outcome::OutOfGas, gas_used: gas_limit }
        } else {
            Invocation { outcome, gas_used: gas_limit - left as u64 }
        })
    }

    #[inline]
    fn instance(&mut self, number: usize, code: &Code) -> Result<&mut Instance, String> {
        self.clock += 1;
        if !matches!(self.instances.get(number), Some(Some(_))) {
            self.make(number, code)?;
        }
        let used = self.instances[number].as_mut().expect("made above");
        used.at = self.clock;
        Ok(&mut used.instance)
    }

    #[cold]
    fn make(&mut self, number: usize, code: &Code) -> Result<(), String> {
        if self.instances.len() <= number {
            self.instances.resize_with(number + 1, || None);
        }
        while self.alive >= self.limit {
            self.evict_oldest();
        }
        let instance = loop {
            match Instance::new(code, self.alive == 0)? {
                Some(instance) => break instance,
                None => self.evict_oldest(),
            }
        };
        self.instances[number] = Some(Used { instance, at: self.clock });
        self.alive += 1;
        Ok(())
    }

    fn evict_oldest(&mut self) {
        let oldest =
            self.instances.iter().enumerate().filter_map(|(number, used)| Some((used.as_ref()?.at, number))).min();
        if let Some((_, number)) = oldest {
            self.evict(number);
        }
    }

    /// Lets the instances of a code go, between batches: the next are made of better machine code.
    pub(crate) fn renew(&mut self, number: usize) {
        if number < self.instances.len() {
            self.evict(number);
        }
        self.nested.renew(number);
    }

    fn evict(&mut self, number: usize) {
        if self.instances[number].take().is_some() {
            self.alive -= 1;
        }
    }
}
