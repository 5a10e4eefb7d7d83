//! Admission and ordering without a network: a test says what is in the queue when it is worked on.

use futures_util::{FutureExt, StreamExt};
use phalanx_engine::Options;
use phalanx_engine::fs::faulty::{self, FaultyFileSystem};
use phalanx_proto::history::EncodedSubscribeResponse;
use phalanx_proto::v1;
use phalanx_proto::v1::query_service_server::QueryService;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tonic::{Code, Status};
use tonic_types::{ErrorInfo, StatusExt};

use super::answers::ExecutedBatch;
use super::cutter::Between;
use super::spans::Spans;
use super::submission::{Answer, Known, Level, Reached, Submission};
use super::wire::Calls;
use super::*;
use crate::execution::CHAIN_ID;

/// A node whose queue nobody works on until it is told to.
struct Still {
    node: Node,
    cutter: Cutter,
    batches: crossbeam_channel::Receiver<ExecutedBatch>,
    progress: watch::Sender<Progress>,
    _drain: watch::Sender<bool>,
}

impl Still {
    fn new() -> Still {
        Still::on(&FaultyFileSystem::new())
    }

    fn on(disk: &FaultyFileSystem) -> Still {
        let options = logged_options(Options { workers: 1, ..Options::default() });
        let opened = LoggedEngine::open(Arc::new(disk.clone()), Path::new("/data"), options);
        let logged = Arc::new(opened.expect("it is new").0);
        let (work, queue) = crossbeam_channel::unbounded();
        let (asking, questions) = questions::questions();
        let (executed, batches) = crossbeam_channel::unbounded();
        let (to, watched) = watch::channel(Progress { durable_height: 0, stopped: false });
        let (_drain, draining) = watch::channel(false);
        let pace = Arc::new(Pace::default());
        let shared = Shared {
            logged: Arc::clone(&logged),
            chain_id: CHAIN_ID,
            require_signatures: false,
            signature_checks: Arc::new(Semaphore::new(signed::LISTS_CHECKED)),
            access: Access::open(),
            pace: Arc::clone(&pace),
            work,
            asking,
            progress: watched,
            draining,
            room: Arc::new(Semaphore::new(node::QUEUE_BYTES_MAX as usize)),
            waiting_room: Arc::new(Semaphore::new(node::WAITING_BYTES_MAX as usize)),
            questions: Arc::new(Semaphore::new(node::QUESTIONS_MAX)),
            recent: Arc::new(Recent::new()),
            reread: Default::default(),
        };
        let (once, catalog) = (Once::default(), Catalog::default());
        let batch_calls = 100;
        let spans = Spans::nowhere();
        let cutter = Cutter { logged, work: queue, questions, executed, once, catalog, pace, spans, batch_calls };
        Still { node: Node { shared: Arc::new(shared) }, cutter, batches, progress: to, _drain }
    }

    fn admit(&self, deadline: Option<Instant>) -> Result<(), Status> {
        let admitted = self.node.admit(call(), Known::Unknown, Level::Executed, deadline).now_or_never();
        admitted.expect("nobody waits where there is room").map(drop).map_err(Status::from)
    }

    /// Asks for the height that a question about the queue is answered at.
    fn ask_in_order(&self) -> oneshot::Receiver<u64> {
        let (question, height) = height_after(Duration::ZERO);
        self.node.shared.work.send(Work::Ask(question)).expect("the queue is there");
        height
    }

    /// Asks for the height that a question about the state is answered at, which takes so long.
    fn ask(&self, takes: Duration) -> oneshot::Receiver<u64> {
        let (question, height) = height_after(takes);
        self.node.shared.asking.looks.send(question).expect("it is waited for");
        height
    }

    /// Works on what is in the queue. Answers how many submissions each batch has.
    fn work(self) -> Vec<usize> {
        self.node.shared.work.send(Work::End).expect("the queue is there");
        self.cutter.run().expect("nothing fails");
        self.batches.iter().map(|batch| batch.waiting.len()).collect()
    }
}

/// A question that takes so long and answers the height.
fn height_after(takes: Duration) -> (questions::Look, oneshot::Receiver<u64>) {
    let (to, height) = oneshot::channel();
    let question = move |between: &Between<'_>| {
        thread::sleep(takes);
        to.send(between.height()).expect("it is waited for");
    };
    (Box::new(question), height)
}

fn message() -> v1::Call {
    let bytes = |byte| vec![byte; 32].into();
    v1::Call { contract: bytes(7), sender: bytes(8), method: "m".to_owned(), ..v1::Call::default() }
}

