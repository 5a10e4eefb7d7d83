//! The server: which services it has, its limits, and how it ends.

use axum::middleware::from_fn_with_state;
use phalanx_proto::v1::execution_service_server::ExecutionServiceServer;
use phalanx_proto::v1::query_service_server::QueryServiceServer;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::server::HealthReporter;

use super::connect::{self, Connect};
use super::connections::{self, BEGINNING_TIMEOUT};
use super::direct::{Direct, Shortening};
use super::limits::{
    CONNECTION_STREAMS_MAX, MESSAGE_BYTES_MAX, METADATA_BYTES_MAX, QUESTION_BYTES_MAX, REQUEST_SECONDS_MAX,
};
use super::node::Node;
use super::spans::Spans;
use super::tls::{self, Certificates};
use crate::exit::Failure;

/// Bytes that a client may send ahead, a request and a connection. Large messages over a long way need them.
const STREAM_WINDOW_BYTES: u32 = 2 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
/// Bytes of a frame that a client may send, for the reasons that `phalanx-client` has. Room for a frame is made when it begins.
const FRAME_BYTES_MAX: u32 = 128 << 10;
/// A connection that says nothing is asked whether it is still there, and closed if it does not answer.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Streams that a client has reset and that are not yet forgotten; more close the connection.
const PENDING_RESETS_MAX: usize = 64;
/// Time that requests have to end when the server is asked to.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until the node drains and its requests have ended.
pub(super) async fn run(
    node: Node,
    listener: TcpListener,
    certificates: Option<Arc<Certificates>>,
    spans: &Spans,
) -> Result<(), Failure> {
    let failure =
        |error: &dyn std::fmt::Display| Failure::failed(format_args!("the server: {error}"), "check the address");
    let execution = ExecutionServiceServer::new(node.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let query = QueryServiceServer::new(node.clone()).max_decoding_message_size(QUESTION_BYTES_MAX);
    let direct = Direct { execution: execution.clone(), query: query.clone() };
    let mut server = Server::builder()
        .timeout(Duration::from_secs(REQUEST_SECONDS_MAX))
        .max_concurrent_streams(CONNECTION_STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .http2_max_header_list_size(METADATA_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
        // For JSON alone; `connect` turns all else away.
        .accept_http1(true)
        .layer(Shortening((!spans.any()).then_some(direct)));
    let (health, health_service) = tonic_health::server::health_reporter();
    set_serving(&health).await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(phalanx_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // So that clients can show the details of errors.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let connect = Connect::new().map_err(|error| failure(&error))?;
    let routes = Routes::new(execution)
        .add_service(query)
        .add_service(health_service)
        .add_service(reflection().build_v1().map_err(|error| failure(&error))?)
        .add_service(reflection().build_v1alpha().map_err(|error| failure(&error))?)
        .into_axum_router();
    // Within what translates JSON, so that those requests have spans as well.
    let routes = spans.around(routes).layer(from_fn_with_state(connect, connect::serve));
    let services = server.add_routes(routes.into());
    let connections = connections::accept(listener, BEGINNING_TIMEOUT);
    let drained = node.drained();
    let serving = async {
        match certificates {
            None => services.serve_with_incoming_shutdown(connections, drained).await,
            Some(certificates) => {
                services.serve_with_incoming_shutdown(tls::accept(connections, certificates), drained).await
            }
        }
    };
    let ends_late = async {
        node.drained().await;
        set_not_serving(&health).await;
        tokio::time::sleep(DRAIN_TIMEOUT).await;
    };
    tokio::select! {
        ended = serving => ended.map_err(|error| failure(&error)),
        // Whoever is still there watches the health, or has asked for something that takes long.
        () = ends_late => Ok(()),
    }
}

async fn set_serving(health: &HealthReporter) {
    health.set_serving::<ExecutionServiceServer<Node>>().await;
    health.set_serving::<QueryServiceServer<Node>>().await;
}

async fn set_not_serving(health: &HealthReporter) {
    health.set_not_serving::<ExecutionServiceServer<Node>>().await;
    health.set_not_serving::<QueryServiceServer<Node>>().await;
    health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
}
