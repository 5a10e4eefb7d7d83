//! Making the bytes of a batch.

use super::{
    Address, BatchBytes, FLAG_CONTINUES, FLAG_ID, FLAG_SIGNATURE, FLAG_SUBMISSION, HEADER_BYTES, SENDER_END,
    SIGNATURE_BYTES, SUBMISSION_BYTES, Submission, VERSION, limit,
};
use crate::error::BatchError;
use crate::limits::{BATCH_BYTES_MAX, BATCH_CALLS_MAX, BATCH_GAS_MAX, BATCH_TARGETS_MAX, METHOD_BYTES_MAX};
use std::collections::HashMap;

/// Bytes of a target besides its method's name.
const TARGET_HEADER_BYTES: usize = 33;

/// Bytes that are kept free before the calls for the header and some targets, so that calls stand where they were put.
const HEAD_ROOM_BYTES: usize = 1 << 10;

/// Bytes of an id and a signature.
const SIGNED_BYTES: usize = 16 + SIGNATURE_BYTES;

/// A call to be put into a batch.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The contract.
    pub contract: Address,
    /// Name of the method.
    pub method: &'a str,
    /// Who calls.
    pub sender: Address,
    /// The method's arguments as its ABI encodes them.
    pub arguments: &'a [u8],
    /// Most gas that the call may use.
    pub gas_limit: u32,
}

/// A (contract, method) pair of the batch that is being built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TargetNumber(u16);

/// What a call carries for whoever wants to know it again. Execution looks at none of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Identity<'a> {
    /// Nothing.
    Anonymous,
    /// The sender's id of the call.
    Id(&'a [u8; 16]),
    /// The call begins a submission.
    Begins(Submission),
    /// The call goes on with the submission of the call before it.
    Continues,
}

/// What a signed call carries. Whoever admits it has checked the signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signed<'a> {
    /// The sender's id of the call.
    pub id: &'a [u8; 16],
    /// The sender's signature.
    pub signature: &'a [u8; SIGNATURE_BYTES],
}

/// What calls add to a batch, at most.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct CallsSize {
    /// Number of calls.
    pub calls: u64,
    /// Number of targets that may be new.
    pub targets: u64,
    /// Bytes of the calls and of those targets.
    pub bytes: u64,
    /// Sum of the gas limits.
    pub gas: u64,
}

impl CallsSize {
    /// Counts a target with a method's name of this many bytes.
    pub fn add_target(&mut self, method_bytes: usize) {
        self.targets += 1;
        self.bytes += (TARGET_HEADER_BYTES + method_bytes) as u64;
    }

    /// Counts calls without identities.
    pub fn add_calls(&mut self, calls: u64, argument_bytes: u64, gas: u64) {
        self.calls += calls;
        self.bytes += calls * SENDER_END as u64 + argument_bytes;
        self.gas = self.gas.saturating_add(gas);
    }

    /// Counts a call's identity.
    pub fn add_identity(&mut self, identity: Identity<'_>) {
        self.bytes += identity_bytes(identity) as u64;
    }

    /// Counts what a signed call carries besides its place in a submission.
    pub fn add_signature(&mut self) {
        self.bytes += SIGNED_BYTES as u64;
    }

    /// Checks that a batch can hold these calls.
    ///
    /// # Errors
    /// The name of the limit that they pass.
    pub fn check(&self) -> Result<(), BatchError> {
        self.check_behind(&CallsSize { bytes: HEADER_BYTES as u64, ..CallsSize::default() })
    }

    fn check_behind(&self, before: &CallsSize) -> Result<(), BatchError> {
        limit("calls a batch", before.calls + self.calls, BATCH_CALLS_MAX as u64)?;
        limit("targets of a batch", before.targets + self.targets, BATCH_TARGETS_MAX as u64)?;
        limit("gas limits of a batch", before.gas.saturating_add(self.gas), BATCH_GAS_MAX)?;
        limit("bytes of a batch", before.bytes + self.bytes, BATCH_BYTES_MAX as u64)
    }
}

