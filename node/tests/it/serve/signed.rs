//! Signed calls: whose they are, where and when they are valid, and that they are executed once.

use phalanx_client::{Client, Options, Session, SessionOptions, Signer};
use phalanx_proto::v1;
use phalanx_proto::v1::submit_batch_request::Calls;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;
use tempfile::tempdir;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use super::node::*;
use crate::command::{module, on_directory, run};

const CHAIN: [u8; 32] = [0xab; 32];
const LAST: u64 = 1_000;

fn chain() -> String {
    format!("0x{}", "ab".repeat(32))
}

fn signer(key: u8) -> Signer {
    Signer::new(&[key; 32], CHAIN)
}

/// A signed call of the token.
fn signed(signer: &Signer, token: &[u8], method: &str, to: [u8; 32], amount: u128) -> v1::Call {
    let mut call = token_call(token, method, signer.address(), to, amount);
    signer.sign(&mut call, LAST).expect("it can be signed");
    call
}

async fn try_submit(served: &Served, call: v1::Call) -> Result<v1::SubmitResponse, Status> {
    let request = v1::SubmitRequest { call: Some(call), ..v1::SubmitRequest::default() };
    served.execution().submit(request).await.map(tonic::Response::into_inner)
}

async fn try_batch(served: &Served, calls: Vec<v1::Call>) -> Result<v1::SubmissionReceipts, Status> {
    let calls = Some(Calls::List(calls.iter().collect()));
    let request = v1::SubmitBatchRequest { calls, ..v1::SubmitBatchRequest::default() };
    let answer = served.execution().submit_batch(request).await?;
    Ok(answer.into_inner().receipts.expect("set"))
}

#[track_caller]
fn check(refused: Result<impl std::fmt::Debug, Status>, code: Code, reason: &str) -> Status {
    let refused = refused.expect_err("it is refused");
    assert_eq!((refused.code(), &*refused.get_details_error_info().expect("it has one").reason), (code, reason));
    refused
}

fn info(status: &Status, key: &str) -> String {
    status.get_details_error_info().expect("it has one").metadata[key].clone()
}

/// A node whose callers act as those who signed, and an owner who may do all.
fn serve_public(folder: &Path) -> Served {
    let token: String = Sha256::digest("owner").iter().map(|byte| format!("{byte:02x}")).collect();
    let config = folder.join("phalanx.toml");
    let text = format!(
        "chain_id = \"{}\"\npublic = [\"read\", \"submit\", \"deploy\"]\n\
         [[principal]]\nname = \"owner\"\nroles = [\"read\", \"submit\", \"deploy\"]\nsenders = \"any\"\ntoken_sha256 = \"{token}\"\n\
         [[principal]]\nname = \"relay\"\nroles = [\"submit\"]\nsenders = \"signed\"\ntoken_sha256 = \"{}\"\n",
        chain(),
        Sha256::digest("relay").iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
    );
    fs::write(&config, text).expect("it is writable");
    Served::start(folder, &["--config", config.to_str().expect("UTF-8")])
}

fn as_bearer<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("it is text"));
    request
}

