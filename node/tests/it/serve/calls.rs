//! Calls in every form, receipts, queries, state and contracts.

use phalanx_engine::{Outcome, Receipts};
use phalanx_proto::v1;
use phalanx_proto::v1::submit_batch_request::Calls;
use tempfile::tempdir;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::node::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_contract_is_deployed_called_and_asked() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;

    let minted = submit(&served, token_call(&token, "mint", ISSUER, ALICE, 100)).await;
    assert_eq!(outcome(minted.receipt.as_ref()), v1::Outcome::Ok);
    assert_eq!((minted.position, minted.repeated), (Some(v1::CallPosition { height: 2, index: 0 }), false));
    assert_eq!(minted.acknowledgement, i32::from(v1::Acknowledgement::Durable));
    // A contract's own failure is an answer.
    let refused = submit(&served, token_call(&token, "transfer", BOB, ALICE, 1)).await;
    let receipt = refused.receipt.expect("there is one");
    assert_eq!(outcome(Some(&receipt)), v1::Outcome::Reverted);
    assert!(receipt.gas_used > 0 && receipt.events.is_empty());
    let unknown = submit(&served, token_call(&[9; 32], "transfer", BOB, ALICE, 1)).await;
    assert_eq!(outcome(unknown.receipt.as_ref()), v1::Outcome::UnknownContract);
    let moved = submit(&served, token_call(&token, "transfer", ALICE, BOB, 30)).await;
    assert_eq!(outcome(moved.receipt.as_ref()), v1::Outcome::Ok);
    assert_eq!((balance(&served, &token, ALICE).await, balance(&served, &token, BOB).await), (70, 30));

    let mut query = served.query();
    let asked =
        v1::GetReceiptRequest { call: Some(v1::get_receipt_request::Call::Position(moved.position.expect("set"))) };
    let kept = query.get_receipt(asked).await.expect("it is kept").into_inner();
    assert_eq!((kept.position, kept.receipt), (moved.position, moved.receipt));

    let key = |owner: [u8; 32]| [&[1], &owner[..]].concat().into();
    let asked = v1::GetStateRequest { contract: token.clone().into(), keys: vec![key(ALICE), key([9; 32])] };
    let state = query.get_state(asked).await.expect("it is answered").into_inner();
    let values: Vec<_> = state.values.into_iter().map(|value| value.value).collect();
    assert_eq!((state.height, values), (5, vec![Some(70u128.to_le_bytes().to_vec().into()), None]));

    let contracts =
        query.list_contracts(v1::ListContractsRequest::default()).await.expect("they are listed").into_inner();
    let [contract] = &contracts.contracts[..] else { panic!("{contracts:?}") };
    assert_eq!(
        (&contract.contract[..], &contract.deployer[..], contract.deployed_height),
        (&token[..], &ISSUER[..], 1)
    );
    assert_eq!(contracts.next_page_token, "");
    let asked = v1::GetContractRequest { contract: token.clone().into(), include_module: true };
    let described = query.get_contract(asked).await.expect("it is known").into_inner();
    assert_eq!(described.contract.as_ref(), Some(contract));
    assert_eq!(described.module, token_module());
    assert!(described.abi.lines().any(|line| line.contains("\"fn\":\"transfer\"")), "{}", described.abi);

    assert_eq!(served.end().code, 0);
    assert_eq!(verify(&folder.path().join("data"))["height"], 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_simulation_says_what_a_call_would_do_and_does_nothing() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    submit(&served, token_call(&token, "mint", ISSUER, ALICE, 100)).await;
    let call = token_call(&token, "transfer", ALICE, BOB, 30);
    let request = v1::SimulateRequest { call: Some(call.clone()), height: None };
    let simulated = served.execution().simulate(request).await.expect("it is answered").into_inner();
    assert_eq!((simulated.height, outcome(simulated.receipt.as_ref())), (2, v1::Outcome::Ok));
    let written = |owner: [u8; 32], amount: u128| {
        let change = v1::write::Change::Value(amount.to_le_bytes().to_vec().into());
        let key = [&[1], &owner[..]].concat().into();
        v1::Write { call: 0, contract: token.clone().into(), key, change: Some(change) }
    };
    assert_eq!(simulated.writes, [written(ALICE, 70), written(BOB, 30)]);
    // The token asks whether Alice has enough and is not frozen, and whether Bob's new balance is one; it reads neither.
    let bytes = |value: u128| value.to_le_bytes().to_vec().into();
    let answered = |owner: [u8; 32], operator: v1::DeltaOperator, high: u128| {
        let answer = v1::DeltaAnswer {
            operator: operator.into(),
            magnitude: bytes(30),
            low: bytes(0),
            high: bytes(high),
            applied: true,
            wrong_length: false,
        };
        let seen = v1::read::Seen::Answers(v1::SeenAnswers { answers: vec![answer] });
        v1::Read { contract: token.clone().into(), key: [&[1], &owner[..]].concat().into(), seen: Some(seen) }
    };
    let not_frozen = (1 << 127) - 1 - 30;
    let expected =
        [answered(ALICE, v1::DeltaOperator::Sub, not_frozen), answered(BOB, v1::DeltaOperator::Add, u128::MAX)];
    assert_eq!(simulated.reads, expected);
    // What a failed call saw is why it failed. A key that is read is answered with its value.
    let failing = token_call(&token, "transfer", BOB, ALICE, 1);
    let failed = simulate(&served, failing, None).await.expect("it is answered");
    let [v1::Read { seen: Some(v1::read::Seen::Answers(v1::SeenAnswers { answers })), .. }] = &failed.reads[..] else {
        panic!("{:?}", failed.reads)
    };
    assert!(!answers[0].applied && failed.writes.is_empty());
    let asking = v1::Call { arguments: ALICE.to_vec().into(), ..token_call(&token, "balance_of", ALICE, ALICE, 0) };
    let asked = simulate(&served, asking.clone(), Some(2)).await.expect("it is answered");
    let value = Some(100u128.to_le_bytes().to_vec().into());
    assert_eq!(asked.reads[0].seen, Some(v1::read::Seen::Value(v1::SeenValue { value })));
    // The heights that there are are named.
    for height in [0, 1, 3] {
        let refused = simulate(&served, asking.clone(), Some(height)).await.expect_err("it is not kept");
        let info = refused.get_details_error_info().expect("it has one");
        let heights = ["earliest", "latest"].map(|key| info.metadata[key].as_str());
        assert_eq!((refused.code(), &*info.reason, heights), (Code::OutOfRange, "HEIGHT_NOT_KEPT", ["2", "2"]));
        let request = v1::QueryRequest { call: Some(asking.clone()), height: Some(height) };
        assert_eq!(served.query().query(request).await.expect_err("it is not kept").code(), Code::OutOfRange);
    }
    assert_eq!(balance(&served, &token, ALICE).await, 100);
    // Between batches that are executed in parallel, too, and then the call does what was said.
    let moved = submit(&served, call).await;
    assert_eq!(moved.receipt, simulated.receipt);
    assert_eq!(moved.position, Some(v1::CallPosition { height: 3, index: 0 }));
    assert_eq!(served.end().code, 0);
    verify(&folder.path().join("data"));
}

