//! Executes the calls of a batch: the engine's side of the scheduler's seam.

use crate::access_lists::{AccessLists, Declared};
use crate::batch::{Batch, CallRef, SYSTEM_CONTRACT};
use crate::deploy::{self, SystemCall};
use crate::finish::{Finisher, Home, Writing};
use crate::gas;
use crate::key_patterns::LearnedKeys;
use crate::limits::{ARGUMENT_BYTES_MAX, CALL_GAS_MAX};
use crate::outcome::Outcome;
use crate::output::RunOutput;
use crate::planted::{Bug, planted, swap_events};
use crate::receipt::{self, RECEIPT_HEADER_BYTES};
use crate::registry::Registry;
use crate::wasm::{Code, Frame, InstancePool, Invocation, Nested, TargetContract};
use core::ops::Range;
use phalanx_scheduler::hash::KeyHasher;
use phalanx_scheduler::{CallIndex, ContractIndex, Executor, PrefetchHash, RunLog, Verdict, View, prefetch};
use std::sync::Arc;

/// How far ahead of the call whose state is asked for the batch's bytes are asked for.
const INPUT_PREFETCH_BYTES: usize = 1_536;

/// What a target of the batch resolves to, at the height before.
struct Method {
    /// Place in [`BatchContext::contracts`].
    contract: usize,
    index: ContractIndex,
    code: Arc<Code>,
    code_number: usize,
    method: usize,
    /// Charged on entry, besides the copy of the arguments.
    entry_gas: u64,
    /// What its calls may use, by those of earlier batches; 0 if none was long.
    long_gas: u64,
}

enum Target {
    Method(Method),
    System,
    /// The contract or the method is unknown.
    None(Outcome),
}

impl Target {
    /// What is known of the keys of what is called.
    fn learned_keys(&self) -> Option<&LearnedKeys> {
        match self {
            Target::Method(method) => Some(&method.code.keys[method.method]),
            Target::System | Target::None(_) => None,
        }
    }

    /// See [`Method::long_gas`].
    fn long_gas(&self) -> u64 {
        match self {
            Target::Method(method) => method.long_gas,
            Target::System | Target::None(_) => 0,
        }
    }
}

/// What all workers know of a batch.
pub(crate) struct BatchContext<'a> {
    pub(crate) writing: Arc<Writing>,
    registry: &'a Arc<Registry>,
    targets: Vec<Target>,
    /// Whether a target has long calls.
    has_long: bool,
    contracts: Arc<[TargetContract]>,
    home: &'a Home,
    declared: Option<Declared<'a>>,
}

impl<'a> BatchContext<'a> {
    pub(crate) fn new(batch: &Batch, registry: &'a Arc<Registry>, home: &'a Home) -> Self {
        let mut contracts = Vec::new();
        let resolved = batch.targets.iter().map(|target| resolve(batch, registry, target, &mut contracts));
        let targets: Vec<Target> = resolved.collect();
        let has_long = targets.iter().any(|target| target.long_gas() > 0);
        let called = batch.targets.iter().map(|target| registry.index(&target.contract)).collect();
        let writing = Arc::new(Writing { batch: batch.clone(), ids: registry.ids(), called });
        Self { writing, registry, targets, has_long, contracts: contracts.into(), home, declared: None }
    }

    /// The same, with what is known of the keys that calls touch.
    pub(crate) fn with_lists(self, lists: Option<&'a AccessLists>) -> Self {
        Self { declared: lists.map(|lists| Declared::new(lists, self.registry)), ..self }
    }
}

