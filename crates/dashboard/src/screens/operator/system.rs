//! How the whole is doing: nodes, and what waits.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;

use crate::api::Status;
use crate::app::App;
use crate::page::{Page, Place, html};
use crate::refusal::Refusal;
use crate::say::Say;
use crate::viewer::Viewer;

/// All of them.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/operator/system", get(read)).route("/operator/system/live", get(read_live))
}

#[derive(Template)]
#[template(path = "operator/system.html")]
struct System {
    page: Page,
    live: Live,
}

/// What changes while one looks.
#[derive(Template)]
#[template(path = "operator/system_live.html")]
struct Live {
    say: Say,
    status: Status,
}

async fn ask(viewer: &Viewer) -> Result<Live, Refusal> {
    Ok(Live { say: viewer.say, status: viewer.asker.get("/v1/status").await? })
}

async fn read(viewer: Viewer) -> Result<Response, Refusal> {
    let page = viewer.enter_as_operator(Place::System, "menu-system")?;
    let live = ask(&viewer).await?;
    Ok(html(StatusCode::OK, &System { page, live }))
}

async fn read_live(viewer: Viewer) -> Result<Response, Refusal> {
    viewer.enter_as_operator(Place::System, "menu-system")?;
    Ok(html(StatusCode::OK, &ask(&viewer).await?))
}
