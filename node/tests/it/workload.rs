//! Files of calls, and what their calls come to.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::command::module;

/// An address that is one byte, repeated, with a number in front.
pub(crate) fn address(number: u32, fill: u8) -> String {
    let mut text = format!("0x{number:08x}");
    text.extend(std::iter::repeat_n(format!("{fill:02x}"), 28));
    text
}

/// A deploy line.
pub(crate) fn deploy(wasm: &str, name: &str, sender: &str) -> Value {
    json!({"deploy": {"wasm": wasm, "name": name, "sender": sender}})
}

/// A call line.
pub(crate) fn call(contract: &str, method: &str, sender: &str, args: Value) -> Value {
    json!({"call": {"contract": contract, "method": method, "sender": sender, "args": args}})
}

/// A call line with a gas limit.
pub(crate) fn call_with_gas(contract: &str, method: &str, sender: &str, gas: &str) -> Value {
    json!({"call": {"contract": contract, "method": method, "sender": sender, "args": {}, "gas": gas}})
}

/// Writes lines as NDJSON, with the contracts beside them.
pub(crate) fn write_file(directory: &Path, name: &str, lines: &[Value]) -> std::path::PathBuf {
    for wasm in ["token.wasm", "hostile.wasm"] {
        fs::copy(module(wasm), directory.join(wasm)).expect("a built contract");
    }
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let path = directory.join(name);
    fs::write(&path, text).expect("a temporary file");
    path
}

/// Lines, and how many of them end in each outcome.
#[derive(Default)]
pub(crate) struct Workload {
    pub(crate) lines: Vec<Value>,
    pub(crate) outcomes: BTreeMap<&'static str, u64>,
}

impl Workload {
    fn push(&mut self, line: Value, outcome: &'static str) {
        self.lines.push(line);
        *self.outcomes.entry(outcome).or_default() += 1;
    }
}

const ACCOUNTS: u32 = 500;

/// Transfers between funded accounts, with every kind of failure among them.
pub(crate) fn mixed(calls: u32) -> Workload {
    let mut workload = Workload::default();
    let issuer = address(0, 0xaa);
    workload.push(deploy("token.wasm", "token", &issuer), "ok");
    workload.push(deploy("hostile.wasm", "hostile", &issuer), "ok");
    for account in 0..ACCOUNTS {
        let args = json!({"to": address(account, 0x11), "amount": "1000000000000000000000"});
        workload.push(call("token", "mint", &issuer, args), "ok");
    }
    // A fixed walk over the accounts: a linear congruence with a full period.
    let mut walk = 1u32;
    for index in 0..calls {
        walk = walk.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (from, to) = (address((walk >> 8) % ACCOUNTS, 0x11), address((walk >> 16) % ACCOUNTS, 0x11));
        let transfer = |amount: Value| json!({"to": to, "amount": amount});
        let (line, outcome) = match index % 100 {
            7 => (call("nobody", "transfer", &from, transfer("1".into())), "unknown_contract"),
            14 => (call("token", "teleport", &from, json!({"to": to})), "unknown_method"),
            // The caller has nothing.
            21 => (call("token", "transfer", &address(index, 0x22), transfer("1".into())), "reverted"),
            28 => (call("token", "transfer", &from, transfer("-1".into())), "bad_arguments"),
            35 => (call("token", "transfer", &from, json!([to, 1])), "bad_arguments"),
            42 if index % 1_000 == 42 => (call("hostile", "endless_loop", &from, json!({})), "out_of_gas"),
            49 if index % 1_000 == 49 => (call("hostile", "memory_bomb", &from, json!({})), "out_of_gas"),
            56 if index % 1_000 == 56 => {
                (call_with_gas("hostile", "deep_recursion", &from, "10000000"), "stack_exhausted")
            }
            63 => (call("hostile", "huge_event", &from, json!({"len": 5_000})), "limit_exceeded"),
            70 => (call("hostile", "aborts", &from, json!({"message": "on \"purpose\"\n"})), "aborted"),
            77 => (call("hostile", "unreachable", &from, json!({})), "unreachable"),
            84 => (call("token", "balance_of", &from, json!({"owner": to})), "ok"),
            _ => (call("token", "transfer", &from, transfer((index % 977).to_string().into())), "ok"),
        };
        workload.push(line, outcome);
    }
    workload
}
