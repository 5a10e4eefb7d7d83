//! Executes the calls of a batch: the engine's side of the scheduler's seam.

use crate::batch::{Batch, SYSTEM_CONTRACT};
use crate::deploy::{self, Change, SystemCall};
use crate::digest::{self, Digest, ITEM_BYTES_MAX};
use crate::gas;
use crate::limits::{ARGUMENT_BYTES_MAX, CALL_GAS_MAX};
use crate::outcome::Outcome;
use crate::prefetch::KeyPatterns;
use crate::receipt::{self, RECEIPT_HEADER_BYTES};
use crate::registry::Registry;
use crate::stage::{Stage, StageClock};
use crate::wasm::{Code, Frame, InstancePool, Invocation, TargetContract};
use core::ops::Range;
use phalanx_scheduler::{CallIndex, Executor, PrefetchHash, RUN_CALLS, State, Verdict, prefetch};
use std::sync::Arc;

/// How far ahead of the call whose state is asked for the batch's bytes are asked for.
const INPUT_PREFETCH_BYTES: usize = 1_536;

/// What a target of the batch resolves to, at the height before.
struct Method {
    /// Place in `Frame::contracts`.
    contract: usize,
    code: Arc<Code>,
    code_number: usize,
    method: usize,
    /// Charged on entry, besides the copy of the arguments.
    entry_gas: u64,
    patterns: KeyPatterns,
    learned: bool,
}

enum Target {
    Method(Method),
    System,
    /// The contract or the method is unknown.
    None(Outcome),
}

/// The executor of one batch.
pub(crate) struct BatchExecutor<'a> {
    batch: &'a Batch,
    registry: &'a Registry,
    pool: &'a mut InstancePool,
    targets: Vec<Target>,
    frame: Option<Box<Frame>>,
    runs: Runs,
    pub(crate) changes: Vec<Change>,
    /// (call, text): refusals and abort messages, beside the receipts.
    pub(crate) explanations: Vec<(u32, String)>,
    /// A failure of ours; the batch is void.
    pub(crate) fault: Option<String>,
    pub(crate) clock: StageClock,
}

/// Hashes of the runs that have ended.
#[derive(Default)]
pub(crate) struct Runs {
    pub(crate) inputs: Vec<Digest>,
    pub(crate) receipts: Vec<Digest>,
    first_call: usize,
    receipts_start: usize,
    /// Whether the open run has a call, or a receipt, over the digest's item limit.
    oversize_call: bool,
    oversize_receipt: bool,
    scratch: Vec<u8>,
}

impl<'a> BatchExecutor<'a> {
    pub(crate) fn new(
        batch: &'a Batch,
        registry: &'a Registry,
        pool: &'a mut InstancePool,
        receipts: Vec<u8>,
        clock: StageClock,
    ) -> Self {
        let mut contracts = Vec::new();
        let targets = batch.targets.iter().map(|target| resolve(batch, registry, target, &mut contracts)).collect();
        let frame = Box::new(Frame {
            state: None,
            batch: batch.bytes().clone(),
            height: batch.height(),
            time_ms: batch.time_ms(),
            contracts,
            contract: 0,
            sender: 0..0,
            arguments: 0..0,
            receipts,
            events: 0,
            return_bytes: Vec::new(),
            halt: None,
            abort_text: None,
            scratch: Vec::new(),
        });
        Self {
            batch,
            registry,
            pool,
            targets,
            frame: Some(frame),
            runs: Runs::default(),
            changes: Vec::new(),
            explanations: Vec::new(),
            fault: None,
            clock,
        }
    }

    /// The encoded receipts and the runs' hashes.
    pub(crate) fn finish(self) -> Finished {
        let frame = self.frame.expect("no call is running");
        Finished {
            receipts: frame.receipts,
            runs: self.runs,
            changes: self.changes,
            explanations: self.explanations,
            clock: self.clock,
            fault: self.fault,
        }
    }

    fn run(&mut self, index: CallIndex) -> Outcome {
        let batch = self.batch;
        let call = batch.call(index.0 as usize);
        let frame = self.frame.as_mut().expect("the frame is back between calls");
        let start = frame.receipts.len();
        frame.receipts.extend_from_slice(&[0; RECEIPT_HEADER_BYTES]);
        frame.events = 0;
        frame.return_bytes.clear();
        let target = &mut self.targets[call.target()];
        let arguments = call.arguments();
        let base = call.record().as_ptr().addr() - batch.bytes().as_slice().as_ptr().addr();
        let arguments_start = base + (call.record().len() - arguments.len());
        let system = matches!(target, Target::System);
        let invocation = if call.gas_limit() > CALL_GAS_MAX || (arguments.len() > ARGUMENT_BYTES_MAX && !system) {
            refused(Outcome::LimitExceeded, call.gas_limit())
        } else {
            match target {
                Target::None(outcome) => refused(*outcome, call.gas_limit()),
                Target::System => {
                    let method = batch.method(&batch.targets[call.target()]);
                    let state = frame.state.as_mut().expect("execute put it there");
                    let done = deploy::execute(&call, method, state, |hash| self.registry.has_code(hash));
                    Self::note_system_call(frame, &mut self.changes, done)
                }
                Target::Method(method) => {
                    frame.contract = method.contract;
                    frame.sender = base + 12..base + 44;
                    frame.arguments = arguments_start..arguments_start + arguments.len();
                    let entry_gas = method.entry_gas + arguments.len().div_ceil(8) as u64 * gas::COPY_WORD;
                    let (pool, frame) = (&mut *self.pool, &mut self.frame);
                    pool.call(method.code_number, &method.code, method.method, frame, call.gas_limit(), entry_gas)
                        .unwrap_or_else(|fault| {
                            self.fault = Some(fault);
                            refused(Outcome::OutOfGas, call.gas_limit())
                        })
                }
            }
        };
        self.runs.oversize_call |= call.record().len() > ITEM_BYTES_MAX;
        self.seal(index, start, &invocation);
        invocation.outcome
    }

