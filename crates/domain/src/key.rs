//! Organisation keys and what they may do.

use crate::ids::KeyId;
use crate::organization::OrganizationId;
use crate::time::Millis;

/// What an organisation key allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Publish events.
    EventsWrite,
    /// Read endpoints, event types and the organisation.
    EndpointsRead,
    /// Create, change and delete endpoints.
    EndpointsWrite,
    /// Read events and deliveries.
    DeliveriesRead,
    /// Retry deliveries.
    DeliveriesWrite,
}

/// Why a text is no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a scope is one of events:write, endpoints:read, endpoints:write, deliveries:read, deliveries:write")]
pub struct ScopeError;

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 5] = [
        Scope::EventsWrite,
        Scope::EndpointsRead,
        Scope::EndpointsWrite,
        Scope::DeliveriesRead,
        Scope::DeliveriesWrite,
    ];

    /// The name in the API and the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::EventsWrite => "events:write",
            Scope::EndpointsRead => "endpoints:read",
            Scope::EndpointsWrite => "endpoints:write",
            Scope::DeliveriesRead => "deliveries:read",
            Scope::DeliveriesWrite => "deliveries:write",
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = ScopeError;
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Scope::ALL.into_iter().find(|s| s.as_str() == text).ok_or(ScopeError)
    }
}

/// What a token allows within its organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything.
    Admin,
    /// Reading.
    Viewer,
}

impl Role {
    /// The name in tokens, the API and the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Viewer => "viewer",
        }
    }

    /// Reads what [`Role::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Role::Admin, Role::Viewer].into_iter().find(|role| role.as_str() == text)
    }

    /// The scopes that it stands for, so that roles and keys are judged alike.
    #[must_use]
    pub fn scopes(self) -> &'static [Scope] {
        match self {
            Role::Admin => &Scope::ALL,
            Role::Viewer => &[Scope::EndpointsRead, Scope::DeliveriesRead],
        }
    }
}

/// An organisation key as it is kept: never the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: KeyId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The first characters of the key, to recognise it by.
    pub hint: String,
    /// When it was made.
    pub created_at: Millis,
    /// From when it is refused.
    pub expires_at: Option<Millis>,
}
