//! What is wrong (RFC 9457).

use serde::Deserialize;
use serde_json::{Map, Value};

/// An answer that is not what was asked for.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    pub(crate) uri: String,
    pub(crate) detail: String,
    #[serde(default)]
    pub(crate) errors: Vec<Mistake>,
}

impl Problem {
    /// The kind of problem, as its `type` ends: `not-found`.
    pub(crate) fn slug(&self) -> &str {
        self.uri.rsplit('#').next().unwrap_or_default()
    }
}

/// One wrong field.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Mistake {
    #[serde(default)]
    pub(crate) pointer: String,
    pub(crate) detail: String,
    #[serde(default)]
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) params: Map<String, Value>,
}
