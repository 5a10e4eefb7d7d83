//! The unary methods as JSON over HTTP/1.1 or HTTP/2, on the same port, as the Connect protocol has them: a POST to the method's
//! path, with messages in protobuf's JSON form.
//!
//! A request is translated into the gRPC request that says the same, and handed to the same services. So authentication, limits,
//! admission and answers are theirs, and a method that is added to them is served here too.

mod error;
mod messages;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tonic::{Code, Status};

use self::error::ConnectError;
pub(super) use self::messages::JSON_OBJECTS_MAX;
use self::messages::{Messages, Translated};
use super::limits::{METADATA_BYTES_MAX, REQUEST_SECONDS_MAX};
use super::node::blocking;
use super::refusal::Refusal;

/// Bytes of a JSON request. Larger submissions go by gRPC.
pub(super) const JSON_BYTES_MAX: usize = 4 << 20;
/// Larger requests are read on a thread of their own, so many at a time.
const READ_IN_PLACE_BYTES: usize = 64 << 10;
const READERS: usize = 2;
/// Within the server's own limit of time, so that the answer has the form that was asked for.
const TIMEOUT_MAX: Duration = Duration::from_secs(REQUEST_SECONDS_MAX - 1);

/// What serves JSON.
#[derive(Clone)]
pub(super) struct Connect {
    messages: Arc<Messages>,
    readers: Arc<Semaphore>,
}

impl Connect {
    /// For all services of this program.
    ///
    /// # Errors
    /// If the descriptors do not fit together.
    pub(super) fn new() -> Result<Connect, prost_reflect::DescriptorError> {
        Ok(Connect { messages: Arc::new(Messages::new()?), readers: Arc::new(Semaphore::new(READERS)) })
    }
}

/// Serves a request if it is JSON, and hands others on.
pub(super) async fn serve(State(connect): State<Connect>, request: Request, next: Next) -> Response {
    let is_json = request.headers().get(header::CONTENT_TYPE).is_some_and(is_json);
    if !is_json {
        return match request.version() {
            Version::HTTP_2 => next.run(request).await,
            // gRPC needs HTTP/2. Whoever looks with a browser is told what there is.
            _ => (StatusCode::UNSUPPORTED_MEDIA_TYPE, [("accept-post", "application/json")], "POST application/json\n")
                .into_response(),
        };
    }
    if request.method() != Method::POST {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")]).into_response();
    }
    let timeout = match timeout(request.headers()) {
        Ok(timeout) => timeout,
        Err(refusal) => return connect.error(&refusal.into()),
    };
    match tokio::time::timeout(timeout, connect.answer(request, timeout, next)).await {
        Ok(Ok(json)) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Ok(Err(status)) => connect.error(&status),
        Err(_) => connect.error(&Status::deadline_exceeded("the time for the request has passed; it may be executed")),
    }
}

fn is_json(content_type: &HeaderValue) -> bool {
    let media_type = content_type.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

fn timeout(headers: &HeaderMap) -> Result<Duration, Refusal> {
    let Some(asked) = headers.get("connect-timeout-ms") else { return Ok(TIMEOUT_MAX) };
    let milliseconds = asked.to_str().ok().filter(|text| text.len() <= 10).and_then(|text| text.parse().ok());
    let what = "at most ten digits of milliseconds";
    let milliseconds = milliseconds.ok_or_else(|| Refusal::malformed("connect-timeout-ms", what))?;
    Ok(Duration::from_millis(milliseconds).min(TIMEOUT_MAX))
}

impl Connect {
    async fn answer(&self, request: Request, timeout: Duration, next: Next) -> Result<String, Status> {
        let (mut parts, body) = request.into_parts();
        check_headers(&parts.headers)?;
        let method = self.messages.method(parts.uri.path())?;
        let length = content_length(&parts.headers);
        if length > JSON_BYTES_MAX as u64 {
            return Err(too_long(length).into());
        }
        // Without a length, what cannot be read is too long, unless the client went away, and then nobody hears this.
        let body = to_bytes(body, JSON_BYTES_MAX).await.map_err(|_| too_long(JSON_BYTES_MAX as u64 + 1))?;
        let framed = if body.len() <= READ_IN_PLACE_BYTES {
            method.to_grpc(&body)?
        } else {
            let place = Arc::clone(&self.readers).acquire_owned().await.map_err(|_| Refusal::stopped())?;
            let method = method.clone();
            blocking(move || {
                let framed = method.to_grpc(&body);
                drop(place);
                framed
            })
            .await?
        };
        parts.version = Version::HTTP_2;
        for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::ACCEPT_ENCODING] {
            parts.headers.remove(name);
        }
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        parts.headers.insert(header::TE, HeaderValue::from_static("trailers"));
        if let Ok(timeout) = HeaderValue::try_from(format!("{}m", timeout.as_millis())) {
            parts.headers.insert("grpc-timeout", timeout);
        }
        let answer = next.run(Request::from_parts(parts, Body::from(framed))).await;
        let message = message_of(answer).await?;
        // Large answers take as long as large questions.
        if message.len() <= READ_IN_PLACE_BYTES {
            Ok(method.to_json(&message)?)
        } else {
            let method = method.clone();
            Ok(blocking(move || method.to_json(&message)).await?)
        }
    }

    fn error(&self, status: &Status) -> Response {
        ConnectError::new(status, &self.messages).into_response()
    }
}

fn check_headers(headers: &HeaderMap) -> Result<(), Refusal> {
    // HTTP/2 has this limit from the server.
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > METADATA_BYTES_MAX as usize {
        return Err(Refusal::limit("headers", "metadata_bytes", bytes as u64, METADATA_BYTES_MAX.into()));
    }
    if headers.get("connect-protocol-version").is_some_and(|version| version != "1") {
        return Err(Refusal::malformed("connect-protocol-version", "it is 1"));
    }
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(Refusal::malformed("content-encoding", "requests are not compressed"));
    }
    Ok(())
}

/// What a request says of its length; 0 if nothing.
fn content_length(headers: &HeaderMap) -> u64 {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    length.unwrap_or(0)
}

fn too_long(length: u64) -> Refusal {
    Refusal::limit("body", "json_bytes", length, JSON_BYTES_MAX as u64)
}

/// The message of a gRPC answer, or its status if that is an error.
async fn message_of(answer: Response) -> Result<Translated, Status> {
    let failed = |headers: &HeaderMap| Status::from_header_map(headers).filter(|status| status.code() != Code::Ok);
    let (parts, body) = answer.into_parts();
    if let Some(status) = failed(&parts.headers) {
        return Err(status);
    }
    let collected = body.collect().await.map_err(|error| Status::internal(error.to_string()))?;
    if let Some(status) = collected.trailers().and_then(failed) {
        return Err(status);
    }
    Ok(Translated::new(collected.to_bytes()))
}
