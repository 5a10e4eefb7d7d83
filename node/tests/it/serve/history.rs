//! Following the history.

use phalanx_client::{CanonicalCall, Change, WriteRecord, canonical_calls, canonical_writes};
use phalanx_proto::v1;
use tempfile::tempdir;
use tonic::Streaming;

use super::node::*;

async fn subscribe(served: &Served, request: v1::SubscribeRequest) -> Streaming<v1::SubscribeResponse> {
    served.query().subscribe(request).await.expect("it is taken in").into_inner()
}

fn all_from(height: u64, index: u32) -> v1::SubscribeRequest {
    v1::SubscribeRequest {
        from: Some(v1::Cursor { height, index }),
        include_calls: true,
        include_receipts: true,
        include_writes: true,
        ..v1::SubscribeRequest::default()
    }
}

async fn next(messages: &mut Streaming<v1::SubscribeResponse>) -> v1::SubscribeResponse {
    messages.message().await.expect("it goes on").expect("it has no end")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_subscriber_sees_past_and_future_and_resumes() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    submit(&served, token_call(&token, "mint", ISSUER, ALICE, 100)).await;
    let mut messages = subscribe(&served, all_from(1, 0)).await;
    let deploy = next(&mut messages).await;
    assert_eq!((deploy.height, deploy.next), (1, Some(v1::Cursor { height: 2, index: 0 })));
    assert!(deploy.calls[0].writes.iter().any(|write| matches!(write.change, Some(v1::write::Change::ModuleHash(_)))));
    let mint = next(&mut messages).await;
    assert_eq!(mint.calls[0].call, Some(token_call(&token, "mint", ISSUER, ALICE, 100)));

    let call = token_call(&token, "transfer", ALICE, BOB, 30);
    let moved = submit(&served, call.clone()).await;
    let seen = next(&mut messages).await;
    assert!(seen.time_ms >= mint.time_ms && seen.time_ms > 1_700_000_000_000);
    let [transfer] = &seen.calls[..] else { panic!("{seen:?}") };
    assert_eq!((seen.height, transfer.index, &transfer.receipt), (3, 0, &moved.receipt));
    assert_eq!(transfer.call, Some(call));
    assert_eq!(transfer.writes.len(), 2);
    // From the last cursor the same goes on, also after a restart.
    let cursor = mint.next.expect("set");
    drop(messages);
    assert_eq!(served.end().code, 0);
    let served = Served::start(folder.path(), &[]);
    let mut messages = subscribe(&served, all_from(cursor.height, cursor.index)).await;
    assert_eq!(next(&mut messages).await, seen);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_filter_chooses_and_large_heights_come_in_parts() {
    const CALLS: u32 = 10_000;
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    submit(&served, token_call(&token, "mint", ISSUER, ALICE, 1_000_000)).await;
    let mut columns = transfers(&token, CALLS, ALICE, BOB);
    // Every hundredth is Bob's.
    columns.senders = (0..CALLS).flat_map(|call| if call % 100 == 99 { BOB } else { ALICE }).collect::<Vec<_>>().into();
    let request = v1::SubmitBatchRequest {
        calls: Some(v1::submit_batch_request::Calls::Columns(columns)),
        receipt_form: v1::ReceiptForm::Canonical.into(),
        ..v1::SubmitBatchRequest::default()
    };
    served.execution().submit_batch(request).await.expect("it is taken in");

    let mut parts = 0;
    let mut seen = 0;
    let mut messages = subscribe(&served, all_from(3, 0)).await;
    while seen < CALLS {
        let part = next(&mut messages).await;
        assert!(part.calls.iter().enumerate().all(|(at, call)| call.index == seen + at as u32));
        assert!(part.calls.iter().all(|call| call.receipt.is_some()));
        (parts, seen) = (parts + 1, seen + part.calls.len() as u32);
        let expected = if seen == CALLS { (4, 0) } else { (3, seen) };
        assert_eq!(part.next.map(|next| (next.height, next.index)), Some(expected));
        if parts == 1 {
            // Resumed within a height.
            drop(messages);
            messages = subscribe(&served, all_from(3, seen)).await;
        }
    }
    assert!(parts >= 2, "{parts}");

    let filter = v1::CallFilter { senders: vec![BOB.to_vec().into()], ..v1::CallFilter::default() };
    let filtered = v1::SubscribeRequest { filter: Some(filter), include_calls: false, ..all_from(1, 0) };
    let mut messages = subscribe(&served, filtered).await;
    assert_eq!(next(&mut messages).await.calls, []);
    assert_eq!(next(&mut messages).await.next, Some(v1::Cursor { height: 3, index: 0 }));
    let bobs = next(&mut messages).await;
    assert_eq!(bobs.calls.len() as u32, CALLS / 100);
    assert!(bobs.calls.iter().all(|call| call.index % 100 == 99 && call.call.is_none() && call.receipt.is_some()));
}

/// The call as it is told in a message.
fn as_message(call: CanonicalCall<'_>, writes: &[WriteRecord<'_>]) -> v1::HistoryCall {
    let copied = |bytes: &[u8]| bytes.to_vec().into();
    let called = call.call.map(|call| call.contract);
    let write = |write: &WriteRecord<'_>| v1::Write {
        call: write.call,
        contract: copied(write.contract.or(called).expect("calls were asked for")),
        key: copied(write.key),
        change: Some(match write.change {
            Change::Value(value) => v1::write::Change::Value(copied(value)),
            Change::Removed => v1::write::Change::Tombstone(v1::Tombstone {}),
            Change::ModuleHash(hash) => v1::write::Change::ModuleHash(copied(hash)),
        }),
    };
    v1::HistoryCall {
        index: call.index,
        call: call.call.map(|call| v1::Call {
            contract: copied(call.contract),
            method: call.method.to_owned(),
            sender: copied(call.sender),
            arguments: copied(call.arguments),
            gas_limit: call.gas_limit.into(),
            id: call.id.map(copied),
            signature: call.signature.map(copied),
        }),
        receipt: call.receipt.map(|receipt| v1::Receipt {
            outcome: Some(receipt.outcome.into()),
            gas_used: receipt.gas_used.into(),
            return_bytes: copied(receipt.return_bytes),
            events: receipt
                .events()
                .map(|(topic, data)| v1::Event { topic: copied(topic), data: copied(data) })
                .collect(),
        }),
        writes: writes.iter().filter(|it| it.call == call.index).map(write).collect(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn canonical_bytes_say_what_messages_say() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    submit(&served, token_call(&token, "mint", ISSUER, ALICE, 1_000)).await;
    for (from, to, amount) in [(ALICE, BOB, 10), (BOB, ALICE, 3), (BOB, ALICE, 1_000_000)] {
        let id = Some(vec![amount as u8; 16].into());
        submit(&served, v1::Call { id, ..token_call(&token, "transfer", from, to, amount) }).await;
    }
    let senders = vec![BOB.to_vec().into()];
    for filter in [v1::CallFilter::default(), v1::CallFilter { senders, ..v1::CallFilter::default() }] {
        let of_all = v1::SubscribeRequest { filter: Some(filter), ..all_from(1, 0) };
        for asked in [
            of_all.clone(),
            v1::SubscribeRequest { include_writes: false, ..of_all.clone() },
            v1::SubscribeRequest { include_receipts: false, ..of_all.clone() },
            v1::SubscribeRequest { include_calls: false, include_writes: false, ..of_all.clone() },
        ] {
            let mut messages = subscribe(&served, asked.clone()).await;
            let mut canonical = subscribe(&served, v1::SubscribeRequest { canonical: true, ..asked.clone() }).await;
            for height in 1..=5 {
                let (message, bytes) = (next(&mut messages).await, next(&mut canonical).await);
                assert_eq!((message.height, message.next), (height, bytes.next));
                assert_eq!((&message.canonical, &bytes.calls), (&None, &Vec::new()));
                let told = bytes.canonical.unwrap_or_default();
                let writes: Result<Vec<_>, _> = canonical_writes(&told).collect();
                let writes = writes.expect("they are whole");
                let calls = canonical_calls(&told).map(|call| as_message(call.expect("it is whole"), &writes));
                assert_eq!(calls.collect::<Vec<_>>(), message.calls, "height {height}, {asked:?}");
            }
        }
    }
    let without_calls = v1::SubscribeRequest { canonical: true, include_calls: false, ..all_from(1, 0) };
    let refused = served.query().subscribe(without_calls).await.expect_err("whose keys they are is not said");
    assert!(refused.message().contains("include_calls"), "{refused}");
}
