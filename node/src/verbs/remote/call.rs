//! `phalanx call`, `phalanx simulate` and `phalanx query`: a call that is executed, tried out, or asked.

use clap::Args;
use phalanx_client::{Client, ClientError};
use phalanx_engine::Address;
use phalanx_proto::v1;
use serde::Serialize;
use serde_json::value::RawValue;
use std::io::{self, Write};

use super::signing::CallAs;
use super::{PrintedReceipt, Remote, abi_of, address, failure};
use crate::abi::Abi;
use crate::calls_file::GAS_DEFAULT;
use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::hex::{hex, parse_hex};
use crate::output::{Integer, Report, print_rows};

#[derive(Debug, Args)]
pub(crate) struct CallArguments {
    #[command(flatten)]
    remote: Remote,
    /// Id of the contract: 0x and 64 hex digits
    #[arg(value_name = "CONTRACT", value_parser = address)]
    contract: Address,
    /// Name of the method
    #[arg(value_name = "METHOD")]
    method: String,
    #[command(flatten)]
    call_as: CallAs,
    /// The arguments: a JSON object with a field for each, encoded by the contract's ABI
    #[arg(long, value_name = "JSON", default_value = "{}")]
    args: String,
    /// The arguments as bytes, 0x-hex, instead
    #[arg(long, value_name = "HEX", conflicts_with = "args")]
    raw: Option<String>,
    /// Most gas that the call may use
    #[arg(long, value_name = "N", default_value_t = GAS_DEFAULT)]
    gas: u32,
}

#[derive(Serialize)]
struct Called {
    height: Integer,
    index: u32,
    /// Whether the call had been executed by an earlier attempt.
    repeated: bool,
    #[serde(flatten)]
    receipt: PrintedReceipt,
    #[serde(skip_serializing_if = "String::is_empty")]
    explanation: String,
}

impl Report for Called {
    const SCHEMA: &'static str = "phalanx.call.receipt/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = vec![("height", self.height.0.to_string()), ("index", self.index.to_string())];
        rows.extend(self.receipt.rows());
        explain(&mut rows, &self.explanation);
        print_rows(out, &rows)
    }
}

#[derive(Serialize)]
struct Asked {
    /// The height whose state was read.
    height: Integer,
    #[serde(flatten)]
    receipt: PrintedReceipt,
    #[serde(skip_serializing_if = "String::is_empty")]
    explanation: String,
}

impl Report for Asked {
    const SCHEMA: &'static str = "phalanx.query/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = vec![("height", self.height.0.to_string())];
        rows.extend(self.receipt.rows());
        explain(&mut rows, &self.explanation);
        print_rows(out, &rows)
    }
}

#[derive(Serialize)]
struct Simulated {
    #[serde(flatten)]
    asked: Asked,
    /// What the call saw of the state.
    reads: Vec<Seen>,
    /// What the call would write.
    writes: Vec<Written>,
}

#[derive(Serialize)]
struct Seen {
    contract: String,
    key: String,
    /// `value`, `presence`, `answers` or `range`.
    seen: &'static str,
    /// What was seen: the value as hex, or `null` if the key is absent; for the others as text.
    what: Option<String>,
}

impl Seen {
    fn of(read: &v1::Read) -> Seen {
        use v1::read::Seen as What;
        let (seen, what) = match &read.seen {
            Some(What::Value(v1::SeenValue { value })) => ("value", value.as_deref().map(hex)),
            Some(What::Presence(v1::SeenPresence { present })) => ("presence", Some(present.to_string())),
            Some(What::Answers(v1::SeenAnswers { answers })) => {
                ("answers", Some(answers.iter().map(asked).collect::<Vec<_>>().join(", ")))
            }
            Some(What::Range(v1::SeenRange { end, last, .. })) => {
                let bound = |bytes: &Option<_>, none: &str| bytes.as_deref().map_or_else(|| none.to_owned(), hex);
                (
                    "range",
                    Some(format!("to {}, looked at up to {}", bound(end, "the slot's end"), bound(last, "there"))),
                )
            }
            None => ("unknown", None),
        };
        Seen { contract: hex(&read.contract), key: hex(&read.key), seen, what }
    }
}

/// What a delta was answered, as `sub 30 in 0..max: applied`.
fn asked(answer: &v1::DeltaAnswer) -> String {
    let integer = |bytes: &[u8]| match bytes.try_into().map(u128::from_le_bytes) {
        Ok(u128::MAX) => "max".to_owned(),
        Ok(integer) => integer.to_string(),
        Err(_) => hex(bytes),
    };
    let operator = match answer.operator() {
        v1::DeltaOperator::Add => "add",
        v1::DeltaOperator::Sub => "sub",
        v1::DeltaOperator::Max => "max",
        v1::DeltaOperator::Unspecified => "unknown",
    };
    let answered = match (answer.applied, answer.wrong_length) {
        (true, _) => "applied",
        (false, true) => "no integer",
        (false, false) => "refused",
    };
    let [magnitude, low, high] = [&answer.magnitude, &answer.low, &answer.high].map(|bytes| integer(bytes));
    format!("{operator} {magnitude} in {low}..={high}: {answered}")
}

