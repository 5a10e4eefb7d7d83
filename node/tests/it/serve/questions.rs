//! Questions while calls are executed: each answer is the state between two heights, whole and durable.

use phalanx_client::{Client, Columns, Options, Session, SessionOptions, v1};
use phalanx_proto::v1::write::Change;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use tempfile::tempdir;

use super::node::*;

const FUNDS: u128 = 1 << 64;
/// Calls of a submission.
const CALLS: u64 = 100;
/// Heights that each of those who ask sees the state of.
const HEIGHTS: usize = 25;
/// The slots of contracts/token.
const SUPPLY: u8 = 0;
const BALANCES: u8 = 1;

fn key(owner: [u8; 32]) -> Vec<u8> {
    [&[BALANCES], &owner[..]].concat()
}

fn number(bytes: &[u8]) -> u128 {
    u128::from_le_bytes(bytes.try_into().expect("16 bytes"))
}

async fn connect(served: &Served) -> Client {
    Client::connect(served.endpoint.clone(), Options::default()).await.expect("it listens")
}

/// Transfers as fast as they are taken, until the end.
async fn move_money(client: Client, transfers: Columns, ends: Arc<AtomicBool>) {
    let mut session = Session::open(&client, SessionOptions::default()).await.expect("it is opened");
    loop {
        while session.has_credit() && !ends.load(Relaxed) {
            session.submit(transfers.clone()).await.expect("there is credit");
        }
        let Some(answer) = session.answer().await.expect("it is answered") else { return };
        let receipts = answer.receipts.expect("set").receipts;
        assert!(receipts.iter().all(|receipt| outcome(Some(receipt)) == v1::Outcome::Ok));
    }
}

/// What was seen of Alice and of Bob.
#[derive(Default)]
struct Seen {
    /// Both at once, by height.
    both: Vec<(u64, [u128; 2])>,
    /// Alice alone, as the contract answers.
    asked: Vec<(u64, u128)>,
}

/// Asks in turns for both balances with the supply, and the contract for one.
async fn ask(client: Client, token: [u8; 32]) -> Seen {
    let mut seen = Seen::default();
    let question = v1::Call { arguments: ALICE.to_vec().into(), ..token_call(&token, "balance_of", ALICE, ALICE, 0) };
    let mut heights = BTreeSet::new();
    while heights.len() < HEIGHTS {
        let state = client.state(&token, vec![key(ALICE), vec![SUPPLY], key(BOB)]).await.expect("it is answered");
        let values: Vec<u128> =
            state.values.iter().map(|value| number(value.value.as_ref().expect("it is there"))).collect();
        let [alice, supply, bob] = values[..] else { panic!("{values:?}") };
        assert_eq!((alice + bob, supply), (2 * FUNDS, 2 * FUNDS), "at height {}", state.height);
        seen.both.push((state.height, [alice, bob]));
        heights.insert(state.height);
        let answer = client.query(question.clone()).await.expect("it is answered");
        seen.asked.push((answer.height, number(&answer.receipt.expect("set").return_bytes)));
        assert!(state.height <= answer.height, "what comes later sees no less");
    }
    seen
}

/// What Alice and Bob have after each height that changed it, as subscribers are told.
async fn balances(served: &Served) -> BTreeMap<u64, [u128; 2]> {
    let info = served.query().get_server_info(v1::GetServerInfoRequest {}).await.expect("it is answered").into_inner();
    let request = v1::SubscribeRequest {
        from: Some(v1::Cursor { height: 1, index: 0 }),
        include_writes: true,
        ..v1::SubscribeRequest::default()
    };
    let mut messages = served.query().subscribe(request).await.expect("it is taken in").into_inner();
    let (mut balances, mut now, mut next) = (BTreeMap::new(), [0; 2], 1);
    while next <= info.height {
        let message = messages.message().await.expect("it goes on").expect("it has no end");
        for write in message.calls.into_iter().flat_map(|call| call.writes) {
            for (owner, balance) in [ALICE, BOB].into_iter().zip(&mut now) {
                if let (true, Some(Change::Value(value))) = (write.key == key(owner), &write.change) {
                    *balance = number(value);
                }
            }
        }
        balances.insert(message.height, now);
        next = message.next.expect("set").height;
    }
    balances
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn answers_under_load_are_of_whole_heights() {
    let folder = tempdir().expect("a temporary directory");
    // Small batches, and so many of them.
    let served = Served::start(folder.path(), &["--batch-size", "500"]);
    let token: [u8; 32] = deploy_token(&served).await.try_into().expect("32 bytes");
    for owner in [ALICE, BOB] {
        submit(&served, token_call(&token, "mint", ISSUER, owner, FUNDS)).await;
    }
    let ends = Arc::new(AtomicBool::new(false));
    let mut moving = Vec::new();
    // Amounts differ, so that what one moves is not what the other moves back.
    for (from, to, amount) in [(ALICE, BOB, 1_000_003u128), (BOB, ALICE, 17)] {
        let mut transfers = Columns::default();
        (0..CALLS).for_each(|_| {
            transfers.push(&token, "transfer", &from, GAS, &[&to[..], &amount.to_le_bytes()].concat());
        });
        moving.push(tokio::spawn(move_money(connect(&served).await, transfers, Arc::clone(&ends))));
    }
    let mut asking = Vec::new();
    for _ in 0..4 {
        asking.push(tokio::spawn(ask(connect(&served).await, token)));
    }
    let mut all = Vec::new();
    for seen in asking {
        all.push(seen.await.expect("it does not panic"));
    }
    ends.store(true, Relaxed);
    for moves in moving {
        moves.await.expect("it does not panic");
    }

    let balances = balances(&served).await;
    for Seen { both, asked } in all {
        assert!(both.is_sorted_by_key(|(height, _)| *height), "what is durable stays so");
        for (height, found) in both {
            assert_eq!(found, balances[&height], "after height {height}");
        }
        for (height, found) in asked {
            assert_eq!(found, balances[&height][0], "after height {height}");
        }
    }
    assert_eq!(served.end().code, 0);
}
