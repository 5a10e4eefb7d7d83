//! Which calls each contract gets, and running them in an engine.

use phalanx_engine::limits::STACK_UNITS_MAX;
use phalanx_engine::prepare::{
    CALL_EXPORT_PREFIX, CONTROL_EXPORT, CONTROL_GAS, CONTROL_HALT, CONTROL_STACK, HALT_NONE, MEMORY_EXPORT,
};

use crate::adapt::{Contract, Driver};
use crate::engines::{Host, Run};

/// Environment of a call, as contracts since 0.14 are given it.
const ENVIRONMENT: &str = r#"{"block":{"height":12345,"time":"1571797419879305533","chain_id":"phalanx"},"transaction":{"index":3},"contract":{"address":"contract"}}"#;
/// As those before are, whose sender is either in it or beside it.
const OLD_ENVIRONMENT: &str = r#"{"block":{"height":12345,"time":1571797419,"time_nanos":879305533,"chain_id":"phalanx"},"message":{"sender":"creator","sent_funds":[]},"contract":{"address":"contract"}}"#;
/// As those before 0.10 are, whose addresses are bytes.
const OLDEST_ENVIRONMENT: &str = r#"{"block":{"height":12345,"time":1571797419,"chain_id":"phalanx"},"message":{"sender":"Y3JlYXRvcg==","signer":"Y3JlYXRvcg==","sent_funds":[]},"contract":{"address":"Y29udHJhY3Q=","balance":[]}}"#;
/// Who calls.
const INFO: &str = r#"{"sender":"creator","funds":[],"sent_funds":[]}"#;

/// The calls that contract `name` gets.
pub(crate) fn drivers(name: &str, contract: &Contract) -> Vec<Driver> {
    let family = name.split(['_', '.']).next().unwrap_or(name);
    let (first, then) = match family {
        "hackatom" => (r#"{"verifier":"verifies","beneficiary":"benefits"}"#, r#"{"release":{}}"#),
        "ibc" if name.starts_with("ibc_reflect") => (r#"{"reflect_code_id":101}"#, "{}"),
        "cyberpunk" => ("{}", r#"{"noop":{}}"#),
        _ => ("{}", r#"{"random_args_for":{"instruction":"i32.add","seed":42}}"#),
    };
    let mut drivers = Vec::new();
    for entry_point in ["instantiate", "init"] {
        drivers.extend(driver(contract, "instantiate", entry_point, first));
    }
    for entry_point in ["execute", "handle"] {
        drivers.extend(driver(contract, "execute", entry_point, then));
    }
    drivers.extend(driver(contract, "query", "query", r#"{"verifier":{}}"#));
    drivers.extend(driver(contract, "migrate", "migrate", r#"{"verifier":"another"}"#));
    if family == "cyberpunk" {
        for attack in ["cpu_loop", "memory_loop", "unreachable"] {
            drivers.extend(driver(contract, attack, "execute", &format!(r#"{{"{attack}":{{}}}}"#)));
        }
    }
    if drivers.is_empty() {
        let allocate = Driver {
            name: "allocate".to_owned(),
            entry_point: "deallocate".to_owned(),
            arguments: vec!["a region that is given back".to_owned()],
        };
        drivers.push(allocate);
    }
    drivers
}

fn driver(contract: &Contract, name: &str, entry_point: &str, message: &str) -> Option<Driver> {
    let environment = if contract.exports_any("interface_version") {
        ENVIRONMENT
    } else if ["cosmwasm_api", "cosmwasm_vm_version_1", "cosmwasm_vm_version_2"]
        .iter()
        .any(|name| contract.exports_any(name))
    {
        OLDEST_ENVIRONMENT
    } else {
        OLD_ENVIRONMENT
    };
    let arguments = match contract.parameters(entry_point)? {
        1 => vec![message],
        2 => vec![environment, message],
        _ => vec![environment, INFO, message],
    };
    let arguments = arguments.into_iter().map(str::to_owned).collect();
    Some(Driver { name: name.to_owned(), entry_point: entry_point.to_owned(), arguments })
}

/// How a driver ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// What the contract answered.
    Answered(String),
    /// The entry point returned nothing.
    Returned,
    /// A trap, by its text.
    Trapped(String),
    OutOfGas,
}

/// What a call leaves behind.
#[derive(PartialEq, Eq)]
pub(crate) struct Observed {
    pub(crate) end: End,
    pub(crate) memory: Vec<u8>,
}

/// Calls `method` in a new instance: with gas if `gas` says how much, else the module is a plain one. `length_at` is where
/// the contract's regions have their length.
pub(crate) fn call(host: &impl Host, method: &str, gas: Option<i64>, length_at: usize) -> Observed {
    let mut instance = host.instantiate();
    let export = match gas {
        None => method.to_owned(),
        Some(gas) => {
            let bytes = instance.memory(CONTROL_EXPORT).expect("an instrumented module");
            bytes[CONTROL_GAS as usize..][..8].copy_from_slice(&gas.to_le_bytes());
            bytes[CONTROL_STACK as usize..][..4].copy_from_slice(&STACK_UNITS_MAX.to_le_bytes());
            bytes[CONTROL_HALT as usize..][..4].copy_from_slice(&HALT_NONE.to_le_bytes());
            format!("{CALL_EXPORT_PREFIX}{method}")
        }
    };
    let answer = instance.call(&export);
    let memory = instance.memory(MEMORY_EXPORT).expect("a contract has one").to_vec();
    let gas_left = instance.memory(CONTROL_EXPORT).map(|control| {
        let field = control[CONTROL_GAS as usize..].first_chunk().expect("the control memory is a page");
        i64::from_le_bytes(*field)
    });
    let end = match answer {
        _ if gas_left.is_some_and(|left| left < 0) => End::OutOfGas,
        Ok(0) => End::Returned,
        Ok(region) => End::Answered(text_of(&memory, region, length_at)),
        Err(trap) => End::Trapped(trap),
    };
    Observed { end, memory }
}

/// The text in a region of the contract's memory.
fn text_of(memory: &[u8], region: i32, length_at: usize) -> String {
    let field = |offset: usize| {
        u32::from_le_bytes(*memory[region as usize + offset..].first_chunk().expect("a region in memory")) as usize
    };
    String::from_utf8_lossy(&memory[field(0)..][..field(length_at)]).into_owned()
}
