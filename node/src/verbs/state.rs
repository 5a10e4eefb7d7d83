//! `phalanx state`: what the log of a data directory leads to.

use clap::{Args, Subcommand};
use phalanx_engine::limits::KEY_BYTES_MAX;
use phalanx_engine::{Address, Digest};
use serde::Serialize;
use std::io::{self, Write};

use crate::calls_file::{Contract, salt_of, undeployed_id};
use crate::command_line::{Context, DataDirectory};
use crate::contracts::Contracts;
use crate::execution::Workers;
use crate::exit::{Exit, Failure};
use crate::hex::{hex, parse_hex};
use crate::output::{Integer, Report, as_hex};
use crate::replay::replay;

#[derive(Debug, Subcommand)]
pub(crate) enum StateVerb {
    /// Print the value of a key; exit code 1 if there is none
    Get(GetArguments),
    /// Print the digest of the whole state
    Root(RootArguments),
}

#[derive(Debug, Args)]
pub(crate) struct GetArguments {
    #[command(flatten)]
    data_directory: DataDirectory,
    /// The contract: its 0x id, or the name under which a calls file deployed it
    #[arg(long, value_name = "ID", value_parser = |text: &str| Contract::parse(text.to_owned().into()))]
    contract: Contract<'static>,
    /// The key: 0x and 1 to 256 bytes in hex, the slot first
    #[arg(long, value_name = "KEY", value_parser = parse_key)]
    key: Key,
    #[command(flatten)]
    workers: Workers,
}

#[derive(Debug, Args)]
pub(crate) struct RootArguments {
    #[command(flatten)]
    data_directory: DataDirectory,
    #[command(flatten)]
    workers: Workers,
}

#[derive(Clone, Debug)]
struct Key(Vec<u8>);

fn parse_key(text: &str) -> Result<Key, String> {
    let key = parse_hex(text)?;
    match (1..=KEY_BYTES_MAX).contains(&key.len()) {
        true => Ok(Key(key)),
        false => Err(format!("{} bytes, a key has 1 to {KEY_BYTES_MAX}", key.len())),
    }
}

pub(crate) fn execute(verb: &StateVerb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        StateVerb::Get(arguments) => get(arguments, context),
        StateVerb::Root(arguments) => root(arguments, context),
    }
}

#[derive(Serialize)]
struct Value {
    height: Integer,
    #[serde(serialize_with = "as_hex")]
    contract: Address,
    key: String,
    /// `null` if the key is absent.
    value: Option<String>,
}

impl Report for Value {
    const SCHEMA: &'static str = "phalanx.state.get/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        self.value.iter().try_for_each(|value| writeln!(out, "{value}"))
    }
}

fn get(arguments: &GetArguments, context: &Context) -> Result<Exit, Failure> {
    let mut contracts = Contracts::default();
    let engine = replay(&arguments.data_directory.path, arguments.workers, &context.output, &mut |batch, executed| {
        contracts.observe(batch, executed);
        Ok(())
    })?;
    let contract = resolve(&arguments.contract, &contracts)?;
    let value = engine.get(&contract, &arguments.key.0);
    let exit = match value {
        Some(_) => Exit::Ok,
        None => {
            context.output.note("the key is absent");
            Exit::Failed
        }
    };
    context.output.print(&Value {
        height: Integer(engine.height()),
        contract,
        key: hex(&arguments.key.0),
        value: value.map(|value| hex(&value)),
    })?;
    Ok(exit)
}

/// The id that a name means in this log.
fn resolve(contract: &Contract<'_>, contracts: &Contracts) -> Result<Address, Failure> {
    let name = match contract {
        Contract::Id(id) => return Ok(*id),
        Contract::Name(name) => name,
    };
    match contracts.deployed_with(&salt_of(name)) {
        [] => Ok(undeployed_id(name)),
        [id] => Ok(*id),
        ids => Err(Failure::usage(
            format_args!("{} contracts were deployed as `{name}`", ids.len()),
            format_args!("name one by its id: {}", ids.iter().map(|id| hex(id)).collect::<Vec<_>>().join(", ")),
        )),
    }
}

#[derive(Serialize)]
struct Root {
    height: Integer,
    #[serde(serialize_with = "as_hex")]
    state_digest: Digest,
}

impl Report for Root {
    const SCHEMA: &'static str = "phalanx.state.root/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", hex(&self.state_digest))
    }
}

fn root(arguments: &RootArguments, context: &Context) -> Result<Exit, Failure> {
    let path = &arguments.data_directory.path;
    let engine = replay(path, arguments.workers, &context.output, &mut |_, _| Ok(()))?;
    let height = Integer(engine.height());
    context.output.print(&Root { height, state_digest: engine.state_digest() })?;
    Ok(Exit::Ok)
}
