//! The list of an organisation's webhooks.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use http::{StatusCode, Uri};

use crate::api::{Endpoint, List};
use crate::form::Form;
use crate::page::{Page, Place, html};
use crate::refusal::Refusal;
use crate::viewer::{Viewer, segment};

#[derive(Template)]
#[template(path = "webhooks.html")]
struct Webhooks {
    page: Page,
    rows: Vec<Endpoint>,
    next: Option<String>,
}

/// `GET /o/{organization}/webhooks`
pub(crate) async fn list(viewer: Viewer, Path(organization): Path<String>, uri: Uri) -> Result<Response, Refusal> {
    let page = viewer.enter(&organization, Place::Webhooks, "menu-webhooks").await?;
    let query = Form::read(uri.query().unwrap_or_default().as_bytes());
    let cursor = query.text("cursor").map(|cursor| format!("?cursor={}", segment(cursor))).unwrap_or_default();
    let path = format!("/v1/organizations/{}/endpoints{cursor}", segment(&organization));
    let found: List<Endpoint> = viewer.asker.get(&path).await?;
    let next = found.next_cursor.map(|cursor| format!("{}/webhooks?cursor={}", page.base(), segment(&cursor)));
    Ok(html(StatusCode::OK, &Webhooks { page, rows: found.data, next }))
}
