//! What one attempt sent, and what came back.

use crate::api::{Attempt, Ordered, RefusedRequest, SentRequest};
use crate::curl::{Command, command};
use crate::say::Say;
use crate::visible::{Body, Piece, visible};

/// A header, made harmless.
pub(super) struct Header {
    pub(super) name: Vec<Piece>,
    pub(super) value: Vec<Piece>,
}

/// What one attempt sent, and what came back.
pub(super) struct Exchange {
    pub(super) started_at: String,
    pub(super) method: String,
    /// None once it was removed, with the webhook or by an erasure.
    pub(super) url: Option<Vec<Piece>>,
    pub(super) headers: Vec<Header>,
    /// None once it is not kept any more.
    pub(super) body: Option<Body>,
    pub(super) curl: Option<Command>,
    pub(super) answer: Option<Answer>,
    /// What the first of two requests got.
    pub(super) refused_first: Option<Answer>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status_code: u16,
    pub(super) took: String,
    pub(super) headers: Vec<Header>,
    pub(super) body: Body,
    /// What was cut off, in English.
    pub(super) note: Option<String>,
}

impl Exchange {
    pub(super) fn new(say: Say, request: Option<&SentRequest>, attempt: &Attempt) -> Self {
        let body = request.and_then(|sent| sent.body.as_deref());
        let base64 = request.and_then(|sent| sent.body_base64.as_deref());
        let method = request.map_or("POST", |sent| sent.method.as_str());
        // A command cannot hold bytes that are no text.
        let curl = attempt.url.as_deref().zip(body.filter(|_| base64.is_none())).map(|(url, body)| {
            command(method, url, attempt.request_headers.iter().map(|(name, value)| (name, value.as_str())), body)
        });
        Exchange {
            started_at: attempt.started_at.clone(),
            method: method.to_owned(),
            url: attempt.url.as_deref().map(visible),
            headers: shown(&attempt.request_headers),
            body: body.map(|body| Body::new(body, base64)),
            curl,
            answer: Answer::of_attempt(say, attempt),
            refused_first: attempt.refused_first.as_ref().map(|refused| Answer::of_refused(say, refused)),
        }
    }

    /// Whether it was removed.
    pub(super) fn is_removed(&self) -> bool {
        self.url.is_none()
    }
}

impl Answer {
    fn of_attempt(say: Say, attempt: &Attempt) -> Option<Self> {
        Some(Answer {
            status_code: attempt.status_code?,
            took: say.milliseconds(attempt.response_time_ms),
            headers: attempt.response_headers.as_ref().map(shown).unwrap_or_default(),
            body: Body::new(
                attempt.response_body.as_deref().unwrap_or_default(),
                attempt.response_body_base64.as_deref(),
            ),
            note: attempt.response_note.clone(),
        })
    }

    fn of_refused(say: Say, refused: &RefusedRequest) -> Self {
        Answer {
            status_code: refused.status_code,
            took: say.milliseconds(refused.response_time_ms),
            headers: shown(&refused.response_headers),
            body: Body::new(&refused.response_body, refused.response_body_base64.as_deref()),
            note: refused.response_note.clone(),
        }
    }
}

fn shown(headers: &Ordered<String>) -> Vec<Header> {
    headers.iter().map(|(name, value)| Header { name: visible(name), value: visible(value) }).collect()
}
