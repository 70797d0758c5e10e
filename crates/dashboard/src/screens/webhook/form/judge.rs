//! What is said of a field while somebody fills it in, and what a filter would have let pass.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use http::{Method, StatusCode, Uri};
use serde_json::{Map, Value, json};

use super::condition::Kind;
use super::draft::Draft;
use super::picker::EVERYTHING;
use super::wrong::Wrongs;
use super::{contract, endpoints};
use crate::api::{ApiError, Checked, FilterPreview};
use crate::form::Form;
use crate::page::html;
use crate::refusal::Refusal;
use crate::say::Say;
use crate::viewer::{Viewer, segment};

/// How many events of each sort a preview shows.
const EXAMPLES_MAX: usize = 5;

#[derive(Template)]
#[template(path = "webhook/verdict.html")]
struct Verdict {
    wrongs: Wrongs,
    /// What is said when nothing is wrong.
    fine: Option<String>,
}

#[derive(Template)]
#[template(path = "webhook/preview.html")]
struct PreviewPart {
    say: Say,
    /// Where this organisation's screens begin.
    base: String,
    previewed: Previewed,
}

/// What became of a preview.
#[derive(Clone, Debug)]
pub(crate) enum Previewed {
    /// There is no filter: everything passes.
    Everything,
    /// It was tried.
    Tried(FilterPreview),
    /// It cannot be read, or no events are chosen that exist.
    Wrong(Wrongs),
    /// Too many previews at once.
    Busy,
}

impl Previewed {
    /// What says a note of the API's about a filter.
    pub(super) fn note(kind: &str) -> &'static str {
        match kind {
            "differs_in_kind" => "form-note-kind",
            "too_costly" => "form-note-costly",
            _ => "form-note-missing",
        }
    }
}

/// `POST /o/{organization}/webhooks/check?field=url&endpoint=…`: the field alone, judged by the API.
pub(super) async fn field(
    viewer: Viewer,
    Path(organization): Path<String>,
    uri: Uri,
    form: Form,
) -> Result<Response, Refusal> {
    viewer.may_change()?;
    let query = Form::read(uri.query().unwrap_or_default().as_bytes());
    let draft = Draft::read(&form, None);
    let mut body = Map::new();
    let mut fine = None;
    match query.text("field") {
        Some("url") if !is_only_begun(&draft.url) => {
            body.insert("url".into(), json!(draft.url));
            fine = Some(viewer.say.text("form-url-fine"));
        }
        Some("filter") if draft.condition.filter().is_some_and(|filter| !filter.is_empty()) => {
            body.insert("filter".into(), json!(draft.condition.filter()));
            fine = Some(viewer.say.text("form-filter-fine"));
        }
        _ => {}
    }
    let wrongs = if body.is_empty() {
        Wrongs::default()
    } else {
        body.extend(query.text("endpoint").map(|endpoint| ("endpoint".to_owned(), json!(endpoint))));
        let path = format!("{}/check", endpoints(&organization));
        let checked: Checked = viewer.asker.send(Method::POST, &path, &Value::Object(body), None).await?;
        Wrongs::new(viewer.say, &checked.errors, &draft.events)
    };
    Ok(html(StatusCode::OK, &Verdict { wrongs, fine }))
}

/// Whether somebody has not come to the host yet, and so cannot have it wrong.
fn is_only_begun(url: &str) -> bool {
    let url = url.to_ascii_lowercase();
    ["https://", "http://"].iter().any(|scheme| scheme.starts_with(&url))
}

/// `POST /o/{organization}/webhooks/filter`: the preview, in the page that is there.
pub(super) async fn filter(
    viewer: Viewer,
    Path(organization): Path<String>,
    uri: Uri,
    form: Form,
) -> Result<Response, Refusal> {
    viewer.may_change()?;
    let query = Form::read(uri.query().unwrap_or_default().as_bytes());
    let contract = contract(&viewer, query.text("contract").unwrap_or_default()).await?;
    let draft = Draft::read(&form, None);
    let previewed = preview(&viewer, &organization, &draft, &contract.name).await?;
    let base = format!("/o/{}", segment(&organization));
    Ok(html(StatusCode::OK, &PreviewPart { say: viewer.say, base, previewed }))
}

/// Tries a draft's filter on recent events of the types that are chosen; of all types while none is.
pub(super) async fn preview(
    viewer: &Viewer,
    organization: &str,
    draft: &Draft,
    contract: &str,
) -> Result<Previewed, ApiError> {
    if draft.condition.kind == Kind::All {
        return Ok(Previewed::Everything);
    }
    let everything = [EVERYTHING.to_owned()];
    let events = if draft.events.is_empty() { &everything[..] } else { &draft.events };
    let body = json!({"filter": draft.condition.filter(), "events": events, "contract": contract});
    let path = format!("/v1/organizations/{}/filters/preview", segment(organization));
    match viewer.asker.send::<FilterPreview>(Method::POST, &path, &body, None).await {
        Ok(mut preview) => {
            preview.passed.truncate(EXAMPLES_MAX);
            preview.held_back.truncate(EXAMPLES_MAX);
            Ok(Previewed::Tried(preview))
        }
        Err(error) if [429, 503].contains(&error.status().as_u16()) => Ok(Previewed::Busy),
        Err(error) => Wrongs::of_error(viewer.say, error, &draft.events).map(Previewed::Wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_judged_once_its_host_has_begun() {
        for begun in ["", "h", "HTTP", "https:", "https://", "http://"] {
            assert!(is_only_begun(begun), "{begun}");
        }
        for judged in ["ftp", "https://e", "http://1", "https:/example.com", "example.com"] {
            assert!(!is_only_begun(judged), "{judged}");
        }
    }
}