fn call() -> Calls {
    Calls::single(Some(message())).expect("it is well formed").0
}

fn info(status: &Status) -> ErrorInfo {
    status.get_details_error_info().expect("each refusal has one")
}

#[tokio::test]
async fn a_full_queue_has_requests_wait_then_refuses_and_says_when_to_come_again() {
    let still = Still::new();
    let shared = Arc::clone(&still.node.shared);
    let node = still.node.clone();
    let fill = || {
        let rest = shared.room.available_permits() as u32 - 100;
        Arc::clone(&shared.room).try_acquire_many_owned(rest).expect("they are there")
    };
    let admit = |deadline| node.admit(call(), Known::Unknown, Level::Executed, deadline);
    let taken = fill();
    let mut waiting = Box::pin(admit(None));
    assert!(timeout(Duration::ZERO, &mut waiting).await.is_err(), "100 bytes are too few");
    assert!(still.cutter.work.is_empty());
    drop(taken);
    assert!(waiting.await.is_ok(), "there is room now");
    assert_eq!(still.cutter.work.len(), 1);

    let taken = fill();
    let began = Instant::now();
    let late = Status::from(admit(Some(began + Duration::from_millis(50))).await.err().expect("nobody makes room"));
    assert!((Duration::from_millis(50)..Duration::from_millis(900)).contains(&began.elapsed()), "its deadline is near");
    let in_vain = Status::from(admit(None).await.err().expect("nobody makes room"));
    assert!(began.elapsed() > Duration::from_secs(1));
    let _waiting = shared.waiting_room.try_acquire_many(node::WAITING_BYTES_MAX as u32 - 100).expect("nobody waits");
    let at_once = still.admit(None).expect_err("too many wait");
    for refused in [late, in_vain, at_once] {
        assert_eq!(refused.code(), Code::ResourceExhausted);
        let info = info(&refused);
        let said = ["limit", "actual", "max"].map(|key| info.metadata[key].as_str());
        assert_eq!((&*info.reason, said), ("QUEUE_FULL", ["queue_bytes", "67108764", "67108864"]));
        assert!(refused.get_details_retry_info().is_some_and(|info| info.retry_delay.is_some()));
    }
    assert_eq!(still.cutter.work.len(), 1);
    drop(taken);
    still.admit(None).expect("there is room");
    assert_eq!(still.work(), [2]);
}

#[test]
fn what_cannot_be_ordered_in_time_is_refused_at_once() {
    let still = Still::new();
    // A second a MiB, and 32 MiB in the queue. The newest batch counts for an eighth.
    still.node.shared.pace.note(1 << 20, Duration::from_secs(8));
    let _taken = Arc::clone(&still.node.shared.room).try_acquire_many_owned(32 << 20).expect("there is room");
    let now = Instant::now();
    let refused = still.admit(Some(now + Duration::from_secs(20))).expect_err("it is too soon");
    let wait = info(&refused).metadata["wait_ms"].parse::<u32>().expect("it is a number");
    assert!((31_000..=32_000).contains(&wait), "{wait}");
    let passed = still.admit(Some(now)).expect_err("it is over");
    for refused in [refused, passed] {
        assert_eq!((refused.code(), &*info(&refused).reason), (Code::DeadlineExceeded, "DEADLINE_BEFORE_ORDER"));
    }
    assert!(still.cutter.work.is_empty());
    still.admit(Some(now + Duration::from_secs(3_600))).expect("it is in time");
    assert_eq!(still.work(), [1]);
}

#[tokio::test]
async fn what_gathered_is_one_batch_without_what_is_too_late() {
    let still = Still::new();
    still.admit(None).expect("there is room");
    let (to, reply) = oneshot::channel();
    let room = Arc::clone(&still.node.shared.room).try_acquire_owned().expect("there is room");
    let now = Instant::now();
    let answer = Answer { to: Some(to), room, admitted: now };
    let (known, level) = (Known::Unknown, Level::Executed);
    let late = Submission { calls: call(), known, level, deadline: Some(now), answer };
    still.node.shared.work.send(Work::Submission(Box::new(late))).expect("the queue is there");
    still.admit(None).expect("there is room");
    assert_eq!(still.work(), [2]);
    let Ok(Err(refusal)) = reply.await else { panic!("it was ordered") };
    assert_eq!(info(&Status::from(refusal)).reason, "DEADLINE_BEFORE_ORDER");
}

