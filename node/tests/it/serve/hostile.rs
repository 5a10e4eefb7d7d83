//! Clients that mean no good: the node refuses them, and goes on for others.

use phalanx_proto::v1;
use std::io::{Read, Write};
use std::net::TcpStream;
use tempfile::tempdir;
use tonic::{Code, Request};

use super::node::*;

/// Resident memory of a process, in bytes.
fn resident_bytes(process: u32) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{process}/statm")).expect("it runs");
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn oversized_requests_are_refused_and_cost_little() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let token = deploy_token(&served).await;
    let before = resident_bytes(served.process());
    let batch = |columns| v1::SubmitBatchRequest {
        calls: Some(v1::submit_batch_request::Calls::Columns(columns)),
        ..v1::SubmitBatchRequest::default()
    };
    let large = v1::CallColumns { arguments: vec![0; 64 << 20].into(), ..transfers(&token, 1, ALICE, BOB) };
    for _ in 0..3 {
        let refused = served.execution().submit_batch(batch(large.clone())).await.expect_err("it is too large");
        assert!(matches!(refused.code(), Code::OutOfRange | Code::ResourceExhausted), "{refused}");
    }
    // Below the limit of a message, and far above that of calls: two bytes each on the wire.
    let targets = vec![v1::Target::default(); 4 << 20];
    let many = v1::CallColumns { targets, ..transfers(&token, 1, ALICE, BOB) };
    for _ in 0..3 {
        let refused = served.execution().submit_batch(batch(many.clone())).await.expect_err("there are too many");
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    }
    let mut request = Request::new(v1::GetServerInfoRequest {});
    request.metadata_mut().insert("padding", "x".repeat(100_000).parse().expect("it is text"));
    served.query().get_server_info(request).await.expect_err("its metadata is too large");
    let grown = resident_bytes(served.process()).saturating_sub(before);
    assert!(grown < 256 << 20, "{grown} bytes more");
    submit(&served, token_call(&token, "mint", ISSUER, ALICE, 1)).await;
    assert_eq!(served.end().code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_no_http_ends_its_own_connection() {
    let folder = tempdir().expect("a temporary directory");
    let served = Served::start(folder.path(), &[]);
    let address = served.endpoint.strip_prefix("http://").expect("it is").to_owned();
    let garbage = tokio::task::spawn_blocking(move || {
        // Kept open and silent while the others are tried.
        let silent: Vec<_> = (0..100).map(|_| TcpStream::connect(&address).expect("it listens")).collect();
        for bytes in [
            &b"\x16\x03\x01\x02\x00"[..],
            b"GET / HTTP/1.1\r\n\r\n",
            &[0xff; 4096],
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff",
        ] {
            let mut stream = TcpStream::connect(&address).expect("it listens");
            // The node may close before all is written.
            _ = stream.write_all(bytes);
            _ = stream.shutdown(std::net::Shutdown::Write);
            _ = stream.read_to_end(&mut Vec::new());
        }
        silent
    });
    let silent = garbage.await.expect("it does not panic");
    let token = deploy_token(&served).await;
    assert_eq!(balance(&served, &token, ALICE).await, 0);
    drop(silent);
    let ended = served.end();
    assert_eq!((ended.code, &*ended.stderr), (0, ""));
}
