//! The short way of gRPC requests to the services: past the routes and what translates JSON, which cost a request about as much as
//! admitting a call does.

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
        if let Some(direct) = &mut self.direct
            && is_grpc(&request)
        {
            match request.uri().path()[1..].split_once('/') {
                Some((EXECUTION, _)) => return Either::Left(direct.execution.call(request)),
                Some((QUERY, _)) => return Either::Left(direct.query.call(request)),
                _ => {}
            }
        }
        Either::Right(self.routes.call(request))
    }
}

/// Whether it is what the services understand. All else is for the routes to answer.
fn is_grpc(request: &Request<Body>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    request.version() == Version::HTTP_2
        && request.uri().path().starts_with('/')
        && content_type.is_some_and(|value| value.as_bytes() == b"application/grpc")
}
