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
    /// What went wrong, in English and in detail; it may repeat what a receiver said.
    pub(super) detail: Option<Vec<Piece>>,
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
            detail: attempt.error.as_ref().map(|error| visible(&error.message)),
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::DeliveryDetail;

    /// A delivery as the API tells it, with these members of its request and its attempt.
    fn exchange(request: Value, attempt: &Value) -> Exchange {
        let mut one = json!({"id": "att_1", "started_at": "2026-11-21T10:00:00.000Z", "response_time_ms": 12, "by_hand": false,
            "url": "https://example.com/in", "request_headers": {"X-B": "1", "Authorization": "********", "X-A": "2"}, "status_code": null,
            "response_headers": null, "response_body": null, "error": null});
        one.as_object_mut().unwrap().extend(attempt.as_object().unwrap().clone());
        let detail = json!({"id": "dlv_1", "event": "evt_1", "endpoint": "ep_1", "type": "deal.won", "resource": null, "test": false,
            "status": "pending", "fail_reason": null, "created_at": "2026-11-21T10:00:00.000Z", "next_attempt_at": null, "ended_at": null,
            "attempts_count": 1, "last_status_code": null, "request": request, "attempts": [one]});
        let detail: DeliveryDetail = serde_json::from_str(&detail.to_string()).unwrap();
        Exchange::new(Say::new("en"), detail.request.as_ref(), &detail.attempts[0])
    }

    fn sent(body: &str) -> Value {
        json!({"method": "POST", "url": "https://example.com/in", "headers": {}, "body": body})
    }

    #[test]
    fn headers_keep_their_order_and_the_command_says_what_is_masked() {
        let shown = exchange(sent("{\"a\":1}"), &json!({}));
        let names: Vec<_> = shown.headers.iter().map(|header| header.name[0].text.as_str()).collect();
        assert_eq!(names, ["X-B", "Authorization", "X-A"]);
        assert_eq!(shown.curl.unwrap().to_fill_in, ["Authorization"]);
        assert!(shown.body.unwrap().laid_out.is_some() && shown.answer.is_none());
    }

    #[test]
    fn what_was_removed_or_is_not_kept_any_more_is_not_made_up() {
        let removed = exchange(Value::Null, &json!({"url": null, "request_headers": {}}));
        assert!(removed.is_removed() && removed.curl.is_none() && removed.body.is_none());
        let mut expired = sent("");
        expired["body"] = Value::Null;
        let expired = exchange(expired, &json!({}));
        assert!(!expired.is_removed() && expired.curl.is_none() && expired.body.is_none());
    }

    #[test]
    fn an_answer_that_is_no_text_is_shown_by_its_bytes() {
        let answer = json!({"status_code": 500, "response_headers": {"X": "a\u{202e}"}, "response_body": "\u{fffd}", "response_body_base64": "/w=="});
        let answer = exchange(sent("{}"), &answer).answer.unwrap();
        assert_eq!(answer.body.pieces, [Piece { text: "\\xFF".to_owned(), is_mark: true }]);
        assert!(answer.headers[0].value[1].is_mark, "{:?}", answer.headers[0].value);
    }
}