fn resolve(
    batch: &Batch,
    registry: &Registry,
    target: &crate::batch::Target,
    contracts: &mut Vec<TargetContract>,
) -> Target {
    if target.contract == SYSTEM_CONTRACT {
        return Target::System;
    }
    let Some(contract) = registry.contract(&target.contract) else { return Target::None(Outcome::UnknownContract) };
    let code = registry.code(contract.code);
    let Some(method) = code.method(batch.method(target)) else { return Target::None(Outcome::UnknownMethod) };
    contracts.push(TargetContract {
        index: contract.index,
        id: target.contract,
        deployer: contract.deployer,
        ordered: contract.ordered,
    });
    Target::Method(Method {
        contract: contracts.len() - 1,
        index: contract.index,
        code: Arc::clone(code),
        code_number: contract.code,
        method,
        entry_gas: code.entry_gas,
        long_gas: code.long_calls[method].gas(),
    })
}

/// One worker's executor of one batch.
pub(crate) struct BatchExecutor<'a> {
    pool: &'a mut InstancePool,
    frame: Option<Box<Frame>>,
    run: RunOutput,
    /// Where runs go as they end, if somebody else hashes them.
    finisher: Option<&'a Finisher>,
    /// A failure of ours; the batch is void.
    pub(crate) fault: Option<String>,
    /// Of all calls that it has executed, those that are executed again twice.
    pub(crate) gas_used: u64,
}

impl<'a> BatchExecutor<'a> {
    pub(crate) fn new(context: &BatchContext<'_>, pool: &'a mut InstancePool, finisher: Option<&'a Finisher>) -> Self {
        let frame = Box::new(Frame {
            view: None,
            batch: context.writing.batch.bytes().clone(),
            height: context.writing.batch.height(),
            time_ms: context.writing.batch.time_ms(),
            contracts: Arc::clone(&context.contracts),
            contract: 0,
            call_index: 0,
            sender: 0,
            arguments: 0..0,
            receipts: Vec::new(),
            events: 0,
            return_bytes: Vec::new(),
            halt: None,
            explanation: None,
            scratch: Vec::new(),
            nested: Nested::new(Arc::clone(context.registry), pool.lend_nested()),
        });
        Self { pool, frame: Some(frame), run: RunOutput::default(), finisher, fault: None, gas_used: 0 }
    }

    fn run(&mut self, context: &BatchContext<'_>, index: CallIndex, call: CallRef<'_>, target: &Target) -> Outcome {
        let batch = &context.writing.batch;
        let frame = self.frame.as_mut().expect("the frame is back between calls");
        let start = frame.receipts.len();
        frame.receipts.extend_from_slice(&[0; RECEIPT_HEADER_BYTES]);
        frame.events = 0;
        frame.return_bytes.clear();
        let arguments = call.arguments();
        let system = matches!(target, Target::System);
        let invocation = if call.gas_limit() > CALL_GAS_MAX || (arguments.len() > ARGUMENT_BYTES_MAX && !system) {
            frame.explanation = Some(above_limit(&call));
            refused(Outcome::LimitExceeded, call.gas_limit())
        } else {
            match target {
                Target::None(outcome) => refused(*outcome, call.gas_limit()),
                Target::System => {
                    let method = batch.method(&batch.targets[call.target()]);
                    let view = frame.view.as_mut().expect("execute put it there");
                    let done = deploy::execute(&call, method, view, |hash| context.registry.has_code(hash));
                    self.note_system_call(index, done)
                }
                Target::Method(method) => {
                    let base = batch.start(index.0 as usize);
                    let end = base + call.record().len();
                    frame.contract = method.contract;
                    frame.call_index = index.0;
                    frame.sender = base + 12;
                    frame.arguments = end - arguments.len()..end;
                    let entry_gas = method.entry_gas + arguments.len().div_ceil(8) as u64 * gas::COPY_WORD;
                    let (pool, frame) = (&mut *self.pool, &mut self.frame);
                    let called =
                        pool.call(method.code_number, &method.code, method.method, frame, call.gas_limit(), entry_gas);
                    let invocation = called.unwrap_or_else(|fault| {
                        self.fault = Some(fault);
                        refused(Outcome::OutOfGas, call.gas_limit())
                    });
                    method.code.long_calls[method.method].note(invocation.gas_used);
                    invocation
                }
            }
        };
        self.gas_used += invocation.gas_used;
        self.seal(index, start, &invocation);
        invocation.outcome
    }

