//! A file of calls: NDJSON, checked whole before anything runs.
//!
//! ```json
//! {"deploy": {"wasm": "token.wasm", "name": "token", "sender": "0x…"}}
//! {"call": {"contract": "token", "method": "transfer", "sender": "0x…", "args": {"to": "0x…", "amount": "5"}}}
//! {"upgrade": {"wasm": "token2.wasm", "contract": "token", "sender": "0x…"}}
//! ```
//!
//! Paths are relative to the file and names are local to it. A deploy's salt is blake3(name), unless it carries a `salt`. A call may
//! carry `gas`, its limit, and instead of `args` an `input`: its arguments as 0x-hex, which no ABI looks at.

mod modules;
mod open;

use phalanx_engine::limits::{BATCH_BYTES_MAX, METHOD_BYTES_MAX};
use phalanx_engine::{Address, contract_id};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::hex::{hex, parse_address, parse_hex};
use modules::Modules;
pub(crate) use open::read;

/// Gas limit of a call that names none: a hundred transfers.
pub(crate) const GAS_DEFAULT: u32 = 200_000;

/// Bytes that a batch needs besides a call's arguments: headers, a target, and what a deploy puts before its module.
const BATCH_OVERHEAD_BYTES: usize = 512;

/// A checked file.
#[derive(Debug)]
pub(crate) struct CallsFile<'a> {
    /// One entry a line.
    pub(crate) lines: Vec<Line<'a>>,
    /// By name: lines that deploy it, in order, with the id that each makes.
    deploys: HashMap<&'a str, Vec<(usize, Address)>>,
    /// Modules of the deploy lines, by the id that they make.
    modules: HashMap<Address, Arc<Vec<u8>>>,
}

/// One line.
#[derive(Debug)]
pub(crate) enum Line<'a> {
    /// Deploys a module.
    Deploy(Deploy),
    /// Gives a contract another module.
    Upgrade(Upgrade<'a>),
    /// Calls a contract.
    Call(CallLine<'a>),
}

impl Line<'_> {
    /// Whether the line changes what later calls execute. Then its batch ends with it.
    pub(crate) fn changes_code(&self) -> bool {
        matches!(self, Line::Deploy(_) | Line::Upgrade(_))
    }

    /// The contract and the method that the line calls, as the file names them; a line that brings a module calls neither.
    pub(crate) fn called(&self) -> Option<(Cow<'_, str>, &str)> {
        let Line::Call(CallLine { contract, method, .. }) = self else { return None };
        let contract = match contract {
            Contract::Name(name) => Cow::Borrowed(&**name),
            Contract::Id(id) => hex(id).into(),
        };
        Some((contract, method))
    }

    /// What the line does, in words, whatever a stranger's file calls it.
    pub(crate) fn described(&self) -> String {
        match self {
            Line::Deploy(_) => "deploy".to_owned(),
            Line::Upgrade(_) => "upgrade".to_owned(),
            Line::Call(_) => {
                let (contract, method) = self.called().unwrap_or_default();
                format!("{}.{}", contract.escape_debug(), method.escape_debug())
            }
        }
    }
}

/// A deploy, with its module read.
#[derive(Debug)]
pub(crate) struct Deploy {
    pub(crate) sender: Address,
    pub(crate) salt: [u8; 32],
    pub(crate) module: Arc<Vec<u8>>,
}

/// An upgrade, with its module read.
#[derive(Debug)]
pub(crate) struct Upgrade<'a> {
    pub(crate) contract: Contract<'a>,
    pub(crate) sender: Address,
    pub(crate) module: Arc<Vec<u8>>,
}

/// A call.
#[derive(Debug)]
pub(crate) struct CallLine<'a> {
    pub(crate) contract: Contract<'a>,
    pub(crate) method: Cow<'a, str>,
    pub(crate) sender: Address,
    pub(crate) arguments: Arguments<'a>,
    pub(crate) gas: u32,
}

/// A call's arguments.
#[derive(Debug)]
pub(crate) enum Arguments<'a> {
    /// To be encoded by the contract's ABI.
    Json(&'a RawValue),
    /// As they are sent.
    Encoded(Vec<u8>),
}

/// Which contract a line means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Contract<'a> {
    Id(Address),
    Name(Cow<'a, str>),
}

/// A line that is not of the forms above.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub(crate) struct BadLine {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) what: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawLine<'a> {
    #[serde(borrow)]
    Deploy(DeployLine<'a>),
    #[serde(borrow)]
    Upgrade(UpgradeLine<'a>),
    #[serde(borrow)]
    Call(RawCall<'a>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCall<'a> {
    #[serde(borrow, deserialize_with = "contract")]
    contract: Contract<'a>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(deserialize_with = "address")]
    sender: Address,
    #[serde(borrow, default, deserialize_with = "given")]
    args: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "bytes")]
    input: Option<Vec<u8>>,
    #[serde(default = "gas_default", deserialize_with = "gas")]
    gas: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpgradeLine<'a> {
    #[serde(borrow)]
    wasm: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "contract")]
    contract: Contract<'a>,
    #[serde(deserialize_with = "address")]
    sender: Address,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeployLine<'a> {
    #[serde(borrow)]
    wasm: Cow<'a, str>,
    /// Borrowed only: a name is a key of the whole file.
    name: &'a str,
    #[serde(deserialize_with = "address")]
    sender: Address,
    #[serde(default, deserialize_with = "salt")]
    salt: Option<[u8; 32]>,
}

/// The contract of a name that no line deploys.
pub(crate) fn undeployed_id(name: &str) -> Address {
    *blake3::hash(name.as_bytes()).as_bytes()
}

/// The salt of a name's deploys that carry none.
pub(crate) fn salt_of(name: &str) -> [u8; 32] {
    *blake3::hash(name.as_bytes()).as_bytes()
}

