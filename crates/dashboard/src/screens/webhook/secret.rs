//! A webhook's signing secret: replaced, with a time in which the old one works too, or at once after a leak.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use http::{Method, StatusCode};
use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::{Head, Tab, api_path};
use crate::api::{ApiError, Rotated, Signing};
use crate::app::App;
use crate::edge::HoldsSecret;
use crate::form::{Form, fresh_key};
use crate::mistakes::Mistakes;
use crate::moments::{lasting, remaining};
use crate::page::{Page, html};
use crate::refusal::{Refusal, onward};
use crate::viewer::{Viewer, segment};

/// How long the old secret may go on working, in hours, beside what the contract says.
const OVERLAP_HOURS: [u64; 4] = [1, 24, 7 * 24, 30 * 24];
const FIELDS: [&str; 2] = ["secret", "overlap"];

pub(super) fn routes() -> Router<App> {
    let base = "/o/{organization}/webhooks/{endpoint}/secret";
    Router::new()
        .route(base, get(show).post(rotate))
        .route(&format!("{base}/confirm"), post(confirm))
        .route(&format!("{base}/end"), post(end))
}

/// How long the old secret works beside the new one.
struct Overlap {
    /// As the API takes it.
    value: String,
    text: String,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "webhook/secret.html")]
struct Secret {
    page: Page,
    head: Head,
    signing: Signing,
    overlaps: Vec<Overlap>,
    /// How much longer the old secret works, in words.
    remaining: String,
    /// What was just made.
    new: Option<Rotated>,
    form: Form,
    mistakes: Mistakes,
    idempotency_key: String,
    /// Where this screen is.
    base: String,
}

impl Secret {
    async fn read(viewer: &Viewer, organization: &str, endpoint: &str, form: Form) -> Result<Self, Refusal> {
        viewer.may_change()?;
        let (page, head) = Head::read(viewer, organization, endpoint, Tab::Secret).await?;
        let signing: Signing = viewer.asker.get(&format!("/v1/contracts/{}", segment(&head.endpoint.contract))).await?;
        let ends_at = head.endpoint.overlap.as_ref().map_or("", |overlap| &overlap.ends_at);
        let remaining = remaining(viewer.say, ends_at, viewer.now);
        let overlaps = overlaps(&page, &signing, form.text("overlap"));
        Ok(Secret {
            base: format!("{}/webhooks/{}/secret", page.base(), head.endpoint.id),
            new: None,
            mistakes: Mistakes::default(),
            idempotency_key: fresh_key(),
            page,
            head,
            signing,
            overlaps,
            remaining,
            form,
        })
    }

    /// Whether somebody brings a secret of their own.
    fn is_own(&self) -> bool {
        !self.signing.secret.generated || self.form.text("kind") == Some("own")
    }

    fn is_at_once(&self) -> bool {
        self.form.text("when") == Some("now")
    }

    fn answer(&self, status: StatusCode) -> Response {
        let mut response = html(status, self);
        response.extensions_mut().insert(HoldsSecret);
        response
    }
}

/// The contract's own first among the usual ones, and chosen unless another was.
fn overlaps(page: &Page, signing: &Signing, chosen: Option<&str>) -> Vec<Overlap> {
    let usual = signing.secret.overlap_ms / 1000;
    let mut all: Vec<u64> = OVERLAP_HOURS.iter().map(|hours| hours * 3600).chain([usual]).filter(|s| *s > 0).collect();
    all.sort_unstable();
    all.dedup();
    let chosen = chosen.map_or_else(|| format!("{usual}s"), str::to_owned);
    let overlap = |seconds: u64| {
        let value = format!("{seconds}s");
        let span = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        Overlap { is_chosen: value == chosen, text: lasting(page.say, span), value }
    };
    all.into_iter().map(overlap).collect()
}

