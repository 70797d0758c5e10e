//! Test events: sent by hand, with the whole answer.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, Method, StatusCode};
use serde_json::json;

use super::form::contract;
use super::{Head, Tab};
use crate::advice::Failure;
use crate::api::{ApiError, Contract, Endpoint, TestResult};
use crate::app::App;
use crate::form::Form;
use crate::mistake::{Said, say_mistake};
use crate::page::{Page, html};
use crate::refusal::Refusal;
use crate::say::Say;
use crate::viewer::{Viewer, segment};
use crate::visible::{Body, Piece, visible};

/// Where an answer is put in the page that is there.
const PLACE: &str = "test-result";

#[derive(Template)]
#[template(path = "webhook/test.html")]
struct TestPage {
    page: Page,
    head: Head,
    types: Types,
    answer: Option<Answer>,
}

#[derive(Template)]
#[template(path = "webhook/test_result.html")]
struct TestPart {
    say: Say,
    /// Where this organisation's screens begin.
    base: String,
    answer: Answer,
}

/// The event types that a test can be of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Types {
    /// Those that the webhook is subscribed to.
    pub(crate) subscribed: Vec<String>,
    pub(crate) others: Vec<String>,
    pub(crate) chosen: String,
}

impl Types {
    /// `chosen` is what is tested next; the first that is subscribed to, unless somebody chose.
    pub(crate) fn new(contract: &Contract, endpoint: &Endpoint, chosen: Option<&str>) -> Self {
        let is_subscribed = |name: &str| {
            endpoint.events.iter().any(|subscription| match subscription.strip_suffix('*') {
                Some(kind) => name.starts_with(kind),
                None => subscription == name,
            })
        };
        let known = contract.event_types.iter().map(|event_type| event_type.name.clone());
        let (mut subscribed, others): (Vec<_>, Vec<_>) = known.partition(|name| is_subscribed(name));
        let own = endpoint.events.iter().filter(|name| !name.ends_with('*') && !subscribed.contains(name));
        let own: Vec<_> = own.cloned().collect();
        subscribed.extend(own);
        let first = subscribed.first().or(others.first()).cloned().unwrap_or_default();
        Types { chosen: chosen.map_or(first, str::to_owned), subscribed, others }
    }
}

/// What came of a test.
pub(crate) enum Answer {
    Came(Box<Came>),
    /// It was not sent.
    Refused(Vec<Said>),
}

/// A test that was sent.
pub(crate) struct Came {
    pub(crate) result: TestResult,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: Body,
    pub(crate) failure: Option<Failure>,
}

/// A header of the answer.
pub(crate) struct Header {
    pub(crate) name: Vec<Piece>,
    pub(crate) value: Vec<Piece>,
}

impl Came {
    fn new(say: Say, result: TestResult) -> Self {
        let shown = |(name, value): (&str, &String)| Header { name: visible(name), value: visible(value) };
        let headers = result.response_headers.iter().flat_map(|headers| headers.iter()).map(shown).collect();
        let text = result.response_body.as_deref().unwrap_or_default();
        let body = Body::new(text, result.response_body_base64.as_deref());
        let failure = result.error.as_ref().map(|error| Failure::new(say, error, result.status_code));
        Came { headers, body, failure, result }
    }
}

/// All that is about it.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/o/{organization}/webhooks/{endpoint}/test", get(show).post(send))
}

async fn begin(
    viewer: &Viewer,
    organization: &str,
    endpoint: &str,
    chosen: Option<&str>,
) -> Result<(Page, Head, Types), Refusal> {
    viewer.may_change()?;
    let (page, head) = Head::read(viewer, organization, endpoint, Tab::Test).await?;
    let contract = contract(viewer, &head.endpoint.contract).await?;
    let types = Types::new(&contract, &head.endpoint, chosen);
    Ok((page, head, types))
}

/// `GET /o/{organization}/webhooks/{endpoint}/test`
async fn show(viewer: Viewer, Path((organization, endpoint)): Path<(String, String)>) -> Result<Response, Refusal> {
    let (page, head, types) = begin(&viewer, &organization, &endpoint, None).await?;
    Ok(html(StatusCode::OK, &TestPage { page, head, types, answer: None }))
}

/// `POST /o/{organization}/webhooks/{endpoint}/test`: sends one and waits for the answer.
async fn send(
    viewer: Viewer,
    Path((organization, endpoint)): Path<(String, String)>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Refusal> {
    let (page, head, types) = begin(&viewer, &organization, &endpoint, form.text("type")).await?;
    let path = format!("/v1/organizations/{}/endpoints/{}/test", segment(&organization), segment(&head.endpoint.id));
    let body = form.text("type").map_or_else(|| json!({}), |name| json!({"type": name}));
    let answer = match viewer.asker.send::<TestResult>(Method::POST, &path, &body, None).await {
        Ok(result) => Answer::Came(Box::new(Came::new(viewer.say, result))),
        Err(error) => refused(viewer.say, error)?,
    };
    let status = if matches!(answer, Answer::Came(_)) { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    if headers.get("hx-target").is_some_and(|place| place == PLACE) {
        return Ok(html(status, &TestPart { say: viewer.say, base: page.base(), answer }));
    }
    Ok(html(status, &TestPage { page, head, types, answer: Some(answer) }))
}

/// Why a test was not sent, where that is no fault of ours.
fn refused(say: Say, error: ApiError) -> Result<Answer, ApiError> {
    match error {
        ApiError::Problem { status, problem }
            if status.is_client_error() || status == StatusCode::SERVICE_UNAVAILABLE =>
        {
            let mut all: Vec<_> = problem.errors.iter().map(|mistake| say_mistake(say, mistake)).collect();
            if all.is_empty() {
                all.push(Said { text: None, detail: Some(problem.detail) });
            }
            Ok(Answer::Refused(all))
        }
        other => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::contract_with;

    fn types(events: &[&str], chosen: Option<&str>) -> Types {
        let named = |name: &str| json!({"name": name, "description": "", "category": "", "sample": null});
        let known = ["contact.created", "deal.lost", "deal.won"].map(named);
        let contract = contract_with(&json!({"event_types": known}));
        let endpoint = json!({
            "id": "ep_1", "name": "e", "url": "https://example.com", "events": events, "contract": "own", "ordering": "none",
            "status": "active", "consecutive_failures": 0, "headers": {}, "signed": true, "updated_at": "2026-01-01T00:00:00Z",
        });
        Types::new(&contract, &serde_json::from_value(endpoint).unwrap(), chosen)
    }

    #[test]
    fn what_is_subscribed_to_is_offered_first() {
        let some = types(&["deal.*", "custom.thing"], None);
        assert_eq!(some.subscribed, ["deal.lost", "deal.won", "custom.thing"]);
        assert_eq!(some.others, ["contact.created"]);
        assert_eq!(some.chosen, "deal.lost");
        assert!(types(&["*"], None).others.is_empty());
        assert_eq!(types(&["deal.won"], Some("deal.lost")).chosen, "deal.lost");
    }
}
