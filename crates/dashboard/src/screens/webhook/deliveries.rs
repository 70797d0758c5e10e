//! What a webhook was sent.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use http::{StatusCode, Uri};

use super::charts::Period;
use super::filters::{Filters, Mistake, field_moment};
use super::panels::Panels;
use super::{Head, Tab};
use crate::api::{Delivery, List};
use crate::form::Form;
use crate::page::{Page, html};
use crate::refusal::Refusal;
use crate::say::Say;
use crate::viewer::{Viewer, segment};
use crate::visible::{Piece, visible};

#[derive(Template)]
#[template(path = "webhook.html")]
struct Deliveries {
    page: Page,
    head: Head,
    list: Found,
    panels: Panels,
}

/// The parts of it that change by themselves.
#[derive(Template)]
#[template(path = "webhook_live.html")]
struct Live {
    page: Page,
    head: Head,
    list: Found,
    panels: Panels,
}

/// The deliveries that were looked for.
struct Found {
    filters: Filters,
    mistakes: Vec<Mistake>,
    rows: Vec<Row>,
    next: Option<String>,
    /// Where the webhook's screen is.
    place: String,
}

/// One of them.
struct Row {
    delivery: Delivery,
    /// The record that it is about, and the list of what else is.
    record: Option<(Vec<Piece>, String)>,
    /// Why it failed for good.
    cause: Option<String>,
    /// Grows with everything that is shown of it.
    version: String,
}

impl Row {
    fn new(say: Say, place: &str, delivery: Delivery) -> Self {
        let record = delivery.resource.as_ref().and_then(crate::api::Resource::filter);
        let record = record.map(|record| {
            let path = format!("{place}?resource={}", segment(&record));
            (visible(&record), path)
        });
        let cause = delivery.fail_reason.as_ref().map(|word| say.named("fail-reason-", word));
        let next = delivery.next_attempt_at.as_deref().unwrap_or_default();
        let version = format!("{}/{}/{next}", delivery.status, delivery.attempts_count);
        Row { record, cause, version, delivery }
    }
}

impl Found {
    async fn look(viewer: &Viewer, page: &Page, head: &Head, filters: Filters) -> Result<Self, Refusal> {
        let place = head.place(page);
        let mistakes = filters.mistakes();
        if !mistakes.is_empty() {
            return Ok(Found { filters, mistakes, rows: Vec::new(), next: None, place });
        }
        let organization = page.organization.as_ref().map(|organization| segment(&organization.id)).unwrap_or_default();
        let path = format!("/v1/organizations/{organization}/deliveries?{}", filters.for_api(&head.endpoint.id));
        let found: List<Delivery> = viewer.asker.get(&path).await?;
        let rows = found.data.into_iter().map(|delivery| Row::new(page.say, &place, delivery)).collect();
        let next = found.next_cursor.map(|cursor| format!("{place}{}", filters.query_next(&cursor)));
        Ok(Found { filters, mistakes, rows, next, place })
    }

    /// Where what is new is asked for. Older pages stay as they are, and so does what a search found: every one opens a thousand deliveries.
    fn live(&self) -> Option<String> {
        let is_first = self.filters.cursor.is_none() && self.filters.search.is_empty() && self.mistakes.is_empty();
        is_first.then(|| format!("{}/live{}", self.place, self.filters.query()))
    }

    fn view(&self, filters: &Filters) -> String {
        format!("{}{}", self.place, filters.query())
    }

    fn view_tests(&self, is_tests: bool) -> String {
        self.view(&self.filters.with_tests(is_tests))
    }

    fn view_period(&self, word: &str) -> String {
        self.view(&self.filters.with_period(Period::read(Some(word))))
    }

    fn view_cleared(&self) -> String {
        self.view(&self.filters.cleared())
    }

    /// What is wrong with a field.
    fn mistake(&self, field: &str) -> Option<&'static str> {
        self.mistakes.iter().find(|mistake| mistake.field == field).map(|mistake| mistake.message)
    }

    fn since(&self) -> String {
        field_moment(&self.filters.since)
    }

    fn until(&self) -> String {
        field_moment(&self.filters.until)
    }
}

fn filters(viewer: &Viewer, uri: &Uri) -> Filters {
    Filters::read(&Form::read(uri.query().unwrap_or_default().as_bytes()), viewer.now)
}

/// `GET /o/{organization}/webhooks/{endpoint}`
pub(crate) async fn list(
    viewer: Viewer,
    Path((organization, endpoint)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let (page, head) = Head::read(&viewer, &organization, &endpoint, Tab::Deliveries).await?;
    let list = Found::look(&viewer, &page, &head, filters(&viewer, &uri)).await?;
    let panels = Panels::read(&viewer, &organization, &head.endpoint.id, list.filters.period).await?;
    let status = if list.mistakes.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(html(status, &Deliveries { page, head, list, panels }))
}

/// `GET /o/{organization}/webhooks/{endpoint}/live`
pub(crate) async fn live(
    viewer: Viewer,
    Path((organization, endpoint)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let (page, head) = Head::read(&viewer, &organization, &endpoint, Tab::Deliveries).await?;
    let list = Found::look(&viewer, &page, &head, filters(&viewer, &uri)).await?;
    let panels = Panels::read(&viewer, &organization, &head.endpoint.id, list.filters.period).await?;
    Ok(html(StatusCode::OK, &Live { page, head, list, panels }))
}
