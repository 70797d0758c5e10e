//! Deliveries: one event on its way to one endpoint.

use serde::Deserialize;

/// A delivery, as lists show it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    /// The event's id.
    pub(crate) event: String,
    /// The endpoint's id.
    pub(crate) endpoint: String,
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    pub(crate) resource: Option<Resource>,
    /// Whether it carries a test event.
    pub(crate) test: bool,
    /// `pending`, `succeeded` or `failed`.
    pub(crate) status: String,
    /// Why it failed for good, in a word.
    pub(crate) fail_reason: Option<String>,
    pub(crate) created_at: String,
    pub(crate) next_attempt_at: Option<String>,
    pub(crate) ended_at: Option<String>,
    pub(crate) attempts_count: u32,
    pub(crate) last_status_code: Option<u16>,
}

impl Delivery {
    /// Whether it has not ended.
    pub(crate) fn is_pending(&self) -> bool {
        self.status == "pending"
    }
}

/// The record, or the records of one type, that an event is about.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Resource {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Its id, where there is one record.
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) ids: Vec<String>,
}

impl Resource {
    /// As a list is filtered by it: `deal:42`; none where there are several records, or none.
    pub(crate) fn filter(&self) -> Option<String> {
        self.id.as_ref().map(|id| format!("{}:{id}", self.kind))
    }
}
