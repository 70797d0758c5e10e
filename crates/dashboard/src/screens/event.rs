//! One event: what it holds, to whom it went, and why not to others.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use http::{StatusCode, Uri};

use crate::api::{Change, EventDetail, List, Resource, Routed};
use crate::form::Form;
use crate::page::{Page, Place, html};
use crate::refusal::Refusal;
use crate::viewer::{Viewer, segment};
use crate::visible::{Body, Piece, plain, visible};

#[derive(Template)]
#[template(path = "event.html")]
struct Screen {
    page: Page,
    event: EventDetail,
    data: Body,
    changes: Option<Vec<Changed>>,
    /// Where events about the same record are, and which it is.
    record: Option<(String, String)>,
    routed: Vec<Routed>,
    next: Option<String>,
}

/// A field that an update modified.
struct Changed {
    field: Vec<Piece>,
    previous: Vec<Piece>,
    current: Vec<Piece>,
}

impl Changed {
    fn new(field: &str, change: &Change) -> Self {
        let json = |value: &Option<Box<serde_json::value::RawValue>>| {
            visible(value.as_deref().map_or("null", serde_json::value::RawValue::get))
        };
        Changed { field: visible(field), previous: json(&change.previous), current: json(&change.current) }
    }
}

/// `GET /o/{organization}/events/{event}`
pub(crate) async fn read(
    viewer: Viewer,
    Path((organization, event)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let page = viewer.enter(&organization, Place::Events, "menu-events").await?;
    let path = format!("/v1/organizations/{}/events/{}", segment(&organization), segment(&event));
    let event: EventDetail = viewer.asker.get(&path).await?;
    let query = Form::read(uri.query().unwrap_or_default().as_bytes());
    let cursor = query.text("cursor").map(|cursor| format!("?cursor={}", segment(cursor))).unwrap_or_default();
    let routed: List<Routed> = viewer.asker.get(&format!("{path}/routing{cursor}")).await?;
    let own = format!("{}/events/{}", page.base(), segment(&event.id));
    let record = event.resource.as_ref().and_then(Resource::filter);
    let screen = Screen {
        data: Body::new(event.data.as_deref().map_or("null", |data| data.get()), None),
        changes: event.changes.as_ref().map(|fields| fields.iter().map(|(name, it)| Changed::new(name, it)).collect()),
        record: record.map(|record| (format!("{}/events?resource={}", page.base(), segment(&record)), record)),
        routed: routed.data,
        next: routed.next_cursor.map(|cursor| format!("{own}?cursor={}#routing", segment(&cursor))),
        page: page.titled(plain(&event.event_type)),
        event,
    };
    Ok(html(StatusCode::OK, &screen))
}
