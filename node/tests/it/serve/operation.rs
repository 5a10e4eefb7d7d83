//! Starting, ending, health, reflection.

use phalanx_proto::v1;
use pprof::protos::{Message, Profile};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tempfile::tempdir;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::node::*;
use crate::command::run;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn health_and_reflection_tell_what_is_served() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let mut health = HealthClient::new(served.channel());
    for service in ["", "phalanx.v1.ExecutionService", "phalanx.v1.QueryService"] {
        let answer = health.check(HealthCheckRequest { service: service.to_owned() }).await;
        let status = answer.expect("it is known").into_inner().status;
        assert_eq!(status, i32::from(ServingStatus::Serving), "{service}");
    }
    let ask = |message| {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(message) };
        tokio_stream::once(request)
    };
    let mut reflection = ServerReflectionClient::new(served.channel());
    let answers = reflection.server_reflection_info(ask(MessageRequest::ListServices(String::new()))).await;
    let answer =
        answers.expect("it is answered").into_inner().message().await.expect("it goes on").expect("there is one");
    let Some(MessageResponse::ListServicesResponse(services)) = answer.message_response else { panic!("{answer:?}") };
    let names: Vec<_> = services.service.into_iter().map(|service| service.name).collect();
    assert!(names.contains(&"phalanx.v1.ExecutionService".to_owned()), "{names:?}");
    let details = MessageRequest::FileContainingSymbol("google.rpc.ErrorInfo".to_owned());
    let answers = reflection.server_reflection_info(ask(details)).await;
    let answer =
        answers.expect("it is answered").into_inner().message().await.expect("it goes on").expect("there is one");
    assert!(matches!(answer.message_response, Some(MessageResponse::FileDescriptorResponse(_))), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_node_that_is_told_to_end_answers_what_it_took_in() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    let execution = served.execution();
    let answered = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..8u8)
        .map(|client| {
            let (mut execution, token, answered) = (execution.clone(), token.clone(), Arc::clone(&answered));
            tokio::spawn(async move {
                let mut minted = 0u128;
                loop {
                    let call = Some(token_call(&token, "mint", ISSUER, [100 + client; 32], 1));
                    let request = v1::SubmitRequest { call, ..v1::SubmitRequest::default() };
                    match execution.submit(request).await {
                        Ok(_) => {
                            minted += 1;
                            answered.fetch_add(1, Relaxed);
                        }
                        Err(status) => return (minted, status.code()),
                    }
                }
            })
        })
        .collect();
    // However slow the machine is: all of them are in the middle of it.
    while answered.load(Relaxed) < 24 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let ended = tokio::task::spawn_blocking(|| served.end()).await.expect("it does not panic");
    assert_eq!((ended.code, &*ended.stderr), (0, ""));
    let mut minted = Vec::new();
    for client in clients {
        let (count, code) = client.await.expect("it does not panic");
        assert!(matches!(code, Code::Unavailable | Code::Cancelled | Code::Unknown), "{code}");
        minted.push(count);
    }
    assert!(minted.iter().sum::<u128>() >= 24, "{minted:?}");
    verify(&folder.path().join("data"));
    let served = Served::start(folder.path(), &[]);
    assert!(served.started["height"].as_u64().is_some_and(|height| height > 1));
    for (client, count) in minted.iter().enumerate() {
        let there = balance(&served, &token, [100 + client as u8; 32]).await;
        // An answer may have been lost on its way; what was not taken in is not there.
        assert!(there == *count || there == count + 1, "{there} of {count}");
    }
}

#[test]
fn a_public_address_needs_principals_or_a_word() {
    let folder = tempdir().expect("a temporary directory");
    let data = folder.path().join("data");
    let ended = run(["serve", "--listen", "0.0.0.0:0", "--data-dir", data.to_str().expect("UTF-8")]).with_code(2);
    assert!(ended.stderr.contains("0.0.0.0:0 is not loopback"), "{}", ended.stderr);
    assert!(!data.exists());
    let served = Served::start(folder.path(), &["--listen", "0.0.0.0:0", "--allow-public-without-authentication"]);
    assert_eq!(served.started["open"], true);
}

