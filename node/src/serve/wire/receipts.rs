//! Receipts and writes on their way out.

use phalanx_engine::{Address, Executed, READ_SET_BYTES_MAX, Receipt, Receipts, WriteItem};
use phalanx_proto::v1::write::Change;
use phalanx_proto::{Bytes, v1};

use super::super::refusal::Refusal;
use super::super::submission::{Answered, Level, Reached};
use super::{acknowledgement, copied};

/// A receipt. `part` makes what stands in the message of a part of the receipt's bytes.
pub(super) fn receipt(receipt: &Receipt<'_>, part: impl Fn(&[u8]) -> Bytes) -> v1::Receipt {
    v1::Receipt {
        outcome: Some(receipt.outcome().code().into()),
        gas_used: receipt.gas_used(),
        return_bytes: part(receipt.return_bytes()),
        events: receipt.events().map(|event| v1::Event { topic: part(event.topic), data: part(event.data) }).collect(),
    }
}

/// The first of encoded receipts.
pub(crate) fn first_receipt(encoded: &[u8]) -> Option<v1::Receipt> {
    Receipts::new(encoded).next().map(|first| receipt(&first, copied))
}

/// The text beside the first receipt of an answer; empty if there is none.
pub(crate) fn explanation_of(answered: &mut Answered) -> String {
    answered.explanations.pop().map_or_else(String::new, |(_, text)| text)
}

/// What became of a submission.
pub(crate) fn receipts_of(reached: Reached, level: Level, canonical: bool) -> v1::SubmissionReceipts {
    let Answered { position, encoded, explanations, repeated } = match reached {
        Reached::Executed(answered) => answered,
        Reached::Ordered(notice) => {
            let (ordered, acknowledgement) = (Some(notice), acknowledgement(level));
            return v1::SubmissionReceipts { ordered, acknowledgement, ..v1::SubmissionReceipts::default() };
        }
    };
    let encoded = Bytes::from(encoded);
    let (receipts, canonical_receipts) = match canonical {
        true => (Vec::new(), encoded),
        false => {
            // They all end with the message, so their parts may share the bytes.
            let message = |one: Receipt<'_>| receipt(&one, |part| encoded.slice_ref(part));
            (Receipts::new(&encoded).map(message).collect(), Bytes::new())
        }
    };
    v1::SubmissionReceipts {
        first: Some(position.first()),
        calls: position.calls,
        receipts,
        canonical_receipts,
        explanations: explanations.into_iter().map(|(call, text)| v1::Explanation { call, text }).collect(),
        acknowledgement: acknowledgement(level),
        repeated,
        ordered: None,
    }
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

/// What a batch of one call, which is not committed, would do, and what it read if that was recorded. `height` is the one before it.
pub(crate) fn simulated(
    executed: &Executed,
    called: &Address,
    height: u64,
    with_reads: bool,
) -> Result<v1::SimulateResponse, Refusal> {
    let reads = match (with_reads, executed.reads()) {
        (false, _) => Vec::new(),
        (true, Some(reads)) => reads.iter().map(super::reads::read).collect(),
        (true, None) => {
            let max = READ_SET_BYTES_MAX as u64;
            let message = format_args!("call: it reads more than {max} bytes");
            return Err(Refusal::too_much("read_set_bytes", message, max));
        }
    };
    Ok(v1::SimulateResponse {
        reads,
        height,
        receipt: executed.receipts().next().map(|first| receipt(&first, copied)),
        writes: executed.write_set().map(|item| write(&item, called)).collect(),
        explanation: executed.explanations().first().map_or_else(String::new, |(_, text)| text.clone()),
    })
}
