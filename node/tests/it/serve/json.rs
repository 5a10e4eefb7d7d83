//! The unary methods as JSON over HTTP/1.1: a plain HTTP client, and curl.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use phalanx_proto::v1;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use tempfile::tempdir;

use super::node::*;

const EXECUTION: &str = "/phalanx.v1.ExecutionService";
const QUERY: &str = "/phalanx.v1.QueryService";

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Sends a request; status, and body.
fn send(served: &Served, head: &str, body: &[u8]) -> (u16, String) {
    let length = body.len();
    exchange(served, &format!("{head}Host: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"), body)
}

/// Sends bytes as they are; status, and body.
fn exchange(served: &Served, head: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(served.endpoint.strip_prefix("http://").expect("it is")).expect("it listens");
    stream.write_all(&[head.as_bytes(), body].concat()).expect("it is open");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("it is answered");
    answer_of(bytes)
}

/// Status and body of an HTTP/1.1 answer.
pub(super) fn answer_of(bytes: Vec<u8>) -> (u16, String) {
    let text = String::from_utf8(bytes).expect("it is text");
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("it has a status");
    (status, text.split_once("\r\n\r\n").expect("it has a body").1.to_owned())
}

fn post_with(served: &Served, path: &str, headers: &str, body: &str) -> (u16, Value) {
    let head = format!("POST {path} HTTP/1.1\r\nContent-Type: application/json\r\n{headers}");
    let (status, text) = send(served, &head, body.as_bytes());
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}")))
}

/// Posts a message; the answer is one.
#[track_caller]
fn post(served: &Served, path: &str, message: &Value) -> Value {
    let (status, answer) = post_with(served, path, "", &message.to_string());
    assert_eq!(status, 200, "{answer}");
    answer
}

/// The reason of an error.
fn reason(error: &Value) -> &str {
    let details = error["details"].as_array().expect("it has details");
    let info = details.iter().find(|detail| detail["type"] == "google.rpc.ErrorInfo").expect("it has one");
    info["debug"]["reason"].as_str().expect("text")
}

