//! Answers to submissions as a server sends them, with receipts that are encoded call by call from the engine's bytes, without messages of their
//! own in between. The bytes on the wire say what the generated types do.

use prost::bytes::{Buf, BufMut, Bytes};
use prost::encoding::{DecodeContext, WireType, message, skip_field, uint64};
use prost::{DecodeError, Message};

use crate::history::Fields;
use crate::v1::{SessionOpened, SubmissionReceipts};

/// Number of the field `receipts` of a `SubmissionReceipts`.
const RECEIPTS: u32 = 3;

/// Appends a field `receipts` of a `SubmissionReceipts`; `receipt` writes the fields of its `Receipt`.
pub fn push_receipt(receipts: &mut Vec<u8>, receipt: impl FnOnce(&mut Fields<'_>)) {
    Fields::of(receipts).message(RECEIPTS, receipt);
}

/// A `SubmissionReceipts`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct EncodedSubmissionReceipts {
    /// All but the receipts.
    pub rest: SubmissionReceipts,
    /// Any number of fields `receipts`, as [`push_receipt`] makes them.
    pub receipts: Bytes,
}

/// A `SubmitBatchResponse`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct EncodedSubmitBatchResponse {
    /// What became of the calls.
    pub receipts: EncodedSubmissionReceipts,
}

/// A `SubmissionAnswer`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct EncodedSubmissionAnswer {
    /// The submission's number.
    pub sequence: u64,
    /// What became of it.
    pub receipts: EncodedSubmissionReceipts,
}

/// A `SubmitStreamResponse`.
#[derive(Clone, PartialEq, Debug)]
pub enum EncodedSubmitStreamResponse {
    /// The first message.
    Opened(SessionOpened),
    /// Every later one.
    Answer(EncodedSubmissionAnswer),
}

impl Default for EncodedSubmitStreamResponse {
    fn default() -> Self {
        Self::Opened(SessionOpened::default())
    }
}

/// The half of a message that nobody needs: what a server alone sends, it never decodes.
macro_rules! is_only_sent {
    () => {
        fn merge_field(
            &mut self,
            tag: u32,
            wire_type: WireType,
            buf: &mut impl Buf,
            ctx: DecodeContext,
        ) -> Result<(), DecodeError> {
            skip_field(wire_type, tag, buf, ctx)
        }

        fn clear(&mut self) {
            *self = Self::default();
        }
    };
}

impl Message for EncodedSubmissionReceipts {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        self.rest.encode_raw(buf);
        buf.put_slice(&self.receipts);
    }

    fn encoded_len(&self) -> usize {
        self.rest.encoded_len() + self.receipts.len()
    }

    is_only_sent!();
}

impl Message for EncodedSubmitBatchResponse {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        message::encode(1, &self.receipts, buf);
    }

    fn encoded_len(&self) -> usize {
        message::encoded_len(1, &self.receipts)
    }

    is_only_sent!();
}

impl Message for EncodedSubmissionAnswer {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        if self.sequence != 0 {
            uint64::encode(1, &self.sequence, buf);
        }
        message::encode(2, &self.receipts, buf);
    }

    fn encoded_len(&self) -> usize {
        let sequence = if self.sequence == 0 { 0 } else { uint64::encoded_len(1, &self.sequence) };
        sequence + message::encoded_len(2, &self.receipts)
    }

    is_only_sent!();
}

impl Message for EncodedSubmitStreamResponse {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        match self {
            Self::Opened(opened) => message::encode(1, opened, buf),
            Self::Answer(answer) => message::encode(2, answer, buf),
        }
    }

    fn encoded_len(&self) -> usize {
        match self {
            Self::Opened(opened) => message::encoded_len(1, opened),
            Self::Answer(answer) => message::encoded_len(2, answer),
        }
    }

    is_only_sent!();
}
