//! Submissions in single requests, each of a task that makes one after the other.

use phalanx_client::{Client, ClientError};
use phalanx_proto::v1;
use phalanx_proto::v1::submit_batch_request::Calls;
use std::time::Duration;
use tonic::Code;

use super::answers::{Order, Told};
use super::plan::Plan;
use super::prepared::Template;
use super::run::{Run, reason};
use super::tally::count;

/// Requests of a task that fail one after the other, of which nobody knows whether they were executed, before the run ends.
const LOST_MAX: u32 = 20;
/// The pause behind each of them.
const LOST_PAUSE: Duration = Duration::from_millis(100);

/// Ids of a task's calls: its own random half, and a number.
struct Ids {
    half: [u8; 8],
    next: u64,
}

impl Ids {
    fn new() -> Result<Ids, ClientError> {
        let mut half = [0; 8];
        getrandom::fill(&mut half).map_err(ClientError::Randomness)?;
        Ok(Ids { half, next: 0 })
    }

    fn take(&mut self) -> Vec<u8> {
        self.next += 1;
        [self.half, self.next.to_le_bytes()].concat()
    }
}

/// What a failed request means.
enum Failed {
    /// It was not ordered, for want of room or time; asking again after so long may help.
    NotOrdered(Duration),
    /// Nobody knows whether it was executed.
    Lost,
    /// The next one will fail too.
    Finally,
}

impl Failed {
    fn new(error: &ClientError) -> Failed {
        match error {
            ClientError::Refused { code: Code::ResourceExhausted, retry_after: Some(pause), .. } => {
                Failed::NotOrdered(*pause)
            }
            ClientError::Refused { reason, .. } if reason == "DEADLINE_BEFORE_ORDER" => {
                Failed::NotOrdered(Duration::ZERO)
            }
            ClientError::Refused { code: Code::DeadlineExceeded | Code::Cancelled, .. } => Failed::Lost,
            error if error.is_transient() => Failed::Lost,
            _ => Failed::Finally,
        }
    }
}

/// Makes one request after the other until the clock stops.
pub(super) async fn drive(client: &Client, run: &Run) {
    if let Err(error) = make_all(client, run).await {
        run.fail(&error);
    }
}

async fn make_all(client: &Client, run: &Run) -> Result<(), ClientError> {
    let mut order = Order::default();
    let mut ids = Ids::new()?;
    let mut lost = 0;
    while let Some(intended) = run.starts.next().await {
        let (this, mut calls) = run.start(intended);
        if let (Template::Single(call), true) = (&mut calls, run.plan.ids) {
            call.id = Some(ids.take().into());
        }
        match make(client, run, calls).await {
            Ok(mut told) => {
                order.check(&mut told);
                run.answer(&this, told);
                lost = 0;
            }
            Err(error) => match Failed::new(&error) {
                Failed::NotOrdered(pause) => {
                    count(&mut run.tally.borrow_mut().refused, &reason(&error));
                    // Whose starts are fixed does not wait: that is the load.
                    if run.plan.rate.is_none() {
                        tokio::time::sleep(pause).await;
                    }
                }
                Failed::Lost if lost < LOST_MAX => {
                    lost += 1;
                    run.lose(&error, 1);
                    tokio::time::sleep(LOST_PAUSE).await;
                }
                Failed::Lost | Failed::Finally => {
                    run.lose(&error, 1);
                    return Err(error);
                }
            },
        }
    }
    Ok(())
}

/// Makes a request, again as often as it is refused for want of room and the plan says.
async fn make(client: &Client, run: &Run, calls: Template) -> Result<Told, ClientError> {
    for _ in 0..run.plan.retries {
        let error = match attempt(client, run, calls.clone()).await {
            Ok(told) => return Ok(told),
            Err(error) => error,
        };
        let Failed::NotOrdered(pause) = Failed::new(&error) else { return Err(error) };
        count(&mut run.tally.borrow_mut().retries, &reason(&error));
        tokio::time::sleep(pause).await;
    }
    attempt(client, run, calls).await
}

async fn attempt(client: &Client, run: &Run, calls: Template) -> Result<Told, ClientError> {
    let calls = match calls {
        Template::Columns(columns) => Calls::Columns(columns),
        Template::List(list) => Calls::List(list),
        Template::Single(call) => {
            let request = v1::SubmitRequest { call: Some(call), acknowledgement: run.plan.ack.on_the_wire() };
            return Ok(Told::of_call(&client.try_submit(request).await?, run.expected()));
        }
    };
    let answer = client.try_submit_batch(request(calls, &run.plan)).await?;
    Ok(Told::of_submission(answer.receipts, run.expected()))
}

fn request(calls: Calls, plan: &Plan) -> v1::SubmitBatchRequest {
    v1::SubmitBatchRequest {
        calls: Some(calls),
        acknowledgement: plan.ack.on_the_wire(),
        receipt_form: plan.receipts.on_the_wire(),
        session: None,
    }
}
