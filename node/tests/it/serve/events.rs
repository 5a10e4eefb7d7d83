//! What a node writes to standard error.

use phalanx_proto::v1;
use serde_json::Value;
use std::fs;
use tempfile::tempdir;

use super::access::{as_bearer, principal, token_line};
use super::node::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_node_tells_what_happens_and_nothing_of_calls() {
    let folder = tempdir().expect("a temporary directory");
    let config = folder.path().join("phalanx.toml");
    let right = token_line("billing-token");
    fs::write(&config, principal("billing", "[\"submit\"]", "\"any\"", &right)).expect("it is writable");
    let options = ["--config", config.to_str().expect("UTF-8"), "--log", "debug", "--log-format", "json"];
    let served = Served::start(folder.path(), &options);
    let call = |method: &str| {
        let call = Some(token_call(&[0x5a; 32], method, ALICE, [0x6b; 32], 1));
        v1::SubmitRequest { call, ..v1::SubmitRequest::default() }
    };
    for token in ["wrong-token-one", "wrong-token-two"] {
        assert!(served.execution().submit(as_bearer(token, call("transfer"))).await.is_err());
    }
    assert!(served.execution().submit(as_bearer("billing-token", call("telltale_method"))).await.is_ok());
    let ended = served.end();
    let events: Vec<Value> =
        ended.stderr.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect();
    let messages: Vec<_> = events.iter().filter_map(|event| event["message"].as_str()).collect();
    let happened = [
        "configuration read",
        "starting",
        "log replayed",
        "serving",
        "draining: requests are no longer taken",
        "ended",
    ];
    let mut expected = happened.iter().copied().peekable();
    for message in &messages {
        expected.next_if_eq(message);
    }
    assert_eq!(expected.next(), None, "{messages:?}");
    let refused: u64 = events
        .iter()
        .filter(|event| event["message"] == "requests refused" && event["reason"] == "UNAUTHENTICATED")
        .map(|event| event["requests"].as_u64().expect("a number"))
        .sum();
    assert_eq!(refused, 2, "{}", ended.stderr);
    assert!(events.iter().all(|event| event["timestamp"].is_string() && event["level"].is_string()));
    let arguments = "6b".repeat(32);
    for secret in ["token-one", "token-two", "billing-token", "telltale_method", &*arguments, "5a5a", "kkkk"] {
        assert!(!ended.stderr.contains(secret), "{secret}: {}", ended.stderr);
    }
}

#[test]
fn events_are_text_for_people_unless_asked_otherwise() {
    let folder = tempdir().expect("a temporary directory");
    let ended = Served::start(folder.path(), &["--log", "info"]).end().with_code(0);
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert!(lines.iter().any(|line| line.contains(" INFO phalanx::serve: serving address=127.0.0.1:")), "{lines:?}");
    let quiet = Served::start(folder.path(), &["--log", "off"]).end().with_code(0);
    assert_eq!(quiet.stderr, "");
}
