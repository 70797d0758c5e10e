//! The list of an organisation's webhooks.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use form_urlencoded::Serializer;
use http::{StatusCode, Uri};

use super::webhook::charts::{Bars, Counted, Frame};
use super::webhook::panels::failures_text;
use super::webhook::trouble::{Trouble, Words, why_disabled};
use crate::api::{ApiError, Endpoint, List, Statistics, StatisticsPage};
use crate::form::Form;
use crate::page::{Page, Place, html};
use crate::refusal::Refusal;
use crate::say::Say;
use crate::viewer::{Viewer, segment};
use crate::visible::{Piece, visible};

/// Webhooks on a page.
const ROWS: usize = 50;
/// The longest text that is searched for, in characters; the API takes no longer one.
const SEARCH_CHARS_MAX: usize = 200;
/// With more webhooks than this there is a field to search them.
const ROWS_WITHOUT_SEARCH_MAX: usize = 8;
/// Subscriptions that are named; the rest is counted.
const EVENTS_SHOWN: usize = 3;

#[derive(Template)]
#[template(path = "webhooks.html")]
struct Webhooks {
    page: Page,
    rows: Vec<Row>,
    next: Option<String>,
    searched: String,
    /// Whether it goes on from another page.
    is_further: bool,
}

impl Webhooks {
    /// Whether there is nothing, and not just nothing here.
    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.searched.is_empty() && !self.is_further
    }

    fn has_search(&self) -> bool {
        !self.searched.is_empty() || self.is_further || self.next.is_some() || self.rows.len() > ROWS_WITHOUT_SEARCH_MAX
    }
}

/// A webhook as the list shows it.
struct Row {
    endpoint: Endpoint,
    name: Vec<Piece>,
    trouble: Trouble,
    /// Why the system stopped it.
    why: Option<Words>,
    /// Subscriptions that are not named.
    more_events: usize,
    /// How many percent of the attempts succeeded.
    rate: Option<String>,
    drawing: Bars,
    drawing_text: String,
    last_attempt_at: Option<String>,
}

impl Row {
    fn new(say: Say, endpoint: Endpoint, counted: Option<&Statistics>) -> Self {
        let buckets = counted.map(|counted| counted.buckets.as_slice()).unwrap_or_default();
        Row {
            name: visible(&endpoint.name),
            trouble: Trouble::of(&endpoint),
            why: why_disabled(say, &endpoint),
            more_events: endpoint.events.len().saturating_sub(EVENTS_SHOWN),
            rate: counted.and_then(|counted| counted.success_rate).map(|rate| say.percent(rate)),
            drawing: Bars::new(buckets, Counted::Attempts, Frame::CELL),
            drawing_text: failures_text(say, counted),
            last_attempt_at: counted.and_then(|counted| counted.last_attempt_at.clone()),
            endpoint,
        }
    }

    fn takes_everything(&self) -> bool {
        self.endpoint.events == ["*"]
    }

    fn events(&self) -> impl Iterator<Item = &String> {
        self.endpoint.events.iter().take(EVENTS_SHOWN)
    }
}

/// Where a page begins: the API's lists of endpoints and of statistics have a cursor each.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cursors {
    endpoints: String,
    statistics: String,
}

impl Cursors {
    fn read(form: &Form) -> Option<Self> {
        let text = |name: &str| form.text(name).map(str::to_owned);
        Some(Cursors { endpoints: text("cursor")?, statistics: text("counted")? })
    }
}

/// A page of the two lists side by side, which are in the same order, of all webhooks or of those that a text finds.
async fn page_of(
    viewer: &Viewer,
    organization: &str,
    searched: &str,
    at: Option<&Cursors>,
) -> Result<(Vec<Row>, Option<Cursors>), ApiError> {
    let search = if searched.is_empty() { String::new() } else { format!("&search={}", segment(searched)) };
    let path = |list: &str, cursor: Option<&String>| {
        let cursor = cursor.map(|cursor| format!("&cursor={}", segment(cursor))).unwrap_or_default();
        format!("/v1/organizations/{}/{list}?limit={ROWS}{search}{cursor}", segment(organization))
    };
    let endpoints: List<Endpoint> = viewer.asker.get(&path("endpoints", at.map(|at| &at.endpoints))).await?;
    let counted: StatisticsPage = viewer.asker.get(&path("statistics", at.map(|at| &at.statistics))).await?;
    let row = |endpoint: Endpoint| {
        let counted = counted.data.iter().find(|counted| counted.endpoint == endpoint.id);
        Row::new(viewer.say, endpoint, counted)
    };
    let rows = endpoints.data.into_iter().map(row).collect();
    let next = endpoints.next_cursor.zip(counted.next_cursor);
    Ok((rows, next.map(|(endpoints, statistics)| Cursors { endpoints, statistics })))
}

/// `GET /o/{organization}/webhooks`
pub(crate) async fn list(viewer: Viewer, Path(organization): Path<String>, uri: Uri) -> Result<Response, Refusal> {
    let page = viewer.enter(&organization, Place::Webhooks, "menu-webhooks").await?;
    let query = Form::read(uri.query().unwrap_or_default().as_bytes());
    let searched = searchable(query.text("search").unwrap_or_default());
    let from = Cursors::read(&query);
    let is_further = from.is_some();
    let (rows, next) = page_of(&viewer, &organization, &searched, from.as_ref()).await?;
    let next = next.map(|next| format!("{}/webhooks?{}", page.base(), query_of(&searched, &next)));
    Ok(html(StatusCode::OK, &Webhooks { page, rows, next, searched, is_further }))
}

/// What the API can search for: a line of bounded length.
pub(crate) fn searchable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(SEARCH_CHARS_MAX).collect()
}

fn query_of(searched: &str, at: &Cursors) -> String {
    let mut query = Serializer::new(String::new());
    if !searched.is_empty() {
        query.append_pair("search", searched);
    }
    query.append_pair("cursor", &at.endpoints).append_pair("counted", &at.statistics);
    query.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_the_next_page_has_both_cursors_and_what_is_searched() {
        let at = Cursors { endpoints: "e+1".into(), statistics: "s/2".into() };
        let query = query_of("São Paulo", &at);
        assert_eq!(query, "search=S%C3%A3o+Paulo&cursor=e%2B1&counted=s%2F2");
        assert_eq!(Cursors::read(&Form::read(query.as_bytes())), Some(at));
        assert_eq!(Cursors::read(&Form::read(b"cursor=e")), None);
    }
}
