//! What a load generator does: its arguments, checked against each other and against what the node takes.

use phalanx_benches::workload::{Accounts, CALL_GAS_LIMIT};
use phalanx_proto::v1;
use std::time::Duration;

use super::arguments::{Ack, Form, LoadArguments, ReceiptsAsked};
use super::queries;
use crate::exit::Failure;

/// Calls a submission, if nothing else is said.
const BATCH: u32 = 4_096;
/// Starts a second that are told apart: each has its own time.
const STARTS_A_SECOND_MAX: f64 = 1e6;
/// Calls at a time with `--form submit`, if nothing else is said.
const SUBMIT_TASKS: u32 = 64;

/// A checked plan.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) endpoint: String,
    pub(super) form: Form,
    pub(super) api: Api,
    pub(super) connections: usize,
    /// Streams, or requests at a time.
    pub(super) clients: usize,
    pub(super) batch: u32,
    pub(super) in_flight: Option<u32>,
    pub(super) ack: Ack,
    pub(super) receipts: ReceiptsAsked,
    pub(super) ids: bool,
    pub(super) retries: u32,
    pub(super) timeout: Duration,
    pub(super) accounts: Accounts,
    pub(super) skew: f64,
    pub(super) prepared: u64,
    pub(super) check_accounts: u64,
    /// Readers; 0 without.
    pub(super) readers: u32,
    /// Accounts whose calls each of them asks for; all calls if missing.
    pub(super) reader_senders: Option<u32>,
    pub(super) reader_pause: Option<Duration>,
    /// Queries a second.
    pub(super) queries: Option<f64>,
    pub(super) duration: Duration,
    pub(super) rate: Option<f64>,
    pub(super) window: Duration,
}

/// The request that calls go in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Api {
    SubmitStream,
    SubmitBatch,
    Submit,
}

impl Api {
    pub(super) fn name(self) -> &'static str {
        match self {
            Api::SubmitStream => "SubmitStream",
            Api::SubmitBatch => "SubmitBatch",
            Api::Submit => "Submit",
        }
    }
}

impl Plan {
    /// Checks the arguments against each other.
    pub(super) fn new(arguments: &LoadArguments) -> Result<Plan, Failure> {
        let LoadArguments { way, calls, beside, clock, .. } = arguments;
        let misfit = |what: String| Err(Failure::usage(what, "see `phalanx load --help`"));
        let api = match (way.form, way.tasks) {
            (Form::Submit, _) => Api::Submit,
            (_, Some(_)) => Api::SubmitBatch,
            (_, None) => Api::SubmitStream,
        };
        if api == Api::Submit {
            if let Some(streams) = way.streams {
                return misfit(format!("--streams {streams}: --form submit makes single requests, say --tasks"));
            }
            if let Some(batch) = way.batch.filter(|batch| *batch != 1) {
                return misfit(format!("--batch {batch}: --form submit submits 1 call a request"));
            }
            if way.receipts == Some(ReceiptsAsked::Canonical) {
                return misfit("--receipts canonical: Submit answers a message".to_owned());
            }
            if let Some(in_flight) = way.in_flight {
                return misfit(format!("--in-flight {in_flight}: it is for streams, say --tasks"));
            }
        } else if way.ids {
            return misfit(format!("--ids: calls of --form {} have none", way.form.name()));
        }
        if let (Api::SubmitStream, Some(retries)) = (api, way.retries) {
            return misfit(format!("--retries {retries}: a stream waits for room instead of being refused"));
        }
        let clients = match api {
            Api::SubmitStream => way.streams.unwrap_or(1),
            Api::SubmitBatch | Api::Submit => way.tasks.unwrap_or(SUBMIT_TASKS),
        };
        if way.connections > clients {
            let (what, connections) = (if api == Api::SubmitStream { "streams" } else { "tasks" }, way.connections);
            return misfit(format!("--connections {connections}: there are {clients} {what} to spread over them"));
        }
        let batch = if api == Api::Submit { 1 } else { way.batch.unwrap_or(BATCH) };
        let canonical = way.form == Form::Columns;
        let accounts = Accounts::new(calls.seed, calls.accounts, calls.skew);
        let accounts = accounts.map_err(|error| Failure::usage(error, "see `phalanx load --help`"))?;
        if let Some(rate) = clock.rate.filter(|rate| f64::from(batch) / rate > clock.duration.as_secs_f64()) {
            let seconds = clock.duration.as_secs_f64();
            return misfit(format!(
                "--rate {rate}: at it, {batch} calls take longer than the {seconds} seconds of --duration"
            ));
        }
        if let Some(rate) = clock.rate.filter(|rate| rate / f64::from(batch) > STARTS_A_SECOND_MAX) {
            return misfit(format!(
                "--rate {rate}: in submissions of {batch} calls that is above {STARTS_A_SECOND_MAX} a second"
            ));
        }
        if let Some(senders) = beside.reader_senders.filter(|senders| u64::from(*senders) > calls.accounts) {
            return misfit(format!("--reader-senders {senders}: there are {} accounts", calls.accounts));
        }
        if let Some(queries) = beside.queries.filter(|queries| queries * clock.duration.as_secs_f64() < 1.0) {
            return misfit(format!("--queries {queries}: at it, none is made within --duration"));
        }
        Ok(Plan {
            endpoint: arguments.remote.endpoint().to_owned(),
            form: way.form,
            api,
            connections: way.connections as usize,
            clients: clients as usize,
            batch,
            in_flight: way.in_flight,
            ack: way.ack,
            receipts: way.receipts.unwrap_or(match canonical {
                true => ReceiptsAsked::Canonical,
                false => ReceiptsAsked::Messages,
            }),
            ids: way.ids,
            retries: way.retries.unwrap_or(0),
            timeout: way.timeout,
            accounts,
            skew: calls.skew,
            prepared: calls.prepared,
            check_accounts: calls.check_accounts.min(calls.accounts),
            readers: beside.readers.unwrap_or(0),
            reader_senders: beside.reader_senders,
            reader_pause: beside.reader_pause,
            queries: beside.queries,
            duration: clock.duration,
            rate: clock.rate,
            window: clock.window,
        })
    }

    /// Checks the plan against the limits of the node, by their names.
    pub(super) fn check(&self, node: &v1::GetServerInfoResponse) -> Result<(), Failure> {
        let a_connection = self.clients.div_ceil(self.connections) as u64;
        let beside = u64::from(self.readers) + self.queries.map_or(0, |_| queries::CONNECTIONS as u64);
        let asked = [
            ("connections", "connections, with those of readers and queries", self.connections as u64 + beside),
            ("subscribers", "--readers", self.readers.into()),
            ("filter_entries", "--reader-senders", self.reader_senders.unwrap_or(0).into()),
            ("connection_streams", "streams or tasks of a connection", a_connection),
            ("batch_calls", "--batch", self.batch.into()),
            ("batch_gas", "gas limits of --batch", u64::from(self.batch) * u64::from(CALL_GAS_LIMIT)),
            ("stream_credits", "--in-flight", self.in_flight.unwrap_or(0).into()),
        ];
        for (name, what, value) in asked {
            if let Some(limit) = node.limits.iter().find(|limit| limit.name == name && limit.value < value) {
                return Err(Failure::usage(
                    format_args!("{what}: {value} is above the node's limit {name} of {}", limit.value),
                    "ask for less, or spread it over more --connections",
                ));
            }
        }
        Ok(())
    }
}
