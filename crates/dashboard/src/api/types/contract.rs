//! Contracts: what an endpoint may be, and how its receivers verify.

use serde::Deserialize;

use super::EventType;

/// A contract with its catalogue.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Contract {
    pub(crate) name: String,
    /// Whether event types beside the catalogue's are passed on as they are.
    pub(crate) open: bool,
    /// Whether requests are signed.
    pub(crate) signed: bool,
    pub(crate) secret: SecretRules,
    pub(crate) custom_headers: CustomHeaderRules,
    pub(crate) event_types: Vec<EventType>,
}

/// What a contract says about secrets.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SecretRules {
    /// Whether an endpoint must have one.
    pub(crate) required: bool,
    /// Whether one is made when none is given.
    pub(crate) generated: bool,
    /// Whether people may bring their own.
    pub(crate) chosen: bool,
    /// The kinds there are, the one that is made unless another is asked for first.
    pub(crate) kinds: Vec<SecretKind>,
}

/// One kind of secret.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SecretKind {
    /// What its secrets begin with, if they must.
    pub(crate) prefix: String,
    /// Whether receivers verify with a public key.
    pub(crate) asymmetric: bool,
}

/// What custom headers endpoints may have.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct CustomHeaderRules {
    pub(crate) allowed: bool,
    /// How many one endpoint may have.
    pub(crate) count_max: usize,
}

/// A receiver's code in one language.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Verification {
    /// A word for it, such as `node`.
    pub(crate) language: String,
    /// What people call it.
    pub(crate) title: String,
    /// What its file is usually called.
    pub(crate) file: String,
    pub(crate) code: String,
}

/// What would be refused of an endpoint.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Checked {
    pub(crate) errors: Vec<super::Mistake>,
}

/// What a filter would have let pass.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FilterPreview {
    /// Recent events that were looked at.
    pub(crate) events_count: u64,
    pub(crate) passed_count: u64,
    /// Whether these are all that are kept.
    pub(crate) complete: bool,
    /// When the oldest of them was accepted.
    pub(crate) since: Option<String>,
    pub(crate) passed: Vec<PreviewedEvent>,
    pub(crate) held_back: Vec<PreviewedEvent>,
    pub(crate) notes: Vec<PreviewNote>,
}

/// One event of a preview.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PreviewedEvent {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    pub(crate) accepted_at: String,
}

/// Something about a filter that may not be as it was meant.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PreviewNote {
    /// `missing`, `differs_in_kind` or `too_costly`.
    pub(crate) kind: String,
    /// With how many events.
    pub(crate) events_count: u64,
}
