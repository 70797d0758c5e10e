//! The dashboard: what the CRM's customers see of their webhooks, and what the operator sees of the whole.
//!
//! It is a client of the API, in the same process: every screen asks the API's own router with the credential of whoever is looking, so it can show and do
//! what that credential may, and nothing else. It knows no store, no engine and no key.
//!
//! Words: an *asker* asks the API for somebody; a *viewer* is that somebody, with a session and a language; a *page* is what surrounds a screen; a
//! *refusal* is an answer that is not the screen asked for. A session is *held* in a cookie on the dashboard's own pages, and in the memory of the page
//! inside a frame on another site, where browsers keep no cookies.

mod advice;
mod api;
mod app;
mod assets;
mod curl;
mod edge;
mod facts;
mod form;
mod mistake;
mod mistakes;
mod moments;
mod origin;
mod page;
mod refusal;
mod say;
mod screens;
mod session;
mod viewer;
mod visible;

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};

use crate::app::{App, Running};

/// The most that a form may send, in bytes: the largest event that a filter is tried on is smaller.
const FORM_BYTES_MAX: usize = 512 * 1024;

/// Who may show an organisation's dashboard in a frame.
#[async_trait]
pub trait Frames: Send + Sync {
    /// The origins; none for an organisation that is unknown or has named none. Asked before anybody is known.
    async fn ancestors(&self, organization: &str) -> Vec<String>;
}

/// The server's time: what the API's own moments are told in.
pub trait ServerTime: Send + Sync {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;
}

/// What a dashboard is handed.
pub struct DashboardParts {
    /// The API's router.
    pub api: Router,
    /// Who may frame it.
    pub frames: Arc<dyn Frames>,
    /// What spans such as "the last hour" are counted from.
    pub clock: Arc<dyn ServerTime>,
    /// Where people reach it, such as `https://webhooks.crm.example`; with `https`, cookies leave over `https` alone.
    pub public_url: String,
}

/// The dashboard's routes, to be merged with the API's.
pub fn router(parts: DashboardParts) -> Router {
    let app: App = Arc::new(Running::new(parts));
    Router::new()
        .route("/", get(session::home))
        .route("/sign-in", get(session::sign_in))
        .route("/portal", get(session::operator_entrance))
        .route("/portal/{organization}", get(session::entrance))
        .route("/session", post(session::begin))
        .route("/session/end", post(session::end))
        .route("/language", post(session::language))
        .merge(screens::routes())
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(&app), edge::edge))
        .layer(from_fn(edge::compress))
        .route("/assets/{name}", get(assets::read))
        .with_state(app)
}