fn identity_bytes(identity: Identity<'_>) -> usize {
    match identity {
        Identity::Anonymous | Identity::Continues => 0,
        Identity::Id(id) => id.len(),
        Identity::Begins(_) => SUBMISSION_BYTES,
    }
}

fn identity_flags(identity: Identity<'_>) -> u16 {
    match identity {
        Identity::Anonymous => 0,
        Identity::Id(_) => FLAG_ID,
        Identity::Begins(_) => FLAG_SUBMISSION,
        Identity::Continues => FLAG_CONTINUES,
    }
}

/// Builds the bytes of a batch.
pub struct BatchBuilder {
    height: u64,
    time_ms: u64,
    targets: Vec<u8>,
    target_numbers: HashMap<(Address, Box<str>), u16, foldhash::fast::RandomState>,
    last_target: Option<(Address, Box<str>, u16)>,
    /// Behind [`HEAD_ROOM_BYTES`].
    calls: Vec<u8>,
    call_count: u32,
    gas: u64,
}

impl BatchBuilder {
    /// An empty batch for a height, cut at `time_ms`.
    pub fn new(height: u64, time_ms: u64) -> Self {
        Self::with_capacity(height, time_ms, 0)
    }

    /// The same, for a batch that is expected to have `bytes` bytes. With no more, not less than half, and some twenty targets at most, its
    /// calls stay where they are put. Whatever was expected, the batch's bytes take at most twice their number of memory.
    pub fn with_capacity(height: u64, time_ms: u64, bytes: usize) -> Self {
        let mut calls = Vec::with_capacity(HEAD_ROOM_BYTES + bytes.min(BATCH_BYTES_MAX));
        calls.resize(HEAD_ROOM_BYTES, 0);
        Self {
            height,
            time_ms,
            targets: Vec::new(),
            target_numbers: HashMap::default(),
            last_target: None,
            calls,
            call_count: 0,
            gas: 0,
        }
    }

    /// Calls so far.
    pub fn len(&self) -> usize {
        self.call_count as usize
    }

    /// Whether the batch holds no call yet.
    pub fn is_empty(&self) -> bool {
        self.call_count == 0
    }

    /// Whether the call may be added without passing a limit of the batch.
    pub fn fits(&self, call: &Call<'_>) -> bool {
        let mut size = CallsSize::default();
        size.add_target(call.method.len());
        size.add_calls(1, call.arguments.len() as u64, u64::from(call.gas_limit));
        self.has_room(&size)
    }

    /// Whether calls of this size may be added without passing a limit of the batch.
    pub fn has_room(&self, size: &CallsSize) -> bool {
        size.check_behind(&self.size()).is_ok()
    }

    /// What the batch holds.
    fn size(&self) -> CallsSize {
        CallsSize {
            calls: u64::from(self.call_count),
            targets: self.target_numbers.len() as u64,
            bytes: self.bytes() as u64,
            gas: self.gas,
        }
    }

    /// Bytes that the batch has so far.
    #[inline]
    pub fn bytes(&self) -> usize {
        HEADER_BYTES + self.targets.len() + self.calls.len() - HEAD_ROOM_BYTES
    }

    /// Appends a call.
    ///
    /// # Errors
    /// The name of the limit that the batch would pass; the call is not added.
    pub fn push(&mut self, call: &Call<'_>) -> Result<(), BatchError> {
        let target = self.target(&call.contract, call.method)?;
        self.push_to(target, &call.sender, call.gas_limit, call.arguments, Identity::Anonymous)
    }

    /// Appends a call to a target that this builder numbered.
    ///
    /// # Errors
    /// The name of the limit that the batch would pass; the call is not added.
    #[inline]
    pub fn push_to(
        &mut self,
        target: TargetNumber,
        sender: &Address,
        gas_limit: u32,
        arguments: &[u8],
        identity: Identity<'_>,
    ) -> Result<(), BatchError> {
        let length = SENDER_END + identity_bytes(identity) + arguments.len();
        self.push_head(target, sender, gas_limit, length, identity_flags(identity))?;
        if let Identity::Id(id) = identity {
            self.calls.extend_from_slice(id);
        }
        self.push_rest(gas_limit, identity, arguments);
        Ok(())
    }

