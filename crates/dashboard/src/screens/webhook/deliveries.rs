//! What a webhook was sent.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use http::StatusCode;

use super::{Head, Tab};
use crate::page::{Page, html};
use crate::refusal::Refusal;
use crate::viewer::Viewer;

#[derive(Template)]
#[template(path = "webhook.html")]
struct Deliveries {
    page: Page,
    head: Head,
}

/// `GET /o/{organization}/webhooks/{endpoint}`
pub(crate) async fn list(
    viewer: Viewer,
    Path((organization, endpoint)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let (page, head) = Head::read(&viewer, &organization, &endpoint, Tab::Deliveries).await?;
    Ok(html(StatusCode::OK, &Deliveries { page, head }))
}
