//! Test events.

use serde::Deserialize;

use super::{AttemptError, Ordered};

/// How a test event went.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct TestResult {
    pub(crate) succeeded: bool,
    /// What was answered; none when no answer came.
    pub(crate) status_code: Option<u16>,
    pub(crate) response_time_ms: u64,
    pub(crate) response_headers: Option<Ordered<String>>,
    /// As text in which what is not UTF-8 is replaced.
    pub(crate) response_body: Option<String>,
    /// The same, where the text altered something.
    pub(crate) response_body_base64: Option<String>,
    /// What was cut off or went wrong after the status line, in English.
    pub(crate) response_note: Option<String>,
    pub(crate) error: Option<AttemptError>,
    /// The delivery under which it is listed.
    pub(crate) delivery: String,
    /// The request before, where the receiver refused one during a rotation.
    pub(crate) refused_first: Option<RefusedFirst>,
}

/// The first of two requests of an attempt.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct RefusedFirst {
    pub(crate) status_code: u16,
}
