//! A call of the history as it is sent, made of what the engine keeps: fields as in `types.proto` and `query.proto`.

use phalanx_engine::{Address, CallRef, Receipt, WriteItem};
use phalanx_proto::history::Fields;

/// `Call`.
pub(super) fn call(fields: &mut Fields<'_>, call: &CallRef<'_>, (contract, method): (&Address, &[u8])) {
    fields.bytes(1, contract);
    // Decoding has seen to it that it is text.
    fields.bytes(2, method);
    fields.bytes(3, call.sender());
    fields.bytes(4, call.arguments());
    fields.integer(5, call.gas_limit());
    if let Some(id) = call.id() {
        fields.optional_bytes(6, id);
    }
    if let Some(signature) = call.signature() {
        fields.optional_bytes(7, signature);
    }
}

/// `Receipt`.
pub(super) fn receipt(fields: &mut Fields<'_>, receipt: &Receipt<'_>) {
    fields.optional_integer(1, receipt.outcome().code().into());
    fields.integer(2, receipt.gas_used());
    fields.bytes(3, receipt.return_bytes());
    for event in receipt.events() {
        fields.message(4, |fields| {
            fields.bytes(1, event.topic);
            fields.bytes(2, event.data);
        });
    }
}

/// `Write`; `called` is the contract that the call went to.
pub(super) fn write(fields: &mut Fields<'_>, item: &WriteItem<'_>, called: &Address) {
    fields.integer(1, item.call().into());
    fields.bytes(2, item.contract().unwrap_or(called));
    fields.bytes(3, item.key());
    match item.value() {
        None => fields.message(5, |_| ()),
        Some(hash) if item.is_module_hash() => fields.optional_bytes(6, hash),
        Some(value) => fields.optional_bytes(4, value),
    }
}
