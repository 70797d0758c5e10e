//! The outermost layer: every answer, whoever made it, leaves with the same headers, is counted, and its cause is logged once.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, Method};

use crate::body::discard;
use crate::meters::Meters;
use crate::origin::{Peer, REQUEST_ID, RequestId};
use crate::problem::{Cause, Kind, Problem, quoted};
use crate::state::App;

const SAME_ORIGIN: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// How far apart log lines about a store that cannot commit are, in milliseconds: each request meets the same cause.
const LOG_EVERY_MS: i64 = 1_000;

/// What the layer keeps.
pub(crate) struct Edge {
    meters: Meters,
    started: Instant,
    logged_at_ms: AtomicI64,
}

impl Edge {
    pub(crate) fn new(meters: Meters) -> Self {
        Edge { meters, started: Instant::now(), logged_at_ms: AtomicI64::new(-LOG_EVERY_MS) }
    }

    fn log(&self, route: Option<&MatchedPath>, request_id: &RequestId, peer: Option<Peer>, response: &Response) {
        let Some(Cause(cause)) = response.extensions().get::<Cause>() else { return };
        let route = route.map_or("none", MatchedPath::as_str);
        let status = response.status().as_u16();
        if status != 503 {
            let request_id = &*request_id.0;
            let source = peer.map(|Peer(address)| tracing::field::display(address));
            return tracing::error!(route, status, request_id, source, cause, "a request failed");
        }
        let now_ms = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let last_ms = self.logged_at_ms.load(Ordering::Relaxed);
        let is_due = now_ms - last_ms >= LOG_EVERY_MS;
        let is_mine =
            |last_ms| self.logged_at_ms.compare_exchange(last_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_due && is_mine(last_ms) {
            tracing::warn!(route, cause, "requests are answered with 503");
        }
    }
}

/// The layer itself.
pub(crate) async fn edge(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let peer = request.extensions().get::<Peer>().copied();
    let request_id = RequestId::of(request.headers());
    request.extensions_mut().insert(request_id.clone());
    let mut response = next.run(request).await;
    put_headers(&mut response);
    if let Some(value) = request_id.header() {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    edge.log(route.as_ref(), &request_id, peer, &response);
    // A HEAD is answered by the route's GET.
    let counted = if method == Method::HEAD { Method::GET } else { method };
    edge.meters.note(&counted, route.as_ref().map(MatchedPath::as_str), response.status(), started.elapsed());
    response
}

fn put_headers(response: &mut Response) {
    let headers = response.headers_mut();
    let mut put = |name, value| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    put(X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(CACHE_CONTROL, "no-store");
    put(CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    put(REFERRER_POLICY, "no-referrer");
    put(X_FRAME_OPTIONS, "DENY");
    put(SAME_ORIGIN, "same-origin");
}

/// No such path.
pub(crate) async fn unknown_path(State(app): State<App>, request: Request) -> Problem {
    let (head, body) = request.into_parts();
    discard(&app, &head.headers, body).await;
    Problem::new(Kind::NotFound, format!("there is no path {}", quoted(head.uri.path())))
}

/// The path has no such method; the router adds `Allow`.
pub(crate) async fn unknown_method(State(app): State<App>, request: Request) -> Problem {
    let (head, body) = request.into_parts();
    discard(&app, &head.headers, body).await;
    let name = quoted(head.method.as_str());
    Problem::new(Kind::MethodNotAllowed, format!("the path has no method {name}; the Allow header lists those it has"))
}

/// What a panic in a handler is answered with.
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Problem::internal(format!("a handler panicked: {}", text.unwrap_or("without a text"))).into_response()
}
