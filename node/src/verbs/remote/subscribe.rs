//! `phalanx subscribe`.

use clap::Args;
use phalanx_engine::Address;
use phalanx_proto::v1;
use serde::Serialize;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{Write, stdout};

use super::{PrintedReceipt, Remote, abi_of, address, failure};
use crate::abi::Abi;
use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::hex::hex;
use crate::output::{Integer, print_json};

#[derive(Debug, Args)]
pub(crate) struct SubscribeArguments {
    #[command(flatten)]
    remote: Remote,
    /// Height to begin at
    #[arg(long, value_name = "HEIGHT", default_value_t = 1)]
    from: u64,
    /// Call index to begin at within it, to go on behind a line that was read
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    from_index: u32,
    /// Only calls of this contract; may be said more than once
    #[arg(long, value_name = "ID", value_parser = address)]
    contract: Vec<Address>,
    /// Only calls by this sender; may be said more than once
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    sender: Vec<Address>,
    /// Only calls of this method; may be said more than once
    #[arg(long, value_name = "NAME")]
    method: Vec<String>,
    /// End after so many calls
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

/// A call of the history, on a line.
#[derive(Serialize)]
struct Line {
    height: Integer,
    index: u32,
    time_ms: Integer,
    contract: String,
    method: String,
    sender: String,
    arguments: String,
    /// By the ABI; `null` where they don't decode.
    arguments_decoded: Option<serde_json::Value>,
    #[serde(flatten)]
    receipt: PrintedReceipt,
}

/// Prints calls with their receipts as NDJSON, those that are there and those to come, until it is interrupted.
pub(crate) fn execute(arguments: &SubscribeArguments, _context: &Context) -> Result<Exit, Failure> {
    let addresses = |list: &[Address]| list.iter().map(|address| address.to_vec().into()).collect();
    let request = v1::SubscribeRequest {
        from: Some(v1::Cursor { height: arguments.from, index: arguments.from_index }),
        filter: Some(v1::CallFilter {
            contracts: addresses(&arguments.contract),
            senders: addresses(&arguments.sender),
            methods: arguments.method.clone(),
        }),
        include_calls: true,
        include_receipts: true,
        include_writes: false,
        canonical: false,
    };
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    arguments.remote.ask(async |client| {
        let mut abis: HashMap<Address, Option<Abi>> = HashMap::new();
        let mut messages = client.subscribe(request).await.map_err(|error| failure(&error))?;
        while left > 0 {
            let message = messages.message().await.map_err(|status| failure(&status.into()))?;
            let Some(message) = message else { return Ok(Exit::Ok) };
            for call in message.calls.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
                left -= 1;
                let called = call.call.clone().unwrap_or_default();
                let contract = Address::try_from(&called.contract[..]).unwrap_or_default();
                let abi = match abis.entry(contract) {
                    Entry::Occupied(known) => known.into_mut().as_ref(),
                    // Calls whose ABI is not there, or cannot be had now, are printed as bytes.
                    Entry::Vacant(new) => match abi_of(&client, &contract).await {
                        Err(error) if error.is_transient() => None,
                        answered => new.insert(answered.unwrap_or_default()).as_ref(),
                    },
                };
                print(&line(message.height, message.time_ms, &called, &call, abi)?)?;
            }
        }
        Ok(Exit::Ok)
    })
}

fn line(
    height: u64,
    time_ms: u64,
    called: &v1::Call,
    call: &v1::HistoryCall,
    abi: Option<&Abi>,
) -> Result<Line, Failure> {
    Ok(Line {
        height: Integer(height),
        index: call.index,
        time_ms: Integer(time_ms),
        contract: hex(&called.contract),
        method: called.method.clone(),
        sender: hex(&called.sender),
        arguments: hex(&called.arguments),
        arguments_decoded: abi.and_then(|abi| abi.decode_arguments(called.method.as_bytes(), &called.arguments)),
        receipt: PrintedReceipt::new(call.receipt.as_ref(), &called.method, abi)?,
    })
}

fn print(line: &Line) -> Result<(), Failure> {
    let mut out = stdout().lock();
    let printed = print_json(&mut out, "phalanx.history.call/1", line).and_then(|()| out.flush());
    printed.map_err(|error| Failure::of_stdout(&error))
}
