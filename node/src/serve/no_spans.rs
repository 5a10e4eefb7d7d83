//! What stands in for `spans` in a build without the feature `opentelemetry`: no span is made, and nothing is done for any.

use axum::Router;
use axum::http::Uri;
use phalanx_engine::{Clock, Executed};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tonic::Response;

use super::answers::Waiting;
use crate::exit::Failure;

/// Takes spans, and drops them.
#[derive(Clone)]
pub(super) struct Spans;

/// Sends none.
pub(super) struct Exporting;

/// Remembers nothing of a batch.
pub(super) struct BatchSpan;

/// Nothing begins: settings that have an endpoint were refused.
pub(super) fn start(_: Option<Uri>, _: &[u8; 32], _: &Runtime) -> Result<(Spans, Exporting), Failure> {
    Ok((Spans, Exporting))
}

impl Spans {
    #[cfg(test)]
    pub(super) fn nowhere() -> Spans {
        Spans
    }

    pub(super) fn clock(&self) -> Option<Clock> {
        None
    }

    /// Whether any are made.
    pub(super) fn any(&self) -> bool {
        false
    }

    pub(super) fn around(&self, services: Router) -> Router {
        services
    }

    pub(super) fn batch(&self, _: usize, _: &[Waiting], _: Instant, _: Duration, _: &Executed) -> BatchSpan {
        BatchSpan
    }
}

impl Exporting {
    pub(super) fn flush(self, _: &Runtime) {}
}

impl BatchSpan {
    pub(super) fn hashed(&mut self, _: &Executed) {}

    pub(super) fn synced(self) {}
}

/// An answer to a unary request.
pub(super) fn answer<T>(message: T, _: u64) -> Response<T> {
    Response::new(message)
}
