//! `kill -9` under load: whatever was acknowledged as durable is there exactly once, through sessions and by ids, and nobody was told of
//! a state that a kill took back.
//!
//! `PHALANX_TEST_KILLS` sets how often the node is killed (default 4). How long each restart took, and how long the log was that it
//! replayed, is printed at the end (`cargo test … kill -- --nocapture`).

use phalanx_client::{Client, Columns, Options, Session, SessionOptions, v1};
use phalanx_engine::fs::{FileSystem, RealFileSystem};
use phalanx_engine::log::survey;
use phalanx_proto::v1::submit_batch_request::Calls;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};
use tempfile::tempdir;

use super::node::*;

const SESSIONS: u8 = 2;
/// Calls of a session's submission.
const CALLS: u64 = 20;
/// Clients that submit one call after the other, each under an id.
const SINGLES: u8 = 8;
const FUNDS: u128 = 1 << 100;
/// Submissions of a session whose answers a node remembers.
const ANSWERS_KEPT: usize = 128;
/// A life ends at any time up to this after all clients went on in it: some syncs of batches.
const LIFE_MAX: Duration = Duration::from_millis(100);
/// From so many kills on, chance decides no more: some hit calls that were executed and not yet acknowledged, and the log grew.
const KILLS_MANY: usize = 20;

/// Who submits. Its calls move 1, 2, 3, … from its account to another one, so that each is told from all others.
#[derive(Clone, Copy)]
struct Account {
    from: [u8; 32],
    to: [u8; 32],
}

impl Account {
    fn new(number: u8) -> Account {
        Account { from: [10 + number; 32], to: [100 + number; 32] }
    }

    fn call(&self, token: &[u8], amount: u64) -> v1::Call {
        let id = Some(u128::from(amount).to_le_bytes().to_vec().into());
        v1::Call { id, ..token_call(token, "transfer", self.from, self.to, amount.into()) }
    }

    /// The submission of a session that has this sequence.
    fn columns(&self, token: &[u8], sequence: u64) -> Columns {
        let contract = token.try_into().expect("32 bytes");
        let mut columns = Columns::default();
        for amount in (sequence - 1) * CALLS + 1..=sequence * CALLS {
            let arguments = [&self.to[..], &u128::from(amount).to_le_bytes()].concat();
            columns.push(contract, "transfer", &self.from, GAS, &arguments);
        }
        columns
    }
}

/// What clients share with the test.
struct Clients {
    token: Vec<u8>,
    ends: AtomicBool,
    /// Answers of each client.
    answers: Vec<AtomicU64>,
}

/// What a client was told is durable: of its calls in order of their amounts, where each stands and its receipt.
#[derive(Default)]
struct Acknowledged {
    calls: Vec<(v1::CallPosition, v1::Receipt)>,
    /// Answers that were of an execution before.
    repeated: u64,
}

impl Acknowledged {
    fn take(&mut self, first: Option<v1::CallPosition>, receipts: Vec<v1::Receipt>, level: i32, repeated: bool) {
        assert_eq!(level, i32::from(v1::Acknowledgement::Durable));
        let v1::CallPosition { height, index } = first.expect("set");
        for (receipt, index) in receipts.into_iter().zip(index..) {
            assert_eq!(outcome(Some(&receipt)), v1::Outcome::Ok);
            self.calls.push((v1::CallPosition { height, index }, receipt));
        }
        self.repeated += u64::from(repeated);
    }
}

/// Submits on a session until the end, and goes on until all is answered.
async fn submit_in_session(
    client: Client,
    name: [u8; 16],
    account: Account,
    number: usize,
    all: Arc<Clients>,
) -> Acknowledged {
    let options = SessionOptions { name: Some(name), ..SessionOptions::default() };
    let mut session = Session::open(&client, options).await.expect("somebody listens in the end");
    let mut acknowledged = Acknowledged::default();
    loop {
        while session.has_credit() && !all.ends.load(Relaxed) {
            let columns = account.columns(&all.token, session.next_sequence());
            session.submit(columns).await.expect("there is credit");
        }
        let Some(answer) = session.answer().await.expect("it is answered in the end") else { return acknowledged };
        assert_eq!((answer.sequence - 1) * CALLS, acknowledged.calls.len() as u64, "answers come in order, each once");
        let v1::SubmissionReceipts { first, calls, receipts, acknowledgement, repeated, .. } =
            answer.receipts.expect("set");
        assert_eq!((u64::from(calls), receipts.len() as u64), (CALLS, CALLS));
        acknowledged.take(first, receipts, acknowledgement, repeated);
        all.answers[number].fetch_add(1, Relaxed);
    }
}

