//! Searching deliveries by what their last attempt tells.
//!
//! URLs and errors are sealed in the store, so they are opened and looked at here: a bounded number of rows a request, newest first, of those that
//! the filters leave. The page says by its `next` that there are more to look at.

use std::collections::HashMap;

use postrider_domain::{DeliveryId, EventId, OrganizationId};
use postrider_store::{Attempt, Delivery, DeliveryFilter, PageOf, PageRequest, Store};
use uuid::Uuid;

use crate::limits::{SEARCH_PAGE_ROWS, SEARCH_ROWS_MAX};
use crate::problem::Problem;

/// A page of the deliveries that the filter leaves and that the text is the id, or the event's id, of, or a part of the last attempt's URL,
/// error or status code.
pub(crate) async fn search(
    store: &dyn Store,
    organization: &OrganizationId,
    mut filter: DeliveryFilter,
    text: &str,
    page: PageRequest,
) -> Result<PageOf<Delivery>, Problem> {
    if let Ok(id) = text.parse::<DeliveryId>() {
        return one(store, organization, &filter, id, page).await;
    }
    if let Some(event) = event_of(store, organization, text).await? {
        if filter.event.as_ref().is_some_and(|wanted| *wanted != event) {
            return Ok(PageOf { rows: Vec::new(), next: None });
        }
        filter.event = Some(event);
        return Ok(store.deliveries(organization, &filter, page).await?);
    }
    let mut found = PageOf { rows: Vec::new(), next: page.before };
    let sought = text.to_lowercase();
    for _ in 0..SEARCH_ROWS_MAX / SEARCH_PAGE_ROWS {
        let some = PageRequest { limit: SEARCH_PAGE_ROWS, before: found.next };
        let some = store.deliveries(organization, &filter, some).await?;
        if look_at(store, organization, some, &sought, (&mut found, page.limit)).await? {
            break;
        }
    }
    Ok(found)
}

/// The delivery of this id, if the filter and the page leave it.
async fn one(
    store: &dyn Store,
    organization: &OrganizationId,
    filter: &DeliveryFilter,
    id: DeliveryId,
    page: PageRequest,
) -> Result<PageOf<Delivery>, Problem> {
    let mut rows = Vec::new();
    if page.before.is_none_or(|before| id.0 < before) {
        let next = Uuid::from_u128(id.0.as_u128().saturating_add(1));
        let newest = PageRequest { limit: 1, before: Some(next) };
        rows = store.deliveries(organization, filter, newest).await?.rows;
        rows.retain(|row| row.id == id);
    }
    Ok(PageOf { rows, next: None })
}

/// The event of this id, if there is one.
async fn event_of(store: &dyn Store, organization: &OrganizationId, text: &str) -> Result<Option<EventId>, Problem> {
    let Ok(id) = text.parse::<EventId>() else { return Ok(None) };
    Ok(store.event(organization, &id).await?.map(|_| id))
}

/// Adds what fits, up to the page's limit; true when the page is full, or nothing is left to look at.
async fn look_at(
    store: &dyn Store,
    organization: &OrganizationId,
    some: PageOf<Delivery>,
    sought: &str,
    (found, limit): (&mut PageOf<Delivery>, usize),
) -> Result<bool, Problem> {
    let ids: Vec<_> = some.rows.iter().filter(|row| row.attempts_count > 0).map(|row| (row.id, row.endpoint)).collect();
    let attempts: HashMap<_, _> = store.last_attempts(organization, &ids).await?.into_iter().collect();
    let last = some.rows.last().map(|row| row.id);
    // A short page with more behind it means that the filter leaves few rows, and that the store has looked at enough of them.
    let is_enough = some.rows.len() < SEARCH_PAGE_ROWS;
    for row in some.rows {
        let (id, fits) = (row.id, fits(&row, attempts.get(&row.id), sought));
        if fits {
            found.rows.push(row);
        }
        if found.rows.len() == limit {
            found.next = if Some(id) == last && some.next.is_none() { None } else { Some(id.0) };
            return Ok(true);
        }
    }
    found.next = some.next;
    Ok(is_enough || found.next.is_none())
}

fn fits(delivery: &Delivery, attempt: Option<&Attempt>, sought: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(sought);
    let failure = attempt.and_then(|attempt| attempt.failure.as_ref());
    delivery.last_status_code.is_some_and(|code| code.to_string().contains(sought))
        || attempt.is_some_and(|attempt| has(&attempt.url))
        || failure.is_some_and(|failure| has(failure.kind.as_str()) || has(&failure.message))
}
