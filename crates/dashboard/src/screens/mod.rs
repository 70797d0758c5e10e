//! The screens: each asks the API for what it shows, or has it done.

mod audit;
mod delivery;
mod event;
mod events;
mod failures;
mod keys;
mod locales;
mod notifications;
mod operator;
mod webhook;
mod webhooks;

use axum::Router;
use axum::routing::get;

use crate::app::App;

/// All of them.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/o/{organization}/webhooks", get(webhooks::list))
        .merge(webhook::routes())
        .merge(keys::routes())
        .merge(audit::routes())
        .merge(notifications::routes())
        .merge(operator::routes())
        .route("/o/{organization}/events", get(events::list))
        .route("/o/{organization}/events/{event}", get(event::read))
        .route("/o/{organization}/failures", get(failures::list))
        .merge(delivery::routes())
}
