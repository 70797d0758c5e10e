//! Organisations, as the operator sees them, and who of one is notified.

use serde::Deserialize;

/// All of an organisation.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct OrganizationDetail {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) contract: String,
    pub(crate) plan: Option<String>,
    pub(crate) event_validation: String,
    pub(crate) frame_ancestors: Vec<String>,
    pub(crate) created_at: String,
}

/// Whom the server writes to.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Notifications {
    pub(crate) owner_email: Option<String>,
    pub(crate) locale: Option<String>,
}

/// A portal link that was just made.
#[derive(Deserialize)]
pub(crate) struct PortalLink {
    /// Here, and never again.
    pub(crate) url: String,
    pub(crate) expires_at: String,
}
