//! A session: many submissions on one stream, each executed once.

use phalanx_proto::v1;
use phalanx_proto::v1::session_submission::Calls;
use phalanx_proto::v1::submit_stream_request::Message as Asked;
use phalanx_proto::v1::submit_stream_response::Message as Answer;
use std::collections::VecDeque;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::client::new_id;
use crate::retry::Attempts;
use crate::{Client, ClientError, Columns};

/// How a session is opened.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// The session's name, to go on with one after a restart of the client. A new one is drawn if it is missing.
    pub name: Option<[u8; 16]>,
    /// What answers wait for.
    pub acknowledgement: v1::Acknowledgement,
    /// How receipts are answered.
    pub receipt_form: v1::ReceiptForm,
}

/// Submits calls in order, and answers in order. What was not answered when a connection is lost is sent again; the node
/// knows what it has executed.
pub struct Session {
    client: Client,
    name: [u8; 16],
    options: SessionOptions,
    stream: Stream,
    /// What was sent and not answered, in order of sequence.
    unanswered: VecDeque<v1::SessionSubmission>,
    next_sequence: u64,
}

struct Stream {
    to: mpsc::Sender<v1::SubmitStreamRequest>,
    answers: Streaming<v1::SubmitStreamResponse>,
    credits: usize,
    opened: v1::SessionOpened,
}

impl Session {
    /// Opens a session, or goes on with one.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn open(client: &Client, options: SessionOptions) -> Result<Session, ClientError> {
        let name = options.name.map_or_else(new_id, Ok)?;
        let mut attempts = client.attempts();
        let stream = loop {
            match Stream::open(client, &name, &options).await {
                Ok(stream) => break stream,
                Err(error) => attempts.after(error).await?,
            }
        };
        let next_sequence = stream.opened.next_sequence;
        Ok(Session { client: client.clone(), name, options, stream, unanswered: VecDeque::new(), next_sequence })
    }

    /// The session's name, to be kept by a client that wants to go on after its own restart.
    pub fn name(&self) -> [u8; 16] {
        self.name
    }

    /// The sequence of the next submission.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Submissions that wait for their answers.
    pub fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    /// Whether another submission may be sent before an answer is taken.
    pub fn has_credit(&self) -> bool {
        self.unanswered.len() < self.stream.credits
    }

    /// Sends calls. They are executed once, behind all that were sent before. Answers the submission's sequence. That the
    /// connection is lost is found by [`Session::answer`], which sends them again.
    ///
    /// # Errors
    /// [`ClientError::Credits`] where [`Session::has_credit`] says no; then nothing is sent.
    pub async fn submit(&mut self, calls: Columns) -> Result<u64, ClientError> {
        if !self.has_credit() {
            return Err(ClientError::Credits(self.stream.credits));
        }
        let sequence = self.next_sequence;
        let submission = v1::SessionSubmission { sequence, calls: Some(Calls::Columns(calls.into())) };
        self.next_sequence += 1;
        self.unanswered.push_back(submission.clone());
        // An error here would say that it was not sent: whoever submits it again would have it executed twice.
        _ = self.stream.send(submission).await;
        Ok(sequence)
    }

    /// The next answer, in the order of the submissions; `None` if nothing is unanswered. Connects again as often as
    /// [`Options::attempts`](crate::Options::attempts) says.
    ///
    /// # Errors
    /// [`ClientError`]; what is unanswered stays so, and asking again sends it again. After one that
    /// [is transient](ClientError::is_transient), or if the node did not answer as it should, it may have been executed.
    /// After another refusal, that submission and those behind it were not executed, unless the reason says that it was
    /// executed before.
    pub async fn answer(&mut self) -> Result<Option<v1::SubmissionAnswer>, ClientError> {
        // For all connections until an answer comes: one that is opened and then refused is no progress.
        let mut attempts = self.client.attempts();
        while let Some(oldest) = self.unanswered.front() {
            match self.stream.answer().await {
                Ok(answer) if answer.sequence == oldest.sequence => {
                    self.unanswered.pop_front();
                    return Ok(Some(answer));
                }
                Ok(_) => return Err(ClientError::Answer("submissions out of order")),
                Err(error) => self.reconnect(error, &mut attempts).await?,
            }
        }
        Ok(None)
    }

    /// Opens another stream and sends again what was not answered.
    async fn reconnect(&mut self, mut error: ClientError, attempts: &mut Attempts) -> Result<(), ClientError> {
        'connect: loop {
            attempts.after(error).await?;
            match Stream::open(&self.client, &self.name, &self.options).await {
                Ok(stream) => self.stream = stream,
                Err(failed) => {
                    error = failed;
                    continue;
                }
            }
            for submission in &self.unanswered {
                if !self.stream.send(submission.clone()).await {
                    error = ClientError::Connection("the stream has ended".to_owned());
                    continue 'connect;
                }
            }
            return Ok(());
        }
    }
}

impl Stream {
    async fn open(client: &Client, name: &[u8; 16], options: &SessionOptions) -> Result<Stream, ClientError> {
        // Room for all that the credits allow, so that sending again never waits for answers that nobody takes.
        let (to, requests) = mpsc::channel(1_024);
        let open = v1::OpenSession {
            session: name.to_vec().into(),
            acknowledgement: options.acknowledgement.into(),
            receipt_form: options.receipt_form.into(),
        };
        let open = v1::SubmitStreamRequest { message: Some(Asked::Open(open)) };
        to.try_send(open).map_err(|_| ClientError::Answer("nothing"))?;
        let opening = async {
            let mut execution = client.execution.clone();
            let mut answers = execution.submit_stream(ReceiverStream::new(requests)).await?.into_inner();
            match answers.message().await?.and_then(|message| message.message) {
                Some(Answer::Opened(opened)) => {
                    Ok(Stream { to, answers, credits: (opened.credits as usize).clamp(1, 1_000), opened })
                }
                _ => Err(ClientError::Answer("something other than an opened session")),
            }
        };
        let opened = tokio::time::timeout(client.timeout(), opening).await;
        opened.unwrap_or_else(|_| Err(ClientError::Connection("the node does not answer".to_owned())))
    }

    /// Sends a submission; there is room for as many as may be unanswered. Answers whether the stream is still there.
    async fn send(&self, submission: v1::SessionSubmission) -> bool {
        let message = v1::SubmitStreamRequest { message: Some(Asked::Submission(submission)) };
        self.to.send(message).await.is_ok()
    }

    async fn answer(&mut self) -> Result<v1::SubmissionAnswer, ClientError> {
        match self.answers.message().await? {
            None => Err(ClientError::Connection("the stream has ended".to_owned())),
            Some(v1::SubmitStreamResponse { message: Some(Answer::Answer(answer)) }) => Ok(answer),
            Some(_) => Err(ClientError::Answer("something other than a submission's receipts")),
        }
    }
}
