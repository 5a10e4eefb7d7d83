//! The bytes of a batch: what is ordered, logged and executed.
//!
//! ```text
//! header   version u8 = 1 | 0 u8 ×3 | calls u32 | height u64 | time_ms u64 | targets u32 | bytes of the targets u32
//! target   contract id [32] | method length u8 | method
//! call     length u32 | gas limit u32 | target u16 | flags u16 | sender [32] | id [16]? | signature [64]? | submission? | arguments
//! submission   session [16] | sequence u64
//! ```
//!
//! Integers are little-endian. A call's length counts the whole record. A target is a (contract, method) pair; calls name
//! theirs by number, so that ten thousand transfers carry the token's id once. So it is with submissions: the first call of
//! one names it, and those that continue it say so.

mod builder;

use crate::error::BatchError;
use crate::limits::{
    ARGUMENT_BYTES_MAX, BATCH_BYTES_MAX, BATCH_CALLS_MAX, BATCH_GAS_MAX, BATCH_TARGETS_MAX, METHOD_BYTES_MAX,
};
use core::ops::Range;
use phalanx_scheduler::prefetch;
use std::sync::Arc;

pub use builder::{BatchBuilder, Call, CallsSize, Identity, Signed, TargetNumber};

/// 32 bytes that name a sender or a contract.
pub type Address = [u8; 32];

/// The reserved contract that deploys and upgrades others.
pub const SYSTEM_CONTRACT: Address = [0; 32];

pub(crate) const HEADER_BYTES: usize = 32;
/// How far ahead of the record that is looked at the bytes are asked for: where a record ends stands in it, so the processor
/// would ask for one after another, and one core walks while the others wait.
const PREFETCH_BYTES: usize = 2_048;
const VERSION: u8 = 1;
const CALL_HEADER_BYTES: usize = 12;
const SENDER_END: usize = CALL_HEADER_BYTES + 32;
const FLAG_ID: u16 = 1;
const FLAG_SIGNATURE: u16 = 2;
/// The call begins a submission of a session, and names it.
const FLAG_SUBMISSION: u16 = 4;
/// The call goes on with the submission of the call before it.
const FLAG_CONTINUES: u16 = 8;
const SIGNATURE_BYTES: usize = 64;
const SESSION_BYTES: usize = 16;
const SUBMISSION_BYTES: usize = SESSION_BYTES + 8;

/// A submission of a session, as the first of its calls names it. Sessions and their sequences are a matter of whoever cuts
/// batches; execution does not look at them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Submission {
    /// The session.
    pub session: [u8; SESSION_BYTES],
    /// The submission's number in it.
    pub sequence: u64,
}

/// The bytes of one batch, shared between executor and log without a copy.
#[derive(Clone, Debug)]
pub struct BatchBytes(Arc<Behind>);

/// The bytes of a vector from some place on.
#[derive(Debug)]
struct Behind {
    start: usize,
    bytes: Vec<u8>,
}

impl AsRef<[u8]> for Behind {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

impl From<Vec<u8>> for BatchBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::behind(0, bytes)
    }
}

impl From<&[u8]> for BatchBytes {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl AsRef<[u8]> for BatchBytes {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl BatchBytes {
    /// The bytes from `start` on, which is at most their number.
    fn behind(start: usize, bytes: Vec<u8>) -> Self {
        Self(Arc::new(Behind { start, bytes }))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        (*self.0).as_ref()
    }

    /// The bytes, shared, as the log takes them.
    pub fn shared(&self) -> crate::log::BatchBytes {
        Arc::clone(&self.0) as _
    }

    /// Bytes of memory that they take, with the room that their vector has.
    pub fn memory_bytes(&self) -> usize {
        self.0.bytes.capacity()
    }
}

/// A (contract, method) pair of a decoded batch.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) contract: Address,
    pub(crate) method: Range<u32>,
}

/// A batch whose framing and limits have been checked. Reading a call cannot fail any more. A clone shares everything.
#[derive(Clone, Debug)]
pub struct Batch {
    bytes: BatchBytes,
    height: u64,
    time_ms: u64,
    pub(crate) targets: Arc<Vec<Target>>,
    /// Start of each call's record, and the end of the last.
    offsets: Arc<Vec<u32>>,
}

/// One call of a batch, borrowed from its bytes.
#[derive(Clone, Copy, Debug)]
pub struct CallRef<'a> {
    /// What every record begins with. Decoding has seen to it, so that reading a field need not.
    head: &'a [u8; SENDER_END],
    record: &'a [u8],
}

