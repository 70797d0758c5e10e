//! Deliveries and attempts: listed, and shown with everything that was sent and answered.

use std::borrow::Cow;

use bytes::Bytes;
use postrider_domain::{AttemptFailure, DeliveryStatus, advice};
use postrider_store::{Attempt, Delivery, DeliveryDetail, RefusedExchange, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::code::Code;
use crate::time::Moment;
use crate::wire::event::resource_json;
use crate::wire::resource::ResourceBody;
use crate::wire::{HeaderMap, as_text};
use crate::wrong::Wrong;

/// Where a delivery stands.
#[derive(Debug, ToSchema)]
#[schema(as = DeliveryStatus, rename_all = "snake_case")]
#[expect(dead_code, reason = "says which words there are; they are the domain's")]
pub(crate) enum StatusWord {
    /// An attempt is due, now or later.
    Pending,
    /// The receiver has it.
    Succeeded,
    /// No more attempts will be made unless somebody asks.
    Failed,
}

/// A delivery: one event on its way to one endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(crate) struct DeliveryBody {
    #[schema(example = "dlv_01kxh3t7n8f2pvx1w4s5r6t7y8")]
    id: String,
    /// The event's id.
    event: String,
    /// The endpoint's id.
    endpoint: String,
    /// The event type, as the endpoint's contract names it.
    #[serde(rename = "type")]
    event_type: String,
    /// What the event is about.
    #[schema(required = true, value_type = Option<ResourceBody>)]
    resource: Option<Box<RawValue>>,
    /// Whether it carries a test event.
    test: bool,
    #[schema(value_type = StatusWord)]
    status: &'static str,
    /// Why it failed for good: `exhausted` (the last attempt failed), `gone` (410), `expired` (its event's retention ended), `endpoint_deleted`, or
    /// `erased` (its event was erased).
    #[schema(required = true)]
    fail_reason: Option<&'static str>,
    created_at: Moment,
    /// When the next attempt is due; `null` once it has ended.
    #[schema(required = true)]
    next_attempt_at: Option<Moment>,
    /// When it ended.
    #[schema(required = true)]
    ended_at: Option<Moment>,
    /// Attempts made so far.
    attempts_count: u32,
    /// The status code of the last answer.
    #[schema(required = true)]
    last_status_code: Option<u16>,
}

impl DeliveryBody {
    pub(crate) fn new(delivery: &Delivery) -> Self {
        DeliveryBody {
            id: delivery.id.to_string(),
            event: delivery.event.to_string(),
            endpoint: delivery.endpoint.to_string(),
            event_type: delivery.event_type.to_string(),
            resource: resource_json(delivery.resource.as_ref()),
            test: delivery.test,
            status: delivery.status.as_str(),
            fail_reason: delivery.fail_reason.map(postrider_domain::FailReason::as_str),
            created_at: Moment(delivery.created_at),
            next_attempt_at: delivery.next_attempt_at.map(Moment),
            ended_at: delivery.ended_at.map(Moment),
            attempts_count: delivery.attempts_count,
            last_status_code: delivery.last_status_code,
        }
    }
}

/// Reads a status as a filter names it.
pub(crate) fn read_status(text: &str) -> Result<DeliveryStatus, Wrong> {
    let words = ["pending", "succeeded", "failed"];
    DeliveryStatus::parse(text).ok_or_else(|| Code::none_of(words, "must be pending, succeeded or failed"))
}

/// The request of the latest attempt, exactly as it was sent; header values that are secrets are masked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SentRequest)]
pub(crate) struct RequestShown<'a> {
    #[schema(example = "POST")]
    pub(crate) method: &'static str,
    pub(crate) url: &'a str,
    pub(crate) headers: HeaderMap<'a>,
    /// The body; `null` once its event's retention has ended.
    #[schema(required = true)]
    pub(crate) body: Option<String>,
    /// The same as base64, where the text altered something.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    pub(crate) body_base64: Option<String>,
}

