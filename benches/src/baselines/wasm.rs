//! The token's module as it is deployed, on bare wasmtime: no preparation pass, no gas, no reset, no undo.
//!
//! Host functions do the least that lets the module work: balances live in one hashbrown table, events are collected in a
//! buffer. A refused transfer writes nothing before it returns, so nothing needs to be undone. Functions that a transfer does
//! not use trap.

use super::{Done, decode};
use crate::BenchError;
use crate::workload::Token;
use hashbrown::HashMap;
use phalanx_engine::{Address, BatchBytes};
use std::time::Instant;
use wasmtime::{
    Caller, Config, Engine, Error, InstanceAllocationStrategy, InstancePre, Linker, Memory, Module,
    PoolingAllocationConfig, Result, Store, TypedFunc,
};

type Key = [u8; 33];
type Balances = HashMap<Key, u128, foldhash::fast::RandomState>;

struct Host {
    balances: Balances,
    sender: Address,
    arguments: Vec<u8>,
    /// What contracts emit: topic and data, one after the other; cleared with each batch.
    events: Vec<u8>,
    memory: Option<Memory>,
}

/// The compiled module, its host functions linked.
pub(super) struct Bare<'a> {
    token: &'a Token,
    engine: Engine,
    pre: InstancePre<Host>,
}

impl<'a> Bare<'a> {
    pub(super) fn new(token: &'a Token) -> Result<Self, BenchError> {
        Self::compile(token).map_err(|error| failed("wasm_serial", &error))
    }

    fn compile(token: &'a Token) -> Result<Self> {
        let mut pool = PoolingAllocationConfig::default();
        pool.total_core_instances(8).total_memories(8).max_memory_size(16 << 20);
        let mut config = Config::new();
        config
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
            .wasm_backtrace_max_frames(None)
            .generate_address_map(false);
        let engine = Engine::new(&config)?;
        let module = Module::new(&engine, token.module())?;
        let mut linker = Linker::new(&engine);
        link(&mut linker)?;
        linker.define_unknown_imports_as_traps(&module)?;
        let pre = linker.instantiate_pre(&module)?;
        Ok(Self { token, engine, pre })
    }

    fn host(&self) -> Host {
        let accounts = self.token.accounts();
        let mut balances = HashMap::with_capacity_and_hasher(accounts.count() as usize, Default::default());
        balances
            .extend((0..accounts.count()).map(|index| (Token::balance_key(&accounts.address(index)), Token::funds())));
        Host { balances, sender: [0; 32], arguments: Vec::new(), events: Vec::new(), memory: None }
    }

    fn instantiate(&self, store: &mut Store<Host>) -> Result<TypedFunc<(), i32>> {
        let instance = self.pre.instantiate(&mut *store)?;
        let memory = instance.get_memory(&mut *store, "memory");
        store.data_mut().memory = memory;
        instance.get_typed_func(store, "transfer")
    }

    /// One instance for all calls. What a call leaves in its memory, the next one finds.
    pub(super) fn leaking(&self, batches: &[BatchBytes]) -> Result<Done, BenchError> {
        let wrong = |error: Error| failed("wasm_serial", &error);
        let mut store = Store::new(&self.engine, self.host());
        let transfer = self.instantiate(&mut store).map_err(wrong)?;
        let (mut calls, mut refused) = (0, 0);
        let start = Instant::now();
        for bytes in batches {
            let batch = decode("wasm_serial", bytes)?;
            store.data_mut().events.clear();
            for index in 0..batch.len() {
                let call = batch.call(index);
                store.data_mut().take(call.sender(), call.arguments());
                refused += u64::from(transfer.call(&mut store, ()).map_err(wrong)? != 0);
            }
            calls += batch.len() as u64;
        }
        let elapsed = start.elapsed();
        Ok(Done { calls, refused, balances: store.data().balances.values().sum(), elapsed })
    }

    /// A new store and instance for each call.
    pub(super) fn fresh(&self, batches: &[BatchBytes]) -> Result<Done, BenchError> {
        let wrong = |error: Error| failed("fresh_instance", &error);
        let mut host = self.host();
        let (mut calls, mut refused) = (0, 0);
        let start = Instant::now();
        for bytes in batches {
            let batch = decode("fresh_instance", bytes)?;
            host.events.clear();
            for index in 0..batch.len() {
                let call = batch.call(index);
                host.take(call.sender(), call.arguments());
                let mut store = Store::new(&self.engine, host);
                let transfer = self.instantiate(&mut store).map_err(wrong)?;
                refused += u64::from(transfer.call(&mut store, ()).map_err(wrong)? != 0);
                host = store.into_data();
            }
            calls += batch.len() as u64;
        }
        let elapsed = start.elapsed();
        Ok(Done { calls, refused, balances: host.balances.values().sum(), elapsed })
    }
}