/// The token, deployed by a signed call.
async fn deploy_signed(served: &Served, issuer: &Signer) -> Vec<u8> {
    let mut call = v1::Call {
        contract: vec![0; 32].into(),
        method: "deploy".to_owned(),
        arguments: phalanx_engine::deploy_arguments(&[0; 32], &token_module()).into(),
        gas_limit: phalanx_engine::deploy_gas(token_module().len()),
        ..v1::Call::default()
    };
    issuer.sign(&mut call, LAST).expect("it can be signed");
    let deployed = try_submit(served, call).await.expect("it is taken in").receipt.expect("there is one");
    assert_eq!(outcome(Some(&deployed)), v1::Outcome::Ok);
    deployed.return_bytes.to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn strangers_act_as_those_who_signed_and_nobody_else() {
    let folder = tempdir().expect("a temporary directory");
    let served = serve_public(folder.path());
    assert_eq!(served.started["open"], false);
    let (issuer, alice) = (signer(1), signer(2));
    let token = deploy_signed(&served, &issuer).await;
    let mint = signed(&issuer, &token, "mint", alice.address(), 100);
    let minted = try_submit(&served, mint.clone()).await.expect("it is taken in");
    assert_eq!((outcome(minted.receipt.as_ref()), minted.repeated), (v1::Outcome::Ok, false));
    // Whoever sends it again, once more is never.
    let replayed = try_submit(&served, mint.clone()).await.expect("it is known");
    assert_eq!((replayed.position, replayed.receipt, replayed.repeated), (minted.position, minted.receipt, true));
    assert_eq!(query_balance(&served, &token, alice.address()).await, 100);

    let good = signed(&alice, &token, "transfer", BOB, 1);
    let bad = || (Code::PermissionDenied, "BAD_SIGNATURE");
    let altered = [
        v1::Call { contract: vec![7; 32].into(), ..good.clone() },
        v1::Call { method: "mint".to_owned(), ..good.clone() },
        v1::Call { arguments: [&BOB[..], &2u128.to_le_bytes()].concat().into(), ..good.clone() },
        v1::Call { gas_limit: u64::from(GAS) + 1, ..good.clone() },
        v1::Call { id: Some([&(LAST + 1).to_le_bytes()[..], &[0; 8]].concat().into()), ..good.clone() },
        // Another's sender, and a sender that is no key at all.
        v1::Call { sender: issuer.address().to_vec().into(), ..good.clone() },
        v1::Call { sender: vec![2; 32].into(), ..good.clone() },
        // Another's key.
        v1::Call { signature: signed(&issuer, &token, "transfer", BOB, 1).signature, ..good.clone() },
        v1::Call { signature: Some(vec![0; 64].into()), ..good.clone() },
    ];
    for call in altered {
        check(try_submit(&served, call).await, bad().0, bad().1);
    }
    let mut elsewhere = token_call(&token, "transfer", ALICE, BOB, 1);
    Signer::new(&[2; 32], [0xac; 32]).sign(&mut elsewhere, LAST).expect("it can be signed");
    check(try_submit(&served, elsewhere).await, bad().0, bad().1);
    let unsigned = v1::Call { signature: None, ..good.clone() };
    check(try_submit(&served, unsigned).await, Code::PermissionDenied, "UNSIGNED");
    for malformed in [
        v1::Call { signature: Some(vec![1; 63].into()), ..good.clone() },
        v1::Call { id: None, ..good.clone() },
        v1::Call { id: Some(vec![1; 8].into()), ..good.clone() },
    ] {
        check(try_submit(&served, malformed).await, Code::InvalidArgument, "MALFORMED");
    }
    // The same id for another body, though it is signed.
    let mut other = token_call(&token, "mint", ALICE, BOB, 5);
    issuer.sign(&mut other, LAST).expect("it can be signed");
    let (id, body) = (mint.id.clone().expect("set"), other);
    let mut reused = v1::Call { id: Some(id), ..body };
    resign(&issuer, &mut reused, 1);
    check(try_submit(&served, reused).await, Code::AlreadyExists, "ID_REUSED");

    // A principal whose senders are those who signed relays calls; the owner's calls need no signature.
    let request = v1::SubmitRequest { call: Some(good), ..v1::SubmitRequest::default() };
    let relayed = served.execution().submit(as_bearer("relay", request)).await.expect("it is taken in").into_inner();
    assert_eq!(outcome(relayed.receipt.as_ref()), v1::Outcome::Ok);
    let unsigned = token_call(&token, "transfer", BOB, alice.address(), 1);
    let request = || v1::SubmitRequest { call: Some(unsigned.clone()), ..v1::SubmitRequest::default() };
    let refused = served.execution().submit(as_bearer("relay", request())).await;
    check(refused, Code::PermissionDenied, "UNSIGNED");
    assert!(served.execution().submit(as_bearer("owner", request())).await.is_ok());
    // Sessions are few.
    let client = Client::connect(served.endpoint.clone(), Options::default()).await.expect("it listens");
    let refused = Session::open(&client, SessionOptions::default()).await;
    assert!(refused.err().expect("it is refused").to_string().contains("SESSION"));

    assert_eq!(query_balance(&served, &token, alice.address()).await, 100);
    assert_eq!(served.end().code, 0);
    let data = folder.path().join("data");
    let verified = on_directory(&["log", "verify"], &data, &["--signatures", "-o", "json"]).with_code(0);
    assert_eq!(verified.json("phalanx.log.verify/1")["signatures"], 3);
    assert_eq!(verify(&data)["signatures"], json!(null));
}

/// Signs a call again under the id that it has: as a client that draws no other.
fn resign(signer: &Signer, call: &mut v1::Call, key: u8) {
    let id: [u8; 16] = call.id.as_ref().expect("set")[..].try_into().expect("16 bytes");
    let bytes = phalanx_proto::signing::SignedCall {
        chain_id: &CHAIN,
        contract: call.contract[..].try_into().expect("32 bytes"),
        method: &call.method,
        sender: &signer.address(),
        id: &id,
        gas_limit: u32::try_from(call.gas_limit).expect("32 bits"),
        arguments: &call.arguments,
    }
    .to_bytes();
    let signature: [u8; 64] = ed25519_zebra::SigningKey::from([key; 32]).sign(&bytes).into();
    call.sender = signer.address().to_vec().into();
    call.signature = Some(signature.to_vec().into());
}

async fn query_balance(served: &Served, token: &[u8], owner: [u8; 32]) -> u128 {
    balance(served, token, owner).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_signed_call_is_valid_for_a_window_of_heights() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &["--chain-id", &chain()]);
    let token = deploy_token(&served).await;
    let limits =
        served.query().get_server_info(v1::GetServerInfoRequest {}).await.expect("it is answered").into_inner();
    assert_eq!(limits.chain_id, CHAIN.to_vec());
    let window = limits.limits.into_iter().find(|limit| limit.name == "signed_call_heights").expect("it is listed");
    let alice = signer(2);
    let until = |last| {
        let mut call = token_call(&token, "transfer", ALICE, BOB, 1);
        alice.sign(&mut call, last).expect("it can be signed");
        call
    };
    let refused = check(try_submit(&served, until(1)).await, Code::FailedPrecondition, "EXPIRED");
    assert_eq!((info(&refused, "last"), info(&refused, "height")), ("1".to_owned(), "2".to_owned()));
    let early = 2 + window.value;
    let refused = check(try_submit(&served, until(early)).await, Code::FailedPrecondition, "NOT_YET_VALID");
    assert_eq!((info(&refused, "first"), info(&refused, "height")), ("3".to_owned(), "2".to_owned()));
    check(try_submit(&served, until(u64::MAX)).await, Code::FailedPrecondition, "NOT_YET_VALID");
    // The first and the last height of the window.
    assert!(try_submit(&served, until(early - 1)).await.is_ok());
    assert!(try_submit(&served, until(3)).await.is_ok());
    // Once executed, it is answered also when its window has passed.
    let mut call = token_call(&token, "transfer", ALICE, BOB, 1);
    alice.sign(&mut call, 4).expect("it can be signed");
    assert_eq!(try_submit(&served, call.clone()).await.expect("it is in time").position.expect("set").height, 4);
    assert!(try_submit(&served, call).await.expect("it is known").repeated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn lists_of_signed_calls_are_checked_together_and_executed_once() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &["--chain-id", &chain()]);
    let token = deploy_token(&served).await;
    let signers: Vec<Signer> = (10..20).map(signer).collect();
    for signer in &signers {
        submit(&served, token_call(&token, "mint", ISSUER, signer.address(), 100)).await;
    }
    let transfers: Vec<_> = (0..60).map(|number| signed(&signers[number % 10], &token, "transfer", BOB, 1)).collect();
    for bad in [0, 31, 59] {
        let mut calls = transfers.clone();
        calls[bad].gas_limit += 1;
        let refused = check(try_batch(&served, calls).await, Code::PermissionDenied, "BAD_SIGNATURE");
        assert_eq!(info(&refused, "call"), bad.to_string());
    }
    let twice = [&transfers[..5], &transfers[2..3]].concat();
    check(try_batch(&served, twice).await, Code::InvalidArgument, "MALFORMED");
    assert_eq!(balance(&served, &token, BOB).await, 0);
    let receipts = try_batch(&served, transfers.clone()).await.expect("all are good");
    assert!(receipts.receipts.iter().all(|receipt| outcome(Some(receipt)) == v1::Outcome::Ok));
    let first = receipts.first.expect("set");
    // One of them again among others: nothing of it is done.
    let mut again: Vec<_> = (0..8).map(|number| signed(&signers[number], &token, "transfer", BOB, 1)).collect();
    again[6] = transfers[42].clone();
    let refused = check(try_batch(&served, again.clone()).await, Code::AlreadyExists, "ID_REUSED");
    assert_eq!((info(&refused, "height"), info(&refused, "index")), (first.height.to_string(), "42".to_owned()));
    // Also behind a crash, and also alone.
    served.kill();
    let served = Served::start(folder.path(), &[]);
    check(try_batch(&served, again).await, Code::AlreadyExists, "ID_REUSED");
    let alone = try_submit(&served, transfers[42].clone()).await.expect("it is known");
    assert_eq!((alone.repeated, alone.position.expect("set").index), (true, 42));
    // In a session the list has both: its place, and ids.
    let in_session = |calls: Vec<v1::Call>, sequence| v1::SubmitBatchRequest {
        calls: Some(Calls::List(calls.iter().collect())),
        session: Some(v1::SessionPosition { session: vec![5; 16].into(), sequence }),
        ..v1::SubmitBatchRequest::default()
    };
    let more: Vec<_> = (0..6).map(|number| signed(&signers[number], &token, "transfer", BOB, 1)).collect();
    let mut execution = served.execution();
    execution.submit_batch(in_session(more.clone(), 1)).await.expect("it is taken in");
    let repeated = execution.submit_batch(in_session(more.clone(), 1)).await.expect("it is known").into_inner();
    assert!(repeated.receipts.expect("set").repeated);
    let refused = execution.submit_batch(in_session(more.clone(), 2)).await;
    check(refused, Code::AlreadyExists, "ID_REUSED");
    assert_eq!(served.end().code, 0);
    let served = Served::start(folder.path(), &[]);
    let known = try_submit(&served, more[3].clone()).await.expect("it is known");
    assert_eq!((known.repeated, known.position.expect("set").index), (true, 3));
    assert_eq!(balance(&served, &token, BOB).await, 66);
    // Subscribers can check the signatures too.
    let from = Some(v1::Cursor { height: first.height, index: 42 });
    let request = v1::SubscribeRequest { from, include_calls: true, ..v1::SubscribeRequest::default() };
    let mut history = served.query().subscribe(request).await.expect("it is answered").into_inner();
    let message = history.message().await.expect("it goes on").expect("there is one");
    assert_eq!(message.calls[0].call.as_ref(), Some(&transfers[42]));
    drop(history);
    assert_eq!(served.end().code, 0);
    let data = folder.path().join("data");
    let verified = on_directory(&["log", "verify"], &data, &["--signatures", "-o", "json"]).with_code(0);
    assert_eq!(verified.json("phalanx.log.verify/1")["signatures"], 66);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_node_can_ask_for_signatures_of_everybody() {
    let folder = tempdir().expect("a temporary directory");
    let config = folder.path().join("phalanx.toml");
    fs::write(&config, format!("chain_id = \"{}\"\nrequire_signatures = true\n", chain())).expect("it is writable");
    let served = Served::start(folder.path(), &["--config", config.to_str().expect("UTF-8")]);
    let alice = signer(2);
    let token = deploy_signed(&served, &alice).await;
    let deploy = v1::DeployRequest { sender: ALICE.to_vec().into(), ..v1::DeployRequest::default() };
    check(served.execution().deploy(deploy).await, Code::PermissionDenied, "UNSIGNED");
    let unsigned = token_call(&token, "mint", ALICE, BOB, 1);
    check(try_submit(&served, unsigned.clone()).await, Code::PermissionDenied, "UNSIGNED");
    let mixed = vec![signed(&alice, &token, "mint", BOB, 1), unsigned];
    check(try_batch(&served, mixed).await, Code::PermissionDenied, "UNSIGNED");
    let columns = v1::SubmitBatchRequest {
        calls: Some(Calls::Columns(transfers(&token, 3, ALICE, BOB))),
        ..v1::SubmitBatchRequest::default()
    };
    check(served.execution().submit_batch(columns).await, Code::PermissionDenied, "UNSIGNED");
    assert!(try_submit(&served, signed(&alice, &token, "mint", BOB, 1)).await.is_ok());
    // Questions are nobody's deeds.
    assert_eq!(balance(&served, &token, BOB).await, 1);
    assert_eq!(served.end().code, 0);
    // The chain is the directory's: another one is refused.
    let data = folder.path().join("data");
    let data = data.to_str().expect("UTF-8");
    let other = format!("0x{}", "cd".repeat(32));
    run(["serve", "--listen", "127.0.0.1:0", "--data-dir", data, "--chain-id", &other]).with_code(4);
    fs::write(&config, "require_signatures = true\n").expect("it is writable");
    let config = config.to_str().expect("UTF-8");
    let ended = run(["serve", "--listen", "127.0.0.1:0", "--data-dir", data, "--config", config]).with_code(2);
    assert!(ended.stderr.contains("chain_id"), "{}", ended.stderr);
}

#[test]
fn the_command_makes_keys_and_signs_with_them() {
    let folder = tempdir().expect("a temporary directory");
    let key = folder.path().join("alice.key");
    let key = key.to_str().expect("UTF-8");
    let made = run(["key", "new", key, "-o", "json"]).with_code(0).json("phalanx.key/1");
    let shown = run(["key", "show", key, "-o", "json"]).with_code(0).json("phalanx.key/1");
    assert_eq!(made, shown);
    run(["key", "new", key]).with_code(2);
    let served = serve_public(folder.path());
    let ask = |arguments: &[&str]| run([arguments, &["--endpoint", &served.endpoint, "-o", "json"]].concat());
    let wasm = module("token.wasm");
    let deployed = ask(&["deploy", wasm.to_str().expect("UTF-8"), "--signing-key", key]).with_code(0);
    let deployed = deployed.json("phalanx.deploy/1");
    let token = deployed["contract"].as_str().expect("it was deployed");
    let to = format!("0x{}", "02".repeat(32));
    let mint = json!({"to": to, "amount": "7"}).to_string();
    let minted = ask(&["call", token, "mint", "--signing-key", key, "--args", &mint]).with_code(0);
    assert_eq!(minted.json("phalanx.call.receipt/1")["outcome"], "ok");
    let address = made["address"].as_str().expect("text");
    let refused = ask(&["call", token, "mint", "--sender", address, "--args", &mint]).with_code(1);
    assert!(refused.stderr.contains("UNSIGNED"), "{}", refused.stderr);
    let elsewhere = format!("0x{}", "cd".repeat(32));
    let elsewhere = ["call", token, "mint", "--signing-key", key, "--signed-for", &elsewhere, "--args", &mint];
    let refused = ask(&elsewhere).with_code(1);
    assert!(refused.stderr.contains("BAD_SIGNATURE"), "{}", refused.stderr);
    ask(&["call", token, "mint", "--args", &mint]).with_code(2);

    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(key, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let ended = run(["key", "show", key]).with_code(2);
    assert!(ended.stderr.contains("chmod 600"), "{}", ended.stderr);
    fs::write(key, "0x12\n").expect("it is ours");
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let ended = run(["key", "show", key]).with_code(2);
    assert!(ended.stderr.contains("64 hex digits"), "{}", ended.stderr);
}
