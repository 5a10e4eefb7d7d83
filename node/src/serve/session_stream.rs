//! `SubmitStream`: the submissions of a session, read ahead of their answers by at most the credits.

use futures_util::stream;
use phalanx_proto::answers::{EncodedSubmissionAnswer, EncodedSubmitStreamResponse};
use phalanx_proto::v1;
use phalanx_proto::v1::session_submission::Calls as SubmissionCalls;
use phalanx_proto::v1::submit_stream_request::Message as Asked;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::access::Principal;
use super::execution_service::in_session;
use super::node::{Admitted, Node};
use super::refusal::Refusal;
use super::submission::Level;
use super::wire::{self, Calls};

/// Submissions of a stream that may be on their way.
pub(crate) const CREDITS: usize = 32;

/// The answers of a stream.
pub(crate) type Answers = Pin<Box<dyn stream::Stream<Item = Result<EncodedSubmitStreamResponse, Status>> + Send>>;

/// What is to be answered, in order.
enum Pending {
    Opened(v1::SessionOpened),
    Submitted { sequence: u64, admitted: Admitted, session: Arc<Session> },
}

/// What a stream has opened.
struct Session {
    name: [u8; 16],
    level: Level,
    canonical: bool,
}

/// Reads submissions on a task of its own, and answers them in order.
pub(super) fn answers(node: Node, principal: Arc<Principal>, asked: Streaming<v1::SubmitStreamRequest>) -> Answers {
    // One more is out of the channel, and waits for its answer.
    let (to, pending) = mpsc::channel(CREDITS - 1);
    tokio::spawn(read(node.clone(), principal, asked, to));
    Box::pin(stream::unfold((node, pending), |(node, mut pending)| async move {
        let next = pending.recv().await?;
        let answer = match next {
            Ok(pending) => answer(&node, pending).await.map_err(Status::from),
            Err(status) => Err(status),
        };
        if answer.is_err() {
            // What was read ahead is behind the refused one in its session: it gets no answer.
            pending.close();
            while pending.try_recv().is_ok() {}
        }
        Some((answer, (node, pending)))
    }))
}

async fn answer(node: &Node, pending: Pending) -> Result<EncodedSubmitStreamResponse, Refusal> {
    Ok(match pending {
        Pending::Opened(opened) => EncodedSubmitStreamResponse::Opened(opened),
        Pending::Submitted { sequence, admitted, session } => {
            let reached = node.answer(admitted).await.map_err(|refusal| refusal.of_sequence(sequence))?;
            let receipts = wire::receipts_of(reached, session.level, session.canonical);
            EncodedSubmitStreamResponse::Answer(EncodedSubmissionAnswer { sequence, receipts })
        }
    })
}

/// Reads until the client ends, something is refused, or the server drains.
async fn read(
    node: Node,
    principal: Arc<Principal>,
    asked: Streaming<v1::SubmitStreamRequest>,
    to: mpsc::Sender<Result<Pending, Status>>,
) {
    if let Err(status) = read_all(&node, &principal, asked, &to).await {
        _ = to.send(Err(status)).await;
    }
}

async fn read_all(
    node: &Node,
    principal: &Principal,
    mut asked: Streaming<v1::SubmitStreamRequest>,
    to: &mpsc::Sender<Result<Pending, Status>>,
) -> Result<(), Status> {
    let mut session = None;
    loop {
        // Before the message is read: what is read has room to wait in.
        let Ok(place) = to.reserve().await else { return Ok(()) };
        let message = tokio::select! {
            () = node.drained() => return Err(Refusal::draining().into()),
            () = to.closed() => return Ok(()),
            message = asked.message() => message?,
        };
        let Some(message) = message else { return Ok(()) };
        let pending = match (wire::required("message", message.message)?, &session) {
            (Asked::Open(open), None) => {
                let (opened, pending) = open_session(node, principal, &open).await?;
                session = Some(Arc::new(opened));
                pending
            }
            (Asked::Submission(submission), Some(session)) => submit(node, principal, submission, session).await?,
            (Asked::Open(_), Some(_)) => return Err(Refusal::malformed("open", "the stream has a session").into()),
            (Asked::Submission(_), None) => {
                return Err(Refusal::malformed("submission", "the first message opens a session").into());
            }
        };
        place.send(Ok(pending));
    }
}

async fn open_session(
    node: &Node,
    principal: &Principal,
    open: &v1::OpenSession,
) -> Result<(Session, Pending), Refusal> {
    principal.check_sessions()?;
    let name = wire::fixed("open.session", &open.session)?;
    let session =
        Session { name, level: wire::level(open.acknowledgement)?, canonical: wire::is_canonical(open.receipt_form)? };
    let opened = opened(node, principal.session(&name)).await?;
    Ok((session, Pending::Opened(opened)))
}

/// How far a session is.
pub(super) async fn opened(node: &Node, session: [u8; 16]) -> Result<v1::SessionOpened, Refusal> {
    // The queue is in order: whatever an earlier stream of the session left in it comes before this. Durable, as the client
    // takes what is below `next_sequence` for done.
    let question = move |between: &super::cutter::Between<'_>| {
        between.once.sessions.get(&session).map_or((1, 1), |session| (session.next(), session.earliest_answer()))
    };
    let ((next_sequence, earliest_answer), height) = node.ask_in_order(question).await?;
    node.wait_durable(height).await?;
    Ok(v1::SessionOpened { next_sequence, earliest_answer, credits: CREDITS as u32 })
}

async fn submit(
    node: &Node,
    principal: &Principal,
    submission: v1::SessionSubmission,
    session: &Arc<Session>,
) -> Result<Pending, Refusal> {
    let v1::SessionSubmission { sequence, calls } = submission;
    let of_sequence = |refusal: Refusal| refusal.of_sequence(sequence);
    let calls = match wire::required("submission.calls", calls).map_err(of_sequence)? {
        SubmissionCalls::List(list) => Calls::list(&list),
        SubmissionCalls::Columns(columns) => Calls::columns(columns),
    };
    let calls = calls.map_err(of_sequence)?;
    principal.check_calls(&calls).map_err(of_sequence)?;
    let calls = node.check_signatures(calls).await.map_err(of_sequence)?;
    let known = in_session(principal, &session.name, sequence, &calls);
    let admitted = node.admit_in_turn(calls, known, session.level).await.map_err(of_sequence)?;
    Ok(Pending::Submitted { sequence, admitted, session: Arc::clone(session) })
}
