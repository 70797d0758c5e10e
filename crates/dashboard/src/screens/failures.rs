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
/// The most webhooks that are looked through: four pages of the API's list, which are more than a plan has.
const WEBHOOK_PAGES_MAX: usize = 4;
/// The most failing webhooks whose waiting deliveries stand on the first page.
const FAILING_WEBHOOKS_MAX: usize = 20;
/// The most webhooks on a page of which it is read why the newest failed.
const REASONS_MAX: usize = 20;
/// How many waiting deliveries are looked at of each.
const WAITING_OF_EACH: usize = 10;

#[derive(Template)]
#[template(path = "failures.html")]
struct Screen {
    page: Page,
    /// Webhooks that the system disabled, or whose attempts fail now, without a delivery that says why; on the first page alone.
    stopped: Vec<State>,
    groups: Vec<Group>,
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
}

impl State {
    fn new(say: Say, webhook: Endpoint) -> Self {
        let why = webhook.disabled_reason.as_deref().map(|reason| why_disabled(say, reason));
        State { webhook, why }
    }
}

/// `GET /o/{organization}/failures`
pub(crate) async fn list(viewer: Viewer, Path(organization): Path<String>, uri: Uri) -> Result<Response, Refusal> {
    let page = viewer.enter(&organization, Place::Failures, "menu-failures").await?;
    let query = Form::read(uri.query().unwrap_or_default().as_bytes());
    let base = format!("/v1/organizations/{}", segment(&organization));
    let webhooks = webhooks(&viewer, &base).await?;
    let is_troubled = |webhook: &&Endpoint| webhook.status == "disabled" || webhook.consecutive_failures > 0;
    let troubled: Vec<Endpoint> = webhooks.iter().filter(is_troubled).cloned().collect();
    let cursor = query.text("cursor");
    let mut rows = Vec::new();
    if cursor.is_none() {
        for webhook in troubled.iter().take(FAILING_WEBHOOKS_MAX) {
            rows.extend(waiting(&viewer, &base, &webhook.id).await?);
        }
    }
    let from = cursor.map(|cursor| format!("&cursor={}", segment(cursor))).unwrap_or_default();
    let path = format!("{base}/deliveries?status=failed&test=false&limit={FAILED_ON_PAGE}{from}");
    let failed: List<Delivery> = viewer.asker.get(&path).await?;
    rows.extend(failed.data);
    let mut groups = grouped(page.say, rows, &webhooks);
    for group in groups.iter_mut().take(REASONS_MAX) {
        group.failure = failure(&viewer, &base, &group.rows).await?;
    }
    let next = failed.next_cursor.map(|cursor| format!("{}/failures?cursor={}", page.base(), segment(&cursor)));
    let is_grouped = |webhook: &Endpoint| groups.iter().any(|group| group.endpoint == webhook.id);
    let stopped = troubled.into_iter().filter(|webhook| cursor.is_none() && !is_grouped(webhook));
    let stopped = stopped.map(|webhook| State::new(page.say, webhook)).collect();
    Ok(html(StatusCode::OK, &Screen { page, stopped, groups, next }))
}

async fn webhooks(viewer: &Viewer, base: &str) -> Result<Vec<Endpoint>, Refusal> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    for _ in 0..WEBHOOK_PAGES_MAX {
        let found: List<Endpoint> = viewer.asker.get(&format!("{base}/endpoints?limit=250{cursor}")).await?;
        all.extend(found.data);
        let Some(next) = found.next_cursor else { break };
        cursor = format!("&cursor={}", segment(&next));
    }
    Ok(all)
}

/// What a failing webhook will be sent again.
async fn waiting(viewer: &Viewer, base: &str, endpoint: &str) -> Result<Vec<Delivery>, Refusal> {
    let path = format!("{base}/deliveries?status=pending&endpoint={endpoint}&limit={WAITING_OF_EACH}");
    let found: List<Delivery> = viewer.asker.get(&path).await?;
    Ok(found.data.into_iter().filter(|delivery| delivery.attempts_count > 0).collect())
}

/// By webhook, in the order in which each first comes.
fn grouped(say: Say, rows: Vec<Delivery>, webhooks: &[Endpoint]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for row in rows {
        match groups.iter_mut().find(|group| group.endpoint == row.endpoint) {
            Some(group) => group.rows.push(row),
            None => {
                let webhook = webhooks.iter().find(|webhook| webhook.id == row.endpoint);
                let state = webhook.map(|webhook| State::new(say, webhook.clone()));
                groups.push(Group { endpoint: row.endpoint.clone(), state, failure: None, rows: vec![row] });
            }
        }
    }
    groups
}

/// Why the first of a webhook's deliveries that was tried failed.
async fn failure(viewer: &Viewer, base: &str, rows: &[Delivery]) -> Result<Option<Failure>, Refusal> {
    let Some(tried) = rows.iter().find(|row| row.attempts_count > 0) else { return Ok(None) };
    let detail = match viewer.asker.get::<DeliveryDetail>(&format!("{base}/deliveries/{}", tried.id)).await {
        // Retention has taken it meanwhile.
        Err(ApiError::Problem { status: StatusCode::NOT_FOUND, .. }) => return Ok(None),
        other => other?,
    };
    let error = detail.attempts.last().and_then(|attempt| attempt.error.as_ref());
    Ok(error.map(|error| Failure::new(viewer.say, error)))
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
    fn failures_stand_by_webhook_and_a_deleted_one_has_no_name() {
        let rows = vec![delivery("dlv_4", "ep_b"), delivery("dlv_3", "ep_a"), delivery("dlv_2", "ep_b")];
        let groups = grouped(Say::new("en"), rows, &[]);
        let shape: Vec<_> = groups.iter().map(|group| (group.endpoint.as_str(), group.rows.len())).collect();
        assert_eq!(shape, [("ep_b", 2), ("ep_a", 1)]);
        assert!(groups.iter().all(|group| group.state.is_none()));
    }
}
