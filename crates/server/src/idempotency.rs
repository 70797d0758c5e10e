//! `Idempotency-Key`: the same request under the same key is done once, and answered again as it was the first time, for 24 hours.
//!
//! An answer that asking again may change (408, 429, 5xx) is not kept.

use std::future::Future;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use postrider_domain::OrganizationId;
use postrider_store::{Idempotency, StoredAnswer};

use crate::limits::IDEMPOTENCY_KEY_BYTES_MAX;
use crate::problem::{Cause, Kind, PROBLEM_JSON, Problem};
use crate::state::Running;

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A request under a key.
#[derive(Debug)]
pub(crate) struct Idempotent {
    pub(crate) organization: Option<OrganizationId>,
    pub(crate) key: String,
    pub(crate) request_hash: [u8; 32],
}

/// The key of a request, if it has one.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let bytes = value.as_bytes();
    let is_plain = bytes.iter().all(u8::is_ascii_graphic) && (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&bytes.len());
    match value.to_str() {
        Ok(text) if is_plain && values.next().is_none() => Ok(Some(text.to_owned())),
        _ => {
            let detail = format!(
                "Idempotency-Key must be 1 to {IDEMPOTENCY_KEY_BYTES_MAX} visible ASCII characters without spaces, given once"
            );
            Err(Problem::new(Kind::InvalidHeader, detail))
        }
    }
}

/// Answers a request under its key: with what the first was answered, or by doing it.
pub(crate) async fn answer_once<F: Future<Output = Response>>(
    app: &Running,
    request: Idempotent,
    work: impl FnOnce() -> F,
) -> Response {
    let Idempotent { organization, key, request_hash } = request;
    let organization = organization.as_ref();
    let begun = app.store().begin_idempotent(organization, &key, request_hash, app.now()).await;
    match begun {
        Ok(Idempotency::Started) => {}
        Ok(Idempotency::Done(answer)) => return replay(answer),
        Ok(Idempotency::Running) => {
            let detail = "the first request with this Idempotency-Key is still in work; ask again in a second";
            return Problem::new(Kind::IdempotencyInProgress, detail).into_response();
        }
        Ok(Idempotency::Differs) => {
            let detail = "this Idempotency-Key was used for another request within 24 hours; use a fresh one";
            return Problem::new(Kind::IdempotencyKeyReused, detail).into_response();
        }
        Err(error) => return Problem::from(error).into_response(),
    }
    let response = work().await;
    keep(app, organization, &key, response).await
}

async fn keep(app: &Running, organization: Option<&OrganizationId>, key: &str, response: Response) -> Response {
    let (head, body) = response.into_parts();
    let status = head.status;
    let is_passing = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    let body = match body.collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) => return Problem::internal(error).into_response(),
    };
    let kept = if status.is_server_error() || is_passing {
        app.store().abandon_idempotent(organization, key).await
    } else {
        let answer = StoredAnswer { status: status.as_u16(), body: body.to_vec() };
        app.store().finish_idempotent(organization, key, answer).await
    };
    let mut response = Response::from_parts(head, Body::from(body));
    if let Err(error) = kept {
        // It was done, so it is answered as it is; asking again meets "still in work" until the store lets the key go.
        response.extensions_mut().insert(Cause(format!("the answer under an Idempotency-Key was not kept: {error}")));
    }
    response
}

fn replay(answer: StoredAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let is_empty = answer.body.is_empty();
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    if !is_empty {
        let media = if status.is_success() { "application/json" } else { PROBLEM_JSON };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static str]) -> Result<Option<String>, Kind> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("idempotency-key", HeaderValue::from_static(value));
        }
        key(&headers).map_err(|problem| problem.kind)
    }

    #[test]
    fn keys_are_short_visible_texts_given_once() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["a-1"]), Ok(Some("a-1".to_owned())));
        for values in [&[""][..], &["a b"], &["a", "b"]] {
            assert_eq!(read(values), Err(Kind::InvalidHeader), "{values:?}");
        }
    }
}