fn failed(name: &'static str, error: &Error) -> BenchError {
    BenchError::Baseline { name, reason: format!("{error:#}") }
}

impl Host {
    #[inline]
    fn take(&mut self, sender: &Address, arguments: &[u8]) {
        self.sender = *sender;
        self.arguments.clear();
        self.arguments.extend_from_slice(arguments);
    }
}

/// The guest's memory beside the host's data.
#[inline]
fn split<'a>(caller: &'a mut Caller<'_, Host>) -> Result<(&'a mut [u8], &'a mut Host)> {
    let memory = caller.data().memory.ok_or_else(|| Error::msg("the module exports no memory"))?;
    Ok(memory.data_and_store_mut(caller))
}

#[inline]
fn range(memory: &mut [u8], at: i32, length: usize) -> Result<&mut [u8]> {
    let at = at as u32 as usize;
    memory.get_mut(at..at + length).ok_or_else(|| Error::msg("a pointer outside of memory"))
}

/// Keys of balances have 33 bytes; a transfer uses no others.
#[inline]
fn key(memory: &mut [u8], at: i32, length: i32) -> Result<Key> {
    (&*range(memory, at, length as u32 as usize)?).try_into().map_err(|_| Error::msg("a key that is no balance's"))
}

fn u128_of(low: i64, high: i64) -> u128 {
    u128::from(low as u64) | u128::from(high as u64) << 64
}

#[rustfmt::skip]
fn link(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("phalanx", "input", |mut caller: Caller<'_, Host>, out: i32, cap: i32| {
        let (memory, host) = split(&mut caller)?;
        let part = host.arguments.len().min(cap as u32 as usize);
        range(memory, out, part)?.copy_from_slice(&host.arguments[..part]);
        Ok(host.arguments.len() as i32)
    })?;
    linker.func_wrap("phalanx", "caller", |mut caller: Caller<'_, Host>, out: i32| {
        let (memory, host) = split(&mut caller)?;
        range(memory, out, 32)?.copy_from_slice(&host.sender);
        Ok(())
    })?;
    linker.func_wrap("phalanx", "ret", |mut caller: Caller<'_, Host>, at: i32, length: i32| {
        let (memory, _) = split(&mut caller)?;
        range(memory, at, length as u32 as usize).map(|_| ())
    })?;
    linker.func_wrap("phalanx", "emit", |mut caller: Caller<'_, Host>, topic: i32, topic_length: i32, data: i32, length: i32| {
        let (memory, host) = split(&mut caller)?;
        host.events.extend_from_slice(range(memory, topic, topic_length as u32 as usize)?);
        host.events.extend_from_slice(range(memory, data, length as u32 as usize)?);
        Ok(())
    })?;
    linker.func_wrap("phalanx", "add", |mut caller: Caller<'_, Host>, at: i32, length: i32,
        magnitude_low: i64, magnitude_high: i64, _: i64, _: i64, high_low: i64, high_high: i64| {
        let (memory, host) = split(&mut caller)?;
        let balance = host.balances.entry(key(memory, at, length)?).or_default();
        let sum = balance.checked_add(u128_of(magnitude_low, magnitude_high));
        let Some(sum) = sum.filter(|sum| *sum <= u128_of(high_low, high_high)) else { return Ok(0) };
        *balance = sum;
        Ok(1)
    })?;
    linker.func_wrap("phalanx", "sub", |mut caller: Caller<'_, Host>, at: i32, length: i32,
        magnitude_low: i64, magnitude_high: i64, low_low: i64, low_high: i64, _: i64, _: i64| {
        let (memory, host) = split(&mut caller)?;
        let balance = host.balances.entry(key(memory, at, length)?).or_default();
        let rest = balance.checked_sub(u128_of(magnitude_low, magnitude_high));
        let Some(rest) = rest.filter(|rest| *rest >= u128_of(low_low, low_high)) else { return Ok(0) };
        *balance = rest;
        Ok(1)
    })?;
    Ok(())
}
