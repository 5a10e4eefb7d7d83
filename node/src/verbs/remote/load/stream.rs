//! Submissions in a SubmitStream: one half sends within the credits, the other takes answers in their order.

use phalanx_client::{Client, ClientError};
use phalanx_proto::v1;
use phalanx_proto::v1::session_submission::Calls;
use phalanx_proto::v1::submit_stream_request::Message as Asked;
use phalanx_proto::v1::submit_stream_response::Message as Answer;
use std::cell::RefCell;
use std::collections::VecDeque;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout_at;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::answers::{Order, Told};
use super::plan::Plan;
use super::prepared::Template;
use super::run::Run;
use super::tally::Sent;

/// Most submissions that are ever unanswered: as many as the queue to a connection holds.
const UNANSWERED_MAX: u32 = 1_000;

/// An open stream of a new session.
pub(super) struct Stream {
    to: mpsc::Sender<v1::SubmitStreamRequest>,
    answers: Streaming<v1::SubmitStreamResponse>,
    /// Submissions that may be unanswered.
    pub(super) credits: u32,
}

impl Stream {
    pub(super) async fn open(client: &Client, plan: &Plan) -> Result<Stream, ClientError> {
        let mut session = [0; 16];
        getrandom::fill(&mut session).map_err(ClientError::Randomness)?;
        let open = v1::OpenSession {
            session: session.to_vec().into(),
            acknowledgement: plan.ack.on_the_wire(),
            receipt_form: plan.receipts.on_the_wire(),
        };
        let (to, requests) = mpsc::channel(UNANSWERED_MAX as usize);
        let open = v1::SubmitStreamRequest { message: Some(Asked::Open(open)) };
        to.try_send(open).map_err(|_| ClientError::Answer("nothing"))?;
        let mut answers = client.submit_stream(ReceiverStream::new(requests)).await?;
        match answers.message().await?.and_then(|message| message.message) {
            Some(Answer::Opened(opened)) => {
                let credits = opened.credits.clamp(1, UNANSWERED_MAX);
                Ok(Stream { to, answers, credits: plan.in_flight.unwrap_or(credits).min(credits) })
            }
            _ => Err(ClientError::Answer("something other than an opened session")),
        }
    }

    /// Submits until the clock stops, and ends when all is answered.
    pub(super) async fn drive(self, run: &Run) {
        let sent = RefCell::new(VecDeque::new());
        let credits = Semaphore::new(self.credits as usize);
        let sending = send(run, self.to, &sent, &credits);
        let receiving = async {
            if let Err(error) = receive(run, self.answers, &sent, &credits).await {
                run.lose(&error, sent.take().len());
                run.fail(&error);
            }
            credits.close();
        };
        tokio::join!(sending, receiving);
    }
}

/// Dropping the sender tells the node that nothing more comes; it answers what is left, and ends the stream.
async fn send(
    run: &Run,
    to: mpsc::Sender<v1::SubmitStreamRequest>,
    sent: &RefCell<VecDeque<Sent>>,
    credits: &Semaphore,
) {
    let mut sequence = 0;
    while let Ok(Ok(credit)) = timeout_at(run.starts.end(), credits.acquire()).await {
        credit.forget();
        let Some(intended) = run.starts.next().await else { break };
        let (this, calls) = run.start(intended);
        sent.borrow_mut().push_back(this);
        sequence += 1;
        let calls = match calls {
            Template::Columns(columns) => Calls::Columns(columns),
            Template::List(list) => Calls::List(list),
            Template::Single(call) => Calls::List([&call].into_iter().collect()),
        };
        let submission = v1::SessionSubmission { sequence, calls: Some(calls) };
        // A stream that has ended is met, and told, where answers are taken.
        if to.send(v1::SubmitStreamRequest { message: Some(Asked::Submission(submission)) }).await.is_err() {
            break;
        }
    }
}

async fn receive(
    run: &Run,
    mut answers: Streaming<v1::SubmitStreamResponse>,
    sent: &RefCell<VecDeque<Sent>>,
    credits: &Semaphore,
) -> Result<(), ClientError> {
    let mut order = Order::default();
    let mut sequence = 0;
    while let Some(message) = answers.message().await? {
        sequence += 1;
        let answer = match message.message {
            Some(Answer::Answer(answer)) if answer.sequence == sequence => answer,
            Some(Answer::Answer(_)) => return Err(ClientError::Answer("submissions out of order")),
            _ => return Err(ClientError::Answer("something other than a submission's receipts")),
        };
        let Some(this) = sent.borrow_mut().pop_front() else {
            return Err(ClientError::Answer("a submission that was not sent"));
        };
        let mut told = Told::of_submission(answer.receipts, run.expected());
        order.check(&mut told);
        run.answer(&this, told);
        credits.add_permits(1);
    }
    match sent.borrow().is_empty() && run.starts.is_over() {
        true => Ok(()),
        false => Err(ClientError::Connection("the stream has ended".to_owned())),
    }
}
