//! The screens: each asks the API for what it shows, or has it done.

mod webhook;
mod webhooks;

use axum::Router;
use axum::routing::get;

use crate::app::App;

/// All of them.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/o/{organization}/webhooks", get(webhooks::list)).merge(webhook::routes())
}
