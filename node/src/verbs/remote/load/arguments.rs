//! The arguments of `phalanx load`.

use clap::{Args, Subcommand, ValueEnum};
use phalanx_engine::limits::BATCH_CALLS_MAX;
use phalanx_proto::v1;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

use super::super::Remote;

/// Accounts that one token is set up with at most: their addresses and balances are kept here, 64 bytes each.
const ACCOUNTS_MAX: u64 = 10_000_000;
/// Calls that are prepared at most: 100 bytes each.
const PREPARED_MAX: u64 = 10_000_000;
/// Connections, streams and tasks, each.
const CLIENTS_MAX: i64 = 65_536;
/// Longest time that an argument may say.
const SECONDS_MAX: f64 = 86_400.0;
/// Highest rate that may be asked for.
const RATE_MAX: f64 = 1e9;

/// Highest rate of queries that may be asked for: each start has its own time.
const QUERY_RATE_MAX: f64 = 1e6;

/// What and how to load. Their help is that of the verb.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct LoadArguments {
    #[command(subcommand)]
    pub(super) verb: Option<LoadVerb>,
    #[command(flatten)]
    pub(super) remote: Remote,
    #[command(flatten)]
    pub(super) way: Way,
    #[command(flatten)]
    pub(super) calls: Calls,
    #[command(flatten)]
    pub(super) beside: BesideArguments,
    #[command(flatten)]
    pub(super) clock: Clock,
    #[command(flatten)]
    pub(super) thresholds: Thresholds,
}

#[derive(Debug, Subcommand)]
pub(super) enum LoadVerb {
    /// Add up the reports of load generators that ran at the same time
    Merge(MergeArguments),
}

#[derive(Debug, Args)]
pub(super) struct MergeArguments {
    /// Reports, as `phalanx load -o json` prints them
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) thresholds: Thresholds,
}

/// How calls get to the node.
#[derive(Debug, Args)]
#[command(next_help_heading = "How calls are submitted")]
pub(super) struct Way {
    /// Form of the submissions
    #[arg(long, value_enum, value_name = "FORM", default_value = "columns")]
    pub(super) form: Form,
    /// Connections to the node
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=CLIENTS_MAX))]
    pub(super) connections: u32,
    /// Submit in so many SubmitStreams, spread over the connections [default: 1, unless there are --tasks]
    #[arg(long, value_name = "N", conflicts_with = "tasks", value_parser = clap::value_parser!(u32).range(1..=CLIENTS_MAX))]
    pub(super) streams: Option<u32>,
    /// Submit in single requests, so many at a time, spread over the connections: SubmitBatch, or Submit with --form submit
    /// [default with --form submit: 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=CLIENTS_MAX))]
    pub(super) tasks: Option<u32>,
    /// Calls a submission [default: 4096, with --form submit 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=BATCH_CALLS_MAX as i64))]
    pub(super) batch: Option<u32>,
    /// Submissions of a stream that may be unanswered [default: as many as the node's credits]
    #[arg(long, value_name = "N", conflicts_with = "tasks", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(super) in_flight: Option<u32>,
    /// What an answer waits for
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "durable")]
    pub(super) ack: Ack,
    /// How receipts are answered, and what --readers are told; Submit knows messages alone [default: canonical with --form
    /// columns, else messages]
    #[arg(long, value_enum, value_name = "FORM")]
    pub(super) receipts: Option<ReceiptsAsked>,
    /// Give each call of --form submit an id, by which the node executes it once
    #[arg(long)]
    pub(super) ids: bool,
    /// How often a single request is sent again that was refused for want of room, each time after the pause that the node asks
    /// for [default: 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub(super) retries: Option<u32>,
    /// Seconds that a single request may take, and that answers are waited for when the clock has stopped
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(super) timeout: Duration,
}

/// Which calls are made.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is called")]
pub(super) struct Calls {
    /// Accounts, each funded before the clock starts
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(2..=ACCOUNTS_MAX))]
    pub(super) accounts: u64,
    /// Exponent of the Zipf distribution of accounts, from 0 (uniform) on, above 1 too
    #[arg(long, value_name = "THETA", default_value_t = 0.0)]
    pub(super) skew: f64,
    /// Seed of addresses and draws
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    /// Calls that are drawn and encoded before the clock starts, and then submitted over and over
    #[arg(long, value_name = "N", default_value_t = 262_144, value_parser = clap::value_parser!(u64).range(1..=PREPARED_MAX))]
    pub(super) prepared: u64,
    /// Accounts whose balances are compared with the receipts at the end, spread evenly over all
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(super) check_accounts: u64,
}

