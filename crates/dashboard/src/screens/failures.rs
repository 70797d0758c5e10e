//! What failed or is failing, over all webhooks, with why and what to do.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use http::{StatusCode, Uri};

use crate::advice::Failure;
use crate::api::{ApiError, Delivery, DeliveryDetail, Endpoint, List};
use crate::form::Form;
use crate::page::{Page, Place, html};
use crate::refusal::Refusal;
use crate::say::Say;
use crate::screens::webhook::trouble::{Words, why_disabled};
use crate::viewer::{Viewer, segment};

/// Failed deliveries on one page.
const FAILED_ON_PAGE: usize = 50;
/// Webhooks that are looked at together for ones that fail.
const LOOKED_AT: usize = 25;
/// With so many that fail a page is full.
const FAILING_ON_PAGE: usize = 20;
/// So many webhooks are looked at for a page at most; the way on stands below.
const LOOKED_AT_MAX: usize = 1_000;
/// The most webhooks on a page of which it is read why the newest failed.
const REASONS_MAX: usize = 20;
/// How many waiting deliveries are shown of each.
const WAITING_OF_EACH: usize = 10;

#[derive(Template)]
#[template(path = "failures.html")]
struct Screen {
    page: Page,
    /// Webhooks that the system disabled, or whose attempts fail now, without a delivery that says why; on the first page alone.
    stopped: Vec<State>,
    groups: Vec<Group>,
    /// The delivery that somebody has just had tried again.
    retried: Option<String>,
    /// Where more webhooks that fail are.
    next_failing: Option<String>,
    /// Where older deliveries are.
    next: Option<String>,
}

/// How a webhook is.
struct State {
    webhook: Endpoint,
    /// Why it was disabled.
    why: Option<Words>,
}

/// What failed at one webhook.
struct Group {
    /// The webhook's id.
    endpoint: String,
    /// None once it was deleted.
    state: Option<State>,
    /// Why the newest of them failed.
    failure: Option<Failure>,
    rows: Vec<Delivery>,
    /// Where all are that wait, when more do than are shown.
    more_waiting: Option<String>,
}

impl State {
    fn new(say: Say, webhook: Endpoint) -> Self {
        let why = why_disabled(say, &webhook);
        State { webhook, why }
    }
}

/// `GET /o/{organization}/failures`; `webhooks=` goes on with webhooks that fail, `cursor=` with deliveries that failed.
pub(crate) async fn list(viewer: Viewer, Path(organization): Path<String>, uri: Uri) -> Result<Response, Refusal> {
    let page = viewer.enter(&organization, Place::Failures, "menu-failures").await?;
    let query = Form::read(uri.query().unwrap_or_default().as_bytes());
    let reader = Reader { viewer: &viewer, base: format!("/v1/organizations/{}", segment(&organization)) };
    let (further, cursor) = (query.text("webhooks"), query.text("cursor"));
    let failing = if cursor.is_none() { reader.failing(further).await? } else { Failing::default() };
    let mut groups = Vec::new();
    for webhook in &failing.webhooks {
        let (rows, has_more) = reader.waiting(&webhook.id).await?;
        if !rows.is_empty() {
            let all = format!("{}/webhooks/{}?status=pending", page.base(), webhook.id);
            let state = Some(State::new(page.say, webhook.clone()));
            let more_waiting = has_more.then_some(all);
            groups.push(Group { endpoint: webhook.id.clone(), state, failure: None, rows, more_waiting });
        }
    }
    let mut next = None;
    if further.is_none() {
        let (failed, cursor) = reader.failed(cursor).await?;
        add(&mut groups, failed);
        next = cursor.map(|cursor| format!("{}/failures?cursor={}", page.base(), segment(&cursor)));
    }
    for (nth, group) in groups.iter_mut().enumerate() {
        if group.state.is_none() {
            group.state = reader.webhook(&group.endpoint).await?.map(|webhook| State::new(page.say, webhook));
        }
        if nth < REASONS_MAX {
            group.failure = reader.failure(&group.rows).await?;
        }
    }
    let retried = query.text("retried").map(str::to_owned);
    let next_failing = failing.next.map(|next| format!("{}/failures?webhooks={}", page.base(), segment(&next)));
    let is_grouped = |webhook: &Endpoint| groups.iter().any(|group| group.endpoint == webhook.id);
    let stopped = failing.webhooks.into_iter().filter(|webhook| !is_grouped(webhook));
    let stopped = stopped.map(|webhook| State::new(page.say, webhook)).collect();
    Ok(html(StatusCode::OK, &Screen { page, stopped, groups, retried, next_failing, next }))
}

/// Webhooks that were stopped, or fail now.
#[derive(Default)]
struct Failing {
    webhooks: Vec<Endpoint>,
    /// Where to go on looking.
    next: Option<String>,
}