#[tokio::test]
async fn a_place_is_told_before_what_was_executed_is_taken_apart() {
    let still = Still::new();
    let admit = |level| {
        let admitted = still.node.admit(call(), Known::Unknown, level, None).now_or_never();
        admitted.expect("at once").map_err(Status::from).expect("there is room")
    };
    let (ordered, executed) = (admit(Level::Ordered), admit(Level::Executed));
    let node = still.node.clone();
    // Nobody takes the batch apart.
    assert_eq!(still.work(), [2]);
    let Ok(Reached::Ordered(notice)) = node.answer(ordered).await else { panic!("it has a place") };
    assert_eq!((notice.first, notice.calls), (Some(v1::CallPosition { height: 1, index: 0 }), 1));
    assert!(node.answer(executed).await.is_err());
}

#[tokio::test]
async fn a_question_about_the_queue_waits_for_it_and_one_about_the_state_for_one_batch() {
    let mut still = Still::new();
    still.cutter.batch_calls = 1;
    (0..3).for_each(|_| still.admit(None).expect("there is room"));
    let (in_order, of_state) = (still.ask_in_order(), still.ask(Duration::ZERO));
    assert_eq!(still.work(), [1; 3]);
    assert_eq!((in_order.await, of_state.await), (Ok(3), Ok(1)));
}

#[tokio::test]
async fn long_questions_hold_up_no_batch_twice_and_are_all_answered() {
    let mut still = Still::new();
    still.cutter.batch_calls = 1;
    (0..3).for_each(|_| still.admit(None).expect("there is room"));
    // Each takes a turn of its own, and three batches take less than is to be between two of these.
    let [first, second, third] = [(); 3].map(|()| still.ask(Duration::from_millis(300)));
    let Still { node, cutter, batches, .. } = still;
    let worked = thread::spawn(|| cutter.run());
    let heights = (first.await, second.await, third.await);
    assert_eq!(heights, (Ok(1), Ok(3), Ok(3)));
    node.shared.work.send(Work::End).expect("the queue is there");
    worked.join().expect("it does not panic").expect("nothing fails");
    assert_eq!(batches.iter().count(), 3);
}

#[tokio::test]
async fn what_is_told_of_sessions_contracts_and_state_is_durable() {
    let still = Still::new();
    let position = phalanx_engine::Submission { session: [9; 16], sequence: 1 };
    let known = Known::Session { position, fingerprint: 0 };
    let admitted = still.node.admit(call(), known, Level::Executed, None).await;
    let _admitted = admitted.map_err(Status::from).expect("there is room");
    let (node, progress) = (still.node.clone(), still.progress.clone());
    let key = v1::GetStateRequest { contract: vec![7; 32].into(), keys: vec![vec![0].into()] };
    let mut listed = node.list_contracts(tonic::Request::new(v1::ListContractsRequest::default()));
    let mut opened = Box::pin(session_stream::opened(&node, [9; 16]));
    let mut read = node.get_state(tonic::Request::new(key));
    assert!(timeout(Duration::ZERO, &mut listed).await.is_err(), "it waits for its turn");
    assert!(timeout(Duration::ZERO, &mut opened).await.is_err(), "it waits for its turn");
    assert!(timeout(Duration::ZERO, &mut read).await.is_err(), "it waits for its turn");
    assert_eq!(still.work(), [1]);
    assert!(timeout(Duration::ZERO, &mut listed).await.is_err(), "it waits for the sync");
    assert!(timeout(Duration::ZERO, &mut opened).await.is_err(), "it waits for the sync");
    assert!(timeout(Duration::ZERO, &mut read).await.is_err(), "it waits for the sync");
    progress.send_modify(|progress| progress.durable_height = 1);
    listed.await.expect("it is durable");
    assert_eq!(opened.await.expect("it is durable").next_sequence, 2);
    assert_eq!(read.await.expect("it is durable").into_inner().height, 1);
}