impl<'a> Contract<'a> {
    /// Reads an id or a name. What begins with 0x is an id.
    pub(crate) fn parse(text: Cow<'a, str>) -> Result<Contract<'a>, String> {
        match text.starts_with("0x") {
            true => parse_address(&text).map(Contract::Id),
            false => Ok(Contract::Name(text)),
        }
    }
}

impl<'a> CallsFile<'a> {
    /// Checks every line of a file, and reads the modules that it names.
    ///
    /// # Errors
    /// The first line that is not of the forms, names a module that cannot be read, or holds what no batch can carry.
    fn parse(text: &'a [u8], mut read: Modules<'_>) -> Result<CallsFile<'a>, BadLine> {
        let mut file = CallsFile { lines: Vec::new(), deploys: HashMap::new(), modules: HashMap::new() };
        let lines = text.strip_suffix(b"\n").unwrap_or(text);
        for (index, line) in lines.split(|&byte| byte == b'\n').enumerate() {
            if text.is_empty() {
                break;
            }
            file.add(index, line, &mut read).map_err(|what| BadLine { line: index + 1, what })?;
        }
        Ok(file)
    }

    fn add(&mut self, index: usize, line: &'a [u8], read: &mut Modules<'_>) -> Result<(), String> {
        if line.trim_ascii().is_empty() {
            return Err("the line is empty".to_owned());
        }
        let parsed = match serde_json::from_slice(line).map_err(|error| without_line(&error))? {
            RawLine::Call(call) => Line::Call(check_call(call)?),
            RawLine::Upgrade(UpgradeLine { wasm, contract, sender }) => {
                Line::Upgrade(Upgrade { contract, sender, module: read.module(&wasm)? })
            }
            RawLine::Deploy(DeployLine { wasm, name, sender, salt }) => {
                if name.starts_with("0x") {
                    return Err(format!("name `{name}`: what begins with 0x is an id, not a name"));
                }
                let module = read.module(&wasm)?;
                let salt = salt.unwrap_or_else(|| salt_of(name));
                let id = contract_id(&sender, &salt, &module);
                self.deploys.entry(name).or_default().push((index, id));
                self.modules.insert(id, Arc::clone(&module));
                Line::Deploy(Deploy { sender, salt, module })
            }
        };
        self.lines.push(parsed);
        Ok(())
    }

    /// The contract that a line's call goes to: a name is what the nearest deploy before the line made, or the first
    /// after it.
    pub(crate) fn id(&self, line: usize, contract: &Contract<'_>) -> Address {
        let name = match contract {
            Contract::Id(id) => return *id,
            Contract::Name(name) => name,
        };
        let Some(deploys) = self.deploys.get(&**name) else { return undeployed_id(name) };
        let before = deploys.partition_point(|(deployed, _)| *deployed < line);
        deploys[before.saturating_sub(1)].1
    }

    /// Whether a line deploys a contract of this name.
    pub(crate) fn deploys(&self, name: &str) -> bool {
        self.deploys.contains_key(name)
    }

    /// The module of the deploy line that makes this id.
    pub(crate) fn module(&self, id: &Address) -> Option<&[u8]> {
        self.modules.get(id).map(|module| &module[..])
    }
}

fn check_call(call: RawCall<'_>) -> Result<CallLine<'_>, String> {
    let RawCall { contract, method, sender, args, input, gas } = call;
    if method.len() > METHOD_BYTES_MAX {
        return Err(format!("method: {} bytes, the limit is {METHOD_BYTES_MAX}", method.len()));
    }
    let (arguments, bytes) = match (args, input) {
        (Some(args), None) => (Arguments::Json(args), args.get().len()),
        (None, Some(input)) => {
            let bytes = input.len();
            (Arguments::Encoded(input), bytes)
        }
        (None, None) => return Err("missing field `args`, or `input` in its place".to_owned()),
        (Some(_), Some(_)) => return Err("a call has `args` or `input`, not both".to_owned()),
    };
    fits_batch("the arguments", bytes as u64)?;
    Ok(CallLine { contract, method, sender, arguments, gas })
}

fn fits_batch(what: &str, bytes: u64) -> Result<(), String> {
    let limit = (BATCH_BYTES_MAX - BATCH_OVERHEAD_BYTES) as u64;
    match bytes <= limit {
        true => Ok(()),
        false => Err(format!("{what}: {bytes} bytes, a batch carries at most {limit}")),
    }
}

/// The parser's text with the column only: it saw one line.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((what, _)) => format!("{what} (column {})", error.column()),
        None => text,
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
    parse_address(&Cow::<str>::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// A value that is there, even if it is `null`.
fn given<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    parse_hex(&Cow::<str>::deserialize(deserializer)?).map(Some).map_err(de::Error::custom)
}

fn salt<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[u8; 32]>, D::Error> {
    address(deserializer).map(Some)
}

fn contract<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Contract<'a>, D::Error> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    Contract::parse(Text::deserialize(deserializer)?.0).map_err(de::Error::custom)
}

fn gas_default() -> u32 {
    GAS_DEFAULT
}

/// A gas limit: a number or a decimal string that a batch can carry. One above the protocol's limit is a matter of the
/// call's receipt.
fn gas<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "gas is a number or a decimal string")]
    enum Gas {
        Number(u64),
        Text(String),
    }
    let gas = match Gas::deserialize(deserializer)? {
        Gas::Number(gas) => Some(gas),
        Gas::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        Gas::Text(_) => None,
    };
    let too_large = || de::Error::custom(format_args!("gas is a decimal integer up to {}", u32::MAX));
    gas.and_then(|gas| u32::try_from(gas).ok()).ok_or_else(too_large)
}

#[cfg(test)]
mod tests;