fn call(token: &str, method: &str, sender: [u8; 32], to: [u8; 32], amount: u128) -> Value {
    let arguments = base64(&[&to[..], &amount.to_le_bytes()].concat());
    let sender = base64(&sender);
    json!({"contract": token, "method": method, "sender": sender, "arguments": arguments, "gasLimit": GAS.to_string()})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_unary_method_is_served() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let path = |method: &str| {
        let service = if ["Submit", "SubmitBatch", "Deploy", "Simulate"].contains(&method) { EXECUTION } else { QUERY };
        format!("{service}/{method}")
    };
    let info = post(&served, &path("GetServerInfo"), &json!({}));
    assert_eq!(info["chainId"], base64(&[0; 32]));
    let limits = info["limits"].as_array().expect("they are listed");
    assert!(limits.contains(&json!({"name": "json_bytes", "value": "4194304"})), "64-bit numbers are strings");
    let deploy = json!({"sender": base64(&ISSUER), "module": base64(&token_module())});
    let deployed = post(&served, &path("Deploy"), &deploy);
    let token = deployed["contract"].as_str().expect("it was deployed");
    assert_eq!(deployed["receipt"]["outcome"], "OUTCOME_OK");
    let mint = json!({"call": call(token, "mint", ISSUER, ALICE, 100)});
    let minted = post(&served, &path("Submit"), &mint);
    assert_eq!(minted["position"], json!({"height": "2"}));
    assert_eq!(minted["acknowledgement"], "ACKNOWLEDGEMENT_DURABLE");
    let notice = json!({"call": call(token, "mint", ISSUER, ALICE, 1), "acknowledgement": "ACKNOWLEDGEMENT_ORDERED"});
    let noticed = post(&served, &path("Submit"), &notice);
    assert_eq!(noticed["ordered"], json!({"first": {"height": "3"}, "calls": 1}));
    // The same receipt by JSON and by gRPC.
    let kept = post(&served, &path("GetReceipt"), &json!({"position": {"height": 2}}));
    assert_eq!(kept["receipt"], minted["receipt"]);
    let position = v1::CallPosition { height: 2, index: 0 };
    let asked = v1::GetReceiptRequest { call: Some(v1::get_receipt_request::Call::Position(position)) };
    let receipt = served.query().get_receipt(asked).await.expect("it is kept").into_inner().receipt.expect("set");
    assert_eq!(kept["receipt"]["gasUsed"], receipt.gas_used.to_string());
    assert_eq!(kept["receipt"]["events"][0]["data"], base64(&receipt.events[0].data));

    let transfer = call(token, "transfer", ALICE, BOB, 30);
    let simulated = post(&served, &path("Simulate"), &json!({"call": transfer}));
    assert_eq!(simulated["reads"][0]["answers"]["answers"][0]["operator"], "DELTA_OPERATOR_SUB");
    assert_eq!(simulated["writes"][0]["value"], base64(&71u128.to_le_bytes()));
    let list = json!({"list": {"calls": [transfer, transfer, call(token, "transfer", ALICE, BOB, 1_000)]}});
    let listed = post(&served, &path("SubmitBatch"), &list);
    let outcomes: Vec<_> = listed["receipts"]["receipts"].as_array().expect("there are some").iter().collect();
    let outcomes: Vec<_> = outcomes.iter().map(|receipt| receipt["outcome"].as_str().expect("text")).collect();
    assert_eq!(outcomes, ["OUTCOME_OK", "OUTCOME_OK", "OUTCOME_REVERTED"]);
    let columns = json!({
        "columns": {
            "targets": [{"contract": token, "method": "transfer"}],
            "calls": 3,
            "senders": base64(&ALICE),
            "gasLimits": base64(&GAS.to_le_bytes()),
            "arguments": base64(&[&BOB[..], &1u128.to_le_bytes()].concat().repeat(3)),
        },
        "receiptForm": "RECEIPT_FORM_CANONICAL",
    });
    let columns = post(&served, &path("SubmitBatch"), &columns);
    assert_eq!(columns["receipts"]["calls"], 3);
    let query = json!({
        "call": {"contract": token, "method": "balance_of", "sender": base64(&ALICE), "arguments": base64(&BOB),
            "gasLimit": GAS},
        "height": "5",
    });
    let queried = post(&served, &path("Query"), &query);
    assert_eq!(queried["receipt"]["returnBytes"], base64(&63u128.to_le_bytes()));
    let key = base64(&[&[1], &BOB[..]].concat());
    let state = post(&served, &path("GetState"), &json!({"contract": token, "keys": [key]}));
    assert_eq!(state, json!({"height": "5", "values": [{"value": base64(&63u128.to_le_bytes())}]}));
    let contracts = post(&served, &path("ListContracts"), &json!({"pageSize": 10}));
    assert_eq!(contracts["contracts"][0]["contract"], token);
    let contract = post(&served, &path("GetContract"), &json!({"contract": token, "includeModule": true}));
    assert_eq!(contract["module"], base64(&token_module()));
    assert_eq!(served.end().code, 0);
    verify(&folder.path().join("data"));
}

