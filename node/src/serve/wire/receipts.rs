//! Receipts and writes on their way out.

use phalanx_engine::{Address, READ_SET_BYTES_MAX, Receipt, Receipts, Tried, WriteItem};
use phalanx_proto::answers::{EncodedSubmissionReceipts, push_receipt};
use phalanx_proto::v1::write::Change;
use phalanx_proto::{Bytes, v1};

use super::super::questions::Wanted;
use super::super::refusal::Refusal;
use super::super::submission::{Answered, Level, Reached};
use super::{acknowledgement, copied, encoded};

/// A receipt.
pub(super) fn receipt(receipt: &Receipt<'_>) -> v1::Receipt {
    v1::Receipt {
        outcome: Some(receipt.outcome().code().into()),
        gas_used: receipt.gas_used(),
        return_bytes: copied(receipt.return_bytes()),
        events: receipt
            .events()
            .map(|event| v1::Event { topic: copied(event.topic), data: copied(event.data) })
            .collect(),
    }
}

/// The first of encoded receipts.
pub(crate) fn first_receipt(encoded: &[u8]) -> Option<v1::Receipt> {
    Receipts::new(encoded).next().map(|first| receipt(&first))
}

/// The text beside the first receipt of an answer; empty if there is none.
pub(crate) fn explanation_of(answered: &mut Answered) -> String {
    answered.explanations.pop().map_or_else(String::new, |(_, text)| text)
}

/// What became of a submission.
pub(crate) fn receipts_of(reached: Reached, level: Level, canonical: bool) -> EncodedSubmissionReceipts {
    let Answered { position, encoded, explanations, repeated } = match reached {
        Reached::Executed(answered) => answered,
        Reached::Ordered(notice) => {
            let (ordered, acknowledgement) = (Some(notice), acknowledgement(level));
            let rest = v1::SubmissionReceipts { ordered, acknowledgement, ..v1::SubmissionReceipts::default() };
            return EncodedSubmissionReceipts { rest, receipts: Bytes::new() };
        }
    };
    let (receipts, canonical_receipts) = match canonical {
        true => (Bytes::new(), encoded.into()),
        false => {
            // A receipt's header is as long as the keys and lengths of its message, or longer, but for many events.
            let mut receipts = Vec::with_capacity(encoded.len());
            for receipt in Receipts::new(&encoded) {
                push_receipt(&mut receipts, |fields| encoded::receipt(fields, &receipt));
            }
            (receipts.into(), Bytes::new())
        }
    };
    let rest = v1::SubmissionReceipts {
        first: Some(position.first()),
        calls: position.calls,
        receipts: Vec::new(),
        canonical_receipts,
        explanations: explanations.into_iter().map(|(call, text)| v1::Explanation { call, text }).collect(),
        acknowledgement: acknowledgement(level),
        repeated,
        ordered: None,
    };
    EncodedSubmissionReceipts { rest, receipts }
}

/// A write; `called` is the contract that the call went to.
pub(super) fn write(item: &WriteItem<'_>, called: &Address) -> v1::Write {
    v1::Write {
        call: item.call(),
        contract: copied(item.contract().unwrap_or(called)),
        key: copied(item.key()),
        change: Some(match item.value() {
            None => Change::Tombstone(v1::Tombstone {}),
            Some(hash) if item.is_module_hash() => Change::ModuleHash(copied(hash)),
            Some(value) => Change::Value(copied(value)),
        }),
    }
}

/// What a call that was tried would do, as far as that is wanted. `height` is that of the state.
pub(crate) fn simulated(
    tried: &mut Tried<'_>,
    called: &Address,
    height: u64,
    wanted: Wanted,
) -> Result<v1::SimulateResponse, Refusal> {
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    if wanted == Wanted::Effects {
        let max = READ_SET_BYTES_MAX as u64;
        let too_much =
            || Refusal::too_much("read_set_bytes", format_args!("call: it reads more than {max} bytes"), max);
        reads = tried.reads().ok_or_else(too_much)?.iter().map(super::reads::read).collect();
        writes = tried.write_set().map(|item| write(&item, called)).collect();
    }
    Ok(v1::SimulateResponse {
        height,
        receipt: Some(receipt(&tried.receipt())),
        writes,
        explanation: tried.explanation().unwrap_or_default().to_owned(),
        reads,
    })
}