    /// Appends a signed call. Of `place` only the submission counts, as the call has an id of its own: with
    /// [`Identity::Anonymous`] and [`Identity::Id`] it belongs to none.
    ///
    /// # Errors
    /// As of [`BatchBuilder::push_to`].
    pub fn push_signed(
        &mut self,
        target: TargetNumber,
        sender: &Address,
        gas_limit: u32,
        arguments: &[u8],
        signed: Signed<'_>,
        place: Identity<'_>,
    ) -> Result<(), BatchError> {
        let place = if matches!(place, Identity::Id(_)) { Identity::Anonymous } else { place };
        let length = SENDER_END + SIGNED_BYTES + identity_bytes(place) + arguments.len();
        self.push_head(target, sender, gas_limit, length, FLAG_ID | FLAG_SIGNATURE | identity_flags(place))?;
        self.calls.extend_from_slice(signed.id);
        self.calls.extend_from_slice(signed.signature);
        self.push_rest(gas_limit, place, arguments);
        Ok(())
    }

    /// Begins a record, which there is room for.
    #[inline]
    fn push_head(
        &mut self,
        target: TargetNumber,
        sender: &Address,
        gas_limit: u32,
        length: usize,
        flags: u16,
    ) -> Result<(), BatchError> {
        let bytes = self.bytes() + length;
        limit("calls a batch", u64::from(self.call_count) + 1, BATCH_CALLS_MAX as u64)?;
        limit("gas limits of a batch", self.gas + u64::from(gas_limit), BATCH_GAS_MAX)?;
        limit("bytes of a batch", bytes as u64, BATCH_BYTES_MAX as u64)?;
        let mut head = [0; SENDER_END];
        head[..4].copy_from_slice(&(length as u32).to_le_bytes());
        head[4..8].copy_from_slice(&gas_limit.to_le_bytes());
        head[8..10].copy_from_slice(&target.0.to_le_bytes());
        head[10..12].copy_from_slice(&flags.to_le_bytes());
        head[12..].copy_from_slice(sender);
        self.calls.extend_from_slice(&head);
        Ok(())
    }

    /// Ends a record behind its id and signature.
    #[inline]
    fn push_rest(&mut self, gas_limit: u32, identity: Identity<'_>, arguments: &[u8]) {
        if let Identity::Begins(submission) = identity {
            self.calls.extend_from_slice(&submission.session);
            self.calls.extend_from_slice(&submission.sequence.to_le_bytes());
        }
        self.calls.extend_from_slice(arguments);
        self.call_count += 1;
        self.gas += u64::from(gas_limit);
    }

    /// The number of a target, which is added if the batch does not have it yet.
    ///
    /// # Errors
    /// The name of the limit that the batch would pass; the target is not added.
    pub fn target(&mut self, contract: &Address, method: &str) -> Result<TargetNumber, BatchError> {
        if let Some((last, last_method, number)) = &self.last_target
            && last == contract
            && **last_method == *method
        {
            return Ok(TargetNumber(*number));
        }
        limit("method bytes", method.len() as u64, METHOD_BYTES_MAX as u64)?;
        let key = (*contract, Box::<str>::from(method));
        let number = match self.target_numbers.get(&key) {
            Some(&number) => number,
            None => {
                let count = self.target_numbers.len();
                let bytes = self.bytes() + TARGET_HEADER_BYTES + method.len();
                limit("targets of a batch", count as u64 + 1, BATCH_TARGETS_MAX as u64)?;
                limit("bytes of a batch", bytes as u64, BATCH_BYTES_MAX as u64)?;
                self.targets.extend_from_slice(contract);
                self.targets.push(method.len() as u8);
                self.targets.extend_from_slice(method.as_bytes());
                self.target_numbers.insert(key.clone(), count as u16);
                count as u16
            }
        };
        self.last_target = Some((key.0, key.1, number));
        Ok(TargetNumber(number))
    }

