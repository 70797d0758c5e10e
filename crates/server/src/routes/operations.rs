//! What those who run the server ask of it: is it up, can it work, how is it doing, what can it do.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use metrics::gauge;
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::json;
use crate::docs;
use crate::meters::{OPEN_DELIVERIES, READY, STORE_BYTES};
use crate::problem::Problem;
use crate::process;
use crate::state::App;

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`
    #[schema(example = "ok")]
    status: &'static str,
}

/// Is it up?
///
/// Answers as long as the process runs; asks nothing of the store.
#[utoipa::path(get, path = "/healthz", operation_id = "health", tag = "Operation", security(()),
    responses((status = 200, description = "It is", body = Health)))]
pub(crate) async fn health() -> Result<Response, Problem> {
    json(StatusCode::OK, &Health { status: "ok" })
}

/// Can it work?
///
/// Whether an event would be stored now: a small row is written and synced, at most once a second.
#[utoipa::path(get, path = "/readyz", operation_id = "readiness", tag = "Operation", security(()),
    responses((status = 200, description = "It can", body = Health),
        (status = 503, description = "It cannot", body = crate::problem::ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn ready(State(app): State<App>) -> Result<Response, Problem> {
    app.readiness.check(&app).await.map_err(Problem::unavailable)?;
    json(StatusCode::OK, &Health { status: "ok" })
}

/// Numbers
///
/// In Prometheus' text format.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "Operation", security(()),
    responses((status = 200, description = "Counters, gauges and histograms", body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(app): State<App>) -> Response {
    let Some(handle) = &app.given.metrics else {
        return text("# no metrics are recorded\n".to_owned().into(), "text/plain; version=0.0.4; charset=utf-8");
    };
    let patience = Duration::from_millis(app.limits().probe_ms_max);
    // Side by side, so that a store that hangs costs less than a scraper's patience.
    let (stats, ready, _) = tokio::join!(
        tokio::time::timeout(patience, app.store().stats()),
        app.readiness.check(&app),
        tokio::task::spawn_blocking(process::measure)
    );
    // Without the store's numbers the others are still worth having; old ones would look like news.
    let stats = stats.ok().and_then(Result::ok);
    gauge!(OPEN_DELIVERIES).set(stats.map_or(f64::NAN, |stats| stats.open_deliveries as f64));
    gauge!(STORE_BYTES).set(stats.map_or(f64::NAN, |stats| stats.bytes as f64));
    gauge!(READY).set(if ready.is_ok() { 1.0 } else { 0.0 });
    text(handle.render().into(), "text/plain; version=0.0.4; charset=utf-8")
}

/// This document
///
/// OpenAPI 3.1, generated from the handlers.
#[utoipa::path(get, path = "/openapi.json", operation_id = "openapi", tag = "Operation", security(()),
    responses((status = 200, description = "The document", body = Object)))]
pub(crate) async fn openapi(State(app): State<App>) -> Response {
    text(app.openapi.clone(), "application/json")
}

/// This document as a page
#[utoipa::path(get, path = "/docs", operation_id = "docs", tag = "Operation", security(()),
    responses((status = 200, description = "The page", body = String, content_type = "text/html")))]
pub(crate) async fn docs_page(State(app): State<App>) -> Response {
    page(app.docs_page.clone())
}

/// What can go wrong, as a page
///
/// One section for each `type` of problem.
#[utoipa::path(get, path = "/docs/problems", operation_id = "problems", tag = "Operation", security(()),
    responses((status = 200, description = "The page", body = String, content_type = "text/html")))]
pub(crate) async fn problems_page(State(app): State<App>) -> Response {
    page(app.problems_page.clone())
}

/// The pages' style
#[utoipa::path(get, path = "/docs/style.css", operation_id = "docsStyle", tag = "Operation", security(()),
    responses((status = 200, description = "The style sheet", body = String, content_type = "text/css")))]
pub(crate) async fn docs_style() -> Response {
    text(Bytes::from_static(docs::STYLE.as_bytes()), "text/css; charset=utf-8")
}

fn text(body: Bytes, media: &'static str) -> Response {
    with_headers(body, &[(CONTENT_TYPE, media)])
}

/// A page runs no script and loads nothing but its own style.
fn page(body: Bytes) -> Response {
    let policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let headers =
        [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, policy), (CACHE_CONTROL, "no-cache")];
    with_headers(body, &headers)
}

fn with_headers(body: Bytes, headers: &[(HeaderName, &'static str)]) -> Response {
    let mut response = body.into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