impl<'a> CallRef<'a> {
    /// The whole record.
    pub fn record(&self) -> &'a [u8] {
        self.record
    }

    /// Number of the call's target.
    #[inline]
    pub fn target(&self) -> usize {
        usize::from(u16_at(self.head, 8))
    }

    /// Most gas that the call may use.
    #[inline]
    pub fn gas_limit(&self) -> u64 {
        u64::from(u32_at(self.head, 4))
    }

    /// Who calls.
    #[inline]
    pub fn sender(&self) -> &'a Address {
        self.head[CALL_HEADER_BYTES..].try_into().expect("32 bytes")
    }

    #[inline]
    fn arguments_start(&self) -> usize {
        arguments_start(u16_at(self.head, 10))
    }

    /// The call's 16-byte id, if it carries one.
    pub fn id(&self) -> Option<&'a [u8; 16]> {
        (u16_at(self.head, 10) & FLAG_ID != 0)
            .then(|| self.record[SENDER_END..SENDER_END + 16].try_into().expect("16 bytes"))
    }

    /// The sender's signature, if the call carries one. What is signed, `FORMAT.md` says; execution does not look at it.
    pub fn signature(&self) -> Option<&'a [u8; SIGNATURE_BYTES]> {
        let flags = u16_at(self.record, 10);
        let from = arguments_start(flags & FLAG_ID);
        (flags & FLAG_SIGNATURE != 0).then(|| self.record[from..from + SIGNATURE_BYTES].try_into().expect("64 bytes"))
    }

    /// The submission that the call begins, if it does.
    pub fn submission(&self) -> Option<Submission> {
        let bytes = &self.record[..self.arguments_start()];
        let (_, bytes) = bytes.split_last_chunk::<SUBMISSION_BYTES>()?;
        (u16_at(self.head, 10) & FLAG_SUBMISSION != 0).then(|| Submission {
            session: bytes[..SESSION_BYTES].try_into().expect("16 bytes"),
            sequence: u64_at(bytes, SESSION_BYTES),
        })
    }

    /// Whether the call belongs to the submission of the call before it.
    pub fn continues_submission(&self) -> bool {
        u16_at(self.head, 10) & FLAG_CONTINUES != 0
    }

    /// The arguments.
    #[inline]
    pub fn arguments(&self) -> &'a [u8] {
        &self.record[self.arguments_start()..]
    }
}

#[inline]
fn arguments_start(flags: u16) -> usize {
    let part = |flag, bytes| if flags & flag != 0 { bytes } else { 0 };
    SENDER_END + part(FLAG_ID, 16) + part(FLAG_SIGNATURE, SIGNATURE_BYTES) + part(FLAG_SUBMISSION, SUBMISSION_BYTES)
}

#[inline]
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

#[inline]
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

fn limit(name: &'static str, actual: u64, limit: u64) -> Result<(), BatchError> {
    if actual > limit { Err(BatchError::LimitExceeded { name, actual, limit }) } else { Ok(()) }
}

impl Batch {
    /// Checks a batch's framing and limits.
    ///
    /// # Errors
    /// [`BatchError::Malformed`] with the offset, or the limit that is passed with its actual value. Limits of single
    /// calls are not checked here: a call that passes one gets its receipt.
    pub fn decode(bytes: impl Into<BatchBytes>) -> Result<Batch, BatchError> {
        let bytes: BatchBytes = bytes.into();
        let data = bytes.as_slice();
        limit("bytes of a batch", data.len() as u64, BATCH_BYTES_MAX as u64)?;
        let malformed = |offset: usize, what: &'static str| BatchError::Malformed { offset, what };
        if data.len() < HEADER_BYTES {
            return Err(malformed(data.len(), "the header is cut short"));
        }
        if data[..4] != [VERSION, 0, 0, 0] {
            return Err(malformed(0, "unknown version"));
        }
        let calls = u32_at(data, 4) as usize;
        limit("calls a batch", calls as u64, BATCH_CALLS_MAX as u64)?;
        let target_count = u32_at(data, 24) as usize;
        limit("targets of a batch", target_count as u64, BATCH_TARGETS_MAX as u64)?;
        let target_bytes = u32_at(data, 28) as usize;
        if target_bytes > data.len() - HEADER_BYTES {
            return Err(malformed(28, "the targets are cut short"));
        }
        let targets = decode_targets(data, target_count, HEADER_BYTES + target_bytes)?;
        let offsets = decode_calls(data, calls, HEADER_BYTES + target_bytes, target_count)?;
        let (targets, offsets) = (Arc::new(targets), Arc::new(offsets));
        Ok(Batch { height: u64_at(data, 8), time_ms: u64_at(data, 16), targets, offsets, bytes })
    }

