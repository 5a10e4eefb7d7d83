//! `phalanx log export`.
//!
//! Executing the log again gives receipts and writes; what is printed so has been compared with the seals, whatever has
//! become of the receipt segments.

use phalanx_engine::{Address, Batch, Executed, Receipt, SYSTEM_CONTRACT, WriteItem};
use serde::Serialize;
use serde_json::json;
use std::io::{self, BufWriter, Write, stdout};
use std::iter::Peekable;

use super::LogArguments;
use crate::abi::Abi;
use crate::command_line::Context;
use crate::contracts::Contracts;
use crate::exit::{Exit, Failure};
use crate::hex::hex;
use crate::output::{Integer, print_json};
use crate::replay::replay;

#[derive(Serialize)]
struct HeightLine {
    height: Integer,
    time_ms: Integer,
    calls: usize,
    digest: String,
    input_root: String,
    receipts_root: String,
    writes_root: String,
}

#[derive(Serialize)]
struct CallLine<'a> {
    height: Integer,
    index: usize,
    contract: String,
    method: String,
    sender: String,
    gas_limit: u64,
    arguments: String,
    /// By the ABI; `null` where they don't decode.
    arguments_decoded: Option<serde_json::Value>,
    outcome: &'static str,
    gas_used: u64,
    #[serde(rename = "return")]
    returned: String,
    return_decoded: Option<serde_json::Value>,
    events: Vec<EventLine>,
    /// Keys whose last write in the batch is this call's.
    writes: Vec<WriteLine>,
    /// What the contract said when it aborted, or why a module was refused: beside the receipt, in no digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<&'a str>,
}

#[derive(Serialize)]
struct EventLine {
    /// Text, or 0x-hex where it is none.
    topic: String,
    data: String,
    data_decoded: Option<serde_json::Value>,
}

#[derive(Serialize)]
struct WriteLine {
    contract: String,
    key: String,
    /// `null` where the key was removed.
    value: Option<String>,
    /// Whether the value is a module's hash in the module's place.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    module_hash: bool,
}

pub(crate) fn execute(arguments: &LogArguments, context: &Context) -> Result<Exit, Failure> {
    let mut contracts = Contracts::default();
    let mut out = BufWriter::new(stdout().lock());
    replay(&arguments.data_directory.path, arguments.workers, &context.output, &mut |batch, executed| {
        if batch.height() >= arguments.from {
            print_height(&mut out, batch, executed, &contracts).map_err(|error| Failure::of_stdout(&error))?;
        }
        contracts.observe(batch, executed);
        Ok(())
    })?;
    out.flush().map_err(|error| Failure::of_stdout(&error))?;
    Ok(Exit::Ok)
}

fn print_height(out: &mut dyn Write, batch: &Batch, executed: &Executed, contracts: &Contracts) -> io::Result<()> {
    let roots = executed.roots();
    let line = HeightLine {
        height: Integer(batch.height()),
        time_ms: Integer(batch.time_ms()),
        calls: batch.len(),
        digest: hex(&executed.digest()),
        input_root: hex(&roots.input),
        receipts_root: hex(&roots.receipts),
        writes_root: hex(&roots.writes),
    };
    print_json(out, "phalanx.height/1", &line)?;
    let mut writes = executed.write_set().peekable();
    let mut explanations = executed.explanations().iter().peekable();
    for (index, receipt) in executed.receipts().enumerate() {
        let explanation = explanations.next_if(|(call, _)| *call as usize == index).map(|(_, text)| &**text);
        let line = call_line(batch, index, &receipt, &mut writes, contracts);
        print_json(out, "phalanx.call/1", &CallLine { explanation, ..line })?;
    }
    Ok(())
}

fn call_line<'a>(
    batch: &Batch,
    index: usize,
    receipt: &Receipt<'_>,
    writes: &mut Peekable<impl Iterator<Item = WriteItem<'a>>>,
    contracts: &Contracts,
) -> CallLine<'static> {
    let call = batch.call(index);
    let (contract, method) = batch.target_of(&call);
    let abi = contracts.abi(contract);
    let outcome = receipt.outcome();
    CallLine {
        height: Integer(batch.height()),
        index,
        contract: hex(contract),
        method: String::from_utf8_lossy(method).into_owned(),
        sender: hex(call.sender()),
        gas_limit: call.gas_limit(),
        arguments: hex(call.arguments()),
        arguments_decoded: match *contract == SYSTEM_CONTRACT {
            true => deployment(method, call.arguments()),
            false => abi.and_then(|abi| abi.decode_arguments(method, call.arguments())),
        },
        outcome: outcome.name(),
        gas_used: receipt.gas_used(),
        returned: hex(receipt.return_bytes()),
        return_decoded: abi.and_then(|abi| abi.decode_return(method, outcome, receipt.return_bytes())),
        events: receipt.events().map(|event| event_line(event.topic, event.data, abi)).collect(),
        writes: std::iter::from_fn(|| writes.next_if(|write| write.call() as usize == index))
            .map(|write| write_line(&write, contract))
            .collect(),
        explanation: None,
    }
}

/// Arguments of the system contract, with the module's hash in the module's place.
fn deployment(method: &[u8], arguments: &[u8]) -> Option<serde_json::Value> {
    let (first, rest) = arguments.split_first_chunk::<32>()?;
    let module = |module: &[u8]| (hex(blake3::hash(module).as_bytes()), module.len());
    match method {
        b"deploy" => {
            let (profile, (code_hash, module_bytes)) =
                rest.split_first().map(|(profile, rest)| (profile, module(rest)))?;
            Some(json!({"salt": hex(first), "profile": profile, "code_hash": code_hash, "module_bytes": module_bytes}))
        }
        b"upgrade" => {
            let (code_hash, module_bytes) = module(rest);
            Some(json!({"contract": hex(first), "code_hash": code_hash, "module_bytes": module_bytes}))
        }
        _ => None,
    }
}

fn event_line(topic: &[u8], data: &[u8], abi: Option<&Abi>) -> EventLine {
    EventLine {
        topic: std::str::from_utf8(topic).map_or_else(|_| hex(topic), str::to_owned),
        data: hex(data),
        data_decoded: abi.and_then(|abi| abi.decode_event(topic, data)),
    }
}

fn write_line(write: &WriteItem<'_>, called: &Address) -> WriteLine {
    WriteLine {
        contract: hex(write.contract().unwrap_or(called)),
        key: hex(write.key()),
        value: write.value().map(hex),
        module_hash: write.is_module_hash(),
    }
}
