//! Spans of unary requests. Streams have none: they last as long as their clients, and their calls show in the spans of batches.

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use prost_reflect::{DescriptorPool, MethodDescriptor};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use tonic::Code;

use super::Height;
use super::export::{Ended, Queue};
use super::traceparent::Parent;

/// The methods that have spans. A name comes from the descriptors and never from a client.
pub(super) struct Methods {
    queue: Queue,
    /// Names of unary methods, by their paths.
    unary: HashMap<String, Arc<str>>,
}

/// What is told of a request.
#[derive(Debug)]
pub(super) struct RequestTimes {
    /// Service and method.
    pub(super) method: Arc<str>,
    pub(super) parent: Option<Parent>,
    pub(super) began: Instant,
    pub(super) ended: Instant,
    pub(super) code: Code,
    /// The height of its calls, if it had any.
    pub(super) height: Option<u64>,
}

/// A request that is being answered. Whoever goes away, or waits too long, drops it.
struct Open<'a> {
    queue: &'a Queue,
    method: &'a Arc<str>,
    parent: Option<Parent>,
    began: Instant,
    answered: Option<(Code, Option<u64>)>,
}

impl Methods {
    /// All unary methods of this program's services.
    pub(super) fn new(queue: Queue) -> Methods {
        let pool =
            DescriptorPool::decode(phalanx_proto::FILE_DESCRIPTOR_SET).expect("the services' descriptors are whole");
        let is_unary = |method: &MethodDescriptor| !method.is_client_streaming() && !method.is_server_streaming();
        let name = |method: MethodDescriptor| format!("{}/{}", method.parent_service().full_name(), method.name());
        let methods = pool.services().flat_map(|service| service.methods().filter(is_unary).collect::<Vec<_>>());
        let unary = methods.map(name).map(|name| (format!("/{name}"), Arc::from(name))).collect();
        Methods { queue, unary }
    }
}

/// Serves a request; a unary one has a span, unless its client says that it records none.
pub(super) async fn serve(State(methods): State<Arc<Methods>>, request: Request, next: Next) -> Response {
    let Some(method) = methods.unary.get(request.uri().path()) else { return next.run(request).await };
    let parent = Parent::of(request.headers());
    if parent.is_some_and(|parent| !parent.sampled) {
        return next.run(request).await;
    }
    let mut open = Open { queue: &methods.queue, method, parent, began: Instant::now(), answered: None };
    let response = next.run(request).await;
    let height = response.extensions().get::<Height>().map(|height| height.0);
    open.answered = Some((code(response.headers()), height));
    response
}

/// The status of an answer: an error is in its headers; what comes in the trailers of a unary answer is OK.
fn code(headers: &HeaderMap) -> Code {
    headers.get("grpc-status").map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()))
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let (code, height) = self.answered.unwrap_or((Code::Cancelled, None));
        let (method, parent, began) = (Arc::clone(self.method), self.parent, self.began);
        self.queue.put(Ended::Request(RequestTimes { method, parent, began, ended: Instant::now(), code, height }));
    }
}