async fn simulate(served: &Served, call: v1::Call, height: Option<u64>) -> Result<v1::SimulateResponse, Status> {
    let request = v1::SimulateRequest { call: Some(call), height };
    served.execution().simulate(request).await.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn calls_of_a_batch_stay_together_in_every_form() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    submit(&served, token_call(&token, "mint", ISSUER, ALICE, 1_000)).await;
    let columns = transfers(&token, 500, ALICE, BOB);
    let request = |calls, form: v1::ReceiptForm| v1::SubmitBatchRequest {
        calls: Some(calls),
        receipt_form: form.into(),
        ..v1::SubmitBatchRequest::default()
    };
    let mut execution = served.execution();
    let canonical = request(Calls::Columns(columns), v1::ReceiptForm::Canonical);
    let canonical = execution.submit_batch(canonical).await.expect("it is taken in").into_inner();
    let canonical = canonical.receipts.expect("set");
    assert_eq!((canonical.first, canonical.calls), (Some(v1::CallPosition { height: 3, index: 0 }), 500));
    assert!(canonical.receipts.is_empty());
    let receipts: Vec<_> = Receipts::new(&canonical.canonical_receipts).collect();
    assert_eq!(receipts.len(), 500);
    assert!(receipts.iter().all(|receipt| receipt.outcome() == Outcome::Ok && receipt.events().count() == 1));

    let calls: Vec<_> = (0..501).map(|_| token_call(&token, "transfer", ALICE, BOB, 1)).collect();
    let list = request(Calls::List(calls.iter().collect()), v1::ReceiptForm::Messages);
    let listed = execution.submit_batch(list).await.expect("it is taken in").into_inner().receipts.expect("set");
    let outcomes: Vec<_> = listed.receipts.iter().map(|receipt| outcome(Some(receipt))).collect();
    assert_eq!(outcomes[..500], [v1::Outcome::Ok; 500]);
    // The five hundred and first finds nothing left: they take effect in their order.
    assert_eq!((outcomes.len(), outcomes[500]), (501, v1::Outcome::Reverted));
    assert_eq!(listed.receipts[0].gas_used, receipts[0].gas_used());
    assert_eq!((balance(&served, &token, ALICE).await, balance(&served, &token, BOB).await), (0, 1_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn many_clients_are_answered_each_once() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    let execution = served.execution();
    let minted = (0..400u32).map(|number| {
        let (mut execution, call) = (execution.clone(), token_call(&token, "mint", ISSUER, [number as u8; 32], 1));
        let acknowledgement = v1::Acknowledgement::try_from(1 + (number % 2) as i32).expect("both are known").into();
        tokio::spawn(async move {
            let request = v1::SubmitRequest { call: Some(call), acknowledgement };
            let answer = execution.submit(request).await.expect("it is taken in").into_inner();
            assert_eq!(outcome(answer.receipt.as_ref()), v1::Outcome::Ok);
            assert_eq!(answer.acknowledgement, acknowledgement);
            answer.position.expect("set")
        })
    });
    let mut positions = Vec::new();
    for minted in minted.collect::<Vec<_>>() {
        let position = minted.await.expect("it does not panic");
        positions.push((position.height, position.index));
    }
    positions.sort_unstable();
    positions.dedup();
    assert_eq!(positions.len(), 400, "each call has a place of its own");
    let heights = positions.last().expect("there are some").0;
    let supply = token_call(&token, "total_supply", ALICE, ALICE, 0);
    let call = Some(v1::Call { arguments: Vec::new().into(), ..supply });
    let answer =
        served.query().query(v1::QueryRequest { call, height: None }).await.expect("it is answered").into_inner();
    assert_eq!(answer.receipt.expect("set").return_bytes, 400u128.to_le_bytes().to_vec());
    assert!(answer.height >= heights);
    assert_eq!(served.end().code, 0);
    verify(&folder.path().join("data"));
}