/// `GET …/secret`
async fn show(viewer: Viewer, Path((organization, endpoint)): Path<(String, String)>) -> Result<Response, Refusal> {
    let screen = Secret::read(&viewer, &organization, &endpoint, Form::default()).await?;
    Ok(html(StatusCode::OK, &screen))
}

/// `POST …/secret`: shows the new secret in the answer itself; a redirect would have to carry it.
async fn rotate(
    viewer: Viewer,
    Path((organization, endpoint)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Refusal> {
    viewer.may_change()?;
    let say = viewer.say;
    if form.text("kind") == Some("own") && form.text("secret").is_none() {
        let screen = Secret::read(&viewer, &organization, &endpoint, form).await?;
        let mistakes = Mistakes::one("secret", say.text("secret-own-missing"));
        return Ok(Secret { mistakes, ..screen }.answer(StatusCode::UNPROCESSABLE_ENTITY));
    }
    let path = format!("{}/secret/rotate", api_path(&organization, &endpoint));
    let rotated = viewer.asker.send(Method::POST, &path, &asked(&form), form.text("idempotency_key")).await;
    let mistakes = match rotated {
        Ok(rotated) => {
            let screen = Secret::read(&viewer, &organization, &endpoint, Form::default()).await?;
            return Ok(Secret { new: Some(rotated), ..screen }.answer(StatusCode::OK));
        }
        Err(error) if error.status() == StatusCode::CONFLICT => {
            Mistakes::one("overlap", say.text("secret-open-already"))
        }
        Err(error) => Mistakes::of(say, error, &FIELDS)?,
    };
    let screen = Secret::read(&viewer, &organization, &endpoint, form).await?;
    Ok(Secret { mistakes, ..screen }.answer(StatusCode::UNPROCESSABLE_ENTITY))
}

/// What is left out follows the contract.
fn asked(form: &Form) -> Value {
    let mut body = Map::new();
    let own = form.text("secret").filter(|_| form.text("kind") == Some("own"));
    body.extend(own.map(|secret| ("secret".to_owned(), secret.into())));
    let overlap = if form.text("when") == Some("now") { Some("0s") } else { form.text("overlap") };
    body.extend(overlap.map(|overlap| ("overlap".to_owned(), overlap.into())));
    Value::Object(body)
}

/// `POST …/secret/confirm`
async fn confirm(viewer: Viewer, path: Path<(String, String)>) -> Result<Response, Refusal> {
    confirmed(&viewer, path, &json!({})).await
}

/// `POST …/secret/end`: confirms, and stops the old secret at once.
async fn end(viewer: Viewer, path: Path<(String, String)>) -> Result<Response, Refusal> {
    confirmed(&viewer, path, &json!({"overlap": "0s"})).await
}

async fn confirmed(
    viewer: &Viewer,
    Path((organization, endpoint)): Path<(String, String)>,
    body: &Value,
) -> Result<Response, Refusal> {
    viewer.may_change()?;
    let path = format!("{}/secret/confirm", api_path(&organization, &endpoint));
    match viewer.asker.tell(Method::POST, &path, Some(body)).await {
        // It was over already, which is what was wished for; the screen shows it.
        Err(ApiError::Problem { status: StatusCode::CONFLICT, .. }) => {}
        other => other?,
    }
    Ok(onward(&format!("/o/{}/webhooks/{}/secret", segment(&organization), segment(&endpoint))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_says_what_it_wants_and_leaves_the_rest_to_the_contract() {
        let asked = |text: &str| asked(&Form::read(text.as_bytes()));
        assert_eq!(asked(""), json!({}));
        assert_eq!(asked("kind=generated&secret=ignored&when=later&overlap=3600s"), json!({"overlap": "3600s"}));
        assert_eq!(asked("kind=own&secret=+mine+&overlap=3600s"), json!({"secret": "mine", "overlap": "3600s"}));
        assert_eq!(asked("when=now&overlap=3600s"), json!({"overlap": "0s"}));
    }
}
