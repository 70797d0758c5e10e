//! Organisations: the tenants.

use std::fmt;
use std::str::FromStr;

use crate::time::Millis;

/// An organisation's id: chosen by the caller (1 to 64 of `A-Z a-z 0-9 _ - . :`) or made (`org_…`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrganizationId(Box<str>);

/// Why a text cannot be an organisation's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an organization id is 1 to 64 letters, digits, or any of _ - . :, and begins with a letter or digit")]
pub struct OrganizationIdError;

impl OrganizationId {
    /// What ids that Postrider makes begin with.
    pub const PREFIX: &'static str = "org";
    /// The longest id, in characters.
    pub const CHARS_MAX: usize = 64;

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrganizationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for OrganizationId {
    type Err = OrganizationIdError;
    fn from_str(text: &str) -> Result<Self, OrganizationIdError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':');
        let begins_well = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if !begins_well || text.len() > Self::CHARS_MAX || !text.bytes().all(plain) {
            return Err(OrganizationIdError);
        }
        Ok(OrganizationId(text.into()))
    }
}

/// Whether an event's `data` is checked against the catalogue's JSON Schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventValidation {
    /// Not checked.
    #[default]
    Off,
    /// Checked; what does not fit is accepted and logged.
    Warn,
    /// Checked; what does not fit is refused.
    Enforce,
}

impl EventValidation {
    /// The name in the API and the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            EventValidation::Off => "off",
            EventValidation::Warn => "warn",
            EventValidation::Enforce => "enforce",
        }
    }

    /// Reads what [`EventValidation::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Off, Self::Warn, Self::Enforce].into_iter().find(|v| v.as_str() == text)
    }
}

/// One customer of the CRM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// What people call it.
    pub name: String,
    /// The contract its events are checked against and its endpoints follow unless they name another.
    pub contract: String,
    /// One of that contract's plans, or none.
    pub plan: Option<String>,
    /// Who is told when an endpoint is in trouble.
    pub owner_email: Option<String>,
    /// The language of what it is told, e.g. `pt-BR`.
    pub locale: Option<String>,
    /// Whether `data` is checked.
    pub event_validation: EventValidation,
    /// Origins of the pages that may show its dashboard in a frame; none may when empty.
    pub frame_ancestors: Vec<String>,
    /// When it was created.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
}
