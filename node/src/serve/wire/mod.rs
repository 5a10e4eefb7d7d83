//! Where wire types and engine types meet. What comes in is checked here: lengths, limits, the claims of columns. Behind it
//! nothing of a request can be malformed.

mod calls;
mod columns;
mod encoded;
mod history;
mod reads;
mod receipts;

use phalanx_engine::Address;
use phalanx_proto::{Bytes, v1};
use std::fmt::Display;

use super::refusal::Refusal;
use super::submission::Level;
pub(crate) use calls::{Borrowed, Calls, Fingerprint};
pub(crate) use history::{AUDIENCE_MAX, Audience, FILTER_ENTRIES_MAX, Filter, Height, Part};
pub(crate) use receipts::{explanation_of, first_receipt, receipts_of, simulated};

/// A copy, so that a small field does not keep the whole message that it came in.
pub(crate) fn copied(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

/// Gives fields memory of their own, all together. It was the message's that they came in, which may be far larger than they
/// are, and would stay as long as any of them.
pub(super) fn detach<'a>(fields: impl Iterator<Item = &'a mut Bytes>) {
    let fields: Vec<_> = fields.collect();
    let mut own = Vec::with_capacity(fields.iter().map(|field| field.len()).sum());
    fields.iter().for_each(|field| own.extend_from_slice(field));
    let mut own = Bytes::from(own);
    for field in fields {
        *field = own.split_to(field.len());
    }
}

/// Bytes that have a length.
pub(crate) fn fixed<const N: usize>(field: impl Display, bytes: &[u8]) -> Result<[u8; N], Refusal> {
    bytes.try_into().map_err(|_| Refusal::length(field, bytes.len(), N))
}

/// The same, where they are.
pub(super) fn fixed_in_place<const N: usize>(field: impl Display, bytes: &[u8]) -> Result<&[u8; N], Refusal> {
    bytes.try_into().map_err(|_| Refusal::length(field, bytes.len(), N))
}

/// An address.
pub(crate) fn address(field: impl Display, bytes: &[u8]) -> Result<Address, Refusal> {
    fixed(field, bytes)
}

/// A message that must be there.
pub(crate) fn required<T>(field: &'static str, message: Option<T>) -> Result<T, Refusal> {
    message.ok_or_else(|| Refusal::malformed(field, "missing"))
}

/// What an answer waits for.
pub(crate) fn level(asked: i32) -> Result<Level, Refusal> {
    match v1::Acknowledgement::try_from(asked) {
        Ok(v1::Acknowledgement::Unspecified | v1::Acknowledgement::Durable) => Ok(Level::Durable),
        Ok(v1::Acknowledgement::Executed) => Ok(Level::Executed),
        Ok(v1::Acknowledgement::Ordered) => Ok(Level::Ordered),
        Err(_) => Err(Refusal::malformed("acknowledgement", format_args!("{asked} is not known here"))),
    }
}

/// The level's name on the wire.
pub(crate) fn acknowledgement(level: Level) -> i32 {
    match level {
        Level::Ordered => v1::Acknowledgement::Ordered.into(),
        Level::Executed => v1::Acknowledgement::Executed.into(),
        Level::Durable => v1::Acknowledgement::Durable.into(),
    }
}

/// How receipts are to be answered: whether as canonical bytes.
pub(crate) fn is_canonical(asked: i32) -> Result<bool, Refusal> {
    match v1::ReceiptForm::try_from(asked) {
        Ok(v1::ReceiptForm::Unspecified | v1::ReceiptForm::Messages) => Ok(false),
        Ok(v1::ReceiptForm::Canonical) => Ok(true),
        Err(_) => Err(Refusal::malformed("receipt_form", format_args!("{asked} is not known here"))),
    }
}
