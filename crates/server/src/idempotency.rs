//! `Idempotency-Key`: the same request under the same key is done once, and answered again as it was the first time, for 24 hours.
//!
//! An answer that asking again may change (408, 429, 5xx) is not kept; nor is the word that the key was used for another request: the key
//! stays that request's.

use std::future::Future;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use postrider_store::{Idempotency, StoreError, StoredAnswer};

use crate::limits::IDEMPOTENCY_KEY_BYTES_MAX;
use crate::problem::{Cause, Kind, PROBLEM_JSON, Problem};
use crate::state::Running;
use crate::unkept::{End, OwnedKey};

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A request under a key.
#[derive(Debug)]
pub(crate) struct Idempotent {
    pub(crate) id: OwnedKey,
    pub(crate) request_hash: [u8; 32],
    /// Whether it publishes events, which does nothing twice when it is done again under its key.
    pub(crate) is_publishing: bool,
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
    match begin(app, &request).await {
        Ok(None) => {}
        Ok(Some(answer)) => return replay(answer),
        Err(problem) => return problem.into_response(),
    }
    keep(app, request, work().await).await
}

/// The answer that was given before; nothing when the request is to be done.
async fn begin(app: &Running, request: &Idempotent) -> Result<Option<StoredAnswer>, Problem> {
    let Idempotent { id, request_hash, .. } = request;
    if let Some(end) = app.unkept.take(id) {
        let was_let_go = end == End::LetGo;
        // An answer is given again all the same; a key that cannot be let go would only look as if it were in work.
        match tell(app, id.clone(), end).await {
            Err(error) if was_let_go => return Err(error.into()),
            _ => {}
        }
    }
    match app.store().begin_idempotent(id.organization.as_ref(), &id.key, *request_hash, app.now()).await? {
        Idempotency::Started => {
            // What is still here is older than 24 hours.
            app.unkept.take(id);
            make_room(app, id).await.map(|()| None)
        }
        Idempotency::Done(answer) => Ok(Some(answer)),
        Idempotency::Running => app.unkept.answer(id).map(Some).ok_or_else(|| {
            let detail = "the first request with this Idempotency-Key is still in work; ask again in a second";
            Problem::new(Kind::IdempotencyInProgress, detail)
        }),
        Idempotency::Differs => Err(key_reused()),
    }
}

/// The key stands for another request.
pub(crate) fn key_reused() -> Problem {
    let detail = "this Idempotency-Key was used for another request within 24 hours; use a fresh one";
    Problem::new(Kind::IdempotencyKeyReused, detail)
}

/// Sees to it that the answer of a request about to be done can be held when the store does not take it.
async fn make_room(app: &Running, id: &OwnedKey) -> Result<(), Problem> {
    if !app.unkept.is_full() {
        return Ok(());
    }
    tell_another(app).await;
    if !app.unkept.is_full() {
        return Ok(());
    }
    // When this fails, there is no room to remember it either.
    let _ = tell(app, id.clone(), End::LetGo).await;
    Err(Problem::unavailable("the store takes no answers under an Idempotency-Key, and memory for them is used up"))
}

async fn keep(app: &Running, request: Idempotent, response: Response) -> Response {
    let Idempotent { id, is_publishing, .. } = request;
    let (head, body) = response.into_parts();
    let status = head.status;
    let body = match body.collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) => {
            let _ = tell(app, id, End::LetGo).await;
            return Problem::internal(error).into_response();
        }
    };
    let is_for_another = head.extensions.get::<Kind>() == Some(&Kind::IdempotencyKeyReused);
    let is_passing = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    let told = if status.is_server_error() || is_passing || is_for_another {
        tell(app, id, End::LetGo).await
    } else {
        let answer = StoredAnswer { status: status.as_u16(), body: body.to_vec() };
        // What changed nothing, or does nothing twice, may as well be done again.
        keep_answer(app, id, answer, is_publishing || !status.is_success()).await
    };
    let mut response = Response::from_parts(head, Body::from(body));
    if let Err(error) = told {
        // It was done, so it is answered as it is.
        let cause = format!("the store was not told how a request under an Idempotency-Key ended: {error}");
        response.extensions_mut().insert(Cause(cause));
    }
    response
}

/// Has an answer kept; when that fails, it is held in memory, or the key is let go if the request may be done again.
async fn keep_answer(app: &Running, id: OwnedKey, answer: StoredAnswer, is_repeatable: bool) -> Result<(), StoreError> {
    let kept = app.store().finish_idempotent(id.organization.as_ref(), &id.key, answer.clone()).await;
    match kept {
        Ok(()) => {
            tell_another(app).await;
            Ok(())
        }
        // With its organisation the key went, too.
        Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) if is_repeatable => tell(app, id, End::LetGo).await.and(Err(error)),
        Err(error) => {
            app.unkept.hold(id, End::Answered(answer));
            Err(error)
        }
    }
}

/// Tells the store how a request ended; when that fails, the end is held in memory and told later.
async fn tell(app: &Running, id: OwnedKey, end: End) -> Result<(), StoreError> {
    let organization = id.organization.as_ref();
    let told = match &end {
        End::Answered(answer) => app.store().finish_idempotent(organization, &id.key, answer.clone()).await,
        End::LetGo => app.store().abandon_idempotent(organization, &id.key).await,
    };
    match told {
        // With its organisation the key went, too.
        Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => {
            app.unkept.hold(id, end);
            Err(error)
        }
    }
}

/// Tells the store an end that it did not take before, if there is one: it may take it now.
async fn tell_another(app: &Running) {
    if let Some((id, end)) = app.unkept.take_any() {
        // It is held again when this fails; whoever failed first had it logged.
        let _ = tell(app, id, end).await;
    }
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
