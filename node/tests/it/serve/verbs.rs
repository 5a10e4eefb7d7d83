//! The verbs that ask a node.

use serde_json::{Value, json};
use std::process::Stdio;
use tempfile::tempdir;

use super::node::*;
use crate::command::{Ended, module, phalanx, run};

const SENDER: &str = "0x0101010101010101010101010101010101010101010101010101010101010101";
const OTHER: &str = "0x0202020202020202020202020202020202020202020202020202020202020202";

fn ask(served: &Served, arguments: &[&str]) -> Ended {
    run([arguments, &["--endpoint", &served.endpoint, "-o", "json"]].concat())
}

#[test]
fn a_contract_is_deployed_called_and_asked_from_the_command_line() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let wasm = module("token.wasm");
    let wasm = wasm.to_str().expect("UTF-8");
    let deployed = ask(&served, &["deploy", wasm, "--sender", SENDER, "--name", "token"]).with_code(0);
    let deployed = deployed.json("phalanx.deploy/1");
    let token = deployed["contract"].as_str().expect("it was deployed");
    let again = ask(&served, &["deploy", wasm, "--sender", SENDER, "--name", "token"]).with_code(1);
    assert_eq!(again.json("phalanx.deploy/1")["outcome"], "already_deployed");

    let arguments = json!({"to": OTHER, "amount": "100"}).to_string();
    let mint = ["call", token, "mint", "--sender", SENDER, "--args", &arguments];
    let minted = ask(&served, &mint).with_code(0).json("phalanx.call.receipt/1");
    assert_eq!((&minted["outcome"], &minted["height"], &minted["repeated"]), (&json!("ok"), &json!(3), &json!(false)));

    let transfer = |verb| [verb, token, "transfer", "--sender", SENDER, "--args", &arguments];
    let refused = ask(&served, &transfer("call")).with_code(1).json("phalanx.call.receipt/1");
    assert_eq!((&refused["outcome"], &refused["return_decoded"]), (&json!("reverted"), &json!("InsufficientBalance")));
    let tried = ask(&served, &transfer("simulate")).with_code(1).json("phalanx.simulate/1");
    assert_eq!((&tried["outcome"], &tried["writes"]), (&json!("reverted"), &json!([])));

    let owner = json!({"owner": OTHER}).to_string();
    let balance = ask(&served, &["query", token, "balance_of", "--sender", SENDER, "--args", &owner]).with_code(0);
    assert_eq!(balance.json("phalanx.query/1")["return_decoded"], "100");

    let kept = ask(&served, &["receipt", "3", "0"]).with_code(0).json("phalanx.receipt/1");
    for field in ["outcome", "gas_used", "return"] {
        assert_eq!(kept[field], minted[field]);
    }
    ask(&served, &["receipt", "9", "0"]).with_code(1);
    // Raw arguments need no ABI, and so no contract that is known.
    let raw = ask(&served, &["call", OTHER, "mint", "--sender", SENDER, "--raw", "0x00"]).with_code(1);
    assert_eq!(raw.json("phalanx.call.receipt/1")["outcome"], "unknown_contract");

    let lines = ask(&served, &["subscribe", "--from", "2", "--limit", "2", "--contract", token]).with_code(0).stdout;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    let [first, second] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(first["arguments_decoded"], json!({"to": OTHER, "amount": "100"}));
    assert_eq!((&first["method"], &first["outcome"]), (&json!("mint"), &json!("ok")));
    assert_eq!(
        (&second["method"], &second["outcome"], &second["height"]),
        (&json!("transfer"), &json!("reverted"), &json!(4))
    );
}

#[test]
fn what_is_wrong_is_told_apart() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let wasm = module("token.wasm");
    let deployed = ask(&served, &["deploy", wasm.to_str().expect("UTF-8"), "--sender", SENDER]).with_code(0);
    let deployed = deployed.json("phalanx.deploy/1");
    let token = deployed["contract"].as_str().expect("it was deployed");
    let cases: [(&[&str], i32, &str); 4] = [
        (&["call", token, "mint", "--sender", SENDER, "--args", "{\"to\": 1}"], 2, "--args"),
        (&["call", token, "nothing", "--sender", SENDER], 2, "no method `nothing`"),
        (&["call", OTHER, "mint", "--sender", SENDER], 1, "UNKNOWN_CONTRACT"),
        (&["deploy", "no.wasm", "--sender", SENDER], 2, "no.wasm"),
    ];
    for (arguments, code, expected) in cases {
        let ended = ask(&served, arguments).with_code(code);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
    let free = served.endpoint.clone();
    assert_eq!(served.end().code, 0);
    let mut command = phalanx();
    command.args(["receipt", "1", "0", "--endpoint", &free]).stdin(Stdio::null());
    let ended = Ended::of(command.output().expect("the binary starts")).with_code(3);
    assert!(ended.stderr.contains("check the endpoint"), "{}", ended.stderr);
}
