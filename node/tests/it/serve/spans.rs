//! Spans that a node sends to a collector, which here is a part of the test.

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use phalanx_proto::v1;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::tempdir;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status};

use super::node::*;

/// What a collector was sent.
#[derive(Clone, Default)]
struct Collector {
    messages: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.messages.lock().expect("nobody panics").push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// Collects until the test ends.
    async fn start() -> (Collector, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let collector = Collector::default();
        let server = Server::builder().add_service(TraceServiceServer::new(collector.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        (collector, address)
    }

    fn resources(&self) -> Vec<KeyValue> {
        let messages = self.messages.lock().expect("nobody panics");
        let resources = messages.iter().flat_map(|message| &message.resource_spans);
        resources.flat_map(|spans| spans.resource.clone().expect("there is one").attributes).collect()
    }

    fn spans(&self) -> Vec<Span> {
        let messages = self.messages.lock().expect("nobody panics");
        let scopes = messages.iter().flat_map(|message| &message.resource_spans).flat_map(|spans| &spans.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }
}

fn value<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?.value.as_ref()
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match value(attributes, key)? {
        Value::StringValue(text) => Some(text),
        other => panic!("{key}: {other:?}"),
    }
}

fn integer(attributes: &[KeyValue], key: &str) -> Option<i64> {
    match value(attributes, key)? {
        Value::IntValue(integer) => Some(*integer),
        other => panic!("{key}: {other:?}"),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is past 1970").as_nanos() as u64
}

const TRACE: [u8; 16] = *b"\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c";
const PARENT: [u8; 8] = *b"\xb7\xad\x6b\x71\x69\x20\x33\x31";

/// A request of the trace above.
fn traced<T>(message: T, flags: &str) -> Request<T> {
    let mut request = Request::new(message);
    let header = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
    request.metadata_mut().insert("traceparent", header.parse().expect("it is ASCII"));
    request
}

/// Starts a node that sends spans to an address.
fn serve_with(folder: &std::path::Path, collector: SocketAddr) -> Served {
    Served::start(folder, &["--otlp-endpoint", &format!("http://{collector}"), "--workers", "2"])
}

fn submit_request(call: Option<v1::Call>) -> v1::SubmitRequest {
    v1::SubmitRequest { call, ..v1::SubmitRequest::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn batches_and_requests_have_spans() {
    let folder = tempdir().expect("a temporary directory");
    let (collector, address) = Collector::start().await;
    let (began, served) = (now(), serve_with(folder.path(), address));
    let token = deploy_token(&served).await;
    let mint = || Some(token_call(&token, "mint", ISSUER, ALICE, 100));
    let mut execution = served.execution();
    let answer = execution.submit(traced(submit_request(mint()), "01")).await.expect("it is taken in").into_inner();
    let height = answer.position.expect("it has one").height as i64;
    // Nobody records the trace that this belongs to.
    execution.submit(traced(submit_request(mint()), "00")).await.expect("it is taken in");
    let refused = execution.submit(traced(submit_request(None), "01")).await.expect_err("there is no call");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let calls = v1::submit_batch_request::Calls::Columns(transfers(&token, 1_000, ALICE, BOB));
    let request = v1::SubmitBatchRequest { calls: Some(calls), ..v1::SubmitBatchRequest::default() };
    execution.submit_batch(request).await.expect("it is taken in");
    let json = curl(&served, &format!("00-{}-00f067aa0ba902b7-01", "4b".repeat(16)));
    served.end().with_code(0);
    let ended = now();
    assert!(json.contains("\"height\":\"4\""), "{json}");

    let resources = collector.resources();
    assert_eq!(text(&resources, "service.name"), Some("phalanx"));
    let spans = collector.spans();
    for span in &spans {
        assert!(span.trace_id.len() == 16 && span.span_id.len() == 8, "{span:?}");
        let (from, to) = (span.start_time_unix_nano, span.end_time_unix_nano);
        // Both clocks are read at different times, and the wall clock may be slewed.
        assert!(began - 1_000_000 <= from && from <= to && to <= ended + 1_000_000, "{span:?}");
    }
    check_requests(&spans, height);
    check_batches(&spans, height);
}

/// What `curl` is answered to a question by JSON, with a `traceparent`.
fn curl(served: &Served, traceparent: &str) -> String {
    let url = format!("{}/phalanx.v1.QueryService/GetServerInfo", served.endpoint);
    let header = format!("traceparent: {traceparent}");
    let arguments = ["-s", "-H", "content-type: application/json", "-H", &header, "-d", "{}", &url];
    let output = std::process::Command::new("curl").args(arguments).output().expect("curl is installed");
    String::from_utf8(output.stdout).expect("it is JSON")
}

fn check_requests(spans: &[Span], height: i64) {
    let requests: Vec<_> = spans.iter().filter(|span| span.kind == i32::from(SpanKind::Server)).collect();
    for request in &requests {
        assert_eq!(text(&request.attributes, "rpc.system.name"), Some("grpc"));
        assert_eq!(text(&request.attributes, "rpc.method"), Some(&*request.name));
    }
    let named = |name: &str| -> Vec<&Span> { requests.iter().copied().filter(|span| span.name == name).collect() };
    let deploys = named("phalanx.v1.ExecutionService/Deploy");
    assert!(matches!(deploys[..], [deploy] if deploy.parent_span_id.is_empty() && deploy.trace_id != TRACE));
    let submits = named("phalanx.v1.ExecutionService/Submit");
    let [submit, refused] = submits[..] else { panic!("the one that nobody records has no span: {submits:?}") };
    for span in [submit, refused] {
        assert_eq!((&*span.trace_id, &*span.parent_span_id), (&TRACE[..], &PARENT[..]));
        assert_ne!(span.span_id, PARENT);
    }
    assert_eq!(text(&submit.attributes, "rpc.response.status_code"), Some("OK"));
    assert_eq!(integer(&submit.attributes, "phalanx.height"), Some(height));
    assert_eq!(text(&refused.attributes, "rpc.response.status_code"), Some("INVALID_ARGUMENT"));
    // Who asked is at fault, and not the server.
    assert!(refused.status.as_ref().is_none_or(|status| status.code != i32::from(StatusCode::Error)));
    assert_eq!(named("phalanx.v1.ExecutionService/SubmitBatch").len(), 1);
    let by_json = named("phalanx.v1.QueryService/GetServerInfo");
    assert!(by_json.iter().any(|span| span.trace_id == [0x4b; 16]), "{by_json:?}");
}

fn check_batches(spans: &[Span], height: i64) {
    let batches: Vec<_> = spans.iter().filter(|span| span.name == "batch").collect();
    let heights: Vec<_> = batches.iter().map(|batch| integer(&batch.attributes, "phalanx.height")).collect();
    // The deploy, two single calls, and the list.
    assert_eq!(heights, [1, height, height + 1, height + 2].map(Some));
    let calls: Vec<_> = batches.iter().map(|batch| integer(&batch.attributes, "phalanx.calls")).collect();
    assert_eq!(calls, [1, 1, 1, 1_000].map(Some));
    for batch in &batches {
        assert!(integer(&batch.attributes, "phalanx.bytes").is_some_and(|bytes| bytes > 50), "{batch:?}");
        assert_eq!(integer(&batch.attributes, "phalanx.submissions"), Some(1));
        assert!(text(&batch.attributes, "phalanx.mode.reason").is_some());
        let children: Vec<_> = spans.iter().filter(|span| span.parent_span_id == batch.span_id).collect();
        let names: Vec<_> = children.iter().map(|child| &*child.name).collect();
        assert_eq!(names, ["queue", "decode", "execute", "hash", "sync"]);
        let mut from = batch.start_time_unix_nano;
        for child in children {
            assert_eq!((&child.trace_id, child.start_time_unix_nano), (&batch.trace_id, from), "{child:?}");
            from = child.end_time_unix_nano;
        }
        assert_eq!(from, batch.end_time_unix_nano);
    }
    assert_eq!(text(&batches[0].attributes, "phalanx.mode"), Some("serial"));
    // The engine's clock runs.
    let execute = spans.iter().rfind(|span| span.name == "execute").expect("there is one");
    assert!(integer(&execute.attributes, "phalanx.stage.execute.worker_ns").is_some_and(|time| time > 0));
}

/// What a node does whose collector is not there, and how it ends.
async fn works_without(collector: SocketAddr) {
    let folder = tempdir().expect("a temporary directory");
    let served = serve_with(folder.path(), collector);
    let token = deploy_token(&served).await;
    submit(&served, token_call(&token, "mint", ISSUER, ALICE, 1_000_000)).await;
    for _ in 0..20 {
        submit(&served, token_call(&token, "transfer", ALICE, BOB, 1)).await;
    }
    assert_eq!(balance(&served, &token, BOB).await, 20);
    let data = served.data.clone();
    let ending = Instant::now();
    let ended = served.end().with_code(0);
    assert!(ending.elapsed() < Duration::from_secs(8), "{:?}", ending.elapsed());
    let said = ["spans were lost", "the collector did not take the last spans in time"];
    assert!(said.iter().any(|said| ended.stderr.contains(said)), "{}", ended.stderr);
    assert_eq!(verify(&data)["height"], 22);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_collector_that_is_not_there_disturbs_nobody() {
    // Bound and let go: nobody listens there.
    let gone = TcpListener::bind("127.0.0.1:0").await.and_then(|listener| listener.local_addr());
    works_without(gone.expect("a port is free")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_collector_that_says_nothing_disturbs_nobody() {
    // The kernel accepts for it, and nobody reads.
    let mute = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    works_without(mute.local_addr().expect("it is bound")).await;
}
