//! The Rust client against a node that comes and goes.

use phalanx_client::{Client, ClientError, Columns, Options, Session, SessionOptions, v1};
use phalanx_engine::{Outcome, Receipts};
use tempfile::tempdir;

use super::node::*;

fn columns(token: &[u8], calls: u32) -> Columns {
    let token = token.try_into().expect("32 bytes");
    let mut columns = Columns::default();
    for _ in 0..calls {
        columns.push(token, "transfer", &ALICE, GAS, &[&BOB[..], &1u128.to_le_bytes()].concat());
    }
    columns
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_session_outlives_its_node() {
    const SUBMISSIONS: u64 = 80;
    let folder = tempdir().expect("a temporary directory");
    let mut served = Some(Served::start(folder.path(), &[]));
    let running = served.as_ref().expect("it runs");
    let address = running.endpoint.strip_prefix("http://").expect("it is").to_owned();
    let token = deploy_token(running).await;
    submit(running, token_call(&token, "mint", ISSUER, ALICE, 2 * u128::from(SUBMISSIONS))).await;

    let options = Options { attempts: 12, ..Options::default() };
    let client = Client::connect(format!("http://{address}"), options).await.expect("it listens");
    let session = SessionOptions { receipt_form: v1::ReceiptForm::Canonical, ..SessionOptions::default() };
    let mut session = Session::open(&client, session).await.expect("it is opened");
    let (mut sent, mut answered, mut kills) = (0, 0, 0);
    while session.has_credit() {
        sent = session.submit(columns(&token, 2)).await.expect("it is taken in");
    }
    let refused = session.submit(columns(&token, 2)).await.expect_err("the node reads no further ahead");
    assert!(matches!(refused, ClientError::Credits(32)) && !refused.is_transient(), "{refused}");
    assert_eq!((session.unanswered(), session.next_sequence()), (32, 33));
    while answered < SUBMISSIONS {
        if answered >= 20 * (kills + 1) && kills < 2 {
            kills += 1;
            served.take().expect("it runs").kill();
            // Nobody is there: it is sent when somebody is, and not a second time.
            sent = session.submit(columns(&token, 2)).await.expect("it is taken in");
            served = Some(Served::start(folder.path(), &["--listen", &address]));
        }
        while sent < SUBMISSIONS && session.has_credit() {
            sent = session.submit(columns(&token, 2)).await.expect("it is taken in");
        }
        let answer = session.answer().await.expect("it is answered").expect("some are unanswered");
        answered += 1;
        assert_eq!(answer.sequence, answered);
        let receipts = answer.receipts.expect("set").canonical_receipts;
        assert!(Receipts::new(&receipts).all(|receipt| receipt.outcome() == Outcome::Ok));
    }
    assert_eq!((kills, session.unanswered()), (2, 0));
    assert!(session.answer().await.expect("nothing is wrong").is_none());
    let running = served.expect("it runs");
    assert_eq!(balance(&running, &token, BOB).await, 2 * u128::from(SUBMISSIONS));
    // A call of the client's is sent again under its id, over a restart.
    running.kill();
    let asked = tokio::spawn(async move { client.submit(token_call(&token, "mint", ISSUER, BOB, 1)).await });
    let running = Served::start(folder.path(), &["--listen", &address]);
    let answer = asked.await.expect("it does not panic").expect("it is answered");
    assert_eq!(outcome(answer.receipt.as_ref()), v1::Outcome::Ok);
    assert_eq!(running.end().code, 0);
}