/// Submits one call after the other until the end.
async fn submit_by_id(client: Client, account: Account, number: usize, all: Arc<Clients>) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    for amount in 1.. {
        if all.ends.load(Relaxed) {
            break;
        }
        let answer = client.submit(account.call(&all.token, amount)).await.expect("it is answered in the end");
        acknowledged.take(answer.position, Vec::from_iter(answer.receipt), answer.acknowledgement, answer.repeated);
        all.answers[number].fetch_add(1, Relaxed);
    }
    acknowledged
}

/// Asks for an account's balance until the end. Answers what it was at which heights.
async fn ask(client: Client, owner: [u8; 32], number: usize, all: Arc<Clients>) -> Vec<(u64, u128)> {
    let question =
        v1::Call { arguments: owner.to_vec().into(), ..token_call(&all.token, "balance_of", owner, owner, 0) };
    let mut seen = Vec::new();
    while !all.ends.load(Relaxed) {
        let answer = client.query(question.clone()).await.expect("it is answered in the end");
        let returned = answer.receipt.expect("set").return_bytes;
        seen.push((answer.height, u128::from_le_bytes(returned[..].try_into().expect("16 bytes"))));
        all.answers[number].fetch_add(1, Relaxed);
    }
    seen
}

/// Each balance that was seen is what whole batches came to, up to a height that no kill took back.
fn assert_seen(seen: &[(u64, u128)], payer: &Acknowledged) {
    assert!(seen.is_sorted_by_key(|(height, _)| *height), "what is durable stays so");
    for (height, balance) in seen {
        let paid = payer.calls.partition_point(|(position, _)| position.height <= *height) as u128;
        assert_eq!(*balance, paid * (paid + 1) / 2, "after height {height}");
    }
}