#[test]
fn a_directory_is_served_once() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let data = served.data.to_str().expect("UTF-8").to_owned();
    let ended = run(["serve", "--listen", "127.0.0.1:0", "--data-dir", &data]).with_code(1);
    assert!(ended.stderr.contains("is held by another process"), "{}", ended.stderr);
    let taken = served.endpoint.strip_prefix("http://").expect("it is").to_owned();
    let other = folder.path().join("other");
    let ended = run(["serve", "--listen", &taken, "--data-dir", other.to_str().expect("UTF-8")]).with_code(1);
    assert!(ended.stderr.contains(&taken), "{}", ended.stderr);
}

/// A GET of the admin port: status code and body.
pub(super) fn get(address: &str, path: &str) -> (u16, String) {
    let (status, body) = get_bytes(address, path);
    (status, String::from_utf8(body).expect("it is text"))
}

fn get_bytes(address: &str, path: &str) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("it is open");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers and closes");
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("it has a body");
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("it has a status");
    (status, answer[end + 4..].to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_deployed_module_is_optimised_behind_the_calls() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &["--admin", "127.0.0.1:0"]);
    let admin = served.started["admin"].as_str().expect("text").strip_prefix("http://").expect("it is").to_owned();
    let token = deploy_token(&served).await;
    let mint = || submit(&served, token_call(&token, "mint", ISSUER, ALICE, 5));
    let first = mint().await;
    let metrics = tokio::task::spawn_blocking(move || {
        loop {
            let (_, metrics) = get(&admin, "/metrics");
            if metrics.contains("phalanx_modules_to_optimise 0") {
                return metrics;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let metrics = metrics.await.expect("it does not panic");
    for line in [
        r#"phalanx_modules_compiled_total{step="quick",result="compiled"} 1"#,
        r#"phalanx_modules_compiled_total{step="optimised",result="compiled"} 1"#,
        r#"phalanx_modules_compiled_total{step="optimised",result="failed"} 0"#,
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let second = mint().await;
    let gas = |answer: &v1::SubmitResponse| answer.receipt.as_ref().map(|receipt| receipt.gas_used);
    assert!(gas(&first).is_some());
    // A first mint makes the balance, and costs as much as any other.
    assert_eq!(gas(&first), gas(&second));
    assert_eq!(balance(&served, &token, ALICE).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_admin_port_tells_what_happens() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &["--admin", "127.0.0.1:0"]);
    let admin = served.started["admin"].as_str().expect("text").strip_prefix("http://").expect("it is").to_owned();
    let token = deploy_token(&served).await;
    submit(&served, token_call(&token, "transfer", BOB, ALICE, 1)).await;
    let wrong = v1::SubmitRequest::default();
    served.execution().submit(wrong).await.expect_err("there is no call");
    let looked = tokio::task::spawn_blocking(move || {
        ["/metrics", "/healthz", "/readyz", "/version", "/nothing"].map(|path| get(&admin, path))
    });
    let [metrics, health, ready, version, nothing] = looked.await.expect("it does not panic");
    assert_eq!([health.0, ready.0, version.0, nothing.0], [200, 200, 200, 404]);
    assert!(version.1.contains("\"protocol_version\""), "{}", version.1);
    for line in [
        "phalanx_calls_total{outcome=\"ok\"} 1",
        "phalanx_calls_total{outcome=\"reverted\"} 1",
        "phalanx_calls_total{outcome=\"out_of_gas\"} 0",
        "phalanx_durable_height 2",
        "phalanx_queue_bytes 0",
        "phalanx_refusals_total{reason=\"MALFORMED\"} 1",
        "phalanx_batch_calls_count 2",
        "phalanx_submission_durable_seconds_count 2",
    ] {
        assert!(metrics.1.lines().any(|found| found == line), "{line} is not in\n{}", metrics.1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_port_takes_profiles() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &["--admin", "127.0.0.1:0"]);
    let admin = served.started["admin"].as_str().expect("text").strip_prefix("http://").expect("it is").to_owned();
    let token = deploy_token(&served).await;
    let profile = |query: &str| {
        let (admin, path) = (admin.clone(), format!("/debug/pprof/profile{query}"));
        tokio::task::spawn_blocking(move || get_bytes(&admin, &path))
    };
    for query in ["?seconds=0", "?seconds=61", "?seconds=", "?seconds=1.5", "?seconds=1&hertz=99", "?second"] {
        let (status, said) = profile(query).await.expect("it does not panic");
        let said = String::from_utf8(said).expect("it is text");
        assert!(status == 400 && said.contains("seconds=N, N from 1 to 60"), "{query}: {status} {said}");
    }
    // Whoever goes away ends what was begun: this one would be in the way for a minute.
    let status = async |query| profile(query).await.expect("it does not panic").0;
    let mut gone = Vec::new();
    while status("?seconds=1").await != 409 || status("?seconds=1").await != 409 {
        // It may come behind the one that asks whether it is there.
        assert!(gone.len() < 10);
        let mut stream = TcpStream::connect(&admin).expect("it listens");
        write!(stream, "GET /debug/pprof/profile?seconds=60 HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it is open");
        gone.push(stream);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(gone);

    // Calls of several clients, until all that works for them has been seen at it.
    let minting: Vec<_> = (0..16u8)
        .map(|client| {
            let (mut execution, token) = (served.execution(), token.clone());
            tokio::spawn(async move {
                loop {
                    let call = Some(token_call(&token, "mint", ISSUER, [100 + client; 32], 1));
                    let request = v1::SubmitRequest { call, ..v1::SubmitRequest::default() };
                    execution.submit(request).await.expect("it is taken");
                }
            })
        })
        .collect();
    let (mut threads, mut functions) = (BTreeSet::new(), BTreeSet::new());
    let wanted = |functions: &BTreeSet<String>| {
        let known = ["phalanx::serve::cutter", "phalanx_engine::", "__rust_begin_short_backtrace"];
        known.iter().all(|known| functions.iter().any(|function| function.contains(known)))
    };
    for turn in 0.. {
        assert!(turn < 60, "{threads:?} {functions:?}");
        let (status, taken) = profile("?seconds=1").await.expect("it does not panic");
        if status == 409 {
            // The one that was given up is being put away.
            continue;
        }
        assert_eq!(status, 200);
        let taken = Profile::decode(&*taken).expect("it is one");
        let text = |at: i64| taken.string_table[usize::try_from(at).expect("no index is negative")].clone();
        assert_eq!(text(taken.sample_type[0].ty), "samples");
        threads.extend(taken.sample.iter().flat_map(|sample| &sample.label).map(|label| text(label.str)));
        functions.extend(taken.function.iter().map(|function| text(function.name)));
        // Stacks go from what was interrupted to where the thread began.
        let is_deep = taken.sample.iter().any(|sample| sample.location_id.len() > 8 && sample.value[0] > 0);
        if is_deep && threads.contains("phalanx-io") && threads.contains("phalanx-cutter") && wanted(&functions) {
            break;
        }
    }
    minting.iter().for_each(|minting| minting.abort());
    // It goes on as if nothing had been.
    let minted = submit(&served, token_call(&token, "mint", ISSUER, ALICE, 5)).await;
    assert_eq!(outcome(minted.receipt.as_ref()), v1::Outcome::Ok);
    let ended = tokio::task::spawn_blocking(|| served.end()).await.expect("it does not panic");
    assert_eq!((ended.code, &*ended.stderr), (0, ""));
}
