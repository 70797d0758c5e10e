//! The HTTP API: who asks for what, read strictly, answered plainly. It decides nothing about events and sends nothing itself; it hands over to
//! the engine and reads from the store.
//!
//! Words: the *edge* is the outermost layer, which every answer passes; the *gate* stands before every route under `/v1` and lets
//! authenticated requests through; a *call* is such a request as its handler sees it; a *problem* is an answer that is not what was asked
//! for; a *wire type* is how something looks in JSON.

mod auth;
mod body;
mod call;
mod changing;
mod code;
mod docs;
mod edge;
mod event_ids;
mod fields;
mod gate;
mod idempotency;
mod kind;
mod limits;
mod meters;
mod openapi;
mod operator_key;
mod origin;
mod paging;
mod pass;
mod problem;
mod process;
mod proxies;
mod ready;
mod routes;
mod search;
mod serve;
mod source;
mod state;
mod system_limit;
mod time;
mod token;
mod unkept;
mod wire;
mod wrong;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

pub use limits::ServerLimits;
pub use meters::install_metrics;
pub use openapi::openapi_json;
pub use pass::Passes;
pub use serve::serve;
pub use source::Source;
pub use state::ServerState;
pub use token::{TokenKey, TokenKeyError, Tokens};

use crate::edge::{Edge, edge, panicked, unknown_method, unknown_path};
use crate::meters::Meters;
use crate::state::Running;

/// The routes, ready to serve. Install the metrics recorder before: meters are made here.
pub fn router(state: ServerState) -> Router {
    let meters = Meters::new(openapi::documented());
    process::begin(state.engine.now());
    let text = openapi_json();
    let page = docs::page(&serde_json::from_str(&text).unwrap_or_default());
    let app = Arc::new(Running::new(state, text.into(), page.into(), docs::problems_page().into()));

    let behind_gate = ServiceBuilder::new()
        .layer(from_fn_with_state(Arc::clone(&app), gate::gate))
        .layer(CatchPanicLayer::custom(panicked));
    let at_edge = ServiceBuilder::new()
        .layer(from_fn_with_state(Arc::new(Edge::new(meters)), edge))
        .layer(CatchPanicLayer::custom(panicked));
    let (v1, _) = openapi::v1().split_for_parts();
    let (open, _) = openapi::open().split_for_parts();
    let routes = v1.route_layer(behind_gate).merge(open);
    #[cfg(feature = "test-clock")]
    let routes = routes
        .route("/test-clock", axum::routing::get(routes::test_clock::read))
        .route("/test-clock/advance", axum::routing::post(routes::test_clock::advance));
    let routes = routes.fallback(unknown_path).method_not_allowed_fallback(unknown_method);
    routes.with_state(app).layer(at_edge)
}

#[cfg(test)]
mod tests;