/// Who reads while calls are submitted, on a thread and connections of their own.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is read beside them")]
pub(super) struct BesideArguments {
    /// Readers that follow the history with Subscribe, each on a connection of its own, from the start of the clock to the last call
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=CLIENTS_MAX))]
    pub(super) readers: Option<u32>,
    /// Accounts whose calls a reader asks for, each reader for those of others as long as there are some. Without it each asks
    /// for all calls, with receipts and writes
    #[arg(long, value_name = "N", requires = "readers", value_parser = clap::value_parser!(u32).range(1..=CLIENTS_MAX))]
    pub(super) reader_senders: Option<u32>,
    /// Seconds for which each reader reads nothing, when a third of --duration is over; if the node cuts it off, it goes on from
    /// its cursor
    #[arg(long, value_name = "SECONDS", requires = "readers", value_parser = seconds)]
    pub(super) reader_pause: Option<Duration>,
    /// Queries for balances a second, at times that are fixed beforehand, while the clock runs
    #[arg(long, value_name = "QUERIES", value_parser = query_rate)]
    pub(super) queries: Option<f64>,
}

/// What is measured when.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is measured")]
pub(super) struct Clock {
    /// Seconds that the clock runs
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(super) duration: Duration,
    /// Calls a second that are meant to start, at times that are fixed beforehand, whatever the node does (open loop). Without
    /// it, the next submission starts when the node takes it (closed loop)
    #[arg(long, value_name = "CALLS", value_parser = rate)]
    pub(super) rate: Option<f64>,
    /// Seconds of a window, for the median over windows
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(super) window: Duration,
    /// Unix time at which the clock starts, for several generators at once; one that is not set up by then fails
    #[arg(long, value_name = "SECONDS")]
    pub(super) start_at: Option<u64>,
    /// Process of the node on this machine, whose processor time is read
    #[arg(long, value_name = "PID")]
    pub(super) server_pid: Option<u32>,
}

/// What the result is held against.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Thresholds: exit code 99 where one is missed")]
pub(super) struct Thresholds {
    /// Lowest calls a second
    #[arg(long, value_name = "CALLS", value_parser = rate)]
    pub(super) min_rate: Option<f64>,
    /// Highest latency of all but one in a hundred submissions, in milliseconds
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    pub(super) max_p99: Option<f64>,
}

/// Form of submissions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    /// Many calls in columns
    Columns,
    /// Many calls, a protobuf message each
    Calls,
    /// One call a request
    Submit,
}

impl Form {
    pub(super) fn name(self) -> &'static str {
        match self {
            Form::Columns => "columns",
            Form::Calls => "calls",
            Form::Submit => "submit",
        }
    }
}

/// What answers wait for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Ack {
    /// Execution, and the sync of the batch
    Durable,
    /// Execution alone
    Executed,
}

impl Ack {
    pub(super) fn name(self) -> &'static str {
        match self {
            Ack::Durable => "durable",
            Ack::Executed => "executed",
        }
    }

    pub(super) fn on_the_wire(self) -> i32 {
        match self {
            Ack::Durable => v1::Acknowledgement::Durable.into(),
            Ack::Executed => v1::Acknowledgement::Executed.into(),
        }
    }
}

/// How receipts come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ReceiptsAsked {
    /// Their canonical bytes
    Canonical,
    /// A message each
    Messages,
}

impl ReceiptsAsked {
    pub(super) fn name(self) -> &'static str {
        match self {
            ReceiptsAsked::Canonical => "canonical",
            ReceiptsAsked::Messages => "messages",
        }
    }

    pub(super) fn on_the_wire(self) -> i32 {
        match self {
            ReceiptsAsked::Canonical => v1::ReceiptForm::Canonical.into(),
            ReceiptsAsked::Messages => v1::ReceiptForm::Messages.into(),
        }
    }
}

fn positive(text: &str, most: f64, unit: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is not a number of {unit}"))?;
    match number > 0.0 && number <= most {
        true => Ok(number),
        false => Err(format!("{text} {unit}: it must be above 0 and at most {most}")),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let time = Duration::from_secs_f64(positive(text, SECONDS_MAX, "seconds")?);
    // The clocks here are read in microseconds.
    if time.as_micros() == 0 { Err(format!("{text} seconds: it must be at least 0.000001")) } else { Ok(time) }
}

fn milliseconds(text: &str) -> Result<f64, String> {
    positive(text, SECONDS_MAX * 1e3, "ms")
}

fn query_rate(text: &str) -> Result<f64, String> {
    positive(text, QUERY_RATE_MAX, "queries a second")
}

fn rate(text: &str) -> Result<f64, String> {
    positive(text, RATE_MAX, "calls a second")
}