/// One of the disk's next operations fails behind the batch whose height a query sees. Which it is depends on what else the log does
/// meanwhile, so it is tried until heights were lost and kept.
#[tokio::test]
async fn a_query_is_answered_when_what_it_saw_is_durable_or_never() {
    let (mut lost, mut kept) = (0, 0);
    for attempt in 0..1_000 {
        let disk = FaultyFileSystem::new();
        let Still { node, cutter, batches, progress, .. } = Still::on(&disk);
        disk.fail(disk.operation_count() + attempt % 6, faulty::Fault::Io);
        let logged = Arc::clone(&node.shared.logged);
        let mut batch = phalanx_engine::BatchBuilder::new(1, 0);
        call().push_into(&mut batch, Known::Unknown.identity()).expect("it fits");
        // That it stopped may be noticed now or later.
        _ = logged.execute(batch.finish());
        let question = v1::QueryRequest { call: Some(message()), height: None };
        let mut asked = node.query(tonic::Request::new(question));
        assert!(timeout(Duration::ZERO, &mut asked).await.is_err(), "it waits for its turn");
        node.shared.work.send(Work::End).expect("the queue is there");
        cutter.run().expect("trying a call has nothing to do with the log");
        assert!(timeout(Duration::ZERO, &mut asked).await.is_err(), "it waits for the sync");
        let (to, unsynced) = crossbeam_channel::unbounded();
        answers::take_apart(&batches, &to, &Recent::new());
        drop(to);
        let synced = answers::wait_for_syncs(&unsynced, &logged, &progress).is_ok();
        drop(unsynced);
        let height = asked.await.ok().map(|answer| answer.into_inner().height);
        assert_eq!((height, logged.wait_durable(1).is_ok()), (synced.then_some(1), synced));
        *(if synced { &mut kept } else { &mut lost }) += 1;
        if lost >= 4 && kept >= 4 {
            return;
        }
    }
    panic!("{lost} lost, {kept} kept");
}

/// The same node, which has nothing but its log to tell from.
fn without_recent(node: &Node) -> Node {
    let Shared { logged, pace, work, asking, progress, draining, room, questions, .. } = &*node.shared;
    let shared = Shared {
        logged: Arc::clone(logged),
        chain_id: CHAIN_ID,
        require_signatures: false,
        signature_checks: Arc::new(Semaphore::new(signed::LISTS_CHECKED)),
        access: Access::open(),
        pace: Arc::clone(pace),
        work: work.clone(),
        asking: questions::Asking { looks: asking.looks.clone(), tries: asking.tries.clone() },
        progress: progress.clone(),
        draining: draining.clone(),
        room: Arc::clone(room),
        waiting_room: Arc::new(Semaphore::new(node::WAITING_BYTES_MAX as usize)),
        questions: Arc::clone(questions),
        recent: Arc::new(Recent::new()),
        reread: Default::default(),
    };
    Node { shared: Arc::new(shared) }
}

/// All that a subscriber is told up to a height.
async fn told(node: &Node, request: v1::SubscribeRequest, last: u64) -> Vec<EncodedSubscribeResponse> {
    let mut messages = history::follow(node, &request).map_err(Status::from).expect("there is a place");
    let mut told = Vec::new();
    loop {
        let message = timeout(Duration::from_secs(60), messages.next()).await.expect("it comes");
        told.push(message.expect("it has no end").expect("it goes on"));
        if told.last().is_some_and(|message| message.next.is_some_and(|next| next.height > last)) {
            return told;
        }
    }
}

#[tokio::test]
async fn recent_heights_are_told_as_the_log_tells_them() {
    const HEIGHTS: u64 = 12;
    const CALLS: u8 = 100;
    let still = Still::new();
    let Shared { logged, recent, .. } = &*still.node.shared;
    let asked = |from: (u64, u32), senders: &[u8], methods: &[&str]| v1::SubscribeRequest {
        from: Some(v1::Cursor { height: from.0, index: from.1 }),
        filter: Some(v1::CallFilter {
            senders: senders.iter().map(|sender| vec![*sender; 32].into()).collect(),
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
            ..v1::CallFilter::default()
        }),
        include_calls: true,
        include_receipts: true,
        include_writes: true,
        canonical: false,
    };
    let requests = [
        asked((1, 0), &[], &[]),
        asked((1, 0), &[1, 3], &[]),
        asked((5, 60), &[], &["m"]),
        asked((7, 20), &[2], &["n"]),
        asked((9, 99), &[77], &[]),
        v1::SubscribeRequest { canonical: true, ..asked((1, 0), &[1, 3], &[]) },
    ];
    // As if there had been subscribers from the seventh height on.
    let mut subscribers = Vec::new();
    for height in 1..=HEIGHTS {
        let mut batch = phalanx_engine::BatchBuilder::new(height, height);
        for number in 0..CALLS {
            // Long ones, so that heights come in parts.
            let arguments = &vec![number; 20_000];
            let (sender, method) = ([number % 5; 32], if number % 3 == 0 { "m" } else { "n" });
            let call = phalanx_engine::Call { contract: [9; 32], method, sender, arguments, gas_limit: 1_000 };
            batch.push(&call).expect("it fits");
        }
        let batch = batch.finish();
        let executed = logged.execute(batch.clone()).expect("nothing fails");
        if height == 7 {
            // One that is told all, and one of those whose calls are gathered.
            let requests = [&requests[0], &requests[5]];
            let filters = requests.map(|request| wire::Filter::of(request).map_err(Status::from));
            subscribers = filters.map(|filter| recent.subscribers().join(filter.expect("it is well formed"))).into();
            recent.subscribers().refresh();
        }
        recent.keep(&batch, &executed);
    }
    let is_recent = |height| recent.get(height).is_some();
    assert!(!subscribers.is_empty() && !is_recent(6) && is_recent(7) && is_recent(HEIGHTS));
    logged.wait_durable(HEIGHTS).expect("nothing fails");
    let of_log = without_recent(&still.node);
    // Nothing is told of what is recent and not durable.
    let mut early = history::follow(&still.node, &requests[3]).map_err(Status::from).expect("there is a place");
    assert!(timeout(Duration::from_millis(100), early.next()).await.is_err());
    still.progress.send_modify(|progress| progress.durable_height = HEIGHTS);
    for request in requests {
        let (recent, log) = (told(&still.node, request.clone(), HEIGHTS), told(&of_log, request, HEIGHTS));
        let (recent, log) = tokio::join!(recent, log);
        assert!(recent.len() >= 4);
        assert_eq!(recent, log);
    }
}

