//! The history as servers send it, beside the generated types.

use phalanx_proto::history::{EncodedCanonicalCalls, EncodedSubscribeResponse, Fields, push_call};
use phalanx_proto::{Bytes, Message, v1};

#[test]
fn what_a_server_sends_is_the_message_that_a_client_knows() {
    // About the lengths at which a length takes a byte more.
    for length in [0, 1, 100, 125, 126, 127, 128, 129, 16_375, 16_380, 16_383, 16_384, 70_000] {
        let (mut calls, arguments) = (Vec::new(), vec![7; length]);
        for index in 0..2 {
            push_call(&mut calls, |fields| {
                fields.integer(1, index);
                fields.message(2, |fields| {
                    fields.bytes(2, b"transfer");
                    fields.bytes(4, &arguments);
                    fields.optional_bytes(6, b"");
                });
                fields.message(3, |fields| fields.optional_integer(1, 0));
            });
        }
        let next = Some(v1::Cursor { height: 3, index: 0 });
        let mut head = Vec::new();
        Fields::of(&mut head).integers(1, [0, 300].into_iter());
        Fields::of(&mut head).message(2, |fields| fields.bytes(3, b"transfer"));
        let canonical = EncodedCanonicalCalls {
            head: head.into(),
            calls: arguments.clone().into(),
            receipts: Bytes::new(),
            writes: b"writes"[..].into(),
        };
        let calls = calls.into();
        let sent = EncodedSubscribeResponse { height: 2, time_ms: 1, calls, next, canonical: Some(canonical) };
        let target = v1::CanonicalTarget { method: "transfer".into(), ..v1::CanonicalTarget::default() };
        let told = v1::CanonicalCalls {
            indexes: vec![0, 300],
            targets: vec![target],
            calls: arguments.clone().into(),
            receipts: Bytes::new(),
            writes: b"writes"[..].into(),
        };
        let call = v1::Call {
            method: "transfer".into(),
            arguments: arguments.into(),
            id: Some(Bytes::new()),
            ..v1::Call::default()
        };
        let receipt = v1::Receipt { outcome: Some(v1::Outcome::Ok.into()), ..v1::Receipt::default() };
        let history = |index| v1::HistoryCall {
            index,
            call: Some(call.clone()),
            receipt: Some(receipt.clone()),
            ..v1::HistoryCall::default()
        };
        let calls = vec![history(0), history(1)];
        let known = v1::SubscribeResponse { height: 2, time_ms: 1, calls, next, canonical: Some(told) };
        let bytes = sent.encode_to_vec();
        assert_eq!((bytes.len(), &bytes), (sent.encoded_len(), &known.encode_to_vec()), "{length}");
        assert_eq!(EncodedSubscribeResponse::decode(&bytes[..]), Ok(sent), "{length}");
    }
}