    /// The height that this batch is for.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// When it was cut, in milliseconds.
    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// Number of calls.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there are no calls.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The call at an index below [`Batch::len`].
    #[inline]
    pub fn call(&self, index: usize) -> CallRef<'_> {
        let record = &self.bytes.as_slice()[self.offsets[index] as usize..self.offsets[index + 1] as usize];
        CallRef { head: record.first_chunk().expect("decoding has seen to it"), record }
    }

    /// Where the call at an index starts in the batch's bytes.
    #[inline]
    pub(crate) fn start(&self, index: usize) -> usize {
        self.offsets[index] as usize
    }

    /// The contract and method that a call names.
    pub fn target_of(&self, call: &CallRef<'_>) -> (&Address, &[u8]) {
        let target = &self.targets[call.target()];
        (&target.contract, self.method(target))
    }

    /// The contracts and methods that its calls name, in the order of their numbers.
    pub fn targets(&self) -> impl Iterator<Item = (&Address, &[u8])> {
        self.targets.iter().map(|target| (&target.contract, self.method(target)))
    }

    pub(crate) fn method(&self, target: &Target) -> &[u8] {
        &self.bytes.as_slice()[target.method.start as usize..target.method.end as usize]
    }

    /// The bytes before the first call: header and targets.
    pub(crate) fn head(&self) -> &[u8] {
        &self.bytes.as_slice()[..self.offsets[0] as usize]
    }

    /// The records of a range of calls, as they lie behind one another. The range is within [`Batch::len`].
    pub fn records(&self, calls: Range<usize>) -> &[u8] {
        &self.bytes.as_slice()[self.offsets[calls.start] as usize..self.offsets[calls.end] as usize]
    }

    /// Checks that it comes next behind a batch of this height and time.
    pub(crate) fn check_next(&self, height: u64, time_ms: u64) -> Result<(), BatchError> {
        if self.height() != height + 1 {
            return Err(BatchError::WrongHeight { actual: self.height(), expected: height + 1 });
        }
        match self.time_ms() < time_ms {
            true => Err(BatchError::TimeRunsBack { actual: self.time_ms(), previous: time_ms }),
            false => Ok(()),
        }
    }

    /// The batch's bytes.
    pub fn bytes(&self) -> &BatchBytes {
        &self.bytes
    }
}

fn decode_targets(data: &[u8], count: usize, end: usize) -> Result<Vec<Target>, BatchError> {
    let mut targets = Vec::with_capacity(count.min(data.len() / 33));
    let mut at = HEADER_BYTES;
    for _ in 0..count {
        if end - at < 33 || end - at - 33 < usize::from(data[at + 32]) {
            return Err(BatchError::Malformed { offset: at, what: "the targets are cut short" });
        }
        let length = usize::from(data[at + 32]);
        limit("method bytes", length as u64, METHOD_BYTES_MAX as u64)?;
        let method = at + 33;
        if core::str::from_utf8(&data[method..method + length]).is_err() {
            return Err(BatchError::Malformed { offset: method, what: "a method's name is not UTF-8" });
        }
        targets.push(Target {
            contract: data[at..at + 32].try_into().expect("32 bytes"),
            method: method as u32..(method + length) as u32,
        });
        at = method + length;
    }
    if at != end {
        return Err(BatchError::Malformed { offset: at, what: "bytes behind the last target" });
    }
    Ok(targets)
}

fn decode_calls(data: &[u8], count: usize, start: usize, targets: usize) -> Result<Vec<u32>, BatchError> {
    let malformed = |offset: usize, what: &'static str| BatchError::Malformed { offset, what };
    let mut offsets = Vec::with_capacity(count.min(data.len() / SENDER_END) + 1);
    let (mut at, mut gas, mut in_submission) = (start, 0u64, false);
    for _ in 0..count {
        offsets.push(at as u32);
        prefetch(data.as_ptr().wrapping_add(at + PREFETCH_BYTES));
        prefetch(data.as_ptr().wrapping_add(at + PREFETCH_BYTES + 64));
        let Some(head) = data[at..].first_chunk::<CALL_HEADER_BYTES>() else {
            return Err(malformed(at, "a call is cut short"));
        };
        let (length, target, flags) = (u32_at(head, 0) as usize, u16_at(head, 8), u16_at(head, 10));
        gas += u64::from(u32_at(head, 4));
        if flags & !(FLAG_ID | FLAG_SIGNATURE | FLAG_SUBMISSION | FLAG_CONTINUES) != 0 {
            return Err(malformed(at + 10, "unknown flags"));
        }
        let of_submission = flags & (FLAG_SUBMISSION | FLAG_CONTINUES);
        if of_submission == FLAG_SUBMISSION | FLAG_CONTINUES || (of_submission == FLAG_CONTINUES && !in_submission) {
            return Err(malformed(at + 10, "a call goes on with a submission that has not begun"));
        }
        in_submission = of_submission != 0;
        if length < arguments_start(flags) || length > data.len() - at {
            return Err(malformed(at, "a call's length is wrong"));
        }
        if usize::from(target) >= targets {
            return Err(malformed(at + 8, "a call names a target that is not there"));
        }
        at += length;
    }
    offsets.push(at as u32);
    if at != data.len() {
        return Err(malformed(at, "bytes behind the last call"));
    }
    limit("gas limits of a batch", gas, BATCH_GAS_MAX)?;
    Ok(offsets)
}

const _: () = assert!(ARGUMENT_BYTES_MAX < BATCH_BYTES_MAX);