/// Many small heights, which are read many at a time: each once for all, in order, from one place in the log.
#[tokio::test]
async fn heights_are_read_again_once_for_all_who_are_behind() {
    const HEIGHTS: u64 = 300;
    let still = Still::new();
    let Shared { logged, .. } = &*still.node.shared;
    for height in 1..=HEIGHTS {
        let mut batch = phalanx_engine::BatchBuilder::new(height, height);
        let call =
            phalanx_engine::Call { contract: [9; 32], method: "m", sender: [1; 32], arguments: &[], gas_limit: 0 };
        batch.push(&call).expect("it fits");
        logged.execute(batch.finish()).expect("nothing fails");
    }
    logged.wait_durable(HEIGHTS).expect("nothing fails");
    still.progress.send_modify(|progress| progress.durable_height = HEIGHTS);
    let node = &still.node;
    let reread = &node.shared.reread;
    let filter = wire::Filter::of(&v1::SubscribeRequest::default()).map_err(Status::from);
    let filter = Arc::new(filter.expect("it is well formed"));
    let (first, second) = (reread::Behind::new(node, &filter), reread::Behind::new(node, &filter));
    for number in 1..=HEIGHTS {
        let read = || async { reread.height(node, number, true).await.map_err(Status::from).expect("it is durable") };
        let (one, other) = tokio::join!(read(), read());
        assert!(Arc::ptr_eq(&one, &other) && one.number() == number);
        // Who asks for calls alone is served by it.
        let calls = reread.height(node, number, false).await.map_err(Status::from).expect("it is durable");
        assert!(Arc::ptr_eq(&one, &calls));
        assert_eq!(reread.kept().1, 1, "one place in the log");
    }
    drop(first);
    assert_eq!(reread.kept(), (HEIGHTS as usize, 1), "somebody is still behind");
    drop(second);
    assert_eq!(reread.kept(), (0, 0));
}

#[test]
fn a_thread_that_fails_or_panics_stops_the_node() {
    let stopped = |run: &dyn Fn(Fault)| {
        let (progress, watched) = watch::channel(Progress { durable_height: 0, stopped: false });
        let fault = Fault { progress, armed: true };
        _ = catch_unwind(AssertUnwindSafe(|| run(fault)));
        watched.borrow().stopped
    };
    assert!(stopped(&|fault| fault.unless_panicked(|| panic!("on purpose"))));
    assert!(stopped(&|fault| _ = fault.unless_ok::<(), ()>(|| panic!("on purpose"))));
    assert!(stopped(&|fault| _ = fault.unless_ok(|| Err::<(), _>(()))));
    assert!(!stopped(&|fault| _ = fault.unless_ok(|| Ok::<_, ()>(()))));
    assert!(!stopped(&|fault| fault.unless_panicked(|| ())));
}

#[test]
fn a_timeout_is_read_in_every_unit() {
    let read = |text: &'static str| {
        let mut metadata = tonic::metadata::MetadataMap::new();
        metadata.insert("grpc-timeout", text.parse().expect("it is ASCII"));
        let now = Instant::now();
        node::deadline(&metadata).map(|deadline| (deadline - now).as_secs())
    };
    for text in ["2H", "120M", "7200S", "7200000m", "7200000000u", "7200000000000n"] {
        let seconds = read(text).expect("it is well formed");
        assert!((7_200..7_260).contains(&seconds), "{text}: {seconds} s");
    }
    for text in ["", "2", "S", "2s", "-2S", "2.5S"] {
        assert_eq!(read(text), None, "{text}");
    }
}
