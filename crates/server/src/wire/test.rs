//! Test events: which one to send, and how it went.

use postrider_engine::TestOutcome;
use serde::Serialize;
use utoipa::ToSchema;

use crate::fields::{Fields, Text};
use crate::wire::HeaderMap;
use crate::wire::delivery::{ErrorBody, RefusedBody, ResponseParts};

/// A test event to send.
#[derive(Debug, ToSchema)]
pub(crate) struct TestRequest {
    /// An event type of the endpoint's contract; the first that the endpoint subscribes to when left out.
    pub(crate) r#type: Option<String>,
}

impl TestRequest {
    pub(crate) const FIELDS: &[&str] = &["type"];

    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Self {
        TestRequest { r#type: fields.text("type", Text::line(1, postrider_domain::Subscription::BYTES_MAX)) }
    }
}

/// How a test event went.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TestResult<'a> {
    /// Whether the receiver has it.
    succeeded: bool,
    /// What it answered; `null` when no answer came.
    #[schema(required = true)]
    status_code: Option<u16>,
    /// How long until it was over.
    response_time_ms: u32,
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
    /// Why it failed.
    #[schema(required = true)]
    error: Option<ErrorBody<'a>>,
    /// The delivery under which it is listed.
    delivery: String,
    /// The request before, where there were two; see the attempts of a delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    refused_first: Option<RefusedBody<'a>>,
}

impl<'a> TestResult<'a> {
    pub(crate) fn new(outcome: &'a TestOutcome) -> Self {
        let response = ResponseParts::new(outcome.attempt.response.as_ref());
        TestResult {
            succeeded: outcome.succeeded,
            status_code: response.status_code,
            response_time_ms: outcome.attempt.response_time_ms,
            response_headers: response.headers,
            response_body: response.body,
            response_body_base64: response.body_base64,
            response_note: response.note,
            error: ErrorBody::of(&outcome.attempt),
            delivery: outcome.delivery.to_string(),
            refused_first: outcome.attempt.refused_first.as_deref().map(RefusedBody::new),
        }
    }
}
