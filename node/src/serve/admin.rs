//! The port for operators: metrics, health, version and profiles over HTTP. It changes nothing and shows nothing of calls.

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use std::time::Duration;
use tokio::net::TcpListener;

use super::node::Node;
use super::profile::{self, ProfileError};
use super::telemetry;
use crate::exit::Failure;

/// How often the samples of histograms are put into their buckets when nobody looks.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Operated {
    node: Node,
    metrics: PrometheusHandle,
}

/// Serves until the future is dropped.
pub(super) async fn run(node: Node, metrics: PrometheusHandle, listener: Option<TcpListener>) -> Result<(), Failure> {
    let upkeep = metrics.clone();
    let keep = async move {
        let mut interval = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            interval.tick().await;
            upkeep.run_upkeep();
        }
    };
    let Some(listener) = listener else { return keep.await };
    let routes = Router::new()
        .route("/metrics", get(rendered))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/version", get(version))
        .route("/debug/pprof/profile", get(profiled))
        .with_state(Operated { node, metrics });
    tokio::select! {
        served = async { axum::serve(listener, routes).await } => {
            served.map_err(|error| Failure::failed(format_args!("the admin port: {error}"), "check the address"))
        }
        never = keep => never,
    }
}

async fn rendered(State(operated): State<Operated>) -> impl IntoResponse {
    let shared = &operated.node.shared;
    telemetry::in_use(shared.queued_bytes(), shared.recent.subscribers().count());
    telemetry::compiled(shared.logged.engine().compiler_statistics());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], operated.metrics.render())
}

async fn ready(State(operated): State<Operated>) -> impl IntoResponse {
    match operated.node.shared.check_running() {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    }
}

async fn version() -> impl IntoResponse {
    let version = serde_json::json!({
        "schema": "phalanx.serve.version/1",
        "version": env!("CARGO_PKG_VERSION"),
        "protocol_version": phalanx_engine::PROTOCOL_VERSION,
    });
    ([(header::CONTENT_TYPE, "application/json")], version.to_string())
}

/// Takes as long as the profile does.
async fn profiled(RawQuery(query): RawQuery) -> Result<impl IntoResponse, (StatusCode, String)> {
    let refused = |error: ProfileError| {
        let status = match error {
            ProfileError::Parameter { .. } => StatusCode::BAD_REQUEST,
            ProfileError::Taken => StatusCode::CONFLICT,
            ProfileError::File(_) | ProfileError::Profiler(_) | ProfileError::Panicked(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        (status, format!("{error}\n"))
    };
    let length = profile::length(query.as_deref()).map_err(refused)?;
    let profile = profile::take(length).await.map_err(refused)?;
    let name = "attachment; filename=\"phalanx.pb\"";
    Ok(([(header::CONTENT_TYPE, "application/octet-stream"), (header::CONTENT_DISPOSITION, name)], profile))
}