    fn note_system_call(&mut self, index: CallIndex, done: SystemCall) -> Invocation {
        if let Some(frame) = &mut self.frame {
            frame.return_bytes.extend_from_slice(&done.return_bytes);
            frame.explanation = done.explanation;
        }
        self.run.changes.extend(done.change.map(|change| (index.0, change)));
        done.invocation
    }

    /// Ends the receipt that starts at `start`.
    #[inline]
    fn seal(&mut self, index: CallIndex, start: usize, invocation: &Invocation) {
        let Some(frame) = self.frame.as_mut() else { return };
        if let Some(text) = frame.explanation.take() {
            self.run.explanations.push((index.0, text));
        }
        if invocation.outcome != Outcome::Ok {
            frame.receipts.truncate(start + RECEIPT_HEADER_BYTES);
            frame.events = 0;
        }
        if planted(Bug::EventOrder) {
            swap_events(&mut frame.receipts[start + RECEIPT_HEADER_BYTES..], frame.events);
        }
        if invocation.outcome.keeps_return_bytes() {
            frame.receipts.extend_from_slice(&frame.return_bytes);
        }
        let gas_used = invocation.gas_used - u64::from(planted(Bug::GasOffByOne) && frame.events > 0);
        receipt::seal(&mut frame.receipts, start, invocation.outcome, gas_used, frame.events);
    }
}

impl Drop for BatchExecutor<'_> {
    fn drop(&mut self) {
        if let Some(frame) = self.frame.take() {
            self.pool.return_nested(frame.nested.into_instances());
        }
    }
}

/// Which limit a call passes that is not entered for it.
#[cold]
fn above_limit(call: &CallRef<'_>) -> String {
    match call.gas_limit() {
        gas if gas > CALL_GAS_MAX => format!("gas limit: {gas} is above the limit of {CALL_GAS_MAX}"),
        _ => format!("bytes of arguments: {} is above the limit of {ARGUMENT_BYTES_MAX}", call.arguments().len()),
    }
}

/// A call that ends before it enters anything pays for being looked at.
fn refused(outcome: Outcome, gas_limit: u64) -> Invocation {
    Invocation { outcome, gas_used: gas_limit.min(gas::CALL) }
}

impl<'a> Executor for BatchExecutor<'a> {
    type Run = RunOutput;
    type Shared = BatchContext<'a>;

    fn begin_run(&mut self, context: &BatchContext<'a>, first: CallIndex) {
        let buffers = context.home.buffers();
        self.run = RunOutput::new(first.0, buffers.writes);
        self.frame.as_mut().expect("no call is running").receipts = buffers.receipts;
    }

    fn begin_share(&mut self, context: &BatchContext<'a>, first: CallIndex) {
        self.run = RunOutput::new(first.0, Vec::new());
        self.frame.as_mut().expect("no call is running").receipts = context.home.share_buffer();
    }

    #[inline]
    fn execute(&mut self, context: &BatchContext<'a>, index: CallIndex, mut view: Box<View>) -> (Box<View>, Verdict) {
        if self.fault.is_some() {
            return (view, Verdict::Drop);
        }
        let call = context.writing.batch.call(index.0 as usize);
        let target = &context.targets[call.target()];
        let learns = target.learned_keys().is_some_and(|keys| keys.get().is_none());
        if learns {
            view.list_touched(true);
        }
        self.frame.as_mut().expect("the frame is back between calls").view = Some(view);
        let outcome = self.run(context, index, call, target);
        let frame = self.frame.as_mut().expect("a call gives its frame back");
        let mut view = frame.view.take().expect("a call gives the view back");
        if learns {
            view.list_touched(false);
        }
        if outcome != Outcome::Ok {
            return (view, Verdict::Drop);
        }
        if learns && let Target::Method(method) = target {
            method.code.keys[method.method].watch(&call, method.index, view.touched());
        }
        (view, Verdict::Keep)
    }

