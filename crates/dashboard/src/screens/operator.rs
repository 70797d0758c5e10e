//! The operator's own screens: organisations, contracts, and the system as a whole.

mod contracts;
mod links;
mod organization;
mod organizations;
mod plans;
mod references;
mod system;

use axum::Router;

use crate::app::App;

/// All of them.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .merge(organizations::routes())
        .merge(organization::routes())
        .merge(links::routes())
        .merge(contracts::routes())
        .merge(system::routes())
}
