//! Events that the CRM published.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Ordered, Resource};

/// An event, as lists show it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    pub(crate) accepted_at: String,
    pub(crate) resource: Option<Resource>,
    /// How many deliveries it made at once.
    pub(crate) deliveries_count: u64,
}

/// An event with what it holds.
#[derive(Debug, Deserialize)]
pub(crate) struct EventDetail {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    pub(crate) occurred_at: String,
    pub(crate) accepted_at: String,
    pub(crate) resource: Option<Resource>,
    pub(crate) deliveries_count: u64,
    /// Exactly as it was sent.
    pub(crate) data: Option<Box<RawValue>>,
    pub(crate) changes: Option<Ordered<Change>>,
}

/// What one field was and became.
#[derive(Debug, Deserialize)]
pub(crate) struct Change {
    pub(crate) previous: Option<Box<RawValue>>,
    pub(crate) current: Option<Box<RawValue>>,
}

/// What became of an event at an endpoint.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Routed {
    /// The endpoint's id.
    pub(crate) endpoint: String,
    pub(crate) name: String,
    /// `delivered`, or why not, in a word.
    pub(crate) outcome: String,
    /// The delivery's id.
    pub(crate) delivery: Option<String>,
    /// Whether the endpoint was changed since.
    pub(crate) since_changed: bool,
}
