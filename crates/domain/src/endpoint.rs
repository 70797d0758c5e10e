//! Endpoints: what a customer creates to receive events.

use crate::ids::EndpointId;
use crate::organization::OrganizationId;
use crate::secret::Secret;
use crate::subscription::Subscription;
use crate::time::Millis;

/// Whether an endpoint receives new events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointStatus {
    /// It receives events.
    Active,
    /// Its owner stopped it.
    Paused,
    /// The system stopped it, and why.
    Disabled {
        /// Shown to its owner.
        reason: String,
    },
}

impl EndpointStatus {
    /// The name in the API and the store.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            EndpointStatus::Active => "active",
            EndpointStatus::Paused => "paused",
            EndpointStatus::Disabled { .. } => "disabled",
        }
    }
}

/// One endpoint of one organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Where it is, as its owner wrote it (normalised by the guard at each attempt).
    pub url: String,
    /// What it receives, in its contract's names.
    pub events: Vec<Subscription>,
    /// The contract it follows: its own choice or its organisation's.
    pub contract: String,
    /// What signs its deliveries; none where the contract allows that.
    pub secret: Option<Secret>,
    /// Custom headers, in the order given; the values are secrets.
    pub headers: Vec<(String, Secret)>,
    /// Which system registered it (never filters events).
    pub system: Option<String>,
    /// Whether it receives.
    pub status: EndpointStatus,
    /// When it was created.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
}

impl Endpoint {
    /// Whether an event of this type, in this endpoint's contract's name, makes a delivery for it now.
    #[must_use]
    pub fn wants(&self, event_type: &str) -> bool {
        self.status == EndpointStatus::Active && self.events.iter().any(|s| s.matches(event_type))
    }
}
