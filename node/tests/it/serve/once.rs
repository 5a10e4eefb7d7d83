//! Exactly once: ids, sessions, restarts and crashes.

use phalanx_proto::v1;
use phalanx_proto::v1::session_submission::Calls;
use phalanx_proto::v1::submit_batch_request::Calls as BatchCalls;
use phalanx_proto::v1::submit_stream_request::Message as Asked;
use phalanx_proto::v1::submit_stream_response::Message as Answer;
use tempfile::tempdir;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;

use super::node::*;

const SESSION: [u8; 16] = [5; 16];

fn with_id(call: v1::Call, id: [u8; 16]) -> v1::Call {
    v1::Call { id: Some(id.to_vec().into()), ..call }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_call_with_an_id_is_executed_once_over_restarts() {
    let folder = tempdir().expect("a temporary directory");
    let mut served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    let call = with_id(token_call(&token, "mint", ISSUER, ALICE, 7), [1; 16]);
    let first = submit(&served, call.clone()).await;
    assert!(!first.repeated);
    for restart in 0..3 {
        let again = submit(&served, call.clone()).await;
        assert!(again.repeated);
        assert_eq!((again.position, &again.receipt), (first.position, &first.receipt), "after {restart} restarts");
        served = match restart {
            0 => {
                assert_eq!(served.end().code, 0);
                Served::start(folder.path(), &[])
            }
            _ => {
                served.kill();
                Served::start(folder.path(), &[])
            }
        };
    }
    assert_eq!(balance(&served, &token, ALICE).await, 7);
    let asked = v1::CallId { sender: ISSUER.to_vec().into(), id: vec![1; 16].into() };
    let asked = v1::GetReceiptRequest { call: Some(v1::get_receipt_request::Call::Id(asked)) };
    let kept = served.query().get_receipt(asked).await.expect("it is kept").into_inner();
    assert_eq!((kept.position, kept.receipt), (first.position, first.receipt));

    let other = with_id(token_call(&token, "mint", ISSUER, ALICE, 8), [1; 16]);
    let request = v1::SubmitRequest { call: Some(other.clone()), ..v1::SubmitRequest::default() };
    let refused = served.execution().submit(request).await.expect_err("the body is another");
    assert_eq!(refused.code(), Code::AlreadyExists);
    assert_eq!(refused.get_details_error_info().expect("it has one").reason, "ID_REUSED");
    // Another sender's id is another id.
    let others = submit(&served, v1::Call { sender: BOB.to_vec().into(), ..other }).await;
    assert!(!others.repeated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_same_id_at_once_is_executed_once() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    let call = with_id(token_call(&token, "mint", ISSUER, ALICE, 7), [1; 16]);
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (mut execution, call) = (served.execution(), Some(call.clone()));
            tokio::spawn(async move {
                let answer = execution.submit(v1::SubmitRequest { call, ..v1::SubmitRequest::default() }).await;
                let answer = answer.expect("it is taken in").into_inner();
                (answer.position.expect("set").height, answer.repeated)
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("it does not panic"));
    }
    assert_eq!(answers.iter().filter(|(_, repeated)| !repeated).count(), 1);
    assert!(answers.iter().all(|(height, _)| *height == answers[0].0));
    assert_eq!(balance(&served, &token, ALICE).await, 7);
}

/// A stream of a session.
struct Session {
    to: mpsc::Sender<v1::SubmitStreamRequest>,
    answers: Streaming<v1::SubmitStreamResponse>,
    opened: v1::SessionOpened,
}

impl Session {
    async fn open(served: &Served, name: [u8; 16], receipts: v1::ReceiptForm) -> Session {
        let (to, requests) = mpsc::channel(1_000);
        let open = v1::OpenSession {
            session: name.to_vec().into(),
            receipt_form: receipts.into(),
            ..v1::OpenSession::default()
        };
        let stream = served.execution().submit_stream(ReceiverStream::new(requests)).await;
        let mut answers = stream.expect("it is taken in").into_inner();
        to.send(v1::SubmitStreamRequest { message: Some(Asked::Open(open)) }).await.expect("it is open");
        let opened = answers.message().await.expect("it is answered").expect("it is not the end");
        let Some(Answer::Opened(opened)) = opened.message else { panic!("{opened:?}") };
        Session { to, answers, opened }
    }

    async fn submit(&self, sequence: u64, columns: v1::CallColumns) {
        let calls = Some(Calls::Columns(columns));
        let submission = v1::SessionSubmission { sequence, calls };
        let message = v1::SubmitStreamRequest { message: Some(Asked::Submission(submission)) };
        // The stream may have ended with a status, which its answers tell.
        _ = self.to.send(message).await;
    }

    async fn answer(&mut self) -> Result<Option<v1::SubmissionAnswer>, Status> {
        let message = self.answers.message().await?;
        Ok(message.map(|message| match message.message {
            Some(Answer::Answer(answer)) => answer,
            other => panic!("{other:?}"),
        }))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_session_goes_on_after_a_kill_and_nothing_is_executed_twice() {
    const SUBMISSIONS: u64 = 60;
    const CALLS: u32 = 40;
    let folder = tempdir().expect("a temporary directory");
    let mut served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    submit(&served, token_call(&token, "mint", ISSUER, ALICE, u128::from(SUBMISSIONS) * u128::from(CALLS))).await;
    let mut next = 1;
    let mut kills = 0;
    let mut durable = Vec::new();
    while next <= SUBMISSIONS {
        let mut session = Session::open(&served, SESSION, v1::ReceiptForm::Canonical).await;
        assert!(session.opened.next_sequence >= next, "what was acknowledged is there");
        // A careless client sends again what it has no answer to, instead of looking at `next_sequence`.
        for sequence in next..=SUBMISSIONS {
            session.submit(sequence, transfers(&token, CALLS, ALICE, BOB)).await;
        }
        while let Ok(Some(answer)) = session.answer().await {
            assert_eq!(answer.sequence, next, "answers come in order");
            let receipts = answer.receipts.expect("set");
            assert_eq!(receipts.calls, CALLS);
            durable.push((receipts.first.expect("set").height, receipts.canonical_receipts));
            next += 1;
            if kills < 3 && next > 15 * (kills + 1) {
                kills += 1;
                served.kill();
                served = Served::start(folder.path(), &[]);
                break;
            }
            if next > SUBMISSIONS {
                break;
            }
        }
    }
    assert_eq!((kills, durable.len() as u64), (3, SUBMISSIONS));
    assert!(durable.is_sorted_by_key(|(height, _)| *height));
    assert_eq!(balance(&served, &token, BOB).await, u128::from(SUBMISSIONS) * u128::from(CALLS));
    assert_eq!(balance(&served, &token, ALICE).await, 0);
    assert_eq!(served.end().code, 0);
    verify(&folder.path().join("data"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_session_refuses_gaps_and_other_bodies() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    submit(&served, token_call(&token, "mint", ISSUER, ALICE, 1_000)).await;
    let mut session = Session::open(&served, SESSION, v1::ReceiptForm::Messages).await;
    assert_eq!((session.opened.next_sequence, session.opened.earliest_answer), (1, 1));
    session.submit(1, transfers(&token, 3, ALICE, BOB)).await;
    let first = session.answer().await.expect("it is answered").expect("it is not the end").receipts.expect("set");
    assert_eq!((first.receipts.len(), first.repeated), (3, false));
    // The gap ends the stream.
    session.submit(3, transfers(&token, 3, ALICE, BOB)).await;
    let refused = session.answer().await.expect_err("2 comes next");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let info = refused.get_details_error_info().expect("it has one");
    assert_eq!((&*info.reason, &*info.metadata["next"], &*info.metadata["sequence"]), ("SEQUENCE_GAP", "2", "3"));

    let mut batch = v1::SubmitBatchRequest {
        calls: Some(BatchCalls::Columns(transfers(&token, 3, ALICE, BOB))),
        session: Some(v1::SessionPosition { session: SESSION.to_vec().into(), sequence: 1 }),
        ..v1::SubmitBatchRequest::default()
    };
    let mut execution = served.execution();
    let again = execution.submit_batch(batch.clone()).await.expect("it is known").into_inner().receipts.expect("set");
    assert_eq!((again.repeated, again.first, &again.receipts), (true, first.first, &first.receipts));
    batch.calls = Some(BatchCalls::Columns(transfers(&token, 4, ALICE, BOB)));
    let refused = execution.submit_batch(batch).await.expect_err("the calls are others");
    assert_eq!(refused.code(), Code::AlreadyExists);
    assert_eq!(refused.get_details_error_info().expect("it has one").reason, "SEQUENCE_REUSED");
    let mut reopened = Session::open(&served, SESSION, v1::ReceiptForm::Messages).await;
    assert_eq!((reopened.opened.next_sequence, balance(&served, &token, BOB).await), (2, 3));
    reopened.submit(2, transfers(&token, 3, ALICE, BOB)).await;
    reopened.answer().await.expect("it is answered").expect("it is not the end");
    assert_eq!(balance(&served, &token, BOB).await, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_answer_that_is_no_longer_kept_is_said_to_be_so() {
    const ANSWERS_KEPT: u64 = 128;
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    submit(&served, token_call(&token, "mint", ISSUER, ALICE, 1_000)).await;
    let mut session = Session::open(&served, SESSION, v1::ReceiptForm::Canonical).await;
    for sequence in 1..=ANSWERS_KEPT + 1 {
        session.submit(sequence, transfers(&token, 1, ALICE, BOB)).await;
    }
    for sequence in 1..=ANSWERS_KEPT + 1 {
        let answer = session.answer().await.expect("it is answered").expect("it is not the end");
        assert_eq!(answer.sequence, sequence);
    }
    let again = |sequence| v1::SubmitBatchRequest {
        calls: Some(BatchCalls::Columns(transfers(&token, 1, ALICE, BOB))),
        session: Some(v1::SessionPosition { session: SESSION.to_vec().into(), sequence }),
        ..v1::SubmitBatchRequest::default()
    };
    let refused = served.execution().submit_batch(again(1)).await.expect_err("it is forgotten");
    assert_eq!(refused.code(), Code::OutOfRange);
    let info = refused.get_details_error_info().expect("it has one");
    assert_eq!((&*info.reason, &*info.metadata["earliest"]), ("ANSWER_FORGOTTEN", "2"));
    let kept = served.execution().submit_batch(again(2)).await.expect("it is kept").into_inner();
    assert!(kept.receipts.expect("set").repeated);
    let reopened = Session::open(&served, SESSION, v1::ReceiptForm::Canonical).await.opened;
    assert_eq!((reopened.next_sequence, reopened.earliest_answer), (ANSWERS_KEPT + 2, 2));
    assert_eq!(balance(&served, &token, BOB).await, u128::from(ANSWERS_KEPT) + 1);
}