/// Reads of one organisation what the screen shows.
struct Reader<'v> {
    viewer: &'v Viewer,
    base: String,
}

impl Reader<'_> {
    async fn failing(&self, from: Option<&str>) -> Result<Failing, Refusal> {
        let mut found = Failing { webhooks: Vec::new(), next: from.map(str::to_owned) };
        for _ in 0..LOOKED_AT_MAX / LOOKED_AT {
            let cursor = found.next.as_ref().map(|next| format!("&cursor={}", segment(next))).unwrap_or_default();
            let path = format!("{}/endpoints?limit={LOOKED_AT}{cursor}", self.base);
            let some: List<Endpoint> = self.viewer.asker.get(&path).await?;
            let is_failing = |webhook: &Endpoint| webhook.status == "disabled" || webhook.consecutive_failures > 0;
            found.webhooks.extend(some.data.into_iter().filter(is_failing));
            found.next = some.next_cursor;
            if found.next.is_none() || found.webhooks.len() >= FAILING_ON_PAGE {
                break;
            }
        }
        Ok(found)
    }

    /// What a failing webhook will be sent again, and whether there is more of it.
    async fn waiting(&self, endpoint: &str) -> Result<(Vec<Delivery>, bool), Refusal> {
        let path = format!("{}/deliveries?status=pending&endpoint={endpoint}&limit={WAITING_OF_EACH}", self.base);
        let found: List<Delivery> = self.viewer.asker.get(&path).await?;
        let tried = found.data.into_iter().filter(|delivery| delivery.attempts_count > 0);
        Ok((tried.collect(), found.next_cursor.is_some()))
    }

    /// What has failed for good, newest first, and where it goes on.
    async fn failed(&self, cursor: Option<&str>) -> Result<(Vec<Delivery>, Option<String>), Refusal> {
        let from = cursor.map(|cursor| format!("&cursor={}", segment(cursor))).unwrap_or_default();
        let path = format!("{}/deliveries?status=failed&test=false&limit={FAILED_ON_PAGE}{from}", self.base);
        let found: List<Delivery> = self.viewer.asker.get(&path).await?;
        Ok((found.data, found.next_cursor))
    }

    /// None once it was deleted.
    async fn webhook(&self, endpoint: &str) -> Result<Option<Endpoint>, Refusal> {
        found(self.viewer.asker.get(&format!("{}/endpoints/{endpoint}", self.base)).await)
    }

    /// Why the first of a webhook's deliveries that was tried failed; nothing where retention has taken it meanwhile.
    async fn failure(&self, rows: &[Delivery]) -> Result<Option<Failure>, Refusal> {
        let Some(tried) = rows.iter().find(|row| row.attempts_count > 0) else { return Ok(None) };
        let detail = self.viewer.asker.get(&format!("{}/deliveries/{}", self.base, tried.id)).await;
        let Some(detail) = found::<DeliveryDetail>(detail)? else { return Ok(None) };
        let failed = detail.attempts.last().and_then(|attempt| Some((attempt.error.as_ref()?, attempt.status_code)));
        Ok(failed.map(|(error, status_code)| Failure::new(self.viewer.say, error, status_code)))
    }
}

/// Nothing, where there is no such thing.
fn found<T>(answer: Result<T, ApiError>) -> Result<Option<T>, Refusal> {
    match answer {
        Err(ApiError::Problem { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
        other => Ok(Some(other?)),
    }
}

/// Adds deliveries to what is shown of their webhooks, in the order in which each first comes.
fn add(groups: &mut Vec<Group>, rows: Vec<Delivery>) {
    for row in rows {
        match groups.iter_mut().find(|group| group.endpoint == row.endpoint) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group {
                endpoint: row.endpoint.clone(),
                state: None,
                failure: None,
                rows: vec![row],
                more_waiting: None,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn delivery(id: &str, endpoint: &str) -> Delivery {
        let fields = json!({"id": id, "event": "evt_1", "endpoint": endpoint, "type": "deal.won", "resource": null, "test": false, "status": "failed",
            "fail_reason": "exhausted", "created_at": "2026-11-21T10:00:00Z", "next_attempt_at": null, "ended_at": "2026-11-21T10:00:00Z",
            "attempts_count": 1, "last_status_code": 500});
        serde_json::from_value(fields).unwrap()
    }

    #[test]
    fn failures_stand_by_webhook_in_the_order_in_which_each_first_comes() {
        let rows = vec![delivery("dlv_4", "ep_b"), delivery("dlv_3", "ep_a"), delivery("dlv_2", "ep_b")];
        let mut groups = Vec::new();
        add(&mut groups, rows);
        let shape: Vec<_> = groups.iter().map(|group| (group.endpoint.as_str(), group.rows.len())).collect();
        assert_eq!(shape, [("ep_b", 2), ("ep_a", 1)]);
    }
}
