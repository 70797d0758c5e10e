//! Contracts: what receivers are promised, what an endpoint may be, and how its receivers verify.

use serde::Deserialize;
use serde_json::Value;

use super::{EventType, Resource};

/// A contract as lists show it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ListedContract {
    pub(crate) name: String,
    pub(crate) title: String,
    /// In English.
    pub(crate) description: String,
    /// Whether organisations that name no contract have this one.
    pub(crate) default: bool,
}

/// A contract with what it promises.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Contract {
    pub(crate) name: String,
    pub(crate) title: String,
    /// In English.
    pub(crate) description: String,
    pub(crate) revision: String,
    pub(crate) default: bool,
    /// Whether event types beside the catalogue's are passed on as they are.
    pub(crate) open: bool,
    /// The body, as JSON in which `$name` stands for what differs between requests.
    pub(crate) envelope: Value,
    pub(crate) content_type: String,
    /// In order; `${name}` in a value stands for what differs between requests.
    pub(crate) headers: Vec<ContractHeader>,
    /// Whether requests are signed.
    pub(crate) signed: bool,
    pub(crate) signature: Option<SignatureRules>,
    pub(crate) secret: SecretRules,
    pub(crate) timeout_ms: u64,
    pub(crate) retries: Retries,
    pub(crate) disable: Option<DisableRule>,
    pub(crate) plans: Vec<Plan>,
    pub(crate) limits: ContractLimits,
    pub(crate) https_only: bool,
    pub(crate) custom_headers: CustomHeaderRules,
    pub(crate) event_types: Vec<EventType>,
    pub(crate) derived: Vec<DerivedType>,
}

/// A header of every request.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ContractHeader {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// How requests are signed.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SignatureRules {
    pub(crate) header: String,
    /// The header's value.
    pub(crate) value: String,
    /// What is signed.
    pub(crate) signed: String,
    /// `hex` or `base64`.
    pub(crate) encoding: String,
    /// How old a request may be; none where what is signed does not tell.
    pub(crate) tolerance_ms: Option<u64>,
    /// Whose signatures stand in the header while a rotation overlaps: `primary` and `secondary`.
    pub(crate) overlap: Vec<String>,
    /// What has a request sent again with the other secret meanwhile.
    pub(crate) swap_statuses: Vec<u16>,
    pub(crate) schemes: Vec<SignatureScheme>,
}

/// One way of signing.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SignatureScheme {
    /// Empty where there is only one.
    pub(crate) version: String,
    /// What its secrets begin with, if they must.
    pub(crate) prefix: String,
    /// `hmac-sha256` or `ed25519`.
    pub(crate) algorithm: String,
    /// How the key is written: `hex`, `base64` or `text`.
    pub(crate) key: String,
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
    /// How long old and new both work after a rotation.
    pub(crate) overlap_ms: u64,
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

/// When failed deliveries are tried again.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Retries {
    /// `at`: offsets from the first failure; `after`: waits since the previous attempt.
    pub(crate) kind: String,
    pub(crate) steps_ms: Vec<u64>,
    /// How much of a wait may be added at random, from 0 to 1.
    pub(crate) jitter: f64,
}

/// When an endpoint that keeps failing is disabled.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct DisableRule {
    pub(crate) consecutive_failures: u64,
    pub(crate) minimum_span_ms: u64,
}

/// A plan that an organisation may be on.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) endpoints_max: Option<u32>,
}

/// How much an organisation may create.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct ContractLimits {
    /// Without a plan.
    pub(crate) endpoints_max: Option<u32>,
    pub(crate) endpoints_per_event_and_system_max: Option<u32>,
}

/// What custom headers endpoints may have.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct CustomHeaderRules {
    pub(crate) allowed: bool,
    /// How many one endpoint may have.
    pub(crate) count_max: usize,
    pub(crate) bytes_max: u64,
}

/// What an event of one type also is, under a condition.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DerivedType {
    pub(crate) from: String,
    pub(crate) when: String,
    #[serde(rename = "type")]
    pub(crate) event_type: String,
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

/// A receiver's code in each language.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Verifications {
    pub(crate) data: Vec<Verification>,
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
    #[serde(default)]
    pub(crate) resource: Option<Resource>,
}

/// Something about a filter that may not be as it was meant.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PreviewNote {
    /// `missing`, `differs_in_kind` or `too_costly`.
    pub(crate) kind: String,
    /// With how many events.
    pub(crate) events_count: u64,
}

/// A contract as the API tells it, with some members of its own.
#[cfg(test)]
pub(crate) fn contract_with(members: &Value) -> Contract {
    let mut told = serde_json::json!({
        "name": "own", "title": "Own", "description": "", "revision": "r", "default": false, "open": true, "envelope": {"data": "$data"},
        "content_type": "application/json", "headers": [], "signed": false, "signature": null,
        "secret": {"required": true, "generated": true, "chosen": true, "overlap_ms": 0, "kinds": []}, "timeout_ms": 30_000,
        "retries": {"kind": "after", "steps_ms": [], "jitter": 0.0}, "disable": null, "plans": [],
        "limits": {"endpoints_max": null, "endpoints_per_event_and_system_max": null}, "https_only": true,
        "custom_headers": {"allowed": true, "count_max": 10, "bytes_max": 1_000}, "event_types": [], "derived": [],
    });
    let parts = told.as_object_mut().zip(members.as_object());
    parts.into_iter().for_each(|(told, members)| told.extend(members.clone()));
    serde_json::from_value(told).unwrap_or_else(|error| panic!("{error}: {members}"))
}