    /// The batch's bytes.
    pub fn finish(self) -> BatchBytes {
        let mut head = Vec::with_capacity(HEADER_BYTES + self.targets.len());
        head.extend_from_slice(&[VERSION, 0, 0, 0]);
        head.extend_from_slice(&self.call_count.to_le_bytes());
        head.extend_from_slice(&self.height.to_le_bytes());
        head.extend_from_slice(&self.time_ms.to_le_bytes());
        head.extend_from_slice(&(self.target_numbers.len() as u32).to_le_bytes());
        head.extend_from_slice(&(self.targets.len() as u32).to_le_bytes());
        head.extend_from_slice(&self.targets);
        let mut bytes = self.calls;
        match HEAD_ROOM_BYTES.checked_sub(head.len()) {
            Some(start) if bytes.capacity() <= 2 * (bytes.len() - start) => {
                bytes[start..HEAD_ROOM_BYTES].copy_from_slice(&head);
                BatchBytes::behind(start, bytes)
            }
            // It is much smaller than expected, or has more targets than there was room for.
            _ => {
                head.extend_from_slice(&bytes[HEAD_ROOM_BYTES..]);
                head.into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Batch;

    const TOKEN: Address = [7; 32];
    const ALICE: Address = [2; 32];

    #[test]
    fn identities_are_read_as_they_were_put() {
        let begun = Submission { session: [3; 16], sequence: u64::MAX };
        let mut builder = BatchBuilder::new(1, 0);
        let target = builder.target(&TOKEN, "transfer").expect("it fits");
        let identities = [
            Identity::Id(&[9; 16]),
            Identity::Begins(begun),
            Identity::Continues,
            Identity::Anonymous,
            Identity::Begins(begun),
        ];
        let mut size = CallsSize::default();
        size.add_target("transfer".len());
        for identity in identities {
            size.add_calls(1, 4, 5);
            size.add_identity(identity);
            builder.push_to(target, &ALICE, 5, b"args", identity).expect("it fits");
        }
        assert_eq!(builder.size(), CallsSize { bytes: size.bytes + HEADER_BYTES as u64, ..size });

        let batch = Batch::decode(builder.finish()).expect("it is well formed");
        let read: Vec<_> = (0..batch.len()).map(|index| batch.call(index)).collect();
        assert!(read.iter().all(|call| call.arguments() == b"args" && *call.sender() == ALICE));
        assert_eq!(read.iter().map(|call| call.id()).collect::<Vec<_>>(), [Some(&[9; 16]), None, None, None, None]);
        let submissions: Vec<_> = read.iter().map(|call| call.submission()).collect();
        assert_eq!(submissions, [None, Some(begun), None, None, Some(begun)]);
        let continue_: Vec<_> = read.iter().map(|call| call.continues_submission()).collect();
        assert_eq!(continue_, [false, false, true, false, false]);
    }

    #[test]
    fn a_batch_is_the_same_whatever_was_expected_of_it() {
        // Eleven targets that fill the room for them, and eleven that pass it by a byte.
        let last = HEAD_ROOM_BYTES - HEADER_BYTES - 11 * TARGET_HEADER_BYTES - 9 * 64 - 30;
        let full = [64, 64, 64, 64, 64, 64, 64, 64, 64, 30, last];
        let fuller = [64, 64, 64, 64, 64, 64, 64, 64, 64, 30, last + 1];
        let cases =
            [(0, &[7][..]), (1, &[7]), (40, &[7]), (400, &[7; 5]), (400, &[9; 40]), (9_000, &full), (9_000, &fuller)];
        for (calls, methods) in cases {
            let method = |call: usize| {
                let number = call % methods.len();
                format!("{}{number:02}", "m".repeat(methods[number] - 2))
            };
            let built = [0, 1, 5_000, 1 << 20, usize::MAX].map(|expected| {
                let mut builder = BatchBuilder::with_capacity(3, 4, expected);
                for call in 0..calls {
                    let arguments = &[call as u8; 60][..call % 60];
                    let method = &method(call);
                    let call = Call { contract: TOKEN, method, sender: ALICE, arguments, gas_limit: 9 };
                    builder.push(&call).expect("it fits");
                }
                let (bytes, at) = (builder.bytes(), builder.calls[HEAD_ROOM_BYTES..].as_ptr());
                let fits = HEADER_BYTES + builder.targets.len() <= HEAD_ROOM_BYTES;
                let is_moved = builder.calls.capacity() > 2 * bytes || !fits;
                let built = builder.finish();
                assert_eq!(built.as_slice().len(), bytes);
                let batch = Batch::decode(built.clone()).expect("it is well formed");
                assert!(calls == 0 || (batch.call(0).record().as_ptr() != at) == is_moved, "{calls} calls, {expected}");
                built
            });
            let read = Batch::decode(built[0].clone()).expect("it is well formed");
            assert_eq!((read.len(), read.height(), read.time_ms()), (calls, 3, 4));
            for call in 0..calls {
                assert_eq!(read.call(call).arguments(), &[call as u8; 60][..call % 60]);
                assert_eq!(read.target_of(&read.call(call)).1, method(call).as_bytes());
            }
            for other in &built {
                assert!(other.as_slice() == built[0].as_slice(), "{calls} calls of {} methods", methods.len());
                assert!(other.memory_bytes() <= 2 * other.as_slice().len(), "{} bytes", other.memory_bytes());
            }
        }
    }

    #[test]
    fn a_signature_is_read_as_it_was_put() {
        let (id, signature) = ([9; 16], core::array::from_fn(|index| index as u8));
        let signed = Signed { id: &id, signature: &signature };
        let begun = Submission { session: [3; 16], sequence: 7 };
        let mut builder = BatchBuilder::new(1, 0);
        let target = builder.target(&TOKEN, "transfer").expect("it fits");
        let mut size = CallsSize::default();
        size.add_target("transfer".len());
        for place in [Identity::Anonymous, Identity::Begins(begun), Identity::Continues] {
            size.add_calls(1, 4, 5);
            size.add_signature();
            size.add_identity(place);
            builder.push_signed(target, &ALICE, 5, b"args", signed, place).expect("it fits");
        }
        assert_eq!(builder.size(), CallsSize { bytes: size.bytes + HEADER_BYTES as u64, ..size });
        builder.push_to(target, &ALICE, 5, b"args", Identity::Id(&id)).expect("it fits");

        let batch = Batch::decode(builder.finish()).expect("it is well formed");
        let read: Vec<_> = (0..batch.len()).map(|index| batch.call(index)).collect();
        assert!(read.iter().all(|call| call.arguments() == b"args" && call.id() == Some(&id)));
        let signatures: Vec<_> = read.iter().map(|call| call.signature()).collect();
        assert_eq!(signatures, [Some(&signature), Some(&signature), Some(&signature), None]);
        let submissions: Vec<_> = read.iter().map(|call| call.submission()).collect();
        assert_eq!(submissions, [None, Some(begun), None, None]);
        assert_eq!(
            read.iter().map(|call| call.continues_submission()).collect::<Vec<_>>(),
            [false, false, true, false]
        );
    }

    #[test]
    fn nothing_goes_on_with_a_submission_that_has_not_begun() {
        for before in [None, Some(Identity::Anonymous), Some(Identity::Id(&[1; 16]))] {
            let mut builder = BatchBuilder::new(1, 0);
            let target = builder.target(&TOKEN, "transfer").expect("it fits");
            for identity in before.into_iter().chain([Identity::Continues]) {
                builder.push_to(target, &ALICE, 5, b"", identity).expect("it fits");
            }
            let refused = Batch::decode(builder.finish());
            let what = "a call goes on with a submission that has not begun";
            assert!(matches!(refused, Err(BatchError::Malformed { what: found, .. }) if found == what));
        }
    }
}