#[test]
fn errors_have_codes_statuses_and_details() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let submit = format!("{EXECUTION}/Submit");
    let token = base64(&[7; 32]);
    let mut identified = call(&token, "mint", ISSUER, ALICE, 1);
    identified["id"] = json!(base64(&[1; 16]));
    post(&served, &submit, &json!({"call": identified}));
    let mut other = identified.clone();
    other["method"] = json!("burn");
    let mut short = identified.clone();
    short["sender"] = json!("AQI=");
    let cases = [
        (submit.clone(), "", json!({"call": other}).to_string(), 409, "already_exists", Some("ID_REUSED")),
        (submit.clone(), "", json!({"call": short}).to_string(), 400, "invalid_argument", Some("MALFORMED")),
        (submit.clone(), "", "{}".to_owned(), 400, "invalid_argument", Some("MALFORMED")),
        (submit.clone(), "", "{\"cal\": {}}".to_owned(), 400, "invalid_argument", Some("MALFORMED")),
        (submit.clone(), "", "{".to_owned(), 400, "invalid_argument", Some("MALFORMED")),
        (submit.clone(), "Connect-Timeout-Ms: soon\r\n", "{}".to_owned(), 400, "invalid_argument", Some("MALFORMED")),
        (submit.clone(), "Content-Encoding: gzip\r\n", "{}".to_owned(), 400, "invalid_argument", Some("MALFORMED")),
        (
            format!("{QUERY}/GetContract"),
            "",
            json!({"contract": token}).to_string(),
            404,
            "not_found",
            Some("UNKNOWN_CONTRACT"),
        ),
        (format!("{QUERY}/Subscribe"), "", "{}".to_owned(), 501, "unimplemented", None),
        (format!("{EXECUTION}/Nothing"), "", "{}".to_owned(), 501, "unimplemented", None),
    ];
    let late = json!({"call": call(&token, "mint", ISSUER, ALICE, 1)}).to_string();
    let (status, error) = post_with(&served, &submit, "Connect-Timeout-Ms: 0\r\n", &late);
    assert_eq!((status, &error["code"]), (504, &json!("deadline_exceeded")), "{error}");
    // What says that it is too long is not waited for.
    let head = format!("POST {submit} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 5000000\r\n");
    let (status, error) = exchange(&served, &format!("{head}Connection: close\r\n\r\n"), b"");
    assert_eq!(status, 400, "{error}");
    assert_eq!(reason(&serde_json::from_str(&error).expect("it is JSON")), "LIMIT_EXCEEDED");
    for (path, headers, body, status, code, expected) in cases {
        let (found, error) = post_with(&served, &path, headers, &body);
        assert_eq!((found, &error["code"]), (status, &json!(code)), "{path}: {error}");
        assert_eq!(error.get("details").map(|_| reason(&error)), expected, "{path}: {error}");
    }
    let (status, _) =
        send(&served, &format!("GET {EXECUTION}/Submit HTTP/1.1\r\nContent-Type: application/json\r\n"), b"");
    assert_eq!(status, 405);
    // gRPC needs HTTP/2.
    let (status, _) =
        send(&served, &format!("POST {EXECUTION}/Submit HTTP/1.1\r\nContent-Type: application/grpc\r\n"), b"");
    assert_eq!(status, 415);
    assert_eq!(send(&served, "GET / HTTP/1.1\r\n", b"").0, 415);
}

#[test]
fn principals_are_those_of_grpc() {
    let folder = tempdir().expect("a temporary directory");
    let hash: String = Sha256::digest("billing-token").iter().map(|byte| format!("{byte:02x}")).collect();
    let config = folder.path().join("phalanx.toml");
    let alice = format!("0x{}", "02".repeat(32));
    let text = format!(
        "[[principal]]\nname = \"billing\"\nroles = [\"submit\"]\nsenders = [\"{alice}\"]\ntoken_sha256 = \"{hash}\"\n"
    );
    fs::write(&config, text).expect("it is writable");
    let served = Served::start(folder.path(), &["--config", config.to_str().expect("UTF-8")]);
    let submit = format!("{EXECUTION}/Submit");
    let bearer = "Authorization: Bearer billing-token\r\n";
    let of = |sender| json!({"call": call(&base64(&[7; 32]), "mint", sender, ALICE, 1)}).to_string();
    let cases = [
        ("", submit.clone(), of(ALICE), 401, Some("UNAUTHENTICATED")),
        ("Authorization: Bearer another\r\n", submit.clone(), of(ALICE), 401, Some("UNAUTHENTICATED")),
        (bearer, submit.clone(), of(BOB), 403, Some("SENDER")),
        (bearer, format!("{QUERY}/GetServerInfo"), "{}".to_owned(), 403, Some("ROLE")),
        (bearer, submit, of(ALICE), 200, None),
    ];
    for (headers, path, body, status, expected) in cases {
        let (found, answer) = post_with(&served, &path, headers, &body);
        assert_eq!(found, status, "{answer}");
        assert_eq!(answer.get("details").map(|_| reason(&answer)), expected, "{answer}");
    }
}

#[test]
fn curl_does_it_too() {
    if Command::new("curl").arg("--version").output().is_err() {
        return;
    }
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let url = format!("{}{EXECUTION}/Submit", served.endpoint);
    let message = json!({"call": call(&base64(&[7; 32]), "mint", ISSUER, ALICE, 1)}).to_string();
    for protocol in ["--http1.1", "--http2-prior-knowledge"] {
        let arguments = ["-sS", protocol, "-H", "content-type: application/json", "-d", &message, &url];
        let ended = Command::new("curl").args(arguments).output().expect("it starts");
        let answer: Value = serde_json::from_slice(&ended.stdout)
            .unwrap_or_else(|_| panic!("{protocol}: {}", String::from_utf8_lossy(&ended.stderr)));
        assert_eq!(answer["receipt"]["outcome"], "OUTCOME_UNKNOWN_CONTRACT", "{protocol}: {answer}");
    }
}
