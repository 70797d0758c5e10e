//! Endpoints; to people, webhooks.

use std::collections::BTreeMap;

use serde::Deserialize;

/// An endpoint.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) url: String,
    pub(crate) events: Vec<String>,
    pub(crate) filter: Option<String>,
    /// The name of the contract that it follows.
    pub(crate) contract: String,
    /// Attempts that may begin in one second.
    pub(crate) rate_limit: Option<u32>,
    /// `none` or `resource`.
    pub(crate) ordering: String,
    /// `active`, `paused` or `disabled`.
    pub(crate) status: String,
    /// Why the system stopped it, in English.
    pub(crate) disabled_reason: Option<String>,
    /// The reason's code, for whoever says it in another language.
    pub(crate) disabled_reason_code: Option<String>,
    pub(crate) disabled_reason_params: Option<DisabledReasonParams>,
    pub(crate) consecutive_failures: u32,
    /// When the first of them failed.
    pub(crate) failing_since: Option<String>,
    /// Its custom headers; the values are masked.
    pub(crate) headers: BTreeMap<String, String>,
    /// Whether its deliveries are signed.
    pub(crate) signed: bool,
    /// What receivers verify with, where the secret is an asymmetric key.
    pub(crate) public_key: Option<String>,
    /// A rotation that is not over.
    pub(crate) overlap: Option<Overlap>,
    /// What signs its deliveries: in the answer to its creation alone.
    pub(crate) secret: Option<String>,
}

impl Endpoint {
    pub(crate) fn is_active(&self) -> bool {
        self.status == "active"
    }
}

/// A rotation that is not over: two secrets sign.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Overlap {
    pub(crate) ends_at: String,
    pub(crate) confirmed: bool,
    /// What receivers verify with that still hold the old key.
    pub(crate) public_key: Option<String>,
}

/// The facts of why the system stopped one.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DisabledReasonParams {
    /// Attempts that failed on end.
    pub(crate) count: u32,
    /// The kind of the latest failure.
    pub(crate) kind: String,
    /// What the latest was answered, where an answer came.
    pub(crate) status_code: Option<u16>,
}
