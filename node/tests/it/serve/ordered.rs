//! The acknowledgement level `ordered`: a notice before execution.

use phalanx_client::{Client, Columns, Options, Session, SessionOptions};
use phalanx_proto::v1;
use phalanx_proto::v1::submit_batch_request::Calls;
use tempfile::tempdir;

use super::node::*;

const ORDERED: v1::Acknowledgement = v1::Acknowledgement::Ordered;

fn receipt_of(position: v1::CallPosition) -> v1::GetReceiptRequest {
    v1::GetReceiptRequest { call: Some(v1::get_receipt_request::Call::Position(position)) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_notice_says_where_a_call_will_stand_and_nothing_of_what_it_does() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    let call = v1::Call { id: Some(vec![7; 16].into()), ..token_call(&token, "mint", ISSUER, ALICE, 100) };
    let ordered = v1::SubmitRequest { call: Some(call.clone()), acknowledgement: ORDERED.into() };
    let answer = served.execution().submit(ordered.clone()).await.expect("it is taken in").into_inner();
    let notice = answer.ordered.expect("it is a notice");
    let first = v1::CallPosition { height: 2, index: 0 };
    assert_eq!(notice, v1::OrderedNotice { first: Some(first), calls: 1, repeated: false });
    let nothing =
        v1::SubmitResponse { ordered: Some(notice), acknowledgement: ORDERED.into(), ..v1::SubmitResponse::default() };
    assert_eq!(answer, nothing, "neither receipt nor position");

    // The receipt is had where the notice said, and by the same request again, which executes nothing.
    let kept = served.query().get_receipt(receipt_of(first)).await.expect("it is there").into_inner();
    assert_eq!(outcome(kept.receipt.as_ref()), v1::Outcome::Ok);
    let again = served.execution().submit(ordered).await.expect("it is known").into_inner().ordered;
    assert_eq!(again, Some(v1::OrderedNotice { first: Some(first), calls: 1, repeated: true }));
    let durable = submit(&served, call).await;
    assert_eq!((durable.repeated, durable.receipt, durable.ordered), (true, kept.receipt, None));
    assert_eq!(balance(&served, &token, ALICE).await, 100);

    let columns = transfers(&token, 40, ALICE, BOB);
    let batch = v1::SubmitBatchRequest {
        calls: Some(Calls::Columns(columns)),
        acknowledgement: ORDERED.into(),
        ..v1::SubmitBatchRequest::default()
    };
    let receipts = served.execution().submit_batch(batch).await.expect("it is taken in").into_inner().receipts;
    let receipts = receipts.expect("set");
    let first = v1::CallPosition { height: 3, index: 0 };
    assert_eq!(receipts.ordered, Some(v1::OrderedNotice { first: Some(first), calls: 40, repeated: false }));
    assert_eq!((receipts.first, receipts.calls, receipts.receipts.len()), (None, 0, 0));
    // In one batch with others who wait for more, each gets what is its own.
    let deploy = v1::DeployRequest {
        sender: ALICE.to_vec().into(),
        module: token_module().into(),
        acknowledgement: ORDERED.into(),
        ..v1::DeployRequest::default()
    };
    let deployed = served.execution().deploy(deploy).await.expect("it is taken in").into_inner();
    assert!(deployed.ordered.is_some() && deployed.receipt.is_none() && deployed.contract.is_empty());
    assert_eq!(balance(&served, &token, BOB).await, 40);
    assert_eq!(served.end().code, 0);
    verify(&folder.path().join("data"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn clients_that_wait_for_different_things_share_batches() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    let execution = served.execution();
    let tasks: Vec<_> = (0..300u32)
        .map(|number| {
            // A third of them fails, so that receipts that are mixed up would show.
            let method = if number % 3 == 0 { "transfer" } else { "mint" };
            let call = token_call(&token, method, ISSUER, [100 + (number % 7) as u8; 32], 1 + u128::from(number));
            let level = [ORDERED, v1::Acknowledgement::Executed, v1::Acknowledgement::Durable][number as usize % 3];
            let level = if number % 3 == 0 && number % 2 == 0 { v1::Acknowledgement::Durable } else { level };
            let mut execution = execution.clone();
            tokio::spawn(async move {
                let request = v1::SubmitRequest { call: Some(call), acknowledgement: level.into() };
                (number, level, execution.submit(request).await.expect("it is taken in").into_inner())
            })
        })
        .collect();
    for task in tasks {
        let (number, level, answer) = task.await.expect("it does not panic");
        assert_eq!(answer.acknowledgement, i32::from(level));
        let receipt = match (level, answer.ordered) {
            (ORDERED, Some(notice)) => {
                let asked = receipt_of(notice.first.expect("set"));
                served.query().get_receipt(asked).await.expect("it is there").into_inner().receipt
            }
            (_, notice) => {
                assert!(notice.is_none());
                answer.receipt
            }
        };
        let expected = if number % 3 == 0 { v1::Outcome::Reverted } else { v1::Outcome::Ok };
        assert_eq!(outcome(receipt.as_ref()), expected, "call {number}");
    }
    assert_eq!(served.end().code, 0);
    verify(&folder.path().join("data"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_session_can_be_told_places_alone() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    submit(&served, token_call(&token, "mint", ISSUER, ALICE, 1_000)).await;
    let client = Client::connect(served.endpoint.clone(), Options::default()).await.expect("it listens");
    let options = SessionOptions { acknowledgement: ORDERED, ..SessionOptions::default() };
    let mut session = Session::open(&client, options).await.expect("it is opened");
    let mut calls = 0u32;
    for count in 1..=20 {
        let mut columns = Columns::default();
        for _ in 0..count {
            let token = token[..].try_into().expect("32 bytes");
            columns.push(token, "transfer", &ALICE, GAS, &[&BOB[..], &1u128.to_le_bytes()].concat());
        }
        calls += count;
        session.submit(columns).await.expect("it is taken in");
    }
    let mut last = v1::CallPosition::default();
    for count in 1..=20 {
        let answer = session.answer().await.expect("it is answered").expect("some are unanswered");
        let receipts = answer.receipts.expect("set");
        let notice = receipts.ordered.expect("it is a notice");
        let first = notice.first.expect("set");
        assert_eq!((notice.calls, receipts.receipts.len()), (count, 0));
        assert!((first.height, first.index) > (last.height, last.index), "they are ordered as they were sent");
        last = first;
    }
    // A place is told before the call is executed, and a balance is not waited for; a receipt is.
    served.query().get_receipt(receipt_of(last)).await.expect("it is there");
    assert_eq!(balance(&served, &token, BOB).await, u128::from(calls));
    assert_eq!(served.end().code, 0);
}