/// Waits until each client was answered once more.
async fn wait_for_all(clients: &Arc<Clients>) {
    let deadline = Instant::now() + Duration::from_secs(120);
    let before: Vec<u64> = clients.answers.iter().map(|answers| answers.load(Relaxed)).collect();
    while clients.answers.iter().zip(&before).any(|(answers, before)| answers.load(Relaxed) <= *before) {
        // Each client's task and the test have one.
        assert_eq!(Arc::strong_count(clients), clients.answers.len() + 1, "a client failed");
        assert!(Instant::now() < deadline, "no answer within two minutes");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A restart after a kill.
struct Restart {
    log_bytes: u64,
    height: u64,
    took: Duration,
}

impl Restart {
    /// Serves the folder again where it was served.
    fn of(folder: &Path, address: &str) -> (Served, Restart) {
        // Files are longer than what is in them: segments are allocated ahead.
        let fs: Arc<dyn FileSystem> = Arc::new(RealFileSystem);
        let log = survey(&fs, &folder.join("data")).expect("it is readable").expect("it is there");
        let log_bytes = log.segments.iter().map(|segment| segment.bytes).sum();
        let began = Instant::now();
        let served = Served::start(folder, &["--listen", address]);
        let took = began.elapsed();
        let height = served.started["height"].as_u64().expect("a number");
        (served, Restart { log_bytes, height, took })
    }
}

/// Prints restart times against the log's length and, if there are many, the line through them: least squares.
fn print(restarts: &[Restart]) {
    const MIB: f64 = 1_048_576.0;
    println!("{:>12} {:>9} {:>10}", "log bytes", "height", "restart ms");
    for Restart { log_bytes, height, took } in restarts {
        println!("{log_bytes:>12} {height:>9} {:>10.1}", took.as_secs_f64() * 1e3);
    }
    if restarts.len() < KILLS_MANY {
        return;
    }
    let points = || restarts.iter().map(|restart| (restart.log_bytes as f64 / MIB, restart.took.as_secs_f64() * 1e3));
    let count = restarts.len() as f64;
    let (x, y) = points().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
    let (xy, xx) =
        points().fold((0.0, 0.0), |(xy, xx), point| (xy + (point.0 - x) * (point.1 - y), xx + (point.0 - x).powi(2)));
    let slope = xy / xx;
    println!("restart ms = {:.1} + {slope:.2} x MiB of log", y - slope * x);
}

/// Calls are known by their ids, and submissions by their sequences: asked for again, they are answered as they were.
async fn assert_known(
    served: &Served,
    token: &[u8],
    sessions: &[(Account, [u8; 16], Acknowledged)],
    singles: &[(Account, Acknowledged)],
) {
    let info = served.query().get_server_info(v1::GetServerInfoRequest {}).await.expect("it is answered").into_inner();
    for (account, acknowledged) in singles {
        for ((position, receipt), amount) in acknowledged.calls.iter().zip(1..) {
            if position.height >= info.earliest_id_height {
                let again = submit(served, account.call(token, amount)).await;
                assert_eq!(
                    (again.repeated, again.position.as_ref(), again.receipt.as_ref()),
                    (true, Some(position), Some(receipt))
                );
            }
        }
    }
    for (account, name, acknowledged) in sessions {
        let submissions = acknowledged.calls.chunks(CALLS as usize);
        let forgotten = submissions.len().saturating_sub(ANSWERS_KEPT);
        for (calls, sequence) in submissions.zip(1..).skip(forgotten) {
            let again = v1::SubmitBatchRequest {
                calls: Some(Calls::Columns(account.columns(token, sequence).into())),
                session: Some(v1::SessionPosition { session: name.to_vec().into(), sequence }),
                ..v1::SubmitBatchRequest::default()
            };
            let again =
                served.execution().submit_batch(again).await.expect("it is known").into_inner().receipts.expect("set");
            assert_eq!((again.repeated, again.first), (true, Some(calls[0].0)));
            assert!(again.receipts.iter().eq(calls.iter().map(|(_, receipt)| receipt)));
        }
    }
}

/// The history has each acknowledged call where it was said to be, once, and no other call of the clients'.
async fn assert_history(served: &Served, acknowledged: &[(Account, &Acknowledged)]) {
    let info = served.query().get_server_info(v1::GetServerInfoRequest {}).await.expect("it is answered").into_inner();
    let mut missing = HashMap::new();
    for (account, acknowledged) in acknowledged {
        let calls = acknowledged.calls.iter().zip(1u128..);
        missing.extend(calls.map(|(call, amount)| ((account.from, amount), call)));
    }
    let request = v1::SubscribeRequest {
        from: Some(v1::Cursor { height: 1, index: 0 }),
        filter: Some(v1::CallFilter { methods: vec!["transfer".to_owned()], ..v1::CallFilter::default() }),
        include_calls: true,
        include_receipts: true,
        ..v1::SubscribeRequest::default()
    };
    let mut messages = served.query().subscribe(request).await.expect("it is taken in").into_inner();
    let mut next = 1;
    while next <= info.height {
        let message = messages.message().await.expect("it goes on").expect("it has no end");
        for v1::HistoryCall { index, call, receipt, .. } in message.calls {
            let call = call.expect("it was asked for");
            let sender = <[u8; 32]>::try_from(&call.sender[..]).expect("32 bytes");
            let amount = u128::from_le_bytes(call.arguments[32..].try_into().expect("16 bytes"));
            let position = v1::CallPosition { height: message.height, index };
            let known = missing.remove(&(sender, amount));
            let (place, told) =
                known.unwrap_or_else(|| panic!("{amount} of {sender:?} is there twice, or was never acknowledged"));
            assert_eq!((position, receipt.as_ref()), (*place, Some(told)));
        }
        next = message.next.expect("set").height;
    }
    assert!(missing.is_empty(), "acknowledged, and not there: {missing:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_acknowledged_as_durable_is_there_once_however_often_the_node_is_killed() {
    let kills: usize = std::env::var("PHALANX_TEST_KILLS").map_or(4, |text| text.parse().expect("a number of kills"));
    let folder = tempdir().expect("a temporary directory");
    let mut served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    let accounts = (0..SESSIONS + SINGLES).map(Account::new);
    for account in accounts.clone() {
        submit(&served, token_call(&token, "mint", ISSUER, account.from, FUNDS)).await;
    }

    let all = Arc::new(Clients {
        token: token.clone(),
        ends: AtomicBool::new(false),
        answers: (0..=SESSIONS + SINGLES).map(|_| AtomicU64::new(0)).collect(),
    });
    let endpoint = served.endpoint.clone();
    let connect = async || {
        let options = Options { attempts: 1_000, ..Options::default() };
        Client::connect(endpoint.clone(), options).await.expect("it listens")
    };
    let (mut sessions, mut singles) = (Vec::new(), Vec::new());
    let single = connect().await;
    for (number, account) in accounts.enumerate() {
        if number < usize::from(SESSIONS) {
            let (client, name) = (connect().await, [1 + number as u8; 16]);
            let task = tokio::spawn(submit_in_session(client, name, account, number, Arc::clone(&all)));
            sessions.push((account, name, task));
        } else {
            singles.push((account, tokio::spawn(submit_by_id(single.clone(), account, number, Arc::clone(&all)))));
        }
    }

    let owner = Account::new(0).to;
    let asking = tokio::spawn(ask(connect().await, owner, usize::from(SESSIONS + SINGLES), Arc::clone(&all)));

    let address = endpoint.strip_prefix("http://").expect("it is");
    let mut lives = ChaCha8Rng::seed_from_u64(1);
    let mut restarts = Vec::new();
    for _ in 0..kills {
        wait_for_all(&all).await;
        tokio::time::sleep(LIFE_MAX.mul_f64(lives.random())).await;
        served.kill();
        let (again, restart) = Restart::of(folder.path(), address);
        (served, _) = (again, restarts.push(restart));
    }
    wait_for_all(&all).await;
    all.ends.store(true, Relaxed);
    let (mut in_sessions, mut by_id) = (Vec::new(), Vec::new());
    for (account, name, task) in sessions {
        in_sessions.push((account, name, task.await.expect("it does not panic")));
    }
    for (account, task) in singles {
        by_id.push((account, task.await.expect("it does not panic")));
    }
    let seen = asking.await.expect("it does not panic");

    assert_known(&served, &token, &in_sessions, &by_id).await;
    let of_sessions = in_sessions.iter().map(|(account, _, acknowledged)| (*account, acknowledged));
    let of_singles = by_id.iter().map(|(account, acknowledged)| (*account, acknowledged));
    let acknowledged: Vec<_> = of_sessions.chain(of_singles).collect();
    assert_history(&served, &acknowledged).await;
    for (account, Acknowledged { calls, .. }) in &acknowledged {
        let count = calls.len() as u128;
        let moved = count * (count + 1) / 2;
        let balances = (balance(&served, &token, account.from).await, balance(&served, &token, account.to).await);
        assert_eq!(balances, (FUNDS - moved, moved));
    }
    assert_seen(&seen, acknowledged[0].1);
    assert_eq!(served.end().code, 0);
    verify(&folder.path().join("data"));

    let calls = |list: &[(Account, &Acknowledged)]| {
        list.iter().map(|(_, acknowledged)| acknowledged.calls.len()).sum::<usize>()
    };
    let repeated: u64 = acknowledged.iter().map(|(_, acknowledged)| acknowledged.repeated).sum();
    let (bulk, single) = acknowledged.split_at(SESSIONS.into());
    println!(
        "{kills} kills; durable acknowledgements, each there once: {} calls in sessions, {} by id; {repeated} answers were of an execution before a kill",
        calls(bulk),
        calls(single)
    );
    print(&restarts);
    assert!(kills < KILLS_MANY || repeated > 0, "no kill came between an execution and its answer");
}
