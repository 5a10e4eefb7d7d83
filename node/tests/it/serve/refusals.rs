//! What is refused, and how it is said.

use phalanx_proto::v1;
use phalanx_proto::v1::submit_batch_request::Calls;
use tempfile::tempdir;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::node::*;
use crate::command::module;

#[track_caller]
fn check(refused: &Status, code: Code, reason: &str, field: &str) {
    assert_eq!(refused.code(), code, "{refused}");
    let details = refused.get_error_details();
    let info = details.error_info().expect("each error has one");
    assert_eq!((&*info.domain, &*info.reason), ("phalanx", reason), "{refused}");
    let violations = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    assert!(violations.iter().any(|violation| violation.field == field), "{violations:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn malformed_requests_name_their_field_and_limit() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let good = token_call(&[7; 32], "transfer", ALICE, BOB, 1);
    let mut execution = served.execution();
    let cases: [(v1::Call, &str, &str); 6] = [
        (v1::Call { contract: vec![7; 31].into(), ..good.clone() }, "MALFORMED", "call.contract"),
        (v1::Call { sender: Vec::new().into(), ..good.clone() }, "MALFORMED", "call.sender"),
        (v1::Call { method: "m".repeat(65), ..good.clone() }, "LIMIT_EXCEEDED", "call.method"),
        (v1::Call { gas_limit: 1 << 32, ..good.clone() }, "LIMIT_EXCEEDED", "call.gas_limit"),
        (v1::Call { id: Some(vec![1; 15].into()), ..good.clone() }, "MALFORMED", "call.id"),
        (v1::Call { signature: Some(vec![1; 64].into()), ..good.clone() }, "MALFORMED", "call.id"),
    ];
    for (call, reason, field) in cases {
        let request = v1::SubmitRequest { call: Some(call), ..v1::SubmitRequest::default() };
        let refused = execution.submit(request).await.expect_err("it is malformed");
        check(&refused, Code::InvalidArgument, reason, field);
    }
    let missing = execution.submit(v1::SubmitRequest::default()).await.expect_err("there is no call");
    check(&missing, Code::InvalidArgument, "MALFORMED", "call");

    let batch = |calls| v1::SubmitBatchRequest { calls: Some(calls), ..v1::SubmitBatchRequest::default() };
    let long = v1::CallColumns { calls: 65_537, ..transfers(&[7; 32], 1, ALICE, BOB) };
    let refused = execution.submit_batch(batch(Calls::Columns(long))).await.expect_err("it is too long");
    check(&refused, Code::InvalidArgument, "LIMIT_EXCEEDED", "columns.calls");
    let info = refused.get_details_error_info().expect("it has one");
    let metadata = ["limit", "actual", "max"].map(|key| info.metadata[key].as_str());
    assert_eq!(metadata, ["batch_calls", "65537", "65536"]);
    let lying = v1::CallColumns { calls: 2, ..transfers(&[7; 32], 3, ALICE, BOB) };
    let lying = v1::CallColumns { argument_ends: vec![0; 12].into(), ..lying };
    let refused = execution.submit_batch(batch(Calls::Columns(lying))).await.expect_err("it lies");
    check(&refused, Code::InvalidArgument, "MALFORMED", "columns.argument_ends");
    let identified = v1::Call { id: Some(vec![1; 16].into()), ..good };
    let refused = execution.submit_batch(batch(Calls::List([&identified].into_iter().collect()))).await;
    check(&refused.expect_err("a batch has no ids"), Code::InvalidArgument, "MALFORMED", "list.calls[0].id");

    let mut query = served.query();
    let keys = vec![vec![1].into(); 257];
    let refused = query.get_state(v1::GetStateRequest { contract: vec![7; 32].into(), keys }).await;
    check(&refused.expect_err("too many"), Code::InvalidArgument, "LIMIT_EXCEEDED", "keys");
    // Nothing of it was ordered.
    let info = query.get_server_info(v1::GetServerInfoRequest {}).await.expect("it is answered").into_inner();
    assert_eq!((info.height, info.protocol_version), (0, phalanx_engine::PROTOCOL_VERSION));
    let limit = |name: &str| info.limits.iter().find(|limit| limit.name == name).map(|limit| limit.value);
    assert_eq!((limit("batch_calls"), limit("argument_bytes")), (Some(65_536), Some(64 << 10)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_not_there_is_not_found() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let mut query = served.query();
    let at = |height, index| {
        let position = v1::CallPosition { height, index };
        v1::GetReceiptRequest { call: Some(v1::get_receipt_request::Call::Position(position)) }
    };
    assert_eq!(query.get_receipt(at(1, 0)).await.expect_err("nothing is there").code(), Code::NotFound);
    deploy_token(&served).await;
    assert!(query.get_receipt(at(1, 0)).await.is_ok());
    for (height, index) in [(0, 0), (1, 1), (2, 0), (u64::MAX, u32::MAX)] {
        let refused = query.get_receipt(at(height, index)).await.expect_err("nothing is there");
        assert_eq!(refused.code(), Code::NotFound, "{refused}");
    }
    let asked = v1::GetContractRequest { contract: vec![9; 32].into(), include_module: false };
    let refused = query.get_contract(asked).await.expect_err("nothing is there");
    assert_eq!(refused.get_details_error_info().expect("it has one").reason, "UNKNOWN_CONTRACT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_refused_module_is_an_answer_that_says_why() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let module = wat::parse_str("(module (func (export \"f\") (result f64) f64.const 1))").expect("it is text");
    let request =
        v1::DeployRequest { sender: ISSUER.to_vec().into(), module: module.into(), ..v1::DeployRequest::default() };
    let answer = served.execution().deploy(request).await.expect("it is taken in").into_inner();
    assert_eq!(outcome(answer.receipt.as_ref()), v1::Outcome::ModuleRefused);
    assert!(answer.contract.is_empty() && !answer.explanation.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn questions_are_bounded_by_limits_that_are_listed() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    let info = served.query().get_server_info(v1::GetServerInfoRequest {}).await.expect("it is answered").into_inner();
    let listed = |name: &str| info.limits.iter().find(|limit| limit.name == name).map(|limit| limit.value.to_string());
    let check_limit = |refused: &Status, field: &str, limit: &str| {
        check(refused, Code::InvalidArgument, "LIMIT_EXCEEDED", field);
        let metadata = refused.get_details_error_info().expect("it has one").metadata;
        assert_eq!((&*metadata["limit"], metadata.get("max")), (limit, listed(limit).as_ref()));
    };
    let good = token_call(&token, "transfer", ALICE, BOB, 1);
    let call = Some(v1::Call { gas_limit: 50_000_001, ..good.clone() });
    let refused = served.execution().simulate(v1::SimulateRequest { call: call.clone(), height: None }).await;
    check_limit(&refused.expect_err("it is too much"), "call.gas_limit", "question_gas");
    let refused = served.query().query(v1::QueryRequest { call, height: None }).await;
    check_limit(&refused.expect_err("it is too much"), "call.gas_limit", "question_gas");
    let call = Some(v1::Call { gas_limit: 50_000_000, ..good.clone() });
    served.query().query(v1::QueryRequest { call, height: None }).await.expect("it is as much as may be");
    let call = Some(v1::Call { arguments: vec![0; 1 << 20].into(), ..good });
    let refused = served.execution().simulate(v1::SimulateRequest { call, height: None }).await;
    check_limit(&refused.expect_err("it is too large"), "call", "question_bytes");

    let module = v1::DeployRequest { sender: ISSUER.to_vec().into(), ..v1::DeployRequest::default() };
    let module = v1::DeployRequest { module: vec![0; (1 << 20) + 1].into(), ..module };
    let refused = served.execution().deploy(module).await;
    check_limit(&refused.expect_err("it is too large"), "module", "module_bytes");
    let page = v1::ListContractsRequest { page_size: 1_001, ..v1::ListContractsRequest::default() };
    let refused = served.query().list_contracts(page).await;
    check_limit(&refused.expect_err("it is too long"), "page_size", "page_contracts");
    let methods = vec![String::new(); 257];
    let filter = Some(v1::CallFilter { methods, ..v1::CallFilter::default() });
    let refused = served.query().subscribe(v1::SubscribeRequest { filter, ..v1::SubscribeRequest::default() }).await;
    check_limit(&refused.map(drop).expect_err("it is too long"), "filter.methods", "filter_entries");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn values_of_a_question_are_bounded_together() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let module = std::fs::read(module("exerciser.wasm")).expect("it is built");
    // The system contract keeps modules, and shows them as it shows other values.
    let key = [&[1], &blake3::hash(&module).as_bytes()[..]].concat();
    let deploy = v1::DeployRequest { sender: ISSUER.to_vec().into(), ..v1::DeployRequest::default() };
    let deploy = v1::DeployRequest { module: module.clone().into(), ..deploy };
    let deployed = served.execution().deploy(deploy).await.expect("it is taken in").into_inner();
    assert_eq!(outcome(deployed.receipt.as_ref()), v1::Outcome::Ok);
    let fit = (3 << 20) / module.len();
    assert!(fit < 256, "the module is too small for this test");
    let ask = |keys| v1::GetStateRequest { contract: vec![0; 32].into(), keys: vec![key.clone().into(); keys] };
    let refused = served.query().get_state(ask(fit + 1)).await.expect_err("it is too much");
    check(&refused, Code::InvalidArgument, "LIMIT_EXCEEDED", "keys");
    assert_eq!(refused.get_details_error_info().expect("it has one").metadata["limit"], "state_bytes");
    let values = served.query().get_state(ask(fit)).await.expect("it fits").into_inner().values;
    assert!(values.len() == fit && values.iter().all(|value| value.value.as_deref() == Some(&*module)));
}