    fn predict(context: &BatchContext<'a>, calls: Range<u32>, hasher: &KeyHasher, hashes: &mut Vec<PrefetchHash>) {
        for index in calls {
            let call = context.writing.batch.call(index as usize);
            // The input itself comes from another core or the network; it is asked for some more calls ahead.
            let record = call.record().as_ptr();
            prefetch(record.wrapping_add(INPUT_PREFETCH_BYTES));
            prefetch(record.wrapping_add(INPUT_PREFETCH_BYTES + 64));
            if let Target::Method(method) = &context.targets[call.target()]
                && let Some(patterns) = method.code.keys[method.method].get()
            {
                patterns.predict(&call, |key, _| hashes.push(hasher.prefetch_hash(method.index, key)));
            }
        }
    }

    fn longest(context: &BatchContext<'a>, calls: Range<u32>) -> u64 {
        if !context.has_long {
            return 0;
        }
        let calls = calls.map(|index| context.writing.batch.call(index as usize));
        calls.map(|call| context.targets[call.target()].long_gas().min(call.gas_limit())).max().unwrap_or(0)
    }

    fn declare(context: &BatchContext<'a>, index: CallIndex, mut key: impl FnMut(ContractIndex, &[u8], bool)) -> bool {
        let call = context.writing.batch.call(index.0 as usize);
        prefetch(call.record().as_ptr().wrapping_add(INPUT_PREFETCH_BYTES));
        match &context.targets[call.target()] {
            Target::Method(method) => {
                let declared = context.declared.as_ref().and_then(|declared| declared.visit(index, &mut key));
                let learned = || method.code.keys[method.method].get();
                declared.unwrap_or_else(|| {
                    learned().is_some_and(|keys| keys.declare(&call, |bytes, writes| key(method.index, bytes, writes)))
                })
            }
            Target::System => false,
            Target::None(_) => true,
        }
    }

    #[inline]
    fn left(&self) -> usize {
        self.frame.as_ref().expect("the frame is back between calls").receipts.len()
    }

    fn gather(
        context: &BatchContext<'a>,
        calls: Range<u32>,
        runs: &[&RunOutput],
        pieces: impl Iterator<Item = (usize, Range<usize>)>,
    ) -> RunOutput {
        let buffers = context.home.buffers();
        let mut whole = RunOutput::new(calls.start, buffers.writes);
        whole.receipts = buffers.receipts;
        whole.gather(calls, runs, pieces);
        whole
    }

    fn recycle(context: &BatchContext<'a>, run: RunOutput) {
        context.home.put_share_buffer(run.receipts);
    }

    fn end_run(&mut self, context: &BatchContext<'a>, next: CallIndex) -> RunOutput {
        let mut run = core::mem::take(&mut self.run);
        run.calls.end = next.0;
        run.receipts = core::mem::take(&mut self.frame.as_mut().expect("no call is running").receipts);
        match self.finisher {
            None => run,
            Some(finisher) => finisher.take_run(&context.writing, run),
        }
    }

    fn splice(context: &BatchContext<'a>, run: &mut RunOutput, calls: &[CallIndex], mut by: RunOutput) {
        run.splice(calls, &mut by);
        context.home.put_run(by);
    }

    fn seal(context: &BatchContext<'a>, run: &mut RunOutput) {
        run.seal(&context.writing.batch);
    }

    fn list_writes(context: &BatchContext<'a>, run: &mut RunOutput, log: &RunLog) {
        run.list_writes(&context.writing, log);
    }

    fn seal_writes(_: &BatchContext<'a>, run: &mut RunOutput) {
        run.seal_writes();
    }
}
