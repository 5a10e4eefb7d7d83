//! Errors as the Connect protocol has them.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use phalanx_proto::Message;
use serde::Serialize;
use serde_json::Value;
use tonic::{Code, Status};

use super::messages::Messages;

/// The body of an error.
#[derive(Serialize)]
pub(super) struct ConnectError {
    code: &'static str,
    message: String,
    /// Those that gRPC has, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Detail>,
    #[serde(skip)]
    http: StatusCode,
}

#[derive(Serialize)]
struct Detail {
    /// The message's full name.
    #[serde(rename = "type")]
    name: String,
    /// The message, base64.
    value: String,
    /// The message, for people.
    debug: Option<Value>,
}

impl ConnectError {
    pub(super) fn new(status: &Status, messages: &Messages) -> ConnectError {
        let (code, http) = code(status.code());
        let details = tonic_types::pb::Status::decode(status.details()).map(|status| status.details);
        let detail = |any: prost_types::Any| {
            let name = any.type_url.rsplit('/').next().unwrap_or_default().to_owned();
            Detail { debug: messages.known(&name, &any.value), value: STANDARD_NO_PAD.encode(&any.value), name }
        };
        ConnectError {
            code,
            message: status.message().to_owned(),
            details: details.unwrap_or_default().into_iter().map(detail).collect(),
            http: StatusCode::from_u16(http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

impl IntoResponse for ConnectError {
    fn into_response(self) -> Response {
        let json = serde_json::to_string(&self).unwrap_or_default();
        (self.http, [(header::CONTENT_TYPE, "application/json")], json).into_response()
    }
}

/// The code's name and the HTTP status beside it.
fn code(code: Code) -> (&'static str, u16) {
    match code {
        // An error has another code.
        Code::Ok | Code::Unknown => ("unknown", 500),
        Code::Cancelled => ("canceled", 499),
        Code::InvalidArgument => ("invalid_argument", 400),
        Code::DeadlineExceeded => ("deadline_exceeded", 504),
        Code::NotFound => ("not_found", 404),
        Code::AlreadyExists => ("already_exists", 409),
        Code::PermissionDenied => ("permission_denied", 403),
        Code::ResourceExhausted => ("resource_exhausted", 429),
        Code::FailedPrecondition => ("failed_precondition", 400),
        Code::Aborted => ("aborted", 409),
        Code::OutOfRange => ("out_of_range", 400),
        Code::Unimplemented => ("unimplemented", 501),
        Code::Internal => ("internal", 500),
        Code::Unavailable => ("unavailable", 503),
        Code::DataLoss => ("data_loss", 500),
        Code::Unauthenticated => ("unauthenticated", 401),
    }
}
