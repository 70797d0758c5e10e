//! One delivery with what was sent and what came of it.

use serde::Deserialize;

use super::{Delivery, Ordered};

/// A delivery with every attempt.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DeliveryDetail {
    #[serde(flatten)]
    pub(crate) delivery: Delivery,
    /// The request of the latest attempt; none before there is one, and once it was removed.
    pub(crate) request: Option<SentRequest>,
    /// Oldest first.
    pub(crate) attempts: Vec<Attempt>,
}

/// What every attempt sends.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SentRequest {
    pub(crate) method: String,
    /// None once its event's retention has ended.
    pub(crate) body: Option<String>,
    pub(crate) body_base64: Option<String>,
}

/// One request and what came of it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) id: String,
    pub(crate) started_at: String,
    pub(crate) response_time_ms: u64,
    /// Whether a person asked for it.
    pub(crate) by_hand: bool,
    /// None once what was sent and answered was removed.
    pub(crate) url: Option<String>,
    pub(crate) request_headers: Ordered<String>,
    /// None where no answer came.
    pub(crate) status_code: Option<u16>,
    pub(crate) response_headers: Option<Ordered<String>>,
    pub(crate) response_body: Option<String>,
    pub(crate) response_body_base64: Option<String>,
    /// What was cut off, in English.
    pub(crate) response_note: Option<String>,
    pub(crate) error: Option<AttemptError>,
    /// The request before, which a receiver refused while a rotation overlapped.
    pub(crate) refused_first: Option<RefusedRequest>,
}

/// The first of an attempt's two requests.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RefusedRequest {
    pub(crate) response_time_ms: u64,
    pub(crate) status_code: u16,
    pub(crate) response_headers: Ordered<String>,
    pub(crate) response_body: String,
    pub(crate) response_body_base64: Option<String>,
    pub(crate) response_note: Option<String>,
}

/// Why an attempt failed.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct AttemptError {
    /// A word that does not change, such as `timeout`.
    pub(crate) kind: String,
    /// In English; it may repeat what a receiver said.
    pub(crate) message: String,
    /// The message's code, for whoever says it in another language.
    pub(crate) message_code: String,
    /// In English; for advice that has no message in the viewer's language.
    pub(crate) advice: String,
    pub(crate) advice_code: String,
}
