//! Answers as servers send them, beside the generated types.

use phalanx_proto::answers::{
    EncodedSubmissionAnswer, EncodedSubmissionReceipts, EncodedSubmitBatchResponse, EncodedSubmitStreamResponse,
    push_receipt,
};
use phalanx_proto::v1::submit_stream_response::Message as Answer;
use phalanx_proto::{Message, v1};

/// What is sent, and what a client is to make of it.
fn receipts(calls: u32) -> (EncodedSubmissionReceipts, v1::SubmissionReceipts) {
    let rest = v1::SubmissionReceipts {
        first: Some(v1::CallPosition { height: 3, index: 7 }),
        calls,
        explanations: vec![v1::Explanation { call: 1, text: "why".to_owned() }],
        acknowledgement: 2,
        repeated: true,
        ..v1::SubmissionReceipts::default()
    };
    let mut encoded = Vec::new();
    let mut told = rest.clone();
    for call in 0..calls {
        let gas_used = u64::from(call) * 1_000;
        push_receipt(&mut encoded, |fields| {
            fields.optional_integer(1, 0);
            fields.integer(2, gas_used);
            fields.message(4, |fields| fields.bytes(1, b"sent"));
        });
        let events = vec![v1::Event { topic: b"sent"[..].into(), ..v1::Event::default() }];
        told.receipts.push(v1::Receipt { outcome: Some(0), gas_used, events, ..v1::Receipt::default() });
    }
    (EncodedSubmissionReceipts { rest, receipts: encoded.into() }, told)
}

#[test]
fn what_a_server_answers_is_the_message_that_a_client_knows() {
    for calls in [0, 1, 2, 300] {
        let (sent, told) = receipts(calls);
        let response = EncodedSubmitBatchResponse { receipts: sent.clone() };
        let encoded = response.encode_to_vec();
        assert_eq!(encoded.len(), response.encoded_len());
        let expected = v1::SubmitBatchResponse { receipts: Some(told.clone()) };
        assert_eq!(v1::SubmitBatchResponse::decode(&encoded[..]), Ok(expected));
        for sequence in [0, 5] {
            let answer = EncodedSubmissionAnswer { sequence, receipts: sent.clone() };
            let response = EncodedSubmitStreamResponse::Answer(answer);
            let encoded = response.encode_to_vec();
            assert_eq!(encoded.len(), response.encoded_len());
            let message = Answer::Answer(v1::SubmissionAnswer { sequence, receipts: Some(told.clone()) });
            let expected = v1::SubmitStreamResponse { message: Some(message) };
            assert_eq!(v1::SubmitStreamResponse::decode(&encoded[..]), Ok(expected));
        }
    }
    let opened = v1::SessionOpened { next_sequence: 1, earliest_answer: 2, credits: 3 };
    let response = EncodedSubmitStreamResponse::Opened(opened);
    assert_eq!(response.encode_to_vec().len(), response.encoded_len());
    let expected = v1::SubmitStreamResponse { message: Some(Answer::Opened(opened)) };
    assert_eq!(v1::SubmitStreamResponse::decode(&response.encode_to_vec()[..]), Ok(expected));
}