#[derive(Serialize)]
struct Written {
    contract: String,
    key: String,
    /// `null` where the key would be removed.
    value: Option<String>,
}

impl Report for Simulated {
    const SCHEMA: &'static str = "phalanx.simulate/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        self.asked.print_human(out)?;
        for Seen { key, seen, what, .. } in &self.reads {
            writeln!(out, "read     {key} {seen} {}", what.as_deref().unwrap_or("(absent)"))?;
        }
        self.writes.iter().try_for_each(|Written { key, value, .. }| {
            writeln!(out, "write    {key} = {}", value.as_deref().unwrap_or("(removed)"))
        })
    }
}

fn explain(rows: &mut Vec<(&str, String)>, explanation: &str) {
    if !explanation.is_empty() {
        rows.push(("why", explanation.to_owned()));
    }
}

/// Executes a call and waits until it is durable.
pub(crate) fn call(arguments: &CallArguments, context: &Context) -> Result<Exit, Failure> {
    let report = arguments.remote.ask(async |client| {
        let (call, abi) = prepare(arguments, &client).await?;
        let answer = client.submit(call).await.map_err(|error| failure(&error))?;
        let position = answer.position.unwrap_or_default();
        Ok(Called {
            height: Integer(position.height),
            index: position.index,
            repeated: answer.repeated,
            receipt: PrintedReceipt::new(answer.receipt.as_ref(), &arguments.method, abi.as_ref())?,
            explanation: answer.explanation,
        })
    })?;
    context.output.print(&report)?;
    Ok(report.receipt.exit())
}

/// Says what a call would do.
pub(crate) fn simulate(arguments: &CallArguments, context: &Context) -> Result<Exit, Failure> {
    let report = arguments.remote.ask(async |client| {
        let (call, abi) = prepare(arguments, &client).await?;
        let answer = client.simulate(call).await.map_err(|error| failure(&error))?;
        let written = |write: &v1::Write| Written {
            contract: hex(&write.contract),
            key: hex(&write.key),
            value: match &write.change {
                Some(v1::write::Change::Value(value) | v1::write::Change::ModuleHash(value)) => Some(hex(value)),
                Some(v1::write::Change::Tombstone(_)) | None => None,
            },
        };
        let writes = answer.writes.iter().map(written).collect();
        let receipt = PrintedReceipt::new(answer.receipt.as_ref(), &arguments.method, abi.as_ref())?;
        let asked = Asked { height: Integer(answer.height), receipt, explanation: answer.explanation };
        let reads = answer.reads.iter().map(Seen::of).collect();
        Ok(Simulated { asked, reads, writes })
    })?;
    context.output.print(&report)?;
    Ok(report.asked.receipt.exit())
}

/// Asks a contract something.
pub(crate) fn query(arguments: &CallArguments, context: &Context) -> Result<Exit, Failure> {
    let report = arguments.remote.ask(async |client| {
        let (call, abi) = prepare(arguments, &client).await?;
        let answer = client.query(call).await.map_err(|error| failure(&error))?;
        let receipt = PrintedReceipt::new(answer.receipt.as_ref(), &arguments.method, abi.as_ref())?;
        Ok(Asked { height: Integer(answer.height), receipt, explanation: answer.explanation })
    })?;
    context.output.print(&report)?;
    Ok(report.receipt.exit())
}

/// The call, its arguments encoded by the contract's ABI.
async fn prepare(arguments: &CallArguments, client: &Client) -> Result<(v1::Call, Option<Abi>), Failure> {
    let abi = match abi_of(client, &arguments.contract).await {
        // Not everybody who may call may ask, and the system contract is none of those that are known.
        Err(ClientError::Refused { .. }) if arguments.raw.is_some() => None,
        abi => abi.map_err(|error| failure(&error))?,
    };
    let encoded = match (&arguments.raw, &abi) {
        (Some(raw), _) => {
            parse_hex(raw).map_err(|error| Failure::usage(format_args!("--raw: {error}"), "say 0x and hex"))?
        }
        (None, None) => {
            return Err(Failure::usage(
                "the contract has no ABI that says how arguments are encoded",
                "say them as --raw 0x…",
            ));
        }
        (None, Some(abi)) => {
            let misfit = |error: &dyn std::fmt::Display| {
                Failure::usage(format_args!("--args: {error}"), "`phalanx contract abi` shows the methods of a module")
            };
            let json: &RawValue = serde_json::from_str(&arguments.args).map_err(|error| misfit(&error))?;
            abi.encode_arguments(&arguments.method, json).map_err(|error| misfit(&error))?
        }
    };
    let caller = arguments.call_as.caller(client).await?;
    let mut call = v1::Call {
        contract: arguments.contract.to_vec().into(),
        method: arguments.method.clone(),
        sender: caller.address().to_vec().into(),
        arguments: encoded.into(),
        gas_limit: arguments.gas.into(),
        ..v1::Call::default()
    };
    caller.sign(&mut call)?;
    Ok((call, abi))
}
