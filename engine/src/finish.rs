//! The end of a batch: its writes listed, everything hashed, its digest. It may come when the next batch already executes.
//!
//! Where calls are executed in order with other cores at hand, the executing worker hands its runs over as they end, and the
//! batch's records with the last of them. One thread hashes and lists them, batch after batch, since each digest needs the
//! one before. Who asks for a result waits for it.

use crate::batch::{Address, Batch};
use crate::digest::{Digest, Roots, batch_digest, root};
use crate::output::{RunBuffers, RunOutput};
use crate::stage::{Clock, Stage, StageClock, StageNanoseconds};
use crossbeam_channel::{Receiver, Sender};
use parking_lot::{Condvar, Mutex};
use phalanx_scheduler::{ContractIndex, RunLog, State};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

/// Runs that are handed over together: waking the other thread costs as much as hashing a part of one.
const RUNS_TOGETHER: usize = 8;

/// Runs whose buffers and logs are kept for later batches: those of two batches of the most calls.
const RUNS_KEPT: usize = 512;

/// Largest buffer of a worker's receipts of a round that is kept: several times what an ordinary round fills.
const SHARE_BYTES_KEPT: usize = 8 << 20;

/// What listing a batch's writes needs.
pub(crate) struct Writing {
    pub(crate) batch: Batch,
    /// Ids by contract number.
    pub(crate) ids: Arc<Vec<Address>>,
    /// The contracts' numbers by target, the system contract's included: one comparison where ids would be 32 bytes.
    pub(crate) called: Vec<Option<ContractIndex>>,
}

impl Writing {
    #[inline]
    pub(crate) fn id(&self, index: ContractIndex) -> &Address {
        &self.ids[index.0 as usize]
    }
}

/// Where buffers and logs of batches that are done wait for the next: fresh pages from the kernel cost more than filling them.
#[derive(Default)]
pub(crate) struct Home {
    buffers: Mutex<Vec<RunBuffers>>,
    logs: Mutex<Vec<RunLog>>,
    /// For receipts of workers' calls of a whole round.
    share_buffers: Mutex<Vec<Vec<u8>>>,
}

impl Home {
    pub(crate) fn buffers(&self) -> RunBuffers {
        self.buffers.lock().pop().unwrap_or_default()
    }

    pub(crate) fn share_buffer(&self) -> Vec<u8> {
        self.share_buffers.lock().pop().unwrap_or_default()
    }

    pub(crate) fn put_share_buffer(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        if buffer.capacity() <= SHARE_BYTES_KEPT {
            self.share_buffers.lock().push(buffer);
        }
    }

    /// Takes back the buffers of a run that nobody keeps.
    pub(crate) fn put_run(&self, RunOutput { receipts, writes, .. }: RunOutput) {
        self.put_buffers(RunBuffers { receipts, writes }.recycled().into_iter());
    }

    fn put_buffers(&self, buffers: impl Iterator<Item = RunBuffers>) {
        let mut home = self.buffers.lock();
        let room = RUNS_KEPT.saturating_sub(home.len());
        home.extend(buffers.take(room));
    }

    /// Gives the state the logs that have come back.
    pub(crate) fn return_logs(&self, state: &mut State) {
        self.logs.lock().drain(..).for_each(|log| state.recycle(log));
    }
}

/// What a batch comes to.
pub(crate) struct Finished {
    pub(crate) roots: Roots,
    pub(crate) digest: Digest,
    /// Run by run.
    pub(crate) receipts: Vec<Vec<u8>>,
    pub(crate) writes: Vec<Vec<u8>>,
    pub(crate) stages: StageNanoseconds,
    home: Arc<Home>,
}

impl Finished {
    /// Bytes of receipts and writes.
    pub(crate) fn bytes(&self) -> usize {
        self.receipts.iter().chain(&self.writes).map(Vec::len).sum()
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        let pieces = self.receipts.drain(..).zip(self.writes.drain(..));
        self.home.put_buffers(pieces.filter_map(|(receipts, writes)| RunBuffers { receipts, writes }.recycled()));
    }
}

/// A batch that was executed, with what is still to be done.
pub(crate) struct Rest {
    pub(crate) writing: Arc<Writing>,
    pub(crate) runs: Vec<RunOutput>,
    pub(crate) logs: Vec<RunLog>,
    /// The batch before; `None` before the first.
    pub(crate) previous: Option<Arc<Pending>>,
    pub(crate) home: Arc<Home>,
    pub(crate) clock: Option<Clock>,
}

impl Rest {
    /// Makes the roots and the digest of runs whose writes are listed.
    pub(crate) fn finish(self) -> Finished {
        let mut clock = StageClock::start(self.clock);
        let mut leaves = [const { Vec::new() }; 3];
        let (mut receipts, mut writes) = (Vec::new(), Vec::new());
        for run in self.runs {
            for (leaves, leaf) in leaves.iter_mut().zip([run.input_leaf, run.receipts_leaf, run.writes_leaf]) {
                leaves.push(leaf);
            }
            receipts.push(run.receipts);
            writes.push(run.writes);
        }
        let batch = &self.writing.batch;
        let [mut input_leaves, mut receipt_leaves, mut write_leaves] = leaves;
        let roots = Roots {
            input: root(batch.head(), &mut input_leaves),
            receipts: root(&[], &mut receipt_leaves),
            writes: root(&[], &mut write_leaves),
        };
        clock.lap(Stage::Digest);
        let before = self.previous.map_or(Digest::default(), |previous| previous.wait().digest);
        clock.skip();
        let digest = batch_digest(batch.height(), &before, &roots);
        clock.lap(Stage::Digest);
        self.home.logs.lock().extend(self.logs);
        Finished { roots, digest, receipts, writes, stages: clock.spent(), home: self.home }
    }

