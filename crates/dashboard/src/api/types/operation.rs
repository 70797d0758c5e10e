//! Recoveries, and how far they have come.

use serde::Deserialize;

/// Work on many deliveries.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Operation {
    pub(crate) id: String,
    /// `recovery` or `erasure`.
    pub(crate) kind: String,
    /// `running`, `succeeded` or `failed`.
    pub(crate) status: String,
    /// Why it was given up, in English.
    pub(crate) reason: Option<String>,
    /// Deliveries that are sent again.
    pub(crate) done: u64,
    /// How many there are; none while they are being counted.
    pub(crate) total: Option<u64>,
    /// The endpoint that is recovered.
    pub(crate) endpoint: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) created_at: String,
}

impl Operation {
    pub(crate) fn is_running(&self) -> bool {
        self.status == "running"
    }

    /// Whether it sends again what this endpoint missed.
    pub(crate) fn recovers(&self, endpoint: &str) -> bool {
        self.kind == "recovery" && self.endpoint.as_deref() == Some(endpoint)
    }
}

/// An operation that has begun.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct BegunOperation {
    #[serde(rename = "operation")]
    pub(crate) id: String,
}

/// How much a recovery would send.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RecoveryPreview {
    /// Deliveries in all.
    pub(crate) count: u64,
    /// Those that failed and would be tried again.
    pub(crate) failed: u64,
    /// Events that made none and would make one now.
    pub(crate) missed: u64,
    /// Whether all of the span was counted.
    pub(crate) is_complete: bool,
}
