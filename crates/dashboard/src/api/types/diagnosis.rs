//! Diagnoses, and where deliveries come from.

use serde::Deserialize;
use serde_json::{Map, Value};

/// What keeps an endpoint from receiving, or that nothing does.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Diagnosis {
    /// Whether no check failed.
    pub(crate) healthy: bool,
    pub(crate) checks: Vec<Check>,
    /// The delivery under which the test event is listed, where one was sent.
    pub(crate) delivery: Option<String>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Check {
    /// A word that does not change, such as `certificate`.
    pub(crate) name: String,
    /// `passed`, `warning`, `failed` or `skipped`.
    pub(crate) outcome: String,
    /// What was found, in English.
    pub(crate) found: String,
    /// What that is called, for whoever says it in another language.
    #[serde(default)]
    pub(crate) found_code: String,
    #[serde(default)]
    pub(crate) found_params: Map<String, Value>,
    /// The same of each of several.
    pub(crate) details: Vec<CheckDetail>,
    /// What to do, in English.
    pub(crate) advice: Option<String>,
    /// What the advice is called, for whoever says it in another language.
    #[serde(default)]
    pub(crate) advice_code: Option<String>,
}

/// What was found of one of several, such as an address.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CheckDetail {
    /// In English.
    pub(crate) text: String,
    /// What that is called.
    #[serde(default)]
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) params: Map<String, Value>,
}

/// Addresses and ranges that deliveries come from; none when the operator names none.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct EgressAddresses {
    pub(crate) data: Vec<String>,
}
