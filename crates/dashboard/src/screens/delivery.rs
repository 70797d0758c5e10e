//! One delivery: what was sent, what was answered, and what comes next.

mod exchange;
mod history;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::{Method, StatusCode, Uri};
use jiff::Timestamp;

use crate::api::{ApiError, Delivery, DeliveryDetail, Endpoint};
use crate::app::App;
use crate::form::Form;
use crate::moments::remaining;
use crate::page::{Page, Place, html};
use crate::refusal::{Refusal, onward};
use crate::viewer::{Viewer, segment};
use crate::visible::plain;
use exchange::Exchange;
use history::Step;

/// What is shown of it.
struct View {
    delivery: Delivery,
    /// None once it was deleted.
    endpoint: Option<Endpoint>,
    /// The newest attempt first.
    steps: Vec<Step>,
    /// What the chosen attempt sent and got; none before the first.
    exchange: Option<Exchange>,
    /// Where this screen is.
    path: String,
    /// Where it is asked whether anything has changed.
    live_path: String,
    /// Where this webhook's deliveries of the same record are.
    same_record: Option<String>,
    /// How long it is until the next attempt.
    remaining: String,
    may_retry: bool,
    /// The newest attempt's answer comes in as soon as there is one; no other was chosen.
    follows: bool,
}

#[derive(Template)]
#[template(path = "delivery.html")]
struct Screen {
    page: Page,
    view: View,
}

/// The pieces that change while it is pending.
#[derive(Template)]
#[template(path = "delivery_live.html")]
struct Live {
    page: Page,
    view: View,
}

/// `GET /o/{organization}/deliveries/{delivery}`, of the latest attempt or of `?attempt=`.
async fn read(
    viewer: Viewer,
    Path((organization, delivery)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let query = Form::read(uri.query().unwrap_or_default().as_bytes());
    let (page, view) = View::read(&viewer, &organization, &delivery, query.text("attempt")).await?;
    Ok(html(StatusCode::OK, &Screen { page, view }))
}

/// `GET /o/{organization}/deliveries/{delivery}/live?seen=`: what has changed since, or nothing.
async fn live(
    viewer: Viewer,
    Path((organization, delivery)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let query = Form::read(uri.query().unwrap_or_default().as_bytes());
    let (page, view) = View::read(&viewer, &organization, &delivery, query.text("attempt")).await?;
    if query.text("seen") == Some(&seen(&view)) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(html(StatusCode::OK, &Live { page, view }))
}

/// `POST /o/{organization}/deliveries/{delivery}/retry`; `back=failures` leads back to the failures.
async fn retry(
    viewer: Viewer,
    Path((organization, delivery)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Refusal> {
    viewer.may_change()?;
    let path = api_path(&organization, &delivery);
    viewer.asker.tell(Method::POST, &format!("{path}/retry"), None).await?;
    let base = format!("/o/{}", segment(&organization));
    Ok(match form.text("back") {
        Some("failures") => onward(&format!("{base}/failures?retried={}", segment(&delivery))),
        _ => onward(&format!("{base}/deliveries/{}", segment(&delivery))),
    })
}

fn api_path(organization: &str, delivery: &str) -> String {
    format!("/v1/organizations/{}/deliveries/{}", segment(organization), segment(delivery))
}

/// What tells one state of a delivery from the next.
fn seen(view: &View) -> String {
    let next = view.delivery.next_attempt_at.as_deref().unwrap_or("-");
    let status = view.endpoint.as_ref().map_or("deleted", |endpoint| &endpoint.status);
    format!("{}.{}.{next}.{status}", view.delivery.status, view.delivery.attempts_count)
}

impl View {
    async fn read(
        viewer: &Viewer,
        organization: &str,
        delivery: &str,
        attempt: Option<&str>,
    ) -> Result<(Page, Self), Refusal> {
        let page = viewer.enter(organization, Place::Webhooks, "delivery-title").await?;
        let detail: DeliveryDetail = viewer.asker.get(&api_path(organization, delivery)).await?;
        let path = format!("/v1/organizations/{}/endpoints/{}", segment(organization), detail.delivery.endpoint);
        let endpoint = match viewer.asker.get::<Endpoint>(&path).await {
            Err(ApiError::Problem { status: StatusCode::NOT_FOUND, .. }) => None,
            other => Some(other?),
        };
        let page = page.titled(viewer.say.with("delivery-of", "type", plain(&detail.delivery.event_type)));
        let view = View::new(&page, viewer.now, detail, endpoint, attempt);
        Ok((page, view))
    }

    fn new(
        page: &Page,
        now: Timestamp,
        detail: DeliveryDetail,
        endpoint: Option<Endpoint>,
        attempt: Option<&str>,
    ) -> Self {
        let base = page.base();
        let path = format!("{base}/deliveries/{}", detail.delivery.id);
        let chosen = detail.attempts.iter().find(|known| Some(known.id.as_str()) == attempt);
        let shown = chosen.or(detail.attempts.last());
        let exchange = shown.map(|attempt| Exchange::new(page.say, detail.request.as_ref(), attempt));
        let shown = shown.map(|attempt| attempt.id.clone());
        let steps = detail.attempts.iter().rev().map(|attempt| Step::new(page.say, attempt, shown.as_deref(), &path));
        let record = detail.delivery.resource.as_ref().and_then(crate::api::Resource::filter);
        let same_record = record
            .filter(|_| endpoint.is_some())
            .map(|record| format!("{base}/webhooks/{}?resource={}", detail.delivery.endpoint, segment(&record)));
        let is_kept = detail.attempts.is_empty() || detail.request.as_ref().is_some_and(|sent| sent.body.is_some());
        let mut view = View {
            steps: steps.collect(),
            exchange,
            may_retry: page.may_change() && endpoint.is_some() && is_kept,
            follows: chosen.is_none(),
            live_path: String::new(),
            remaining: remaining(page.say, detail.delivery.next_attempt_at.as_deref().unwrap_or_default(), now),
            same_record,
            path,
            delivery: detail.delivery,
            endpoint,
        };
        let attempt = chosen.and(shown).map(|id| format!("&attempt={id}")).unwrap_or_default();
        view.live_path = format!("{}/live?seen={}{attempt}", view.path, segment(&seen(&view)));
        view
    }

    /// What stands in its way besides the receiver: its webhook is paused or disabled.
    fn is_held_back(&self) -> bool {
        self.delivery.is_pending() && self.endpoint.as_ref().is_some_and(|endpoint| !endpoint.is_active())
    }

    /// The newest attempt, where it failed.
    fn last_failure(&self) -> Option<&crate::advice::Failure> {
        self.steps.first().and_then(|step| step.failure.as_ref())
    }
}

/// All of it.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/o/{organization}/deliveries/{delivery}", get(read))
        .route("/o/{organization}/deliveries/{delivery}/live", get(live))
        .route("/o/{organization}/deliveries/{delivery}/retry", post(retry))
}
