//! Endpoints: what a customer creates to receive events.

use std::num::NonZeroU32;

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

/// In which order an endpoint receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndpointOrdering {
    /// As it comes: nothing waits for anything else.
    #[default]
    None,
    /// The events of one record in the order in which they were accepted; different records side by side.
    Resource,
}

impl EndpointOrdering {
    /// The name in the API and the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            EndpointOrdering::None => "none",
            EndpointOrdering::Resource => "resource",
        }
    }

    /// Reads what [`EndpointOrdering::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Resource].into_iter().find(|ordering| ordering.as_str() == text)
    }
}

/// A rotation that is not over: two secrets sign (002, "Rotate Secrets"; contracts.md, reading 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The secret that the endpoint's present one replaces.
    pub old: Secret,
    /// From then on the present one signs alone.
    pub ends_at: Millis,
    /// The receiver's owner has said that it verifies with the present one.
    pub is_confirmed: bool,
}

/// The secrets that sign at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningSecrets<'a> {
    /// The one that naive receivers must find; none where deliveries are not signed.
    pub primary: Option<&'a Secret>,
    /// The other one of an overlap.
    pub secondary: Option<&'a Secret>,
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
    /// The secret before that one, while both work.
    pub overlap: Option<Overlap>,
    /// Custom headers, in the order given; the values are secrets.
    pub headers: Vec<(String, Secret)>,
    /// An expression that an event must fulfil to be sent here; none for all that it subscribes to.
    pub filter: Option<String>,
    /// Attempts that may begin in one second; none for no limit of its own.
    pub rate_limit: Option<NonZeroU32>,
    /// In which order it receives.
    pub ordering: EndpointOrdering,
    /// Which system registered it (never filters events).
    pub system: Option<String>,
    /// Whether it receives.
    pub status: EndpointStatus,
    /// When a person last made it active again: what had waited leaves on a ramp from then on (contracts.md, reading 8).
    pub resumed_at: Option<Millis>,
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

    /// A person pauses it or makes it active, also after the system disabled it.
    pub fn set_enabled(&mut self, is_enabled: bool, now: Millis) {
        let status = if is_enabled { EndpointStatus::Active } else { EndpointStatus::Paused };
        if is_enabled && self.status != EndpointStatus::Active {
            self.resumed_at = Some(now);
        }
        self.status = status;
    }

    /// What signs an attempt at `now`: during an overlap the old secret first until the rotation is confirmed, then the present one; afterwards
    /// the present one alone, confirmed or not.
    #[must_use]
    pub fn signing_secrets(&self, now: Millis) -> SigningSecrets<'_> {
        let present = self.secret.as_ref();
        match &self.overlap {
            Some(overlap) if now < overlap.ends_at && overlap.is_confirmed => {
                SigningSecrets { primary: present, secondary: Some(&overlap.old) }
            }
            Some(overlap) if now < overlap.ends_at => {
                SigningSecrets { primary: Some(&overlap.old), secondary: present }
            }
            _ => SigningSecrets { primary: present, secondary: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn during_an_overlap_both_secrets_sign_and_afterwards_the_present_one_alone() {
        let mut endpoint = Endpoint {
            id: EndpointId(Uuid::nil()),
            organization: "acme".parse().unwrap(),
            name: String::new(),
            description: None,
            url: String::new(),
            events: vec![],
            contract: String::new(),
            secret: Some(secret("new")),
            overlap: Some(Overlap { old: secret("old"), ends_at: Millis(100), is_confirmed: false }),
            headers: vec![],
            filter: None,
            rate_limit: None,
            ordering: EndpointOrdering::None,
            system: None,
            status: EndpointStatus::Active,
            resumed_at: None,
            created_at: Millis(0),
            updated_at: Millis(0),
        };
        let signing = |endpoint: &Endpoint, now| {
            let SigningSecrets { primary, secondary } = endpoint.signing_secrets(Millis(now));
            (primary.map(|s| s.reveal().to_owned()), secondary.map(|s| s.reveal().to_owned()))
        };
        let (old, new) = (Some("old".to_owned()), Some("new".to_owned()));
        assert_eq!(signing(&endpoint, 99), (old.clone(), new.clone()));
        assert_eq!(signing(&endpoint, 100), (new.clone(), None));
        endpoint.overlap.as_mut().unwrap().is_confirmed = true;
        assert_eq!(signing(&endpoint, 99), (new.clone(), old));
        assert_eq!(signing(&endpoint, 100), (new.clone(), None));
        endpoint.overlap = None;
        assert_eq!(signing(&endpoint, 0), (new, None));
    }
}
