//! What a webhook missed, sent again: counted first, then begun, then watched.

mod progress;
mod span;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use http::{Method, StatusCode, Uri};
use serde_json::json;

use super::{Head, Tab, api_path};
use crate::api::{ApiError, BegunOperation, List, Operation, RecoveryPreview};
use crate::app::App;
use crate::form::{Form, fresh_key};
use crate::mistakes::Mistakes;
use crate::moments::{field_text, read_moment};
use crate::page::{Page, html};
use crate::refusal::{Refusal, onward};
use crate::say::Say;
use crate::viewer::{Viewer, segment};
use progress::Progress;
use span::{Preset, Span, presets, read_span};

const FIELDS: [&str; 2] = ["since", "until"];
/// Operations of the whole organisation that are looked through for this webhook's: a page of the API's list.
const OPERATIONS_MAX: u32 = 250;

pub(super) fn routes() -> Router<App> {
    let base = "/o/{organization}/webhooks/{endpoint}/recover";
    Router::new().route(base, get(show).post(begin)).route(&format!("{base}/{{operation}}"), get(progress))
}

/// How much a span would send again, in words.
struct Counted {
    say: Say,
    span: Span,
    preview: RecoveryPreview,
}

impl Counted {
    /// `412 deliveries would be sent again`
    fn title(&self) -> String {
        if self.is_empty() {
            return self.say.text("recover-nothing");
        }
        let name = if self.preview.is_complete { "recover-would-send" } else { "recover-would-send-more" };
        self.say.with(name, "count", self.preview.count)
    }

    fn since(&self) -> String {
        self.span.since.to_string()
    }

    fn until(&self) -> String {
        self.span.until.to_string()
    }

    fn failed(&self) -> String {
        self.say.number(self.preview.failed)
    }

    fn missed(&self) -> String {
        self.say.number(self.preview.missed)
    }

    /// Whether there is nothing in the whole span.
    fn is_empty(&self) -> bool {
        self.preview.count == 0 && self.preview.is_complete
    }
}

#[derive(Template)]
#[template(path = "webhook/recover.html")]
struct Recover {
    page: Page,
    head: Head,
    presets: Vec<Preset>,
    /// What was entered of a span of one's own, in UTC.
    since: String,
    until: String,
    mistakes: Mistakes,
    preview: Option<Counted>,
    idempotency_key: String,
    /// The one that runs, or that was begun here a moment ago.
    shown: Option<Progress>,
    past: Vec<Progress>,
    next: Option<String>,
    /// Where one recovery's progress is.
    base: String,
}

/// `GET …/recover`; with `span`, how much that would send again.
async fn show(
    viewer: Viewer,
    Path((organization, endpoint)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let query = Form::read(uri.query().unwrap_or_default().as_bytes());
    let mut screen = Recover::read(&viewer, &organization, &endpoint, &query).await?;
    if query.is_on("span") && screen.may_begin() {
        screen.count(&viewer, &api_path(&organization, &endpoint), &query).await?;
    }
    let status = if screen.mistakes.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(html(status, &screen))
}

impl Recover {
    async fn read(viewer: &Viewer, organization: &str, endpoint: &str, query: &Form) -> Result<Self, Refusal> {
        viewer.may_change()?;
        let (page, head) = Head::read(viewer, organization, endpoint, Tab::Recover).await?;
        let path = format!("/v1/organizations/{}", segment(organization));
        let presets = presets(viewer, &path, &head.endpoint, query.text("span")).await?;
        let cursor = query.text("cursor").map(|cursor| format!("&cursor={}", segment(cursor))).unwrap_or_default();
        let found: List<Operation> =
            viewer.asker.get(&format!("{path}/operations?limit={OPERATIONS_MAX}{cursor}")).await?;
        let base = format!("{}/webhooks/{}/recover", page.base(), head.endpoint.id);
        let own = found.data.into_iter().filter(|found| found.recovers(&head.endpoint.id));
        let all: Vec<_> = own.map(|operation| Progress { say: viewer.say, operation, base: base.clone() }).collect();
        let is_begun = |one: &&Progress| query.text("begun") == Some(one.operation.id.as_str());
        let shown = all.iter().find(|one| one.is_running()).or_else(|| all.iter().find(is_begun)).cloned();
        let past = all.into_iter().filter(|one| !one.is_running()).collect();
        let entered = |name| query.text(name).and_then(read_moment).map(field_text).unwrap_or_default();
        Ok(Recover {
            since: entered("since"),
            until: entered("until"),
            mistakes: Mistakes::default(),
            preview: None,
            idempotency_key: fresh_key(),
            shown,
            past,
            next: found.next_cursor.map(|cursor| format!("{base}?cursor={}", segment(&cursor))),
            page,
            head,
            presets,
            base,
        })
    }

    /// Only what is active is sent anything, and one recovery of a webhook runs at a time.
    fn may_begin(&self) -> bool {
        self.head.endpoint.is_active() && !self.shown.as_ref().is_some_and(Progress::is_running)
    }

    /// Asks how much the span that was chosen would send.
    async fn count(&mut self, viewer: &Viewer, path: &str, query: &Form) -> Result<(), Refusal> {
        let span = match read_span(viewer.say, query, &self.presets, viewer.now) {
            Ok(span) => span,
            Err(mistakes) => {
                self.mistakes = mistakes;
                return Ok(());
            }
        };
        let body = json!({"since": span.since.to_string(), "until": span.until.to_string(), "dry_run": true});
        match viewer.asker.send(Method::POST, &format!("{path}/recover"), &body, None).await {
            Ok(preview) => self.preview = Some(Counted { say: viewer.say, span, preview }),
            Err(error) => self.mistakes = Mistakes::of(viewer.say, error, &FIELDS)?,
        }
        Ok(())
    }
}

/// `POST …/recover`
async fn begin(
    viewer: Viewer,
    Path((organization, endpoint)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Refusal> {
    viewer.may_change()?;
    let path = format!("{}/recover", api_path(&organization, &endpoint));
    let body = json!({"since": form.text("since"), "until": form.text("until")});
    let begun = viewer.asker.send(Method::POST, &path, &body, form.text("idempotency_key")).await;
    let own = format!("/o/{}/webhooks/{}/recover", segment(&organization), segment(&endpoint));
    match begun {
        Ok(BegunOperation { id }) => Ok(onward(&format!("{own}?begun={}", segment(&id)))),
        // One runs already, or the webhook was stopped meanwhile: the screen shows which.
        Err(ApiError::Problem { status: StatusCode::CONFLICT, .. }) => Ok(onward(&own)),
        Err(error) => Err(error.into()),
    }
}

/// How far a recovery has come.
#[derive(Template)]
#[template(path = "webhook/operation.html")]
struct Piece {
    progress: Progress,
}

/// `GET …/recover/{operation}`: how far it has come, the piece of the screen alone.
async fn progress(
    viewer: Viewer,
    Path((organization, endpoint, operation)): Path<(String, String, String)>,
) -> Result<Response, Refusal> {
    let path = format!("/v1/organizations/{}/operations/{}", segment(&organization), segment(&operation));
    let operation: Operation = viewer.asker.get(&path).await?;
    if !operation.recovers(&endpoint) {
        return Err(Refusal::Missing);
    }
    let base = format!("/o/{}/webhooks/{}/recover", segment(&organization), segment(&endpoint));
    Ok(html(StatusCode::OK, &Piece { progress: Progress { say: viewer.say, operation, base } }))
}
