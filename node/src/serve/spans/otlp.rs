//! Spans as OTLP has them. Names of attributes are those of OpenTelemetry's semantic conventions where it has any.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use phalanx_engine::Stage;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tonic::Code;

use super::batch::BatchTimes;
use super::export::Ended;
use super::request::RequestTimes;
use crate::exit::Failure;
use crate::hex::hex;

/// Children of a batch's span.
pub(super) const BATCH_CHILDREN: usize = 5;

/// Makes messages of what ended.
pub(super) struct Messages {
    resource: Resource,
    ids: ChaCha8Rng,
}

/// The time of an instant: both clocks, read at once.
#[derive(Clone, Copy)]
struct WallClock {
    instant: Instant,
    time: SystemTime,
}

impl Messages {
    /// Of this process.
    ///
    /// # Errors
    /// The system has no randomness.
    pub(super) fn new(chain_id: &[u8; 32]) -> Result<Messages, Failure> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)
            .map_err(|error| Failure::failed(format_args!("randomness: {error}"), "this is a fault of the system"))?;
        let mut ids = ChaCha8Rng::from_seed(seed);
        let attributes = vec![
            text("service.name", "phalanx"),
            text("service.version", env!("CARGO_PKG_VERSION")),
            text("service.instance.id", &hex(&random::<16>(&mut ids))),
            text("phalanx.chain_id", &hex(chain_id)),
        ];
        Ok(Messages { resource: Resource { attributes, ..Resource::default() }, ids })
    }

    /// One message of all.
    pub(super) fn message(&mut self, ended: Vec<Ended>) -> ExportTraceServiceRequest {
        // Read for each message: the wall clock may be set meanwhile.
        let clock = WallClock { instant: Instant::now(), time: SystemTime::now() };
        let mut spans = Vec::with_capacity(ended.len());
        for ended in ended {
            match ended {
                Ended::Batch(batch) => self.batch(&batch, clock, &mut spans),
                Ended::Request(request) => spans.push(self.request(&request, clock)),
            }
        }
        let scope = InstrumentationScope { name: "phalanx".to_owned(), ..InstrumentationScope::default() };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, schema_url: String::new() }];
        let resource = Some(self.resource.clone());
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans { resource, scope_spans, schema_url: String::new() }],
        }
    }

    /// A batch, and its children in order: each begins where the one before ends.
    fn batch(&mut self, batch: &BatchTimes, clock: WallClock, spans: &mut Vec<Span>) {
        let (trace_id, span_id) = (random::<16>(&mut self.ids).to_vec(), random::<8>(&mut self.ids).to_vec());
        let worker_ns =
            |stage: Stage| integer(&format!("phalanx.stage.{}.worker_ns", stage.name()), batch.stages.of(stage));
        let decoded = batch.started + std::time::Duration::from_nanos(batch.stages.of(Stage::Decode));
        let on_workers = [Stage::Execute, Stage::Chain, Stage::Repair, Stage::Receipts, Stage::Commit];
        let children: [(&str, Instant, Vec<KeyValue>); BATCH_CHILDREN] = [
            ("queue", batch.started, Vec::new()),
            ("decode", decoded.min(batch.executed), Vec::new()),
            ("execute", batch.executed, on_workers.map(worker_ns).to_vec()),
            ("hash", batch.hashed, vec![worker_ns(Stage::Digest)]),
            ("sync", batch.synced, Vec::new()),
        ];
        let attributes = vec![
            integer("phalanx.height", batch.height),
            integer("phalanx.calls", batch.calls.into()),
            integer("phalanx.submissions", batch.submissions as u64),
            integer("phalanx.bytes", batch.bytes as u64),
            text("phalanx.mode", batch.mode.name()),
            text("phalanx.mode.reason", batch.mode.reason),
        ];
        spans.push(Span {
            trace_id: trace_id.clone(),
            span_id: span_id.clone(),
            attributes,
            ..span("batch", SpanKind::Internal, clock, batch.queued, batch.synced)
        });
        let mut began = batch.queued;
        for (name, ended, attributes) in children {
            spans.push(Span {
                trace_id: trace_id.clone(),
                span_id: random::<8>(&mut self.ids).to_vec(),
                parent_span_id: span_id.clone(),
                attributes,
                ..span(name, SpanKind::Internal, clock, began, ended)
            });
            began = ended;
        }
    }

    fn request(&mut self, request: &RequestTimes, clock: WallClock) -> Span {
        let RequestTimes { method, parent, began, ended, code, height } = request;
        let (name, is_fault) = code_name(*code);
        let mut attributes =
            vec![text("rpc.system.name", "grpc"), text("rpc.method", method), text("rpc.response.status_code", name)];
        attributes.extend(is_fault.then(|| text("error.type", name)));
        attributes.extend(height.map(|height| integer("phalanx.height", height)));
        Span {
            trace_id: parent.map_or_else(|| random(&mut self.ids), |parent| parent.trace_id).to_vec(),
            span_id: random::<8>(&mut self.ids).to_vec(),
            parent_span_id: parent.map_or_else(Vec::new, |parent| parent.span_id.to_vec()),
            attributes,
            status: is_fault.then(|| Status { code: StatusCode::Error.into(), message: String::new() }),
            ..span(method, SpanKind::Server, clock, *began, *ended)
        }
    }
}

impl WallClock {
    /// Nanoseconds since 1970.
    fn nanoseconds(self, instant: Instant) -> u64 {
        let time = self.time - self.instant.saturating_duration_since(instant);
        time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
    }
}

fn span(name: &str, kind: SpanKind, clock: WallClock, began: Instant, ended: Instant) -> Span {
    Span {
        name: name.to_owned(),
        kind: kind.into(),
        start_time_unix_nano: clock.nanoseconds(began),
        end_time_unix_nano: clock.nanoseconds(ended),
        ..Span::default()
    }
}

fn random<const BYTES: usize>(ids: &mut ChaCha8Rng) -> [u8; BYTES] {
    let mut id = [0; BYTES];
    ids.fill_bytes(&mut id);
    id
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn integer(key: &str, value: u64) -> KeyValue {
    attribute(key, Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)))
}

/// The name of a status code, and whether it says that the server, not who asked, is at fault, as the conventions have it.
fn code_name(code: Code) -> (&'static str, bool) {
    match code {
        Code::Ok => ("OK", false),
        Code::Cancelled => ("CANCELLED", false),
        Code::Unknown => ("UNKNOWN", true),
        Code::InvalidArgument => ("INVALID_ARGUMENT", false),
        Code::DeadlineExceeded => ("DEADLINE_EXCEEDED", true),
        Code::NotFound => ("NOT_FOUND", false),
        Code::AlreadyExists => ("ALREADY_EXISTS", false),
        Code::PermissionDenied => ("PERMISSION_DENIED", false),
        Code::ResourceExhausted => ("RESOURCE_EXHAUSTED", false),
        Code::FailedPrecondition => ("FAILED_PRECONDITION", false),
        Code::Aborted => ("ABORTED", false),
        Code::OutOfRange => ("OUT_OF_RANGE", false),
        Code::Unimplemented => ("UNIMPLEMENTED", true),
        Code::Internal => ("INTERNAL", true),
        Code::Unavailable => ("UNAVAILABLE", true),
        Code::DataLoss => ("DATA_LOSS", true),
        Code::Unauthenticated => ("UNAUTHENTICATED", false),
    }
}
