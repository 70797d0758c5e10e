//! What the CRM published.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use http::{StatusCode, Uri};
use serde::Deserialize;

use crate::api::{Event, List};
use crate::form::Form;
use crate::moments::{field_text, read_moment};
use crate::page::{Page, Place, html};
use crate::refusal::Refusal;
use crate::say::Say;
use crate::viewer::{Viewer, segment};

/// How many event types are offered while somebody types one.
const OFFERED_TYPES_MAX: usize = 250;

#[derive(Template)]
#[template(path = "events.html")]
struct Events {
    page: Page,
    filters: Filters,
    /// The names that are offered.
    types: Vec<EventTypeName>,
    rows: Vec<Event>,
    next: Option<String>,
}

/// An event type of the catalogue.
#[derive(Deserialize)]
struct EventTypeName {
    name: String,
}

/// What the list is narrowed down to, as it was typed.
#[derive(Default)]
struct Filters {
    event_type: String,
    resource: String,
    resource_mistake: Option<String>,
    since: String,
    since_mistake: Option<String>,
    until: String,
    until_mistake: Option<String>,
}

impl Filters {
    fn read(query: &Form, say: Say) -> Self {
        let text = |name: &str| query.text(name).unwrap_or_default().to_owned();
        let (resource, since, until) = (text("resource"), text("since"), text("until"));
        let is_record = resource.split_once(':').is_some_and(|(kind, id)| !kind.is_empty() && !id.is_empty());
        let mistake = |is_wrong: bool, name: &str| is_wrong.then(|| say.text(name));
        let is_no_moment = |text: &str| !text.is_empty() && read_moment(text).is_none();
        Filters {
            event_type: text("type"),
            resource_mistake: mistake(!resource.is_empty() && !is_record, "events-wrong-record"),
            since_mistake: mistake(is_no_moment(&since), "events-wrong-time"),
            until_mistake: mistake(is_no_moment(&until), "events-wrong-time"),
            resource,
            since: shown(since),
            until: shown(until),
        }
    }

    fn is_wrong(&self) -> bool {
        [&self.resource_mistake, &self.since_mistake, &self.until_mistake].into_iter().any(Option::is_some)
    }

    fn is_empty(&self) -> bool {
        [&self.event_type, &self.resource, &self.since, &self.until].into_iter().all(String::is_empty)
    }

    /// As the API takes them.
    fn asked(&self) -> String {
        let asked = |text: &str| read_moment(text).map(|at| at.to_string()).unwrap_or_default();
        let (since, until) = (asked(&self.since), asked(&self.until));
        let moments = [("since", since.as_str()), ("until", until.as_str())];
        let texts = [("type", self.event_type.as_str()), ("resource", self.resource.as_str())];
        joined(texts.into_iter().chain(moments))
    }

    /// As this screen takes them.
    fn query(&self) -> String {
        let (since, until) = (self.since.as_str(), self.until.as_str());
        joined([("type", &*self.event_type), ("resource", &self.resource), ("since", since), ("until", until)])
    }
}

/// A moment as its field holds it; what is none, as it was typed.
fn shown(text: String) -> String {
    read_moment(&text).map_or(text, field_text)
}

/// `&name=value` for each that has a value.
fn joined<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let given = fields.into_iter().filter(|(_, value)| !value.is_empty());
    given.map(|(name, value)| format!("&{name}={}", segment(value))).collect()
}

/// `GET /o/{organization}/events`
pub(crate) async fn list(viewer: Viewer, Path(organization): Path<String>, uri: Uri) -> Result<Response, Refusal> {
    let page = viewer.enter(&organization, Place::Events, "menu-events").await?;
    let query = Form::read(uri.query().unwrap_or_default().as_bytes());
    let filters = Filters::read(&query, page.say);
    let base = format!("/v1/organizations/{}", segment(&organization));
    let types: List<EventTypeName> = viewer.asker.get(&format!("{base}/event-types?limit={OFFERED_TYPES_MAX}")).await?;
    let types = types.data;
    if filters.is_wrong() {
        let screen = Events { page, filters, types, rows: Vec::new(), next: None };
        return Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &screen));
    }
    let cursor = query.text("cursor").map(|cursor| format!("&cursor={}", segment(cursor))).unwrap_or_default();
    let asked = format!("{}{cursor}", filters.asked());
    let found: List<Event> = viewer.asker.get(&format!("{base}/events?{}", asked.trim_start_matches('&'))).await?;
    let further = |cursor: String| format!("{}/events?cursor={}{}", page.base(), segment(&cursor), filters.query());
    let next = found.next_cursor.map(further);
    Ok(html(StatusCode::OK, &Events { page, filters, types, rows: found.data, next }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(query: &str) -> Filters {
        Filters::read(&Form::read(query.as_bytes()), Say::new("en"))
    }

    #[test]
    fn filters_are_passed_on_and_kept_in_links() {
        let filters = filters("type=deal.*&resource=deal%3Aa%26b&since=2026-11-21T10:00:00.000Z&until=");
        assert!(!filters.is_wrong() && !filters.is_empty());
        assert_eq!(filters.asked(), "&type=deal.*&resource=deal%3Aa%26b&since=2026-11-21T10%3A00%3A00Z");
        assert_eq!(filters.query(), "&type=deal.*&resource=deal%3Aa%26b&since=2026-11-21T10%3A00");
    }

    #[test]
    fn each_mistake_is_told_beside_its_field() {
        let filters = filters("resource=42&since=x&until=2026-11-21");
        assert!(filters.resource_mistake.is_some() && filters.since_mistake.is_some());
        assert!(filters.until_mistake.is_none() && filters.is_wrong());
        assert_eq!((&*filters.resource, &*filters.since), ("42", "x"), "what was typed is kept");
    }
}
