//! The short way of gRPC requests to the services: past the routes and what translates JSON, of which they need nothing and which single
//! requests would pay for (`benches/service.sh submit`).

use axum::http::{Request, Response, Version, header};
use futures_util::future::Either;
use phalanx_proto::v1::execution_service_server::{ExecutionServiceServer, SERVICE_NAME as EXECUTION};
use phalanx_proto::v1::query_service_server::{QueryServiceServer, SERVICE_NAME as QUERY};
use std::convert::Infallible;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service};
use tonic::service::Routes;
use tower_layer::Layer;

use super::node::Node;

/// The services that have a short way.
#[derive(Clone)]
pub(super) struct Direct {
    pub(super) execution: ExecutionServiceServer<Node>,
    pub(super) query: QueryServiceServer<Node>,
}

/// These before all that is served.
#[derive(Clone)]
pub(super) struct Shortened {
    direct: Option<Direct>,
    routes: Routes,
}

/// Puts services before all else. `None`: all requests go the long way.
#[derive(Clone)]
pub(super) struct Shortening(pub(super) Option<Direct>);

impl Layer<Routes> for Shortening {
    type Service = Shortened;

    fn layer(&self, routes: Routes) -> Shortened {
        Shortened { direct: self.0.clone(), routes }
    }
}

impl Service<Request<Body>> for Shortened {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<BoxFuture<Response<Body>, Infallible>, <Routes as Service<Request<Body>>>::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The services are always ready.
        Service::<Request<Body>>::poll_ready(&mut self.routes, context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match (&mut self.direct, service(&request)) {
            (Some(direct), Some(EXECUTION)) => Either::Left(direct.execution.call(request)),
            (Some(direct), Some(QUERY)) => Either::Left(direct.query.call(request)),
            _ => Either::Right(self.routes.call(request)),
        }
    }
}

/// The service that a gRPC request names. All that services do not understand is for the routes to answer.
fn service(request: &Request<Body>) -> Option<&str> {
    let content_type = request.headers().get(header::CONTENT_TYPE)?;
    if request.version() != Version::HTTP_2 || content_type != "application/grpc" {
        return None;
    }
    Some(request.uri().path().strip_prefix('/')?.split_once('/')?.0)
}