    fn note_system_call(frame: &mut Frame, changes: &mut Vec<Change>, done: SystemCall) -> Invocation {
        frame.return_bytes.extend_from_slice(&done.return_bytes);
        frame.abort_text = done.explanation;
        changes.extend(done.change);
        done.invocation
    }

    /// Ends the receipt that starts at `start`.
    #[inline]
    fn seal(&mut self, index: CallIndex, start: usize, invocation: &Invocation) {
        let Some(frame) = self.frame.as_mut() else { return };
        if let Some(text) = frame.abort_text.take() {
            self.explanations.push((index.0, text));
        }
        if invocation.outcome != Outcome::Ok {
            frame.receipts.truncate(start + RECEIPT_HEADER_BYTES);
            frame.events = 0;
        }
        if invocation.outcome.keeps_return_bytes() {
            frame.receipts.extend_from_slice(&frame.return_bytes);
        }
        self.runs.oversize_receipt |= frame.receipts.len() - start > ITEM_BYTES_MAX;
        receipt::seal(&mut frame.receipts, start, invocation.outcome, invocation.gas_used, frame.events);
    }
}

/// A call that ends before it enters anything pays for being looked at.
fn refused(outcome: Outcome, gas_limit: u64) -> Invocation {
    Invocation { outcome, gas_used: gas_limit.min(gas::CALL) }
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
        code: Arc::clone(code),
        code_number: contract.code,
        method,
        entry_gas: gas::CALL + u64::from(code.memory_pages_min) * gas::MEMORY_PAGE_SCAN,
        patterns: KeyPatterns::default(),
        learned: false,
    })
}

impl Executor for BatchExecutor<'_> {
    #[inline]
    fn execute(&mut self, index: CallIndex, state: Box<State>) -> (Box<State>, Verdict) {
        if self.fault.is_some() {
            return (state, Verdict::Drop);
        }
        self.frame.as_mut().expect("the frame is back between calls").state = Some(state);
        let outcome = self.run(index);
        let frame = self.frame.as_mut().expect("a call gives its frame back");
        let state = frame.state.take().expect("a call gives the state back");
        let keep = outcome == Outcome::Ok;
        let call = self.batch.call(index.0 as usize);
        if keep
            && let Target::Method(method) = &mut self.targets[call.target()]
            && !method.learned
        {
            method.patterns = KeyPatterns::learn(&call, state.written_keys());
            method.learned = true;
        }
        (state, if keep { Verdict::Keep } else { Verdict::Drop })
    }

    fn predict(&mut self, calls: Range<u32>, state: &State, hashes: &mut Vec<PrefetchHash>) {
        let Some(frame) = &self.frame else { return };
        for index in calls {
            let call = self.batch.call(index as usize);
            // The input itself comes from another core or the network; it is asked for some more calls ahead.
            let record = call.record().as_ptr();
            prefetch(record.wrapping_add(INPUT_PREFETCH_BYTES));
            prefetch(record.wrapping_add(INPUT_PREFETCH_BYTES + 64));
            if let Target::Method(method) = &self.targets[call.target()] {
                let contract = frame.contracts[method.contract].index;
                method.patterns.predict(&call, |key| hashes.push(state.prefetch_hash(contract, key)));
            }
        }
    }

    fn end_run(&mut self, next: CallIndex) {
        self.clock.lap(Stage::Execute);
        if let Some(frame) = &self.frame {
            self.runs.end(self.batch, next.0 as usize, &frame.receipts);
        }
        self.clock.lap(Stage::Digest);
    }
}

impl Runs {
    fn end(&mut self, batch: &Batch, next: usize, receipts: &[u8]) {
        debug_assert!(next - self.first_call <= RUN_CALLS as usize);
        let calls: Range<usize> = self.first_call..next;
        let run = &receipts[self.receipts_start..];
        self.inputs.push(digest::leaf_of_records(batch.records(calls), self.oversize_call, &mut self.scratch));
        self.receipts.push(digest::leaf_of_records(run, self.oversize_receipt, &mut self.scratch));
        (self.oversize_call, self.oversize_receipt) = (false, false);
        self.first_call = next;
        self.receipts_start = receipts.len();
    }
}

/// What the executor leaves when all calls have ended.
pub(crate) struct Finished {
    pub(crate) receipts: Vec<u8>,
    pub(crate) runs: Runs,
    pub(crate) changes: Vec<Change>,
    pub(crate) explanations: Vec<(u32, String)>,
    pub(crate) clock: StageClock,
    pub(crate) fault: Option<String>,
}
