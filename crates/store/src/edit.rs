//! What a change carries beside what is changed.

use postrider_domain::{AuditEntry, Millis};

use crate::model::Version;

/// Who changes an organisation or an endpoint, and what they had seen of it.
#[derive(Clone, Debug)]
pub struct Edit {
    /// What the audit trail tells of it.
    pub audit: AuditEntry,
    /// The configuration that the change was made from: with a newer one in the store it is refused as [`crate::StoreError::Outdated`]. None when it does
    /// not matter.
    pub basis: Option<Version>,
}

impl Edit {
    /// One that does not rest on what was read before.
    #[must_use]
    pub fn of(audit: AuditEntry) -> Self {
        Edit { audit, basis: None }
    }
}

/// Which entries of the audit trail a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// By this actor; see [`postrider_domain::Actor::is`].
    pub actor: Option<String>,
    /// To this object.
    pub object: Option<String>,
    /// Of this action.
    pub action: Option<String>,
    /// At or after.
    pub since: Option<Millis>,
    /// Before.
    pub until: Option<Millis>,
}