/// A delivery with what was sent and every attempt.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeliveryWithAttempts)]
pub(crate) struct DeliveryDetailBody<'a> {
    #[serde(flatten)]
    delivery: DeliveryBody,
    /// What was sent; `null` before the first attempt, and once it was removed with its endpoint or by an erasure.
    #[schema(required = true)]
    request: Option<RequestShown<'a>>,
    /// The attempts, oldest first; the newest 100.
    attempts: Vec<AttemptBody<'a>>,
}

impl<'a> DeliveryDetailBody<'a> {
    /// `body` is what every attempt sends.
    pub(crate) fn new(detail: &'a DeliveryDetail, body: Option<&Bytes>) -> Self {
        let request = detail.attempts.last().filter(|attempt| !attempt.is_erased()).map(|attempt| {
            let headers = attempt.request_headers.iter().map(|(n, v)| (Cow::from(n), Cow::from(v)));
            let (body, body_base64) = body.map(|bytes| as_text(bytes)).unzip();
            let headers = HeaderMap::new(headers);
            RequestShown { method: "POST", url: &attempt.url, headers, body, body_base64: body_base64.flatten() }
        });
        let attempts = detail.attempts.iter().map(AttemptBody::new).collect();
        DeliveryDetailBody { delivery: DeliveryBody::new(&detail.delivery), request, attempts }
    }
}

/// One request of a delivery and what came of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(crate) struct AttemptBody<'a> {
    #[schema(example = "att_01kxh3t7n8f2pvx1w4s5r6t7y8")]
    id: String,
    started_at: Moment,
    /// How long until it was over.
    response_time_ms: u32,
    /// Whether a person asked for it.
    by_hand: bool,
    /// The URL requested; `null` once what was sent and answered was removed, with its endpoint or by an erasure.
    #[schema(required = true)]
    url: Option<&'a str>,
    /// The headers sent; values that are secrets are masked.
    request_headers: HeaderMap<'a>,
    /// What the receiver answered; `null` when no answer came.
    #[schema(required = true)]
    status_code: Option<u16>,
    #[schema(required = true)]
    response_headers: Option<HeaderMap<'a>>,
    /// The first 64 KiB, as text in which what is not UTF-8 is replaced.
    #[schema(required = true)]
    response_body: Option<String>,
    /// The same as base64, where the text altered something.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    response_body_base64: Option<String>,
    /// What was cut off or went wrong after the status line.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    response_note: Option<&'a str>,
    /// Why it failed; `null` when it succeeded.
    #[schema(required = true)]
    error: Option<ErrorBody<'a>>,
    /// The request before, where there were two: the receiver refused it while a rotation overlapped, and the same attempt was sent once more at
    /// once with the two secrets swapped. Left out where there was one request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    refused_first: Option<RefusedBody<'a>>,
}

impl<'a> AttemptBody<'a> {
    fn new(attempt: &'a Attempt) -> Self {
        let response = ResponseParts::new(attempt.response.as_ref());
        let is_erased = attempt.is_erased();
        AttemptBody {
            id: attempt.id.to_string(),
            started_at: Moment(attempt.started_at),
            response_time_ms: attempt.response_time_ms,
            by_hand: attempt.by_hand,
            url: (!is_erased).then_some(attempt.url.as_str()),
            request_headers: HeaderMap::new(attempt.request_headers.iter().map(|(n, v)| (Cow::from(n), Cow::from(v)))),
            status_code: response.status_code,
            response_headers: response.headers.filter(|_| !is_erased),
            response_body: response.body.filter(|_| !is_erased),
            response_body_base64: response.body_base64,
            response_note: response.note,
            error: ErrorBody::of(attempt),
            refused_first: attempt.refused_first.as_deref().map(RefusedBody::new),
        }
    }
}