    /// Lists and hashes the writes, then finishes.
    fn list_and_finish(mut self) -> Finished {
        let mut clock = StageClock::start(self.clock);
        for (run, log) in self.runs.iter_mut().zip(&self.logs) {
            run.list_writes(&self.writing, log);
            clock.lap(Stage::Receipts);
            run.seal_writes();
            clock.lap(Stage::Digest);
        }
        let mut finished = self.finish();
        finished.stages.add(&clock.spent());
        finished
    }
}

/// The end of a batch, that may still be on its way.
#[derive(Default)]
pub(crate) struct Pending {
    finished: OnceLock<Result<Finished, String>>,
    lock: Mutex<()>,
    ready: Condvar,
}

impl Pending {
    pub(crate) fn done(finished: Finished) -> Arc<Self> {
        let pending = Self::default();
        pending.set(Ok(finished));
        Arc::new(pending)
    }

    pub(crate) fn set(&self, finished: Result<Finished, String>) {
        // Nobody else sets it.
        _ = self.finished.set(finished);
        // Under the lock, so that nobody goes to sleep between looking and being woken.
        let _guard = self.lock.lock();
        self.ready.notify_all();
    }

    /// Whether there is nothing to wait for.
    pub(crate) fn is_done(&self) -> bool {
        self.finished.get().is_some()
    }

    /// What the batch comes to, if that is known.
    pub(crate) fn finished(&self) -> Option<&Finished> {
        self.finished.get().and_then(|finished| finished.as_ref().ok())
    }

    /// Waits for the end of the batch.
    ///
    /// # Panics
    /// If finishing failed, which no input can make it do.
    pub(crate) fn wait(&self) -> &Finished {
        let mut guard = self.lock.lock();
        loop {
            match self.finished.get() {
                Some(Ok(finished)) => return finished,
                Some(Err(fault)) => panic!("a batch could not be finished: {fault}"),
                None => self.ready.wait(&mut guard),
            }
        }
    }
}

enum Message {
    Runs(Arc<Writing>, Vec<RunOutput>, Option<Clock>),
    /// The batch of the runs since the last one is executed; its rest has no runs yet.
    End(Box<Rest>, Arc<Pending>),
    /// The runs since the last batch are void.
    Void,
}

/// The thread that finishes batches. It ends when this is dropped.
pub(crate) struct Finisher {
    sender: Option<Sender<Message>>,
    waiting: Mutex<Vec<RunOutput>>,
    clock: Option<Clock>,
    thread: Option<JoinHandle<()>>,
}

impl Finisher {
    pub(crate) fn start(clock: Option<Clock>) -> Self {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let thread = crate::threads::finisher(move || serve(&receiver));
        Self { sender: Some(sender), waiting: Mutex::default(), clock, thread: Some(thread) }
    }

    fn send(&self, message: Message) {
        if let Some(sender) = &self.sender {
            // The thread is there until the sender is gone.
            _ = sender.send(message);
        }
    }

    /// Takes a run that has ended. What is left of it is its calls, and what the executing worker must know.
    pub(crate) fn take_run(&self, writing: &Arc<Writing>, mut run: RunOutput) -> RunOutput {
        let left = run.split_off_news();
        let mut waiting = self.waiting.lock();
        waiting.push(run);
        if waiting.len() >= RUNS_TOGETHER {
            self.send(Message::Runs(Arc::clone(writing), core::mem::take(&mut waiting), self.clock));
        }
        left
    }

    /// Finishes the batch whose runs were taken.
    pub(crate) fn end(&self, rest: Rest) -> Arc<Pending> {
        let waiting = core::mem::take(&mut *self.waiting.lock());
        self.send(Message::Runs(Arc::clone(&rest.writing), waiting, self.clock));
        let pending = Arc::new(Pending::default());
        self.send(Message::End(Box::new(rest), Arc::clone(&pending)));
        pending
    }

    /// Forgets the runs that were taken.
    pub(crate) fn void(&self) {
        self.waiting.lock().clear();
        self.send(Message::Void);
    }
}

impl Drop for Finisher {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // It catches what unwinds.
            _ = thread.join();
        }
    }
}

fn serve(messages: &Receiver<Message>) {
    let (mut sealed, mut spent, mut fault) = (Vec::new(), StageNanoseconds::default(), None);
    for message in messages {
        match message {
            Message::Runs(writing, runs, clock) => {
                let mut clock = StageClock::start(clock);
                let done = catch_unwind(AssertUnwindSafe(|| {
                    for mut run in runs {
                        run.seal(&writing.batch);
                        sealed.push(run);
                    }
                }));
                fault = fault.or(done.err().map(|_| "hashing panicked".to_owned()));
                clock.lap(Stage::Digest);
                spent.add(&clock.spent());
            }
            Message::End(mut rest, pending) => {
                rest.runs = core::mem::take(&mut sealed);
                let done = match fault.take() {
                    Some(fault) => Err(fault),
                    None => catch_unwind(AssertUnwindSafe(|| rest.list_and_finish()))
                        .map_err(|_| "listing writes panicked".to_owned()),
                };
                let spent = core::mem::take(&mut spent);
                pending.set(done.map(|mut finished| {
                    finished.stages.add(&spent);
                    finished
                }));
            }
            Message::Void => {
                sealed.clear();
                (spent, fault) = (StageNanoseconds::default(), None);
            }
        }
    }
}