/// The first of an attempt's two requests, which the receiver refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RefusedRequest)]
pub(crate) struct RefusedBody<'a> {
    /// The headers sent; values that are secrets are masked.
    request_headers: HeaderMap<'a>,
    /// How long until it was answered.
    response_time_ms: u32,
    /// 400, 401 or 403, unless the contract says otherwise.
    status_code: u16,
    response_headers: HeaderMap<'a>,
    /// The first 64 KiB, as text in which what is not UTF-8 is replaced.
    response_body: String,
    /// The same as base64, where the text altered something.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    response_body_base64: Option<String>,
    /// What was cut off or went wrong after the status line.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    response_note: Option<&'a str>,
}

impl<'a> RefusedBody<'a> {
    pub(crate) fn new(refused: &'a RefusedExchange) -> Self {
        let response = ResponseParts::new(Some(&refused.response));
        RefusedBody {
            request_headers: HeaderMap::new(refused.request_headers.iter().map(|(n, v)| (Cow::from(n), Cow::from(v)))),
            response_time_ms: refused.response_time_ms,
            status_code: refused.response.status_code,
            response_headers: response.headers.unwrap_or_default(),
            response_body: response.body.unwrap_or_default(),
            response_body_base64: response.body_base64,
            response_note: response.note,
        }
    }
}

/// An answer in the parts that are shown.
#[derive(Debug, Default)]
pub(crate) struct ResponseParts<'a> {
    pub(crate) status_code: Option<u16>,
    pub(crate) headers: Option<HeaderMap<'a>>,
    pub(crate) body: Option<String>,
    pub(crate) body_base64: Option<String>,
    pub(crate) note: Option<&'a str>,
}

impl<'a> ResponseParts<'a> {
    pub(crate) fn new(response: Option<&'a Response>) -> Self {
        let Some(response) = response else { return ResponseParts::default() };
        let headers = response.headers.iter().map(|(n, v)| (String::from_utf8_lossy(n), String::from_utf8_lossy(v)));
        let (body, body_base64) = as_text(&response.body);
        ResponseParts {
            status_code: Some(response.status_code),
            headers: Some(HeaderMap::new(headers)),
            body: Some(body),
            body_base64,
            note: response.note.as_deref(),
        }
    }
}

/// Why an attempt failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AttemptError)]
pub(crate) struct ErrorBody<'a> {
    /// A word that does not change: `url_refused`, `address_refused`, `dns`, `connect`, `tls`, `timeout`, `bad_response`,
    /// `connection_closed`, `proxy`, `status` or `request_invalid`.
    #[schema(example = "timeout")]
    kind: &'static str,
    /// A finer word within the kind that does not change, such as `certificate_expired`; left out where the kind says it all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    reason: Option<&'a str>,
    /// What happened.
    message: &'a str,
    /// The message as a code that does not change, for saying it in another language: `kind`, or `kind.reason`.
    #[schema(value_type = String, example = "timeout.response_head")]
    message_code: Cow<'static, str>,
    /// What the endpoint's owner can do about it.
    advice: &'static str,
    /// The advice as a word that does not change, for saying it in another language.
    #[schema(example = "timeout")]
    advice_code: &'static str,
}

impl<'a> ErrorBody<'a> {
    pub(crate) fn of(attempt: &'a Attempt) -> Option<Self> {
        let failure = attempt.failure.as_ref()?;
        let AttemptFailure { kind, reason, message } = failure;
        let status_code = attempt.response.as_ref().map(|response| response.status_code);
        let advice = advice(*kind, reason.as_deref(), status_code);
        Some(ErrorBody {
            kind: kind.as_str(),
            reason: reason.as_deref(),
            message,
            message_code: failure.message_code(),
            advice: advice.text(),
            advice_code: advice.code(),
        })
    }
}

#[cfg(test)]
mod tests {
    use postrider_domain::FailureKind;
    use postrider_egress::AttemptErrorKind;

    #[test]
    fn kinds_are_the_same_words_on_both_floors() {
        for kind in AttemptErrorKind::ALL {
            assert!(FailureKind::parse(kind.as_str()).is_some(), "{kind}");
        }
    }
}
